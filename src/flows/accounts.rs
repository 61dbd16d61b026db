//! What an operator does to accounts and to the sessions of others.
//!
//! These take the parts that they need rather than the whole [`App`], so that a command can run
//! them without starting a server.
//!
//! [`App`]: crate::app::App

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use uuid::Uuid;

use super::invitations;
use crate::clock::{Clock, Entropy, random};
use crate::crypto::hasher::Hasher;
use crate::domain::account::{Email, User};
use crate::domain::claims::Role;
use crate::domain::id::{OneTimeId, SessionId, UserId};
use crate::domain::password::Password;
use crate::domain::session::{Client, EndReason, Session};
use crate::fault::Fault;
pub use crate::store::Changed;
use crate::store::{By, Invitation, NewUser, Store, UserChange};

/// A user as an operator names them: by e-mail address or by id. No text is both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserRef {
    /// The address, in the form in which it is kept.
    Email(Email),
    /// The id.
    Id(UserId),
}

/// A text is neither an e-mail address nor a user's id. Never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an e-mail address such as ana@example.com, or a user's id (a UUID)")]
pub struct NotAUserRef;

impl FromStr for UserRef {
    type Err = NotAUserRef;

    fn from_str(text: &str) -> Result<Self, NotAUserRef> {
        match Uuid::parse_str(text) {
            Ok(id) => Ok(Self::Id(UserId(id))),
            Err(_) => Email::parse(text).map(Self::Email).map_err(|_| NotAUserRef),
        }
    }
}

impl fmt::Display for UserRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Email(email) => email.fmt(f),
            Self::Id(id) => id.fmt(f),
        }
    }
}

/// An account to be made.
#[derive(Debug)]
pub struct NewAccount {
    /// Its address.
    pub email: Email,
    /// Its first password.
    pub password: Password,
    /// Its role.
    pub role: Role,
    /// Whether the address is known to be theirs.
    pub is_verified: bool,
}

/// Whose sessions are to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoke {
    /// This one.
    Session(SessionId),
    /// All of this user's.
    User(UserId),
    /// Everybody's.
    All,
}

/// Makes an account, whatever `registration` says, and signs nobody in. `None` when the address
/// belongs to one already.
pub async fn add_user(
    store: &Store,
    hasher: &Hasher,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    account: NewAccount,
) -> Result<Option<User>, Fault> {
    let now = clock.now();
    let NewAccount { email, password, role, is_verified } = account;
    let id = UserId::new(now.wall, &random(entropy)?);
    let password_hash = hasher.hash(password, random(entropy)?).await?;
    store.create_user(NewUser { id, email, password_hash, role, is_verified }, now).await
}

/// Invites somebody to make an account; with `is_mailed` the link is sent to them. `None` when the
/// address belongs to an account.
pub async fn invite(
    store: &Store,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    email: Email,
    role: Role,
    is_mailed: bool,
) -> Result<Option<Invitation>, Fault> {
    let now = clock.now();
    let id = OneTimeId::new(now.wall, &random(entropy)?);
    let invitation = invitations::draft(id, email, role, None, now);
    store.invite(invitation, is_mailed, By::default(), now).await
}

/// The user who is meant. `None` when there is no such account.
pub async fn find_user(store: &Store, user: &UserRef) -> Result<Option<User>, Fault> {
    match user {
        UserRef::Id(id) => Ok(store.find_user(*id).await?.map(Arc::unwrap_or_clone)),
        UserRef::Email(email) => {
            Ok(store.find_account_by_email(email.clone()).await?.map(|account| account.user))
        }
    }
}

/// Gives an account another password and ends its sessions.
pub async fn set_password(
    store: &Store,
    hasher: &Hasher,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    user: &UserRef,
    password: Password,
) -> Result<Changed, Fault> {
    let hash = hasher.hash(password, random(entropy)?).await?;
    change(store, clock, user, UserChange::PasswordHash(hash)).await
}

/// Gives an account another role; its access tokens become stale.
pub async fn set_role(
    store: &Store,
    clock: &dyn Clock,
    user: &UserRef,
    role: Role,
) -> Result<Changed, Fault> {
    change(store, clock, user, UserChange::Role(role)).await
}

/// Says whether an account's address is known to be its user's; its access tokens become stale.
pub async fn set_verified(
    store: &Store,
    clock: &dyn Clock,
    user: &UserRef,
    is_verified: bool,
) -> Result<Changed, Fault> {
    change(store, clock, user, UserChange::Verified(is_verified)).await
}

/// Ends an account's sessions and lets it start no new ones.
pub async fn disable(store: &Store, clock: &dyn Clock, user: &UserRef) -> Result<Changed, Fault> {
    change(store, clock, user, UserChange::Disable).await
}

/// Lets a disabled account sign in again.
pub async fn enable(store: &Store, clock: &dyn Clock, user: &UserRef) -> Result<Changed, Fault> {
    change(store, clock, user, UserChange::Enable).await
}

/// Deletes an account and its sessions.
pub async fn delete(store: &Store, clock: &dyn Clock, user: &UserRef) -> Result<Changed, Fault> {
    change(store, clock, user, UserChange::Delete).await
}

/// Makes a change as the shell does: by nobody in particular.
async fn change(
    store: &Store,
    clock: &dyn Clock,
    user: &UserRef,
    change: UserChange,
) -> Result<Changed, Fault> {
    let Some(user) = find_user(store, user).await? else {
        return Ok(Changed::NoSuchUser);
    };
    store.administer(user.id, vec![change], By::default(), clock.now()).await
}

/// The live sessions of a user, or of everybody, the most recently used first.
pub async fn list_sessions(
    store: &Store,
    clock: &dyn Clock,
    user: Option<UserId>,
) -> Result<Vec<Session>, Fault> {
    store.list_sessions(user, clock.now()).await
}

/// Ends sessions, and their access tokens with them; how many there were.
pub async fn revoke_sessions(
    store: &Store,
    clock: &dyn Clock,
    which: Revoke,
) -> Result<usize, Fault> {
    let (reason, nobody, now) = (EndReason::Revoked, Client::default(), clock.now());
    match which {
        Revoke::Session(id) => store.end_session(id, reason, nobody, now).await.map(usize::from),
        Revoke::User(id) => store.end_sessions_of(id, reason, nobody, now).await,
        Revoke::All => store.end_all_sessions(reason, now).await,
    }
}
