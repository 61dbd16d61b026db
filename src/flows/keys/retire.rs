//! When an older key is of no use any more, and what becomes of it then.

use std::time::Duration;

use super::{Refusal, ids, off_thread, reload};
use crate::app::App;
use crate::config::Config;
use crate::crypto::key_files::{self, Place};
use crate::domain::claims::AccessClaims;
use crate::domain::one_time::Purpose;
use crate::domain::time::{Now, Timestamp};
use crate::fault::Fault;
use crate::store::KeyRecord;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How often it is looked into whether a session needs an older key.
const LOOK: Duration = DAY;

/// Keys are kept this much longer than anything can need them: for the time between two looks, and for
/// a clock that was not right.
const MARGIN: Duration = DAY.saturating_add(LOOK);

/// Retires the keys that nothing can need any more, and removes their files. What a crash has left of
/// that is done as well.
pub async fn retire(app: &App) -> Result<(), Refusal> {
    let now = app.clock.now();
    let mut has_retired = false;
    for key in app.store.key_records().await? {
        if is_over(app, &key, now).await? && app.store.retire_key(key.name.id, now).await? {
            has_retired = true;
            let kid = &key.name.kid;
            match app.watch.place() {
                Place::Directory(_) => tracing::info!(kid, "a key is retired and removed"),
                Place::File(_) => tracing::info!(kid, "a key is retired; its line may be removed"),
            }
        }
    }
    if has_retired {
        reload(app).await?;
    }
    let retired = ids(app.store.retired_keys().await?);
    match app.watch.place().clone() {
        Place::Directory(dir) if !retired.is_empty() => {
            off_thread(move || Ok(key_files::remove(&dir, &retired)?)).await?;
        }
        Place::Directory(_) | Place::File(_) => {}
    }
    Ok(())
}

/// Whether nothing needs a key any more. Looks into it once a day: that may walk through all sessions.
async fn is_over(app: &App, key: &KeyRecord, now: Now) -> Result<bool, Fault> {
    let is_candidate = key.superseded_at.is_some() && key.retired_at.is_none();
    if !is_candidate || now.wall < key.looked_at.plus(LOOK) {
        return Ok(false);
    }
    // After a time in which nobody looked it may have been needed until a moment ago.
    let was_looked_after = now.wall <= key.looked_at.plus(2 * LOOK);
    let is_in_use = !was_looked_after || app.store.is_key_in_use(key.name.id).await?;
    app.store.note_key_use(key.name.id, is_in_use, now).await?;
    Ok(!is_in_use && now.wall >= needed_until(key, &app.config))
}

/// Until when something may need a superseded key at least: the longest that anything lives which it may
/// have made when it was last known to be needed. Sessions are another matter: they are looked at.
pub fn needed_until(key: &KeyRecord, config: &Config) -> Timestamp {
    let lives = [
        config.access_token_ttl + AccessClaims::LEEWAY,
        // A session that was turned from this key to the next one may ask for the answer again.
        config.lost_response_window,
        config.refresh_grace,
    ];
    let links = Purpose::ALL.into_iter().map(Purpose::life);
    let longest = lives.into_iter().chain(links).max().unwrap_or_default();
    key.needed_at.plus(longest + MARGIN)
}
