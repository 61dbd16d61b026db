//! Whether a sign-in outlives the browser's window.

use serde_json::json;

use crate::harness::{ACCESS_TTL, Answer, Browser, DAY, HOUR, PASSWORD, SECOND, TestApp};

const KINDS: [&str; 3] = ["token", "refreshToken", "csrfToken"];

async fn login(ana: &Browser<'_>, remember: bool) -> Answer {
    let body = json!({"email": "ana@example.com", "password": PASSWORD, "remember": remember});
    ana.call("POST", "/api/auth/login").json(body).await
}

fn ages(answer: &Answer, kinds: &[&str]) -> Vec<Option<u64>> {
    kinds.iter().map(|kind| answer.cookie(kind).max_age).collect()
}

#[tokio::test]
async fn who_is_not_to_be_remembered_has_cookies_of_the_window() {
    let app = TestApp::start().await;
    app.account("ana@example.com").await;
    let ana = app.browser();
    assert_eq!(ages(&login(&ana, false).await, &KINDS), [None; 3]);
    // Also those that come later: by a refresh, by the guard, by a new password.
    let two = ["token", "refreshToken"];
    assert_eq!(ages(&ana.refresh().await, &two), [None; 2]);
    app.clock.advance(ACCESS_TTL);
    assert_eq!(ages(&ana.me().await, &two), [None; 2]);
    let change = json!({"currentPassword": PASSWORD, "newPassword": "staple, upright and shiny"});
    let changed = ana.call("POST", "/api/auth/password").csrf().json(change).await;
    assert_eq!(ages(&changed, &KINDS), [None; 3]);
    // Clearing still works.
    ana.logout().await.clears_cookies().ok();
}

#[tokio::test]
async fn the_others_have_cookies_that_stay() {
    let app = TestApp::start().await;
    app.account("ana@example.com").await;
    let ana = app.browser();
    for answer in [login(&ana, true).await, ana.login("ana@example.com").await] {
        assert!(ages(&answer, &KINDS).iter().all(Option::is_some));
    }
    assert!(ages(&ana.refresh().await, &["token", "refreshToken"]).iter().all(Option::is_some));
}

#[tokio::test]
async fn such_a_session_ends_after_a_day_however_busy() {
    let app = TestApp::start().await;
    app.account("ana@example.com").await;
    let ana = app.browser();
    login(&ana, false).await.ok();
    for _ in 0..23 {
        app.clock.advance(HOUR);
        ana.me().await.ok();
    }
    let other = app.signed_in("ana@example.com").await;
    app.clock.advance(HOUR - SECOND);
    ana.me().await.ok();
    app.clock.advance(SECOND);
    ana.me().await.problem(401, "session_expired");
    other.me().await.ok();
    app.clock.advance(DAY);
    other.me().await.ok();
}

#[tokio::test]
async fn it_can_be_said_at_registration_and_must_be_a_boolean() {
    let app = TestApp::start().await;
    let ana =
        |remember| json!({"email": "ana@example.com", "password": PASSWORD, "remember": remember});
    let wrong = app.post("/api/auth/register").json(ana(json!("no"))).await;
    assert_eq!(wrong.problem(422, "validation_failed")["errors"][0]["field"], "/remember");
    let registered = app.post("/api/auth/register").json(ana(json!(false))).await;
    registered.status(201);
    assert_eq!(ages(&registered, &KINDS), [None; 3]);
}
