//! A letter: who it is from, who it is to, what it says.

use std::fmt;

use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};

use super::content::content;
use super::{Blame, Undelivered, render};
use crate::config::{Origin, Sender};
use crate::domain::account::Email;
use crate::domain::id::OneTimeId;
use crate::domain::mail::{Mail, MailId};
use crate::domain::time::Timestamp;

/// What all letters of an installation have in common. Nothing of it comes from a request.
#[derive(Clone, Debug)]
pub struct Letterhead {
    /// Who they are from.
    pub from: Sender,
    /// What links begin with, such as `https://auth.example.com`.
    pub link_base: String,
    /// How the site is called.
    pub site: String,
}

impl Letterhead {
    /// Letters from `from`, whose links lead to `links`.
    pub fn new(from: Sender, links: &Origin) -> Self {
        Self { from, link_base: links.to_string(), site: links.host().to_owned() }
    }
}

/// Which letter it is, and of when. It stays the same when the letter is sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Its number in the outbox.
    pub id: MailId,
    /// When it was written.
    pub at: Timestamp,
}

/// A letter. It holds the secrets of its links.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// Which it is.
    pub stamp: Stamp,
    /// Who it is from.
    pub from: Sender,
    /// Who it is to.
    pub to: Email,
    /// In a few words.
    pub subject: &'static str,
    /// What it says, as text.
    pub text: String,
    /// What it says, as HTML.
    pub html: String,
}

impl Letter {
    /// Writes it. `token` gives the token that belongs to an id.
    pub fn write(
        mail: &Mail,
        stamp: Stamp,
        head: &Letterhead,
        token: &dyn Fn(OneTimeId) -> String,
    ) -> Self {
        let content = content(&mail.about, head, token);
        let signature = head.from.name.as_deref().unwrap_or(&head.site);
        Self {
            stamp,
            from: head.from.clone(),
            to: mail.to.clone(),
            subject: content.subject,
            text: render::text(&content, signature),
            html: render::html(&content, signature),
        }
    }

    /// The letter as MIME. The same letter is the same to the byte.
    pub(super) fn message(&self) -> Result<Message, Undelivered> {
        let name = self.name();
        let parts = MultiPart::alternative()
            .boundary(format!("=_{name}"))
            .singlepart(part(ContentType::TEXT_PLAIN, &self.text))
            .singlepart(part(ContentType::TEXT_HTML, &self.html));
        Message::builder()
            .from(Mailbox::new(self.from.name.clone(), address(&self.from.email)?))
            .to(Mailbox::new(None, address(&self.to)?))
            .subject(self.subject)
            .date(self.stamp.at.into())
            // The same when it is sent again, so that the second one can be told.
            .message_id(Some(format!("<{name}@{}>", self.from.domain())))
            // RFC 3834 §5: no answers by machines, please.
            .header(AutoSubmitted)
            .multipart(parts)
            .map_err(|error| Undelivered::new(Blame::Letter, &error.to_string()))
    }

    /// A name that sorts by time and then by number.
    pub(super) fn name(&self) -> String {
        let at = self.stamp.at.to_string().replace(['-', ':', '.'], "");
        format!("{at}-{:06}", self.stamp.id.0)
    }
}

/// Without what it says.
impl fmt::Debug for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Letter")
            .field("to", &self.to)
            .field("subject", &self.subject)
            .finish_non_exhaustive()
    }
}

fn part(kind: ContentType, text: &str) -> SinglePart {
    SinglePart::builder().header(kind).body(text.to_owned())
}

/// An address that was parsed, as the library wants it.
fn address(email: &Email) -> Result<Address, Undelivered> {
    email
        .as_str()
        .parse()
        .map_err(|_| Undelivered::new(Blame::Letter, "the address is not one that mail is sent to"))
}

#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}
