//! The data directory, opened for the time of one command.

use std::fs;
use std::path::Path;

use tokio::runtime::Runtime;

use super::failure::Failure;
use crate::clock::{Clock as _, SystemClock, SystemEntropy};
use crate::config::Config;
use crate::crypto::hasher::{Costs, Hasher};
use crate::store::{OpenError, Store};

/// What a command works with.
pub(super) struct Data {
    pub(super) config: Config,
    pub(super) store: Store,
    pub(super) clock: SystemClock,
    pub(super) entropy: SystemEntropy,
}

impl Data {
    /// A pool that hashes one password at a time, at the configured costs.
    pub(super) fn hasher(&self) -> Result<Hasher, Failure> {
        Ok(Hasher::start(Costs::from(&self.config), 1)?)
    }
}

/// Runs `work` on the database, which must be there: a mistyped `--data` must not look like an
/// empty installation, nor leave one behind.
pub(super) fn existing<T>(
    config: Config,
    work: impl AsyncFnOnce(&Data) -> Result<T, Failure>,
) -> Result<T, Failure> {
    require(&config.database(), "database", &config.data_dir)?;
    existing_or_new(config, work)
}

/// Whether there is a database already.
pub(super) fn is_there(config: &Config) -> Result<bool, Failure> {
    exists(&config.database(), &config.data_dir)
}

/// Runs `work` on the database, which is made if it is not there.
pub(super) fn existing_or_new<T>(
    config: Config,
    work: impl AsyncFnOnce(&Data) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let runtime = runtime()?;
    let clock = SystemClock::start();
    let store = Store::open(&config.database(), config.access_token_ttl, clock.now())?;
    let data = Data { config, store, clock, entropy: SystemEntropy };
    let outcome = runtime.block_on(work(&data));
    data.store.close();
    outcome
}

/// What runs the flows of a command.
pub(super) fn runtime() -> Result<Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::failed(format!("cannot start: {error}")))
}

/// Fails when there is no `path`, the `what` of the installation in `dir`.
pub(super) fn require(path: &Path, what: &str, dir: &Path) -> Result<(), Failure> {
    if exists(path, dir)? { Ok(()) } else { Err(absent(what, dir)) }
}

fn exists(path: &Path, dir: &Path) -> Result<bool, Failure> {
    fs::exists(path).map_err(|error| OpenError::directory(dir, error).into())
}

/// Nothing has been served from `dir` yet.
pub(super) fn absent(what: &str, dir: &Path) -> Failure {
    Failure::failed(format!(
        "no {what} in {}: run `doorward serve` once, or name the right place with --data",
        dir.display()
    ))
}
