//! Keys, tokens and password hashes.
//!
//! All keys of a set are derived from one 32-byte secret under separate contexts, and each
//! has a type of its own, so that none can serve two purposes.

pub mod access;
mod encoding;

#[cfg(feature = "server")]
pub mod hasher;
#[cfg(feature = "server")]
pub mod key_files;
#[cfg(feature = "server")]
pub mod keyring;
#[cfg(feature = "server")]
pub mod one_time;
#[cfg(feature = "server")]
pub mod refresh;
#[cfg(feature = "server")]
mod sealing;
#[cfg(feature = "server")]
mod signature;
#[cfg(feature = "server")]
mod verified;

/// The longest token that is looked at, in bytes. Ours stay well under 1 KiB.
const MAX_TOKEN: usize = 4096;

/// The footer of both tokens: the id of the key.
fn footer(key_id: &str) -> Vec<u8> {
    serde_json::json!({ "kid": key_id }).to_string().into_bytes()
}

#[cfg(test)]
#[cfg(feature = "server")]
#[path = "vectors_tests.rs"]
mod vectors;
