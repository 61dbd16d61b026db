//! What only the owner of the password may do: changing it, deleting the account.

use std::net::IpAddr;

use super::authenticate::Caller;
use super::login::Visitor;
use super::mint::{Issued, Opening};
use crate::app::App;
use crate::clock::random;
use crate::crypto::hasher::Match;
use crate::domain::password::Password;
use crate::domain::session::Client;
use crate::domain::throttle::RetryAfter;
use crate::domain::time::Now;
use crate::fault::Fault;
use crate::store::{Account, Changed};

/// Why it was refused.
#[derive(Debug)]
pub enum Refusal {
    /// Too many wrong passwords for this account from this address, or in this session.
    TooManyAttempts(RetryAfter),
    /// The current password is another one.
    WrongPassword,
    /// The account was deleted, disabled or given another password this very moment.
    SessionExpired,
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

/// Changes the caller's password, ends all their sessions and starts another one on this device:
/// neither a copied access token nor a copied refresh token, nor its parent, is worth anything then.
pub async fn change(
    app: &App,
    caller: &Caller,
    current: Password,
    new: Password,
    visitor: Visitor,
) -> Result<Issued, Refusal> {
    let now = app.clock.now();
    let account = confirm(app, caller, current, visitor.address, now).await?;
    let hash = app.hasher.hash(new, random(&*app.entropy)?).await?;
    let opening = Opening::new(app, visitor.client, None, visitor.remember, now)?;
    let changed = app.store.change_password(account, hash, opening.new.clone(), now).await?;
    let started = changed.ok_or(Refusal::SessionExpired)?;
    Ok(opening.mint(app, started, now)?)
}

/// Deletes the caller's account, with all that belongs to it.
pub async fn delete_account(
    app: &App,
    caller: &Caller,
    password: Password,
    address: Option<IpAddr>,
    client: Client,
) -> Result<(), Refusal> {
    let now = app.clock.now();
    let account = confirm(app, caller, password, address, now).await?;
    match app.store.delete_account(account, client.into(), now).await? {
        Changed::Done(_) | Changed::Already(_) => Ok(()),
        Changed::NoSuchUser => Err(Refusal::SessionExpired),
        Changed::LastAdmin => Err(Refusal::LastAdmin),
    }
}

/// The caller's account, if the password is theirs. Counts as an attempt to sign in: whoever has
/// found an open browser is not to guess on. But nobody else can use up the owner's attempts.
pub(super) async fn confirm(
    app: &App,
    caller: &Caller,
    password: Password,
    address: Option<IpAddr>,
    now: Now,
) -> Result<Account, Refusal> {
    let account = app.store.find_account(caller.user_id()).await?;
    let account = account.ok_or(Refusal::SessionExpired)?;
    let (email, session) = (&account.user.email, caller.session_id());
    let attempt = app.throttles.confirm(email, session, address, now);
    let mut attempt = attempt.map_err(Refusal::TooManyAttempts)?;
    let found = app.hasher.verify(password, Some(account.password_hash.clone())).await;
    if matches!(found, Ok(Match::Wrong)) {
        attempt.failed();
    }
    attempt.take_back();
    match found? {
        Match::Wrong => Err(Refusal::WrongPassword),
        Match::Right | Match::RightButOutdated => Ok(account),
    }
}
