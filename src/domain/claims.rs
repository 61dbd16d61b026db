//! What the two tokens say.

use serde::{Deserialize, Serialize};

use super::id::{Generation, SessionId, UserId};
use super::time::Timestamp;

/// What a user may do.
///
/// ```
/// assert_eq!(doorward::Role::parse("admin"), Some(doorward::Role::Admin));
/// assert_eq!(doorward::Role::Admin.as_str(), "admin");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// An ordinary account.
    #[default]
    User,
    /// May administer other accounts.
    Admin,
}

impl Role {
    /// The role's name on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
        }
    }

    /// Reads a role's name. `None` when there is no such role.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "user" => Some(Self::User),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }
}

/// Marks an access token, so that nothing else that was signed with the key passes for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessTokenType {
    /// The only value.
    Access,
}

/// What a user's access tokens repeat of the account. When it changes, older tokens are stale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The e-mail address, in the form in which it is kept.
    pub email: String,
    /// The role at the time of issue.
    pub role: Role,
    /// Whether the e-mail address is verified.
    pub is_verified: bool,
}

/// The claims of an access token (PASETO `v4.public`), as [`AccessVerifier::verify`] and
/// [`Caller`] give them, and as JSON:
///
/// ```
/// let claims: doorward::AccessClaims = serde_json::from_str(
///     r#"{
///         "iss": "https://id.example.com", "aud": "https://id.example.com",
///         "sub": "019b76da-a800-7101-8101-010101010101",
///         "sid": "019b76da-a800-7202-8202-020202020202", "gen": 1,
///         "email": "ana@example.com", "role": "user", "isVerified": true, "typ": "access",
///         "iat": "2026-01-01T00:00:00.000Z", "nbf": "2026-01-01T00:00:00.000Z",
///         "exp": "2026-01-01T00:15:00.000Z"
///     }"#,
/// )?;
/// assert!(claims.identity.is_verified);
/// assert!(!claims.is_current(doorward::Timestamp::parse("2026-01-01T00:15:00Z").unwrap()));
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// [`AccessVerifier::verify`]: crate::AccessVerifier::verify
/// [`Caller`]: crate::Caller
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// Issuer: the server's public URL.
    pub iss: String,
    /// Audience: who is meant to accept the token.
    pub aud: String,
    /// Subject: the user.
    pub sub: UserId,
    /// The session that the token belongs to.
    pub sid: SessionId,
    /// The generation of the refresh token that it was issued with.
    #[serde(rename = "gen")]
    pub generation: Generation,
    /// `email`, `role` and `isVerified`.
    #[serde(flatten)]
    pub identity: Identity,
    /// Always `access`.
    pub typ: AccessTokenType,
    /// Issued at.
    pub iat: Timestamp,
    /// Not valid before.
    pub nbf: Timestamp,
    /// Expires at: refused from this moment on.
    pub exp: Timestamp,
}

/// The claims of a refresh token (PASETO `v4.local`). The user's jar holds them encrypted.
#[cfg(feature = "server")]
#[derive(Clone, Serialize, Deserialize)]
pub struct RefreshClaims {
    /// Subject: the user.
    pub sub: UserId,
    /// The session.
    pub sid: SessionId,
    /// Which turn of the session's ratchet the secret belongs to.
    #[serde(rename = "gen")]
    pub generation: Generation,
    /// The secret of that generation.
    pub sec: super::secret::Secret,
    /// Issued at.
    pub iat: Timestamp,
    /// When the session goes idle. The row decides, not this claim.
    pub exp: Timestamp,
    /// Whether the sign-in outlives the browser's window: the cookies' `Max-Age` hangs on it. Handed
    /// on from token to token.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub remember: bool,
}

#[cfg(feature = "server")]
const fn yes() -> bool {
    true
}

#[cfg(feature = "server")]
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over like that")]
const fn is_true(value: &bool) -> bool {
    *value
}
