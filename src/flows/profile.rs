//! What the caller says about themselves.

use super::authenticate::Caller;
use crate::app::App;
use crate::domain::profile::{Profile, ProfileChange};
use crate::domain::session::Client;
use crate::fault::Fault;
use crate::store::Author;

/// The caller's profile. `None` when the account was deleted this very moment.
pub async fn get(app: &App, caller: &Caller) -> Result<Option<Profile>, Fault> {
    app.store.find_profile(caller.user_id()).await
}

/// Changes the caller's profile, and answers with it. `None` when the account was deleted this very
/// moment.
pub async fn update(
    app: &App,
    caller: &Caller,
    change: ProfileChange,
    client: Client,
) -> Result<Option<Profile>, Fault> {
    app.store.change_profile(author(caller, client), change, app.clock.now()).await
}

pub(super) fn author(caller: &Caller, client: Client) -> Author {
    Author { user: caller.user_id(), session: caller.session_id(), client }
}
