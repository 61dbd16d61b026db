//! bcrypt, as other programs have hashed with it: `$2b$10$`, then salt and hash in an alphabet of
//! its own.

use base64::Engine as _;
use base64::alphabet::BCRYPT;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The last character of either part has bits to spare, and not every program leaves them zero.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &BCRYPT,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// What counts of a password, in bytes: the rest is not looked at, by any bcrypt.
const LENGTH: usize = 72;

/// A bcrypt hash.
pub(super) struct Bcrypt {
    cost: u32,
    salt: [u8; 16],
    hash: [u8; 23],
}

impl Bcrypt {
    /// Whether a text means to be a hash of this kind. `$2x$` is not: it marks hashes of a program
    /// that got some characters wrong.
    pub(super) fn claims(text: &str) -> bool {
        ["$2a$", "$2b$", "$2y$"].iter().any(|version| text.starts_with(version))
    }

    /// Reads a hash.
    pub(super) fn read(text: &str) -> Option<Self> {
        if !Self::claims(text) || text.len() != 60 || !text.is_ascii() {
            return None;
        }
        let (cost, rest) = text.get(4..)?.split_once('$')?;
        let digits = cost.len() == 2 && cost.bytes().all(|byte| byte.is_ascii_digit());
        let cost = cost.parse().ok().filter(|cost| digits && (4..=31).contains(cost))?;
        let (salt, hash) = rest.split_at_checked(22)?;
        Some(Self {
            cost,
            salt: BASE64.decode(salt).ok()?.try_into().ok()?,
            hash: BASE64.decode(hash).ok()?.try_into().ok()?,
        })
    }

    /// The binary logarithm of the number of rounds.
    pub(super) const fn cost(&self) -> u32 {
        self.cost
    }

    /// Whether this is the hash of `password`, or of another with the same beginning.
    pub(super) fn matches(&self, password: &[u8]) -> bool {
        // With the zero byte that ends a C string, if there is room for it.
        let used = password.len().min(LENGTH);
        let mut key = Zeroizing::new([0; LENGTH]);
        key[..used].copy_from_slice(&password[..used]);
        let output = bcrypt::bcrypt(self.cost, self.salt, &key[..(used + 1).min(LENGTH)]);
        output[..self.hash.len()].ct_eq(&self.hash).into()
    }
}
