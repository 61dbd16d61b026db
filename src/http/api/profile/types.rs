//! The shapes on the wire.
//!
//! What is asked is bounded more widely than what is answered: the rules of `domain` count after
//! blanks around a text were dropped and its letters composed (NFC).

use poem_openapi::Object;

use super::fields::{Errors, written};
use crate::domain::avatar::AvatarUrl;
use crate::domain::patch::Patch;
use crate::domain::phone::Phone;
use crate::domain::profile::{self, Locale, ProfileChange, TimeZone};
use crate::domain::text::Text;
use crate::http::problem::Problem;

/// What the caller says about themselves. A field that is empty is left out.
#[derive(Object)]
#[oai(example, rename_all = "camelCase", skip_serializing_if_is_none)]
pub(in crate::http::api) struct Profile {
    /// The name that others are shown.
    #[oai(validator(max_length = 100))]
    pub(super) display_name: Option<String>,
    /// The given name or names.
    #[oai(validator(max_length = 100))]
    pub(super) given_name: Option<String>,
    /// The family name.
    #[oai(validator(max_length = 100))]
    pub(super) family_name: Option<String>,
    /// The telephone number (E.164).
    #[oai(validator(max_length = 16))]
    pub(super) phone: Option<String>,
    /// The language tag (BCP 47) in its canonical case.
    #[oai(validator(max_length = 35))]
    pub(super) locale: Option<String>,
    /// The name of the time zone in the IANA database.
    #[oai(validator(max_length = 64))]
    pub(super) time_zone: Option<String>,
    /// Where a picture is.
    #[oai(validator(max_length = 2048))]
    pub(super) avatar_url: Option<String>,
}

impl From<&profile::Profile> for Profile {
    fn from(profile: &profile::Profile) -> Self {
        Self {
            display_name: written(profile.display_name.as_ref()),
            given_name: written(profile.given_name.as_ref()),
            family_name: written(profile.family_name.as_ref()),
            phone: written(profile.phone.as_ref()),
            locale: written(profile.locale.as_ref()),
            time_zone: written(profile.time_zone.as_ref()),
            avatar_url: written(profile.avatar_url.as_ref()),
        }
    }
}

/// Changes to a profile. What is left out stays as it is, null empties the field.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename_all = "camelCase", skip_serializing_if_is_none)]
pub(super) struct ProfileChanges {
    /// The name that others are shown: one line of up to 100 characters.
    #[oai(validator(max_length = 400))]
    pub(super) display_name: Patch<String>,
    /// The given name or names: one line of up to 100 characters.
    #[oai(validator(max_length = 400))]
    pub(super) given_name: Patch<String>,
    /// The family name: one line of up to 100 characters.
    #[oai(validator(max_length = 400))]
    pub(super) family_name: Patch<String>,
    /// The telephone number as it is dialled from abroad, such as `+49 30 901820`: `+` and up to
    /// 15 digits. Blanks, dashes and parentheses are dropped.
    #[oai(validator(max_length = 64))]
    pub(super) phone: Patch<String>,
    /// A language tag (BCP 47) such as `de`, `pt-BR` or `zh-Hant-TW`.
    #[oai(validator(max_length = 35))]
    pub(super) locale: Patch<String>,
    /// A time zone of the IANA database such as `Europe/Berlin`.
    #[oai(validator(max_length = 64))]
    pub(super) time_zone: Patch<String>,
    /// Where a picture is: an https URL, or an http one of this machine.
    #[oai(validator(max_length = 2048))]
    pub(super) avatar_url: Patch<String>,
}

impl ProfileChanges {
    /// Parses all of them, and tells all that is wrong.
    pub(super) fn parse(self) -> Result<ProfileChange, Problem> {
        let mut errors = Errors::default();
        let change = ProfileChange {
            display_name: errors.patch("/displayName", self.display_name, Text::parse),
            given_name: errors.patch("/givenName", self.given_name, Text::parse),
            family_name: errors.patch("/familyName", self.family_name, Text::parse),
            phone: errors.patch("/phone", self.phone, Phone::parse),
            locale: errors.patch("/locale", self.locale, Locale::parse),
            time_zone: errors.patch("/timeZone", self.time_zone, TimeZone::parse),
            avatar_url: errors.patch("/avatarUrl", self.avatar_url, AvatarUrl::parse),
        };
        errors.finish(Some(change))
    }
}
