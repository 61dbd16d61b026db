//! Making an account and signing in on it.

use super::evenly::evenly;
use super::login::Visitor;
use super::mint::{Issued, Opening};
use super::recovery::new_token;
use super::throttles;
use crate::app::App;
use crate::clock::random;
use crate::config::Registration;
use crate::domain::account::{Email, User};
use crate::domain::claims::Role;
use crate::domain::id::UserId;
use crate::domain::password::Password;
use crate::domain::throttle::RetryAfter;
use crate::domain::time::Now;
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

/// What became of a registration.
pub enum Registered {
    /// The account is there and signed in.
    SignedIn(Box<Issued>),
    /// A mail is on its way: the address has to be verified first. This is what the account looks like,
    /// if it was not there before.
    Pending(User),
}

/// Makes an account and starts its first session, unless its address has to be verified first.
pub async fn register(
    app: &App,
    email: Email,
    password: Password,
    visitor: Visitor,
) -> Result<Registered, Refusal> {
    if app.config.registration != Registration::Open {
        return Err(Refusal::Closed);
    }
    let now = app.clock.now();
    let counted = app.throttles.register(&email, visitor.address, now);
    let counted = counted.map_err(Refusal::TooManyAttempts)?;
    let outcome = create(app, email, password, visitor, now).await;
    if matches!(outcome, Err(Refusal::Internal(_))) {
        counted.take_back();
    }
    outcome
}

async fn create(
    app: &App,
    email: Email,
    password: Password,
    visitor: Visitor,
    now: Now,
) -> Result<Registered, Refusal> {
    let salt = random(&*app.entropy)?;
    let user = NewUser {
        id: UserId::new(now.wall, &random(&*app.entropy)?),
        email,
        password_hash: app.hasher.hash(password, salt).await?,
        role: Role::User,
        is_verified: false,
    };
    if app.config.require_verified_email {
        return pend(app, user, visitor, now).await;
    }
    let mut opening = Opening::new(app, visitor.client, visitor.replaces, visitor.remember, now)?;
    let register = |new| app.store.register(user.clone(), new, now);
    let started = opening.store(app, register).await?;
    let started = started.ok_or(Refusal::EmailTaken)?;
    metrics::counter!(metric::SIGN_INS, "how" => "register").increment(1);
    Ok(Registered::SignedIn(Box::new(opening.mint(app, started, now)?)))
}

/// Makes an account that has yet to be verified. Who asks does not learn whether it was there before.
async fn pend(app: &App, new: NewUser, visitor: Visitor, now: Now) -> Result<Registered, Refusal> {
    let user = User {
        id: new.id,
        email: new.email.clone(),
        role: new.role,
        is_verified: new.is_verified,
        disabled_at: None,
        created_at: now.wall,
        updated_at: now.wall,
    };
    let token = new_token(app, now)?;
    let counted = throttles::mail(app, &user.email, visitor.address, &visitor.client, now).await?;
    let counted = counted.map_err(Refusal::TooManyAttempts)?;
    let made = evenly(app.store.register_unverified(new, token, visitor.client, now)).await;
    counted.unless_fault(made)?;
    Ok(Registered::Pending(user))
}
