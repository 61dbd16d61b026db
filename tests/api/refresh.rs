//! Trading a refresh token: how it may come, and what is no refresh token.

use serde_json::json;

use crate::harness::{Program, TestApp, Tokens};
use crate::tokens::claims;

#[tokio::test]
async fn by_cookie() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let (old, session) = (ana.tokens(), ana.session_id().await);

    let answer = ana.refresh().await;

    answer.sets_cookies(&["refreshToken", "token"]);
    let refreshed = answer.ok();
    assert_eq!(refreshed["message"], "Access token refreshed");
    assert_eq!(refreshed["session"]["id"], session);
    assert_eq!(refreshed["session"]["current"], true);
    assert!(refreshed.get("accessToken").is_none() && refreshed.get("refreshToken").is_none());
    let new = ana.tokens();
    assert!(new.access != old.access && new.refresh != old.refresh);
    assert_eq!(claims(&new.access).generation(), 2);
    ana.me().await.ok();
    ana.refresh().await.ok();
}

#[tokio::test]
async fn by_cookie_with_an_empty_object() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let answer = ana.call("POST", "/api/auth/refresh").json(json!({})).await;
    answer.sets_cookies(&["refreshToken", "token"]).ok();
    // As many generated clients write what they leave out.
    let null = json!({"refreshToken": null});
    let answer = ana.call("POST", "/api/auth/refresh").json(null).await;
    answer.sets_cookies(&["refreshToken", "token"]).ok();
}

#[tokio::test]
async fn by_body() {
    let app = TestApp::start().await;
    let mut ana = app.program("ana@example.com").await;
    let old = ana.tokens.clone();
    ana.refresh().await;
    assert_ne!(ana.tokens.refresh, old.refresh);
    ana.me().await.ok();
    ana.refresh().await;
    assert_eq!(claims(&ana.tokens.access).generation(), 3);
}

#[tokio::test]
async fn the_body_wins_over_the_cookie() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let bea = app.program("bea@example.com").await;
    let jar = ana.jar();

    let both = json!({"refreshToken": bea.tokens.refresh});
    let answer = ana.call("POST", "/api/auth/refresh").json(both).await;
    let tokens = Tokens::of(&answer.sets_no_cookies().ok());
    let me = Program::new(&app, tokens).me().await.ok();
    assert_eq!(me["email"], "bea@example.com");

    let bad = json!({"refreshToken": "v4.local.nonsense"});
    let answer = ana.call("POST", "/api/auth/refresh").json(bad).await;
    answer.sets_no_cookies().problem(403, "invalid_refresh_token");
    assert_eq!(ana.jar(), jar);
    ana.refresh().await.ok();
}

#[tokio::test]
async fn without_a_token() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    ana.forget("refreshToken");
    for call in [
        app.post("/api/auth/refresh"),
        app.post("/api/auth/refresh").json(json!({})),
        ana.refresh(),
    ] {
        call.await.sets_no_cookies().problem(401, "no_refresh_token");
    }
}

/// A bearer client has no cookies as far as the server is concerned.
#[tokio::test]
async fn the_cookies_of_a_bearer_are_ignored() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let bea = app.program("bea@example.com").await;
    let answer = ana.refresh().bearer(&bea.tokens.access).await;
    answer.sets_no_cookies().problem(401, "no_refresh_token");
    assert_eq!(claims(&ana.tokens().access).generation(), 1);

    let both = ana.call("POST", "/api/auth/refresh").bearer("nonsense");
    let both = both.json(json!({"refreshToken": bea.tokens.refresh})).await;
    Tokens::of(&both.sets_no_cookies().ok());
}

#[tokio::test]
async fn what_is_no_refresh_token_is_refused() {
    let app = TestApp::start().await;
    let other = TestApp::start().await;
    other.rotate_keys().await;
    let ana = app.program("ana@example.com").await;
    let stranger = other.program("ana@example.com").await;
    let genuine = &ana.tokens.refresh;
    let (head, footer) = genuine.rsplit_once('.').unwrap();
    let long = "A".repeat(3000);

    for token in [
        "",
        " ",
        "nonsense",
        "v4.local.",
        "v4.local.AAAA",
        "v4.public.AAAA.AAAA",
        "\u{1f980}",
        "null",
        &long,
        head,
        &format!("{head}."),
        &format!("{head}.{footer}x"),
        &format!("{genuine}.x"),
        &format!(" {genuine}"),
        &genuine.replace("v4.local", "v3.local"),
        &genuine.to_uppercase(),
        &ana.tokens.access,
        &stranger.tokens.refresh,
        &stranger.tokens.access,
    ] {
        let answer = app.refresh_with(token).await;
        answer.sets_no_cookies().problem(403, "invalid_refresh_token");
        if token.trim() != genuine {
            let by_cookie = app.post("/api/auth/refresh");
            let answer = by_cookie.header("cookie", format!("refreshToken={token}")).await;
            answer.sets_no_cookies().problem(403, "invalid_refresh_token");
        }
    }
    app.refresh(&ana.tokens).await.ok();
    assert_eq!(app.audited("refresh_token_foreign"), 0);
}

#[tokio::test]
async fn a_refresh_token_is_no_access_token() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    app.me(&ana.tokens.refresh).await.problem(401, "session_expired");
    let browser = app.browser();
    browser.plant("token", &ana.tokens.refresh);
    browser.me().await.sets_no_cookies().problem(401, "session_expired");
}

/// Whatever is changed, it is never taken for reuse: that would let anybody end a session.
#[tokio::test]
async fn an_altered_token_accuses_nobody() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let (jar, token) = (ana.jar(), ana.tokens().refresh);
    let alphabet = "AQgwBz_-09.";
    let mut tried = 0;
    for at in (0..token.len()).step_by(3).chain(token.len() - 4..token.len()) {
        let before = token.as_bytes()[at] as char;
        let others = alphabet.chars().filter(|other| *other != before);
        for other in others.skip(at % 5).take(2) {
            let mut altered = token.clone();
            altered.replace_range(at..=at, &other.to_string());
            ana.plant("refreshToken", &altered);
            let answer = ana.refresh().await;
            answer.sets_no_cookies().problem(403, "invalid_refresh_token");
            tried += 1;
        }
    }
    for cut in 0..token.len() {
        if cut % 7 == 0 {
            ana.plant("refreshToken", &token[..cut]);
            ana.refresh().await.sets_no_cookies().problem(403, "invalid_refresh_token");
        }
    }
    assert!(tried > 200, "{tried}");
    assert_eq!(app.audited("refresh_token_reused"), 0);

    ana.restore(&jar);
    ana.me().await.ok();
    ana.refresh().await.ok();
}

#[tokio::test]
async fn a_refresh_moves_the_device_along() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let before = ana.sessions().await.remove(0);
    assert_eq!((&before["userAgent"], &before["device"]), (&json!(""), &json!("")));

    let curl = app.browser_with(&ana.jar()).named("curl/8.8.0");
    let session = curl.refresh().await.ok()["session"].clone();
    assert_eq!(session["userAgent"], "curl/8.8.0");
    assert_eq!(session["device"], "curl");
    assert_eq!(session["createdAt"], before["createdAt"]);
}
