//! Invitations: who may make an account by a link, and the account that is made by it.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use uuid::Uuid;

use super::audit::{By, Detail, Event};
use super::directory::Page;
use super::keys::RetiredKey;
use super::one_time;
use super::sessions::{self, NewSession, Started};
use super::users::{self, NewUser};
use super::{Store, Work};
use crate::domain::account::Email;
use crate::domain::claims::Role;
use crate::domain::id::{OneTimeId, UserId};
use crate::domain::mail::{About, Mail};
use crate::domain::one_time::Purpose;
use crate::domain::time::{Now, Timestamp};
use crate::fault::Fault;

/// Somebody who may make an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Names it, and the one-time token of its link.
    pub id: OneTimeId,
    /// The address of the account to be.
    pub email: Email,
    /// The role of the account to be.
    pub role: Role,
    /// The administrator who made it. `None` for the shell.
    pub invited_by: Option<UserId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

/// What came of an invitation that was to be accepted.
pub enum Accepted {
    /// The account is there and signed in.
    Done(Box<Started>),
    /// The invitation is good for nothing (any more).
    Invalid,
    /// The address has got an account by another way. The invitation stays.
    EmailTaken,
}

/// An invitation is as good as whoever made it: not from one who may not invite any more.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT invitation.id, invitation.email, invitation.role, invited_by,
                    invitation.created_at, expires_at
             FROM invitations AS invitation JOIN one_time_tokens AS token USING (id)
                  LEFT JOIN users AS host ON host.id = invited_by
             WHERE expires_at > ?1 AND (invited_by IS NULL
                   OR (host.role = 'admin' AND host.disabled_at IS NULL)) ",
            $rest
        )
    };
}

impl Store {
    /// Invites somebody, with the role of an account to be. An older invitation of the same address
    /// is replaced; the last one counts. `None` when the address has an account, or had one that
    /// can take it back. With `is_mailed` the link is sent there.
    pub async fn invite(
        &self,
        invitation: Invitation,
        is_mailed: bool,
        by: By,
        now: Now,
    ) -> Result<Option<Invitation>, Fault> {
        self.write(move |work| {
            let Invitation { id, email, .. } = &invitation;
            let is_held = one_time::holder(work.sql, email, None, now)?.is_some();
            if is_held || users::by_email(work.sql, email).optional()?.is_some() {
                return Ok(None);
            }
            work.sql
                .prepare_cached(
                    "DELETE FROM one_time_tokens
                     WHERE id IN (SELECT id FROM invitations WHERE email = ?1)",
                )?
                .execute([email.as_str()])?;
            work.issue(*id, Purpose::AcceptInvitation, None, email, now)?;
            insert(work, &invitation)?;
            let detail = Detail::invitation(*id, invitation.role);
            work.audit_in_detail(Event::Invited, detail, &by, None, now)?;
            if is_mailed {
                let about = About::Invitation { token: *id };
                work.send(&Mail { to: email.clone(), about }, now)?;
            }
            Ok(Some(invitation))
        })
        .await
    }

    /// The invitations that are good, the newest first, from the one before `before`; at most
    /// `limit`.
    pub async fn list_invitations(
        &self,
        before: Option<OneTimeId>,
        limit: u32,
        now: Now,
    ) -> Result<Page<Invitation, OneTimeId>, Fault> {
        self.read(move |sql| {
            let mut rows = sql.prepare_cached(select!(
                "AND invitation.id < ?2 ORDER BY invitation.id DESC LIMIT ?3"
            ))?;
            let before = before.map_or(Uuid::max(), |id| id.0);
            let most = limit.saturating_add(1);
            let rows = rows.query_map(params![now.wall.as_millis(), before, most], from_row)?;
            let rows = rows.map(|row| row.map(|invitation| (invitation.id, invitation)));
            Ok(Page::of(rows.collect::<rusqlite::Result<Vec<_>>>()?, limit))
        })
        .await
    }

    /// An invitation, if it is good.
    pub async fn find_invitation(
        &self,
        id: OneTimeId,
        now: Now,
    ) -> Result<Option<Invitation>, Fault> {
        self.read(move |sql| {
            sql.prepare_cached(select!("AND invitation.id = ?2"))?
                .query_row(params![now.wall.as_millis(), id.0], from_row)
                .optional()
        })
        .await
    }

    /// Takes an invitation back. Whether there was one.
    pub async fn revoke_invitation(&self, id: OneTimeId, by: By, now: Now) -> Result<bool, Fault> {
        self.write(move |work| {
            let Some(invitation) = find(work, id, now)? else { return Ok(false) };
            forget(work, id)?;
            let detail = Detail::invitation(id, invitation.role);
            work.audit_in_detail(Event::InvitationRevoked, detail, &by, None, now)?;
            Ok(true)
        })
        .await
    }

    /// Makes the account that somebody was invited to, with the address and the role of the
    /// invitation, and starts its first session. Whoever reads the mail owns the address: it counts as
    /// verified. Nothing is done when the session's key is retired.
    pub async fn accept_invitation(
        &self,
        id: OneTimeId,
        user: UserId,
        password_hash: String,
        session: NewSession,
        now: Now,
    ) -> Result<Result<Accepted, RetiredKey>, Fault> {
        self.write_with_key(session.key_id, move |work| {
            let Some(Invitation { email, role, .. }) = find(work, id, now)? else {
                return Ok(Accepted::Invalid);
            };
            let new = NewUser { id: user, email, password_hash, role, is_verified: true };
            let (detail, by) = (Detail::invitation(id, role), session.client.clone().into());
            let Some(user) = users::insert_in_detail(work, &new, detail, &by, now)? else {
                return Ok(Accepted::EmailTaken);
            };
            forget(work, id)?;
            let started = sessions::start(work, user, &session, now)?;
            Ok(Accepted::Done(Box::new(started)))
        })
        .await
    }
}

fn insert(work: &Work<'_>, invitation: &Invitation) -> rusqlite::Result<()> {
    let Invitation { id, email, role, invited_by, created_at, .. } = invitation;
    work.sql
        .prepare_cached(
            "INSERT INTO invitations (id, email, role, invited_by, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            id.0,
            email.as_str(),
            role.as_str(),
            invited_by.map(|id| id.0),
            created_at.as_millis(),
        ])
        .map(|_| ())
}

fn find(work: &Work<'_>, id: OneTimeId, now: Now) -> rusqlite::Result<Option<Invitation>> {
    work.sql
        .prepare_cached(select!("AND invitation.id = ?2"))?
        .query_row(params![now.wall.as_millis(), id.0], from_row)
        .optional()
}

/// Whether a token is that of no invitation, or of one that is good.
pub(super) fn backs(sql: &Connection, id: OneTimeId, now: Now) -> rusqlite::Result<bool> {
    sql.prepare_cached(concat!(
        "SELECT NOT EXISTS (SELECT 1 FROM one_time_tokens
                            WHERE id = ?2 AND purpose = 'accept_invitation')
             OR EXISTS (",
        select!("AND invitation.id = ?2"),
        ")"
    ))?
    .query_row(params![now.wall.as_millis(), id.0], |row| row.get(0))
}

/// What somebody who may not invite any more has left. Nobody gets it back with the role.
pub(super) fn forget_those_of(work: &Work<'_>, host: UserId) -> rusqlite::Result<()> {
    work.sql
        .prepare_cached(
            "DELETE FROM one_time_tokens
             WHERE id IN (SELECT id FROM invitations WHERE invited_by = ?1)",
        )?
        .execute([host.0])
        .map(|_| ())
}

/// The invitation goes with its token.
fn forget(work: &Work<'_>, id: OneTimeId) -> rusqlite::Result<()> {
    work.sql.execute("DELETE FROM one_time_tokens WHERE id = ?1", [id.0]).map(|_| ())
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Invitation> {
    let role: String = row.get(2)?;
    Ok(Invitation {
        id: OneTimeId(row.get(0)?),
        email: Email::from_stored(row.get(1)?),
        // The table's CHECK admits no other; the lesser role is the safe reading.
        role: Role::parse(&role).unwrap_or(Role::User),
        invited_by: row.get::<_, Option<Uuid>>(3)?.map(UserId),
        created_at: Timestamp::from_millis(row.get(4)?),
        expires_at: Timestamp::from_millis(row.get(5)?),
    })
}
