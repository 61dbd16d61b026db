//! The use cases, one a file. Each reads the clock once, draws its randomness before it queues a
//! write, and answers with values: what was refused is not an error, only a [`Fault`] is.
//!
//! [`Fault`]: crate::fault::Fault

pub mod accounts;
pub mod addresses;
pub mod administration;
pub mod authenticate;
pub mod backup;
pub mod delivery;
pub mod dossier;
mod evenly;
pub mod events;
pub mod export;
pub mod import;
pub mod invitations;
pub mod keys;
pub mod login;
pub mod logout;
pub mod me;
pub mod mint;
pub mod password;
pub mod profile;
pub mod recovery;
pub mod refresh;
pub mod register;
pub mod sessions;
pub mod throttles;
