//! `doorward mail`: what is in the outbox, and a test.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::data::{self, Data};
use super::failure::Failure;
use super::output::{self, count};
use crate::clock::Clock as _;
use crate::config::Config;
use crate::domain::account::Email;
use crate::domain::mail::{About, Mail, MailId};
use crate::domain::time::Timestamp;
use crate::store::{Outgoing, WhichMail};

const RETRY_EXAMPLES: &str = "\
Examples:
  doorward mail retry 12
  doorward mail retry --dead   what was given up, once the reason is gone
  doorward mail retry --all    do not wait, now that the mail server is back";

const DROP_EXAMPLES: &str = "\
Examples:
  doorward mail drop 12
  doorward mail drop --dead";

#[derive(Subcommand)]
pub(super) enum Command {
    /// List the mail that is not delivered, the oldest first
    ///
    /// What is delivered is not kept. A mail that could not be delivered is tried again, after a
    /// minute at first and then less and less often, and is given up after three days, or at once
    /// when the mail server refuses it for good.
    List {
        /// Print a JSON array of mails
        #[arg(long)]
        json: bool,
    },
    /// Have mail tried at once, also what was given up
    #[command(after_long_help = RETRY_EXAMPLES)]
    Retry(Which),
    /// Remove mail that was not delivered
    #[command(after_long_help = DROP_EXAMPLES)]
    Drop(Which),
    /// Write a test mail
    ///
    /// The running server delivers it within seconds: over `smtp_url` if that is set, and into a
    /// file in the data directory's `mail/` otherwise.
    Test {
        /// Who is written to
        #[arg(value_parser = Email::parse)]
        email: Email,
    },
}

/// Exactly one of these.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct Which {
    /// The mail, as `doorward mail list` shows it
    #[arg(value_name = "MAIL")]
    mail: Option<i64>,
    /// All mail that was given up
    #[arg(long)]
    dead: bool,
    /// All mail
    #[arg(long)]
    all: bool,
}

impl Which {
    fn mail(&self) -> WhichMail {
        match self.mail {
            Some(id) => WhichMail::One(MailId(id)),
            None if self.dead => WhichMail::Dead,
            None => WhichMail::All,
        }
    }
}

impl Command {
    pub(super) fn run(self, config: Config) -> Result<String, Failure> {
        data::existing(config, async |data| match self {
            Self::List { json } => list(data, json).await,
            Self::Retry(which) => {
                let which = which.mail();
                done(
                    which,
                    "to be tried again",
                    data.store.retry_mail(which, data.clock.now()).await?,
                )
            }
            Self::Drop(which) => {
                let which = which.mail();
                done(which, "dropped", data.store.drop_mail(which).await?)
            }
            Self::Test { email } => test(data, email).await,
        })
    }
}

/// A mail as `--json` shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MailView<'a> {
    id: MailId,
    to: &'a str,
    about: &'a str,
    state: &'static str,
    posted_at: Timestamp,
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    given_up_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> From<&'a Outgoing> for MailView<'a> {
    fn from(mail: &'a Outgoing) -> Self {
        Self {
            id: mail.id,
            to: mail.to.as_str(),
            about: &mail.kind,
            state: if mail.dead_at.is_some() { "dead" } else { "waiting" },
            posted_at: mail.posted_at,
            attempts: mail.attempts,
            next_attempt_at: mail.dead_at.is_none().then_some(mail.due_at),
            given_up_at: mail.dead_at,
            reason: mail.reason.as_deref(),
        }
    }
}

async fn list(data: &Data, json: bool) -> Result<String, Failure> {
    let mails = data.store.list_mail().await?;
    let views: Vec<_> = mails.iter().map(MailView::from).collect();
    if json {
        return output::json(&views);
    }
    if views.is_empty() {
        return Ok("No mail waits, and none was given up.\n".to_owned());
    }
    let rows = views.iter().map(|view| {
        [
            view.id.to_string(),
            view.to.to_owned(),
            view.about.replace('_', " "),
            view.state.to_owned(),
            view.attempts.to_string(),
            output::or_dash(view.next_attempt_at),
            output::or_dash(view.reason),
        ]
    });
    let headings = ["Mail", "To", "About", "State", "Tried", "Next try", "Reason"];
    Ok(output::table(headings, rows))
}

fn done(which: WhichMail, what: &str, how_many: usize) -> Result<String, Failure> {
    match (which, how_many) {
        (WhichMail::One(id), 0) => {
            Err(Failure::failed(format!("no undelivered mail has the number {id}")))
        }
        (WhichMail::One(id), _) => Ok(format!("mail {id} is {what}\n")),
        (WhichMail::Dead | WhichMail::All, many) => Ok(format!("{} {what}\n", count(many, "mail"))),
    }
}

async fn test(data: &Data, to: Email) -> Result<String, Failure> {
    let mail = Mail { to: to.clone(), about: About::Test };
    data.store.post_mail(mail, data.clock.now()).await?;
    let way = match &data.config.smtp_url {
        Some(_) => "to the mail server (smtp_url)".to_owned(),
        None => format!("into {}, as smtp_url is unset", data.config.mail_dir().display()),
    };
    Ok(format!(
        "a test mail to {to} is written; the running server delivers it within seconds {way}\n\
         `doorward mail list` shows it until then, and why it could not be delivered\n"
    ))
}
