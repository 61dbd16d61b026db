//! Who is let in to a protected operation, and what becomes of the tokens on the way.

use doorward::Config;
use doorward::domain::claims::Role;
use doorward::store::UserChange;

use crate::harness::{ACCESS_TTL, GRACE, HOUR, NOBODY, REFRESH_TTL, SECOND, TestApp};
use crate::tokens::claims;

const OFF: fn(&mut Config) = |config| config.auto_refresh = false;

#[tokio::test]
async fn a_stranger_gets_no_further() {
    let app = TestApp::start().await;
    app.get("/api/auth/me").await.sets_no_cookies().problem(401, "no_token");
    let lonely = app.get("/api/auth/me").header("cookie", "csrfToken=x; theme=dark");
    lonely.await.problem(401, "no_token");
    let basic = app.get("/api/auth/me").header("authorization", "Basic YTpi");
    basic.await.problem(401, "no_token");
}

#[tokio::test]
async fn a_valid_access_token_is_enough() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    ana.me().await.sets_no_cookies().ok();
    ana.forget("refreshToken");
    ana.forget("csrfToken");
    ana.me().await.sets_no_cookies().ok();
    // Other schemes are ignored, a bearer is not.
    ana.me().header("authorization", "Basic YTpi").await.ok();
    let both = ana.me().header("authorization", "Basic YTpi").bearer("nonsense");
    both.await.problem(401, "session_expired");
    ana.me().bearer("nonsense").await.sets_no_cookies().problem(401, "session_expired");
    ana.me().header("authorization", "Bearer").await.problem(401, "session_expired");
    let lower =
        ana.me().header("authorization", format!("bearer {}", ana.cookie("token").unwrap()));
    lower.await.ok();
}

#[tokio::test]
async fn a_bearer_is_never_refreshed_silently() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let bea = app.program("bea@example.com").await;
    app.clock.advance(ACCESS_TTL);
    bea.me().await.sets_no_cookies().problem(401, "access_token_expired");
    let beside = ana.me().bearer(&bea.tokens.access).await;
    beside.sets_no_cookies().problem(401, "access_token_expired");
    for garbage in ["nonsense", "v4.public.AAAA.AAAA", bea.tokens.refresh.as_str()] {
        let beside = ana.me().bearer(garbage).await;
        beside.sets_no_cookies().problem(401, "session_expired");
    }
    ana.me().await.sets_cookies(&["refreshToken", "token"]).ok();
}

#[tokio::test]
async fn an_expired_bearer_of_an_ended_session_is_over() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    ana.call("POST", "/api/auth/logout").await.ok();
    app.clock.advance(ACCESS_TTL);
    ana.me().await.problem(401, "session_expired");
}

#[tokio::test]
async fn silent_refresh_whatever_is_wrong_with_the_access_cookie() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let bea = app.signed_in("bea@example.com").await;
    bea.logout().await.ok();
    let ended = app.signed_in("bea@example.com").await;
    let ended_token = ended.tokens().access;
    ended.logout().await.ok();
    let refresh_token = ana.tokens().refresh;

    for (generation, value) in [
        (2, None),
        (3, Some("")),
        (4, Some("nonsense")),
        (5, Some("v4.public.AAAA.AAAA")),
        (6, Some(ended_token.as_str())),
        (7, Some(refresh_token.as_str())),
    ] {
        match value {
            None => ana.forget("token"),
            Some(value) => ana.plant("token", value),
        }
        let answer = ana.me().await;
        answer.sets_cookies(&["refreshToken", "token"]);
        assert_eq!(answer.ok()["email"], "ana@example.com", "{value:?}");
        assert_eq!(claims(&ana.tokens().access).generation(), generation);
    }
    app.clock.advance(ACCESS_TTL);
    ana.me().await.sets_cookies(&["refreshToken", "token"]).ok();
    ana.me().await.sets_no_cookies().ok();
}

/// What rotated must reach the jar, or the next request would look like reuse.
#[tokio::test]
async fn new_cookies_travel_on_an_error_too() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    app.clock.advance(ACCESS_TTL);
    let answer = ana.revoke(NOBODY).await;
    answer.sets_cookies(&["refreshToken", "token"]).problem(404, "not_found");
    app.clock.advance(ACCESS_TTL);
    let answer = ana.revoke("nonsense").await;
    answer.sets_cookies(&["refreshToken", "token"]).problem(404, "not_found");
    ana.me().await.sets_no_cookies().ok();
}

#[tokio::test]
async fn clearing_replaces_what_the_guard_set() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    app.clock.advance(ACCESS_TTL);
    ana.logout_all().await.clears_cookies().ok();
    assert!(ana.jar().is_empty());
}

#[tokio::test]
async fn nothing_to_refresh_with() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    ana.forget("refreshToken");
    app.clock.advance(ACCESS_TTL);
    ana.me().await.sets_no_cookies().problem(401, "session_expired");
    ana.plant("token", "nonsense");
    ana.me().await.sets_no_cookies().problem(401, "session_expired");
    ana.plant("refreshToken", "nonsense");
    ana.me().await.sets_no_cookies().problem(401, "session_expired");
    ana.forget("token");
    ana.me().await.sets_no_cookies().problem(401, "session_expired");
}

#[tokio::test]
async fn an_expired_or_ended_session_clears_nothing() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    app.clock.advance(REFRESH_TTL);
    ana.me().await.sets_no_cookies().problem(401, "session_expired");

    let bea = app.signed_in("bea@example.com").await;
    let copy = app.browser_with(&bea.jar());
    bea.logout().await.ok();
    copy.me().await.sets_no_cookies().problem(401, "session_expired");
    copy.forget("token");
    copy.me().await.sets_no_cookies().problem(401, "session_expired");
}

#[tokio::test]
async fn a_user_who_is_gone_or_disabled() {
    for change in [UserChange::Disable, UserChange::Delete] {
        let app = TestApp::start().await;
        let ana = app.signed_in("ana@example.com").await;
        let script = app.program("ana@example.com").await;
        app.operator("ana@example.com", change).await;
        ana.me().await.sets_no_cookies().problem(403, "invalid_refresh_token");
        script.me().await.problem(401, "session_expired");
        ana.forget("refreshToken");
        ana.me().await.sets_no_cookies().problem(401, "session_expired");
    }
}

#[tokio::test]
async fn a_changed_password_ends_all_sessions() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let script = app.program("ana@example.com").await;
    let hash = UserChange::PasswordHash("$argon2id$changed".to_owned());
    app.operator("ana@example.com", hash).await;
    ana.me().await.sets_no_cookies().problem(401, "session_expired");
    script.me().await.problem(401, "session_expired");
    app.refresh(&script.tokens).await.problem(403, "invalid_refresh_token");
}

#[tokio::test]
async fn reuse_is_found_by_the_guard_too() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let thief = app.browser_with(&ana.jar());
    ana.refresh().await.ok();
    ana.me().await.ok();
    app.clock.advance(GRACE + SECOND);
    thief.forget("token");
    thief.me().await.clears_cookies().problem(403, "refresh_token_reused");
    assert!(thief.jar().is_empty());
    ana.me().await.sets_no_cookies().problem(401, "session_expired");
}

/// Until it expires, the access token of a superseded generation is as good as any.
#[tokio::test]
async fn an_older_access_token_still_passes() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let tab = app.browser_with(&ana.jar());
    ana.refresh().await.ok();
    ana.me().await.ok();
    app.clock.advance(GRACE + SECOND);
    tab.me().await.sets_no_cookies().ok();
}

#[tokio::test]
async fn two_tabs_at_once() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    app.clock.advance(ACCESS_TTL);
    let (one, two) = tokio::join!(ana.me(), ana.me());
    for answer in [one, two] {
        answer.sets_cookies(&["refreshToken", "token"]).ok();
    }
    assert_eq!(claims(&ana.tokens().access).generation(), 2);
    app.clock.advance(HOUR);
    ana.me().await.ok();
    ana.refresh().await.ok();
    assert_eq!(app.audited("refresh_token_reused"), 0);
}

#[tokio::test]
async fn a_changed_role_makes_older_tokens_stale() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let mut script = app.program("ana@example.com").await;
    app.operator("ana@example.com", UserChange::Role(Role::Admin)).await;

    script.me().await.sets_no_cookies().problem(401, "access_token_expired");
    script.refresh().await;
    assert_eq!(script.me().await.ok()["role"], "admin");

    let answer = ana.me().await;
    answer.sets_cookies(&["refreshToken", "token"]);
    assert_eq!(answer.ok()["role"], "admin");
    assert_eq!(claims(&ana.tokens().access).claims["role"], "admin");
    ana.me().await.sets_no_cookies().ok();

    app.restart().await;
    ana.me().await.sets_no_cookies().ok();
}

#[tokio::test]
async fn without_auto_refresh_the_client_is_told_what_to_do() {
    let app = TestApp::with(OFF).await;
    let ana = app.signed_in("ana@example.com").await;
    ana.me().await.sets_no_cookies().ok();
    let fresh = ana.jar();

    app.clock.advance(ACCESS_TTL);
    ana.me().await.sets_no_cookies().problem(401, "access_token_expired");
    ana.forget("refreshToken");
    ana.me().await.sets_no_cookies().problem(401, "access_token_expired");
    ana.restore(&fresh);
    ana.forget("token");
    ana.me().await.sets_no_cookies().problem(401, "access_token_expired");
    ana.plant("token", "nonsense");
    ana.me().await.sets_no_cookies().problem(401, "session_expired");
    ana.forget("token");
    ana.plant("refreshToken", "nonsense");
    ana.me().await.sets_no_cookies().problem(401, "session_expired");

    ana.restore(&fresh);
    ana.refresh().await.sets_cookies(&["refreshToken", "token"]).ok();
    app.operator("ana@example.com", UserChange::Role(Role::Admin)).await;
    ana.me().await.sets_no_cookies().problem(401, "access_token_expired");
    ana.refresh().await.ok();
    assert_eq!(ana.me().await.ok()["role"], "admin");
    let copy = app.browser_with(&ana.jar());
    ana.logout().await.ok();
    copy.me().await.sets_no_cookies().problem(401, "session_expired");
    app.get("/api/auth/me").await.problem(401, "no_token");
}

/// The challenge tells a client that its token was the trouble (RFC 6750 §3).
#[tokio::test]
async fn challenges_name_the_scheme() {
    let app = TestApp::start().await;
    let nothing = app.get("/api/auth/me").await;
    let garbage = app.me("nonsense").await;
    assert!(nothing.header("www-authenticate").starts_with("Bearer "));
    assert!(!nothing.header("www-authenticate").contains("error="));
    assert!(garbage.header("www-authenticate").contains(r#"error="invalid_token""#));
}
