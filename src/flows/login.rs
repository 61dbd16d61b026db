//! Signing in with a password.

use std::net::IpAddr;

use super::mint::{self, Issued, Opening};
use crate::app::App;
use crate::clock::random;
use crate::crypto::hasher::Match;
use crate::domain::account::Email;
use crate::domain::id::SessionId;
use crate::domain::password::Password;
use crate::domain::session::Client;
use crate::domain::throttle::RetryAfter;
use crate::domain::time::Now;
use crate::fault::Fault;
use crate::metric;
use crate::store::Account;

/// Who signs in, from where.
pub struct Visitor {
    /// The address, for the limits.
    pub address: Option<IpAddr>,
    /// The device, for the list of sessions.
    pub client: Client,
    /// The session whose cookie came along: it ends, so that a late answer of it cannot bring
    /// it back over the new one.
    pub replaces: Option<SessionId>,
}

/// Why a sign-in was refused.
#[derive(Debug)]
pub enum Refusal {
    /// Too many failed logins for this account.
    TooManyAttempts(RetryAfter),
    /// Unknown address or wrong password; which one is not told.
    InvalidCredentials,
    /// The right password of a disabled account.
    AccountDisabled,
    /// The server's own fault.
    Internal(Fault),
}

impl<F: Into<Fault>> From<F> for Refusal {
    fn from(fault: F) -> Self {
        Self::Internal(fault.into())
    }
}

/// Checks a password and starts a session.
pub async fn login(
    app: &App,
    email: Email,
    password: Password,
    visitor: Visitor,
) -> Result<Issued, Refusal> {
    let now = app.clock.now();
    let attempt =
        app.throttles.login(&email, visitor.address, now).map_err(Refusal::TooManyAttempts)?;
    let outcome = check(app, email, password, visitor, now).await;
    if !matches!(outcome, Err(Refusal::InvalidCredentials)) {
        app.throttles.refund_login(&attempt);
    }
    outcome
}

async fn check(
    app: &App,
    email: Email,
    password: Password,
    visitor: Visitor,
    now: Now,
) -> Result<Issued, Refusal> {
    let account = app.store.find_account_by_email(email).await?;
    let stored = account.as_ref().map(|account| account.password_hash.clone());
    let found = app.hasher.verify(password.clone(), stored).await?;
    let Some(Account { user, password_hash }) = account.filter(|_| found != Match::Wrong) else {
        return Err(Refusal::InvalidCredentials);
    };
    if user.disabled_at.is_some() {
        return Err(Refusal::AccountDisabled);
    }
    let rehashed = if found == Match::RightButOutdated {
        Some(app.hasher.hash(password, random(&*app.entropy)?).await?)
    } else {
        None
    };
    let opening = Opening::new(app, visitor.client, visitor.replaces, now)?;
    // Between the check and this transaction the account may have changed.
    let started =
        app.store.start_session(user.id, password_hash, rehashed, opening.new, now).await?;
    let started = started.ok_or(Refusal::InvalidCredentials)?;
    metrics::counter!(metric::SIGN_INS, "how" => "login").increment(1);
    Ok(mint::first(app, started, opening.secret, &opening.draw, now)?)
}
