//! How long the pieces of a rotation and of a guarded request take: `cargo bench --bench micro`.

#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::time::Duration;

use divan::{Bencher, black_box};
use doorward::config::PublicUrl;
use doorward::crypto::access;
use doorward::crypto::keyring::{Keyring, Root};
use doorward::crypto::refresh::{self, Nonce};
use doorward::domain::claims::{AccessClaims, AccessTokenType, Identity, RefreshClaims, Role};
use doorward::domain::id::{Generation, SessionId, UserId};
use doorward::domain::secret::{Salt, Secret};
use doorward::domain::session::{
    Case, Client, Presented, ReusePolicy, Session, SessionPolicy, judge,
};
use doorward::domain::time::{Now, Timestamp};
use doorward::http::cookies::{CookieStyle, Kind};
use poem::http::{HeaderMap, HeaderValue, header};
use uuid::Uuid;

fn main() {
    divan::main();
}

const AT: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const NOW: Now = Now { wall: AT, steady: AT };
const DAY: Duration = Duration::from_secs(24 * 3600);
const USER: UserId = UserId(Uuid::from_u128(1));
const SESSION: SessionId = SessionId(Uuid::from_u128(2));
const SALT: Salt = Salt([3; 32]);

const POLICY: SessionPolicy = SessionPolicy {
    refresh_token_ttl: Duration::from_secs(30 * 24 * 3600),
    session_max_age: Duration::from_secs(180 * 24 * 3600),
    max_sessions_per_user: 50,
    refresh_grace: Duration::from_secs(10),
    lost_response_window: DAY,
    reuse_policy: ReusePolicy::User,
};

fn secret() -> Secret {
    Secret::from_bytes([4; 32])
}

fn keys() -> Keyring {
    Keyring::new(&Root::from_bytes([5; 32]), &[]).unwrap()
}

fn access_claims() -> AccessClaims {
    let identity =
        Identity { email: "ana@example.com".to_owned(), role: Role::User, is_verified: true };
    AccessClaims {
        iss: "https://id.example.com".to_owned(),
        aud: "https://id.example.com".to_owned(),
        sub: USER,
        sid: SESSION,
        generation: Generation(7),
        identity,
        typ: AccessTokenType::Access,
        iat: AT,
        nbf: AT,
        exp: AT.plus(Duration::from_secs(900)),
    }
}

fn refresh_claims() -> RefreshClaims {
    RefreshClaims {
        sub: USER,
        sid: SESSION,
        generation: Generation(7),
        sec: secret(),
        iat: AT,
        exp: AT.plus(30 * DAY),
        remember: true,
    }
}

/// The current token of a session, as it is most of the time.
#[divan::bench]
fn examine_and_judge(bencher: Bencher<'_, '_>) {
    let keys = keys();
    let ratchet = keys.ratchets().active();
    let session = Session {
        id: SESSION,
        user_id: USER,
        created_at: AT,
        generation: Generation(7),
        secret_hash: ratchet.lookup(&secret()),
        salt: SALT,
        key_id: ratchet.id,
        rotated_at: AT,
        confirmed_at: None,
        expires_at: AT.plus(30 * DAY),
        ends_at: AT.plus(180 * DAY),
        last_used_at: AT,
        client: Client::default(),
        ended: None,
    };
    let presented =
        Presented { user: USER, session: SESSION, generation: Generation(7), secret: secret() };
    bencher.bench_local(|| {
        let proof = keys.ratchets().examine(black_box(&session), &presented);
        let case = Case {
            session: Some(&session),
            user_is_active: true,
            presented: &presented,
            proof: &proof,
            now: NOW,
        };
        judge(&case, &POLICY)
    });
}

#[divan::bench]
fn turn_the_ratchet(bencher: Bencher<'_, '_>) {
    let keys = keys();
    let (ratchet, secret) = (keys.ratchets().active(), secret());
    bencher.bench_local(|| {
        let child = ratchet.turn(black_box(&secret), &SALT, SESSION, Generation(8));
        ratchet.lookup(&child)
    });
}

#[divan::bench]
fn sign_an_access_token(bencher: Bencher<'_, '_>) {
    let (keys, claims) = (keys(), access_claims());
    bencher.bench_local(|| keys.active().sign(black_box(&claims)).unwrap());
}

#[divan::bench]
fn verify_an_access_token(bencher: Bencher<'_, '_>) {
    let keys = keys();
    let token = keys.active().sign(&access_claims()).unwrap();
    let public = &keys.active().public;
    bencher.bench_local(|| access::open(black_box(&token), std::iter::once(public)).unwrap());
}

#[divan::bench]
fn verify_an_access_token_again(bencher: Bencher<'_, '_>) {
    let keys = keys();
    let token = keys.active().sign(&access_claims()).unwrap();
    bencher.bench_local(|| keys.open_access(black_box(&token)).unwrap());
}

#[divan::bench]
fn seal_a_refresh_token(bencher: Bencher<'_, '_>) {
    let (keys, claims) = (keys(), refresh_claims());
    bencher.bench_local(|| {
        refresh::seal(black_box(&claims), &keys, Nonce::from_bytes([9; 32])).unwrap()
    });
}

#[divan::bench]
fn open_a_refresh_token(bencher: Bencher<'_, '_>) {
    let keys = keys();
    let token = refresh::seal(&refresh_claims(), &keys, Nonce::from_bytes([9; 32])).unwrap();
    bencher.bench_local(|| refresh::open(black_box(&token), &keys).map(|claims| claims.sid));
}

#[divan::bench]
fn read_the_cookies(bencher: Bencher<'_, '_>) {
    let keys = keys();
    let style = CookieStyle::new(&PublicUrl::parse("https://id.example.com").unwrap(), None);
    let line = format!(
        "theme=dark; {}={}; {}={}; {}={}",
        style.name(Kind::Access),
        keys.active().sign(&access_claims()).unwrap(),
        style.name(Kind::Refresh),
        refresh::seal(&refresh_claims(), &keys, Nonce::from_bytes([9; 32])).unwrap(),
        style.name(Kind::Csrf),
        keys.active().csrf_token(SESSION),
    );
    let mut headers = HeaderMap::new();
    headers.insert(header::COOKIE, HeaderValue::from_str(&line).unwrap());
    bencher.bench_local(|| style.read(black_box(&headers)).unwrap());
}
