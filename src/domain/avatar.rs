//! Where a user's picture is.

use std::fmt;

use url::{Host, Url};

/// Where a picture is: an https URL, or an http one of this machine, in the form of the URL
/// standard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvatarUrl(String);

/// Why a text is not the URL of a picture. Never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AvatarUrlError {
    /// Longer than that when it is written out.
    #[error("must be at most {} characters long", AvatarUrl::MAX_CHARS)]
    TooLong,
    /// Not a URL, or of another scheme.
    #[error("must be an https URL")]
    Malformed,
    /// It has a user or a password, which everybody who sees the picture would see.
    #[error("must be a URL without a user and a password")]
    Credentials,
}

impl AvatarUrl {
    /// The longest URL that is kept.
    pub const MAX_CHARS: usize = 2048;

    /// Parses a URL.
    pub fn parse(text: &str) -> Result<Self, AvatarUrlError> {
        // The parser would drop some of these without a word.
        if text.contains(|c: char| c.is_control() || c.is_whitespace()) {
            return Err(AvatarUrlError::Malformed);
        }
        let url = Url::parse(text).map_err(|_| AvatarUrlError::Malformed)?;
        let is_loopback = match url.host() {
            // The URL standard lets quotes and the like into a name; no host has one.
            Some(Host::Domain(name)) if !name.bytes().all(is_of_a_name) => {
                return Err(AvatarUrlError::Malformed);
            }
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.to_canonical().is_loopback(),
            None => false,
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback) {
            return Err(AvatarUrlError::Malformed);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(AvatarUrlError::Credentials);
        }
        if url.as_str().len() > Self::MAX_CHARS {
            return Err(AvatarUrlError::TooLong);
        }
        Ok(Self(url.into()))
    }

    /// One that was parsed before it was stored.
    pub(crate) const fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AvatarUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_come_by_https_or_from_this_machine() {
        for (typed, kept) in [
            ("https://example.com/ana.png", "https://example.com/ana.png"),
            ("HTTPS://EXAMPLE.com", "https://example.com/"),
            ("https://bücher.example/ä?b#c", "https://xn--bcher-kva.example/%C3%A4?b#c"),
            ("http://localhost:3000/a", "http://localhost:3000/a"),
            ("http://127.0.0.1/a", "http://127.0.0.1/a"),
            ("http://[::1]/a", "http://[::1]/a"),
        ] {
            let parsed = AvatarUrl::parse(typed);
            assert_eq!(parsed.as_ref().map(AvatarUrl::as_str), Ok(kept), "{typed}");
        }
        for typed in [
            "",
            "ana.png",
            "/ana.png",
            "//example.com/ana.png",
            "http://example.com/ana.png",
            "http://localhost.example.com/",
            "http://example.com@localhost.evil.example/",
            "http://10.0.0.1/",
            "ftp://example.com/",
            "javascript:alert(1)",
            "data:image/png,x",
            "file:///etc/passwd",
            "https://",
            "https://exa mple.com/",
            "https://example.com/a b",
            " https://example.com/",
            "https://example.com/\n",
            "https:///\t",
            "https://\"onload=x.example/",
            "\0https://a.example",
        ] {
            assert_eq!(AvatarUrl::parse(typed), Err(AvatarUrlError::Malformed), "{typed:?}");
        }
        for typed in ["https://ana@example.com/", "https://:secret@example.com/"] {
            assert_eq!(AvatarUrl::parse(typed), Err(AvatarUrlError::Credentials), "{typed}");
        }
    }

    #[test]
    fn the_length_of_a_url_is_that_of_what_is_kept() {
        let url =
            |letter: &str, times: usize| format!("https://a.example/{}", letter.repeat(times));
        assert!(AvatarUrl::parse(&url("a", 2048 - 18)).is_ok());
        assert_eq!(AvatarUrl::parse(&url("a", 2048 - 17)), Err(AvatarUrlError::TooLong));
        // Each of these takes six characters when it is written out.
        assert_eq!(AvatarUrl::parse(&url("ä", 400)), Err(AvatarUrlError::TooLong));
    }
}
