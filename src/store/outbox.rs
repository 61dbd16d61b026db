//! Mail that waits to be delivered. Other operations put it there within their own transaction, with
//! [`Work::send`], so that it is announced if and only if it has happened.
//!
//! Mail to one recipient keeps its order: a later one waits for an earlier one, and both are due
//! together. So a new mail is also a reason to try the older ones again.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::writer::Work;
use super::{Store, invitations, one_time};
use crate::domain::account::Email;
use crate::domain::id::{OneTimeId, UserId};
use crate::domain::mail::{About, AfterFailure, LONGEST_WAIT, Mail, MailId};
use crate::domain::time::{Now, Timestamp};
use crate::fault::Fault;

/// A query for mail, whose rows [`from_row`] reads.
macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT seq, posted_at, recipient, about, about ->> 'about', due_at, attempts, since, ",
            "reason, dead_at FROM outbox ",
            $condition
        )
    };
}

/// The oldest of a recipient for whom something is due: by ?1, or not before ?2.
macro_rules! due {
    () => {
        select!(
            "WHERE seq = (SELECT min(seq) FROM outbox WHERE dead_at IS NULL AND recipient = coalesce(
                 (SELECT recipient FROM outbox WHERE dead_at IS NULL AND due_at <= ?1
                  ORDER BY due_at LIMIT 1),
                 (SELECT recipient FROM outbox WHERE dead_at IS NULL AND due_at > ?2 LIMIT 1)))"
        )
    };
}

/// A mail in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its number.
    pub id: MailId,
    /// When it was written.
    pub posted_at: Timestamp,
    /// Who is written to.
    pub to: Email,
    /// What about, in a word, such as `verify_email`.
    pub kind: String,
    /// What about. `None` when this version of Doorward does not know it.
    pub about: Option<About>,
    /// It is not tried before this.
    pub due_at: Timestamp,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// Since when it is tried.
    pub since: Timestamp,
    /// Why it failed the last time.
    pub reason: Option<String>,
    /// Since when it is given up.
    pub dead_at: Option<Timestamp>,
}

/// How much mail there is in the outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxSize {
    /// It will be tried, again or for the first time.
    pub waiting: u32,
    /// It is given up.
    pub dead: u32,
}

/// Some of the mail in the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhichMail {
    /// This one.
    One(MailId),
    /// What is given up.
    Dead,
    /// All of it.
    All,
}

impl WhichMail {
    /// A condition over ?1.
    const fn condition(self) -> (&'static str, Option<i64>) {
        match self {
            Self::One(MailId(seq)) => ("seq = ?1", Some(seq)),
            Self::Dead => ("?1 IS NULL AND dead_at IS NOT NULL", None),
            Self::All => ("?1 IS NULL", None),
        }
    }
}

impl Work<'_> {
    /// Writes `mail` in the transaction of what it announces. It is delivered after the commit.
    pub(super) fn send(&mut self, mail: &Mail, now: Now) -> rusqlite::Result<()> {
        let about = serde_json::to_string(&mail.about)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        self.sql
            .prepare_cached(
                "INSERT INTO outbox (posted_at, recipient, about, due_at, since)
                 VALUES (?1, ?2, ?3, ?1, ?1)",
            )?
            .execute(params![now.wall.as_millis(), mail.to.as_str(), about])?;
        self.has_mail = true;
        Ok(())
    }
}

impl Store {
    /// Writes a mail that announces nothing.
    pub async fn post_mail(&self, mail: Mail, now: Now) -> Result<(), Fault> {
        self.write(move |work| work.send(&mail, now)).await
    }

    /// Waits until this process has posted mail.
    pub async fn mail_posted(&self) {
        self.writer.mail_posted().await;
    }

    /// The mail that is to be tried next: of a recipient for whom something is due, the oldest.
    pub async fn due_mail(&self, now: Now) -> Result<Option<Outgoing>, Fault> {
        self.read(move |sql| {
            // Nothing waits longer than that: the clock was ahead when it was written.
            let never = now.wall.plus(LONGEST_WAIT).as_millis();
            sql.prepare_cached(due!())?
                .query_row(params![now.wall.as_millis(), never], from_row)
                .optional()
        })
        .await
    }

    /// Whether the link of a mail is good at the moment: it was not used, nor voided, and has not
    /// expired.
    pub async fn is_link_good(&self, id: OneTimeId, now: Now) -> Result<bool, Fault> {
        self.read(move |sql| {
            Ok(one_time::is_there(sql, id, now)? && invitations::backs(sql, id, now)?)
        })
        .await
    }

    /// Whether an account (without one: whichever) has this address.
    pub async fn has_address(&self, account: Option<UserId>, email: Email) -> Result<bool, Fault> {
        self.read(move |sql| {
            sql.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM users WHERE email = ?1 AND id = coalesce(?2, id))",
            )?
            .query_row(params![email.as_str(), account.map(|id| id.0)], |row| row.get(0))
        })
        .await
    }

    /// Removes a mail that was delivered.
    pub async fn mail_delivered(&self, id: MailId) -> Result<(), Fault> {
        self.write(move |work| {
            work.sql.prepare_cached("DELETE FROM outbox WHERE seq = ?1")?.execute([id.0])?;
            Ok(())
        })
        .await
    }

    /// Notes that a mail could not be delivered, why, and what happens to it now. What else is for
    /// the same recipient waits with it.
    pub async fn mail_failed(
        &self,
        id: MailId,
        reason: String,
        next: AfterFailure,
        now: Now,
    ) -> Result<(), Fault> {
        self.write(move |work| {
            let (due_at, dead_at) = match next {
                AfterFailure::Retry(at) => (Some(at.as_millis()), None),
                AfterFailure::GiveUp => (None, Some(now.wall.as_millis())),
            };
            work.sql
                .prepare_cached(
                    "UPDATE outbox SET attempts = attempts + 1, reason = ?2, dead_at = ?3
                     WHERE seq = ?1",
                )?
                .execute(params![id.0, reason, dead_at])?;
            if let Some(due_at) = due_at {
                work.sql
                    .prepare_cached(
                        "UPDATE outbox SET due_at = ?2 WHERE dead_at IS NULL
                         AND recipient = (SELECT recipient FROM outbox WHERE seq = ?1)",
                    )?
                    .execute(params![id.0, due_at])?;
            }
            Ok(())
        })
        .await
    }

    /// All mail in the outbox, the oldest first.
    pub async fn list_mail(&self) -> Result<Vec<Outgoing>, Fault> {
        self.read(|sql| {
            let mut rows = sql.prepare_cached(select!("ORDER BY seq"))?;
            rows.query_map([], from_row)?.collect()
        })
        .await
    }

    /// How much mail there is.
    pub async fn outbox_size(&self) -> Result<OutboxSize, Fault> {
        self.read(size).await
    }

    /// Has mail tried at once, also what was given up, with patience anew; how much.
    pub async fn retry_mail(&self, which: WhichMail, now: Now) -> Result<usize, Fault> {
        self.write(move |work| {
            let (condition, seq) = which.condition();
            work.has_mail = true;
            work.sql.execute(
                &format!(
                    "UPDATE outbox SET due_at = ?2, since = ?2, attempts = 0, dead_at = NULL WHERE {condition}"
                ),
                params![seq, now.wall.as_millis()],
            )
        })
        .await
    }

    /// Removes mail that was not delivered; how much.
    pub async fn drop_mail(&self, which: WhichMail) -> Result<usize, Fault> {
        self.write(move |work| {
            let (condition, seq) = which.condition();
            work.sql.execute(&format!("DELETE FROM outbox WHERE {condition}"), [seq])
        })
        .await
    }
}

fn size(sql: &Connection) -> rusqlite::Result<OutboxSize> {
    sql.prepare_cached("SELECT count(*) - count(dead_at), count(dead_at) FROM outbox")?
        .query_row([], |row| Ok(OutboxSize { waiting: row.get(0)?, dead: row.get(1)? }))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Outgoing> {
    let at = |column| row.get(column).map(Timestamp::from_millis);
    let about: String = row.get(3)?;
    Ok(Outgoing {
        id: MailId(row.get(0)?),
        posted_at: at(1)?,
        to: Email::from_stored(row.get(2)?),
        about: serde_json::from_str(&about).ok(),
        kind: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
        due_at: at(5)?,
        attempts: row.get(6)?,
        since: at(7)?,
        reason: row.get(8)?,
        dead_at: row.get::<_, Option<i64>>(9)?.map(Timestamp::from_millis),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Now =
        Now { wall: Timestamp::from_millis(1_000_000), steady: Timestamp::from_millis(1_000_000) };

    fn mail(to: &str) -> Mail {
        Mail { to: Email::parse(to).unwrap(), about: About::Test }
    }

    /// What did not happen is not announced.
    #[tokio::test]
    async fn mail_of_an_operation_that_fails_is_not_sent() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(&data.path().join("doorward.db"), Duration::ZERO, NOW).unwrap();
        let failed: Result<(), Fault> = store
            .write(|work| {
                work.send(&mail("ana@example.com"), NOW)?;
                Err(rusqlite::Error::InvalidQuery)
            })
            .await;
        assert!(failed.is_err());
        assert_eq!(store.due_mail(NOW).await.unwrap(), None);

        let posted = store.write(|work| work.send(&mail("ben@example.com"), NOW));
        let is_told = tokio::time::timeout(Duration::from_secs(10), store.mail_posted());
        let (posted, is_told) = tokio::join!(posted, is_told);
        posted.unwrap();
        is_told.unwrap();
        let due = store.due_mail(NOW).await.unwrap().unwrap();
        assert_eq!((due.to.as_str(), due.id), ("ben@example.com", MailId(1)));
    }

    /// However much waits, it is not all looked at.
    #[tokio::test]
    async fn what_is_due_is_found_by_index() {
        let data = tempfile::tempdir().unwrap();
        let store = Store::open(&data.path().join("doorward.db"), Duration::ZERO, NOW).unwrap();
        let plan = store
            .read(|sql| {
                let mut rows = sql.prepare(concat!("EXPLAIN QUERY PLAN ", due!()))?;
                let rows = rows.query_map([1, 2], |row| row.get::<_, String>(3))?;
                rows.collect::<rusqlite::Result<Vec<_>>>()
            })
            .await
            .unwrap();
        assert!(!plan.iter().any(|step| step.contains("SCAN")), "{plan:#?}");
        assert!(plan.iter().any(|step| step.contains("outbox_due")), "{plan:#?}");
    }
}
