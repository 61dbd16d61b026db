//! What the background jobs and the readiness probe ask of the database.

use std::time::Duration;

use super::Store;
use crate::domain::time::Now;
use crate::fault::Fault;

/// How many rows one sweep removes, so that it never holds the writer for long.
const SWEEP: u32 = 500;

/// Revocations are kept this much longer than an access token lives, in case the clock is set
/// back after it was ahead.
const REVOCATION_SLACK: Duration = Duration::from_secs(24 * 3600);

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
    pub async fn sweep(
        &self,
        refresh_token_ttl: Duration,
        access_token_ttl: Duration,
        now: Now,
    ) -> Result<usize, Fault> {
        let sessions_before = now.wall.minus(refresh_token_ttl).as_millis();
        let revocations_before = now.wall.minus(access_token_ttl + REVOCATION_SLACK).as_millis();
        self.write(move |work| {
            let mut gone = 0;
            for (table, condition, before) in [
                ("sessions", "ended_at < ?1", sessions_before),
                ("sessions", "expires_at < ?1", sessions_before),
                ("revocations", "at < ?1", revocations_before),
            ] {
                let sql = format!(
                    "DELETE FROM {table} WHERE rowid IN
                         (SELECT rowid FROM {table} WHERE {condition} LIMIT {SWEEP})"
                );
                gone += work.sql.prepare_cached(&sql)?.execute([before])?;
            }
            Ok(gone)
        })
        .await
    }
}
