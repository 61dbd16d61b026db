//! Writing letters, and taking them where they go.
//!
//! | file | holds |
//! |---|---|
//! | `content.rs` | what is said, for each thing that there is to say |
//! | `render.rs` | the same as text and as HTML |
//! | `letter.rs` | a letter: head, text and HTML, as MIME |
//! | `smtp.rs` | over SMTP, to a mail server |
//! | `spool.rs` | into a directory, for a newcomer without one |
//! | `memory.rs` | into memory, for tests |
//!
//! When a letter is tried again, and when it is given up, is not known here.

mod content;
mod letter;
mod memory;
mod render;
mod smtp;
mod spool;

use std::path::PathBuf;

pub use content::pages;
pub use letter::{Letter, Letterhead, Stamp};
pub use memory::Memory;

use crate::config::Config;

/// Takes letters where they go.
pub enum Mailer {
    /// To a mail server.
    Smtp(smtp::Smtp),
    /// Into a directory.
    Spool(spool::Spool),
    /// Into memory, for tests.
    Memory(Memory),
}

/// Why mail cannot be sent as configured. Says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// The file cannot be read.
    #[error("cannot read {} (smtp_ca_file): {source}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("no certificate in {} (smtp_ca_file): PEM is expected, with a line BEGIN CERTIFICATE", .0.display())]
    NoCertificate(PathBuf),
    /// TLS refuses what it was given.
    #[error("cannot prepare TLS for smtp_url: {0}")]
    Tls(String),
}

/// A letter that was not delivered.
#[derive(Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// Whose fault it is, and so what can be expected of another try.
    pub fault: Blame,
    /// The reason, in words. No secret of the letter is in it.
    pub reason: String,
}

/// Whose fault it is that a letter was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The letter's: it will never be taken.
    Letter,
    /// Of the moment: the letter may be taken later.
    Moment,
    /// The way's: no letter is taken at the moment.
    Way,
}

impl Undelivered {
    /// With a reason that is made presentable.
    pub fn new(fault: Blame, reason: &str) -> Self {
        Self { fault, reason: presentable(reason) }
    }
}

impl Mailer {
    /// As configured: to the mail server, or into the directory.
    pub fn open(config: &Config) -> Result<Self, MailerError> {
        match &config.smtp_url {
            Some(url) => {
                smtp::Smtp::prepare(url.clone(), config.smtp_ca_file.as_deref()).map(Self::Smtp)
            }
            None => Ok(Self::spool(config)),
        }
    }

    /// Into the directory, which is made with the first letter.
    pub fn spool(config: &Config) -> Self {
        Self::Spool(spool::Spool::new(config.mail_dir()))
    }

    /// Takes a letter away. When this is given up halfway, the letter may have arrived or not.
    pub async fn deliver(&self, letter: Letter) -> Result<(), Undelivered> {
        match self {
            Self::Smtp(smtp) => smtp.deliver(&letter).await,
            Self::Spool(spool) => spool.deliver(letter).await,
            Self::Memory(memory) => memory.deliver(letter),
        }
    }
}

/// The longest reason that is kept, in characters.
const MAX_REASON: usize = 400;

/// So many characters of base64url in a row are taken for a secret: no word is that long, and the
/// secret of a link has 43.
const SUSPICIOUS: usize = 32;

/// A reason that can be kept and shown: one line, not too long, and without the links of the letter,
/// which a mail server may repeat when it does not like them.
fn presentable(reason: &str) -> String {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let words = reason.split(|c: char| c.is_whitespace() || c.is_control());
    let mut shown = String::new();
    for word in words.filter(|word| !word.is_empty()) {
        let parts = word.split_inclusive(|c| !is_token(c));
        let is_long = |part: &str| part.trim_end_matches(|c| !is_token(c)).len() >= SUSPICIOUS;
        if !shown.is_empty() {
            shown.push(' ');
        }
        for part in parts {
            shown.push_str(if is_long(part) { "…" } else { part });
        }
    }
    shown.chars().take(MAX_REASON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_without_secrets() {
        let secret = "jZqCo_0123456789-abcdefghijklmnopqrstuvwxyzA";
        for (reason, shown) in [
            (
                "permanent error (550): no such user",
                "permanent error (550): no such user".to_owned(),
            ),
            ("two\r\nlines\u{0} and\u{1b}[2J", "two lines and [2J".to_owned()),
            (
                &format!("554 spam: <https://a.example/x?token=AZC4oAAAcACAAAAAAAAAAQ.{secret}>"),
                "554 spam: <https://a.example/x?token=AZC4oAAAcACAAAAAAAAAAQ.…".to_owned(),
            ),
            (&format!("half of it {}", &secret[..32]), "half of it …".to_owned()),
            (&"a b ".repeat(1000), "a b ".repeat(100)),
        ] {
            assert_eq!(presentable(reason), shown);
        }
    }
}
