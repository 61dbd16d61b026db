//! What is known of the keys: since when one makes tokens, what may still need an older one, and
//! which are retired. The keys themselves are not in the database.

use rusqlite::{Row, params};

use super::Store;
use super::audit::Event;
use super::sessions::{self, Which};
use super::writer::Work;
use crate::domain::secret::KeyId;
use crate::domain::session::{Client, EndReason};
use crate::domain::time::{Now, Timestamp};
use crate::fault::Fault;

/// What a key is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName {
    /// In refresh tokens and in the rows of sessions.
    pub id: KeyId,
    /// In access tokens.
    pub kid: String,
}

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its names.
    pub name: KeyName,
    /// When it was first seen.
    pub active_at: Timestamp,
    /// Since when another one makes tokens.
    pub superseded_at: Option<Timestamp>,
    /// When something was last known to need it.
    pub needed_at: Timestamp,
    /// When that was last looked into.
    pub looked_at: Timestamp,
    /// Since when it verifies nothing any more.
    pub retired_at: Option<Timestamp>,
}

/// The key is retired: it makes nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetiredKey;

impl Store {
    /// Runs `job`, which starts a session with the key, unless that is retired.
    pub(super) async fn write_with_key<T: Send + 'static>(
        &self,
        key: KeyId,
        job: impl FnOnce(&mut Work<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<Result<T, RetiredKey>, Fault> {
        self.write(
            move |work| {
                if work.is_retired(&key)? { Ok(Err(RetiredKey)) } else { job(work).map(Ok) }
            },
        )
        .await
    }

    /// All keys that were ever seen, the latest first.
    pub async fn key_records(&self) -> Result<Vec<KeyRecord>, Fault> {
        self.read(|sql| {
            let mut rows = sql.prepare_cached(
                "SELECT id, kid, active_at, superseded_at, needed_at, looked_at, retired_at
                 FROM keys ORDER BY active_at DESC, id",
            )?;
            let rows = rows.query_map([], from_row)?;
            rows.collect()
        })
        .await
    }

    /// Notes which keys there are and that the first one makes tokens. Another one that did so until
    /// now was needed until now. A new one in the place of another is on record as a rotation, once,
    /// whoever sees it first.
    pub async fn note_keys(&self, keys: Vec<KeyName>, now: Now) -> Result<(), Fault> {
        self.write(move |work| {
            let Some((active, older)) = keys.split_first() else { return Ok(()) };
            let at = now.wall.as_millis();
            let had_others = work.sql.query_row(
                "SELECT EXISTS (SELECT 1 FROM keys WHERE id <> ?1)",
                [active.id.0],
                |row| row.get::<_, bool>(0),
            )?;
            let is_new = work.insert_key(active, None, now)?;
            for key in older {
                work.insert_key(key, Some(now.wall), now)?;
            }
            work.sql.execute(
                "UPDATE keys SET superseded_at = ?2, needed_at = max(needed_at, ?2)
                 WHERE id <> ?1 AND superseded_at IS NULL",
                params![active.id.0, at],
            )?;
            work.sql.execute(
                "UPDATE keys SET superseded_at = NULL, needed_at = max(needed_at, ?2)
                 WHERE id = ?1 AND superseded_at IS NOT NULL AND retired_at IS NULL",
                params![active.id.0, at],
            )?;
            if is_new && had_others {
                work.audit(Event::KeyRotated, None, None, &Client::default(), now)?;
            }
            Ok(())
        })
        .await
    }

    /// Whether there is a session that was made with the key and has not ended. One that has expired
    /// counts until it is swept: the clock may be ahead. Where there is none, this walks through all of
    /// them: not for a request, and not often.
    pub async fn is_key_in_use(&self, id: KeyId) -> Result<bool, Fault> {
        self.read(move |sql| {
            sql.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM sessions WHERE key_id = ?1 AND ended_at IS NULL)",
            )?
            .query_row([id.0], |row| row.get(0))
        })
        .await
    }

    /// Notes what was found out about a superseded key.
    pub async fn note_key_use(&self, id: KeyId, is_needed: bool, now: Now) -> Result<(), Fault> {
        self.write(move |work| {
            work.sql.execute(
                "UPDATE keys SET looked_at = ?2,
                     needed_at = CASE WHEN ?3 THEN max(needed_at, ?2) ELSE needed_at END
                 WHERE id = ?1",
                params![id.0, now.wall.as_millis(), is_needed],
            )?;
            Ok(())
        })
        .await
    }

    /// Retires a superseded key. Whether it was one, and not retired before.
    pub async fn retire_key(&self, id: KeyId, now: Now) -> Result<bool, Fault> {
        self.write(move |work| work.retire(&id, now)).await
    }

    /// Retires all keys but `active`, and ends what was made with them: all sessions, and the links in
    /// mails. How many sessions there were. Waits as long as that takes.
    pub async fn revoke_keys(&self, active: KeyId, now: Now) -> Result<usize, Fault> {
        let revoke = move |work: &mut Work<'_>| {
            let ended = sessions::end(work, Which::All, EndReason::Revoked, now)?;
            work.audit(Event::SessionRevoked, None, None, &Client::default(), now)?;
            work.sql.execute("DELETE FROM one_time_tokens", [])?;
            let others: Vec<KeyId> = {
                let mut rows = work.sql.prepare("SELECT id FROM keys WHERE id <> ?1")?;
                let rows = rows.query_map([active.0], |row| row.get(0).map(KeyId))?;
                rows.collect::<rusqlite::Result<_>>()?
            };
            for id in others {
                work.retire(&id, now)?;
            }
            Ok(ended.len())
        };
        self.writer.submit_patiently(revoke).await
    }

    /// The keys that are retired.
    pub async fn retired_keys(&self) -> Result<Vec<KeyName>, Fault> {
        self.read(|sql| {
            let mut rows =
                sql.prepare_cached("SELECT id, kid FROM keys WHERE retired_at IS NOT NULL")?;
            let rows =
                rows.query_map([], |row| Ok(KeyName { id: KeyId(row.get(0)?), kid: row.get(1)? }))?;
            rows.collect()
        })
        .await
    }
}

impl Work<'_> {
    /// Whether it was not known before.
    fn insert_key(
        &self,
        key: &KeyName,
        superseded_at: Option<Timestamp>,
        now: Now,
    ) -> rusqlite::Result<bool> {
        let inserted = self.sql.execute(
            "INSERT INTO keys (id, kid, active_at, superseded_at, needed_at, looked_at)
             VALUES (?1, ?2, ?3, ?4, ?3, ?3) ON CONFLICT (id) DO NOTHING",
            params![
                key.id.0,
                key.kid,
                now.wall.as_millis(),
                superseded_at.map(Timestamp::as_millis)
            ],
        )?;
        Ok(inserted == 1)
    }

    /// Whether a key is retired. In the transaction that is to use it: another process may have
    /// revoked it a moment ago.
    pub(super) fn is_retired(&self, id: &KeyId) -> rusqlite::Result<bool> {
        self.sql
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM keys WHERE id = ?1 AND retired_at IS NOT NULL)",
            )?
            .query_row([id.0], |row| row.get(0))
    }

    fn retire(&self, id: &KeyId, now: Now) -> rusqlite::Result<bool> {
        let retired = self.sql.execute(
            "UPDATE keys SET retired_at = ?2
             WHERE id = ?1 AND retired_at IS NULL AND superseded_at IS NOT NULL",
            params![id.0, now.wall.as_millis()],
        )?;
        if retired == 1 {
            self.audit(Event::KeyRetired, None, None, &Client::default(), now)?;
        }
        Ok(retired == 1)
    }
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<KeyRecord> {
    let time = |column: usize| row.get(column).map(Timestamp::from_millis);
    let maybe =
        |column: usize| row.get::<_, Option<i64>>(column).map(|at| at.map(Timestamp::from_millis));
    Ok(KeyRecord {
        name: KeyName { id: KeyId(row.get(0)?), kid: row.get(1)? },
        active_at: time(2)?,
        superseded_at: maybe(3)?,
        needed_at: time(4)?,
        looked_at: time(5)?,
        retired_at: maybe(6)?,
    })
}
