//! Letters that nobody has asked for: they tell the owner of an account what has happened to it.
//!
//! Whoever makes an account chooses who is written to. So what costs no more than a sign-in is told to
//! verified addresses alone, and no address gets many letters, however accounts come and go. What is not
//! written stays in the audit trail.

use std::time::Duration;

use rusqlite::params;

use super::Store;
use super::writer::Work;
use crate::domain::account::{Email, User};
use crate::domain::mail::{About, Mail};
use crate::domain::mark::RecipientMark;
use crate::domain::time::Now;
use crate::fault::Fault;

/// How many an address gets within [`WINDOW`], of all kinds together. The owner has been told by then.
const MOST: u32 = 5;
const WINDOW: Duration = Duration::from_secs(3600);

/// How many rows a transaction of the sweep removes.
const SWEEP: u32 = 500;

impl Work<'_> {
    /// Tells the owner of an account what has happened to it, in the transaction in which it happens.
    pub(super) fn notify(&mut self, user: &User, about: About, now: Now) -> rusqlite::Result<()> {
        if about.is_for_owners_only() && !user.is_verified {
            return Ok(());
        }
        if count(self, &user.email, now)? {
            self.send(&Mail { to: user.email.clone(), about }, now)?;
        }
        Ok(())
    }
}

/// Counts one more for a recipient, if there is room.
fn count(work: &Work<'_>, to: &Email, now: Now) -> rusqlite::Result<bool> {
    let (from, until) = (now.wall.minus(WINDOW).as_millis(), now.wall.as_millis());
    // Those from the future were counted while the clock was ahead.
    let counted = work
        .sql
        .prepare_cached(
            "INSERT INTO notices (recipient, at) SELECT ?1, ?3 WHERE ?4 >
                 (SELECT count(*) FROM notices WHERE recipient = ?1 AND at > ?2 AND at <= ?3)",
        )?
        .execute(params![RecipientMark::of(to).0, from, until, MOST])?;
    Ok(counted > 0)
}

impl Store {
    /// Removes some of what counts no more. How many rows went; call it again while there are any.
    pub async fn sweep_notices(&self, now: Now) -> Result<usize, Fault> {
        let (from, until) = (now.wall.minus(WINDOW).as_millis(), now.wall.as_millis());
        self.write(move |work| {
            work.sql
                .prepare_cached(
                    "DELETE FROM notices WHERE seq IN
                         (SELECT seq FROM notices WHERE at <= ?1 OR at > ?2 LIMIT ?3)",
                )?
                .execute(params![from, until, SWEEP])
        })
        .await
    }
}
