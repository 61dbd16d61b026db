//! Keys that come and go while the server runs.
//!
//! A key is added by another process, or by whoever keeps `key_file`. It signs from the moment at which
//! this process sees it; the former one verifies for as long as anything that is about can need it.
//! Whoever meets a key that is not known looks again before refusing: another process that shares the
//! directory may have seen the new one first.

mod retire;
mod rotate;
mod watch;

use std::ffi::OsString;
use std::sync::Arc;

use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::crypto::key_files::{KeyError, Place};
use crate::crypto::keyring::{KeySet, Keyring};
use crate::domain::secret::KeyId;
use crate::fault::Fault;
use crate::store::{KeyName, KeyRecord, Store};

pub use retire::{needed_until, retire};
pub use rotate::{Older, Rotated, rotate};
pub use watch::Watch;

/// Why the keys stay as they are.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// They cannot be read.
    #[error(transparent)]
    Unreadable(#[from] KeyError),
    /// One is gone that is still needed.
    #[error(
        "the key {kid} is gone from {place}, but tokens and sessions that were made with it are still \
         about. Put it back; or, to end them all, run `doorward session revoke --all` and restart"
    )]
    Needed {
        /// What access tokens call it.
        kid: String,
        /// Where it was.
        place: String,
    },
    /// The server makes tokens with a key that was not loaded here.
    #[error(
        "the server uses other keys than those in {dir}: it makes tokens with {kid}, which is not \
         there. Is `key_file` set where the server runs? Then set it here too. If not, put that key \
         back; or, if it is lost, stop the server, run `doorward session revoke --all`, and start it \
         again. Nothing was changed"
    )]
    Elsewhere {
        /// What access tokens call it.
        kid: String,
        /// Where it should be.
        dir: String,
    },
    /// A running server would not take up keys among which one is missing.
    #[error(
        "the key {kid} is gone from {dir}, but what was made with it is still about, and a running \
         server would not go on without it. Put it back; or end all that older keys have made, with \
         `doorward keys rotate --revoke-old`; or stop the server first. Nothing was changed"
    )]
    Missing {
        /// What access tokens call it.
        kid: String,
        /// Where it should be.
        dir: String,
    },
    /// The new key is there, and no more was done.
    #[error(
        "the new key {kid} was added, but the old ones are NOT revoked: {fault}. Run `doorward keys \
         rotate --revoke-old` again"
    )]
    NotRevoked {
        /// What access tokens call the new key.
        kid: String,
        /// What went wrong.
        fault: Fault,
    },
    /// The server's own fault.
    #[error(transparent)]
    Internal(#[from] Fault),
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Internal(fault) => fault,
            Refusal::Unreadable(_)
            | Refusal::Needed { .. }
            | Refusal::Elsewhere { .. }
            | Refusal::Missing { .. }
            | Refusal::NotRevoked { .. } => {
                Self::unavailable("the keys stay as they are").because(refusal)
            }
        }
    }
}

impl From<&Config> for Place {
    fn from(config: &Config) -> Self {
        match &config.key_file {
            Some(path) => Self::File(path.clone()),
            None => Self::Directory(config.keys_dir()),
        }
    }
}

/// Takes up the keys if files have come or gone, or another process has retired one. That depends on
/// no file: what the database says is retired verifies nothing from now on.
pub async fn follow(app: &App) -> Result<(), Refusal> {
    let turn = app.watch.turn().await;
    let look = async {
        let retired = app.store.retired_keys().await?;
        app.watch.know_retired(&retired);
        let retired = ids(retired);
        let looked = look(app, &retired).await;
        // Where that has put other keys in force there is nothing left to drop.
        drop_retired(app, &retired);
        looked
    };
    app.watch.run(&turn, &*app.clock, look).await.map_err(|(refusal, _)| refusal)
}

/// Takes up the keys if files have come or gone, or one of those in force is among the `retired`. Asks
/// no database otherwise.
async fn look(app: &App, retired: &[KeyId]) -> Result<(), Refusal> {
    let place = app.watch.place().clone();
    let names = off_thread(move || Ok(place.names()?)).await?;
    let current = app.keys.current();
    let are_good = !current.is_spent() && !current.ids().iter().any(|id| retired.contains(id));
    if are_good && (names.is_none() || names == app.watch.saw()) {
        return Ok(());
    }
    load(app, names).await
}

/// What is retired verifies nothing, whatever the files are like.
fn drop_retired(app: &App, retired: &[KeyId]) {
    let current = app.keys.current();
    if !current.ids().iter().any(|id| retired.contains(id)) {
        return;
    }
    let left = current.without(retired);
    if left.is_spent() {
        let kid = left.active().public.id();
        tracing::error!(
            kid,
            "the active key is retired: nothing is made until another one is there"
        );
    }
    app.keys.replace(left);
}

/// Reads the keys again, whatever the files are called.
pub async fn reload(app: &App) -> Result<(), Refusal> {
    let turn = app.watch.turn().await;
    let look = async {
        let place = app.watch.place().clone();
        let names = off_thread(move || Ok(place.names()?)).await?;
        load(app, names).await
    };
    app.watch.run(&turn, &*app.clock, look).await.map_err(|(refusal, _)| refusal)
}

/// The keyring in force, if it knows the keys that these tokens name, or they are known to be retired;
/// else that of a look which was begun after this was asked. A fault is not a reason to refuse anybody.
/// Anybody can name a key that there is not: that costs a list of names, and no database is asked.
pub async fn knowing(app: &App, tokens: &[Option<&str>]) -> Result<Arc<Keyring>, Fault> {
    let keys = app.keys.current();
    let is_known =
        |token: &&str| keys.knows_the_key_of(token) || app.watch.has_retired_the_key_of(token);
    if tokens.iter().flatten().all(is_known) {
        return Ok(keys);
    }
    look_again(app).await
}

/// The keyring of a look which was begun after this was asked. Whoever comes during one waits for the
/// next, together with all others who do. One that has failed is not repeated at once.
pub async fn look_again(app: &App) -> Result<Arc<Keyring>, Fault> {
    app.watch.share(&*app.clock, look(app, &[])).await?;
    Ok(app.keys.current())
}

/// The keyring in force, once it makes tokens with another key than the one that the store has
/// refused as retired.
pub async fn instead_of(app: &App, retired: KeyId) -> Result<Arc<Keyring>, Fault> {
    if app.keys.current().active().ratchet.id == retired {
        follow(app).await?;
    }
    Ok(app.keys.current())
}

/// Puts the keys in force that are there now, without those that are retired.
async fn load(app: &App, names: Option<Vec<OsString>>) -> Result<(), Refusal> {
    let place = app.watch.place().clone();
    let (keyring, warning) = off_thread(move || Ok(place.load()?)).await?;
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
    let now = app.clock.now();
    let records = app.store.key_records().await?;
    let retired = retired(&records);
    let keyring = sound(app.watch.place(), &keyring, &records)?;
    let (ids, current) = (keyring.ids(), app.keys.current());
    let gone = current.sets().filter(|set| {
        let id = set.ratchet.id;
        !ids.contains(&id) && !retired.contains(&id)
    });
    for set in gone {
        let record = records.iter().find(|record| record.name.id == set.ratchet.id);
        let may_be_about = record.is_some_and(|it| {
            it.superseded_at.is_none() || now.wall < needed_until(it, &app.config)
        });
        if may_be_about || app.store.is_key_in_use(set.ratchet.id).await? {
            let place = app.watch.place().path().display().to_string();
            return Err(Refusal::Needed { kid: set.public.id().to_owned(), place });
        }
    }
    if ids != current.ids() || current.is_spent() {
        let (kid, older) = (keyring.active().public.id().to_owned(), ids.len() - 1);
        app.keys.replace(keyring);
        tracing::info!(active = kid, older, "the keys have changed");
    }
    note(&app.store, &app.keys.current(), &*app.clock).await?;
    app.watch.has_seen(names);
    Ok(())
}

/// `keyring` without what is retired, if its active key is not.
pub fn sound(place: &Place, keyring: &Keyring, records: &[KeyRecord]) -> Result<Keyring, KeyError> {
    let active = keyring.active();
    let record = records.iter().find(|record| record.name.id == active.ratchet.id);
    if let Some(at) = record.and_then(|record| record.retired_at) {
        let (kid, place) = (active.public.id().to_owned(), place.clone());
        return Err(KeyError::Retired { kid, at, place });
    }
    Ok(keyring.without(&retired(records)))
}

/// Sees that the database knows which keys there are.
pub async fn note(store: &Store, keyring: &Keyring, clock: &dyn Clock) -> Result<(), Fault> {
    store.note_keys(keyring.sets().map(name).collect(), clock.now()).await
}

fn name(set: &KeySet) -> KeyName {
    KeyName { id: set.ratchet.id, kid: set.public.id().to_owned() }
}

fn ids(keys: Vec<KeyName>) -> Vec<KeyId> {
    keys.into_iter().map(|key| key.id).collect()
}

/// Those that are retired.
fn retired(records: &[KeyRecord]) -> Vec<KeyId> {
    records.iter().filter(|key| key.retired_at.is_some()).map(|key| key.name.id).collect()
}

/// Runs `work`, which waits for the disk, where that holds nobody up.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Fault::internal("reading the keys").because(error))?
}
