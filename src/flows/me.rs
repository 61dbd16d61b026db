//! The caller's own account.

use std::sync::Arc;

use super::authenticate::Caller;
use crate::app::App;
use crate::domain::account::User;
use crate::fault::Fault;

/// The caller's account. `None` when it was deleted this very moment.
pub async fn me(app: &App, caller: &Caller) -> Result<Option<Arc<User>>, Fault> {
    app.store.find_user(caller.user_id()).await
}
