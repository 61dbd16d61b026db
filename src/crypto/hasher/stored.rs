//! Stored hashes: which there are, how they are read, and which an import may bring.

use argon2::password_hash::phc::{Output, PasswordHash, Salt};
use argon2::{Algorithm, Block};
use pbkdf2::pbkdf2_hmac;
use pbkdf2::sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::argon::Recipe;
use super::bcrypt::Bcrypt;
use super::{Costs, HashFault, NO_PASSWORD};

/// The memory that a hash from elsewhere may take: what OWASP recommends for scrypt. Each hashing
/// thread may need as much at a time.
const MAX_MEMORY_KIB: u64 = 128 << 10;
/// Memory × passes, in KiB: about a second of work.
const MAX_FILLED_KIB: u64 = 1 << 20;
/// For bcrypt: about a second of work.
const MAX_BCRYPT_COST: u32 = 14;
/// For PBKDF2: about a second of work.
const MAX_PBKDF2_ROUNDS: u64 = 2_000_000;

/// A stored hash, as far as it was read.
pub(super) enum Stored {
    Argon2 { recipe: Recipe, salt: Salt, hash: Output },
    Bcrypt(Bcrypt),
    Scrypt { log_n: u8, r: u32, p: u32, salt: Salt, hash: Output },
    Pbkdf2 { digest: Digest, rounds: u32, salt: Salt, hash: Output },
}

/// What PBKDF2 is made of.
#[derive(Clone, Copy)]
pub(super) enum Digest {
    Sha256,
    Sha512,
}

/// Why a hash from elsewhere is not taken. Never repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashRefused {
    /// No hash, or of a kind that is not known here.
    #[error(
        "must be a bcrypt hash ($2a$, $2b$, $2y$), or a PHC string of argon2, scrypt, \
         pbkdf2-sha256 or pbkdf2-sha512"
    )]
    Unknown,
    /// Of a known kind, but cut off or with impossible parameters.
    #[error("is a damaged hash")]
    Damaged,
    /// To check it would take more time or memory than one sign-in may.
    #[error("is a hash that costs too much to check: more than {} MiB, or about a second", MAX_MEMORY_KIB >> 10)]
    TooCostly,
}

/// Whether a hash from elsewhere may be stored, where passwords are hashed at the costs `own`.
pub fn admit(text: &str, own: Costs) -> Result<(), HashRefused> {
    if !is_known(text) {
        return Err(HashRefused::Unknown);
    }
    let stored = Stored::read(text).ok_or(HashRefused::Damaged)?;
    if stored.is_affordable(own) { Ok(()) } else { Err(HashRefused::TooCostly) }
}

/// Whether a stored hash is as one made now would be: Argon2id at the costs `own`.
pub fn is_current(text: &str, own: Costs) -> bool {
    text != NO_PASSWORD && Stored::read(text).is_some_and(|stored| stored.is_ours(own))
}

fn is_known(text: &str) -> bool {
    let phc =
        ["$argon2id$", "$argon2i$", "$argon2d$", "$scrypt$", "$pbkdf2-sha256$", "$pbkdf2-sha512$"];
    Bcrypt::claims(text) || phc.iter().any(|scheme| text.starts_with(scheme))
}

impl Stored {
    /// Reads a stored hash. `None` when it is none, or of no known kind.
    pub(super) fn read(text: &str) -> Option<Self> {
        if Bcrypt::claims(text) {
            return Bcrypt::read(text).map(Self::Bcrypt);
        }
        let phc = PasswordHash::new(text).ok()?;
        let (salt, hash) = (phc.salt?, phc.hash?);
        match phc.algorithm.as_str() {
            "scrypt" => {
                let [log_n, r, p] = numbers(&phc, [&["ln", "n"], &["r"], &["p"]])?;
                let log_n = u8::try_from(log_n).ok().filter(|log_n| (1..32).contains(log_n))?;
                (r > 0 && p > 0).then_some(Self::Scrypt { log_n, r, p, salt, hash })
            }
            "pbkdf2-sha256" => Self::pbkdf2(&phc, Digest::Sha256, salt, hash),
            "pbkdf2-sha512" => Self::pbkdf2(&phc, Digest::Sha512, salt, hash),
            _ => Recipe::of(&phc).map(|recipe| Self::Argon2 { recipe, salt, hash }),
        }
    }

    fn pbkdf2(phc: &PasswordHash, digest: Digest, salt: Salt, hash: Output) -> Option<Self> {
        // The length is that of the hash; some programs say it once more.
        let stated = phc.params.get_decimal("l").is_none_or(|length| length as usize == hash.len());
        let [rounds] = numbers(phc, [&["i"]])?;
        (rounds > 0 && stated).then_some(Self::Pbkdf2 { digest, rounds, salt, hash })
    }

    /// Whether it is as one made now would be.
    pub(super) fn is_ours(&self, own: Costs) -> bool {
        matches!(self, Self::Argon2 { recipe, .. }
            if recipe.algorithm == Algorithm::Argon2id && recipe.costs() == own)
    }

    fn is_affordable(&self, own: Costs) -> bool {
        let (memory, filled) = match self {
            _ if self.is_ours(own) => return true,
            Self::Bcrypt(hash) => return hash.cost() <= MAX_BCRYPT_COST,
            Self::Pbkdf2 { digest, rounds, hash, .. } => {
                let blocks = hash.len().div_ceil(digest.size()) as u64;
                return u64::from(*rounds) * blocks <= MAX_PBKDF2_ROUNDS;
            }
            Self::Argon2 { recipe, .. } => {
                let Costs { memory_kib, iterations, .. } = recipe.costs();
                (u64::from(memory_kib), u64::from(memory_kib).saturating_mul(iterations.into()))
            }
            Self::Scrypt { log_n, r, p, .. } => {
                let memory = (u64::from(*r) << log_n).div_ceil(1024 / 128);
                // Each of the `p` fills it and reads it again.
                (memory, memory.saturating_mul(2).saturating_mul((*p).into()))
            }
        };
        memory <= MAX_MEMORY_KIB && filled <= MAX_FILLED_KIB
    }

    /// Whether this is the hash of `password`.
    pub(super) fn matches(
        &self,
        password: &[u8],
        memory: &mut Vec<Block>,
    ) -> Result<bool, HashFault> {
        let expected = match self {
            Self::Bcrypt(hash) => return Ok(hash.matches(password)),
            Self::Argon2 { recipe, salt, hash } => {
                let output = recipe.compute(password, salt, memory)?;
                return Ok(output.as_bytes().ct_eq(hash.as_bytes()).into());
            }
            Self::Scrypt { hash, .. } | Self::Pbkdf2 { hash, .. } => hash.as_bytes(),
        };
        let mut buffer = Zeroizing::new([0; Output::MAX_LENGTH]);
        let output = buffer.get_mut(..expected.len()).ok_or(HashFault::Broken)?;
        match self {
            Self::Scrypt { log_n, r, p, salt, .. } => {
                let params = scrypt::Params::new(*log_n, *r, *p).map_err(|_| HashFault::Broken)?;
                scrypt::scrypt(password, salt, &params, output).map_err(|_| HashFault::Broken)?;
            }
            Self::Pbkdf2 { digest: Digest::Sha256, rounds, salt, .. } => {
                pbkdf2_hmac::<Sha256>(password, salt, *rounds, output);
            }
            Self::Pbkdf2 { digest: Digest::Sha512, rounds, salt, .. } => {
                pbkdf2_hmac::<Sha512>(password, salt, *rounds, output);
            }
            Self::Argon2 { .. } | Self::Bcrypt(_) => {}
        }
        Ok(bool::from(output.ct_eq(expected)))
    }
}

impl Digest {
    const fn size(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// The parameters under these names; each may have several.
fn numbers<const N: usize>(phc: &PasswordHash, names: [&[&str]; N]) -> Option<[u32; N]> {
    let mut found = [0; N];
    for (number, names) in found.iter_mut().zip(names) {
        *number = names.iter().find_map(|name| phc.params.get_decimal(*name))?;
    }
    Some(found)
}
