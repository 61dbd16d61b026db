//! PASETO `v4.local` over vectorised `BLAKE2b` and `ChaCha20`: each rotation opens one token and
//! seals another. The same tokens as `pasetors` makes, in half the time; a test holds it to that.

use blake2b_simd::Params;
use chacha20::XChaCha20;
use chacha20::cipher::{KeyIvInit as _, StreamCipher as _};
use subtle::ConstantTimeEq as _;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::encoding::{pre_authentication, token};

pub(super) const HEADER: &str = "v4.local.";

/// The lengths of nonce and tag, in bytes (PASETO v4, "Encrypt").
const NONCE: usize = 32;
const TAG: usize = 32;

/// The 32 secret bytes that tokens are sealed with. Used for nothing else.
#[derive(Clone, ZeroizeOnDrop)]
pub(super) struct SealingKey([u8; 32]);

/// 32 random bytes for one token, that no other token may be sealed under: used up by the first.
pub struct Nonce([u8; NONCE]);

impl Nonce {
    /// From random bytes.
    pub const fn from_bytes(bytes: [u8; NONCE]) -> Self {
        Self(bytes)
    }
}

/// What a token's tag vouches for beside its content.
#[derive(Clone, Copy)]
pub(super) struct Bound<'a> {
    pub(super) footer: &'a [u8],
    /// The implicit assertion: known to both sides, not in the token.
    pub(super) assertion: &'a [u8],
}

impl SealingKey {
    pub(super) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The token of `payload`.
    #[expect(clippy::needless_pass_by_value, reason = "a nonce is for one token")]
    pub(super) fn seal(&self, nonce: Nonce, payload: &[u8], bound: Bound<'_>) -> String {
        let nonce = &nonce.0;
        let mut body = Vec::with_capacity(NONCE + payload.len() + TAG);
        body.extend_from_slice(nonce);
        body.extend_from_slice(payload);
        self.cipher(nonce).apply_keystream(&mut body[NONCE..]);
        let tag = self.tag(nonce, &body[NONCE..], bound);
        body.extend_from_slice(&tag);
        token(HEADER, &body, bound.footer)
    }

    /// The payload of a token's body. `None` when it was not sealed with this key, footer and
    /// assertion.
    pub(super) fn open(&self, body: &[u8], bound: Bound<'_>) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, rest) = body.split_first_chunk::<NONCE>()?;
        let (sealed, tag) = rest.split_last_chunk::<TAG>()?;
        if !bool::from(self.tag(nonce, sealed, bound).ct_eq(tag)) {
            return None;
        }
        let mut payload = Zeroizing::new(sealed.to_vec());
        self.cipher(nonce).apply_keystream(&mut payload);
        Some(payload)
    }

    /// The cipher under the key and the longer nonce that are derived from ours.
    fn cipher(&self, nonce: &[u8; NONCE]) -> XChaCha20 {
        let derived: Zeroizing<[u8; 56]> = blake2b(&self.0, &[b"paseto-encryption-key", nonce]);
        let (mut key, mut extended) = (Zeroizing::new([0; 32]), [0; 24]);
        key.copy_from_slice(&derived[..32]);
        extended.copy_from_slice(&derived[32..]);
        XChaCha20::new(&(*key).into(), &extended.into())
    }

    fn tag(&self, nonce: &[u8; NONCE], sealed: &[u8], bound: Bound<'_>) -> [u8; TAG] {
        let key: Zeroizing<[u8; 32]> = blake2b(&self.0, &[b"paseto-auth-key-for-aead", nonce]);
        let Bound { footer, assertion } = bound;
        let said = pre_authentication(&[HEADER.as_bytes(), nonce, sealed, footer, assertion]);
        *blake2b(&key, &[&said])
    }
}

/// Keyed `BLAKE2b` (RFC 7693) of the pieces, one after the other.
fn blake2b<const N: usize>(key: &[u8; 32], pieces: &[&[u8]]) -> Zeroizing<[u8; N]> {
    let mut state = Params::new().hash_length(N).key(key).to_state();
    for piece in pieces {
        state.update(piece);
    }
    let mut out = Zeroizing::new([0; N]);
    out.copy_from_slice(state.finalize().as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use pasetors::Local;
    use pasetors::keys::SymmetricKey;
    use pasetors::token::UntrustedToken;
    use pasetors::version4::{LocalToken, V4};

    use super::*;

    const CASES: [(u8, usize, &str, &str); 4] = [
        (1, 1, "{\"kid\":\"k4.lid.a\"}", ""),
        (2, 1, "x", "x"),
        (3, 300, "foot", "as"),
        (255, 9999, "f", "purpose"),
    ];

    fn nonce() -> Nonce {
        Nonce::from_bytes([9; NONCE])
    }

    fn theirs(key: u8) -> SymmetricKey<V4> {
        SymmetricKey::from(&[key; 32]).unwrap()
    }

    fn read(token: &str) -> UntrustedToken<Local, V4> {
        UntrustedToken::try_from(token).unwrap()
    }

    #[test]
    fn pasetors_opens_what_is_sealed_and_the_other_way_round() {
        for (key, size, footer, assertion) in CASES {
            let payload = "ä".repeat(size);
            let bound = Bound { footer: footer.as_bytes(), assertion: assertion.as_bytes() };
            let (ours, theirs) = (SealingKey::from_bytes([key; 32]), theirs(key));
            let (footer, assertion) = (Some(bound.footer), Some(bound.assertion));

            let token = ours.seal(nonce(), payload.as_bytes(), bound);
            let trusted = LocalToken::decrypt(&theirs, &read(&token), footer, assertion);
            assert_eq!(trusted.unwrap().payload(), payload);

            let token =
                LocalToken::encrypt(&theirs, payload.as_bytes(), footer, assertion).unwrap();
            let opened = ours.open(read(&token).untrusted_message(), bound).unwrap();
            assert_eq!(opened.as_slice(), payload.as_bytes());
        }
    }

    #[test]
    fn a_flipped_bit_another_key_footer_or_assertion_and_a_short_body_are_refused() {
        let key = SealingKey::from_bytes([7; 32]);
        let bound = Bound { footer: b"footer", assertion: b"refresh" };
        let token = key.seal(nonce(), b"payload", bound);
        let body = read(&token).untrusted_message().to_vec();
        assert!(key.open(&body, bound).is_some());
        for bit in 0..body.len() * 8 {
            let mut flipped = body.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(key.open(&flipped, bound).is_none(), "bit {bit}");
        }
        for end in 0..body.len() {
            assert!(key.open(&body[..end], bound).is_none(), "{end} bytes");
        }
        assert!(SealingKey::from_bytes([8; 32]).open(&body, bound).is_none());
        assert!(key.open(&body, Bound { footer: b"other", ..bound }).is_none());
        assert!(key.open(&body, Bound { assertion: b"other", ..bound }).is_none());
    }
}
