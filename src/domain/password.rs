//! What a password may be.

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

/// A password in NFC, within the bounds. Never printed, wiped when dropped.
#[derive(Clone)]
pub struct Password {
    text: Zeroizing<String>,
    /// What was typed, where that is another text.
    typed: Option<Zeroizing<String>>,
}

/// Why a text cannot be a password. Never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Fewer code points than the policy asks for.
    #[error("must be at least {0} characters long")]
    TooShort(u32),
    /// More code points than [`Password::MAX_CHARS`].
    #[error("must be at most {} characters long", Password::MAX_CHARS)]
    TooLong,
}

impl Password {
    /// The longest password, in code points. Nothing is ever truncated.
    pub const MAX_CHARS: usize = 256;

    /// A password for a new account or a change.
    pub fn choose(text: &str, min_chars: u32) -> Result<Self, PasswordError> {
        let password = Self::present(text)?;
        if password.text.chars().count() < min_chars as usize {
            return Err(PasswordError::TooShort(min_chars));
        }
        Ok(password)
    }

    /// A password to compare with the stored one: whatever was allowed when it was chosen.
    pub fn present(text: &str) -> Result<Self, PasswordError> {
        let typed = text;
        let text: Zeroizing<String> = Zeroizing::new(typed.nfc().collect());
        if text.chars().count() > Self::MAX_CHARS {
            return Err(PasswordError::TooLong);
        }
        let typed = (*text != typed).then(|| Zeroizing::new(typed.to_owned()));
        Ok(Self { text, typed })
    }

    /// What is hashed.
    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// What was typed, where that is not what is hashed: a program that does not know of normal
    /// forms has hashed this.
    pub fn as_typed(&self) -> Option<&[u8]> {
        self.typed.as_ref().map(|typed| typed.as_bytes())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_counted_in_code_points_after_normalisation() {
        let choose = |text: &str| Password::choose(text, 8).map(|p| p.as_bytes().len());
        assert_eq!(choose("1234567"), Err(PasswordError::TooShort(8)));
        assert_eq!(choose("12345678"), Ok(8));
        assert_eq!(choose(&"ü".repeat(8)), Ok(16));
        assert_eq!(choose(&"u\u{308}".repeat(7)), Err(PasswordError::TooShort(8)));
        assert_eq!(choose(&"u\u{308}".repeat(8)), Ok(16));
        assert_eq!(choose(&"u\u{308}".repeat(256)), Ok(512));
        assert_eq!(choose(&"a".repeat(257)), Err(PasswordError::TooLong));
        assert!(Password::present("").is_ok());
    }

    #[test]
    fn is_not_printed() {
        let password = Password::present("correct horse").map(|p| format!("{p:?}"));
        assert_eq!(password, Ok("Password(…)".to_owned()));
    }
}
