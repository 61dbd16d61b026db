//! What makes access tokens invalid before their expiry: sessions that ended, and claims that
//! changed, within the life of an access token. Kept in memory, so that a guarded request
//! touches no disk; rebuilt at start; follows what another process (the command line) commits.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::users;
use super::writer::Work;
use crate::domain::claims::{AccessClaims, Identity};
use crate::domain::id::{SessionId, UserId};
use crate::domain::time::{Now, Timestamp};

/// Added to the life of an access token, for clocks that differ a little.
const MARGIN: Duration = Duration::from_secs(120);

/// What a committed change means for access tokens that are about.
#[derive(Clone, Debug)]
pub(super) enum Revocation {
    /// The session's tokens are refused.
    Session(SessionId),
    /// The user's tokens are stale unless they say this.
    Claims(UserId, Identity),
}

/// What is known of the bearer of a correctly signed, unexpired access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing speaks against it.
    Good,
    /// The session has ended.
    Ended,
    /// The user's role, e-mail address or verification has changed since.
    Stale,
}

#[derive(Default)]
struct Table {
    ended: HashMap<SessionId, Timestamp>,
    claims: HashMap<UserId, (Identity, Timestamp)>,
    last_seq: i64,
    noted_at: Option<Timestamp>,
}

pub(super) struct Revocations {
    keep: Duration,
    table: RwLock<Table>,
}

impl Revocations {
    /// What the last access-token life has left in the database.
    pub(super) fn load(
        sql: &Connection,
        access_token_ttl: Duration,
        now: Now,
    ) -> rusqlite::Result<Self> {
        let keep = access_token_ttl + MARGIN;
        let first: i64 = sql.query_row(
            "SELECT coalesce(min(seq), (SELECT coalesce(max(seq), 0) + 1 FROM revocations))
             FROM revocations WHERE at > ?1",
            [now.wall.minus(keep).as_millis()],
            |row| row.get(0),
        )?;
        let table = Table { last_seq: first - 1, noted_at: Some(now.steady), ..Table::default() };
        let revocations = Self { keep, table: RwLock::new(table) };
        revocations.follow(sql, now)?;
        Ok(revocations)
    }

    /// Reads what has been committed since the last look, by any process.
    pub(super) fn follow(&self, sql: &Connection, now: Now) -> rusqlite::Result<()> {
        let since = self.table.read().unwrap_or_else(PoisonError::into_inner).last_seq;
        let mut rows = sql.prepare_cached(
            "SELECT seq, session_id, user_id FROM revocations WHERE seq > ?1 ORDER BY seq",
        )?;
        let rows = rows.query_map([since], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, Option<Uuid>>(1)?,
                row.get::<_, Option<Uuid>>(2)?,
            ))
        })?;
        let mut last = since;
        let mut found = Vec::new();
        for row in rows {
            let (seq, session, user) = row?;
            last = seq;
            found.extend(session.map(|id| Revocation::Session(SessionId(id))));
            if let Some(id) = user.map(UserId)
                && let Some(user) = users::by_id(sql, id).optional()?
            {
                found.push(Revocation::Claims(id, user.user.identity()));
            }
        }
        // Before they are applied: what is found must not be stamped with a look long past, or it
        // would be forgotten at once.
        self.table.write().unwrap_or_else(PoisonError::into_inner).noted_at = Some(now.steady);
        self.apply(found);
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        table.last_seq = table.last_seq.max(last);
        let oldest = now.steady.minus(self.keep);
        table.ended.retain(|_, at| *at > oldest);
        table.claims.retain(|_, (_, at)| *at > oldest);
        Ok(())
    }

    /// Takes in what has just been committed.
    pub(super) fn apply(&self, revoked: Vec<Revocation>) {
        if revoked.is_empty() {
            return;
        }
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        // Stamped with the last look at the clock, moved ahead so that it is kept long enough.
        let at = table.noted_at.unwrap_or(Timestamp::from_millis(0)).plus(MARGIN);
        for revocation in revoked {
            match revocation {
                Revocation::Session(id) => {
                    table.ended.insert(id, at);
                }
                Revocation::Claims(id, identity) => {
                    table.claims.insert(id, (identity, at));
                }
            }
        }
    }

    /// What speaks against an access token.
    pub(super) fn standing(&self, claims: &AccessClaims) -> Standing {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        if table.ended.contains_key(&claims.sid) {
            return Standing::Ended;
        }
        match table.claims.get(&claims.sub) {
            Some((identity, _)) if *identity != claims.identity => Standing::Stale,
            _ => Standing::Good,
        }
    }
}

impl Work<'_> {
    /// Makes access tokens invalid with the commit of this transaction.
    pub(super) fn revoke(&mut self, revocation: Revocation, now: Now) -> rusqlite::Result<()> {
        let (session, user) = match &revocation {
            Revocation::Session(id) => (Some(id.0), None),
            Revocation::Claims(id, _) => (None, Some(id.0)),
        };
        self.sql
            .prepare_cached(
                "INSERT INTO revocations (at, session_id, user_id) VALUES (?1, ?2, ?3)",
            )?
            .execute(params![now.wall.as_millis(), session, user])?;
        self.revoked.push(revocation);
        Ok(())
    }
}
