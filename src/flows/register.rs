//! Making an account and signing in on it.

use super::login::Visitor;
use super::mint::{Issued, Opening};
use crate::app::App;
use crate::clock::random;
use crate::config::Registration;
use crate::domain::account::Email;
use crate::domain::claims::Role;
use crate::domain::id::UserId;
use crate::domain::password::Password;
use crate::domain::throttle::RetryAfter;
use crate::fault::Fault;
use crate::metric;
use crate::store::NewUser;

/// Why an account was not made.
#[derive(Debug)]
pub enum Refusal {
    /// Accounts are made by an operator only.
    Closed,
    /// Too many registrations from this address.
    TooManyAttempts(RetryAfter),
    /// The address belongs to an account.
    EmailTaken,
    /// The server's own fault.
    Internal(Fault),
}

impl<F: Into<Fault>> From<F> for Refusal {
    fn from(fault: F) -> Self {
        Self::Internal(fault.into())
    }
}

/// Makes an account and starts its first session.
pub async fn register(
    app: &App,
    email: Email,
    password: Password,
    visitor: Visitor,
) -> Result<Issued, Refusal> {
    if app.config.registration == Registration::Closed {
        return Err(Refusal::Closed);
    }
    let now = app.clock.now();
    app.throttles.register(visitor.address, now).map_err(Refusal::TooManyAttempts)?;
    let address = visitor.address;
    let outcome = create(app, email, password, visitor, now).await;
    if matches!(outcome, Err(Refusal::Internal(_))) {
        app.throttles.refund_register(address, now);
    }
    outcome
}

async fn create(
    app: &App,
    email: Email,
    password: Password,
    visitor: Visitor,
    now: crate::domain::time::Now,
) -> Result<Issued, Refusal> {
    let salt = random(&*app.entropy)?;
    let user = NewUser {
        id: UserId::new(now.wall, &random(&*app.entropy)?),
        email,
        password_hash: app.hasher.hash(password, salt).await?,
        role: Role::User,
        is_verified: false,
    };
    let opening = Opening::new(app, visitor.client, visitor.replaces, visitor.remember, now)?;
    let started = app.store.register(user, opening.new.clone(), now).await?;
    let started = started.ok_or(Refusal::EmailTaken)?;
    metrics::counter!(metric::SIGN_INS, "how" => "register").increment(1);
    Ok(opening.mint(app, started, now)?)
}
