//! Doorward as a piece of another poem program.

use std::net::SocketAddr;
use std::sync::Arc;

use poem::Response;
use poem::endpoint::BoxEndpoint;

use crate::app::App;
use crate::clock::{Clock, Entropy, NoEntropy, SystemClock, SystemEntropy, random};
use crate::config::{Config, ConfigError};
use crate::crypto::hasher::HashFault;
use crate::crypto::key_files::{self, KeyError, Place};
use crate::crypto::keyring::{Keyring, Root};
use crate::domain::secret::KeyId;
use crate::domain::time::Now;
use crate::fault::Fault;
use crate::flows;
use crate::http::guard::Guard;
use crate::http::{self, Web};
use crate::jobs::Jobs;
use crate::mail::{Mailer, MailerError};
use crate::store::{Hold, HoldError, OpenError, Store};

/// A running Doorward: its routes, and the guard for the routes of the program around it.
///
/// ```no_run
/// use doorward::{Caller, Config, Doorward};
/// use poem::{EndpointExt as _, Route, get, handler};
///
/// #[handler]
/// async fn orders(caller: Caller) -> String {
///     format!("the orders of {}", caller.claims.identity.email)
/// }
///
/// # async fn start() -> Result<(), doorward::StartError> {
/// let doorward = Doorward::open(Config::default()).await?;
/// let app = Route::new()
///     .nest("/", doorward.routes())
///     .at("/orders", get(orders).with(doorward.guard()));
/// # Ok(())
/// # }
/// ```
pub struct Doorward {
    web: Arc<Web>,
    jobs: Option<Jobs>,
    /// Let go when all else is closed.
    hold: Option<Hold>,
}

/// Why Doorward cannot start. Says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is not safe as it is.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// Mail cannot be sent as configured.
    #[error(transparent)]
    Mail(#[from] MailerError),
    /// Another Doorward has the data directory.
    #[error(transparent)]
    Held(#[from] HoldError),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The database cannot be read.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The system has no randomness.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// The hashing threads cannot be started.
    #[error(transparent)]
    Hashing(#[from] HashFault),
}

impl Doorward {
    /// Opens the keys and the database under `config.data_dir` and starts the background jobs
    /// on the current tokio runtime. One Doorward at a time has a data directory. `public_url` should be set: it is where users find the
    /// program around it.
    pub async fn open(config: Config) -> Result<Self, StartError> {
        let bound = config.listen;
        Self::open_at(config, bound).await
    }

    /// The same for a server that is bound to `bound`, whatever `config.listen` says.
    pub async fn open_at(config: Config, bound: SocketAddr) -> Result<Self, StartError> {
        let hold = Hold::take(&config.data_dir)?;
        Self::open_held(hold, config, bound).await
    }

    /// The same, in a data directory that is held already.
    pub(crate) async fn open_held(
        hold: Hold,
        config: Config,
        bound: SocketAddr,
    ) -> Result<Self, StartError> {
        config.check_exposure(bound)?;
        let mailer = Mailer::open(&config)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let now = clock.now();
        let store = Store::open(&config.database(), config.access_token_ttl, now)?;
        let keys = load_keys(&config, &store, &*entropy, now).await?;
        let app = App::new(config, bound, store, keys, clock, entropy)?.with_mailer(mailer);
        flows::keys::note(&app.store, &app.keys.current(), &*app.clock).await?;
        warn_of_mail_that_nobody_gets(&app);
        let app = Arc::new(app);
        let jobs = Jobs::start(&app);
        Ok(Self { jobs: Some(jobs), hold: Some(hold), ..Self::from_app(app) })
    }

    /// Around an application that was put together by hand, without background jobs: for tests
    /// on a fake clock.
    pub fn from_app(app: Arc<App>) -> Self {
        Self { web: Arc::new(Web::new(app)), jobs: None, hold: None }
    }

    /// All of Doorward's routes: the API, the documentation, the probes.
    pub fn routes(&self) -> BoxEndpoint<'static, Response> {
        http::routes(Arc::clone(&self.web))
    }

    /// Protects a route: the auto-refresh middleware.
    pub fn guard(&self) -> Guard {
        Guard::new(Arc::clone(&self.web))
    }

    /// The application.
    pub fn app(&self) -> &Arc<App> {
        &self.web.app
    }

    /// Reads the keys again: what `doorward serve` does on SIGHUP, for a `key_file` that has another
    /// line. Keys that cannot be used change nothing.
    pub async fn reload_keys(&self) -> Result<(), flows::keys::Refusal> {
        flows::keys::reload(self.app()).await
    }

    /// Ends the background jobs, once a mail that is being delivered is, writes what is queued and closes the database. Requests that
    /// come later are answered 503.
    pub async fn close(mut self) {
        if let Some(jobs) = self.jobs.take() {
            jobs.stop().await;
        }
        let app = Arc::clone(&self.web.app);
        let now = app.clock.now();
        if let Err(fault) = app.store.write_notes(now).await {
            tracing::warn!(%fault, "the last confirmations could not be written");
        }
        let _ = tokio::task::spawn_blocking(move || app.store.close_for_good()).await;
        drop(self.hold.take());
    }
}

fn warn_of_mail_that_nobody_gets(app: &App) {
    let dir = app.config.mail_dir();
    if app.config.smtp_url.is_none() && !app.public_url.is_loopback() {
        let dir = dir.display();
        tracing::warn!("smtp_url is unset: nobody gets mail, it is written to {dir}");
    }
}

async fn load_keys(
    config: &Config,
    store: &Store,
    entropy: &dyn Entropy,
    now: Now,
) -> Result<Keyring, StartError> {
    let (mut in_use, records) = (store.keys_in_use(now).await?, store.key_records().await?);
    // What a revoked key has made is over, and it is not to be put back.
    in_use.retain(|id| {
        !records.iter().any(|record| record.name.id == *id && record.retired_at.is_some())
    });
    let place = Place::from(config);
    let keys = match &place {
        Place::File(path) => {
            let (keys, warning) = key_files::load_file(path)?;
            if let Some(warning) = warning {
                tracing::warn!("{warning}");
            }
            keys
        }
        Place::Directory(dir) => {
            let fresh = Root::from_bytes(random(entropy)?);
            key_files::load_dir(dir, in_use.is_empty(), &fresh, now.wall)?
        }
    };
    // A session depends on the key that it was made with: under others everybody would be
    // signed out without a word.
    let is_known = |id: &KeyId| keys.sets().any(|set| set.ratchet.id == *id);
    if !in_use.is_empty() && !in_use.iter().any(is_known) {
        return Err(KeyError::Others(place.path().to_owned()).into());
    }
    Ok(flows::keys::sound(&place, &keys, &records)?)
}
