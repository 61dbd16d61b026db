//! A client for Doorward, the self-hosted sign-in server,
//! that stays signed in.
//!
//! [`Doorward`] signs in, sends the access token with each call, renews the tokens when they expire
//! and keeps them in a [`TokenStore`] from one run of the program to the next. Cloning it is cheap,
//! and the clones share one session, also between tasks.
//!
//! ```no_run
//! # async fn example() -> Result<(), doorward_client::Error> {
//! use doorward_client::{Doorward, FileStore};
//!
//! let doorward = Doorward::builder("https://auth.example.com")
//!     .store(FileStore::new("tokens.json"))
//!     .on_signed_out(|problem| eprintln!("signed out: {problem}"))
//!     .build()
//!     .await?;
//! if !doorward.is_signed_in() {
//!     doorward.login("ana@example.com", "correct horse battery").await?;
//! }
//! println!("{}", doorward.get_me().await?.email);
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//!
//! - [`Doorward`]: signing in and out, and the typed calls. [`Builder`] makes one.
//! - [`TokenStore`], [`FileStore`], [`MemoryStore`]: where the tokens are kept.
//! - [`Error`], [`Problem`]: what can go wrong.
//! - [`Retry`]: how patient a refresh is.
//! - [`api`]: the client that is generated from the OpenAPI document; its [`api::types`] are what
//!   calls take and return, and [`Doorward::call`] reaches all of its operations.

mod authorization;
mod builder;
mod doorward;
mod error;
mod file_store;
#[rustfmt::skip]
#[expect(clippy::pedantic, clippy::unwrap_used, missing_docs, reason = "generated")]
#[path = "generated.rs"]
pub mod api;
mod held;
mod operations;
mod renewal;
mod retry;
mod secret;
mod session;
mod store;

pub use authorization::Authorization;
pub use builder::Builder;
pub use doorward::{Answer, Doorward};
pub use error::{Error, Problem};
pub use file_store::FileStore;
pub use reqwest;
pub use retry::Retry;
pub use secret::{Secret, Tokens};
pub use store::{MemoryStore, StoreError, TokenStore};
