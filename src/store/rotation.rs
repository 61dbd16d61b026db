//! The rotation transaction, from top to bottom.
//!
//! Why nothing races: this runs on the one writer thread, inside `BEGIN IMMEDIATE`, so that
//! no other process writes in between; it loads the row, asks [`judge`], and writes the outcome
//! in the same transaction. The update is conditional on the generation that was judged and
//! must change exactly one row. The caller is answered after the commit.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{OptionalExtension as _, params};

use super::Store;
use super::audit::Event;
use super::sessions::{self, Which};
use super::users;
use super::writer::Work;
use crate::domain::account::User;
use crate::domain::device::known_device_name;
use crate::domain::mail::About;
use crate::domain::secret::{Proof, Ratchets, Salt, Secret};
use crate::domain::session::{
    Case, Client, EndReason, Presented, ReusePolicy, Session, SessionPolicy, Verdict, Why, judge,
};
use crate::domain::time::Now;
use crate::fault::Fault;
use crate::metric;

/// How much newer a sign of life is that is worth a write of its own.
const USED_STEP: Duration = Duration::from_secs(60);

/// A refresh token that asks to be turned.
pub struct Rotation {
    /// What it says.
    pub presented: Presented,
    /// The ratchets of all keys.
    pub ratchets: Arc<Ratchets>,
    /// Fresh randomness, drawn before the write is queued.
    pub salt: Salt,
    /// Who asks.
    pub client: Client,
    /// The settings of the protocol.
    pub policy: SessionPolicy,
    /// The clocks.
    pub now: Now,
}

/// A refresh token that was accepted: the session as it now is, and the secret of its current
/// generation.
pub struct Rotated {
    /// The session.
    pub session: Session,
    /// Its user.
    pub user: User,
    /// The secret of `session.generation`.
    pub secret: Secret,
}

/// A refresh token that was not accepted. Not an error: what it entails is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The user does not exist or is disabled.
    UserGone,
    /// The session is unknown, ended or expired.
    Invalid,
    /// The token is authentic, but not of its session's history.
    Foreign,
    /// A superseded token was used again, and sessions were ended for it.
    Reused,
    /// An honest client's slow request was overtaken: it is to try again.
    Late,
    /// The session was made with keys that are not among the ratchets: nothing can be said of the
    /// token. Whoever has newer keys may ask again.
    UnknownKey,
}

#[cfg(not(feature = "broken-rotation"))]
impl Store {
    /// Judges a presented refresh token and does what the verdict says, in one transaction.
    pub async fn rotate(&self, rotation: Rotation) -> Result<Result<Rotated, Refused>, Fault> {
        self.write(move |work| rotate(work, &rotation)).await
    }
}

fn rotate(work: &mut Work<'_>, rotation: &Rotation) -> rusqlite::Result<Result<Rotated, Refused>> {
    let Rotation { presented, now, policy, .. } = rotation;
    let session = sessions::by_id(work.sql, presented.session).optional()?;
    let session = session.map(|session| work.notes.complete(session));
    let user_id = session.as_ref().map_or(presented.user, |session| session.user_id);
    let user = users::by_id(work.sql, user_id).optional()?.map(|account| account.user);
    let proof = session
        .as_ref()
        .map_or(Proof::Nothing, |session| rotation.ratchets.examine(session, presented));

    let verdict = judge(
        &Case {
            session: session.as_ref(),
            user_is_active: user.as_ref().is_some_and(|user| user.disabled_at.is_none()),
            presented,
            proof: &proof,
            now: *now,
        },
        policy,
    );
    // Without the keys that the session was made with an honest token looks like a foreign one.
    if verdict == Verdict::Foreign
        && session.as_ref().is_some_and(|session| !rotation.ratchets.know(session.key_id))
    {
        return Ok(Err(Refused::UnknownKey));
    }
    metrics::counter!(metric::VERDICTS, "verdict" => name(verdict)).increment(1);

    let (Some(session), Some(user)) = (session, user) else {
        let gone = verdict == Verdict::Invalid(Why::UserGone);
        return Ok(Err(if gone { Refused::UserGone } else { Refused::Invalid }));
    };
    match verdict {
        Verdict::Rotate => turn(work, &session, user, rotation).map(Ok),
        Verdict::Retry | Verdict::Race => {
            let session = unfreeze(work, session, *now)?;
            let session = mark_used(work, session, *now)?;
            match proof {
                Proof::Parent(secret) => Ok(Ok(Rotated { session, user, secret })),
                Proof::Current | Proof::Nothing => Ok(Err(Refused::Invalid)),
            }
        }
        Verdict::Late => {
            unfreeze(work, session, *now)?;
            Ok(Err(Refused::Late))
        }
        Verdict::Invalid(Why::UserGone) => Ok(Err(Refused::UserGone)),
        Verdict::Invalid(Why::Unknown | Why::Ended | Why::Expired) => Ok(Err(Refused::Invalid)),
        // Somebody was seen to use it after all, at this very moment.
        Verdict::Lost if !work.notes.give_up(session.id, session.generation) => {
            rotate(work, rotation)
        }
        Verdict::Lost => {
            sessions::end(work, Which::One(session.id), EndReason::Lost, *now)?;
            Ok(Err(Refused::Invalid))
        }
        Verdict::Foreign => {
            work.audit(
                Event::RefreshTokenForeign,
                Some(user.id),
                Some(session.id),
                &rotation.client,
                *now,
            )?;
            Ok(Err(Refused::Foreign))
        }
        Verdict::Reuse => {
            let which = match policy.reuse_policy {
                ReusePolicy::User => Which::AllOf(user.id),
                ReusePolicy::Session => Which::One(session.id),
            };
            sessions::end(work, which, EndReason::Reuse, *now)?;
            work.audit(
                Event::RefreshTokenReused,
                Some(user.id),
                Some(session.id),
                &rotation.client,
                *now,
            )?;
            let device = known_device_name(&rotation.client.user_agent).unwrap_or_default();
            let ip = rotation.client.ip.clone();
            work.notify(&user, About::RefreshTokenReused { device, ip, at: now.wall }, *now)?;
            Ok(Err(Refused::Reused))
        }
    }
}

/// Turns the ratchet: the next generation of the same row.
fn turn(
    work: &Work<'_>,
    judged: &Session,
    user: User,
    rotation: &Rotation,
) -> rusqlite::Result<Rotated> {
    let Rotation { presented, now, .. } = rotation;
    let ratchet = rotation.ratchets.active();
    let generation = judged.generation.next();
    let secret = ratchet.turn(&presented.secret, &rotation.salt, judged.id, generation);
    let session = Session {
        generation,
        secret_hash: ratchet.lookup(&secret),
        salt: rotation.salt,
        key_id: ratchet.id,
        rotated_at: now.steady,
        confirmed_at: None,
        expires_at: rotation.policy.idle_expiry(now.wall, judged.ends_at),
        // Never back: access tokens made so far were made by then.
        last_used_at: now.wall.max(judged.last_used_at),
        client: rotation.client.clone(),
        ..judged.clone()
    };
    let changed = work
        .sql
        .prepare_cached(
            "UPDATE sessions
             SET generation = ?3, secret_hash = ?4, salt = ?5, key_id = ?6, rotated_at = ?7,
                 confirmed_at = NULL, expires_at = ?8, last_used_at = ?9, ip = ?10, user_agent = ?11
             WHERE id = ?1 AND generation = ?2 AND ended_at IS NULL",
        )?
        .execute(params![
            session.id.0,
            judged.generation.0,
            session.generation.0,
            session.secret_hash.0,
            session.salt.0,
            session.key_id.0,
            session.rotated_at.as_millis(),
            session.expires_at.as_millis(),
            session.last_used_at.as_millis(),
            session.client.ip,
            session.client.user_agent,
        ])?;
    // The transaction already excludes anything else; if it ever did not, this is not a yes.
    if changed == 1 {
        Ok(Rotated { session, user, secret })
    } else {
        Err(rusqlite::Error::StatementChangedRows(changed))
    }
}

/// The last sign of life tells how long access tokens of the session are about once it has ended,
/// also of those that were made again, and while the clock was ahead. A minute more or less is
/// within the margin.
fn mark_used(work: &Work<'_>, session: Session, now: Now) -> rusqlite::Result<Session> {
    if now.wall.since(session.last_used_at) < USED_STEP {
        return Ok(session);
    }
    work.sql
        .prepare_cached("UPDATE sessions SET last_used_at = ?2 WHERE id = ?1")?
        .execute(params![session.id.0, now.wall.as_millis()])?;
    Ok(Session { last_used_at: now.wall, ..session })
}

/// A row from the future (the clock was corrected) has age zero; let time run from here.
fn unfreeze(work: &Work<'_>, session: Session, now: Now) -> rusqlite::Result<Session> {
    let confirmed_at = session.confirmed_at.map(|at| at.min(now.steady));
    let rotated_at = session.rotated_at.min(now.steady);
    if (rotated_at, confirmed_at) != (session.rotated_at, session.confirmed_at) {
        work.sql
            .prepare_cached("UPDATE sessions SET rotated_at = ?2, confirmed_at = ?3 WHERE id = ?1")?
            .execute(params![
                session.id.0,
                rotated_at.as_millis(),
                confirmed_at.map(crate::domain::time::Timestamp::as_millis),
            ])?;
    }
    Ok(Session { rotated_at, confirmed_at, ..session })
}

const fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Invalid(_) => "invalid",
        Verdict::Rotate => "rotate",
        Verdict::Foreign => "foreign",
        Verdict::Retry => "retry",
        Verdict::Race => "race",
        Verdict::Lost => "lost",
        Verdict::Late => "late",
        Verdict::Reuse => "reuse",
    }
}

// Stands in for `Store::rotate` in one test, which must then notice.
#[cfg(feature = "broken-rotation")]
#[path = "broken.rs"]
mod broken;
