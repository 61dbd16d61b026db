//! The double-submit value: unsafe methods by cookie need it, and nothing rotates without it.

use crate::harness::{ACCESS_TTL, Browser, Call, NOBODY, PASSWORD, TestApp};
use crate::tokens::claims;

/// The two operations that ask for it.
fn guarded<'a>(browser: &'a Browser<'a>) -> [Call<'a>; 2] {
    [
        browser.call("POST", "/api/auth/logout-all"),
        browser.call("DELETE", &format!("/api/auth/sessions/{NOBODY}")),
    ]
}

async fn all_refused<'a>(browser: &'a Browser<'a>, header: Option<&str>) {
    for mut call in guarded(browser) {
        if let Some(value) = header {
            call = call.header("x-csrf-token", value);
        }
        call.await.sets_no_cookies().problem(403, "csrf_failed");
    }
}

#[tokio::test]
async fn missing_or_wrong() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let value = ana.cookie("csrfToken").unwrap();
    // With a valid access token, and when it would have to be renewed first.
    for _ in 0..2 {
        all_refused(&ana, None).await;
        for wrong in ["", "x", &value[1..], &format!("{value}="), &value.to_lowercase()] {
            all_refused(&ana, Some(wrong)).await;
        }
        app.clock.advance(ACCESS_TTL);
    }
    assert_eq!(claims(&ana.tokens().access).generation(), 1);
    ana.me().await.ok();
    assert_eq!(claims(&ana.tokens().access).generation(), 2, "nothing had rotated");
    ana.logout_all().await.ok();
}

#[tokio::test]
async fn a_header_without_the_cookie() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let value = ana.cookie("csrfToken").unwrap();
    ana.forget("csrfToken");
    all_refused(&ana, Some(&value)).await;
    ana.plant("csrfToken", "");
    all_refused(&ana, Some("")).await;
}

/// Header and cookie may agree, as when somebody planted the cookie: it is another session's.
#[tokio::test]
async fn of_another_session() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let phone = app.signed_in("ana@example.com").await;
    let planted = phone.cookie("csrfToken").unwrap();
    assert_ne!(ana.cookie("csrfToken").as_deref(), Some(planted.as_str()));
    for _ in 0..2 {
        for value in [planted.as_str(), "planted"] {
            ana.plant("csrfToken", value);
            all_refused(&ana, Some(value)).await;
        }
        app.clock.advance(ACCESS_TTL);
    }
}

#[tokio::test]
async fn of_this_session_it_opens_both() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    ana.revoke(NOBODY).await.problem(404, "not_found");
    ana.logout_all().await.clears_cookies().ok();
}

#[tokio::test]
async fn a_bearer_needs_none() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let access = ana.tokens().access;
    for (call, status) in guarded(&ana).into_iter().rev().zip([404, 200]) {
        call.bearer(&access).await.sets_no_cookies().status(status);
    }
}

#[tokio::test]
async fn safe_methods_and_the_four_need_none() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    ana.plant("csrfToken", "wrong");
    ana.me().await.ok();
    ana.sessions().await;
    ana.refresh().await.ok();
    ana.login("ana@example.com").await.ok();
    ana.plant("csrfToken", "wrong");
    let bea = serde_json::json!({"email": "bea@example.com", "password": PASSWORD});
    ana.call("POST", "/api/auth/register").json(bea).await.status(201);
    ana.plant("csrfToken", "wrong");
    ana.logout().await.clears_cookies().ok();
}

/// Who nobody knows is told so first; who is known by a dead refresh token needs the value too.
#[tokio::test]
async fn strangers_are_strangers_first() {
    let app = TestApp::start().await;
    app.post("/api/auth/logout-all").await.problem(401, "no_token");
    let ana = app.signed_in("ana@example.com").await;
    app.clock.advance(ACCESS_TTL);
    ana.forget("refreshToken");
    let late = ana.call("POST", "/api/auth/logout-all").await;
    late.sets_no_cookies().problem(401, "session_expired");
}
