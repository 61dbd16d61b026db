//! Delivering what is in the outbox, one mail after the other.
//!
//! At least once: a mail is removed when it has been delivered and not before, so that a crash in
//! between delivers it again, with the same `Message-ID`. A mail whose link is not good any more is of no
//! use to anybody, and is removed in place of that; unless it tells of a change that stands.

use crate::app::App;
use crate::clock::random;
use crate::domain::id::OneTimeId;
use crate::domain::mail::{About, AfterFailure, Mail, MailId, after_failure};
use crate::domain::time::Now;
use crate::fault::Fault;
use crate::mail::{Blame, Letter, Stamp, Undelivered};
use crate::metric;
use crate::store::{Outgoing, WhichMail};

/// How far it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing is due.
    Idle,
    /// A mail was delivered or dropped, or failed by itself. There may be more.
    Next,
    /// There is no way at the moment for any mail.
    NoWay,
}

/// Delivers mail. There is one at work.
#[derive(Debug, Default)]
pub struct Delivery {
    /// What became of the last mail, until the database has it. Without that, a database that takes
    /// no writes would have the same mail sent again and again.
    unrecorded: Option<(MailId, Outcome)>,
}

#[derive(Clone, Debug)]
enum Outcome {
    Delivered,
    Dropped,
    Failed { reason: String, next: AfterFailure, at: Now },
}

impl Delivery {
    /// Tries the mail that is next.
    pub async fn next(&mut self, app: &App) -> Result<Progress, Fault> {
        self.record(app).await?;
        let now = app.clock.now();
        let Some(mut outgoing) = app.store.due_mail(now).await? else { return Ok(Progress::Idle) };
        if let Some(link) = outgoing.about.as_ref().and_then(About::link)
            && !app.store.is_link_good(link, now).await?
        {
            let Some(news) = news(app, &outgoing).await? else {
                self.settle(app, &outgoing, Outcome::Dropped).await?;
                return Ok(Progress::Next);
            };
            outgoing.about = Some(news);
        }
        let chance = u16::from_le_bytes(random(&*app.entropy)?);
        let delivered = deliver(app, &outgoing).await;
        let progress = match &delivered {
            Err(Undelivered { fault: Blame::Way, .. }) => Progress::NoWay,
            Ok(()) | Err(_) => Progress::Next,
        };
        let outcome = match delivered {
            Ok(()) => Outcome::Delivered,
            Err(undelivered) => failed(&outgoing, undelivered, now, chance),
        };
        self.settle(app, &outgoing, outcome).await?;
        Ok(progress)
    }

    async fn settle(
        &mut self,
        app: &App,
        outgoing: &Outgoing,
        outcome: Outcome,
    ) -> Result<(), Fault> {
        tell(outgoing, &outcome);
        self.unrecorded = Some((outgoing.id, outcome));
        self.record(app).await
    }

    async fn record(&mut self, app: &App) -> Result<(), Fault> {
        let Some((id, outcome)) = &self.unrecorded else { return Ok(()) };
        match outcome.clone() {
            Outcome::Delivered => app.store.mail_delivered(*id).await?,
            Outcome::Dropped => {
                app.store.drop_mail(WhichMail::One(*id)).await?;
            }
            Outcome::Failed { reason, next, at } => {
                app.store.mail_failed(*id, reason, next, at).await?;
            }
        }
        self.unrecorded = None;
        Ok(())
    }
}

/// What is left to tell of when the link is dead: that an account has another address, while the
/// recipient has not got it back. Whoever lost it to a thief has to hear of that.
async fn news(app: &App, outgoing: &Outgoing) -> Result<Option<About>, Fault> {
    let Some(About::EmailChanged { to, account, .. }) = &outgoing.about else { return Ok(None) };
    let is_back = app.store.has_address(*account, outgoing.to.clone()).await?;
    let news = About::EmailChanged { to: to.clone(), undo: None, account: *account };
    Ok((!is_back).then_some(news))
}

async fn deliver(app: &App, outgoing: &Outgoing) -> Result<(), Undelivered> {
    let Some(about) = outgoing.about.clone() else {
        let reason = "this version of Doorward does not know what it is about".to_owned();
        return Err(Undelivered { fault: Blame::Letter, reason });
    };
    let mail = Mail { to: outgoing.to.clone(), about };
    let stamp = Stamp { id: outgoing.id, at: outgoing.posted_at };
    let keys = app.keys.current();
    let token = |id: OneTimeId| keys.active().one_time_token(id).to_string();
    app.mailer.deliver(Letter::write(&mail, stamp, &app.letterhead, &token)).await
}

fn failed(outgoing: &Outgoing, undelivered: Undelivered, at: Now, chance: u16) -> Outcome {
    let Undelivered { fault, reason } = undelivered;
    let Outgoing { attempts, since, .. } = outgoing;
    let next = match fault {
        Blame::Letter => AfterFailure::GiveUp,
        Blame::Moment | Blame::Way => after_failure(attempts + 1, *since, at.wall, chance),
    };
    Outcome::Failed { reason, next, at }
}

/// Says and counts it. Who is written to is in the outbox, not in the log.
fn tell(Outgoing { id, kind, attempts, .. }: &Outgoing, outcome: &Outcome) {
    let counted = match outcome {
        Outcome::Delivered => {
            tracing::info!(mail = %id, about = kind, "a mail was delivered");
            "delivered"
        }
        Outcome::Dropped => {
            tracing::info!(mail = %id, about = kind,
                "a mail is dropped: its link was used, has expired or was replaced meanwhile");
            "dropped"
        }
        Outcome::Failed { reason, next: AfterFailure::Retry(at), .. } => {
            let attempts = attempts + 1;
            tracing::warn!(mail = %id, about = kind, attempts, reason, next = %at,
                "a mail could not be delivered; it is tried again");
            "failed"
        }
        Outcome::Failed { reason, next: AfterFailure::GiveUp, .. } => {
            tracing::error!(mail = %id, about = kind, reason,
                "a mail is given up; `doorward mail list` shows it, `doorward mail retry` tries it again");
            "given_up"
        }
    };
    metrics::counter!(metric::MAIL, "outcome" => counted).increment(1);
}
