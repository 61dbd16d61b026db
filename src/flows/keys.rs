//! Keys that come and go while the server runs.
//!
//! A key is added by another process, or by whoever keeps `key_file`. It signs from the moment at which
//! this process sees it; the former one verifies for as long as anything that is about can need it.
//! Whoever meets a key that is not known looks again before refusing: another process that shares the
//! directory may have seen the new one first.

use std::ffi::OsString;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::app::App;
use crate::clock::{Clock, Entropy, random};
use crate::config::Config;
use crate::crypto::key_files::{self, KeyError, Place};
use crate::crypto::keyring::{KeySet, Keyring, Root};
use crate::domain::claims::AccessClaims;
use crate::domain::one_time::Purpose;
use crate::domain::secret::KeyId;
use crate::domain::time::Timestamp;
use crate::fault::Fault;
use crate::store::{KeyName, KeyRecord, Store};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How often it is looked into whether a session needs an older key.
const LOOK: Duration = DAY;

/// Keys are kept this much longer than anything can need them: for the time between two looks, and for
/// a clock that was not right.
const MARGIN: Duration = DAY.saturating_add(LOOK);

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
    /// The server's own fault.
    #[error(transparent)]
    Internal(#[from] Fault),
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Internal(fault) => fault,
            Refusal::Unreadable(_) | Refusal::Needed { .. } => {
                Self::unavailable("the keys stay as they are").because(refusal)
            }
        }
    }
}

/// What a process knows of the place where the keys are.
pub struct Watch {
    place: Place,
    /// The names of the files that were read.
    seen: Mutex<Option<Vec<OsString>>>,
    /// How many looks were begun. One at a time: whoever comes during one waits for the next.
    begun: AtomicU64,
    turn: tokio::sync::Mutex<()>,
}

impl Watch {
    /// Nothing has been read yet.
    pub fn new(place: Place) -> Self {
        Self {
            place,
            seen: Mutex::default(),
            begun: AtomicU64::new(0),
            turn: tokio::sync::Mutex::default(),
        }
    }

    fn saw(&self) -> Option<Vec<OsString>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
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

/// Takes up the keys if files have come or gone.
pub async fn follow(app: &App) -> Result<(), Refusal> {
    let _turn = app.watch.turn.lock().await;
    app.watch.begun.fetch_add(1, Ordering::SeqCst);
    let place = app.watch.place.clone();
    let names = off_thread(move || Ok(place.names()?)).await?;
    if names.is_none() || names == app.watch.saw() {
        return Ok(());
    }
    load(app, names).await
}

/// Reads the keys again, whatever the files are called.
pub async fn reload(app: &App) -> Result<(), Refusal> {
    let _turn = app.watch.turn.lock().await;
    app.watch.begun.fetch_add(1, Ordering::SeqCst);
    let place = app.watch.place.clone();
    let names = off_thread(move || Ok(place.names()?)).await?;
    load(app, names).await
}

/// The keyring in force, if it knows the keys that these tokens name; else that of a look which was
/// begun after this was asked. A fault is not a reason to refuse anybody.
pub async fn knowing(app: &App, tokens: &[Option<&str>]) -> Result<Arc<Keyring>, Fault> {
    let keys = app.keys.current();
    if tokens.iter().flatten().all(|token| keys.knows_the_key_of(token)) {
        return Ok(keys);
    }
    look_again(app).await
}

/// The keyring of a look which was begun after this was asked.
pub async fn look_again(app: &App) -> Result<Arc<Keyring>, Fault> {
    let asked = app.watch.begun.load(Ordering::SeqCst);
    let looked = {
        let turn = app.watch.turn.lock().await;
        if app.watch.begun.load(Ordering::SeqCst) > asked {
            // All that were begun have ended: there is one turn.
            return Ok(app.keys.current());
        }
        drop(turn);
        follow(app).await
    };
    looked?;
    Ok(app.keys.current())
}

/// Puts the keys in force that are there now, without those that are retired.
async fn load(app: &App, names: Option<Vec<OsString>>) -> Result<(), Refusal> {
    let place = app.watch.place.clone();
    let (keyring, warning) = off_thread(move || Ok(place.load()?)).await?;
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
    let now = app.clock.now();
    let records = app.store.key_records().await?;
    let retired = retired(&records);
    let keyring = keyring.without(&retired);
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
            let place = app.watch.place.path().display().to_string();
            return Err(Refusal::Needed { kid: set.public.id().to_owned(), place });
        }
    }
    if ids != current.ids() {
        let (kid, older) = (keyring.active().public.id().to_owned(), ids.len() - 1);
        app.keys.replace(keyring);
        tracing::info!(active = kid, older, "the keys have changed");
    }
    note(&app.store, &app.keys.current(), &*app.clock).await?;
    *app.watch.seen.lock().unwrap_or_else(PoisonError::into_inner) = names;
    Ok(())
}

/// Sees that the database knows which keys there are.
pub async fn note(store: &Store, keyring: &Keyring, clock: &dyn Clock) -> Result<(), Fault> {
    store.note_keys(keyring.sets().map(name).collect(), clock.now()).await
}

fn name(set: &KeySet) -> KeyName {
    KeyName { id: set.ratchet.id, kid: set.public.id().to_owned() }
}

/// Those that are retired.
pub fn retired(records: &[KeyRecord]) -> Vec<KeyId> {
    records.iter().filter(|key| key.retired_at.is_some()).map(|key| key.name.id).collect()
}

/// Adds a key to `dir`, which makes tokens from now on. The keys that were there, and are sound, stay.
pub async fn rotate(
    store: &Store,
    dir: std::path::PathBuf,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<Keyring, Refusal> {
    let (place, now) = (Place::Directory(dir.clone()), clock.now());
    let fresh = Root::from_bytes(random(entropy).map_err(Fault::from)?);
    // Where the others cannot be read the server would not take this one up either.
    let read = place.clone();
    let former = off_thread(move || Ok(read.load()?.0)).await?;
    note(store, &former, clock).await?;
    let keyring = off_thread(move || {
        key_files::add(&dir, &fresh, now.wall)?;
        Ok(place.load()?.0)
    })
    .await?;
    note(store, &keyring, clock).await?;
    Ok(keyring)
}

/// Ends what the older keys of `keyring` have made, at once, and removes them. How many sessions ended.
pub async fn revoke_older(
    store: &Store,
    dir: std::path::PathBuf,
    keyring: &Keyring,
    clock: &dyn Clock,
) -> Result<usize, Refusal> {
    let ended = store.revoke_keys(keyring.active().ratchet.id, clock.now()).await?;
    let retired = store.retired_keys().await?;
    off_thread(move || Ok(key_files::remove(&dir, &retired)?)).await?;
    Ok(ended)
}

/// Retires the keys that nothing can need any more, and removes their files. What a crash has left of
/// that is done as well.
pub async fn retire(app: &App) -> Result<(), Refusal> {
    let now = app.clock.now();
    let records = app.store.key_records().await?;
    let mut has_retired = false;
    let superseded = records.iter().filter(|key| key.superseded_at.is_some());
    for key in superseded.filter(|key| key.retired_at.is_none()) {
        if now.wall < key.looked_at.plus(LOOK) {
            continue;
        }
        let id = key.name.id;
        let is_in_use = app.store.is_key_in_use(id).await?;
        app.store.note_key_use(id, is_in_use, now).await?;
        if !is_in_use && now.wall >= needed_until(key, &app.config) {
            has_retired |= app.store.retire_key(id, now).await?;
            let kid = &key.name.kid;
            match &app.watch.place {
                Place::Directory(_) => tracing::info!(kid, "a key is retired and removed"),
                Place::File(path) => {
                    let path = path.display();
                    tracing::info!(kid, "a key is retired: its line in {path} may be removed");
                }
            }
        }
    }
    if has_retired {
        reload(app).await?;
    }
    let retired = retired(&records);
    if has_retired || !retired.is_empty() {
        let gone = app.store.retired_keys().await?;
        if let Place::Directory(dir) = app.watch.place.clone() {
            off_thread(move || Ok(key_files::remove(&dir, &gone)?)).await?;
        }
    }
    Ok(())
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

/// Runs `work`, which waits for the disk, where that holds nobody up.
async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Fault::internal("reading the keys").because(error))?
}
