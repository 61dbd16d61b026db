//! What makes access tokens invalid before their expiry: sessions that ended, and claims that
//! changed, within the life of an access token. Kept in memory, so that a guarded request
//! touches no disk; rebuilt at start; follows what another process (the command line) commits.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::known::Known;
use super::not_before::NotBefore;
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
    /// The user was changed: tokens are stale unless they say this.
    Claims(UserId, Identity),
}

/// What is known of the bearer of a correctly signed, unexpired access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing speaks against it.
    Good,
    /// The session has ended.
    Ended,
    /// The user's role, e-mail address or verification has changed since. A refresh decides.
    Stale,
    /// It is from before a restore, as far as the clocks tell: whether its session has ended, the
    /// database says.
    Restored,
}

/// When a revocation was read from the database; `None` until then, and so long it is kept. The
/// wall clock's part is that of the revocation itself, if that is later (the clock was ahead).
type ReadAt = Option<Now>;

/// What a user's claims have to be.
struct Claims {
    identity: Identity,
    /// The revocation that said so, or a later one that was read with it.
    seq: i64,
    read_at: ReadAt,
}

#[derive(Default)]
struct Table {
    ended: HashMap<SessionId, ReadAt>,
    claims: HashMap<UserId, Claims>,
    last_seq: i64,
    /// The wall clock when this was last followed.
    followed_at: Option<Timestamp>,
}

impl Table {
    fn insert(&mut self, revocation: Revocation, seq: i64, read_at: ReadAt) {
        match revocation {
            Revocation::Session(id) => {
                self.ended.insert(id, read_at);
            }
            Revocation::Claims(id, identity) => {
                self.claims.insert(id, Claims { identity, seq, read_at });
            }
        }
    }
}

pub(super) struct Revocations {
    keep: Duration,
    table: RwLock<Table>,
    /// When the database was restored.
    pub(super) not_before: NotBefore,
    /// Users that have not been changed since they were read.
    pub(super) known: Known,
}

impl Revocations {
    /// What the sweep has left in the database: more than an access token's life, since a machine
    /// may start with its clock ahead.
    pub(super) fn load(
        sql: &Connection,
        access_token_ttl: Duration,
        now: Now,
    ) -> rusqlite::Result<Self> {
        let keep = access_token_ttl + MARGIN;
        let not_before = NotBefore::load(sql)?;
        let (table, known) = (RwLock::default(), Known::default());
        let revocations = Self { keep, table, not_before, known };
        revocations.follow(sql, now)?;
        Ok(revocations)
    }

    /// Reads what has been committed since the last look, by any process. After the wall clock was
    /// set back all of it is read again: tokens that had expired may be good once more.
    pub(super) fn follow(&self, sql: &Connection, now: Now) -> rusqlite::Result<()> {
        let since = {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            if table.followed_at.is_some_and(|at| now.wall < at) { 0 } else { table.last_seq }
        };
        let mut rows = sql.prepare_cached(
            "SELECT seq, at, session_id, user_id FROM revocations WHERE seq > ?1 ORDER BY seq",
        )?;
        let rows = rows.query_map([since], |row| {
            let at = Timestamp::from_millis(row.get(1)?);
            let session: Option<Uuid> = row.get(2)?;
            let user: Option<Uuid> = row.get(3)?;
            Ok((row.get(0)?, at, session.map(SessionId), user.map(UserId)))
        })?;
        let mut last = since;
        let (mut found, mut gone) = (Vec::new(), Vec::new());
        for row in rows {
            let (seq, at, session, user) = row?;
            last = seq;
            let read_at = Some(Now { wall: at.max(now.wall), ..now });
            found.extend(session.map(|id| (Revocation::Session(id), read_at)));
            let Some(id) = user else { continue };
            self.known.forget(id);
            match users::by_id(sql, id).optional()? {
                Some(user) => found.push((Revocation::Claims(id, user.user.identity()), read_at)),
                None => gone.push(id),
            }
        }
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        for (revocation, read_at) in found {
            // The user was read with all rows up to the last one. What this process has committed
            // after that is newer; its own row is still to come.
            let is_older = matches!(&revocation, Revocation::Claims(id, _)
                if table.claims.get(id).is_some_and(|known| known.seq > last));
            if !is_older {
                table.insert(revocation, last, read_at);
            }
        }
        // All of their sessions have ended.
        for id in gone {
            table.claims.remove(&id);
        }
        table.last_seq = table.last_seq.max(last);
        table.followed_at = Some(now.wall);
        self.not_before.prune(self.keep, now);
        // Both clocks must say that it is over: the steady one may have slept, and the wall clock,
        // which decides over access tokens, may have been set back.
        let is_kept = |read_at: &ReadAt| {
            read_at.is_none_or(|at| {
                now.steady.since(at.steady) < self.keep || now.wall.since(at.wall) < self.keep
            })
        };
        table.ended.retain(|_, read_at| is_kept(read_at));
        table.claims.retain(|_, claims| is_kept(&claims.read_at));
        Ok(())
    }

    /// Takes in what has just been committed, each with its place in the order of the commits.
    pub(super) fn apply(&self, revoked: Vec<(i64, Revocation)>) {
        if revoked.is_empty() {
            return;
        }
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        for (seq, revocation) in revoked {
            if let Revocation::Claims(id, _) = &revocation {
                self.known.forget(*id);
            }
            table.insert(revocation, seq, None);
        }
    }

    /// What speaks against an access token.
    pub(super) fn standing(&self, claims: &AccessClaims) -> Standing {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        if table.ended.contains_key(&claims.sid) {
            return Standing::Ended;
        }
        if self.not_before.is_after(claims) {
            return Standing::Restored;
        }
        match table.claims.get(&claims.sub) {
            Some(known) if known.identity != claims.identity => Standing::Stale,
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
        self.revoked.push((self.sql.last_insert_rowid(), revocation));
        Ok(())
    }
}
