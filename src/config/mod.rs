//! Configuration: the file, then the environment, then flags, validated once at start.
//!
//! | file | holds |
//! |---|---|
//! | `keys.rs` | the one table of keys: a new key is a field of [`Config`], its default and one row |
//! | `sources.rs`, `raw.rs` | raw values from file, environment and flags, applied in that order |
//! | `parse.rs` | one parser per type, shared by all sources |
//! | `choices.rs`, `origin.rs`, `mail.rs` | the types that configuration brings along |
//! | `rules.rs` | bounds that span several keys, and warnings |
//! | `show.rs`, `error.rs` | what the operator reads |
//!
//! Every problem is reported, not just the first, and each names the key, where its value
//! came from, what was found and what is allowed.

mod choices;
mod error;
mod keys;
mod mail;
mod origin;
mod parse;
mod raw;
mod rules;
mod show;
mod sources;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use choices::{LogFormat, LogLevel, Registration};
pub use error::ConfigError;
use error::Problem;
use ipnet::IpNet;
pub use mail::{Sender, SmtpSecurity, SmtpUrl};
pub use origin::{Origin, PublicUrl};
pub use show::{Setting, Source};
use sources::Draft;

use crate::domain::password::PasswordRules;

pub use crate::domain::session::ReusePolicy;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The file that is read when none is named; it may be absent.
const DEFAULT_FILE: &str = "doorward.toml";

/// The settings in force. [`Default`] gives the documented defaults.
///
/// ```
/// use std::time::Duration;
///
/// use doorward::Config;
/// use doorward::config::{PublicUrl, Registration};
///
/// let config = Config {
///     public_url: Some(PublicUrl::parse("https://shop.example.com")?),
///     access_token_ttl: Duration::from_secs(5 * 60),
///     registration: Registration::Closed,
///     ..Config::default()
/// };
/// assert_eq!(config.max_sessions_per_user, 50);
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Config {
    /// Address and port to serve on; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// A second address for `/metrics` alone; without it only loopback peers may read them.
    pub metrics_listen: Option<SocketAddr>,
    /// The URL users see. Unset: see [`Config::public_url`].
    pub public_url: Option<PublicUrl>,
    /// The `aud` claim. Unset: see [`Config::audience`].
    pub audience: Option<String>,
    /// Holds the database and, unless `key_file` is set, the keys.
    pub data_dir: PathBuf,
    /// Key material from a mounted secret, in place of `DATA/keys/`.
    pub key_file: Option<PathBuf>,
    /// Longest life of an access token; each is shortened by a random 0–10 %.
    pub access_token_ttl: Duration,
    /// Idle time after which a session expires.
    pub refresh_token_ttl: Duration,
    /// Age at which a session ends, however busy it is.
    pub session_max_age: Duration,
    /// How long a superseded refresh token is taken for a race; zero is strict mode.
    pub refresh_grace: Duration,
    /// How long a lost response can be asked for again while its successor is unused.
    pub lost_response_window: Duration,
    /// Which sessions end when a refresh token is reused.
    pub reuse_policy: ReusePolicy,
    /// Whether the guard refreshes cookie clients silently.
    pub auto_refresh: bool,
    /// Live sessions per user; the least recently used one gives way.
    pub max_sessions_per_user: u32,
    /// Who may register.
    pub registration: Registration,
    /// Sign in only who has verified their address.
    pub require_verified_email: bool,
    /// Other origins whose pages may call, with credentials.
    pub allowed_origins: Vec<Origin>,
    /// Networks whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The cookies' `Domain`, lower-cased and without a leading dot.
    pub cookie_domain: Option<String>,
    /// Serve plain http beyond loopback.
    pub allow_insecure: bool,
    /// Limit attempts at login, register and the like.
    pub throttle: bool,
    /// The server that takes mail. Unset: it is written to files in [`Config::mail_dir`].
    pub smtp_url: Option<SmtpUrl>,
    /// Certificates (PEM) to trust in place of the usual ones when mail is sent.
    pub smtp_ca_file: Option<PathBuf>,
    /// Who mail is from. Unset: see [`Config::mail_from`].
    pub mail_from: Option<Sender>,
    /// Where links in mails lead. Unset: see [`Config::mail_link_base`].
    pub mail_link_base: Option<Origin>,
    /// Fewest code points of a new password.
    pub password_min_length: u32,
    /// Least score of a new password by zxcvbn; 0 asks for none.
    pub password_min_score: u32,
    /// Argon2id memory (m), in KiB.
    pub argon2_memory_kib: u32,
    /// Argon2id passes (t).
    pub argon2_iterations: u32,
    /// Argon2id lanes (p).
    pub argon2_parallelism: u32,
    /// Shape of a log line.
    pub log_format: LogFormat,
    /// The least severe level that is logged.
    pub log_level: LogLevel,
    /// How long events stay in the audit trail.
    pub audit_retention: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            metrics_listen: None,
            public_url: None,
            audience: None,
            data_dir: PathBuf::from("data"),
            key_file: None,
            access_token_ttl: 15 * MINUTE,
            refresh_token_ttl: 30 * DAY,
            session_max_age: 180 * DAY,
            // Covers tabs that raced and one slow retry; longer only helps a thief.
            refresh_grace: Duration::from_secs(10),
            lost_response_window: 24 * HOUR,
            reuse_policy: ReusePolicy::default(),
            auto_refresh: true,
            max_sessions_per_user: 50,
            registration: Registration::default(),
            require_verified_email: false,
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            cookie_domain: None,
            allow_insecure: false,
            throttle: true,
            smtp_url: None,
            smtp_ca_file: None,
            mail_from: None,
            mail_link_base: None,
            password_min_length: 8,
            password_min_score: 0,
            // OWASP's recommendation for Argon2id: 19 MiB, two passes, one lane.
            argon2_memory_kib: 19_456,
            argon2_iterations: 2,
            argon2_parallelism: 1,
            log_format: LogFormat::default(),
            log_level: LogLevel::default(),
            audit_retention: 365 * DAY,
        }
    }
}

impl Config {
    /// The database file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.data_dir.join("doorward.db")
    }

    /// The directory of the keys, where no `key_file` replaces it.
    #[must_use]
    pub fn keys_dir(&self) -> PathBuf {
        self.data_dir.join("keys")
    }

    /// The directory that mail is written to while no `smtp_url` is set.
    #[must_use]
    pub fn mail_dir(&self) -> PathBuf {
        self.data_dir.join("mail")
    }

    /// Who mail is from: `mail_from`, or `no-reply` at the host of the public URL. Where that host
    /// has no mailboxes, being an address, it is `localhost`.
    #[must_use]
    pub fn mail_from(&self, bound: SocketAddr) -> Sender {
        let url = self.public_url(bound);
        self.mail_from.clone().unwrap_or_else(|| Sender::no_reply(url.domain()))
    }

    /// Where links in mails lead: `mail_link_base`, or the public URL.
    #[must_use]
    pub fn mail_link_base(&self, bound: SocketAddr) -> Origin {
        self.mail_link_base.clone().unwrap_or_else(|| self.public_url(bound).origin())
    }

    /// The URL users see: `public_url`, or `http://` and the address bound.
    #[must_use]
    pub fn public_url(&self, bound: SocketAddr) -> PublicUrl {
        self.public_url.clone().unwrap_or_else(|| PublicUrl::plain(bound))
    }

    /// The `aud` claim of access tokens: `audience`, or the public URL.
    #[must_use]
    pub fn audience(&self, bound: SocketAddr) -> String {
        self.audience.clone().unwrap_or_else(|| self.public_url(bound).to_string())
    }

    /// What a new password has to be.
    #[must_use]
    pub fn password_rules(&self) -> PasswordRules {
        let min_score = u8::try_from(self.password_min_score).unwrap_or(u8::MAX);
        PasswordRules { min_chars: self.password_min_length, min_score }
    }

    /// Refuses to serve plain http beyond loopback unless `allow_insecure` is set.
    ///
    /// # Errors
    /// When the public URL is `http` and its host is neither `localhost` nor a loopback address.
    pub fn check_exposure(&self, bound: SocketAddr) -> Result<(), ConfigError> {
        match rules::exposure(self, bound) {
            None => Ok(()),
            Some(breach) => Err(ConfigError::from(vec![Problem::Value {
                key: breach.key,
                place: "in force".to_owned(),
                found: breach.found,
                allowed: breach.allowed,
            }])),
        }
    }
}

/// What the command line says about the configuration.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--config`: the file to read, which must then exist.
    pub config: Option<PathBuf>,
    /// `--data`: overrides `data_dir`.
    pub data: Option<PathBuf>,
    /// `--listen`: overrides `listen`.
    pub listen: Option<String>,
}

/// A configuration that may be started with.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The values in force.
    pub config: Config,
    /// What is allowed but probably not meant; one sentence each.
    pub warnings: Vec<String>,
    /// Every key with its value and where that came from, in the documented order.
    pub settings: Vec<Setting>,
}

/// Reads and validates the configuration: file, then `env`, then `flags`, the later one wins.
///
/// The file is the one `flags` names, or `doorward.toml` in the working directory if there is
/// one. Of `env` only variables that start with `DOORWARD_` are looked at.
///
/// # Errors
/// All problems at once: an unreadable file, unknown keys in it, values that are not allowed in
/// any source (also where a later source overrides them), and values that contradict each other.
pub fn load(
    flags: &Flags,
    env: impl Iterator<Item = (String, String)>,
) -> Result<Loaded, ConfigError> {
    let mut draft = Draft::default();
    draft.read_file(flags.config.as_deref(), Path::new(DEFAULT_FILE));
    draft.apply_environment(env);
    draft.apply_flags(flags);
    draft.finish()
}
