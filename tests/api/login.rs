//! Signing in.

use doorward::store::UserChange;
use serde_json::json;

use crate::harness::{HOUR, PASSWORD, TestApp, Tokens};

#[tokio::test]
async fn by_cookie() {
    let app = TestApp::start().await;
    app.account("ana@example.com").await;
    let ana = app.browser();

    let answer = ana.login("ana@example.com").await;

    answer.sets_cookies(&["csrfToken", "refreshToken", "token"]);
    let signed_in = answer.ok();
    assert_eq!(signed_in["message"], "Login successful");
    assert_eq!(signed_in["user"]["email"], "ana@example.com");
    assert!(signed_in.get("accessToken").is_none() && signed_in.get("refreshToken").is_none());
    for token in [ana.tokens().access, ana.tokens().refresh] {
        assert!(!answer.text().contains(&token));
    }
    let life = signed_in["accessTokenExpiresIn"].as_i64().unwrap();
    assert!((810..=900).contains(&life), "{life}");
    assert_eq!(ana.me().await.sets_no_cookies().ok(), signed_in["user"]);

    let explicit = json!({"email": "ana@example.com", "password": PASSWORD, "delivery": "cookie"});
    let answer = app.post("/api/auth/login").json(explicit).await;
    answer.sets_cookies(&["csrfToken", "refreshToken", "token"]).ok();
}

#[tokio::test]
async fn by_body() {
    let app = TestApp::start().await;
    app.account("ana@example.com").await;
    let body = json!({"email": "ana@example.com", "password": PASSWORD, "delivery": "body"});
    let answer = app.post("/api/auth/login").json(body).await;
    let tokens = Tokens::of(&answer.sets_no_cookies().ok());
    assert!(tokens.access.starts_with("v4.public."));
    assert!(tokens.refresh.starts_with("v4.local."));
    app.me(&tokens.access).await.ok();
}

/// Nobody learns from the answer which addresses have accounts.
#[tokio::test]
async fn a_wrong_password_looks_like_an_unknown_address() {
    let app = TestApp::start().await;
    app.account("ana@example.com").await;
    let ana = app.user("ana@example.com").await;
    app.account("off@example.com").await;
    app.operator("off@example.com", UserChange::Disable).await;

    let mut answers = Vec::new();
    for (email, password) in [
        ("ana@example.com", "wrong horse battery"),
        ("nobody@example.com", "wrong horse battery"),
        ("nobody@example.com", PASSWORD),
        ("off@example.com", "wrong horse battery"),
        ("ana@example.com", ""),
        ("ana@example.com", "short"),
        ("ana@example.com", " correct horse battery"),
        ("ana@example.com", "Correct horse battery"),
    ] {
        let answer = app.login(email, password).await;
        answer.sets_no_cookies().problem(401, "invalid_credentials");
        let mut headers = answer.headers.clone();
        headers.remove("x-request-id");
        headers.remove("date");
        answers.push((headers, answer.body));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "they are alike: {answers:#?}");
    let sessions = app.app().store.list_sessions(Some(ana.id), app.now()).await;
    assert!(sessions.unwrap().is_empty());
}

#[tokio::test]
async fn a_disabled_account_is_told_so_after_the_right_password_only() {
    let app = TestApp::start().await;
    app.account("ana@example.com").await;
    app.operator("ana@example.com", UserChange::Disable).await;
    app.login("ana@example.com", "wrong horse battery").await.problem(401, "invalid_credentials");
    let answer = app.login("ana@example.com", PASSWORD).await;
    answer.sets_no_cookies().problem(403, "account_disabled");

    app.operator("ana@example.com", UserChange::Enable).await;
    app.login("ana@example.com", PASSWORD).await.ok();
}

#[tokio::test]
async fn case_and_normal_form_do_not_matter() {
    let app = TestApp::start().await;
    app.register("ana@example.com", "gr\u{fc}ne Zebras").await.status(201);
    for (email, password) in
        [("ANA@Example.COM", "gr\u{fc}ne Zebras"), ("ana@example.com", "gru\u{308}ne Zebras")]
    {
        let user = &app.login(email, password).await.ok()["user"];
        assert_eq!(user["email"], "ana@example.com");
    }
    app.login("ana@example.com", "gr\u{fc}ne zebras").await.problem(401, "invalid_credentials");
}

/// A late answer of the old session must not bring it back over the new one.
#[tokio::test]
async fn the_session_of_the_jar_is_replaced() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let (old, old_jar) = (ana.tokens(), ana.jar());
    ana.login("ana@example.com").await.ok();

    app.me(&old.access).await.problem(401, "session_expired");
    let late = app.browser_with(&old_jar);
    late.me().await.sets_no_cookies().problem(401, "session_expired");
    app.refresh(&old).await.problem(403, "invalid_refresh_token");
    assert_eq!(ana.sessions().await.len(), 1);
}

#[tokio::test]
async fn a_session_is_found_for_replacement_by_whatever_cookie_is_left() {
    let app = TestApp::start().await;
    for (lost, hours) in [("token", 0), ("refreshToken", 0), ("csrfToken", 0), ("token", 1)] {
        let ana = app.signed_in("ana@example.com").await;
        let old = ana.tokens();
        ana.forget(lost);
        app.clock.advance(HOUR * hours);
        ana.login("ana@example.com").await.ok();
        app.refresh(&old).await.problem(403, "invalid_refresh_token");
    }
}

#[tokio::test]
async fn a_failed_login_leaves_the_session_of_the_jar_alone() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let wrong = json!({"email": "ana@example.com", "password": "wrong horse battery"});
    let answer = ana.call("POST", "/api/auth/login").json(wrong).await;
    answer.sets_no_cookies().problem(401, "invalid_credentials");
    ana.me().await.ok();
}

#[tokio::test]
async fn a_login_for_the_body_leaves_the_session_of_the_jar_alone() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let body = json!({"email": "ana@example.com", "password": PASSWORD, "delivery": "body"});
    ana.call("POST", "/api/auth/login").json(body).await.sets_no_cookies().ok();
    assert_eq!(ana.sessions().await.len(), 2);
}

#[tokio::test]
async fn a_login_helps_a_browser_with_spoilt_cookies() {
    let app = TestApp::start().await;
    app.account("ana@example.com").await;
    for cookies in ["token=a; token=b", "refreshToken=x; refreshToken=x", "token=\u{1f980}", "=;;="]
    {
        let answer = app.login("ana@example.com", PASSWORD).header("cookie", cookies).await;
        answer.sets_cookies(&["csrfToken", "refreshToken", "token"]).ok();
    }
}

#[tokio::test]
async fn a_login_brings_the_hash_up_to_the_current_costs() {
    let app = TestApp::start().await;
    app.account("ana@example.com").await;
    let stored = || -> String {
        let query = "SELECT password_hash FROM users";
        app.sql().query_row(query, [], |row| row.get(0)).unwrap()
    };
    let before = stored();
    assert!(before.contains("m=8,t=1,p=1"), "{before}");
    app.login("ana@example.com", PASSWORD).await.ok();
    assert_eq!(stored(), before);

    app.reconfigure(|config| config.argon2_iterations = 3).await;
    let kept = app.signed_in("ana@example.com").await;
    let after = stored();
    assert!(after.contains("m=8,t=3,p=1"), "{after}");
    app.login("ana@example.com", "wrong horse battery").await.problem(401, "invalid_credentials");
    app.login("ana@example.com", PASSWORD).await.ok();
    assert_eq!(stored(), after);
    kept.me().await.ok();
}
