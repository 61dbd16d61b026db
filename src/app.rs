//! What every flow needs, in one place.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::clock::{Clock, Entropy};
use crate::config::{Config, PublicUrl};
use crate::crypto::hasher::{Costs, HashFault, Hasher};
use crate::crypto::key_files::Place;
use crate::crypto::keyring::{Keyring, Keys};
use crate::domain::session::SessionPolicy;
use crate::flows::dossier::Turns;
use crate::flows::keys::Watch;
use crate::flows::throttles::Throttles;
use crate::mail::{Letterhead, Mailer};
use crate::store::Store;

/// The running application: configuration, store, keys, clocks and the pool that hashes.
pub struct App {
    /// The settings in force.
    pub config: Config,
    /// Where users find the server.
    pub public_url: PublicUrl,
    /// The same as text: the issuer of access tokens.
    pub issuer: String,
    /// Who is meant to accept access tokens.
    pub audience: String,
    /// The settings of sessions.
    pub policy: SessionPolicy,
    /// The database.
    pub store: Store,
    /// The keys.
    pub keys: Keys,
    /// Where they come from.
    pub watch: Watch,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Yields randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Hashes passwords.
    pub hasher: Hasher,
    /// Counts attempts.
    pub throttles: Throttles,
    /// Who takes along what is kept about them at the moment.
    pub exports: Turns,
    /// What all letters have in common.
    pub letterhead: Letterhead,
    /// Takes letters where they go.
    pub mailer: Mailer,
}

impl App {
    /// Puts the parts together and starts the hashing threads. `bound` is the address that is
    /// served, for the defaults that come from it.
    pub fn new(
        config: Config,
        bound: SocketAddr,
        store: Store,
        keys: Keyring,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, HashFault> {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let public_url = config.public_url(bound);
        let letterhead = Letterhead::new(config.mail_from(bound), &config.mail_link_base(bound));
        Ok(Self {
            issuer: public_url.to_string(),
            public_url,
            audience: config.audience(bound),
            policy: SessionPolicy::from(&config),
            store,
            keys: Keys::new(keys),
            watch: Watch::new(Place::from(&config)),
            clock,
            entropy,
            hasher: Hasher::start(Costs::from(&config), threads)?,
            throttles: Throttles::new(config.throttle),
            exports: Turns::default(),
            letterhead,
            mailer: Mailer::spool(&config),
            config,
        })
    }

    /// With another mailer than the directory for those who have none.
    #[must_use]
    pub fn with_mailer(self, mailer: Mailer) -> Self {
        Self { mailer, ..self }
    }
}

impl From<&Config> for SessionPolicy {
    fn from(config: &Config) -> Self {
        Self {
            refresh_token_ttl: config.refresh_token_ttl,
            session_max_age: config.session_max_age,
            max_sessions_per_user: config.max_sessions_per_user,
            refresh_grace: config.refresh_grace,
            lost_response_window: config.lost_response_window,
            reuse_policy: config.reuse_policy,
        }
    }
}

impl From<&Config> for Costs {
    fn from(config: &Config) -> Self {
        Self {
            memory_kib: config.argon2_memory_kib,
            iterations: config.argon2_iterations,
            parallelism: config.argon2_parallelism,
        }
    }
}
