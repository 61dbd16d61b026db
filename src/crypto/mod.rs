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

#[cfg(feature = "server")]
use base64::Engine as _;
#[cfg(feature = "server")]
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The longest token that is looked at, in bytes. Ours stay well under 1 KiB.
const MAX_TOKEN: usize = 4096;

/// The footer of both tokens: the id of the key.
fn footer(key_id: &str) -> Vec<u8> {
    serde_json::json!({ "kid": key_id }).to_string().into_bytes()
}

/// How the tokens end that name a key: with the footer, as it is written down.
#[cfg(feature = "server")]
pub fn ending(key_id: &str) -> String {
    URL_SAFE_NO_PAD.encode(footer(key_id))
}

#[cfg(test)]
#[cfg(feature = "server")]
#[path = "vectors_tests.rs"]
mod vectors;
