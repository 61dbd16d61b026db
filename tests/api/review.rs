//! Defects that were there once, each told as the story that went wrong.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use doorward::domain::account::Email;
use doorward::domain::password::Password;
use doorward::domain::session::Client;
use doorward::flows::login::{Visitor, login};
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use serde_json::{Map, Value, json};

use crate::harness::{PASSWORD, TestApp};
use crate::tokens::claims;

const ANA: &str = "ana@example.com";

/// Turns up nowhere but in what is sent.
const SECRET: &str = "zebra-in-the-kitchen";

/// The first one to store a better hash must not make the others look wrong.
#[tokio::test]
async fn logins_at_once_with_an_outdated_hash_all_succeed() {
    let app = TestApp::start().await;
    app.account(ANA).await;
    app.reconfigure(|config| config.argon2_iterations = 2).await;
    for answer in join_all((0..6).map(|_| app.login(ANA, PASSWORD).into_future())).await {
        answer.ok();
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_during_its_login_has_not_failed() {
    let app = TestApp::with(|config| config.throttle = true).await;
    app.account(ANA).await;
    let server = app.app();
    // Nobody is signed in while somebody else holds the database.
    let other = app.sql();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for _ in 0..10 {
        let visitor = Visitor {
            address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            client: Client::default(),
            replaces: None,
            remember: true,
        };
        let email = Email::parse(ANA).unwrap();
        let password = Password::present(PASSWORD).unwrap();
        let outcome = login(&server, email, password, visitor).now_or_never();
        assert!(outcome.is_none(), "it is dropped before it is decided");
    }
    other.execute_batch("ROLLBACK").unwrap();
    app.login(ANA, PASSWORD).await.ok();
}

/// Another program on the way may have read the other one.
#[tokio::test]
async fn a_json_member_that_is_named_twice_is_refused() {
    let app = TestApp::start().await;
    app.account(ANA).await;
    for (path, body) in [
        ("login", format!(r#"{{"email":"{ANA}","password":"{SECRET}","password":"{PASSWORD}"}}"#)),
        (
            "login",
            format!(r#"{{"email":"{ANA}","password":"{PASSWORD}","\u0065mail":"{SECRET}"}}"#),
        ),
        ("register", format!(r#"{{"email":"{ANA}","email":"{ANA}","password":"{SECRET}"}}"#)),
        ("refresh", format!(r#"{{"refreshToken":"{SECRET}","refreshToken":"{SECRET}"}}"#)),
        ("logout", format!(r#"{{"refreshToken":null,"refreshToken":"{SECRET}"}}"#)),
    ] {
        let call =
            app.post(&format!("/api/auth/{path}")).header("content-type", "application/json");
        let answer = call.body(body).await;
        let problem = answer.sets_no_cookies().problem(400, "malformed_request");
        assert!(problem["detail"].as_str().unwrap().contains("names a member twice"), "{answer}");
        for value in [SECRET, PASSWORD, ANA] {
            assert!(!answer.text().contains(value), "{answer}");
        }
    }
}

/// Many generated clients write it for what they leave out.
#[tokio::test]
async fn null_is_as_if_left_out() {
    let app = TestApp::start().await;
    let ana = app.browser();
    let body = json!({"email": ANA, "password": PASSWORD, "delivery": null});
    let all = ["csrfToken", "refreshToken", "token"];
    ana.call("POST", "/api/auth/register").json(body.clone()).await.sets_cookies(&all).status(201);
    ana.call("POST", "/api/auth/login").json(body).await.sets_cookies(&all).ok();

    let none = json!({"refreshToken": null});
    ana.refresh().json(none.clone()).await.sets_cookies(&["refreshToken", "token"]).ok();
    app.post("/api/auth/refresh").json(none.clone()).await.problem(401, "no_refresh_token");
    ana.logout().json(none).await.clears_cookies().ok();
    ana.login(ANA).await.ok();
    let required = app.post("/api/auth/login").json(json!({"email": ANA, "password": null}));
    required.await.problem(422, "validation_failed");
}

/// The token in the body says that this client keeps no cookies: those that would be cleared
/// are somebody else's.
#[tokio::test]
async fn a_logout_with_a_dead_token_in_the_body_and_no_cookies_clears_nothing() {
    let app = TestApp::start().await;
    for token in ["v4.local.nonsense", "", SECRET] {
        let out = app.post("/api/auth/logout").json(json!({ "refreshToken": token }));
        out.await.sets_no_cookies().ok();
    }
    let ana = app.signed_in(ANA).await;
    ana.logout().json(json!({"refreshToken": SECRET})).await.clears_cookies().ok();
}

/// A bearer decides alone: the cookies beside it are ignored, also as what is to be replaced.
#[tokio::test]
async fn a_login_with_a_bearer_leaves_the_session_of_the_cookies_alone() {
    let app = TestApp::start().await;
    let ana = app.signed_in(ANA).await;
    let (old, phone) = (ana.tokens(), app.program(ANA).await);
    for bearer in [phone.tokens.access.as_str(), SECRET] {
        app.login(ANA, PASSWORD).header("cookie", ana.jar().header()).bearer(bearer).await.ok();
        app.me(&old.access).await.ok();
        phone.me().await.ok();
    }
    ana.refresh().await.ok();
}

/// An answer must not be much larger than its question.
#[tokio::test]
async fn at_most_twenty_fields_are_complained_about() {
    let app = TestApp::start().await;
    let members: Map<_, _> = (0..500).map(|number| (number.to_string(), Value::Null)).collect();
    let answer = app.post("/api/auth/login").json(Value::Object(members)).await;
    let problem = answer.problem(422, "validation_failed");
    assert_eq!(problem["errors"].as_array().unwrap().len(), 20);
}

/// Lower-casing a word gives a final sigma another form than one within it.
#[tokio::test]
async fn a_greek_address_in_capitals_is_the_same_account() {
    let app = TestApp::start().await;
    let kept = "\u{3bf}\u{3b4}\u{3bf}\u{3c3}@example.com";
    let capitals = "\u{39f}\u{394}\u{39f}\u{3a3}@example.com";
    app.register(kept, PASSWORD).await.status(201);
    let user = &app.login(capitals, PASSWORD).await.ok()["user"];
    assert_eq!(user["email"], kept);
    app.register(capitals, PASSWORD).await.problem(409, "email_taken");
}

/// Verifiers that count in whole seconds must not find it to begin in their future.
#[tokio::test]
async fn a_token_is_good_from_the_beginning_of_its_second() {
    let app = TestApp::start().await;
    app.account(ANA).await;
    app.clock.advance(Duration::from_millis(999));
    let now = app.now().wall;
    let ana = app.signed_in(ANA).await;
    let token = claims(&ana.tokens().access);
    assert_eq!(token.time("iat"), now);
    assert_eq!(token.time("nbf"), now.minus(Duration::from_millis(999)));
    assert_eq!(token.time("nbf").as_millis() % 1000, 0);
}
