//! Doorward: a self-hosted sign-in server, and the pieces of it that other programs use.
//!
//! - [`Doorward`] mounts the sign-in routes in a poem program, [`Guard`] protects the program's own
//!   routes, and [`Caller`] tells a handler who is calling.
//! - [`AccessVerifier`] verifies access tokens offline, with the published keys. With
//!   `default-features = false` it is all that is built: neither SQLite nor Argon2.
//!
//! ```no_run
//! # #[cfg(feature = "server")] mod example {
//! use doorward::{Caller, Config, Doorward};
//! use poem::{EndpointExt as _, Route, get, handler};
//!
//! #[handler]
//! fn orders(caller: Caller) -> String {
//!     format!("The orders of {}", caller.claims.identity.email)
//! }
//!
//! # async fn start() -> Result<(), doorward::StartError> {
//! let doorward = Doorward::open(Config::default()).await?;
//! let app = Route::new()
//!     .nest("/", doorward.routes())
//!     .at("/orders", get(orders).with(doorward.guard()));
//! # Ok(())
//! # }
//! # }
//! ```
//!
//! # Inside
//!
//! Modules that are not listed here are public for Doorward's own tests and benchmarks, and change
//! without notice. Their layers: `cli -> {http, jobs} -> flows -> {store, crypto, mail} -> domain`; nothing
//! points the other way.
//!
//! | module | holds |
//! |---|---|
//! | `domain` | pure types and rules; `session::judge` is the decision over a refresh token |
//! | `crypto` | keys, PASETO tokens, password hashing |
//! | `store` | all SQL: the one writer, the rotation transaction (`store/rotation.rs`), migrations |
//! | `mail` | letters: what they say, and SMTP, files or memory to take them away |
//! | `flows` | the use cases, one a file |
//! | `http` | routes, the guard, cookies, problems, the API and its spec |
//! | `jobs` | background work |
//! | `cli` | the command line |
// The server's names are not there to be linked to then.
#![cfg_attr(not(feature = "server"), allow(rustdoc::broken_intra_doc_links))]

#[doc(hidden)]
pub mod crypto;
#[doc(hidden)]
pub mod domain;

#[cfg(feature = "server")]
#[doc(hidden)]
pub mod app;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod clock;
#[cfg(feature = "server")]
pub mod config;
#[cfg(feature = "server")]
mod doorward;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod fault;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod flows;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod http;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod jobs;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod mail;
#[cfg(feature = "server")]
mod metric;
#[cfg(feature = "server")]
#[doc(hidden)]
pub mod store;

pub use crypto::access::{AccessTokenError, AccessVerifier, NotAPublicKey, PublicKey};
pub use domain::claims::{AccessClaims, AccessTokenType, Identity, Role};
pub use domain::id::{Generation, SessionId, UserId};
pub use domain::time::Timestamp;

#[cfg(feature = "server")]
pub use self::doorward::{Doorward, StartError};
#[cfg(feature = "server")]
pub use config::Config;
#[cfg(feature = "server")]
pub use flows::authenticate::Caller;
#[cfg(feature = "server")]
pub use http::guard::Guard;
