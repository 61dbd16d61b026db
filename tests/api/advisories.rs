//! What others were caught by. `docs/ADVISORIES.md` has the table: the advisory, the lesson, the test;
//! those that are not told elsewhere are here.

use doorward::config::PublicUrl;
use doorward::mail::{Blame, Undelivered};
use serde_json::json;

use crate::harness::spec::operations;
use crate::harness::{NOBODY, PASSWORD, TestApp};

const ANA: &str = "ana@example.com";
const EVE: &str = "eve@example.com";
const NEW: &str = "staple, upright and shiny";

impl TestApp {
    /// Has mail sent, and gives the token of the link to `to`.
    async fn token_mailed_to(&self, to: &str) -> String {
        let letters = self.mail().await;
        let letter = letters.iter().rev().find(|letter| letter.to.as_str() == to).unwrap();
        let (_, rest) = letter.text.split_once("?token=").unwrap();
        rest.split_whitespace().next().unwrap().to_owned()
    }
}

/// Links lead where the configuration says, whatever the request says of itself.
#[tokio::test]
async fn no_header_of_a_request_gets_into_a_link() {
    let app = TestApp::start().await;
    app.account(ANA).await;
    for (name, value) in [
        ("host", "evil.example"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-server", "evil.example"),
        ("x-forwarded-proto", "evil"),
        ("x-original-host", "evil.example"),
        ("x-host", "evil.example"),
        ("x-rewrite-url", "https://evil.example/"),
        ("forwarded", "host=evil.example;proto=https"),
        ("referer", "https://evil.example/"),
    ] {
        let body = json!({ "email": ANA });
        let call = app.post("/api/auth/forgot-password").header(name, value).json(body);
        call.await.status(202);
        let letters = app.mail().await;
        assert_eq!(letters.len(), 1, "{name}");
        let link = format!("{}/account/reset-password?token=", app.url("").trim_end_matches('/'));
        assert!(letters[0].text.contains(&link), "{name}: {}", letters[0].text);
        for text in [&letters[0].text, &letters[0].html] {
            assert!(!text.contains("evil"), "{name}: {text}");
        }
    }
}

/// Who acts is who is signed in: nobody becomes somebody by naming them.
#[tokio::test]
async fn a_user_in_the_body_is_nobody() {
    let app = TestApp::start().await;
    app.account(ANA).await;
    let id = app.user(ANA).await.id.to_string();
    let before = app.user(ANA).await;
    for operation in operations().iter().filter(|operation| operation.has_body()) {
        let path = operation.path.replace("{userId}", &id).replace("{addressId}", NOBODY);
        for body in [json!({ "userId": id }), json!({ "user": { "id": id } }), json!({ "sub": id })]
        {
            let answer = app.call(operation.method.as_str(), &path).json(body).await;
            let expected = if operation.is_protected() { 401 } else { 422 };
            assert_eq!(answer.status, expected, "{}: {answer}", operation.id());
            answer.sets_no_cookies();
        }
    }
    assert_eq!(app.user(ANA).await, before);
}

/// Somebody registers with another's address, and waits. The owner's reset leaves them nothing.
#[tokio::test]
async fn an_account_made_in_advance_is_the_owners_after_a_reset() {
    let app = TestApp::start().await;
    let eve = app.signed_in(ANA).await;
    let (jar, body) = (eve.jar(), json!({ "newEmail": EVE, "password": PASSWORD }));
    eve.call("POST", "/api/auth/change-email").csrf().json(body).await.status(202);
    let pending = app.token_mailed_to(EVE).await;

    app.post("/api/auth/forgot-password").json(json!({ "email": ANA })).await.status(202);
    let token = app.token_mailed_to(ANA).await;
    let body = json!({ "token": token, "newPassword": NEW });
    app.post("/api/auth/reset-password").json(body).await.ok();

    eve.me().await.problem(401, "session_expired");
    app.browser_with(&jar).refresh().await.problem(403, "invalid_refresh_token");
    app.login(ANA, PASSWORD).await.problem(401, "invalid_credentials");
    let confirm = app.post("/api/auth/confirm-email").json(json!({ "token": pending }));
    confirm.await.problem(403, "invalid_token");
    app.login(ANA, NEW).await.ok();
    assert!(app.user(ANA).await.is_verified);
}

/// A link acts on the account that it was made for, whoever is signed in where it is opened.
#[tokio::test]
async fn a_link_acts_on_its_own_account() {
    let app = TestApp::start().await;
    let eve = app.signed_in(EVE).await;
    app.account(ANA).await;
    app.post("/api/auth/resend-verification").json(json!({ "email": ANA })).await.status(202);
    let token = app.token_mailed_to(ANA).await;
    let verify = eve.call("POST", "/api/auth/verify-email").csrf().json(json!({ "token": token }));
    verify.await.ok();
    assert!(app.user(ANA).await.is_verified);
    assert!(!app.user(EVE).await.is_verified);
}

/// A letter goes to the address of the account and never to one that only looks like it.
#[tokio::test]
async fn addresses_that_look_alike_are_not_written_to() {
    const MIKE: &str = "mike@example.com";
    let app = TestApp::start().await;
    app.account(MIKE).await;
    for (email, is_his) in [
        ("MIKE@EXAMPLE.COM", true),
        ("m\u{131}ke@example.com", false),
        ("M\u{130}KE@example.com", false),
        // The Kelvin sign is the letter K (they are canonically equivalent), and so is this he.
        ("mi\u{212a}e@example.com", true),
        ("\u{ff4d}ike@example.com", false),
        ("m\u{456}ke@example.com", false),
        ("mike@ex\u{430}mple.com", false),
    ] {
        let body = json!({ "email": email });
        let answer = app.post("/api/auth/forgot-password").json(body).await;
        assert!([202, 422].contains(&answer.status), "{email}: {answer}");
        let letters = app.mail().await;
        assert_eq!(letters.len(), usize::from(is_his), "{email}");
        assert!(letters.iter().all(|letter| letter.to.as_str() == MIKE), "{email}");
    }
}

/// Nor does it show when no mail can be sent at all.
#[tokio::test]
async fn mail_that_fails_tells_nothing() {
    let app = TestApp::start().await;
    app.account(ANA).await;
    app.post_office.refuse(|_| Some(Undelivered::new(Blame::Way, "it is closed")));
    let mut answers = Vec::new();
    for email in [ANA, "nobody@example.com", ANA, "nobody@example.com"] {
        let answer = app.post("/api/auth/forgot-password").json(json!({ "email": email })).await;
        answers.push((answer.status, answer.text().to_owned()));
        assert!(app.mail().await.is_empty());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

/// Browsers take cookies under names that a lenient server reads as `__Host-…`.
#[tokio::test]
async fn cookies_in_disguise_are_not_ours() {
    let app = TestApp::with(|config| {
        config.public_url = PublicUrl::parse("https://id.example.com").ok();
    })
    .await;
    let (ana, eve) = (app.signed_in(ANA).await, app.signed_in(EVE).await);
    let (good, bad) = (ana.tokens().access, eve.tokens().access);
    for disguise in [
        format!("\u{2000}__Host-token={bad}"),
        format!("\u{a0}__Host-token={bad}"),
        format!("%5F%5FHost-token={bad}"),
        format!("__Host%2Dtoken={bad}"),
        format!("__HOST-token={bad}"),
        format!("__Host-token\u{2000}={bad}"),
        format!("\"__Host-token\"={bad}"),
        format!("$Version=1; $Path=/; \u{2000}__Host-token={bad}"),
        format!("x=\"__Host-token={bad}\""),
        format!("x=__Host-token={bad}"),
    ] {
        let alone = app.get("/api/auth/me").header("cookie", &disguise);
        alone.await.problem(401, "no_token");
        for cookies in
            [format!("{disguise}; __Host-token={good}"), format!("__Host-token={good}; {disguise}")]
        {
            let me = app.get("/api/auth/me").header("cookie", &cookies).await.ok();
            assert_eq!(me["email"], ANA, "{disguise}");
        }
    }
    // Without a disguise it is one too many, and nobody guesses which was meant.
    let twice = format!("__Host-token={bad}; __Host-token={good}");
    app.get("/api/auth/me").header("cookie", twice).await.problem(400, "malformed_request");
}

/// A password of any length costs one hash, or none.
#[tokio::test]
async fn long_passwords_are_refused_before_they_cost_anything() {
    let app = TestApp::start().await;
    app.account(ANA).await;
    for length in [257, 1025, 8_000] {
        app.register(EVE, &"é".repeat(length)).await.problem(422, "validation_failed");
    }
    app.register(EVE, &"é".repeat(20_000)).await.problem(413, "payload_too_large");
    app.login(ANA, &"é".repeat(1025)).await.problem(422, "validation_failed");
}
