//! The caller's devices.

use super::authenticate::Caller;
use crate::app::App;
use crate::domain::id::SessionId;
use crate::domain::session::{Client, Session};
use crate::fault::Fault;

/// The caller's live sessions, the most recently used first.
pub async fn list(app: &App, caller: &Caller) -> Result<Vec<Session>, Fault> {
    app.store.list_sessions(Some(caller.user_id()), app.clock.now()).await
}

/// Ends one of the caller's sessions. Whether there was one: another user's is like none.
pub async fn revoke(
    app: &App,
    caller: &Caller,
    id: SessionId,
    client: Client,
) -> Result<bool, Fault> {
    app.store.end_session_of(caller.user_id(), id, client, app.clock.now()).await
}
