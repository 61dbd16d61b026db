//! How mail leaves: the server that takes it, and who it is from.

use std::fmt;

use url::{Host, Url};
use zeroize::Zeroizing;

use super::parse::Value;
use super::raw::{Raw, Refusal};
use super::show::HIDDEN;
use crate::domain::account::Email;

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// Not at all.
    Plain,
    /// By STARTTLS (RFC 3207), without which nothing is sent.
    StartTls,
    /// From the beginning (RFC 8314).
    Tls,
}

/// A mail server, from `smtps://user:password@host:port` or `smtp://…?tls=required`. Nothing that
/// prints it shows more than that it is there.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpUrl {
    /// How the connection is encrypted.
    pub security: SmtpSecurity,
    /// A name or an address; one of IPv6 without brackets.
    pub host: String,
    /// The port; 465, 587 and 25 by default.
    pub port: u16,
    /// User and password.
    pub credentials: Option<(String, Zeroizing<String>)>,
    is_loopback: bool,
}

impl SmtpUrl {
    /// Parses the URL.
    ///
    /// # Errors
    /// Says what is allowed. The text itself is not repeated, as it may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        let allowed = || {
            "smtps://USER:PASSWORD@HOST:PORT, or smtp://… with ?tls=required for STARTTLS; what is \
             special in a URL is percent-encoded (@ as %40)"
                .to_owned()
        };
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(allowed());
        }
        let url = Url::parse(text).map_err(|_| allowed())?;
        let (security, port) = match (url.scheme(), url.query()) {
            ("smtps", None) => (SmtpSecurity::Tls, 465),
            ("smtp", Some("tls=required")) => (SmtpSecurity::StartTls, 587),
            ("smtp", None) => (SmtpSecurity::Plain, 25),
            _ => return Err(allowed()),
        };
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(allowed());
        }
        // The URL standard takes the host of a scheme that it does not know as it comes.
        let host = url.host_str().and_then(|host| Host::parse(host).ok()).ok_or_else(allowed)?;
        let (is_loopback, host) = match host {
            Host::Domain(name) => (name == "localhost", name),
            Host::Ipv4(ip) => (ip.is_loopback(), ip.to_string()),
            Host::Ipv6(ip) => (ip.to_canonical().is_loopback(), ip.to_string()),
        };
        let credentials = match (url.username(), url.password()) {
            ("", None) => None,
            (user, Some(password)) if !user.is_empty() => {
                let decode = |text| {
                    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
                    decoded.map(std::borrow::Cow::into_owned).map_err(|_| allowed())
                };
                Some((decode(user)?, Zeroizing::new(decode(password)?)))
            }
            _ => return Err("a user and a password, or neither".to_owned()),
        };
        Ok(Self { security, host, port: url.port().unwrap_or(port), credentials, is_loopback })
    }

    /// Whether what is sent could be read on a network.
    pub(super) const fn is_exposed(&self) -> bool {
        matches!(self.security, SmtpSecurity::Plain) && !self.is_loopback
    }
}

impl fmt::Debug for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Value for SmtpUrl {
    fn read(raw: &Raw) -> Result<Self, Refusal> {
        match raw {
            Raw::Text(text) => Self::parse(text).map_err(|allowed| raw.refuse(allowed)),
            _ => Err(raw.refuse("a URL such as \"smtps://user:password@mail.example.com\"")),
        }
    }

    fn show(&self) -> String {
        HIDDEN.to_owned()
    }
}

/// Who mail is from: an address, and perhaps a name in front of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The name.
    pub name: Option<String>,
    /// The address.
    pub email: Email,
}

impl Sender {
    /// Parses `Name <address>` or an address.
    ///
    /// # Errors
    /// Says what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let allowed = "an address such as no-reply@example.com, or NAME <ADDRESS>";
        let (name, address) = match text.strip_suffix('>').map(|text| text.split_once('<')) {
            Some(Some((name, address))) => (name.trim(), address),
            Some(None) => return Err(allowed.to_owned()),
            None => ("", text),
        };
        if name.contains(|c: char| c.is_control() || "<>\"".contains(c)) {
            return Err(format!("{allowed}; the name without quotes"));
        }
        let email = Email::parse(address).map_err(|_| allowed.to_owned())?;
        Ok(Self { name: (!name.is_empty()).then(|| name.to_owned()), email })
    }

    /// `Doorward <no-reply@host>`.
    pub(super) fn no_reply(host: Option<&str>) -> Self {
        let at = |host| Email::parse(&format!("no-reply@{host}")).ok();
        let email = host
            .and_then(at)
            .unwrap_or_else(|| Email::from_stored("no-reply@localhost".to_owned()));
        Self { name: Some("Doorward".to_owned()), email }
    }

    /// The domain of the address.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.email.as_str().rsplit_once('@').map_or("localhost", |(_, domain)| domain)
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}>", self.email),
            None => self.email.fmt(f),
        }
    }
}

impl Value for Sender {
    fn read(raw: &Raw) -> Result<Self, Refusal> {
        match raw {
            Raw::Text(text) => Self::parse(text).map_err(|allowed| raw.refuse(allowed)),
            _ => Err(raw.refuse("a text such as \"Example <no-reply@example.com>\"")),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_server_is_read_from_its_url() {
        use SmtpSecurity::{Plain, StartTls, Tls};
        for (text, security, host, port, exposed) in [
            ("smtps://mail.example.com", Tls, "mail.example.com", 465, false),
            ("smtps://Mail.Example.com:4650/", Tls, "mail.example.com", 4650, false),
            ("smtp://mail.example.com?tls=required", StartTls, "mail.example.com", 587, false),
            ("smtp://mail.example.com:25?tls=required", StartTls, "mail.example.com", 25, false),
            ("smtp://mail.example.com", Plain, "mail.example.com", 25, true),
            ("smtp://192.0.2.1", Plain, "192.0.2.1", 25, true),
            ("smtp://localhost:1025", Plain, "localhost", 1025, false),
            ("smtp://127.0.0.1:1025", Plain, "127.0.0.1", 1025, false),
            ("smtp://[::1]:1025", Plain, "::1", 1025, false),
            ("smtps://bücher.example", Tls, "xn--bcher-kva.example", 465, false),
        ] {
            let url = SmtpUrl::parse(text).unwrap();
            assert_eq!(
                (url.security, url.host.as_str(), url.port),
                (security, host, port),
                "{text}"
            );
            assert_eq!((url.is_exposed(), url.credentials), (exposed, None), "{text}");
        }
    }

    #[test]
    fn user_and_password_are_decoded_and_never_shown() {
        let url = SmtpUrl::parse("smtps://ana%40example.com:p%2Fw%25@mail.example.com").unwrap();
        let (user, password) = url.credentials.clone().unwrap();
        assert_eq!((user.as_str(), password.as_str()), ("ana@example.com", "p/w%"));
        assert_eq!(
            (format!("{url:?}"), url.show()),
            ("(hidden)".to_owned(), "(hidden)".to_owned())
        );
    }

    #[test]
    fn what_is_no_mail_server_is_refused_without_repeating_it() {
        for text in [
            "",
            "mail.example.com:465",
            "https://ana:hunter2@mail.example.com",
            "smtps://",
            "smtps://ana:hunter2@",
            "smtps://ana@mail.example.com",
            "smtps://:hunter2@mail.example.com",
            "smtps://ana:hunter2@mail.example.com/hunter2",
            "smtps://ana:hunter2@mail.example.com?tls=required",
            "smtp://ana:hunter2@mail.example.com?tls=opportunistic",
            "smtp://ana:hunter2@mail.example.com?tls=required&x=hunter2",
            "smtps://ana:hunter2@mail.example.com#hunter2",
            "smtps://ana:hunter2@mail.exa mple.com",
            "smtps://ana:hunter2@mail.example.com:99999",
            "smtps://ana:%ff@mail.example.com",
        ] {
            let refusal = SmtpUrl::parse(text).expect_err(text);
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
    }

    #[test]
    fn a_sender_has_an_address_and_perhaps_a_name() {
        for (text, shown, domain) in [
            ("no-reply@example.com", "no-reply@example.com", "example.com"),
            ("<no-reply@Example.com>", "no-reply@example.com", "example.com"),
            ("Example Ltd. <a@b.example>", "Example Ltd. <a@b.example>", "b.example"),
            (
                "Bücher<a@bücher.example>",
                "Bücher <a@xn--bcher-kva.example>",
                "xn--bcher-kva.example",
            ),
        ] {
            let sender = Sender::parse(text).unwrap();
            assert_eq!((sender.to_string().as_str(), sender.domain()), (shown, domain));
            assert_eq!(Sender::parse(shown).as_ref(), Ok(&sender));
        }
        for text in [
            "",
            "Example",
            "Example <>",
            "Example no-reply@example.com>",
            "A <a@example.com>, B <b@example.com>",
            "\"Example\" <a@example.com>",
            "A\r\nBcc: b@example.com <a@example.com>",
            "A <a@example.com\r\nBcc: b@example.com>",
        ] {
            assert!(Sender::parse(text).is_err(), "{text}");
        }
    }
}
