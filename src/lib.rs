//! Doorward: a self-hosted sign-in server, and the pieces of it that other programs use.
//!
//! # The layers
//!
//! `cli -> {http, jobs} -> flows -> {store, crypto} -> domain`; nothing points the other way.
//!
//! | module | holds |
//! |---|---|
//! | [`domain`] | pure types and rules; `session::judge` is the decision over a refresh token |
//! | [`crypto`] | keys, PASETO tokens, password hashing |
//! | `store` | all SQL: the one writer, the rotation transaction (`store/rotation.rs`), migrations |
//! | `flows` | the use cases, one a file |
//! | `http` | routes, the guard, cookies, problems, the API and its spec |
//! | `jobs` | background work |
//! | `cli` | the command line |
//!
//! # For other programs
//!
//! - [`Doorward`] mounts the routes in a poem program, and its [`Guard`] protects the program's own.
//! - [`AccessVerifier`] verifies access tokens offline, in a build without SQLite or Argon2
//!   (`default-features = false`).
#![cfg_attr(
    not(feature = "server"),
    doc = "\n[`Doorward`]: https://docs.rs/doorward\n[`Guard`]: https://docs.rs/doorward"
)]

pub mod crypto;
pub mod domain;

#[cfg(feature = "server")]
pub mod app;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod clock;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
mod doorward;
#[cfg(feature = "server")]
pub mod fault;
#[cfg(feature = "server")]
pub mod flows;
#[cfg(feature = "server")]
pub mod http;
#[cfg(feature = "server")]
pub mod jobs;
#[cfg(feature = "server")]
mod metric;
#[cfg(feature = "server")]
pub mod store;

pub use crypto::access::{AccessTokenError, AccessVerifier, NotAPublicKey, PublicKey};
pub use domain::claims::AccessClaims;
pub use domain::time::Timestamp;

#[cfg(feature = "server")]
pub use self::doorward::{Doorward, StartError};
#[cfg(feature = "server")]
pub use config::Config;
#[cfg(feature = "server")]
pub use flows::authenticate::Caller;
#[cfg(feature = "server")]
pub use http::guard::Guard;
