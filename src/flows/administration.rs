//! What an administrator does to accounts, over HTTP. The shell's way is in `accounts.rs`.
//!
//! That the caller is an administrator is the guard's business; that one is left is the store's,
//! inside the transaction.

use std::sync::Arc;

use super::authenticate::Caller;
use crate::app::App;
use crate::clock::random;
use crate::domain::account::{Email, User};
use crate::domain::claims::Role;
use crate::domain::id::{SessionId, UserId};
use crate::domain::password::Password;
use crate::domain::session::{Client, EndReason, Session};
use crate::fault::Fault;
use crate::store::{
    By, Changed, EventFilter, EventSeq, NewUser, Page, Recorded, UserChange, UserFilter,
};

/// Why something was not done.
#[derive(Debug)]
pub enum Refusal {
    /// There is no such user, or session of theirs.
    NotFound,
    /// The address belongs to an account.
    EmailTaken,
    /// Nobody would be left who can administer.
    LastAdmin,
    /// The server's own fault.
    Internal(Fault),
}

impl<F: Into<Fault>> From<F> for Refusal {
    fn from(fault: F) -> Self {
        Self::Internal(fault.into())
    }
}

/// An account to be made.
pub struct NewAccount {
    /// Its address.
    pub email: Email,
    /// Its password. Without one nobody can sign in on it until one is set.
    pub password: Option<Password>,
    /// Its role.
    pub role: Role,
    /// Whether the address is known to be theirs.
    pub is_verified: bool,
}

/// What is to become of an account; `None` is to stay as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Changes {
    /// The role.
    pub role: Option<Role>,
    /// Whether the address is known to be theirs.
    pub is_verified: Option<bool>,
    /// Whether they are kept out.
    pub is_disabled: Option<bool>,
}

fn by(caller: &Caller, client: Client) -> By {
    By { actor: Some(caller.user_id()), client }
}

/// Users, the newest first, from the one before `before`.
pub async fn list_users(
    app: &App,
    filter: UserFilter,
    before: Option<UserId>,
    limit: u32,
) -> Result<Page<User, UserId>, Fault> {
    app.store.find_users(filter, before, limit).await
}

/// Makes an account, whatever `registration` says, and signs nobody in.
pub async fn create_user(
    app: &App,
    caller: &Caller,
    account: NewAccount,
    client: Client,
) -> Result<User, Refusal> {
    let now = app.clock.now();
    let NewAccount { email, password, role, is_verified } = account;
    let id = UserId::new(now.wall, &random(&*app.entropy)?);
    let password_hash = match password {
        Some(password) => app.hasher.hash(password, random(&*app.entropy)?).await?,
        None => String::new(),
    };
    let new = NewUser { id, email, password_hash, role, is_verified };
    app.store.add_user(new, by(caller, client), now).await?.ok_or(Refusal::EmailTaken)
}

/// An account.
pub async fn get_user(app: &App, id: UserId) -> Result<Arc<User>, Refusal> {
    app.store.find_user(id).await?.ok_or(Refusal::NotFound)
}

/// Changes an account: all that is asked for, or nothing.
pub async fn update_user(
    app: &App,
    caller: &Caller,
    id: UserId,
    changes: Changes,
    client: Client,
) -> Result<User, Refusal> {
    let Changes { role, is_verified, is_disabled } = changes;
    let state = is_disabled.map(|it| if it { UserChange::Disable } else { UserChange::Enable });
    let changes = [role.map(UserChange::Role), is_verified.map(UserChange::Verified), state];
    change(app, caller, id, changes.into_iter().flatten().collect(), client).await
}

/// Deletes an account and its sessions.
pub async fn delete_user(
    app: &App,
    caller: &Caller,
    id: UserId,
    client: Client,
) -> Result<(), Refusal> {
    change(app, caller, id, vec![UserChange::Delete], client).await.map(|_| ())
}

async fn change(
    app: &App,
    caller: &Caller,
    id: UserId,
    changes: Vec<UserChange>,
    client: Client,
) -> Result<User, Refusal> {
    let by = by(caller, client);
    match app.store.administer(id, changes, by, app.clock.now()).await? {
        Changed::Done(user) | Changed::Already(user) => Ok(user),
        Changed::NoSuchUser => Err(Refusal::NotFound),
        Changed::LastAdmin => Err(Refusal::LastAdmin),
    }
}

/// The live sessions of a user, the most recently used first.
pub async fn list_sessions(app: &App, user: UserId) -> Result<Vec<Session>, Refusal> {
    get_user(app, user).await?;
    Ok(app.store.list_sessions(Some(user), app.clock.now()).await?)
}

/// Ends one live session of a user.
pub async fn revoke_session(
    app: &App,
    caller: &Caller,
    user: UserId,
    session: SessionId,
    client: Client,
) -> Result<(), Refusal> {
    let (by, now) = (by(caller, client), app.clock.now());
    let ended = app.store.end_session_of(user, session, by, now).await?;
    if ended { Ok(()) } else { Err(Refusal::NotFound) }
}

/// Ends all of a user's sessions.
pub async fn revoke_sessions(
    app: &App,
    caller: &Caller,
    user: UserId,
    client: Client,
) -> Result<(), Refusal> {
    get_user(app, user).await?;
    let (by, now) = (by(caller, client), app.clock.now());
    app.store.end_sessions_of(user, EndReason::Revoked, by, now).await?;
    Ok(())
}

/// The audit trail, the latest first, from the event before `before`.
pub async fn list_events(
    app: &App,
    filter: EventFilter,
    before: Option<EventSeq>,
    limit: u32,
) -> Result<Page<Recorded, EventSeq>, Fault> {
    app.store.list_events(filter, before, limit).await
}
