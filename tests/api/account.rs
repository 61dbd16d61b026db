//! The caller's own account: its password, its end.

use doorward::domain::claims::Role;
use doorward::store::UserChange;
use serde_json::{Value, json};

use crate::harness::{Browser, Call, PASSWORD, Program, TestApp, Tokens};

const NEW: &str = "staple, upright and shiny";

fn change(current: &str, new: &str) -> Value {
    json!({"currentPassword": current, "newPassword": new})
}

fn change_password<'a>(browser: &'a Browser<'a>, current: &str, new: &str) -> Call<'a> {
    browser.call("POST", "/api/auth/password").csrf().json(change(current, new))
}

fn delete<'a>(browser: &'a Browser<'a>, password: &str) -> Call<'a> {
    let call = browser.call("POST", "/api/auth/delete-account").csrf();
    call.json(json!({"password": password}))
}

#[tokio::test]
async fn a_new_password_ends_all_sessions_and_starts_one_here() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let phone = app.signed_in("ana@example.com").await;
    let (before, copied) = (ana.session_id().await, ana.jar());

    let answer = change_password(&ana, PASSWORD, NEW).await;
    answer.sets_cookies(&["csrfToken", "refreshToken", "token"]);
    let body = answer.ok();
    assert_eq!(body["message"], "Password changed");
    assert_eq!(body["session"]["current"], true);
    assert!(body.get("accessToken").is_none() && body.get("refreshToken").is_none());

    ana.me().await.ok();
    assert_ne!(ana.session_id().await, before);
    assert_eq!(ana.sessions().await.len(), 1);
    phone.me().await.problem(401, "session_expired");
    // Whoever has copied the jar before has nothing, and it is not taken for a theft.
    let thief = app.browser_with(&copied);
    thief.me().await.problem(401, "session_expired");
    thief.refresh().await.problem(403, "invalid_refresh_token");
    ana.refresh().await.ok();

    app.login("ana@example.com", PASSWORD).await.problem(401, "invalid_credentials");
    app.login("ana@example.com", NEW).await.ok();
    assert_eq!(app.audited("password_changed"), 1);
    assert_eq!(app.audited("refresh_token_reused"), 0);
}

#[tokio::test]
async fn a_program_gets_its_new_tokens_in_the_body() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    let answer = ana.call("POST", "/api/auth/password").json(change(PASSWORD, NEW)).await;
    answer.sets_no_cookies();
    let mut renewed = Program::new(&app, Tokens::of(&answer.ok()));
    renewed.me().await.ok();
    renewed.refresh().await;
    ana.me().await.problem(401, "session_expired");
}

#[tokio::test]
async fn a_wrong_password_changes_nothing_and_counts() {
    let app = TestApp::with(|config| config.throttle = true).await;
    let ana = app.signed_in("ana@example.com").await;
    for _ in 0..5 {
        let refused = change_password(&ana, "not hers at all", NEW).await;
        refused.sets_no_cookies().problem(403, "wrong_password");
        delete(&ana, "not hers at all").await.sets_no_cookies().problem(403, "wrong_password");
    }
    ana.me().await.ok();
    change_password(&ana, PASSWORD, NEW).await.problem(429, "too_many_attempts");
    delete(&ana, PASSWORD).await.problem(429, "too_many_attempts");
    app.login("ana@example.com", PASSWORD).await.problem(429, "too_many_attempts");
    assert_eq!(app.audited("password_changed"), 0);
}

#[tokio::test]
async fn a_bad_new_password_is_named() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let send = |body: Value| ana.call("POST", "/api/auth/password").csrf().json(body);
    for (body, fields) in [
        (change(PASSWORD, "short"), &["/newPassword"][..]),
        (change(PASSWORD, "Password1"), &["/newPassword"]),
        (change(&"x".repeat(257), &"x".repeat(257)), &["/currentPassword", "/newPassword"]),
        (json!({"newPassword": NEW}), &["/currentPassword"]),
        (json!({"currentPassword": PASSWORD, "newPassword": 7}), &["/newPassword"]),
        (json!({"currentPassword": PASSWORD, "newPassword": NEW, "role": "admin"}), &["/role"]),
    ] {
        let problem = send(body.clone()).await.problem(422, "validation_failed");
        let named: Vec<_> = problem["errors"].as_array().unwrap().iter().collect();
        let named: Vec<_> = named.iter().map(|error| error["field"].as_str().unwrap()).collect();
        assert_eq!(named, fields, "{body}");
    }
    app.login("ana@example.com", PASSWORD).await.ok();
}

#[tokio::test]
async fn another_page_can_do_neither() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let password = ana.call("POST", "/api/auth/password").json(change(PASSWORD, NEW));
    password.await.problem(403, "csrf_failed");
    let end = ana.call("POST", "/api/auth/delete-account").json(json!({"password": PASSWORD}));
    end.await.problem(403, "csrf_failed");
    ana.me().await.ok();
}

#[tokio::test]
async fn of_many_changes_at_once_one_is_made() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    let tries = (0..8).map(|number| {
        let new = format!("{NEW} {number}");
        ana.call("POST", "/api/auth/password").json(change(PASSWORD, &new))
    });
    let mut made = 0;
    for answer in futures_util::future::join_all(tries.map(IntoFuture::into_future)).await {
        match answer.status {
            200 => made += 1,
            401 => drop(answer.problem(401, "session_expired")),
            _ => drop(answer.problem(403, "wrong_password")),
        }
    }
    assert_eq!(made, 1);
    assert_eq!(app.audited("password_changed"), 1);
}

#[tokio::test]
async fn a_deleted_account_is_gone_with_all_its_devices() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let phone = app.signed_in("ana@example.com").await;
    let before = ana.jar();
    delete(&ana, PASSWORD).await.clears_cookies().status(204);
    phone.me().await.problem(403, "invalid_refresh_token");
    app.browser_with(&before).refresh().await.problem(403, "invalid_refresh_token");
    app.login("ana@example.com", PASSWORD).await.problem(401, "invalid_credentials");
    assert_eq!(app.audited("user_deleted"), 1);
    // The address is free again, for a new account that has nothing of the old one.
    app.register("ana@example.com", NEW).await.status(201);
}

#[tokio::test]
async fn the_last_administrator_does_not_delete_themselves() {
    let app = TestApp::start().await;
    let root = app.signed_in("root@example.com").await;
    app.operator("root@example.com", UserChange::Role(Role::Admin)).await;
    delete(&root, PASSWORD).await.problem(409, "last_admin");
    root.me().await.ok();
    let heir = app.signed_in("heir@example.com").await;
    app.operator("heir@example.com", UserChange::Role(Role::Admin)).await;
    delete(&root, PASSWORD).await.clears_cookies().status(204);
    delete(&heir, PASSWORD).await.problem(409, "last_admin");
}
