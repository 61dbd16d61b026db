//! Signing in with a password.

use std::net::IpAddr;

use super::evenly::Evenly;
use super::mint::{Issued, Opening};
use super::throttles::{self, PasswordAttempt};
use crate::app::App;
use crate::clock::random;
use crate::crypto::hasher::Match;
use crate::domain::account::Email;
use crate::domain::id::{SessionId, UserId};
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
    /// Whether the sign-in is to outlive the browser's window; otherwise it ends after a day.
    pub remember: bool,
}

/// Why a sign-in was refused.
#[derive(Debug)]
pub enum Refusal {
    /// Too many failed logins for this account, or from this address.
    TooManyAttempts(RetryAfter),
    /// Unknown address or wrong password; which one is not told.
    InvalidCredentials,
    /// The right password of a disabled account.
    AccountDisabled,
    /// The right password of an account whose address has yet to be verified.
    EmailNotVerified,
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
    let started = Evenly::start();
    let now = app.clock.now();
    let attempt = throttles::login(app, &email, visitor.address, &visitor.client, now).await?;
    let mut attempt = attempt.map_err(Refusal::TooManyAttempts)?;
    let outcome = sign_in(app, &email, &password, visitor, &mut attempt, started, now).await;
    // Whoever has gone away meanwhile does not come here.
    attempt.take_back();
    outcome
}

async fn sign_in(
    app: &App,
    email: &Email,
    password: &Password,
    visitor: Visitor,
    attempt: &mut PasswordAttempt<'_>,
    started: Evenly,
    now: Now,
) -> Result<Issued, Refusal> {
    let opening = Opening::new(app, visitor.client, visitor.replaces, visitor.remember, now)?;
    // Between the check and the start the account may have changed: another login has stored
    // a better hash, an operator has disabled it. Then the check counts for nothing.
    for _ in 0..RETRIES {
        let checked = match check(app, email, password).await? {
            Check::Right(checked) => checked,
            Check::Wrong(account) => {
                attempt.failed();
                record(app, account, opening.new.client, now);
                started.finish().await;
                return Err(Refusal::InvalidCredentials);
            }
            Check::Disabled(account) => {
                attempt.failed();
                record(app, Some(account), opening.new.client, now);
                return Err(Refusal::AccountDisabled);
            }
        };
        let started = app
            .store
            .start_session(checked.user, checked.password_hash, checked.rehashed, &opening.new, now)
            .await?;
        if let Some(started) = started {
            metrics::counter!(metric::SIGN_INS, "how" => "login").increment(1);
            return Ok(opening.mint(app, started, now)?);
        }
    }
    Err(Fault::unavailable("the account keeps changing").into())
}

/// How often an account may change under a login.
const RETRIES: usize = 8;

/// An account whose password was right.
struct Checked {
    user: UserId,
    password_hash: String,
    /// The hash at the current costs, where the stored one has others.
    rehashed: Option<String>,
}

/// What came of a comparison.
enum Check {
    Right(Checked),
    /// Wrong for this account, or there is none.
    Wrong(Option<UserId>),
    /// Right for this account, which is disabled.
    Disabled(UserId),
}

/// Writes a refusal to the trail of the account, if there is one. There are no more of them than
/// the limits let through, and nobody waits for it: see the store.
fn record(app: &App, account: Option<UserId>, client: Client, now: Now) {
    let Some(account) = account else { return };
    if let Err(fault) = app.store.note_refused_sign_in(account, client, now) {
        tracing::warn!(%fault, user = %account, "a refused sign-in is not recorded");
    }
}

/// Looks the account up and compares the password.
async fn check(app: &App, email: &Email, password: &Password) -> Result<Check, Refusal> {
    let account = app.store.find_account_by_email(email.clone()).await?;
    let stored = account.as_ref().map(|account| account.password_hash.clone());
    let found = app.hasher.verify(password.clone(), stored).await?;
    let Some(Account { user, password_hash }) = account else {
        return Ok(Check::Wrong(None));
    };
    if found == Match::Wrong {
        return Ok(Check::Wrong(Some(user.id)));
    }
    if user.disabled_at.is_some() {
        return Ok(Check::Disabled(user.id));
    }
    if app.config.require_verified_email && !user.is_verified {
        return Err(Refusal::EmailNotVerified);
    }
    let rehashed = match found {
        Match::RightButOutdated => {
            Some(app.hasher.hash(password.clone(), random(&*app.entropy)?).await?)
        }
        Match::Right | Match::Wrong => None,
    };
    Ok(Check::Right(Checked { user: user.id, password_hash, rehashed }))
}
