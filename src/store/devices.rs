//! The devices from which an account has signed in: recorded with each sign-in, so that one is told
//! from a new one, and its owner from somebody who guesses elsewhere.

use std::time::Duration;

use rusqlite::{Connection, params};

use super::Store;
use super::writer::Work;
use crate::domain::account::{Email, User};
use crate::domain::device::known_device_name;
use crate::domain::id::UserId;
use crate::domain::mail::About;
use crate::domain::mark::DeviceMark;
use crate::domain::session::Client;
use crate::domain::time::Now;
use crate::fault::Fault;

/// How many devices of a user are kept. The one seen longest ago gives way.
const MOST: u32 = 50;

/// How old `last_seen` gets before it is written again: most sign-ins write nothing.
const STEP: Duration = Duration::from_secs(24 * 3600);

/// A device that was not seen for so long is forgotten.
const KEPT: Duration = Duration::from_secs(180 * 24 * 3600);

/// Or for so long after the last session that began there can have ended, where that is later: whoever
/// is always signed in is seen only when a session has reached its age.
const AFTER_SESSION: Duration = Duration::from_secs(30 * 24 * 3600);

/// How many rows a transaction of the sweep removes.
const SWEEP: u32 = 500;

impl Store {
    /// Whether the account with this address has signed in from this device before. Does the same
    /// when there is no such account.
    pub async fn knows_device(&self, email: Email, mark: DeviceMark) -> Result<bool, Fault> {
        self.read(move |sql| {
            sql.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM devices WHERE mark = ?2
                     AND user_id = (SELECT id FROM users WHERE email = ?1))",
            )?
            .query_row(params![email.as_str(), mark.0], |row| row.get(0))
        })
        .await
    }

    /// Removes some of the devices that were not seen for long. How many went; call it again while
    /// there are any.
    pub async fn sweep_devices(&self, session_max_age: Duration, now: Now) -> Result<usize, Fault> {
        let kept = KEPT.max(session_max_age.saturating_add(AFTER_SESSION));
        let before = now.wall.minus(kept).as_millis();
        self.write(move |work| {
            work.sql
                .prepare_cached(
                    "DELETE FROM devices WHERE (user_id, mark) IN
                         (SELECT user_id, mark FROM devices WHERE last_seen < ?1 LIMIT ?2)",
                )?
                .execute(params![before, SWEEP])
        })
        .await
    }
}

/// Records that `user` signs in from a device.
pub(super) fn see(
    work: &Work<'_>,
    user: UserId,
    client: &Client,
    now: Now,
) -> rusqlite::Result<()> {
    let mark = DeviceMark::of(client);
    // One that was seen in the future was seen while the clock was ahead.
    let written = work
        .sql
        .prepare_cached(
            "INSERT INTO devices (user_id, mark, first_seen, last_seen) VALUES (?1, ?2, ?3, ?3)
             ON CONFLICT (user_id, mark) DO UPDATE SET last_seen = ?3
                 WHERE last_seen <= ?4 OR last_seen > ?3",
        )?
        .execute(params![user.0, mark.0, now.wall.as_millis(), now.wall.minus(STEP).as_millis()])?;
    if written > 0 {
        work.sql
            .prepare_cached(
                "DELETE FROM devices WHERE user_id = ?1 AND mark <> ?2 AND mark NOT IN
                     (SELECT mark FROM devices WHERE user_id = ?1 AND mark <> ?2
                      ORDER BY last_seen DESC, mark LIMIT ?3)",
            )?
            .execute(params![user.0, mark.0, MOST - 1])?;
    }
    Ok(())
}

/// Writes to a user on whose account somebody signs in from a device that is not recorded. But the first
/// sign-in of all is no news: it is that of who has made the account, or whom it was made for.
pub(super) fn announce(
    work: &mut Work<'_>,
    user: &User,
    client: &Client,
    now: Now,
) -> rusqlite::Result<()> {
    let has_signed_in: bool = work
        .sql
        .prepare_cached("SELECT has_signed_in FROM users WHERE id = ?1")?
        .query_row([user.id.0], |row| row.get(0))?;
    if has_signed_in && !is_known(work, user.id, client)? {
        let device = known_device_name(&client.user_agent).unwrap_or_default();
        work.notify(user, About::NewDevice { device, ip: client.ip.clone(), at: now.wall }, now)?;
    }
    Ok(())
}

/// Whether a device is one of those of a user.
pub(super) fn is_known(work: &Work<'_>, user: UserId, client: &Client) -> rusqlite::Result<bool> {
    work.sql
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM devices WHERE user_id = ?1 AND mark = ?2)")?
        .query_row(params![user.0, DeviceMark::of(client).0], |row| row.get(0))
}

/// Forgets the devices of a user, but for one, if it is one of them.
pub(super) fn forget(work: &Work<'_>, user: UserId, but: Option<&Client>) -> rusqlite::Result<()> {
    work.sql
        .prepare_cached("DELETE FROM devices WHERE user_id = ?1 AND mark IS NOT ?2")?
        .execute(params![user.0, but.map(|client| DeviceMark::of(client).0)])
        .map(|_| ())
}

/// Records the devices of the sessions in a database from before devices were recorded. Of those that
/// have not ended: an ended one may have been a thief's.
pub(super) fn take_over(sql: &Connection) -> rusqlite::Result<()> {
    let mut insert = sql.prepare(
        "INSERT INTO devices (user_id, mark, first_seen, last_seen) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO NOTHING",
    )?;
    // The latest first: one more of the same device changes nothing.
    let mut sessions = sql.prepare(
        "SELECT user_id, ip, user_agent, created_at, last_used_at FROM sessions
         WHERE ended_at IS NULL ORDER BY last_used_at DESC",
    )?;
    let mut rows = sessions.query([])?;
    while let Some(row) = rows.next()? {
        let client = Client { ip: row.get(1)?, user_agent: row.get(2)? };
        let (user, first, last): (uuid::Uuid, i64, i64) = (row.get(0)?, row.get(3)?, row.get(4)?);
        insert.execute(params![user, DeviceMark::of(&client).0, first, last])?;
    }
    Ok(())
}
