//! The official test vectors of PASETO v4 through our own token code. What is kept of them, and where
//! they come from, is in `tests/vectors/v4.json`.

use serde::Deserialize;

use super::access::{HEADER as PUBLIC, SIGNATURE};
use super::encoding::{Parts, parse};
use super::sealing::{Bound, HEADER as LOCAL, Nonce, SealingKey};
use super::signature::{Signer, Verifier};

#[derive(Deserialize)]
struct Vectors {
    tests: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Vector {
    name: String,
    fails: bool,
    token: String,
    payload: Option<String>,
    footer: String,
    assertion: String,
    key: Option<String>,
    nonce: Option<String>,
    seed: Option<String>,
    public_key: Option<String>,
}

fn bytes(hex: &str) -> [u8; 32] {
    let digits = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
    std::array::from_fn(digits)
}

impl Vector {
    fn bound(&self) -> Bound<'_> {
        Bound { footer: self.footer.as_bytes(), assertion: self.assertion.as_bytes() }
    }

    /// Ours always have a footer: an empty one is written as a dot, which theirs leave out.
    fn token(&self) -> String {
        let dot = if self.footer.is_empty() { "." } else { "" };
        format!("{}{dot}", self.token)
    }

    fn parts(&self, header: &str) -> Option<Parts> {
        parse(header, &self.token()).filter(|parts| parts.footer == self.footer.as_bytes())
    }

    /// What our code opens with the secret key. 4-F-1 is sealed with the bytes of a public key, and
    /// 4-F-2 signed with those of a secret one: our keys have types, so that neither can be asked.
    fn opened(&self) -> Option<Vec<u8>> {
        let key = bytes(self.key.as_ref()?);
        let body = self.parts(LOCAL)?.body;
        Some(SealingKey::from_bytes(key).open(&body, self.bound())?.to_vec())
    }

    /// What our code finds to be signed. It knows no implicit assertion but the empty one.
    fn verified(&self) -> Option<Vec<u8>> {
        let key = bytes(self.public_key.as_ref()?);
        let body = self.parts(PUBLIC)?.body;
        let (payload, signature) = body.split_last_chunk::<SIGNATURE>()?;
        let is_good = Verifier::new(&key).verify(payload, self.footer.as_bytes(), signature);
        is_good.then(|| payload.to_vec())
    }
}

#[test]
fn the_official_vectors_pass() {
    let all: Vectors = serde_json::from_str(include_str!("../../tests/vectors/v4.json")).unwrap();
    let (mut sealed, mut signed, mut failed) = (0, 0, 0);
    for vector in &all.tests {
        let name = &vector.name;
        if vector.fails {
            assert!(vector.opened().is_none() && vector.verified().is_none(), "{name}");
            failed += 1;
            continue;
        }
        let payload = vector.payload.as_ref().unwrap().as_bytes();
        if let (Some(key), Some(nonce)) = (&vector.key, &vector.nonce) {
            assert_eq!(vector.opened().as_deref(), Some(payload), "{name}");
            let nonce = Nonce::from_bytes(bytes(nonce));
            let token = SealingKey::from_bytes(bytes(key)).seal(nonce, payload, vector.bound());
            assert_eq!(token, vector.token(), "{name}");
            assert!(vector.verified().is_none(), "{name}: sealed is not signed");
            sealed += 1;
        } else {
            let pair = Signer::from_seed(&bytes(vector.seed.as_ref().unwrap())).unwrap();
            assert_eq!(pair.public(), bytes(vector.public_key.as_ref().unwrap()), "{name}");
            let token = pair.token(payload, vector.footer.as_bytes()).unwrap();
            let is_ours = vector.assertion.is_empty();
            assert_eq!(vector.verified().as_deref(), is_ours.then_some(payload), "{name}");
            assert_eq!(token == vector.token(), is_ours, "{name}");
            assert!(vector.opened().is_none(), "{name}: signed is not sealed");
            signed += 1;
        }
    }
    assert_eq!((sealed, signed, failed), (10, 3, 5));
}
