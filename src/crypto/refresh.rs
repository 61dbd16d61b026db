//! Refresh tokens: PASETO `v4.local`, sealed and opened only here.

use zeroize::Zeroizing;

use super::encoding::{self, Parts};
use super::keyring::{CryptoFault, KeySet, Keyring};
use super::sealing::{self, Bound};

pub use super::sealing::Nonce;
use crate::domain::claims::RefreshClaims;

/// Keeps a refresh token from passing for any other `v4.local` token and the other way round.
const ASSERTION: &[u8] = b"doorward/refresh/v1";

/// More bytes than the claims ever take.
const ROOM: usize = 512;

/// Seals `claims` with the active key.
pub fn seal(claims: &RefreshClaims, keys: &Keyring, nonce: Nonce) -> Result<String, CryptoFault> {
    let set = keys.active();
    // With room for all of it: a buffer that is outgrown is given back as it is.
    let mut payload = Zeroizing::new(Vec::with_capacity(ROOM));
    serde_json::to_writer(&mut *payload, claims).map_err(|_| CryptoFault)?;
    Ok(set.sealing.seal(nonce, &payload, bound(set)))
}

/// The claims of a token that was sealed here, whatever its times say. `None` for anything
/// else: another purpose, an unknown key, a flipped bit.
pub fn open(token: &str, keys: &Keyring) -> Option<RefreshClaims> {
    if token.len() > super::MAX_TOKEN {
        return None;
    }
    let Parts { body, footer } = encoding::parse(sealing::HEADER, token)?;
    let set = keys.sets().find(|set| set.sealing_footer == footer)?;
    let payload = set.sealing.open(&body, bound(set))?;
    serde_json::from_slice(&payload).ok()
}

fn bound(set: &KeySet) -> Bound<'_> {
    Bound { footer: &set.sealing_footer, assertion: ASSERTION }
}
