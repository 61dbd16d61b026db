//! The keys in memory.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pasetors::keys::{AsymmetricPublicKey, SymmetricKey};
use pasetors::paserk::{FormatAsPaserk as _, Id};
use pasetors::version4::V4;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

use super::access::{self, PublicKey};
use super::one_time::OneTimeKey;
use super::sealing::SealingKey;
use super::signature::Signer;
use super::verified::Verified;
use crate::domain::claims::AccessClaims;
use crate::domain::id::SessionId;
use crate::domain::secret::{KeyId, LookupKey, Ratchet, RatchetKey, Ratchets};

/// A cryptographic operation failed that cannot fail with sound keys and randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cryptographic operation failed")]
pub struct CryptoFault;

/// The secret that a set of keys is derived from: 32 bytes, in files as PASERK `k4.local.…`.
#[derive(Clone, ZeroizeOnDrop)]
pub struct Root([u8; 32]);

impl Root {
    /// From random bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads the PASERK form. `None` when it is not one, for example because it is too short.
    pub fn parse(paserk: &str) -> Option<Self> {
        let key = SymmetricKey::<V4>::try_from(paserk).ok()?;
        key.as_bytes().try_into().ok().map(Self)
    }

    /// The PASERK form.
    pub fn to_paserk(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("k4.local.{}", *Zeroizing::new(URL_SAFE_NO_PAD.encode(self.0))))
    }

    fn derive(&self, context: &str) -> Zeroizing<[u8; 32]> {
        let mut hasher = blake3::Hasher::new_derive_key(context);
        hasher.update(&self.0);
        let mut derived = hasher.finalize();
        let key = Zeroizing::new(*derived.as_bytes());
        hasher.zeroize();
        derived.zeroize();
        key
    }
}

/// Binds the CSRF value to a session. Used for nothing else.
#[derive(Clone, ZeroizeOnDrop)]
struct CsrfKey([u8; 32]);

/// One set of keys, all derived from one [`Root`].
pub struct KeySet {
    /// Seals refresh tokens.
    pub(super) sealing: SealingKey,
    /// The footer of refresh tokens: names `ratchet.id`.
    pub(super) sealing_footer: Vec<u8>,
    /// How its access and refresh tokens end: their footers, as they are written down.
    endings: [String; 2],
    signer: Signer,
    /// Verifies access tokens.
    pub public: PublicKey,
    csrf: CsrfKey,
    /// Makes the secrets of links in mails.
    pub(super) one_time: OneTimeKey,
    /// Turns and hashes the secrets of refresh tokens; its id names the set in the database.
    pub ratchet: Ratchet,
}

impl KeySet {
    /// Derives the keys.
    pub fn derive(root: &Root) -> Result<Self, CryptoFault> {
        let sealing = root.derive("doorward v1 refresh token, PASETO v4.local");
        let mut id = String::new();
        let _ =
            Id::from(&SymmetricKey::<V4>::from(&*sealing).map_err(|_| CryptoFault)?).fmt(&mut id);
        let key_id = KeyId::parse(&id).ok_or(CryptoFault)?;

        let seed = root.derive("doorward v1 access token, PASETO v4.public");
        let signer = Signer::from_seed(&seed)?;
        let public = AsymmetricPublicKey::<V4>::from(signer.public()).map_err(|_| CryptoFault)?;

        let ratchet = RatchetKey::from_bytes(*root.derive("doorward v1 refresh token, ratchet"));
        let lookup = LookupKey::from_bytes(*root.derive("doorward v1 refresh token, lookup hash"));
        let (public, sealing_footer) = (PublicKey::new(public), super::footer(&id));
        Ok(Self {
            sealing: SealingKey::from_bytes(*sealing),
            endings: [public.id(), &id].map(super::ending),
            sealing_footer,
            signer,
            public,
            csrf: CsrfKey(*root.derive("doorward v1 csrf token")),
            one_time: OneTimeKey::from_bytes(*root.derive("doorward v1 one-time token")),
            ratchet: Ratchet::new(key_id, ratchet, lookup),
        })
    }

    /// The CSRF value of a session, in base64url.
    pub fn csrf_token(&self, session: SessionId) -> String {
        URL_SAFE_NO_PAD.encode(blake3::keyed_hash(&self.csrf.0, session.0.as_bytes()).as_bytes())
    }

    /// Signs an access token.
    pub fn sign(&self, claims: &AccessClaims) -> Result<String, CryptoFault> {
        let payload = serde_json::to_vec(claims).map_err(|_| CryptoFault)?;
        self.signer.token(&payload, self.public.footer())
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet").field("id", &self.ratchet.id).finish_non_exhaustive()
    }
}

/// Whether a CSRF value is good for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CsrfMatch {
    /// Made with the active key.
    Active,
    /// Made with an older key: accepted, to be replaced.
    Older,
}

/// All keys: the active one makes new tokens, the older ones still verify. It is never changed:
/// keys that come and go make another keyring.
pub struct Keyring {
    active: Arc<KeySet>,
    /// It is retired, and none has come in its place: it verifies nothing, and the store takes nothing
    /// that it makes.
    is_spent: bool,
    older: Vec<Arc<KeySet>>,
    ratchets: Arc<Ratchets>,
    verified: Verified,
}

impl Keyring {
    /// A keyring whose `active` root makes new tokens.
    pub fn new(active: &Root, older: &[Root]) -> Result<Self, CryptoFault> {
        let derive = |root| KeySet::derive(root).map(Arc::new);
        let older = older.iter().map(derive).collect::<Result<Vec<_>, _>>()?;
        Ok(Self::of(derive(active)?, false, older))
    }

    fn of(active: Arc<KeySet>, is_spent: bool, older: Vec<Arc<KeySet>>) -> Self {
        let ratchets =
            Ratchets::new(active.ratchet.clone(), older.iter().map(|set| set.ratchet.clone()));
        Self { active, is_spent, older, ratchets: Arc::new(ratchets), verified: Verified::new() }
    }

    /// The same without the keys that have been `retired`: they verify nothing. If the active one is
    /// among them it is spent.
    #[must_use]
    pub fn without(&self, retired: &[KeyId]) -> Self {
        let is_retired = |set: &KeySet| retired.contains(&set.ratchet.id);
        let older = self.older.iter().filter(|set| !is_retired(set)).map(Arc::clone).collect();
        Self::of(Arc::clone(&self.active), self.is_spent || is_retired(&self.active), older)
    }

    /// The set that makes new tokens.
    pub fn active(&self) -> &KeySet {
        &self.active
    }

    /// Whether the active set is retired.
    pub const fn is_spent(&self) -> bool {
        self.is_spent
    }

    /// All sets that verify, the active one first.
    pub fn sets(&self) -> impl Iterator<Item = &KeySet> {
        let active = (!self.is_spent).then_some(&*self.active);
        active.into_iter().chain(self.older.iter().map(|set| &**set))
    }

    /// The ids of all sets that verify, that of the active one first.
    pub fn ids(&self) -> Vec<KeyId> {
        self.sets().map(|set| set.ratchet.id).collect()
    }

    /// Whether `token`, an access or a refresh token, says that it was made with one of the keys,
    /// or does not say. One that names another key may be from a keyring that is newer than this.
    pub fn knows_the_key_of(&self, token: &str) -> bool {
        let Some((_, ending)) = token.rsplit_once('.') else { return true };
        self.sets().any(|set| set.endings.iter().any(|own| own == ending))
    }

    /// The claims of an access token that one of the keys has signed, whatever its times say.
    pub fn open_access(&self, token: &str) -> Option<Arc<AccessClaims>> {
        self.verified.claims(token, || access::open(token, self.sets().map(|set| &set.public)))
    }

    /// The ratchets of all sets.
    pub const fn ratchets(&self) -> &Arc<Ratchets> {
        &self.ratchets
    }

    /// Compares a CSRF value with that of the session, in constant time. `None` when it is
    /// not good.
    pub fn check_csrf(&self, value: &str, session: SessionId) -> Option<CsrfMatch> {
        let is = |set: &KeySet| -> bool {
            set.csrf_token(session).as_bytes().ct_eq(value.as_bytes()).into()
        };
        if !self.is_spent && is(&self.active) {
            Some(CsrfMatch::Active)
        } else {
            self.older.iter().any(|set| is(set)).then_some(CsrfMatch::Older)
        }
    }
}

/// The keyring in force. It can be replaced while requests are under way: each takes it once, and
/// works with that one to its end.
pub struct Keys(RwLock<Arc<Keyring>>);

impl Keys {
    /// With `keyring` in force.
    pub fn new(keyring: Keyring) -> Self {
        Self(RwLock::new(Arc::new(keyring)))
    }

    /// The keyring in force at the moment.
    pub fn current(&self) -> Arc<Keyring> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another one in force.
    pub fn replace(&self, keyring: Keyring) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keyring);
    }
}
