//! Pure types and rules: no I/O, no clock, no randomness of its own, no framework.
//!
//! Start with [`session`] (what a session stores, and [`session::judge`], the decision over a
//! presented refresh token) and [`secret`] (the BLAKE3 ratchet that it decides about).

pub mod claims;
pub mod id;
pub mod time;

#[cfg(feature = "server")]
pub mod account;
#[cfg(feature = "server")]
pub mod address;
#[cfg(feature = "server")]
pub mod avatar;
#[cfg(feature = "server")]
pub mod device;
#[cfg(feature = "server")]
pub mod gate;
#[cfg(feature = "server")]
pub mod mail;
#[cfg(feature = "server")]
pub mod mark;
#[cfg(feature = "server")]
pub mod one_time;
#[cfg(feature = "server")]
pub mod password;
#[cfg(feature = "server")]
pub mod patch;
#[cfg(feature = "server")]
pub mod phone;
#[cfg(feature = "server")]
pub mod profile;
#[cfg(feature = "server")]
pub mod record;
#[cfg(feature = "server")]
pub mod secret;
#[cfg(feature = "server")]
pub mod session;
#[cfg(feature = "server")]
pub mod text;
#[cfg(feature = "server")]
pub mod throttle;
