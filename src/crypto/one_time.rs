//! One-time tokens: what a link in a mail holds.
//!
//! A token is `ID.SECRET`, both in base64url without padding: the 16 bytes of its id, and the keyed
//! BLAKE3 hash of them. The secret is made when the mail is delivered, so that no table and no queue
//! holds it: whoever reads the database has the ids, and still no token. Whether a token was used or
//! has expired is for the one who keeps the ids to know.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::{Choice, ConstantTimeEq as _};
use uuid::Uuid;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::keyring::{KeySet, Keyring};
use crate::domain::id::OneTimeId;

/// Makes the secrets of one-time tokens. Used for nothing else.
#[derive(Clone, ZeroizeOnDrop)]
pub(super) struct OneTimeKey([u8; 32]);

impl OneTimeKey {
    pub(super) const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl KeySet {
    /// The secret that belongs to `id`, in base64url.
    pub fn one_time_secret(&self, id: OneTimeId) -> Zeroizing<String> {
        let secret = blake3::keyed_hash(&self.one_time.0, id.0.as_bytes());
        Zeroizing::new(URL_SAFE_NO_PAD.encode(secret.as_bytes()))
    }

    /// The token as a link holds it: 66 characters that need no escaping in a URL.
    pub fn one_time_token(&self, id: OneTimeId) -> Zeroizing<String> {
        let secret = self.one_time_secret(id);
        Zeroizing::new(format!("{}.{}", URL_SAFE_NO_PAD.encode(id.0.as_bytes()), *secret))
    }
}

impl Keyring {
    /// The id of a token that one of the keys has made. `None` for anything else. Takes as long
    /// whichever key it was, and however much of the secret is right.
    pub fn open_one_time(&self, token: &str) -> Option<OneTimeId> {
        let (id, secret) = token.split_once('.')?;
        let mut bytes = [0; 16];
        // Another spelling of the same bytes is refused: a token has one form.
        let length = URL_SAFE_NO_PAD.decode_slice(id, &mut bytes).ok()?;
        let id = (length == bytes.len()).then(|| OneTimeId(Uuid::from_bytes(bytes)))?;
        let is_authentic = self.sets().fold(Choice::from(0), |found, set| {
            found | set.one_time_secret(id).as_bytes().ct_eq(secret.as_bytes())
        });
        bool::from(is_authentic).then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::keyring::Root;

    const ID: OneTimeId = OneTimeId(Uuid::from_u128(0x0190_b8a0_0000_7000_8000_0000_0000_0001));

    fn root(byte: u8) -> Root {
        Root::from_bytes([byte; 32])
    }

    fn keyring(active: u8, older: &[u8]) -> Keyring {
        let older: Vec<_> = older.iter().copied().map(root).collect();
        Keyring::new(&root(active), &older).unwrap()
    }

    fn token(by: u8) -> String {
        keyring(by, &[]).active().one_time_token(ID).to_string()
    }

    #[test]
    fn a_token_gives_its_id_back_also_under_an_older_key() {
        let keys = keyring(3, &[2, 1]);
        for by in [3, 2, 1] {
            assert_eq!(keys.open_one_time(&token(by)), Some(ID), "{by}");
        }
        assert_eq!(keys.open_one_time(&token(4)), None, "a key that was never ours");
    }

    /// Links that are about must stay good: the form may not change unnoticed.
    #[test]
    fn the_form_is_fixed() {
        let secret = keyring(1, &[]).active().one_time_secret(ID).to_string();
        let token = token(1);
        assert_eq!(token, format!("AZC4oAAAcACAAAAAAAAAAQ.{secret}"));
        assert_eq!((token.len(), secret.len()), (66, 43));
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b)), "{token}");
        let key = blake3::derive_key("doorward v1 one-time token", &[1; 32]);
        let expected = blake3::keyed_hash(&key, ID.0.as_bytes());
        assert_eq!(secret, URL_SAFE_NO_PAD.encode(expected.as_bytes()));
    }

    #[test]
    fn every_changed_character_is_noticed() {
        let (keys, token) = (keyring(1, &[2]), token(1));
        for at in 0..token.len() {
            for other in ["A", "B", ".", "=", "é"] {
                let mut changed = token.clone();
                changed.replace_range(at..=at, other);
                assert!(changed == token || keys.open_one_time(&changed).is_none(), "{changed}");
            }
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let (keys, token) = (keyring(1, &[2]), token(1));
        let (id, secret) = token.split_once('.').unwrap();
        let csrf = keys.active().csrf_token(crate::domain::id::SessionId(ID.0));
        for text in [
            "",
            ".",
            id,
            secret,
            &format!("{id}."),
            &format!(".{secret}"),
            &format!("{ID}.{secret}"),
            &format!("{id}.{csrf}"),
            &format!("{id}.{secret}="),
            &format!("{id}.{secret}."),
            &format!("{id}={secret}"),
            &format!(" {token}"),
            &format!("{token}\n"),
            // The last character of the id has four bits that count, and this spells two others.
            &format!("{}R.{secret}", &id[..21]),
            &"A".repeat(100_000),
        ] {
            assert_eq!(keys.open_one_time(text), None, "{} bytes", text.len());
        }
    }
}
