//! What is done by links in mails: verifying an address, resetting a password, changing the address.

use std::net::IpAddr;

use super::authenticate::Caller;
use super::evenly::evenly;
use super::throttles::{self, Counted};
use super::{keys, password};
use crate::app::App;
use crate::clock::random;
use crate::domain::account::Email;
use crate::domain::id::OneTimeId;
use crate::domain::one_time::Purpose;
use crate::domain::password::Password;
use crate::domain::session::Client;
use crate::domain::throttle::RetryAfter;
use crate::domain::time::Now;
use crate::fault::Fault;
use crate::store::Redeemed;

/// Why a link did nothing, or was not sent.
#[derive(Debug)]
pub enum Refusal {
    /// Too many requests from this address, or for this account.
    TooManyAttempts(RetryAfter),
    /// The token is made up, was used, has expired or is for something else.
    InvalidToken,
    /// The address belongs to another account by now.
    EmailTaken,
    /// The server's own fault.
    Internal(Fault),
}

impl<F: Into<Fault>> From<F> for Refusal {
    fn from(fault: F) -> Self {
        Self::Internal(fault.into())
    }
}

/// Who asks, from where.
pub struct Visitor {
    /// The address, for the limits.
    pub address: Option<IpAddr>,
    /// The device, for the audit trail.
    pub client: Client,
}

/// Has a link to reset the password sent to the account with this address. Nobody learns whether
/// there is one.
pub async fn forgot_password(app: &App, email: Email, visitor: Visitor) -> Result<(), Refusal> {
    let now = app.clock.now();
    let token = new_token(app, now)?;
    let counted = throttles::mail(app, &email, visitor.address, &visitor.client, now).await?;
    let counted = counted.map_err(Refusal::TooManyAttempts)?;
    let asked = evenly(app.store.request_password_reset(email, token, visitor.client, now)).await;
    Ok(counted.unless_fault(asked)?)
}

/// Sets another password by a link, and ends all sessions. Nobody is signed in by it.
pub async fn reset_password(
    app: &App,
    token: &str,
    new: Password,
    visitor: Visitor,
) -> Result<(), Refusal> {
    let now = app.clock.now();
    let salt = random(&*app.entropy)?;
    let (id, counted) = open(app, token, Purpose::ResetPassword, visitor.address, now).await?;
    let reset = async {
        let hash = app.hasher.hash(new, salt).await?;
        app.store.reset_password(id, hash, visitor.client, now).await
    };
    settle(counted, reset.await)
}

/// Has a link to verify the address sent, if it has an account that is not verified. Nobody learns
/// whether it has.
pub async fn resend_verification(app: &App, email: Email, visitor: Visitor) -> Result<(), Refusal> {
    let now = app.clock.now();
    let token = new_token(app, now)?;
    let counted = throttles::mail(app, &email, visitor.address, &visitor.client, now).await?;
    let counted = counted.map_err(Refusal::TooManyAttempts)?;
    let asked = evenly(app.store.request_verification(email, token, now)).await;
    Ok(counted.unless_fault(asked)?)
}

/// Verifies an address by a link.
pub async fn verify_email(app: &App, token: &str, visitor: Visitor) -> Result<(), Refusal> {
    let now = app.clock.now();
    let (id, counted) = open(app, token, Purpose::VerifyEmail, visitor.address, now).await?;
    settle(counted, app.store.verify_email(id, visitor.client, now).await)
}

/// Has a link sent to a new address for the caller's account. Asks for the password.
pub async fn request_email_change(
    app: &App,
    caller: &Caller,
    password: Password,
    new: Email,
    visitor: Visitor,
) -> Result<(), password::Refusal> {
    let now = app.clock.now();
    let account = password::confirm(app, caller, password, visitor.address, now).await?;
    let token = new_token(app, now)?;
    let counted = throttles::mail(app, &new, visitor.address, &visitor.client, now).await?;
    let counted = counted.map_err(password::Refusal::TooManyAttempts)?;
    let asked =
        evenly(app.store.request_email_change(account, new, token, visitor.client, now)).await;
    counted.unless_fault(asked)?.then_some(()).ok_or(password::Refusal::SessionExpired)
}

/// Changes the address of an account by a link that was sent to the new one.
pub async fn change_email(app: &App, token: &str, visitor: Visitor) -> Result<(), Refusal> {
    let now = app.clock.now();
    let undo = new_token(app, now)?;
    let (id, counted) = open(app, token, Purpose::ChangeEmail, visitor.address, now).await?;
    settle(counted, app.store.change_email(id, undo, visitor.client, now).await)
}

/// Gives an account its former address back by a link that was sent there, and ends all sessions.
pub async fn undo_email_change(app: &App, token: &str, visitor: Visitor) -> Result<(), Refusal> {
    let now = app.clock.now();
    let (id, counted) = open(app, token, Purpose::UndoEmailChange, visitor.address, now).await?;
    settle(counted, app.store.undo_email_change(id, visitor.client, now).await)
}

/// The id of a one-time token to be made.
pub(super) fn new_token(app: &App, now: Now) -> Result<OneTimeId, Fault> {
    Ok(OneTimeId::new(now.wall, &random(&*app.entropy)?))
}

/// Opens a token that is good at the moment. What is made up is refused before the database is asked,
/// and before a password is hashed for it.
async fn open<'a>(
    app: &'a App,
    token: &str,
    purpose: Purpose,
    address: Option<IpAddr>,
    now: Now,
) -> Result<(OneTimeId, Counted<'a>), Refusal> {
    let presented = present(app, token, address, now).await?;
    let (id, counted) = presented.map_err(Refusal::TooManyAttempts)?;
    let id = id.ok_or(Refusal::InvalidToken)?;
    match app.store.is_good(id, purpose, now).await {
        Ok(true) => Ok((id, counted)),
        Ok(false) => Err(Refusal::InvalidToken),
        Err(fault) => Ok(counted.unless_fault(Err(fault))?),
    }
}

/// Counts the use of a link, and gives the id of its token, if one of the keys has made it.
pub(super) async fn present<'a>(
    app: &'a App,
    token: &str,
    address: Option<IpAddr>,
    now: Now,
) -> Result<Result<(Option<OneTimeId>, Counted<'a>), RetryAfter>, Fault> {
    let id = app.keys.current().open_one_time(token);
    let counted = match app.throttles.redeem(id, address, now) {
        Ok(counted) => counted,
        Err(wait) => return Ok(Err(wait)),
    };
    if id.is_some() {
        return Ok(Ok((id, counted)));
    }
    // It does not say which key it was: that may have come meanwhile.
    match keys::look_again(app).await {
        Ok(keyring) => Ok(Ok((keyring.open_one_time(token), counted))),
        Err(fault) => counted.unless_fault(Err(fault)),
    }
}

/// A link that was good counts for nothing: those who share an address have many of them.
fn settle(counted: Counted<'_>, redeemed: Result<Redeemed, Fault>) -> Result<(), Refusal> {
    match counted.unless_good(redeemed, |redeemed| *redeemed == Redeemed::Done)? {
        Redeemed::Done => Ok(()),
        Redeemed::Invalid => Err(Refusal::InvalidToken),
        Redeemed::EmailTaken => Err(Refusal::EmailTaken),
    }
}
