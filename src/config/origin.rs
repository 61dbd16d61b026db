//! Web origins (RFC 6454) and the public URL, which is one.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use url::{Host, Url};

/// Scheme, host and port of an `http` or `https` URL, normalised so that equal origins compare
/// equal: lower case, ASCII (IDNA) host, port always known.
///
/// ```
/// use doorward::config::Origin;
///
/// assert_eq!(Origin::parse("HTTPS://Bücher.example")?, Origin::parse("https://xn--bcher-kva.example:443/")?);
/// assert!(Origin::parse("https://*.example.com").is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    secure: bool,
    host: Host<String>,
    /// As in a URL: an IPv6 address is in brackets.
    host_text: String,
    port: u16,
}

impl Origin {
    /// Parses `scheme://host[:port]`; one trailing slash is tolerated.
    ///
    /// # Errors
    /// Says what is allowed. The text itself is not repeated, as it may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let allowed = || {
            "scheme://host[:port] with http or https and nothing after it, such as \
             https://auth.example.com"
                .to_owned()
        };
        // The URL standard repairs what is checked here (`https:host`, tabs, backslashes, an
        // empty user): a setting that needs repair is more likely a mistake.
        let (scheme, authority) = text.split_once("://").ok_or_else(allowed)?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.contains(['/', '\\', '?', '#', '@'])
            || text.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            return Err(allowed());
        }
        if authority.contains('*') {
            return Err("one host by name: there are no wildcards".to_owned());
        }
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(allowed()),
        };
        let url = Url::parse(text).map_err(|why| format!("{} ({why})", allowed()))?;
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(allowed());
        };
        Ok(Self::new(secure, host.to_owned(), port))
    }

    fn new(secure: bool, host: Host<String>, port: u16) -> Self {
        let host_text = host.to_string();
        Self { secure, host, host_text, port }
    }

    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.secure { "https" } else { "http" }
    }

    /// Whether the scheme is `https`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.secure
    }

    /// The host as in a URL: an IPv6 address is in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host_text
    }

    /// The port, also where it is the scheme's default.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the host is `localhost` or a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(ip) => ip.is_loopback(),
            Host::Ipv6(ip) => ip.to_canonical().is_loopback(),
        }
    }

    /// The host, unless it is an IP address.
    pub(super) fn domain(&self) -> Option<&str> {
        match &self.host {
            Host::Domain(name) => Some(name),
            Host::Ipv4(_) | Host::Ipv6(_) => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.host_text)?;
        match (self.secure, self.port) {
            (true, 443) | (false, 80) => Ok(()),
            (_, port) => write!(f, ":{port}"),
        }
    }
}

/// The URL users see: an [`Origin`], as the server always answers at its root.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublicUrl(Origin);

impl PublicUrl {
    /// Parses `http[s]://host[:port]`.
    ///
    /// # Errors
    /// As [`Origin::parse`]: a path, query or user is refused.
    pub fn parse(text: &str) -> Result<Self, String> {
        Origin::parse(text).map(Self)
    }

    /// `http://` and the address.
    pub(super) fn plain(address: SocketAddr) -> Self {
        let host = match address.ip() {
            IpAddr::V4(ip) => Host::Ipv4(ip),
            IpAddr::V6(ip) => Host::Ipv6(ip),
        };
        Self(Origin::new(false, host, address.port()))
    }

    /// Whether cookies are `Secure` and prefixed.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.secure
    }

    /// The host as in a URL: an IPv6 address is in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host()
    }

    /// Whether the host is `localhost` or a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.0.is_loopback()
    }

    /// The origin of every page served under this URL.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.0.clone()
    }

    /// The host, unless it is an IP address.
    pub(super) fn domain(&self) -> Option<&str> {
        self.0.domain()
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_origins_compare_equal() {
        let table = [
            ("https://auth.example.com", "https://auth.example.com", 443),
            ("HTTPS://Auth.Example.COM/", "https://auth.example.com", 443),
            ("https://auth.example.com:443", "https://auth.example.com", 443),
            ("http://auth.example.com:80", "http://auth.example.com", 80),
            ("https://auth.example.com:80", "https://auth.example.com:80", 80),
            ("http://localhost:8080", "http://localhost:8080", 8080),
            ("http://[0:0::1]:3000", "http://[::1]:3000", 3000),
            ("https://bücher.example", "https://xn--bcher-kva.example", 443),
        ];
        for (text, shown, port) in table {
            let origin = Origin::parse(text).unwrap();
            assert_eq!(origin.to_string(), shown, "{text}");
            assert_eq!(origin.port(), port, "{text}");
            assert_eq!(origin, Origin::parse(shown).unwrap(), "{text}");
            assert_eq!(PublicUrl::parse(text).unwrap().origin(), origin, "{text}");
        }
    }

    #[test]
    fn whatever_is_not_an_origin_is_refused() {
        let table = [
            "",
            "null",
            "*",
            "https://",
            "auth.example.com",
            "https:auth.example.com",
            "ftp://auth.example.com",
            "https://*.example.com",
            "https://auth.example.com/login",
            "https://auth.example.com//",
            "https://auth.example.com?",
            "https://auth.example.com#top",
            "https://auth.example.com\\",
            "https://auth.exam\tple.com",
            " https://auth.example.com",
            "https://@auth.example.com",
            "https://ana:secret@auth.example.com",
            "https://auth.example.com:65536",
        ];
        for text in table {
            let refusal = Origin::parse(text).expect_err(text);
            assert!(!refusal.contains("secret"), "{refusal}");
        }
    }

    #[test]
    fn loopback_is_localhost_and_the_loopback_addresses() {
        let table = [
            ("http://localhost", true),
            ("http://LOCALHOST:1", true),
            ("http://127.0.0.1:8080", true),
            ("http://127.9.9.9", true),
            ("http://[::1]", true),
            ("http://[::ffff:127.0.0.1]", true),
            ("http://localhost.example.com", false),
            ("http://0.0.0.0", false),
            ("http://192.168.0.1", false),
            ("http://[::]", false),
        ];
        for (text, expected) in table {
            assert_eq!(Origin::parse(text).unwrap().is_loopback(), expected, "{text}");
        }
    }

    #[test]
    fn an_address_has_a_plain_url() {
        let table = [("127.0.0.1:8080", "http://127.0.0.1:8080"), ("[::1]:80", "http://[::1]")];
        for (address, url) in table {
            assert_eq!(PublicUrl::plain(address.parse().unwrap()).to_string(), url);
        }
    }
}
