//! Adding a key, and ending what older ones have made. Done at the shell, while a server runs.

use std::path::PathBuf;

use super::{Refusal, ids, note, off_thread};
use crate::clock::{Clock, Entropy, random};
use crate::crypto::key_files::{self, Place};
use crate::crypto::keyring::{Keyring, Root};
use crate::fault::Fault;
use crate::store::Store;

/// Adds a key to `dir`, which makes tokens from now on. The keys that were there, and are sound, stay.
pub async fn rotate(
    store: &Store,
    dir: PathBuf,
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
    dir: PathBuf,
    keyring: &Keyring,
    clock: &dyn Clock,
) -> Result<usize, Refusal> {
    let ended = store.revoke_keys(keyring.active().ratchet.id, clock.now()).await?;
    let retired = ids(store.retired_keys().await?);
    off_thread(move || Ok(key_files::remove(&dir, &retired)?)).await?;
    Ok(ended)
}
