//! Adding a key, and ending what older ones have made. Done at the shell, while a server runs.

use std::path::Path;
use std::sync::Arc;

use super::{Refusal, ids, needed_until, note, off_thread, retired};
use crate::clock::{Clock, Entropy, random};
use crate::config::Config;
use crate::crypto::key_files::{Held, Place};
use crate::crypto::keyring::{KeySet, Keyring, Root};
use crate::domain::time::Now;
use crate::fault::{Fault, FaultKind};
use crate::store::{KeyRecord, Store};

/// How often a revocation is tried while a server keeps the database busy.
const TRIES: usize = 10;

/// What becomes of what older keys have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Older {
    /// They verify it until it is over.
    Verify,
    /// It ends at once, and they are removed.
    Revoke,
}

/// What a rotation has brought.
pub struct Rotated {
    /// The new key in front of those that were good until now.
    pub keyring: Keyring,
    /// How many sessions were ended.
    pub ended: usize,
    /// Why files of revoked keys are still there. They are of no use any more.
    pub left: Option<Refusal>,
}

/// Adds a key to the directory, which makes tokens from now on; one rotation at a time, from the
/// first look to the last write. `is_served` says that a server runs on the data directory.
pub async fn rotate(
    store: &Store,
    config: &Config,
    older: Older,
    is_served: bool,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
) -> Result<Rotated, Refusal> {
    let dir = config.keys_dir();
    let place = Place::Directory(dir.clone());
    let fresh = Root::from_bytes(random(entropy).map_err(Fault::from)?);
    let id = KeySet::derive(&fresh).map_err(Fault::from)?.ratchet.id;
    let held = Arc::new(off_thread(move || Ok(Held::take(&dir)?)).await?);
    let now = clock.now();
    // Where the others cannot be read the server would not take this one up either.
    let former = load(&place).await?;
    let records = store.key_records().await?;
    let case = Case { store, config, records: &records, is_served, now };
    case.check(&former, older, place.path()).await?;
    note(store, &former, clock).await?;
    let adding = Arc::clone(&held);
    off_thread(move || Ok(adding.add(&fresh, now.wall)?)).await?;
    let keyring = load(&place).await?.without(&retired(&records));
    if keyring.active().ratchet.id != id {
        // What is revoked is all but the active one.
        return Err(Fault::internal("the key that was added is not the active one").into());
    }
    let noted = note(store, &keyring, clock).await;
    if older == Older::Verify {
        noted?;
        return Ok(Rotated { keyring, ended: 0, left: None });
    }
    let kid = || keyring.active().public.id().to_owned();
    let revoked = async {
        noted?;
        insist(async || store.revoke_keys(keyring.active().ratchet.id, clock.now()).await).await
    };
    let ended = revoked.await.map_err(|fault| Refusal::NotRevoked { kid: kid(), fault })?;
    let left = remove(store, held).await.err();
    Ok(Rotated { keyring, ended, left })
}

async fn load(place: &Place) -> Result<Keyring, Refusal> {
    let place = place.clone();
    off_thread(move || Ok(place.load()?.0)).await
}

async fn remove(store: &Store, held: Arc<Held>) -> Result<(), Refusal> {
    let retired = ids(store.retired_keys().await?);
    off_thread(move || Ok(held.remove(&retired).map(drop)?)).await
}

/// Tries it again while somebody else has the database.
async fn insist<T>(attempt: impl AsyncFn() -> Result<T, Fault>) -> Result<T, Fault> {
    for _ in 1..TRIES {
        match attempt().await {
            Err(fault) if fault.kind() == FaultKind::Unavailable => {}
            done => return done,
        }
    }
    attempt().await
}

/// What a rotation finds.
struct Case<'a> {
    store: &'a Store,
    config: &'a Config,
    records: &'a [KeyRecord],
    is_served: bool,
    now: Now,
}

impl Case<'_> {
    /// Whether these are the keys of the server, and it would go on with them and another one.
    async fn check(&self, former: &Keyring, older: Older, dir: &Path) -> Result<(), Refusal> {
        let here = former.ids();
        let away = |key: &&KeyRecord| key.retired_at.is_none() && !here.contains(&key.name.id);
        for key in self.records.iter().filter(away) {
            let (kid, dir) = (key.name.kid.clone(), dir.display().to_string());
            if key.superseded_at.is_none() {
                if self.is_served || self.store.is_key_in_use(key.name.id).await? {
                    return Err(Refusal::Elsewhere { kid, dir });
                }
            } else if self.is_served && older == Older::Verify && self.is_needed(key).await? {
                return Err(Refusal::Missing { kid, dir });
            }
        }
        Ok(())
    }

    async fn is_needed(&self, key: &KeyRecord) -> Result<bool, Fault> {
        if self.now.wall < needed_until(key, self.config) {
            return Ok(true);
        }
        self.store.is_key_in_use(key.name.id).await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn a_busy_database_is_asked_again_and_a_defect_is_not() {
        let attempts = Cell::new(0);
        let attempt = |good_from: usize, fault: fn() -> Fault| {
            attempts.set(0);
            let attempts = &attempts;
            async move {
                insist(async || {
                    attempts.set(attempts.get() + 1);
                    if attempts.get() < good_from { Err(fault()) } else { Ok(()) }
                })
                .await
            }
        };
        attempt(TRIES, || Fault::unavailable("busy")).await.unwrap();
        assert_eq!(attempts.get(), TRIES);
        attempt(TRIES + 1, || Fault::unavailable("busy")).await.unwrap_err();
        assert_eq!(attempts.get(), TRIES);
        attempt(2, || Fault::internal("a defect")).await.unwrap_err();
        assert_eq!(attempts.get(), 1);
    }
}
