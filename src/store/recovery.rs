//! What is done by the links in mails: an address is verified or changed, a password is reset.

use rusqlite::{OptionalExtension as _, params};

use super::Store;
use super::audit::Event;
use super::one_time;
use super::revocations::Revocation;
use super::sessions::{self, Which};
use super::users::{self, Account, NewUser, UserChange};
use super::writer::Work;
use crate::domain::account::{Email, User};
use crate::domain::id::{OneTimeId, UserId};
use crate::domain::mail::{About, Mail};
use crate::domain::one_time::Purpose;
use crate::domain::session::{Client, EndReason};
use crate::domain::time::Now;
use crate::fault::Fault;

/// What became of a token that was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redeemed {
    /// It was good, and is used up.
    Done,
    /// It is good for nothing (any more).
    Invalid,
    /// The address belongs to another account by now.
    EmailTaken,
}

impl Store {
    /// Writes to the account with this address how its password is reset. Does the same work when
    /// there is none.
    pub async fn request_password_reset(
        &self,
        email: Email,
        token: OneTimeId,
        client: Client,
        now: Now,
    ) -> Result<(), Fault> {
        self.write(move |work| {
            let user = by_email(work, &email)?.filter(|user| user.disabled_at.is_none());
            work.issue(token, Purpose::ResetPassword, user.as_ref().map(|it| it.id), &email, now)?;
            let Some(user) = user else { return Ok(()) };
            work.audit(Event::PasswordResetRequested, Some(user.id), None, &client, now)?;
            work.send(&Mail { to: user.email, about: About::ResetPassword { token } }, now)
        })
        .await
    }

    /// Writes to the account with this address how it is verified, if it is not. Does the same work
    /// when there is none.
    pub async fn request_verification(
        &self,
        email: Email,
        token: OneTimeId,
        now: Now,
    ) -> Result<(), Fault> {
        self.write(move |work| {
            let user = by_email(work, &email)?;
            let user = user.filter(|user| user.disabled_at.is_none() && !user.is_verified);
            work.issue(token, Purpose::VerifyEmail, user.as_ref().map(|it| it.id), &email, now)?;
            let Some(user) = user else { return Ok(()) };
            work.send(&Mail { to: user.email, about: About::VerifyEmail { token } }, now)
        })
        .await
    }

    /// Makes an account that has yet to be verified, without signing it in, and writes to its address;
    /// also when that has an account already, which is then told so. Nobody else learns which.
    pub async fn register_unverified(
        &self,
        new: NewUser,
        token: OneTimeId,
        client: Client,
        now: Now,
    ) -> Result<(), Fault> {
        self.write(move |work| {
            let email = new.email.clone();
            let made = users::insert(work, &new, &client.into(), now)?;
            work.issue(token, Purpose::VerifyEmail, made.map(|user| user.id), &email, now)?;
            let is_new = one_time::find(work.sql, token, Purpose::VerifyEmail, now)?.is_some();
            let about =
                if is_new { About::VerifyEmail { token } } else { About::AlreadyRegistered };
            work.send(&Mail { to: email, about }, now)
        })
        .await
    }

    /// Whether a token is good at the moment, for who would do a lot of work for nothing.
    pub async fn is_good(&self, id: OneTimeId, purpose: Purpose, now: Now) -> Result<bool, Fault> {
        self.read(move |sql| Ok(one_time::find(sql, id, purpose, now)?.is_some())).await
    }

    /// Marks the address that a token was sent to as verified, if it is still that of the account.
    pub async fn verify_email(
        &self,
        id: OneTimeId,
        client: Client,
        now: Now,
    ) -> Result<Redeemed, Fault> {
        self.write(move |work| {
            let Some(issued) = work.consume(id, Purpose::VerifyEmail, now)? else {
                return Ok(Redeemed::Invalid);
            };
            if issued.user.email != issued.email {
                return Ok(Redeemed::Invalid);
            }
            set_email(work, &issued.user, &issued.email, now)?;
            work.audit(Event::Verified, Some(issued.user.id), None, &client, now)?;
            Ok(Redeemed::Done)
        })
        .await
    }

    /// Sets another password and ends all sessions. Whoever reads the mail owns the address: it counts
    /// as verified then.
    pub async fn reset_password(
        &self,
        id: OneTimeId,
        hash: String,
        client: Client,
        now: Now,
    ) -> Result<Redeemed, Fault> {
        self.write(move |work| {
            let Some(issued) = work.consume(id, Purpose::ResetPassword, now)? else {
                return Ok(Redeemed::Invalid);
            };
            if issued.user.email != issued.email {
                return Ok(Redeemed::Invalid);
            }
            users::apply(work, &issued.user, &UserChange::PasswordHash(hash), &client.into(), now)?;
            set_email(work, &issued.user, &issued.email, now)?;
            Ok(Redeemed::Done)
        })
        .await
    }

    /// Writes to a new address how it becomes that of an account whose password was checked. When it
    /// has an account already, that is told so; the caller is not. Whether the account is unchanged.
    pub async fn request_email_change(
        &self,
        checked: Account,
        new: Email,
        token: OneTimeId,
        client: Client,
        now: Now,
    ) -> Result<bool, Fault> {
        self.write(move |work| {
            let Some(user) = users::unchanged(work, &checked)? else { return Ok(false) };
            let is_taken = by_email(work, &new)?.is_some();
            let whose = (!is_taken).then_some(user.id);
            work.issue(token, Purpose::ChangeEmail, whose, &new, now)?;
            work.audit(Event::EmailChangeRequested, Some(user.id), None, &client, now)?;
            let about = if is_taken {
                About::AlreadyRegistered
            } else {
                About::ConfirmEmailChange { token }
            };
            work.send(&Mail { to: new, about }, now)?;
            Ok(true)
        })
        .await
    }

    /// Makes the address that a token was sent to that of the account, and writes to the old one how
    /// that is undone.
    pub async fn change_email(
        &self,
        id: OneTimeId,
        undo: OneTimeId,
        client: Client,
        now: Now,
    ) -> Result<Redeemed, Fault> {
        self.write(move |work| {
            let Some(issued) = work.consume(id, Purpose::ChangeEmail, now)? else {
                return Ok(Redeemed::Invalid);
            };
            if by_email(work, &issued.email)?.is_some() {
                return Ok(Redeemed::EmailTaken);
            }
            let (user, old) = (issued.user.id, issued.user.email.clone());
            set_email(work, &issued.user, &issued.email, now)?;
            work.void_one_time_tokens(user)?;
            work.issue(undo, Purpose::UndoEmailChange, Some(user), &old, now)?;
            work.audit(Event::EmailChanged, Some(user), None, &client, now)?;
            let about = About::EmailChanged { to: issued.email.as_str().to_owned(), undo };
            work.send(&Mail { to: old, about }, now)?;
            Ok(Redeemed::Done)
        })
        .await
    }

    /// Gives an account its former address back and ends all sessions: whoever has changed it may be
    /// signed in.
    pub async fn undo_email_change(
        &self,
        id: OneTimeId,
        client: Client,
        now: Now,
    ) -> Result<Redeemed, Fault> {
        self.write(move |work| {
            let Some(issued) = work.consume(id, Purpose::UndoEmailChange, now)? else {
                return Ok(Redeemed::Invalid);
            };
            let other = by_email(work, &issued.email)?;
            if other.is_some_and(|other| other.id != issued.user.id) {
                return Ok(Redeemed::EmailTaken);
            }
            sessions::end(work, Which::AllOf(issued.user.id), EndReason::Revoked, now)?;
            set_email(work, &issued.user, &issued.email, now)?;
            // Also those that undo a later change: the thief has them.
            work.void_all_one_time_tokens(issued.user.id)?;
            work.audit(Event::EmailChangeUndone, Some(issued.user.id), None, &client, now)?;
            Ok(Redeemed::Done)
        })
        .await
    }
}

fn by_email(work: &Work<'_>, email: &Email) -> rusqlite::Result<Option<User>> {
    let id = work
        .sql
        .prepare_cached("SELECT id FROM users WHERE email = ?1")?
        .query_row([email.as_str()], |row| row.get(0).map(UserId))
        .optional()?;
    id.map(|id| users::by_id(work.sql, id).map(|account| account.user)).transpose()
}

/// Gives a user an address that is known to be theirs.
fn set_email(work: &mut Work<'_>, user: &User, email: &Email, now: Now) -> rusqlite::Result<()> {
    work.sql
        .prepare_cached(
            "UPDATE users SET email = ?2, is_verified = 1, updated_at = ?3 WHERE id = ?1",
        )?
        .execute(params![user.id.0, email.as_str(), now.wall.as_millis()])?;
    let user = User { email: email.clone(), is_verified: true, ..user.clone() };
    work.revoke(Revocation::Claims(user.id, user.identity()), now)
}
