//! Postal addresses.

use std::fmt;

use super::id::AddressId;
use super::patch::Patch;
use super::phone::Phone;
use super::text::Text;

/// How many addresses a user may have.
pub const MAX_ADDRESSES: u32 = 20;

/// What a user calls an address.
pub type Label = Text<50>;
/// A person, a company, a city or a region.
pub type Part = Text<100>;
/// A line of the address.
pub type Line = Text<200>;
/// A postal code. Each country has its own; none is longer.
pub type PostalCode = Text<20>;

/// Where mail and parcels go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What the user calls it.
    pub label: Option<Label>,
    /// Who receives there.
    pub recipient: Part,
    /// Street and number, say.
    pub line1: Line,
    /// What else is needed to find it.
    pub line2: Option<Line>,
    /// The postal code, where there is one.
    pub postal_code: Option<PostalCode>,
    /// The town.
    pub city: Part,
    /// The state or province, where that is written.
    pub region: Option<Part>,
    /// The country.
    pub country: Country,
    /// Where a carrier can call.
    pub phone: Option<Phone>,
}

/// One of a user's addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Identifies the address for ever.
    pub id: AddressId,
    /// The address itself.
    pub place: Place,
    /// Whether it is the one to use when nothing else is said. A user with addresses has one.
    pub is_default: bool,
}

/// A change to an address, field by field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressChange {
    /// Of [`Place::label`].
    pub label: Patch<Label>,
    /// Of [`Place::recipient`].
    pub recipient: Option<Part>,
    /// Of [`Place::line1`].
    pub line1: Option<Line>,
    /// Of [`Place::line2`].
    pub line2: Patch<Line>,
    /// Of [`Place::postal_code`].
    pub postal_code: Patch<PostalCode>,
    /// Of [`Place::city`].
    pub city: Option<Part>,
    /// Of [`Place::region`].
    pub region: Patch<Part>,
    /// Of [`Place::country`].
    pub country: Option<Country>,
    /// Of [`Place::phone`].
    pub phone: Patch<Phone>,
    /// Whether it is to be the default.
    pub is_default: Option<bool>,
}

/// The only default was asked not to be it any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefaultIsNeeded;

impl AddressChange {
    /// Makes the change. The default stays the default until another address becomes it.
    pub fn apply(self, address: &mut Address) -> Result<(), DefaultIsNeeded> {
        let place = &mut address.place;
        self.label.apply(&mut place.label);
        replace(&mut place.recipient, self.recipient);
        replace(&mut place.line1, self.line1);
        self.line2.apply(&mut place.line2);
        self.postal_code.apply(&mut place.postal_code);
        replace(&mut place.city, self.city);
        self.region.apply(&mut place.region);
        replace(&mut place.country, self.country);
        self.phone.apply(&mut place.phone);
        match self.is_default {
            Some(false) if address.is_default => return Err(DefaultIsNeeded),
            Some(wanted) => address.is_default = wanted,
            None => {}
        }
        Ok(())
    }
}

fn replace<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// A country's code: ISO 3166-1 alpha-2, in capitals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Country(String);

/// A text is not the code of a country.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a country's code (ISO 3166-1 alpha-2) such as DE")]
pub struct NotACountry;

/// Those that are officially assigned. There was no new one since South Sudan, in 2011.
const COUNTRIES: &str = "
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS
    BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE
    EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM
    HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC
    LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA
    NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW
    SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO
    TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

impl Country {
    /// Parses a code, in whatever case.
    pub fn parse(text: &str) -> Result<Self, NotACountry> {
        let known = COUNTRIES.split_ascii_whitespace().find(|code| code.eq_ignore_ascii_case(text));
        known.map(|code| Self(code.to_owned())).ok_or(NotACountry)
    }

    /// A code that was parsed before it was stored. It may have been withdrawn since.
    pub(crate) const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_are_those_of_the_standard() {
        let all: Vec<_> = COUNTRIES.split_ascii_whitespace().collect();
        assert_eq!(all.len(), 249);
        assert!(all.is_sorted_by(|a, b| a < b), "each once, in order");
        for (typed, kept) in [("DE", "DE"), ("de", "DE"), ("gB", "GB"), ("AD", "AD"), ("ZW", "ZW")]
        {
            assert_eq!(Country::parse(typed).as_ref().map(Country::as_str), Ok(kept));
        }
        // Not assigned, reserved, of users, and of other parts of the standard.
        for typed in ["", "D", "DEU", "UK", "EU", "XK", "ZZ", "AN", "276", " DE", "D E", "DE "] {
            assert_eq!(Country::parse(typed), Err(NotACountry), "{typed:?}");
        }
    }
}
