//! Telephone numbers.

use std::fmt;

/// A number as ITU-T E.164 writes it: `+`, the country's code and the rest, 7 to 15 digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phone(String);

/// Why a text is not a number. Never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhoneError {
    /// Not `+` and digits.
    #[error("must be an international number such as +49 30 901820, of at most 15 digits")]
    Malformed,
    /// It has a `(0)`. Some countries dial that digit from abroad and others do not.
    #[error("must be the number as it is dialled from abroad, without (0)")]
    TrunkPrefix,
}

impl Phone {
    /// The longest number that is kept, with its `+`.
    pub const MAX_CHARS: usize = 16;

    /// Parses what a person typed; blanks, dashes and parentheses are dropped.
    pub fn parse(text: &str) -> Result<Self, PhoneError> {
        let text: String = text.chars().filter(|c| !is_filler(*c)).collect();
        if text.contains("(0)") {
            return Err(PhoneError::TrunkPrefix);
        }
        let text = text.replace(['(', ')'], "");
        let digits = text.strip_prefix('+').ok_or(PhoneError::Malformed)?;
        // No country's code begins with 0, and the shortest numbers in use have 7 digits.
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit())
            && (7..Self::MAX_CHARS).contains(&digits.len())
            && !digits.starts_with('0');
        if is_number { Ok(Self(text)) } else { Err(PhoneError::Malformed) }
    }

    /// A number that was parsed before it was stored.
    pub(crate) const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The number.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Blanks and the various dashes.
fn is_filler(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_kept_in_one_form() {
        for (typed, kept) in [
            ("+4930901820", "+4930901820"),
            (" +49 30 901820 ", "+4930901820"),
            ("+1 (212) 555-0100", "+12125550100"),
            ("(+49) 30–901820", "+4930901820"),
            ("+49\u{a0}30\u{2011}901820", "+4930901820"),
            ("+6834000", "+6834000"),
            ("+123456789012345", "+123456789012345"),
        ] {
            assert_eq!(Phone::parse(typed).as_ref().map(Phone::as_str), Ok(kept), "{typed}");
        }
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for typed in [
            "",
            "+",
            "4930901820",
            "030 901820",
            "004930901820",
            "+049309018",
            "+123456",
            "+1234567890123456",
            "+49 30 90182O",
            "+49 30 ٩٠١٨٢٠",
            "++4930901820",
            "+49/30/901820",
            "+4930901820 ext 5",
            "+4930901820\0",
        ] {
            assert_eq!(Phone::parse(typed), Err(PhoneError::Malformed), "{typed:?}");
        }
        for typed in ["+49 (0)30 901820", "+49 ( 0 ) 30 901820"] {
            assert_eq!(Phone::parse(typed), Err(PhoneError::TrunkPrefix), "{typed:?}");
        }
    }
}
