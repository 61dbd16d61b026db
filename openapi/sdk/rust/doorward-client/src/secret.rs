//! Values that must not be printed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A token or a password. `Debug` does not show it; serialising does.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The value itself, to be sent or kept, not to be logged.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The pair of tokens that a session lives by, as a [`TokenStore`](crate::TokenStore) keeps it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// Goes with each call, for minutes.
    pub access_token: Secret,
    /// Is traded for the next pair, once.
    pub refresh_token: Secret,
}
