//! What a client holds between calls.

use std::time::Instant;

use crate::Tokens;
use crate::api::types;

/// What calls are authorized by at a moment.
#[derive(Clone)]
pub(crate) struct Held {
    /// Grows with each change.
    pub(crate) generation: u64,
    /// Which sign-in it comes from: a call of one user must not be repeated as another.
    pub(crate) sign_in: u64,
    /// How many refreshes have ended, well or not.
    pub(crate) refreshes: u64,
    pub(crate) credentials: Credentials,
}

#[derive(Clone)]
pub(crate) enum Credentials {
    None,
    Tokens {
        tokens: Tokens,
        /// On the monotonic clock; `None` when the tokens come from a store.
        expires: Option<Instant>,
    },
    /// They are in the jar.
    Cookies,
}

impl Held {
    pub(crate) fn is_signed_in(&self) -> bool {
        !matches!(self.credentials, Credentials::None)
    }

    /// Never for tokens of unknown age: those are used until the server says so.
    pub(crate) fn is_known_to_be_expired(&self) -> bool {
        match self.credentials {
            Credentials::Tokens { expires: Some(expires), .. } => expires <= Instant::now(),
            _ => false,
        }
    }

    /// The body that refresh and logout take: empty when the token is in a cookie.
    pub(crate) fn refresh_token(&self) -> types::RefreshToken {
        let refresh_token = match &self.credentials {
            Credentials::Tokens { tokens, .. } => Some(tokens.refresh_token.clone()),
            Credentials::None | Credentials::Cookies => None,
        };
        types::RefreshToken { refresh_token }
    }
}
