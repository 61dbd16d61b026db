//! Starting, ending and listing sessions.

use std::cmp::Reverse;
use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::Store;
use super::audit::{By, Event};
use super::devices;
use super::keys::RetiredKey;
use super::revocations::{Revocation, Standing};
use super::users;
use super::writer::Work;
use crate::domain::account::User;
use crate::domain::claims::AccessClaims;
use crate::domain::id::{Generation, SessionId, UserId};
use crate::domain::secret::{KeyId, LookupHash, Salt};
use crate::domain::session::{Client, EndReason, Session, SessionPolicy};
use crate::domain::time::{Now, Timestamp};
use crate::fault::Fault;
use crate::metric;

/// A session to be started.
#[derive(Clone)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// Lookup hash of its first secret.
    pub secret_hash: LookupHash,
    /// Random.
    pub salt: Salt,
    /// The keys that it was made with.
    pub key_id: KeyId,
    /// The device.
    pub client: Client,
    /// The session whose cookie the sign-in was sent with: it ends, whoever's it is.
    pub replaces: Option<SessionId>,
    /// The settings.
    pub policy: SessionPolicy,
}

/// A session that has been started.
pub struct Started {
    /// The session.
    pub session: Session,
    /// Its user.
    pub user: User,
}

/// A query for sessions, whose rows [`from_row`] reads.
macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT id, user_id, created_at, generation, secret_hash, salt, key_id, rotated_at, ",
            "confirmed_at, expires_at, ends_at, last_used_at, ip, user_agent, ended_at, end_reason ",
            "FROM sessions ",
            $condition
        )
    };
}

/// Which sessions are meant.
#[derive(Clone, Copy)]
pub(super) enum Which {
    One(SessionId),
    AllOf(UserId),
    All,
}

impl Store {
    /// Starts a session, if the account is still as it was when its password was checked: not
    /// disabled, and `password_hash` unchanged. With `rehashed`, the password's hash at the
    /// current costs, that replaces the old one. The owner is written to when the device is not one
    /// of those that the account has, but for the first sign-in of all. `None` when the account is no longer
    /// so. Nothing is done when the session's key is retired.
    pub async fn start_session(
        &self,
        user: UserId,
        password_hash: String,
        rehashed: Option<String>,
        new: &NewSession,
        now: Now,
    ) -> Result<Result<Option<Started>, RetiredKey>, Fault> {
        let new = new.clone();
        self.write_with_key(new.key_id, move |work| {
            let account = users::by_id(work.sql, user).optional()?;
            let Some(account) = account.filter(|account| {
                account.user.disabled_at.is_none() && account.password_hash == password_hash
            }) else {
                return Ok(None);
            };
            if let Some(hash) = rehashed {
                users::replace_hash(work.sql, user, &hash)?;
            }
            devices::announce(work, &account.user, &new.client, now)?;
            start(work, account.user, &new, now).map(Some)
        })
        .await
    }

    /// Ends a session, whatever generation of it was presented. Whether it was still open.
    pub async fn end_session(
        &self,
        id: SessionId,
        reason: EndReason,
        client: Client,
        now: Now,
    ) -> Result<bool, Fault> {
        self.write(move |work| {
            let ended = end(work, Which::One(id), reason, now)?;
            for (id, user) in &ended {
                work.audit(Event::of_end(reason), Some(*user), Some(*id), &client, now)?;
            }
            Ok(!ended.is_empty())
        })
        .await
    }

    /// Ends a live session of `user`. Whether there was one: another user's is like none.
    pub async fn end_session_of(
        &self,
        user: UserId,
        id: SessionId,
        by: impl Into<By>,
        now: Now,
    ) -> Result<bool, Fault> {
        let by = by.into();
        self.write(move |work| {
            let own = by_id(work.sql, id)
                .optional()?
                .is_some_and(|session| session.user_id == user && session.is_live(now.wall));
            if own {
                end(work, Which::One(id), EndReason::Revoked, now)?;
                work.audit_by(Event::SessionRevoked, &by, Some(user), Some(id), now)?;
            }
            Ok(own)
        })
        .await
    }

    /// Ends all of a user's sessions; how many there were.
    pub async fn end_sessions_of(
        &self,
        user: UserId,
        reason: EndReason,
        by: impl Into<By>,
        now: Now,
    ) -> Result<usize, Fault> {
        let by = by.into();
        self.write(move |work| {
            let ended = end(work, Which::AllOf(user), reason, now)?;
            work.audit_by(Event::of_end(reason), &by, Some(user), None, now)?;
            Ok(ended.len())
        })
        .await
    }

    /// Ends everybody's sessions; how many there were.
    pub async fn end_all_sessions(&self, reason: EndReason, now: Now) -> Result<usize, Fault> {
        self.write(move |work| {
            let ended = end(work, Which::All, reason, now)?;
            work.audit(Event::of_end(reason), None, None, &Client::default(), now)?;
            Ok(ended.len())
        })
        .await
    }

    /// Whether a session is live.
    pub async fn is_live(&self, id: SessionId, now: Now) -> Result<bool, Fault> {
        self.read(move |sql| {
            sql.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM sessions
                     WHERE id = ?1 AND ended_at IS NULL AND expires_at > ?2)",
            )?
            .query_row(params![id.0, now.wall.as_millis()], |row| row.get(0))
        })
        .await
    }

    /// The live sessions of a user, or of everybody, the most recently used first.
    pub async fn list_sessions(
        &self,
        user: Option<UserId>,
        now: Now,
    ) -> Result<Vec<Session>, Fault> {
        Ok(self.live(self.read(move |sql| open_of(sql, user)).await?, now))
    }

    /// Those of `sessions` that are live, with what is only noted yet, the most recently used first.
    pub(super) fn live(&self, sessions: Vec<Session>, now: Now) -> Vec<Session> {
        let mut live: Vec<_> = sessions
            .into_iter()
            .filter(|session| session.is_live(now.wall))
            .map(|session| self.notes.complete(session))
            .collect();
        live.sort_by_key(|session| Reverse((session.last_used_at, session.created_at, session.id)));
        live
    }

    /// The keys that live sessions were made with, as far as a sample tells.
    pub async fn keys_in_use(&self, now: Now) -> Result<HashSet<KeyId>, Fault> {
        self.read(move |sql| {
            let mut rows = sql.prepare(
                "SELECT key_id FROM sessions WHERE ended_at IS NULL AND expires_at > ?1 LIMIT 1000",
            )?;
            let rows = rows.query_map([now.wall.as_millis()], |row| row.get(0).map(KeyId))?;
            rows.collect()
        })
        .await
    }

    /// What speaks against a correctly signed, unexpired access token. Touches no disk.
    pub fn standing(&self, claims: &AccessClaims) -> Standing {
        self.revocations.standing(claims)
    }

    /// Takes note of an access token that was made. Touches no disk.
    pub fn note_made(&self, claims: &AccessClaims, now: Now) {
        self.revocations.not_before.note_made(claims, now);
    }

    /// What speaks against an access token that is about to pass the guard. When nothing does, it
    /// is noted: a confirmation and a sign of life, to be written with a later commit. Touches no
    /// disk.
    pub fn note_use(&self, claims: &AccessClaims, now: Now) -> Standing {
        let standing = || self.revocations.standing(claims);
        self.notes.admit(claims.sid, claims.generation, now, standing)
    }
}

/// Starts a session in the transaction of `work`, which is one of `write_with_key`.
pub(super) fn start(
    work: &mut Work<'_>,
    user: User,
    new: &NewSession,
    now: Now,
) -> rusqlite::Result<Started> {
    if let Some(replaced) = new.replaces {
        end(work, Which::One(replaced), EndReason::Replaced, now)?;
    }
    make_room(work, user.id, new.policy.max_sessions_per_user, now)?;
    let ends_at = now.wall.plus(new.policy.session_max_age);
    let session = Session {
        id: new.id,
        user_id: user.id,
        created_at: now.wall,
        generation: Generation::FIRST,
        secret_hash: new.secret_hash,
        salt: new.salt,
        key_id: new.key_id,
        rotated_at: now.steady,
        confirmed_at: None,
        expires_at: new.policy.idle_expiry(now.wall, ends_at),
        ends_at,
        last_used_at: now.wall,
        client: new.client.clone(),
        ended: None,
    };
    work.sql
        .prepare_cached(
            "INSERT INTO sessions (id, user_id, created_at, generation, secret_hash, salt, key_id,
                 rotated_at, expires_at, ends_at, last_used_at, ip, user_agent)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            session.id.0,
            session.user_id.0,
            session.created_at.as_millis(),
            session.generation.0,
            session.secret_hash.0,
            session.salt.0,
            session.key_id.0,
            session.rotated_at.as_millis(),
            session.expires_at.as_millis(),
            session.ends_at.as_millis(),
            session.last_used_at.as_millis(),
            session.client.ip,
            session.client.user_agent,
        ])?;
    work.sql
        .prepare_cached("UPDATE users SET has_signed_in = 1 WHERE id = ?1 AND has_signed_in = 0")?
        .execute([user.id.0])?;
    devices::see(work, user.id, &new.client, now)?;
    work.audit(Event::SignedIn, Some(user.id), Some(session.id), &new.client, now)?;
    Ok(Started { session, user })
}

/// Ends the least recently used sessions until there is room for one more.
fn make_room(work: &mut Work<'_>, user: UserId, most: u32, now: Now) -> rusqlite::Result<()> {
    let mut live = {
        let mut rows =
            work.sql.prepare_cached(select!("WHERE user_id = ?1 AND ended_at IS NULL"))?;
        let rows = rows.query_map([user.0], from_row)?;
        rows.collect::<rusqlite::Result<Vec<_>>>()?
    };
    live.retain(|session| session.is_live(now.wall));
    let surplus = (live.len() + 1).saturating_sub(most as usize);
    live = live.into_iter().map(|session| work.notes.complete(session)).collect();
    live.sort_by_key(|session| (session.last_used_at, session.created_at, session.id));
    for session in live.iter().take(surplus) {
        end(work, Which::One(session.id), EndReason::Displaced, now)?;
    }
    Ok(())
}

/// Ends sessions, and with them their access tokens. Which ones were still open.
pub(super) fn end(
    work: &mut Work<'_>,
    which: Which,
    reason: EndReason,
    now: Now,
) -> rusqlite::Result<Vec<(SessionId, UserId)>> {
    let (condition, id) = match which {
        Which::One(id) => ("id = ?3", Some(id.0)),
        Which::AllOf(user) => ("user_id = ?3", Some(user.0)),
        Which::All => ("?3 IS NULL", None),
    };
    let ended = {
        let mut statement = work.sql.prepare_cached(&format!(
            "UPDATE sessions SET ended_at = ?1, end_reason = ?2
             WHERE {condition} AND ended_at IS NULL RETURNING id, user_id, last_used_at"
        ))?;
        let rows =
            statement.query_map(params![now.wall.as_millis(), reason.as_str(), id], |row| {
                let last_used_at = Timestamp::from_millis(row.get(2)?);
                Ok((SessionId(row.get(0)?), UserId(row.get(1)?), last_used_at))
            })?;
        rows.collect::<rusqlite::Result<Vec<_>>>()?
    };
    for (id, _, last_used_at) in &ended {
        // Tokens that were made while the clock was ahead are remembered as long as they live.
        let at = Now { wall: now.wall.max(*last_used_at), ..now };
        work.revoke(Revocation::Session(*id), at)?;
        metrics::counter!(metric::SESSIONS_ENDED, "reason" => reason.as_str()).increment(1);
    }
    Ok(ended.into_iter().map(|(id, user, _)| (id, user)).collect())
}

/// The sessions of a user, or of everybody, that were not ended. They may have expired.
pub(super) fn open_of(sql: &Connection, user: Option<UserId>) -> rusqlite::Result<Vec<Session>> {
    sql.prepare_cached(select!("WHERE ended_at IS NULL AND (?1 IS NULL OR user_id = ?1)"))?
        .query_map([user.map(|id| id.0)], from_row)?
        .collect()
}

/// The latest sessions of a user that are over, at most `most`, and whether there are others. They come
/// in the order of the index, that of their ids: it is not sorted, however many there are.
pub(super) fn ended_of(
    sql: &Connection,
    user: UserId,
    most: u32,
    now: Now,
) -> rusqlite::Result<(Vec<Session>, bool)> {
    let mut ended = sql
        .prepare_cached(select!(
            "WHERE user_id = ?1 AND (ended_at IS NOT NULL OR expires_at <= ?2 OR ends_at <= ?2)
             ORDER BY id DESC LIMIT ?3"
        ))?
        .query_map(params![user.0, now.wall.as_millis(), most.saturating_add(1)], from_row)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let is_truncated = ended.len() > most as usize;
    ended.truncate(most as usize);
    Ok((ended, is_truncated))
}

/// A session, live or not.
pub(super) fn by_id(sql: &Connection, id: SessionId) -> rusqlite::Result<Session> {
    sql.prepare_cached(select!("WHERE id = ?1"))?.query_row([id.0], from_row)
}

/// The columns in the order of [`select!`]: to find one by its name takes longer than to read it.
fn from_row(row: &Row<'_>) -> rusqlite::Result<Session> {
    let time = |column: usize| row.get(column).map(Timestamp::from_millis);
    let ended_at: Option<i64> = row.get(14)?;
    let reason: Option<String> = row.get(15)?;
    let reason = reason.as_deref().and_then(EndReason::parse).unwrap_or(EndReason::Revoked);
    Ok(Session {
        id: SessionId(row.get(0)?),
        user_id: UserId(row.get(1)?),
        created_at: time(2)?,
        generation: Generation(row.get(3)?),
        secret_hash: LookupHash(row.get(4)?),
        salt: Salt(row.get(5)?),
        key_id: KeyId(row.get(6)?),
        rotated_at: time(7)?,
        confirmed_at: row.get::<_, Option<i64>>(8)?.map(Timestamp::from_millis),
        expires_at: time(9)?,
        ends_at: time(10)?,
        last_used_at: time(11)?,
        client: Client { ip: row.get(12)?, user_agent: row.get(13)? },
        ended: ended_at.map(|at| (Timestamp::from_millis(at), reason)),
    })
}
