//! What happened to the caller's account.

use super::authenticate::Caller;
use crate::app::App;
use crate::domain::session::Client;
use crate::fault::Fault;
use crate::store::{EventFilter, EventSeq, Page, Recorded};

/// The events about the caller, the latest first, from the one before `before`. Of what somebody
/// else did to the account it is not told from where: that is theirs.
pub async fn list(
    app: &App,
    caller: &Caller,
    before: Option<EventSeq>,
    limit: u32,
) -> Result<Page<Recorded, EventSeq>, Fault> {
    let filter = EventFilter { user: Some(caller.user_id()), event: None };
    let mut page = app.store.list_events(filter, before, limit).await?;
    hide_others(&mut page.items);
    Ok(page)
}

/// Takes out of a user's events where somebody else was who did something to the account.
pub(super) fn hide_others(events: &mut [Recorded]) {
    for event in events.iter_mut().filter(|event| event.actor.is_some()) {
        event.client = Client::default();
    }
}
