//! What is in an access token, and who can tell that it is genuine.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward::config::PublicUrl;
use doorward::{AccessTokenError, AccessVerifier, PublicKey, Timestamp};
use serde_json::{Value, json};

use crate::harness::{ACCESS_TTL, HOUR, SECOND, TestApp};

/// What a token says to anybody who decodes it.
pub struct Decoded {
    pub claims: Value,
    pub footer: Value,
}

/// Takes a `v4.public` token apart, without any key.
pub fn claims(token: &str) -> Decoded {
    let parts: Vec<_> = token.split('.').collect();
    assert_eq!(parts[..2], ["v4", "public"]);
    let signed = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
    let (message, _signature) = signed.split_at(signed.len() - 64);
    Decoded {
        claims: serde_json::from_slice(message).unwrap(),
        footer: serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[3]).unwrap()).unwrap(),
    }
}

impl Decoded {
    pub fn time(&self, name: &str) -> Timestamp {
        Timestamp::parse(self.claims[name].as_str().unwrap()).unwrap()
    }

    pub fn life(&self) -> Duration {
        self.time("exp").since(self.time("iat"))
    }

    pub fn generation(&self) -> i64 {
        self.claims["gen"].as_i64().unwrap()
    }
}

#[tokio::test]
async fn the_claims_are_complete() {
    let app = TestApp::start().await;
    app.account("ana@example.com").await;
    let ana = app.browser();
    let signed_in = ana.login("ana@example.com").await.ok();

    let Decoded { claims, footer } = claims(&ana.tokens().access);
    let (issuer, now) = (app.url(""), app.now().wall.to_string());
    assert_eq!(
        claims,
        json!({
            "iss": issuer, "aud": issuer,
            "sub": signed_in["user"]["id"], "sid": signed_in["session"]["id"], "gen": 1,
            "email": "ana@example.com", "role": "user", "isVerified": false,
            "typ": "access", "iat": now, "nbf": now, "exp": claims["exp"],
        })
    );
    let keys = app.get("/.well-known/doorward-keys").await.ok();
    assert_eq!(footer, json!({ "kid": keys["keys"][0]["kid"] }));
}

#[tokio::test]
async fn the_audience_can_be_another() {
    let app = TestApp::with(|config| config.audience = Some("shop".to_owned())).await;
    let ana = app.signed_in("ana@example.com").await;
    let decoded = claims(&ana.tokens().access);
    assert_eq!(decoded.claims["aud"], "shop");
    assert_eq!(decoded.claims["iss"], app.url(""));
    ana.me().await.ok();
}

#[tokio::test]
async fn lives_are_up_to_a_tenth_shorter_and_differ() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let mut lives = BTreeSet::new();
    for _ in 0..30 {
        let told = ana.refresh().await.ok()["accessTokenExpiresIn"].as_u64();
        let life = claims(&ana.tokens().access).life();
        assert!(life <= ACCESS_TTL && life >= ACCESS_TTL * 9 / 10, "{life:?}");
        assert_eq!(told, Some(life.as_secs()));
        lives.insert(life);
    }
    assert!(lives.len() > 20, "{lives:?}");
}

#[tokio::test]
async fn a_token_passes_until_it_expires() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    let decoded = claims(&ana.tokens.access);
    app.clock.advance(decoded.life() - Duration::from_millis(1));
    ana.me().await.ok();
    app.clock.advance(Duration::from_millis(1));
    ana.me().await.problem(401, "access_token_expired");
}

#[tokio::test]
async fn another_service_verifies_offline() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    let keys = app.get("/.well-known/doorward-keys").await.ok();
    let keys: Vec<_> = keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| PublicKey::parse(key["key"].as_str().unwrap()).unwrap())
        .collect();
    let (token, issuer, now) = (&ana.tokens.access, app.url(""), app.now().wall);

    let verifier = AccessVerifier::new(keys.clone(), &issuer, &issuer);
    let claims = verifier.verify(token, now).unwrap();
    assert_eq!(claims.identity.email, "ana@example.com");
    for (verifier, token, at, expected) in [
        (&verifier, token, now.plus(HOUR), AccessTokenError::Expired),
        (&verifier, &token[..token.len() - 1].to_owned(), now, AccessTokenError::Invalid),
        (&verifier, &ana.tokens.refresh, now, AccessTokenError::Invalid),
        (
            &AccessVerifier::new(keys.clone(), &issuer, "other"),
            token,
            now,
            AccessTokenError::Invalid,
        ),
        (
            &AccessVerifier::new(keys.clone(), "other", &issuer),
            token,
            now,
            AccessTokenError::Invalid,
        ),
        (&AccessVerifier::new([], &issuer, &issuer), token, now, AccessTokenError::Invalid),
    ] {
        assert_eq!(verifier.verify(token, at), Err(expected));
    }
}

#[tokio::test]
async fn a_new_key_signs_and_the_old_one_still_verifies() {
    let app = TestApp::start().await;
    let mut ana = app.program("ana@example.com").await;
    let before = app.get("/.well-known/doorward-keys").await.ok();
    assert_eq!(before["keys"].as_array().unwrap().len(), 1);
    assert_eq!(before["keys"][0]["state"], "active");
    app.rotate_keys().await;

    let after = app.get("/.well-known/doorward-keys").await.ok();
    assert_eq!(after["keys"].as_array().unwrap().len(), 2);
    assert_eq!(after["keys"][0]["state"], "active");
    assert_eq!(after["keys"][1]["state"], "older");
    assert_eq!(after["keys"][1]["kid"], before["keys"][0]["kid"]);
    for key in after["keys"].as_array().unwrap() {
        assert!(key["kid"].as_str().unwrap().starts_with("k4.pid."));
        assert!(key["key"].as_str().unwrap().starts_with("k4.public."));
    }
    ana.me().await.ok();
    ana.refresh().await;
    ana.me().await.ok();
    let footer = claims(&ana.tokens.access).footer;
    assert_eq!(footer["kid"], after["keys"][0]["kid"]);
}

/// A shorter life counts for the tokens that are about as well.
#[tokio::test]
async fn a_shorter_life_is_in_force_after_a_restart() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    app.clock.advance(60 * SECOND);
    ana.me().await.ok();
    app.reconfigure(|config| config.access_token_ttl = 60 * SECOND).await;
    ana.me().await.problem(401, "access_token_expired");
}

/// The same key may sign for others: who a token is for decides as well.
#[tokio::test]
async fn a_token_for_somebody_else_does_not_pass() {
    let app = TestApp::start().await;
    let script = app.program("ana@example.com").await;
    let ana = app.signed_in("ana@example.com").await;
    app.reconfigure(|config| config.audience = Some("shop".to_owned())).await;
    script.me().await.problem(401, "access_token_expired");
    ana.me().await.sets_cookies(&["refreshToken", "token"]).ok();
    assert_eq!(claims(&ana.tokens().access).claims["aud"], "shop");

    let elsewhere = PublicUrl::parse("https://id.example.com").ok();
    let script = app.program("ana@example.com").await;
    app.reconfigure(|config| config.public_url = elsewhere).await;
    script.me().await.problem(401, "access_token_expired");
}
