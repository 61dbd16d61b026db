//! Access tokens, refresh tokens and CSRF values: what is made here is accepted, and nothing else.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use doorward::crypto::access::{self, AccessTokenError};
use doorward::crypto::keyring::{CsrfMatch, Keyring, Root};
use doorward::crypto::refresh::{self, Nonce};
use doorward::domain::claims::{AccessClaims, AccessTokenType, Identity, RefreshClaims, Role};
use doorward::domain::id::{Generation, SessionId, UserId};
use doorward::domain::secret::Secret;
use doorward::{AccessVerifier, PublicKey, Timestamp};
use pasetors::keys::SymmetricKey;
use pasetors::version4::{LocalToken, V4};
use uuid::Uuid;

const ISSUER: &str = "https://id.example.com";
const AUDIENCE: &str = "https://api.example.com";
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const LIFE: Duration = Duration::from_secs(900);
const MILLISECOND: Duration = Duration::from_millis(1);

fn root(byte: u8) -> Root {
    Root::from_bytes([byte; 32])
}

/// The keyring whose newest key is that of `active`.
fn keyring(active: u8, older: &[u8]) -> Keyring {
    let older: Vec<_> = older.iter().copied().map(root).collect();
    Keyring::new(&root(active), &older).unwrap()
}

fn session() -> SessionId {
    SessionId(Uuid::from_u128(11))
}

fn access_claims() -> AccessClaims {
    AccessClaims {
        iss: ISSUER.to_owned(),
        aud: AUDIENCE.to_owned(),
        sub: UserId(Uuid::from_u128(10)),
        sid: session(),
        generation: Generation(3),
        identity: Identity {
            email: "ana@example.com".to_owned(),
            role: Role::Admin,
            is_verified: true,
        },
        typ: AccessTokenType::Access,
        iat: NOW,
        nbf: NOW,
        exp: NOW.plus(LIFE),
    }
}

fn refresh_claims() -> RefreshClaims {
    RefreshClaims {
        sub: UserId(Uuid::from_u128(10)),
        sid: session(),
        generation: Generation(3),
        sec: Secret::from_bytes([5; 32]),
        iat: NOW,
        exp: NOW.plus(LIFE),
        remember: true,
    }
}

/// What the signature says, and what is remembered of it: always the same.
fn open_access(token: &str, keys: &Keyring) -> Option<AccessClaims> {
    let verified = access::open(token, keys.sets().map(|set| &set.public));
    for _ in 0..2 {
        assert_eq!(keys.open_access(token).as_deref(), verified.as_ref(), "{token}");
    }
    verified
}

fn access_token(keys: &Keyring) -> String {
    keys.active().sign(&access_claims()).unwrap()
}

fn refresh_token(keys: &Keyring) -> String {
    refresh::seal(&refresh_claims(), keys, Nonce::from_bytes([9; 32])).unwrap()
}

/// `token` with each bit of its text flipped, where that is still a text.
fn flips(token: &str) -> impl Iterator<Item = (usize, String)> {
    (0..token.len() * 8).filter_map(move |bit| {
        let mut bytes = token.as_bytes().to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        Some((bit, String::from_utf8(bytes).ok()?))
    })
}

/// `token`, cut at each of its ends or with more at it.
fn cut_and_extended(token: &str) -> Vec<String> {
    let mut variants = vec![
        format!("{token}A"),
        format!("{token}."),
        format!("{token}.AAAA"),
        format!("{token}="),
        format!("{token}\n"),
        format!(" {token}"),
        format!("{token}{token}"),
        format!("{token}{}", "A".repeat(5_000)),
        "A".repeat(5_000),
    ];
    variants.extend((0..token.len()).map(|end| token[..end].to_owned()));
    variants.extend((1..token.len()).map(|start| token[start..].to_owned()));
    // Without the footer.
    variants.extend(token.rsplit_once('.').map(|(head, _)| head.to_owned()));
    variants
}

#[test]
fn an_access_token_says_what_it_was_made_to_say() {
    let keys = keyring(1, &[]);
    let token = access_token(&keys);
    assert!(token.starts_with("v4.public."), "{token}");
    assert_eq!(open_access(&token, &keys), Some(access_claims()));
}

#[test]
fn a_refresh_token_says_what_it_was_made_to_say_and_shows_nothing() {
    let keys = keyring(1, &[]);
    let token = refresh_token(&keys);
    assert!(token.starts_with("v4.local."), "{token}");
    let opened = refresh::open(&token, &keys).unwrap();
    let made = refresh_claims();
    assert_eq!(
        (opened.sub, opened.sid, opened.generation, opened.iat, opened.exp),
        (made.sub, made.sid, made.generation, made.iat, made.exp)
    );
    let lookup = |secret| keys.ratchets().active().lookup(secret);
    assert_eq!(lookup(&opened.sec), lookup(&made.sec));
}

#[test]
fn no_bit_of_an_access_token_can_be_flipped() {
    let keys = keyring(1, &[2]);
    let token = access_token(&keys);
    assert!(open_access(&token, &keys).is_some(), "and is remembered");
    for (bit, flipped) in flips(&token) {
        assert_eq!(open_access(&flipped, &keys), None, "bit {bit}: {flipped}");
    }
}

#[test]
fn no_bit_of_a_refresh_token_can_be_flipped() {
    let keys = keyring(1, &[2]);
    let token = refresh_token(&keys);
    for (bit, flipped) in flips(&token) {
        assert!(refresh::open(&flipped, &keys).is_none(), "bit {bit}: {flipped}");
    }
}

#[test]
fn tokens_are_neither_cut_nor_extended() {
    let keys = keyring(1, &[]);
    for variant in cut_and_extended(&access_token(&keys)) {
        assert_eq!(open_access(&variant, &keys), None, "{variant}");
    }
    for variant in cut_and_extended(&refresh_token(&keys)) {
        assert!(refresh::open(&variant, &keys).is_none(), "{variant}");
    }
}

#[test]
fn one_kind_does_not_pass_for_the_other() {
    let keys = keyring(1, &[]);
    let (access, refresh) = (access_token(&keys), refresh_token(&keys));
    assert_eq!(open_access(&refresh, &keys), None);
    assert!(refresh::open(&access, &keys).is_none());

    let relabelled = |token: &str, from, to| token.replacen(from, to, 1);
    assert_eq!(open_access(&relabelled(&refresh, "v4.local.", "v4.public."), &keys), None);
    assert!(refresh::open(&relabelled(&access, "v4.public.", "v4.local."), &keys).is_none());
    for version in ["v1", "v2", "v3", "v5"] {
        assert_eq!(open_access(&relabelled(&access, "v4", version), &keys), None);
        assert!(refresh::open(&relabelled(&refresh, "v4", version), &keys).is_none());
    }
}

#[test]
fn an_older_key_still_opens_and_an_unknown_one_does_not() {
    let before = keyring(1, &[]);
    let (access, refresh) = (access_token(&before), refresh_token(&before));

    let rotated = keyring(2, &[1]);
    assert_eq!(open_access(&access, &rotated), Some(access_claims()));
    assert!(refresh::open(&refresh, &rotated).is_some());
    assert!(
        open_access(&access_token(&rotated), &before).is_none(),
        "the newest key makes new tokens"
    );
    assert!(refresh::open(&refresh_token(&rotated), &before).is_none());

    let retired = keyring(2, &[3]);
    assert_eq!(open_access(&access, &retired), None);
    assert!(refresh::open(&refresh, &retired).is_none());
}

/// `claims` sealed with the key of `root(1)`, as only somebody with that key can.
fn sealed(claims: &[u8], footer: Option<&[u8]>, assertion: Option<&[u8]>) -> String {
    let key = blake3::derive_key("doorward v1 refresh token, PASETO v4.local", &[1; 32]);
    let key = SymmetricKey::<V4>::from(&key).unwrap();
    LocalToken::encrypt(&key, claims, footer, assertion).unwrap()
}

#[test]
fn a_refresh_token_is_bound_to_its_purpose_and_its_key_id() {
    let keys = keyring(1, &[]);
    let claims = serde_json::to_vec(&refresh_claims()).unwrap();
    let footer = format!(r#"{{"kid":"{}"}}"#, keys.active().ratchet.id);
    let other_footer = format!(r#"{{"kid":"{}"}}"#, keyring(2, &[]).active().ratchet.id);
    let (footer, other_footer) = (Some(footer.as_bytes()), Some(other_footer.as_bytes()));
    let purpose = Some(&b"doorward/refresh/v1"[..]);
    for (name, token, is_good) in [
        ("as the server seals it", sealed(&claims, footer, purpose), true),
        ("no implicit assertion", sealed(&claims, footer, None), false),
        ("an empty one", sealed(&claims, footer, Some(b"")), false),
        ("that of another version", sealed(&claims, footer, Some(b"doorward/refresh/v2")), false),
        ("no footer", sealed(&claims, None, purpose), false),
        ("another key's id", sealed(&claims, other_footer, purpose), false),
        ("a footer that is no object", sealed(&claims, Some(b"kid"), purpose), false),
        ("no claims", sealed(b"{}", footer, purpose), false),
        ("no JSON", sealed(b"\xff", footer, purpose), false),
    ] {
        assert_eq!(refresh::open(&token, &keys).is_some(), is_good, "{name}");
    }
    assert!(open_access(&sealed(&claims, footer, None), &keys).is_none());
}

fn verifier(keys: &Keyring) -> AccessVerifier {
    let published = keys.sets().map(|set| PublicKey::parse(&set.public.to_paserk()).unwrap());
    AccessVerifier::new(published, ISSUER, AUDIENCE)
}

#[test]
fn another_service_verifies_with_the_published_keys() {
    let keys = keyring(2, &[1]);
    let verifier = verifier(&keys);
    assert_eq!(verifier.verify(&access_token(&keys), NOW), Ok(access_claims()));
    assert_eq!(verifier.verify(&access_token(&keyring(1, &[])), NOW), Ok(access_claims()));
    let stranger = access_token(&keyring(3, &[]));
    assert_eq!(verifier.verify(&stranger, NOW), Err(AccessTokenError::Invalid));
    assert_eq!(verifier.verify(&refresh_token(&keys), NOW), Err(AccessTokenError::Invalid));
    assert!(keys.active().public.id().starts_with("k4.pid."));
}

#[test]
fn issuer_and_audience_are_compared_whole() {
    let keys = keyring(1, &[]);
    let verifier = verifier(&keys);
    let slash = |text: &str| format!("{text}/");
    for claims in [
        AccessClaims { iss: slash(ISSUER), ..access_claims() },
        AccessClaims { aud: slash(AUDIENCE), ..access_claims() },
        AccessClaims { iss: AUDIENCE.to_owned(), aud: ISSUER.to_owned(), ..access_claims() },
        AccessClaims { iss: String::new(), ..access_claims() },
        AccessClaims { aud: String::new(), ..access_claims() },
    ] {
        let token = keys.active().sign(&claims).unwrap();
        assert_eq!(verifier.verify(&token, NOW), Err(AccessTokenError::Invalid), "{claims:?}");
        // Not even an expired one says that it was ours.
        let late = NOW.plus(2 * LIFE);
        assert_eq!(verifier.verify(&token, late), Err(AccessTokenError::Invalid), "{claims:?}");
    }
}

#[test]
fn an_access_token_lives_from_nbf_to_exp() {
    let keys = keyring(1, &[]);
    let verifier = verifier(&keys);
    let token = access_token(&keys);
    let skew = Duration::from_secs(60);
    for (name, at, is_good) in [
        ("a minute early, for a skewed clock", NOW.minus(skew), true),
        ("more than that", NOW.minus(skew + MILLISECOND), false),
        ("at once", NOW, true),
        ("a moment before it expires", NOW.plus(LIFE).minus(MILLISECOND), true),
        ("at its expiry, exactly", NOW.plus(LIFE), false),
        ("long after", NOW.plus(100 * LIFE), false),
    ] {
        let expected = if is_good { Ok(access_claims()) } else { Err(AccessTokenError::Expired) };
        assert_eq!(verifier.verify(&token, at), expected, "{name}");
    }
}

#[test]
fn the_csrf_value_is_bound_to_session_and_key() {
    let (before, rotated, retired) = (keyring(1, &[]), keyring(2, &[1]), keyring(3, &[2]));
    let value = before.active().csrf_token(session());
    let other = SessionId(Uuid::from_u128(12));
    assert_eq!(before.check_csrf(&value, session()), Some(CsrfMatch::Active));
    assert_eq!(before.check_csrf(&value, other), None);
    assert_eq!(rotated.check_csrf(&value, session()), Some(CsrfMatch::Older));
    assert_eq!(retired.check_csrf(&value, session()), None);
    let wrong = [String::new(), value[1..].to_owned(), format!("{value}A"), value.to_uppercase()];
    for wrong in wrong.into_iter().chain(flips(&value).map(|(_, flipped)| flipped)) {
        assert_eq!(before.check_csrf(&wrong, session()), None, "{wrong}");
    }
}

#[test]
fn the_keys_of_a_set_differ_and_are_not_printed() {
    let keys = keyring(1, &[]);
    let other = keyring(2, &[]);
    assert_ne!(keys.active().public.id(), other.active().public.id());
    assert_ne!(keys.active().ratchet.id, other.active().ratchet.id);
    assert_ne!(keys.active().csrf_token(session()), other.active().csrf_token(session()));
    let same = Keyring::new(&Root::parse(&root(1).to_paserk()).unwrap(), &[]).unwrap();
    assert_eq!(keys.active().ratchet.id, same.active().ratchet.id, "derived, not drawn");
    let printed = format!("{:?}", keys.active());
    assert!(printed.contains("k4.lid.") && printed.len() < 100, "{printed}");
}
