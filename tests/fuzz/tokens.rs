//! Tokens: of everything that can be made of real ones, only they themselves are accepted.

use doorward::AccessVerifier;
use doorward::crypto::access;
use doorward::crypto::keyring::Keyring;
use doorward::crypto::refresh::{self, Nonce};
use doorward::domain::account::{Email, User};
use doorward::domain::claims::{RefreshClaims, Role};
use doorward::domain::id::{Generation, SessionId, UserId};
use doorward::domain::secret::Secret;
use doorward::domain::time::Now;
use proptest::prelude::*;
use proptest::sample::select;

use crate::common::{ACCESS_TTL, beginning, claims, root, unique, unique_id};
use crate::target::{Target, Verdict};

/// Keys, and the tokens that were made with them.
struct Issuer {
    keys: Keyring,
    access: String,
    refresh: String,
}

impl Issuer {
    fn new(active: u8, older: &[u8]) -> Self {
        let older: Vec<_> = older.iter().copied().map(root).collect();
        let keys = Keyring::new(&root(active), &older).unwrap();
        let at = beginning();
        let user = User {
            id: UserId::new(at, &unique_id()),
            email: Email::parse("ana@example.com").unwrap(),
            role: Role::User,
            is_verified: false,
            disabled_at: None,
            created_at: at,
            updated_at: at,
        };
        let sid = SessionId::new(at, &unique_id());
        let now = Now { wall: at, steady: at };
        let access = keys.active().sign(&claims(&user, sid, Generation(3), now)).unwrap();
        let refresh_claims = RefreshClaims {
            sub: user.id,
            sid,
            generation: Generation(3),
            sec: Secret::from_bytes(unique()),
            iat: at,
            exp: at.plus(ACCESS_TTL),
            remember: true,
        };
        let refresh = refresh::seal(&refresh_claims, &keys, Nonce::from_bytes([9; 32])).unwrap();
        Self { keys, access, refresh }
    }

    /// What it says to a text: whether that is an access token, and whether a refresh token.
    fn accepts(&self, token: &str) -> (bool, bool) {
        let public = || self.keys.sets().map(|set| &set.public);
        let verifier = AccessVerifier::new(public().cloned(), "", "");
        let is_access = access::open(token, public()).is_some();
        assert_eq!(is_access, verifier.verify(token, beginning()).is_ok(), "{token}");
        (is_access, refresh::open(token, &self.keys).is_some())
    }
}

#[test]
fn only_what_was_made_is_accepted() {
    // The second knows the first's keys, not the other way round.
    let issuers = [Issuer::new(1, &[]), Issuer::new(2, &[1])];
    let real: Vec<_> =
        issuers.iter().flat_map(|issuer| [issuer.access.clone(), issuer.refresh.clone()]).collect();
    let check = |bytes: &[u8]| -> Verdict {
        let token = String::from_utf8_lossy(bytes);
        let [first, second] = &issuers;
        let is = |issuer: &Issuer| (token == issuer.access, token == issuer.refresh);
        let (own, newer) = (is(first), is(second));
        prop_assert_eq!(first.accepts(&token), own);
        prop_assert_eq!(second.accepts(&token), (own.0 || newer.0, own.1 || newer.1));
        Ok(())
    };
    let mut parts: Vec<String> =
        real.iter().flat_map(|token| token.split('.').map(str::to_owned)).collect();
    parts.extend(["v2", "v3", "V4", "secret", "", "eyJraWQiOiIifQ", "bnVsbA"].map(str::to_owned));
    let recombined =
        prop::collection::vec(select(parts), 1..6).prop_map(|parts| parts.join(".").into_bytes());
    // Most of a token stays as it is where one part changes places with another's.
    let pairs =
        (select(real.clone()), select(real.clone()), 0_usize..4).prop_map(|(to, from, at)| {
            let mut parts: Vec<_> = to.split('.').collect();
            parts[at] = from.split('.').nth(at).unwrap();
            parts.join(".").into_bytes()
        });
    Target::new("tokens", 3_000)
        .seeds(real.into_iter().map(String::into_bytes))
        .structured(recombined)
        .structured(pairs)
        .words(&[".", "=", "v4.public.", "v4.local.", "A", "_", "\u{e9}"])
        .run(check);
}
