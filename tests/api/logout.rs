//! Signing out, of this device and of all.

use serde_json::json;

use crate::harness::{ACCESS_TTL, Browser, GRACE, REFRESH_TTL, SECOND, TestApp};

async fn is_over(app: &TestApp, access_token: &str) {
    app.me(access_token).await.problem(401, "session_expired");
}

#[tokio::test]
async fn by_cookie_at_once() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let phone = app.signed_in("ana@example.com").await;
    let tokens = ana.tokens();

    let answer = ana.logout().await;

    assert_eq!(answer.clears_cookies().ok(), json!({"message": "Logged out successfully"}));
    assert!(ana.jar().is_empty());
    is_over(&app, &tokens.access).await;
    app.refresh(&tokens).await.problem(403, "invalid_refresh_token");
    phone.me().await.ok();
}

#[tokio::test]
async fn by_the_refresh_cookie_or_the_access_cookie() {
    let app = TestApp::start().await;
    for lost in ["token", "refreshToken", "csrfToken"] {
        let ana = app.signed_in("ana@example.com").await;
        let tokens = ana.tokens();
        ana.forget(lost);
        ana.logout().await.clears_cookies().ok();
        is_over(&app, &tokens.access).await;
        app.refresh(&tokens).await.problem(403, "invalid_refresh_token");
    }
}

#[tokio::test]
async fn by_a_token_in_the_body() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    let out = app.post("/api/auth/logout");
    let out = out.json(json!({"refreshToken": ana.tokens.refresh}));
    out.await.sets_no_cookies().ok();
    is_over(&app, &ana.tokens.access).await;
}

#[tokio::test]
async fn by_a_bearer() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    ana.call("POST", "/api/auth/logout").await.sets_no_cookies().ok();
    is_over(&app, &ana.tokens.access).await;
    app.refresh(&ana.tokens).await.problem(403, "invalid_refresh_token");
}

/// Body, bearer, refresh cookie, access cookie: the first one names the session.
#[tokio::test]
async fn in_this_order() {
    let app = TestApp::start().await;
    let in_body = app.program("ana@example.com").await.tokens;
    let bearer = app.program("ana@example.com").await.tokens;
    let by_refresh = app.signed_in("ana@example.com").await;
    let by_access = app.signed_in("ana@example.com").await;
    let mixed = app.browser();
    mixed.plant("refreshToken", &by_refresh.tokens().refresh);
    mixed.plant("token", &by_access.tokens().access);

    let out = mixed.logout().bearer(&bearer.access);
    let out = out.json(json!({"refreshToken": in_body.refresh}));
    out.await.sets_no_cookies().ok();
    is_over(&app, &in_body.access).await;
    app.me(&bearer.access).await.ok();

    let out = mixed.logout().bearer(&bearer.access).json(json!({}));
    out.await.sets_no_cookies().ok();
    is_over(&app, &bearer.access).await;
    app.me(&by_refresh.tokens().access).await.ok();

    mixed.logout().await.clears_cookies().ok();
    is_over(&app, &by_refresh.tokens().access).await;
    app.me(&by_access.tokens().access).await.ok();

    mixed.plant("token", &by_access.tokens().access);
    mixed.logout().await.clears_cookies().ok();
    is_over(&app, &by_access.tokens().access).await;
}

#[tokio::test]
async fn with_expired_tokens() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let script = app.program("ana@example.com").await;
    let last = app.signed_in("ana@example.com").await;
    app.clock.advance(ACCESS_TTL);
    let tokens = ana.tokens();
    ana.forget("refreshToken");
    ana.logout().await.clears_cookies().ok();
    app.refresh(&tokens).await.problem(403, "invalid_refresh_token");
    script.call("POST", "/api/auth/logout").await.sets_no_cookies().ok();
    app.refresh(&script.tokens).await.problem(403, "invalid_refresh_token");
    app.clock.advance(REFRESH_TTL);
    last.logout().await.clears_cookies().ok();
}

/// Or a refresh in another tab would outlive the logout.
#[tokio::test]
async fn with_a_superseded_token() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let old = app.browser_with(&ana.jar());
    for _ in 0..3 {
        ana.refresh().await.ok();
        ana.me().await.ok();
        app.clock.advance(GRACE + SECOND);
    }
    old.logout().await.clears_cookies().ok();
    ana.me().await.sets_no_cookies().problem(401, "session_expired");
    ana.refresh().await.problem(403, "invalid_refresh_token");
    assert_eq!(app.audited("refresh_token_reused"), 0);
}

#[tokio::test]
async fn with_nothing_or_garbage() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    app.post("/api/auth/logout").await.clears_cookies().ok();
    app.post("/api/auth/logout").json(json!({})).await.ok();
    for garbage in ["", "nonsense", "v4.local.AAAA", &ana.tokens().access] {
        let body = json!({"refreshToken": garbage});
        app.post("/api/auth/logout").json(body).await.ok();
        app.post("/api/auth/logout").bearer(garbage).await.sets_no_cookies().ok();
        let cookies = app.browser();
        cookies.plant("refreshToken", garbage);
        cookies.plant("token", "nonsense");
        cookies.logout().await.clears_cookies().ok();
        let signed_in = app.signed_in("ana@example.com").await;
        ana.restore(&signed_in.jar());
    }
    let twice = app.post("/api/auth/logout").header("cookie", "token=a; token=b");
    twice.await.clears_cookies().ok();
    ana.me().await.ok();
}

#[tokio::test]
async fn twice() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let jar = ana.jar();
    ana.logout().await.clears_cookies().ok();
    ana.restore(&jar);
    ana.logout().await.clears_cookies().ok();
    assert_eq!(app.audited("signed_out"), 1);
}

#[tokio::test]
async fn a_logout_outlives_a_restart() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let tokens = ana.tokens();
    ana.logout().await.ok();
    app.restart().await;
    is_over(&app, &tokens.access).await;
}

#[tokio::test]
async fn of_all_devices() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let phone = app.signed_in("ana@example.com").await;
    let script = app.program("ana@example.com").await;
    let bea = app.signed_in("bea@example.com").await;
    let tokens = ana.tokens();

    let answer = ana.logout_all().await;

    let message = json!({"message": "Logged out from all devices"});
    assert_eq!(answer.clears_cookies().ok(), message);
    is_over(&app, &tokens.access).await;
    is_over(&app, &script.tokens.access).await;
    nobody_home(&phone).await;
    app.refresh(&script.tokens).await.problem(403, "invalid_refresh_token");
    bea.me().await.ok();

    let script = app.program("ana@example.com").await;
    let answer = script.call("POST", "/api/auth/logout-all").await;
    assert_eq!(answer.sets_no_cookies().ok(), message);
    is_over(&app, &script.tokens.access).await;
}

async fn nobody_home<'a>(browser: &'a Browser<'a>) {
    browser.me().await.sets_no_cookies().problem(401, "session_expired");
    browser.refresh().await.sets_no_cookies().problem(403, "invalid_refresh_token");
}
