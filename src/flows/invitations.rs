//! Inviting somebody to make an account, and making it by the link.

use super::authenticate::Caller;
use super::login::Visitor;
use super::mint::{Issued, Opening};
use super::recovery::{new_token, present};
use crate::app::App;
use crate::clock::random;
use crate::config::Registration;
use crate::domain::account::Email;
use crate::domain::claims::Role;
use crate::domain::id::{OneTimeId, UserId};
use crate::domain::one_time::Purpose;
use crate::domain::password::Password;
use crate::domain::session::Client;
use crate::domain::throttle::RetryAfter;
use crate::domain::time::Now;
use crate::fault::Fault;
use crate::metric;
use crate::store::{Accepted, By, Invitation, Page};

/// Why nobody was invited, or no account was made.
#[derive(Debug)]
pub enum Refusal {
    /// Accounts are made by an operator only.
    Closed,
    /// Too many links were tried from this address.
    TooManyAttempts(RetryAfter),
    /// The token is made up, was used, has expired or was taken back.
    InvalidToken,
    /// The address belongs to an account.
    EmailTaken,
    /// There is no such invitation.
    NotFound,
    /// The server's own fault.
    Internal(Fault),
}

impl<F: Into<Fault>> From<F> for Refusal {
    fn from(fault: F) -> Self {
        Self::Internal(fault.into())
    }
}

/// An invitation to be made; good from `now` for as long as such links are.
pub fn draft(
    id: OneTimeId,
    email: Email,
    role: Role,
    invited_by: Option<UserId>,
    now: Now,
) -> Invitation {
    let expires_at = now.wall.plus(Purpose::AcceptInvitation.life());
    Invitation { id, email, role, invited_by, created_at: now.wall, expires_at }
}

/// Invites somebody; the link is sent to their address.
pub async fn invite(
    app: &App,
    caller: &Caller,
    email: Email,
    role: Role,
    client: Client,
) -> Result<Invitation, Refusal> {
    is_open(app)?;
    let (now, host) = (app.clock.now(), caller.user_id());
    let invitation = draft(new_token(app, now)?, email, role, Some(host), now);
    let by = By { actor: Some(host), client };
    app.store.invite(invitation, true, by, now).await?.ok_or(Refusal::EmailTaken)
}

/// The invitations that are good, the newest first, from the one before `before`.
pub async fn list(
    app: &App,
    before: Option<OneTimeId>,
    limit: u32,
) -> Result<Page<Invitation, OneTimeId>, Fault> {
    app.store.list_invitations(before, limit, app.clock.now()).await
}

/// Takes an invitation back: its link is good for nothing.
pub async fn revoke(
    app: &App,
    caller: &Caller,
    id: OneTimeId,
    client: Client,
) -> Result<(), Refusal> {
    let by = By { actor: Some(caller.user_id()), client };
    let revoked = app.store.revoke_invitation(id, by, app.clock.now()).await?;
    if revoked { Ok(()) } else { Err(Refusal::NotFound) }
}

/// Makes the account that somebody was invited to, and signs it in.
pub async fn accept(
    app: &App,
    token: &str,
    password: Password,
    visitor: Visitor,
) -> Result<Issued, Refusal> {
    is_open(app)?;
    let now = app.clock.now();
    let user = UserId::new(now.wall, &random(&*app.entropy)?);
    let opening = Opening::new(app, visitor.client, visitor.replaces, visitor.remember, now)?;
    let presented = present(app, token, visitor.address, now).await?;
    let (id, counted) = presented.map_err(Refusal::TooManyAttempts)?;
    let id = id.ok_or(Refusal::InvalidToken)?;
    let accepting = async {
        // Before a password is hashed for it.
        if app.store.find_invitation(id, now).await?.is_none() {
            return Ok(Accepted::Invalid);
        }
        let hash = app.hasher.hash(password, random(&*app.entropy)?).await?;
        app.store.accept_invitation(id, user, hash, opening.new.clone(), now).await
    };
    let is_good = |accepted: &Accepted| matches!(accepted, Accepted::Done(_));
    match counted.unless_good(accepting.await, is_good)? {
        Accepted::Invalid => Err(Refusal::InvalidToken),
        Accepted::EmailTaken => Err(Refusal::EmailTaken),
        Accepted::Done(started) => {
            metrics::counter!(metric::SIGN_INS, "how" => "invitation").increment(1);
            Ok(opening.mint(app, *started, now)?)
        }
    }
}

fn is_open(app: &App) -> Result<(), Refusal> {
    match app.config.registration {
        Registration::Closed => Err(Refusal::Closed),
        Registration::Open | Registration::Invite => Ok(()),
    }
}
