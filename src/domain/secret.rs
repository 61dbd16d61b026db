//! The BLAKE3 ratchet: how the secret of one generation yields that of the next, and how a
//! secret is stored.
//!
//! A client that presents the *parent* of the current secret can be given the very same
//! successor again, although the server keeps neither: it derives the child and compares
//! its lookup hash with the stored one.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::id::{Generation, SessionId};
use super::session::{Presented, Session};

/// The 32 secret bytes of one generation of a refresh token. Neither stored nor printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

/// 32 fresh random bytes that each rotation mixes in and the row keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub [u8; 32]);

/// What the database keeps of a secret.
#[derive(Clone, Copy)]
pub struct LookupHash(pub [u8; 32]);

/// Names a set of keys: the 33 bytes of the PASERK id (`k4.lid.…`) of its token key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub [u8; 33]);

/// Derives the next secret. Used for nothing else.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct RatchetKey([u8; 32]);

/// Hashes a secret for storage. Used for nothing else.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct LookupKey([u8; 32]);

/// The ratchet under one set of keys.
#[derive(Clone)]
pub struct Ratchet {
    /// The set that the keys belong to.
    pub id: KeyId,
    next: RatchetKey,
    lookup: LookupKey,
}

/// The ratchets of all keys that still count; the first one turns, the others only verify.
#[derive(Clone)]
pub struct Ratchets(Vec<Ratchet>);

/// What a presented secret has been found to be.
pub enum Proof {
    /// The current secret of the session.
    Current,
    /// The parent of the current secret; here is the child that it yields.
    Parent(Secret),
    /// Neither.
    Nothing,
}

impl Secret {
    /// From random bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl RatchetKey {
    /// From 32 bytes that were derived for this purpose.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl LookupKey {
    /// From 32 bytes that were derived for this purpose.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl Ratchet {
    /// The ratchet of the set of keys named `id`.
    pub const fn new(id: KeyId, next: RatchetKey, lookup: LookupKey) -> Self {
        Self { id, next, lookup }
    }

    /// The secret that follows `secret`, of the given generation:
    /// `BLAKE3-keyed(ratchet key, secret ‖ salt ‖ session ‖ generation)`, all of fixed width.
    pub fn turn(&self, secret: &Secret, salt: &Salt, session: SessionId, to: Generation) -> Secret {
        let mut hasher = blake3::Hasher::new_keyed(&self.next.0);
        hasher.update(&secret.0);
        hasher.update(&salt.0);
        hasher.update(session.0.as_bytes());
        hasher.update(&u64::from(to.0).to_be_bytes());
        let child = Secret(*hasher.finalize().as_bytes());
        hasher.zeroize();
        child
    }

    /// What the database keeps of `secret`.
    pub fn lookup(&self, secret: &Secret) -> LookupHash {
        LookupHash(*blake3::keyed_hash(&self.lookup.0, &secret.0).as_bytes())
    }
}

impl Ratchets {
    /// The active ratchet first, then those of older keys.
    pub fn new(active: Ratchet, older: impl IntoIterator<Item = Ratchet>) -> Self {
        Self(std::iter::once(active).chain(older).collect())
    }

    /// The one that new generations are made with.
    pub fn active(&self) -> &Ratchet {
        &self.0[0]
    }

    /// Whether the keys of this id are among them.
    pub fn know(&self, id: KeyId) -> bool {
        self.0.iter().any(|ratchet| ratchet.id == id)
    }

    /// Compares what was presented with what the session stores.
    ///
    /// The session's own key decides: it made the current generation, whatever key the
    /// presented token was sealed with.
    pub fn examine(&self, session: &Session, presented: &Presented) -> Proof {
        let Some(ratchet) = self.0.iter().find(|ratchet| ratchet.id == session.key_id) else {
            return Proof::Nothing;
        };
        let secret = &presented.secret;
        if presented.generation == session.generation {
            if ratchet.lookup(secret) == session.secret_hash {
                return Proof::Current;
            }
        } else if presented.generation.is_parent_of(session.generation) {
            let child = ratchet.turn(secret, &session.salt, session.id, session.generation);
            if ratchet.lookup(&child) == session.secret_hash {
                return Proof::Parent(child);
            }
        }
        Proof::Nothing
    }
}

impl PartialEq for LookupHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for LookupHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LookupHash(…)")
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(…)")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Current => "Current",
            Self::Parent(_) => "Parent",
            Self::Nothing => "Nothing",
        })
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "k4.lid.{}", URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl KeyId {
    /// Reads the PASERK form. `None` when it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix("k4.lid.")?).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

impl Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(URL_SAFE_NO_PAD.encode(self.0)))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let mut secret = Self([0; 32]);
        match URL_SAFE_NO_PAD.decode_slice(text.as_bytes(), &mut secret.0) {
            Ok(32) => Ok(secret),
            _ => Err(serde::de::Error::custom("not 32 bytes in base64url")),
        }
    }
}

#[cfg(test)]
#[path = "secret_tests.rs"]
mod tests;
