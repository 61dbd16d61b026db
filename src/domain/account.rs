//! Users, and the form in which an e-mail address is their identity.

use std::fmt;

use email_address::{EmailAddress, Options};
use unicode_normalization::UnicodeNormalization as _;

use super::claims::{Identity, Role};
use super::id::UserId;
use super::time::Timestamp;

/// An e-mail address as it is kept: NFC, lower case, with an ASCII (IDNA) domain, at most
/// [`Email::MAX_BYTES`] bytes. Nothing is folded: dots and `+tags` count.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Email(String);

/// Why a text is not an e-mail address. Never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    /// Longer than SMTP carries (RFC 5321 §4.5.3.1).
    #[error("must be at most {} bytes long", Email::MAX_BYTES)]
    TooLong,
    /// Not `local@domain`.
    #[error("must be an e-mail address such as ana@example.com")]
    Malformed,
}

impl Email {
    /// The longest address that is kept, in bytes.
    pub const MAX_BYTES: usize = 254;

    /// Parses what a person typed into the form that is kept.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        if text.len() > 4 * Self::MAX_BYTES {
            return Err(EmailError::TooLong);
        }
        let text = folded(text);
        let (local, domain) = text.rsplit_once('@').ok_or(EmailError::Malformed)?;
        let domain = idna::domain_to_ascii_strict(domain).map_err(|_| EmailError::Malformed)?;
        let address = format!("{local}@{domain}");
        if address.len() > Self::MAX_BYTES {
            return Err(EmailError::TooLong);
        }
        let options = Options::default().without_domain_literal().without_display_text();
        let plain = !local.contains(|c: char| c.is_control() || c.is_whitespace() || c == '"');
        match EmailAddress::parse_with_options(&address, options) {
            Ok(_) if plain => Ok(Self(address)),
            _ => Err(EmailError::Malformed),
        }
    }

    /// An address that was parsed before it was stored.
    pub(crate) const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A part of an address, to be looked for, in the form in which addresses are kept.
pub fn folded(text: &str) -> String {
    // Each character by itself: `str::to_lowercase` makes a final sigma of some, so that one
    // address would have two forms.
    text.nfc().flat_map(char::to_lowercase).nfc().collect()
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A user's account, without its password hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Identifies the user for ever.
    pub id: UserId,
    /// What they sign in with.
    pub email: Email,
    /// What they may do.
    pub role: Role,
    /// Whether the address is known to be theirs.
    pub is_verified: bool,
    /// Since when they may not sign in.
    pub disabled_at: Option<Timestamp>,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When the account was last changed.
    pub updated_at: Timestamp,
}

impl User {
    /// What the user's access tokens repeat.
    pub fn identity(&self) -> Identity {
        Identity {
            email: self.email.as_str().to_owned(),
            role: self.role,
            is_verified: self.is_verified,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_kept_in_one_form() {
        for (typed, kept) in [
            ("ana@example.com", "ana@example.com"),
            ("Ana@EXAMPLE.com", "ana@example.com"),
            ("ana+news@example.com", "ana+news@example.com"),
            ("a.n.a@example.com", "a.n.a@example.com"),
            ("ana@bücher.example", "ana@xn--bcher-kva.example"),
            ("ana@BÜCHER.example", "ana@xn--bcher-kva.example"),
            ("a\u{6e}\u{303}a@example.com", "añ\u{61}@example.com"),
            ("ana@localhost", "ana@localhost"),
            ("ΟΔΟΣ@example.com", "οδοσ@example.com"),
        ] {
            assert_eq!(Email::parse(typed).as_ref().map(Email::as_str), Ok(kept), "{typed}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let long = format!("{}@example.com", "a".repeat(250));
        for typed in [
            "",
            "ana",
            "@example.com",
            "ana@",
            "ana@@example.com",
            "a b@example.com",
            " ana@example.com",
            "ana@example.com\n",
            "ana@exa mple.com",
            "\"a\"@example.com",
            "Ana <ana@example.com>",
            "ana@[127.0.0.1]",
            "a\u{0}a@example.com",
            &long,
        ] {
            assert!(Email::parse(typed).is_err(), "{typed:?}");
        }
    }
}
