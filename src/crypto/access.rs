//! Access tokens: PASETO `v4.public`, signed here, verified by anyone with the public keys.

use pasetors::keys::AsymmetricPublicKey;
use pasetors::paserk::{FormatAsPaserk as _, Id};
use pasetors::version4::V4;

use super::encoding::{self, Parts};
#[cfg(feature = "server")]
use super::signature;
use crate::domain::claims::AccessClaims;
use crate::domain::time::Timestamp;

pub(super) const HEADER: &str = "v4.public.";

/// The length of an Ed25519 signature, in bytes (RFC 8032 §5.1.6).
pub(super) const SIGNATURE: usize = 64;

/// A public key that access tokens are verified with.
///
/// ```
/// let published = "k4.public.MmjiMq78zaQrNYV3JqxHT03LIXthNPTF5YZ7wOxuA14";
/// let key = doorward::PublicKey::parse(published)?;
/// assert_eq!(key.id(), "k4.pid.3SYzhjcrBskSBiWYTKRjtS_Sp-WLgY1X0qgGM69Y_FuF");
/// assert!(doorward::PublicKey::parse("a JSON Web Key").is_err());
/// # Ok::<(), doorward::NotAPublicKey>(())
/// ```
#[derive(Clone)]
pub struct PublicKey {
    id: String,
    footer: Vec<u8>,
    key: AsymmetricPublicKey<V4>,
    #[cfg(feature = "server")]
    verifier: signature::Verifier,
}

/// A text is not a PASERK public key (`k4.public.…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a PASERK public key: it starts with `k4.public.` and holds 32 bytes in base64url")]
pub struct NotAPublicKey;

impl PublicKey {
    /// Reads the PASERK form that `GET /.well-known/doorward-keys` publishes.
    pub fn parse(paserk: &str) -> Result<Self, NotAPublicKey> {
        let key = AsymmetricPublicKey::<V4>::try_from(paserk).map_err(|_| NotAPublicKey)?;
        Ok(Self::new(key))
    }

    pub(crate) fn new(key: AsymmetricPublicKey<V4>) -> Self {
        let mut id = String::new();
        // Writing to a String cannot fail.
        let _ = Id::from(&key).fmt(&mut id);
        Self {
            footer: super::footer(&id),
            id,
            #[cfg(feature = "server")]
            verifier: signature::Verifier::new(key.as_bytes()),
            key,
        }
    }

    /// The footer of the tokens that were signed with it.
    #[cfg(feature = "server")]
    pub(super) fn footer(&self) -> &[u8] {
        &self.footer
    }

    /// Whether it has signed `token`, which consists of this payload and signature.
    #[cfg(feature = "server")]
    fn has_signed(&self, _token: &str, payload: &[u8], signature: &[u8]) -> bool {
        self.verifier.verify(payload, &self.footer, signature)
    }

    #[cfg(not(feature = "server"))]
    fn has_signed(&self, token: &str, _payload: &[u8], _signature: &[u8]) -> bool {
        use pasetors::{Public, token::UntrustedToken, version4::PublicToken};
        UntrustedToken::<Public, V4>::try_from(token).is_ok_and(|token| {
            PublicToken::verify(&self.key, &token, Some(&self.footer), None).is_ok()
        })
    }

    /// The PASERK id (`k4.pid.…`) that a token's footer names.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The PASERK form (`k4.public.…`).
    pub fn to_paserk(&self) -> String {
        let mut text = String::new();
        let _ = self.key.fmt(&mut text);
        text
    }
}

/// The claims of a token that one of `keys` has signed, whatever its times say. `None` for
/// anything else: another purpose, an unknown key, a flipped bit.
pub fn open<'a>(
    token: &str,
    mut keys: impl Iterator<Item = &'a PublicKey>,
) -> Option<AccessClaims> {
    if token.len() > super::MAX_TOKEN {
        return None;
    }
    let Parts { body, footer } = encoding::parse(HEADER, token)?;
    let key = keys.find(|key| key.footer == footer)?;
    let (payload, signature) = body.split_last_chunk::<SIGNATURE>()?;
    key.has_signed(token, payload, signature).then(|| serde_json::from_slice(payload).ok())?
}

/// Why an access token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessTokenError {
    /// Not a token that this issuer made for this audience.
    #[error("not a valid access token")]
    Invalid,
    /// It was valid once.
    #[error("the access token is expired")]
    Expired,
}

/// Verifies access tokens offline, with the published keys.
///
/// It cannot know that a session was ended: a token passes until it expires. Where that is too
/// long, ask the server instead.
///
/// ```
/// use doorward::{AccessTokenError, AccessVerifier, PublicKey, Role, Timestamp};
///
/// let key = PublicKey::parse("k4.public.MmjiMq78zaQrNYV3JqxHT03LIXthNPTF5YZ7wOxuA14")?;
/// let verifier = AccessVerifier::new([key], "https://id.example.com", "https://id.example.com");
/// # let token = concat!(
/// #     "v4.public.eyJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUuY29tIiwiYXVkIjoiaHR0cHM6Ly9pZC5leG",
/// #     "FtcGxlLmNvbSIsInN1YiI6IjAxOWI3NmRhLWE4MDAtNzEwMS04MTAxLTAxMDEwMTAxMDEwMSIsInNpZC",
/// #     "I6IjAxOWI3NmRhLWE4MDAtNzIwMi04MjAyLTAyMDIwMjAyMDIwMiIsImdlbiI6MSwiZW1haWwiOiJhbm",
/// #     "FAZXhhbXBsZS5jb20iLCJyb2xlIjoidXNlciIsImlzVmVyaWZpZWQiOnRydWUsInR5cCI6ImFjY2Vzcy",
/// #     "IsImlhdCI6IjIwMjYtMDEtMDFUMDA6MDA6MDAuMDAwWiIsIm5iZiI6IjIwMjYtMDEtMDFUMDA6MDA6MD",
/// #     "AuMDAwWiIsImV4cCI6IjIwMjYtMDEtMDFUMDA6MTU6MDAuMDAwWiJ9sPAIzLVvZbnrQ3SLLhj1S9nCLq",
/// #     "vHlqH9nGqbAHFGMizNjj0FADRlpqQRS6c5qWiMnsHOpBan87wREV4PqZ5yDQ.eyJraWQiOiJrNC5waWQ",
/// #     "uM1NZemhqY3JCc2tTQmlXWVRLUmp0U19TcC1XTGdZMVgwcWdHTTY5WV9GdUYifQ",
/// # );
///
/// // In a program: `SystemTime::now().into()`.
/// let now = Timestamp::parse("2026-01-01T00:10:00Z").unwrap();
/// let claims = verifier.verify(token, now)?;
/// assert_eq!(claims.identity.email, "ana@example.com");
/// assert_eq!(claims.identity.role, Role::User);
/// assert_eq!(claims.sub.to_string(), "019b76da-a800-7101-8101-010101010101");
///
/// let later = Timestamp::parse("2026-01-01T00:20:00Z").unwrap();
/// assert_eq!(verifier.verify(token, later), Err(AccessTokenError::Expired));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AccessVerifier {
    keys: Vec<PublicKey>,
    issuer: String,
    audience: String,
}

impl AccessVerifier {
    /// Accepts tokens of `issuer` (the server's `public_url`) for `audience`.
    pub fn new(
        keys: impl IntoIterator<Item = PublicKey>,
        issuer: impl Into<String>,
        audience: impl Into<String>,
    ) -> Self {
        Self { keys: keys.into_iter().collect(), issuer: issuer.into(), audience: audience.into() }
    }

    /// The claims of a token that is valid at `now`.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<AccessClaims, AccessTokenError> {
        let claims = open(token, self.keys.iter()).ok_or(AccessTokenError::Invalid)?;
        if claims.iss != self.issuer || claims.aud != self.audience {
            return Err(AccessTokenError::Invalid);
        }
        if claims.is_current(now) { Ok(claims) } else { Err(AccessTokenError::Expired) }
    }
}

impl AccessClaims {
    /// How far ahead the issuer's clock may be.
    pub const LEEWAY: std::time::Duration = std::time::Duration::from_secs(60);

    /// Whether `now` lies between `nbf` (with a minute's leeway for skewed clocks) and `exp`.
    pub fn is_current(&self, now: Timestamp) -> bool {
        self.nbf <= now.plus(Self::LEEWAY) && now < self.exp
    }
}
