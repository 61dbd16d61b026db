//! What a password may be.

use std::collections::HashSet;
use std::fmt;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

/// The 10,000 most common passwords, the most common first, in lower case: facts of leaks that have
/// been public for years.
static COMMON: LazyLock<HashSet<&str>> =
    LazyLock::new(|| include_str!("common_passwords.txt").lines().collect());

/// How many code points zxcvbn looks at: its time grows with the square.
const ESTIMATED_CHARS: usize = 100;

/// A password in NFC, within the bounds. Never printed, wiped when dropped.
#[derive(Clone)]
pub struct Password {
    text: Zeroizing<String>,
    /// What was typed, where that is another text.
    typed: Option<Zeroizing<String>>,
}

/// What a new password has to be. There are no rules of composition: they make passwords worse
/// (NIST SP 800-63B §5.1.1.2).
#[derive(Clone, Copy, Debug)]
pub struct PasswordRules {
    /// Fewest code points.
    pub min_chars: u32,
    /// The least score that zxcvbn gives, 0 to 4; with 0 it is not asked.
    pub min_score: u8,
}

/// Why a text cannot be a password. Never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Fewer code points than the rules ask for.
    #[error("must be at least {0} characters long")]
    TooShort(u32),
    /// More code points than [`Password::MAX_CHARS`].
    #[error("must be at most {} characters long", Password::MAX_CHARS)]
    TooLong,
    /// Among the 10,000 that are tried first.
    #[error("must not be one of the 10,000 most common passwords")]
    Common,
    /// A lower score than the rules ask for.
    #[error("must be harder to guess: longer, or of less common words")]
    Guessable,
}

impl Password {
    /// The longest password, in code points. Nothing is ever truncated.
    pub const MAX_CHARS: usize = 256;

    /// A password for a new account or a change. Upper and lower case make no common password
    /// another one.
    pub fn choose(text: &str, rules: PasswordRules) -> Result<Self, PasswordError> {
        let password = Self::present(text)?;
        if password.text.chars().count() < rules.min_chars as usize {
            return Err(PasswordError::TooShort(rules.min_chars));
        }
        if COMMON.contains(Zeroizing::new(password.text.to_lowercase()).as_str()) {
            return Err(PasswordError::Common);
        }
        if password.score_is_below(rules.min_score) {
            return Err(PasswordError::Guessable);
        }
        Ok(password)
    }

    /// A password to compare with the stored one: whatever was allowed when it was chosen.
    pub fn present(text: &str) -> Result<Self, PasswordError> {
        let typed = text;
        // With room for all of it (UAX #15: three times as much at the most): a buffer that is
        // outgrown is given back as it is.
        let mut text = Zeroizing::new(String::with_capacity(3 * typed.len()));
        text.extend(typed.nfc());
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

    fn score_is_below(&self, min_score: u8) -> bool {
        let beginning =
            || Zeroizing::new(self.text.chars().take(ESTIMATED_CHARS).collect::<String>());
        min_score > 0 && u8::from(zxcvbn::zxcvbn(&beginning(), &[]).score()) < min_score
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

    const RULES: PasswordRules = PasswordRules { min_chars: 8, min_score: 0 };

    #[test]
    fn common_passwords_are_refused_and_no_others() {
        let choose = |text: &str| Password::choose(text, RULES).map(drop);
        for common in ["password", "12345678", "QwertyUiop", "Password1", "iloveyou1", "admin123"] {
            assert_eq!(choose(common), Err(PasswordError::Common), "{common}");
        }
        for other in ["password-1", "aaaaaaaaa", "correct horse battery", "Password1!"] {
            assert_eq!(choose(other), Ok(()), "{other}");
        }
        assert_eq!(COMMON.len(), 10_000);
        let length = |length| PasswordRules { min_chars: length, ..RULES };
        assert_eq!(Password::choose("hunter2", length(7)).map(drop), Err(PasswordError::Common));
    }

    #[test]
    fn a_score_can_be_asked_for() {
        let score = |min_score| PasswordRules { min_score, ..RULES };
        for (text, reached) in [("aaaaaaaaa", 0), ("password-1", 1), ("kX9#vQ2!mL7pZw", 4)] {
            for wanted in 0..=4 {
                let chosen = Password::choose(text, score(wanted)).map(drop);
                let expected =
                    if reached < wanted { Err(PasswordError::Guessable) } else { Ok(()) };
                assert_eq!(chosen, expected, "{text} {wanted}");
            }
        }
    }

    #[test]
    fn length_is_counted_in_code_points_after_normalisation() {
        let choose = |text: &str| Password::choose(text, RULES).map(|p| p.as_bytes().len());
        assert_eq!(choose("1357246"), Err(PasswordError::TooShort(8)));
        assert_eq!(choose("24681357"), Ok(8));
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
