//! The server of a story, and its clocks.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use doorward::app::App;
use doorward::clock::{Clock, FakeClock, SystemEntropy};
use doorward::config::Config;
use doorward::crypto::keyring::Keyring;
use doorward::domain::time::Now;
use doorward::store::Store;

use crate::common::root;

/// Which clock tells ages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ages {
    Steady,
    /// The mistake that the steady clock is there to avoid.
    Wall,
}

/// A clock that stands still, seen through that choice.
pub struct Clocks {
    pub fake: FakeClock,
    pub ages: Ages,
}

impl Clock for Clocks {
    fn now(&self) -> Now {
        let now = self.fake.now();
        match self.ages {
            Ages::Steady => now,
            Ages::Wall => Now { steady: now.wall, ..now },
        }
    }
}

/// An application on the files in `path`.
pub fn serve(path: PathBuf, clock: &Arc<Clocks>) -> Arc<App> {
    let config = Config {
        argon2_memory_kib: 8,
        argon2_iterations: 1,
        throttle: false,
        data_dir: path,
        ..Config::default()
    };
    let store = Store::open(&config.database(), config.access_token_ttl, clock.now()).unwrap();
    let keys = Keyring::new(&root(1), &[]).unwrap();
    let bound = SocketAddr::from(([127, 0, 0, 1], 8080));
    let clock = Arc::clone(clock) as _;
    Arc::new(App::new(config, bound, store, keys, clock, Arc::new(SystemEntropy)).unwrap())
}
