//! The shapes of postal addresses on the wire; `types` says how they are bounded.

use poem_openapi::Object;
use uuid::Uuid;

use super::fields::{Errors, written};
use crate::domain::address::{self, AddressChange, Country, Place};
use crate::domain::patch::Patch;
use crate::domain::phone::Phone;
use crate::domain::text::Text;
use crate::http::problem::Problem;

/// One of the caller's postal addresses. A field that is empty is left out.
#[derive(Object)]
#[oai(example, rename_all = "camelCase", skip_serializing_if_is_none)]
pub(in crate::http::api) struct Address {
    /// Identifies the address for ever (UUIDv7).
    pub(super) id: Uuid,
    /// What the user calls it.
    #[oai(validator(max_length = 50))]
    pub(super) label: Option<String>,
    /// Who receives there.
    #[oai(validator(max_length = 100))]
    pub(super) recipient: String,
    /// The first line, such as street and number.
    #[oai(validator(max_length = 200))]
    pub(super) line1: String,
    /// The second line.
    #[oai(validator(max_length = 200))]
    pub(super) line2: Option<String>,
    /// The postal code.
    #[oai(validator(max_length = 20))]
    pub(super) postal_code: Option<String>,
    /// The town.
    #[oai(validator(max_length = 100))]
    pub(super) city: String,
    /// The state, province or the like.
    #[oai(validator(max_length = 100))]
    pub(super) region: Option<String>,
    /// The country (ISO 3166-1 alpha-2).
    #[oai(validator(max_length = 2))]
    pub(super) country: String,
    /// The telephone number for deliveries (E.164).
    #[oai(validator(max_length = 16))]
    pub(super) phone: Option<String>,
    /// Whether it is the one to use when nothing else is said. Exactly one is.
    pub(super) is_default: bool,
}

impl From<&address::Address> for Address {
    fn from(address: &address::Address) -> Self {
        let place = &address.place;
        Self {
            id: address.id.0,
            label: written(place.label.as_ref()),
            recipient: place.recipient.to_string(),
            line1: place.line1.to_string(),
            line2: written(place.line2.as_ref()),
            postal_code: written(place.postal_code.as_ref()),
            city: place.city.to_string(),
            region: written(place.region.as_ref()),
            country: place.country.to_string(),
            phone: written(place.phone.as_ref()),
            is_default: address.is_default,
        }
    }
}

/// The caller's addresses.
#[derive(Object)]
#[oai(example)]
pub(super) struct AddressList {
    /// The default first, then the others in the order in which they were added.
    pub(super) addresses: Vec<Address>,
}

/// An address to be added.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename_all = "camelCase", skip_serializing_if_is_none)]
pub(super) struct NewAddress {
    /// What the user calls it, such as `Home`: one line of up to 50 characters.
    #[oai(validator(max_length = 200))]
    pub(super) label: Option<String>,
    /// Who receives there: one line of up to 100 characters.
    #[oai(validator(max_length = 400))]
    pub(super) recipient: String,
    /// The first line, such as street and number, of up to 200 characters.
    #[oai(validator(max_length = 800))]
    pub(super) line1: String,
    /// The second line, of up to 200 characters.
    #[oai(validator(max_length = 800))]
    pub(super) line2: Option<String>,
    /// The postal code, where the country has them: up to 20 characters of any form.
    #[oai(validator(max_length = 80))]
    pub(super) postal_code: Option<String>,
    /// The town: one line of up to 100 characters.
    #[oai(validator(max_length = 400))]
    pub(super) city: String,
    /// The state, province or the like: one line of up to 100 characters.
    #[oai(validator(max_length = 400))]
    pub(super) region: Option<String>,
    /// The country's code (ISO 3166-1 alpha-2) such as `DE`.
    #[oai(validator(max_length = 2))]
    pub(super) country: String,
    /// The telephone number for deliveries, as it is dialled from abroad: `+` and up to 15 digits.
    /// Blanks, dashes and parentheses are dropped.
    #[oai(validator(max_length = 64))]
    pub(super) phone: Option<String>,
    /// Whether it is to be the default in place of the one that is. The first one always is.
    pub(super) is_default: Option<bool>,
}

impl NewAddress {
    /// Parses all of it, and tells all that is wrong.
    pub(super) fn parse(self) -> Result<(Place, bool), Problem> {
        let mut errors = Errors::default();
        let label = errors.optional("/label", self.label, Text::parse);
        let recipient = errors.value("/recipient", &self.recipient, Text::parse);
        let line1 = errors.value("/line1", &self.line1, Text::parse);
        let line2 = errors.optional("/line2", self.line2, Text::parse);
        let postal_code = errors.optional("/postalCode", self.postal_code, Text::parse);
        let city = errors.value("/city", &self.city, Text::parse);
        let region = errors.optional("/region", self.region, Text::parse);
        let country = errors.value("/country", &self.country, Country::parse);
        let phone = errors.optional("/phone", self.phone, Phone::parse);
        let place = match (recipient, line1, city, country) {
            (Some(recipient), Some(line1), Some(city), Some(country)) => Some(Place {
                label,
                recipient,
                line1,
                line2,
                postal_code,
                city,
                region,
                country,
                phone,
            }),
            _ => None,
        };
        errors.finish(place.map(|place| (place, self.is_default.unwrap_or_default())))
    }
}

/// Changes to an address. What is left out stays as it is, null empties the field.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename_all = "camelCase", skip_serializing_if_is_none)]
pub(super) struct AddressChanges {
    /// What the user calls it, such as `Home`: one line of up to 50 characters.
    #[oai(validator(max_length = 200))]
    pub(super) label: Patch<String>,
    /// Who receives there: one line of up to 100 characters.
    #[oai(validator(max_length = 400))]
    pub(super) recipient: Option<String>,
    /// The first line, such as street and number, of up to 200 characters.
    #[oai(validator(max_length = 800))]
    pub(super) line1: Option<String>,
    /// The second line, of up to 200 characters.
    #[oai(validator(max_length = 800))]
    pub(super) line2: Patch<String>,
    /// The postal code, where the country has them: up to 20 characters of any form.
    #[oai(validator(max_length = 80))]
    pub(super) postal_code: Patch<String>,
    /// The town: one line of up to 100 characters.
    #[oai(validator(max_length = 400))]
    pub(super) city: Option<String>,
    /// The state, province or the like: one line of up to 100 characters.
    #[oai(validator(max_length = 400))]
    pub(super) region: Patch<String>,
    /// The country's code (ISO 3166-1 alpha-2) such as `DE`.
    #[oai(validator(max_length = 2))]
    pub(super) country: Option<String>,
    /// The telephone number for deliveries, as it is dialled from abroad: `+` and up to 15 digits.
    /// Blanks, dashes and parentheses are dropped.
    #[oai(validator(max_length = 64))]
    pub(super) phone: Patch<String>,
    /// True makes it the default in place of the one that is. False is refused for the default.
    pub(super) is_default: Option<bool>,
}

impl AddressChanges {
    /// Parses all of them, and tells all that is wrong.
    pub(super) fn parse(self) -> Result<AddressChange, Problem> {
        let mut errors = Errors::default();
        let change = AddressChange {
            label: errors.patch("/label", self.label, Text::parse),
            recipient: errors.optional("/recipient", self.recipient, Text::parse),
            line1: errors.optional("/line1", self.line1, Text::parse),
            line2: errors.patch("/line2", self.line2, Text::parse),
            postal_code: errors.patch("/postalCode", self.postal_code, Text::parse),
            city: errors.optional("/city", self.city, Text::parse),
            region: errors.patch("/region", self.region, Text::parse),
            country: errors.optional("/country", self.country, Country::parse),
            phone: errors.patch("/phone", self.phone, Phone::parse),
            is_default: self.is_default,
        };
        errors.finish(Some(change))
    }
}
