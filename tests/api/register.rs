//! Making an account.

use doorward::config::Registration;
use serde_json::json;

use crate::harness::{Jar, PASSWORD, TestApp, Tokens};

#[tokio::test]
async fn a_new_account_is_signed_in() {
    let app = TestApp::start().await;
    let ana = app
        .browser()
        .named("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0");

    let answer = ana
        .call("POST", "/api/auth/register")
        .json(json!({"email": "ana@example.com", "password": PASSWORD}))
        .await;

    answer.sets_cookies(&["csrfToken", "refreshToken", "token"]);
    let made = answer.status(201);
    assert_eq!(made["message"], "Registration successful");
    assert_eq!(made["user"]["email"], "ana@example.com");
    assert_eq!(made["user"]["role"], "user");
    assert_eq!(made["user"]["isVerified"], false);
    assert_eq!(made["user"]["createdAt"], app.now().wall.to_string());
    assert_eq!(made["user"]["updatedAt"], made["user"]["createdAt"]);
    assert_eq!(made["session"]["device"], "Firefox on Linux");
    assert_eq!(made["session"]["ip"], "127.0.0.1");
    assert_eq!(made["session"]["current"], true);
    assert!(made.get("accessToken").is_none() && made.get("refreshToken").is_none());
    assert_eq!(ana.me().await.ok(), made["user"]);
    assert_eq!(app.audited("registered"), 1);
}

#[tokio::test]
async fn a_client_without_a_jar_gets_its_tokens_in_the_body() {
    let app = TestApp::start().await;
    let answer = app
        .post("/api/auth/register")
        .json(json!({"email": "ana@example.com", "password": PASSWORD, "delivery": "body"}))
        .await;

    let tokens = Tokens::of(&answer.sets_no_cookies().status(201));
    app.me(&tokens.access).await.ok();
    app.refresh(&tokens).await.ok();
}

#[tokio::test]
async fn addresses_are_kept_in_one_form() {
    let app = TestApp::start().await;
    for (typed, kept) in [
        ("Ana@EXAMPLE.com", "ana@example.com"),
        ("ana+news@example.com", "ana+news@example.com"),
        ("a.n.a@example.com", "a.n.a@example.com"),
        ("ana@B\u{fc}cher.example", "ana@xn--bcher-kva.example"),
        ("an\u{303}a@example.com", "a\u{f1}a@example.com"),
    ] {
        let made = app.register(typed, PASSWORD).await.status(201);
        assert_eq!(made["user"]["email"], kept);
        app.register(kept, PASSWORD).await.problem(409, "email_taken");
        app.login(typed, PASSWORD).await.ok();
    }
}

#[tokio::test]
async fn what_is_no_address_is_refused() {
    let app = TestApp::start().await;
    let longest = format!("{}@{}", "a".repeat(64), domain_of(189));
    app.register(&longest, PASSWORD).await.status(201);
    let too_long = format!("{}@{}", "b".repeat(64), domain_of(190));
    for email in [
        "",
        "zebra",
        "@example.com",
        "zebra@",
        "zebra@@example.com",
        "ze bra@example.com",
        " zebra@example.com",
        "zebra@example.com\n",
        "zebra\u{0}@example.com",
        "\"zebra\"@example.com",
        "Zebra <zebra@example.com>",
        "zebra@[127.0.0.1]",
        &too_long,
    ] {
        let answer = app.register(email, PASSWORD).await;
        let problem = answer.problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["field"], "/email", "{email:?}");
        assert_eq!(problem["errors"].as_array().unwrap().len(), 1);
        assert!(!answer.text().contains("zebra"), "{answer}");
    }
}

/// A domain of `length` bytes.
fn domain_of(length: usize) -> String {
    let tail = format!("{}.{}.example", "d".repeat(60), "e".repeat(60));
    let first = "c".repeat(length - tail.len() - 1);
    format!("{first}.{tail}")
}

#[tokio::test]
async fn passwords_are_8_to_256_code_points() {
    let app = TestApp::start().await;
    let composed = "\u{fc}".repeat(7);
    let decomposed = "u\u{308}".repeat(7);
    for (number, (password, is_fine)) in [
        ("1234567", false),
        ("12345678", false),
        ("PassWord", false),
        ("24681357", true),
        (composed.as_str(), false),
        (decomposed.as_str(), false),
        ("\u{1f980}\u{1f980}\u{1f980}\u{1f980}\u{1f980}\u{1f980}\u{1f980}\u{1f980}", true),
        (&"a".repeat(256), true),
        (&"a".repeat(257), false),
        (&"u\u{308}".repeat(256), true),
        ("        ", true),
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("user{number}@example.com");
        let answer = app.register(&email, password).await;
        if is_fine {
            answer.status(201);
            app.login(&email, password).await.ok();
        } else {
            let problem = answer.problem(422, "validation_failed");
            assert_eq!(problem["errors"][0]["field"], "/password");
            assert!(!answer.text().contains(password));
        }
    }
}

#[tokio::test]
async fn the_shortest_password_can_be_made_longer() {
    let app = TestApp::with(|config| config.password_min_length = 12).await;
    app.register("ana@example.com", "13572468013").await.problem(422, "validation_failed");
    app.register("ana@example.com", "135724680135").await.status(201);
}

/// Login checks the upper bound only: a stricter policy locks nobody out.
#[tokio::test]
async fn a_password_from_before_the_policy_still_signs_in() {
    let app = TestApp::start().await;
    app.register("ana@example.com", "24681357").await.status(201);
    app.reconfigure(|config| config.password_min_length = 12).await;
    app.login("ana@example.com", "24681357").await.ok();
}

#[tokio::test]
async fn an_address_can_be_taken_once() {
    let app = TestApp::start().await;
    app.register("ana@example.com", PASSWORD).await.status(201);
    let again = app.register("ANA@example.com", "another password").await;
    again.sets_no_cookies().problem(409, "email_taken");
    app.login("ana@example.com", "another password").await.problem(401, "invalid_credentials");

    let (first, second) = tokio::join!(
        app.register("bea@example.com", PASSWORD),
        app.register("bea@example.com", PASSWORD),
    );
    let mut statuses = [first.status, second.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
}

#[tokio::test]
async fn registration_can_be_closed() {
    let app = TestApp::with(|config| config.registration = Registration::Closed).await;
    app.account("ana@example.com").await;
    for email in ["bea@example.com", "ana@example.com"] {
        let answer = app.register(email, PASSWORD).await;
        answer.sets_no_cookies().problem(403, "registration_closed");
    }
    app.login("ana@example.com", PASSWORD).await.ok();
}

#[tokio::test]
async fn a_registration_replaces_the_session_of_the_jar() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let old = ana.tokens();
    let bea = json!({"email": "bea@example.com", "password": PASSWORD});
    let made = ana.call("POST", "/api/auth/register").json(bea).await.status(201);

    assert_eq!(ana.me().await.ok()["id"], made["user"]["id"]);
    app.me(&old.access).await.problem(401, "session_expired");
    app.refresh(&old).await.problem(403, "invalid_refresh_token");
    assert_ne!(ana.jar(), Jar::default());
}
