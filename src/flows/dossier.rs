//! All that is kept about the caller, to be taken along (GDPR, articles 15 and 20).

use super::authenticate::Caller;
use super::events;
use crate::app::App;
use crate::domain::time::Timestamp;
use crate::fault::Fault;
use crate::store::Dossier;

/// How many events it holds at most: what is answered is put together in memory.
pub const MOST_EVENTS: u32 = 10_000;

/// What is kept about the caller, and when it was so. `None` when the account was deleted this very
/// moment.
pub async fn dossier(app: &App, caller: &Caller) -> Result<Option<(Dossier, Timestamp)>, Fault> {
    let now = app.clock.now();
    let found = app.store.everything_about(caller.user_id(), MOST_EVENTS, now).await?;
    Ok(found.map(|mut dossier| {
        events::hide_others(&mut dossier.events);
        (dossier, now.wall)
    }))
}
