//! Refresh tokens: PASETO `v4.local`, sealed and opened only here.

use pasetors::token::UntrustedToken;
use pasetors::version4::LocalToken;
use zeroize::Zeroizing;

use super::keyring::{CryptoFault, Keyring};
use crate::domain::claims::RefreshClaims;

/// Keeps a refresh token from passing for any other `v4.local` token and the other way round.
const ASSERTION: &[u8] = b"doorward/refresh/v1";

/// Seals `claims` with the active key.
pub fn seal(claims: &RefreshClaims, keys: &Keyring) -> Result<String, CryptoFault> {
    let set = keys.active();
    let payload = Zeroizing::new(serde_json::to_vec(claims).map_err(|_| CryptoFault)?);
    LocalToken::encrypt(&set.sealing, &payload, Some(&set.sealing_footer), Some(ASSERTION))
        .map_err(|_| CryptoFault)
}

/// The claims of a token that was sealed here, whatever its times say. `None` for anything
/// else: another purpose, an unknown key, a flipped bit.
pub fn open(token: &str, keys: &Keyring) -> Option<RefreshClaims> {
    if token.len() > super::MAX_TOKEN {
        return None;
    }
    let token = UntrustedToken::try_from(token).ok()?;
    let set = keys.sets().find(|set| set.sealing_footer == token.untrusted_footer())?;
    let trusted =
        LocalToken::decrypt(&set.sealing, &token, Some(&set.sealing_footer), Some(ASSERTION))
            .ok()?;
    serde_json::from_str(trusted.payload()).ok()
}
