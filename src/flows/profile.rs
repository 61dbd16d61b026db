//! What the caller says about themselves.

use super::authenticate::Caller;
use crate::app::App;
use crate::domain::profile::{Profile, ProfileChange};
use crate::domain::session::Client;
use crate::domain::throttle::RetryAfter;
use crate::fault::Fault;
use crate::store::Author;

/// Why a profile was not changed.
#[derive(Debug)]
pub enum Refusal {
    /// Too many changes of this user's profile and addresses.
    TooManyAttempts(RetryAfter),
    /// The account was deleted this very moment.
    UserGone,
    /// The server's own fault.
    Internal(Fault),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Internal(fault)
    }
}

/// The caller's profile. `None` when the account was deleted this very moment.
pub async fn get(app: &App, caller: &Caller) -> Result<Option<Profile>, Fault> {
    app.store.find_profile(caller.user_id()).await
}

/// Changes the caller's profile, and answers with it.
pub async fn update(
    app: &App,
    caller: &Caller,
    change: ProfileChange,
    client: Client,
) -> Result<Profile, Refusal> {
    let now = app.clock.now();
    let counted = app.throttles.edit(caller.user_id(), now).map_err(Refusal::TooManyAttempts)?;
    let changed = app.store.change_profile(author(caller, client), change, now).await;
    counted.unless_fault(changed)?.ok_or(Refusal::UserGone)
}

pub(super) fn author(caller: &Caller, client: Client) -> Author {
    Author { user: caller.user_id(), session: caller.session_id(), client }
}
