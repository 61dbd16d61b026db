//! Over SMTP (RFC 5321), a connection for each letter.
//!
//! Each step by itself rather than by the library's transport: what a server says against a letter is
//! about the letter, what it says before that (a wrong password, no service) is not.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters,
};
use lettre::transport::smtp::extension::ClientId;
use zeroize::Zeroizing;

use super::{Blame, Letter, MailerError, Undelivered};
use crate::config::{SmtpSecurity, SmtpUrl};

/// To connect may take so long.
const CONNECT: Duration = Duration::from_secs(20);

/// All of a delivery may take so long. A server that takes longer may have taken the letter when it
/// is given up, and gets it again.
const DELIVER: Duration = Duration::from_secs(60);

/// The mail server.
pub struct Smtp {
    url: SmtpUrl,
    tls: TlsParameters,
}

impl Smtp {
    /// Reads the certificates that are trusted.
    pub(super) fn prepare(url: SmtpUrl, ca_file: Option<&Path>) -> Result<Self, MailerError> {
        let tls = TlsParameters::builder(url.host.clone());
        let tls = match ca_file {
            // In the binary, since the smallest container has none.
            None => tls.certificate_store(CertificateStore::WebpkiRoots),
            Some(path) => tls
                .certificate_store(CertificateStore::None)
                .add_root_certificate(read_certificates(path)?),
        };
        let tls = tls.build().map_err(|error| MailerError::Tls(error.to_string()))?;
        Ok(Self { url, tls })
    }

    pub(super) async fn deliver(&self, letter: &Letter) -> Result<(), Undelivered> {
        match tokio::time::timeout(DELIVER, self.try_to(letter)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(self.undelivered(Blame::Way, "the mail server takes too long")),
        }
    }

    async fn try_to(&self, letter: &Letter) -> Result<(), Undelivered> {
        let message = letter.message()?;
        let on_the_way = |error: Error| self.undelivered(Blame::Way, &error.to_string());
        let mut connection = self.connect(letter.from.domain()).await.map_err(on_the_way)?;
        let sent = connection.send(message.envelope(), &message.formatted()).await;
        // It has been taken, or not: how the two part does not matter.
        let _ = connection.quit().await;
        sent.map(drop).map_err(|error| self.undelivered(blame(&error), &error.to_string()))
    }

    /// A server may repeat the password that it does not take, or the line that it came in.
    fn undelivered(&self, fault: Blame, reason: &str) -> Undelivered {
        let Some((user, password)) = &self.url.credentials else {
            return Undelivered::new(fault, reason);
        };
        let plain = Zeroizing::new(format!("\0{user}\0{}", **password));
        let spellings = [&plain, password].map(|text| Zeroizing::new(STANDARD.encode(&**text)));
        let reason = [&spellings[0], &spellings[1], password]
            .iter()
            .fold(reason.to_owned(), |reason, spelling| reason.replace(spelling.as_str(), "…"));
        Undelivered::new(fault, &reason)
    }

    /// Up to where letters are taken.
    async fn connect(&self, name: &str) -> Result<AsyncSmtpConnection, Error> {
        let SmtpUrl { security, host, port, credentials, .. } = &self.url;
        let name = name.parse().map_or_else(|_| ClientId::Domain(name.to_owned()), literal);
        let tls = (*security == SmtpSecurity::Tls).then(|| self.tls.clone());
        let to = (host.as_str(), *port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(to, Some(CONNECT), &name, tls, None).await?;
        if *security == SmtpSecurity::StartTls {
            connection.starttls(self.tls.clone(), &name).await?;
        }
        if let Some((user, password)) = credentials {
            let credentials = Credentials::new(user.clone(), password.to_string());
            connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await?;
        }
        Ok(connection)
    }
}

fn literal(ip: IpAddr) -> ClientId {
    match ip {
        IpAddr::V4(ip) => ClientId::Ipv4(ip),
        IpAddr::V6(ip) => ClientId::Ipv6(ip),
    }
}

/// Whom an error speaks against that came while the letter was handed over.
fn blame(error: &Error) -> Blame {
    /// Authentication is required (RFC 4954 §6), or encryption (RFC 3207 §4).
    const REQUIRED: &str = "530";
    if error.status().is_some_and(|code| code.to_string() == REQUIRED) {
        Blame::Way
    } else if error.is_permanent() || error.is_client() {
        // The latter: an address outside ASCII, where the server knows only that.
        Blame::Letter
    } else if error.is_transient() {
        Blame::Moment
    } else {
        Blame::Way
    }
}

fn read_certificates(path: &Path) -> Result<Certificate, MailerError> {
    let pem = std::fs::read(path)
        .map_err(|source| MailerError::Unreadable { path: path.to_owned(), source })?;
    let mark = b"-----BEGIN CERTIFICATE-----";
    let has_one = pem.windows(mark.len()).any(|window| window == mark);
    let certificates = Certificate::from_pem(&pem).ok().filter(|_| has_one);
    certificates.ok_or_else(|| MailerError::NoCertificate(path.to_owned()))
}
