//! Access tokens whose signature was found to be good. Verifying one takes longer than all the
//! rest of a guarded request, and most tokens come many times.
//!
//! Only the signature is taken from here: expiry, and whether the session has ended, are looked
//! at each time. A keyring has a cache of its own, so that a key that is retired takes the tokens
//! that it has signed with it.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use quick_cache::sync::Cache;

use crate::domain::claims::AccessClaims;

/// How many tokens are remembered, at well under 1 KiB each.
const TOKENS: usize = 8192;

/// SHA-256 of a token, for which processors have instructions: all of it is compared, and no token
/// is kept.
type Digest = [u8; 32];

pub(super) struct Verified(Cache<Digest, Arc<AccessClaims>>);

impl Verified {
    pub(super) fn new() -> Self {
        Self(Cache::new(TOKENS))
    }

    /// The claims of `token`; `verify` is asked when it was not seen before.
    pub(super) fn claims(
        &self,
        token: &str,
        verify: impl FnOnce() -> Option<AccessClaims>,
    ) -> Option<Arc<AccessClaims>> {
        let mut key: Digest = [0; 32];
        key.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        if let Some(claims) = self.0.get(&key) {
            return Some(claims);
        }
        let claims = Arc::new(verify()?);
        self.0.insert(key, Arc::clone(&claims));
        Some(claims)
    }
}
