//! What the background jobs and the readiness probe ask of the database.

use std::sync::PoisonError;
use std::time::Duration;

use rusqlite::params;

use super::Store;
use crate::domain::id::SessionId;
use crate::domain::time::{Now, Timestamp};
use crate::fault::Fault;

/// How many rows a transaction of the sweep removes, so that it never holds the writer for long.
const SWEEP: u32 = 500;

/// How many sessions one sweep looks at.
const STRETCH: u32 = 10_000;

/// Revocations are kept this much longer than an access token lives, and one-time tokens than they
/// are good for, in case the clock is set back after it was ahead.
const SLACK: Duration = Duration::from_secs(24 * 3600);

impl Store {
    /// Writes a value: fails when the database does not take writes.
    pub async fn probe(&self, now: Now) -> Result<(), Fault> {
        self.write(move |work| {
            work.sql
                .prepare_cached(
                    "INSERT INTO meta (name, value) VALUES ('probed_at', ?1)
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                )?
                .execute([now.wall.as_millis()])
                .map(|_| ())
        })
        .await
    }

    /// Reads what other processes have revoked.
    pub async fn follow(&self, now: Now) -> Result<(), Fault> {
        let revocations = std::sync::Arc::clone(&self.revocations);
        self.read(move |sql| revocations.follow(sql, now)).await
    }

    /// Writes the confirmations and signs of life that are due, if there are any.
    pub async fn write_notes(&self, now: Now) -> Result<(), Fault> {
        self.notes.prune(now);
        // Any job takes some of them along.
        while self.notes.are_due() {
            self.write(|_| Ok(())).await?;
        }
        Ok(())
    }

    /// Removes some of what is of no use any more: sessions that ended or expired more than
    /// `refresh_token_ttl` ago, and revocations older than any access token. How many rows
    /// went; call it again while there are any.
    ///
    /// It walks through the sessions by age, a stretch at a time: an index over what makes them
    /// useless would have to be written with every rotation.
    pub async fn sweep(
        &self,
        refresh_token_ttl: Duration,
        access_token_ttl: Duration,
        now: Now,
    ) -> Result<usize, Fault> {
        let before = now.wall.minus(refresh_token_ttl);
        let dead = self.dead_sessions(before).await?;
        let mut gone = 0;
        for some in dead.chunks(SWEEP as usize) {
            let some = some.to_vec();
            gone += self
                .write(move |work| {
                    let mut delete = work.sql.prepare_cached(concat!(
                        "DELETE FROM sessions WHERE id = ?1 AND ",
                        "(ended_at < ?2 OR expires_at < ?2)"
                    ))?;
                    let ids = some.iter();
                    ids.map(|id| delete.execute(params![id.0, before.as_millis()]))
                        .sum::<rusqlite::Result<usize>>()
                })
                .await?;
        }
        let before = now.wall.minus(access_token_ttl + SLACK).as_millis();
        gone += self
            .write(move |work| {
                work.sql
                    .prepare_cached(
                        "DELETE FROM revocations WHERE seq IN
                             (SELECT seq FROM revocations WHERE at < ?1 LIMIT ?2)",
                    )?
                    .execute(params![before, SWEEP])
            })
            .await?;
        Ok(gone)
    }

    /// Removes some of the one-time tokens that have expired; how many went. They are kept for a while,
    /// in case the clock is set back after it was ahead.
    pub async fn sweep_one_time_tokens(&self, now: Now) -> Result<usize, Fault> {
        let before = now.wall.minus(SLACK).as_millis();
        self.write(move |work| {
            work.sql
                .prepare_cached(
                    "DELETE FROM one_time_tokens WHERE id IN
                         (SELECT id FROM one_time_tokens WHERE expires_at < ?1 LIMIT ?2)",
                )?
                .execute(params![before, SWEEP])
        })
        .await
    }

    /// Those in the next stretch of sessions that ended or expired before `before`. Younger ones
    /// than that are not looked at.
    async fn dead_sessions(&self, before: Timestamp) -> Result<Vec<SessionId>, Fault> {
        let from = *self.swept_to.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = self
            .read(move |sql| {
                let mut rows = sql.prepare_cached(
                    "SELECT id, coalesce(ended_at < ?3, 0) OR expires_at < ?3 FROM sessions
                     WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?4",
                )?;
                let until = SessionId::new(before, &[0; 10]);
                let rows = rows
                    .query_map(params![from.0, until.0, before.as_millis(), STRETCH], |row| {
                        Ok((SessionId(row.get(0)?), row.get(1)?))
                    })?;
                rows.collect::<rusqlite::Result<Vec<(SessionId, bool)>>>()
            })
            .await?;
        // At the end it begins anew.
        let last = seen.last().filter(|_| seen.len() == STRETCH as usize).map(|(id, _)| *id);
        *self.swept_to.lock().unwrap_or_else(PoisonError::into_inner) = last.unwrap_or_default();
        Ok(seen.into_iter().filter(|(_, is_dead)| *is_dead).map(|(id, _)| id).collect())
    }
}
