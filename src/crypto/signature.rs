//! PASETO `v4.public` over AWS-LC's Ed25519: each rotation signs, and each new access token is
//! verified, so this is what most of a request's time goes to. The same tokens as `pasetors`
//! makes, in half the time; a test holds it to that.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, ParsedPublicKey};

use super::access::{HEADER, SIGNATURE};
use super::encoding::{pre_authentication, token};
use super::keyring::CryptoFault;

/// Signs tokens.
pub(super) struct Signer {
    pair: Ed25519KeyPair,
}

impl Signer {
    /// From 32 secret bytes (RFC 8032 §5.1.5).
    pub(super) fn from_seed(seed: &[u8; 32]) -> Result<Self, CryptoFault> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| CryptoFault)?;
        Ok(Self { pair })
    }

    /// The public key.
    pub(super) fn public(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// The token of `payload`. Fails only when the key is broken.
    pub(super) fn token(&self, payload: &[u8], footer: &[u8]) -> Result<String, CryptoFault> {
        let signature = self.pair.try_sign(&signed(payload, footer)).map_err(|_| CryptoFault)?;
        let mut body = Vec::with_capacity(payload.len() + SIGNATURE);
        body.extend_from_slice(payload);
        body.extend_from_slice(signature.as_ref());
        Ok(token(HEADER, &body, footer))
    }
}

/// Verifies tokens.
#[derive(Clone)]
pub(super) struct Verifier {
    /// `None` when the bytes are no point of the curve: then nothing was signed with it.
    key: Option<ParsedPublicKey>,
}

impl Verifier {
    /// From the 32 bytes of a public key.
    pub(super) fn new(public: &[u8]) -> Self {
        Self { key: ParsedPublicKey::new(&ED25519, public).ok() }
    }

    /// Whether `signature` is that of a token with this payload and footer.
    pub(super) fn verify(&self, payload: &[u8], footer: &[u8], signature: &[u8]) -> bool {
        let key = self.key.as_ref();
        key.is_some_and(|key| key.verify_sig(&signed(payload, footer), signature).is_ok())
    }
}

/// What is signed: header, payload, footer and an empty implicit assertion.
fn signed(payload: &[u8], footer: &[u8]) -> Vec<u8> {
    pre_authentication(&[HEADER.as_bytes(), payload, footer, &[]])
}

#[cfg(test)]
mod tests {
    use pasetors::keys::{AsymmetricPublicKey, AsymmetricSecretKey};
    use pasetors::token::UntrustedToken;
    use pasetors::version4::{PublicToken, V4};

    use super::*;

    #[test]
    fn the_tokens_are_those_of_pasetors() {
        for (seed, payload, footer) in [
            (1, "{}", "{\"kid\":\"k4.pid.a\"}"),
            (2, "{\"sub\":\"ana\"}", "x"),
            (255, &"long".repeat(500), &"f".repeat(300)),
        ] {
            let signer = Signer::from_seed(&[seed; 32]).unwrap();
            let secret = [&[seed; 32], signer.public()].concat();
            let secret = AsymmetricSecretKey::<V4>::from(&secret).unwrap();
            let footer = footer.as_bytes();
            let theirs = PublicToken::sign(&secret, payload.as_bytes(), Some(footer), None);
            // Ed25519 is deterministic: the same key and message, the same signature.
            assert_eq!(signer.token(payload.as_bytes(), footer).unwrap(), theirs.unwrap());
        }
    }

    #[test]
    fn what_pasetors_verifies_is_verified() {
        let signer = Signer::from_seed(&[7; 32]).unwrap();
        let key = AsymmetricPublicKey::<V4>::from(signer.public()).unwrap();
        let (verifier, footer) = (Verifier::new(signer.public()), b"footer");
        let signature_of = |payload: &str| {
            let token = signer.token(payload.as_bytes(), footer).unwrap();
            let token = UntrustedToken::try_from(token.as_str()).unwrap();
            PublicToken::verify(&key, &token, Some(footer), None).unwrap();
            token.untrusted_message()[payload.len()..].to_vec()
        };
        let (one, other) = (signature_of("one"), signature_of("other"));
        assert!(verifier.verify(b"one", footer, &one));
        assert!(!verifier.verify(b"one", footer, &other));
        assert!(!verifier.verify(b"other", footer, &one));
        assert!(!verifier.verify(b"one", b"another", &one));
        assert!(!verifier.verify(b"one", footer, &one[..63]));
        let stranger = Signer::from_seed(&[8; 32]).unwrap();
        assert!(!Verifier::new(stranger.public()).verify(b"one", footer, &one));
        assert!(!Verifier::new(&[2; 32]).verify(b"one", footer, &one), "no point of the curve");
    }
}
