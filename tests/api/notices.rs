//! Letters that nobody has asked for: who gets them, how many, and what is in them.

use doorward::domain::claims::Role;
use doorward::domain::mail::About;
use doorward::store::UserChange;
use serde_json::json;

use crate::harness::{GRACE, HOUR, PASSWORD, SECOND, TestApp};
use crate::mail::{subjects, to};

const ANA: &str = "ana@example.com";
const BEN: &str = "ben@example.com";
const NEW: &str = "staple, upright and shiny";
const CHANGED: &str = "Your password was changed";
const DELETED: &str = "Your account was deleted";
const DEVICE: &str = "A sign-in from a new device or place";
const REUSED: &str = "You were signed out, to be safe";

/// An account whose address is verified.
async fn owner(app: &TestApp, email: &str) {
    app.account(email).await;
    app.operator(email, UserChange::Verified(true)).await;
}

async fn sign_in(app: &TestApp, agent: &str) {
    app.login(ANA, PASSWORD).header("user-agent", agent).await.ok();
}

/// Signs in, and has a token used twice.
async fn reuse(app: &TestApp) {
    let mut ana = app.program(ANA).await;
    let first = ana.tokens.refresh.clone();
    for _ in 0..2 {
        ana.refresh().await;
        ana.me().await.ok();
    }
    app.clock.advance(GRACE + SECOND);
    app.refresh_with(&first).await.problem(403, "refresh_token_reused");
}

/// Anybody can register with an address that is not theirs.
#[tokio::test]
async fn a_sign_in_is_told_only_to_an_address_that_is_verified() {
    let app = TestApp::start().await;
    app.register(ANA, PASSWORD).await.status(201);
    for number in 0..3 {
        sign_in(&app, &format!("browser{number}/1.0")).await;
    }
    reuse(&app).await;
    assert_eq!(subjects(&app.mail().await), [""; 0]);
    assert_eq!((app.audited("signed_in"), app.audited("refresh_token_reused")), (5, 1));

    app.operator(ANA, UserChange::Verified(true)).await;
    sign_in(&app, "browser4/1.0").await;
    reuse(&app).await;
    assert_eq!(subjects(&app.mail().await), [DEVICE, REUSED]);
}

/// Devices, and all else, go with an account. That must not make a letter box of a stranger's fill up.
#[tokio::test]
async fn five_letters_an_hour_however_accounts_come_and_go() {
    let app = TestApp::start().await;
    let mut letters = Vec::new();
    for round in 0..4 {
        owner(&app, ANA).await;
        for number in 0..3 {
            sign_in(&app, &format!("browser{number}/1.0")).await;
        }
        app.operator(ANA, UserChange::Delete).await;
        letters.extend(app.mail().await);
        if round == 1 {
            app.restart().await;
        }
    }
    assert_eq!(subjects(&letters), [DEVICE, DEVICE, DELETED, DEVICE, DEVICE]);
    assert_eq!((app.audited("signed_in"), app.audited("user_deleted")), (12, 4));

    // Not at the cost of others, and not for ever.
    app.account(BEN).await;
    app.operator(BEN, UserChange::Delete).await;
    assert_eq!(to(&app.mail().await), [BEN]);
    app.clock.advance(HOUR - SECOND);
    app.account(ANA).await;
    app.operator(ANA, UserChange::Delete).await;
    assert_eq!(to(&app.mail().await), [""; 0]);
    app.clock.advance(SECOND);
    app.account(ANA).await;
    app.operator(ANA, UserChange::Delete).await;
    assert_eq!(to(&app.mail().await), [ANA]);
}

#[tokio::test]
async fn all_kinds_count_together() {
    let app = TestApp::start().await;
    owner(&app, ANA).await;
    for _ in 0..3 {
        reuse(&app).await;
    }
    for number in 0..3 {
        sign_in(&app, &format!("browser{number}/1.0")).await;
    }
    app.operator(ANA, UserChange::PasswordHash(String::new())).await;
    app.operator(ANA, UserChange::Delete).await;
    assert_eq!(subjects(&app.mail().await), [REUSED, REUSED, REUSED, DEVICE, DEVICE]);
    // A letter that was asked for is another matter.
    app.account(ANA).await;
    app.forgot(ANA).await.status(202);
    assert_eq!(subjects(&app.mail().await), ["Choose another password"]);
}

#[tokio::test]
async fn who_was_written_to_is_forgotten_after_an_hour() {
    let app = TestApp::start().await;
    for email in [ANA, BEN] {
        app.account(email).await;
        app.operator(email, UserChange::Delete).await;
        app.clock.advance(SECOND);
    }
    let sweep = async || app.app().store.sweep_notices(app.now()).await.unwrap();
    app.clock.advance(HOUR - 3 * SECOND);
    assert_eq!(sweep().await, 0);
    app.clock.advance(SECOND);
    assert_eq!((sweep().await, sweep().await), (1, 0));
    // What was counted while the clock was ahead.
    app.clock.set_wall(app.now().wall.minus(HOUR * 2));
    assert_eq!((sweep().await, sweep().await), (1, 0));
}

/// A mail program makes a link of `www.evil.example`, and the letter is genuine.
#[tokio::test]
async fn what_a_client_calls_itself_is_in_no_letter() {
    let app = TestApp::start().await;
    owner(&app, ANA).await;
    sign_in(&app, "curl/8.8.0").await;
    sign_in(&app, "www.evil.example/1").await;
    let evil = app.browser().named("www.evil.example/1");
    evil.login(ANA).await.ok();
    let stolen = evil.jar();
    evil.refresh().await.ok();
    evil.me().await.ok();
    app.clock.advance(GRACE + SECOND);
    // It may still help to find the session in the list.
    assert!(evil.sessions().await.iter().any(|session| session["device"] == "www.evil.example"));
    let evil = app.browser_with(&stolen).named("www.evil.example/1");
    evil.refresh().await.problem(403, "refresh_token_reused");
    let waits = "SELECT group_concat(about) FROM outbox";
    let waits: String = app.sql().query_row(waits, [], |row| row.get(0)).unwrap();
    assert!(!waits.contains("evil"), "{waits}");
    // From an older version, which did write it.
    let (device, ip, at) = ("www.evil.example".to_owned(), String::new(), app.now().wall);
    app.post_mail(ANA, About::NewDevice { device, ip, at }).await;

    let letters = app.mail().await;
    assert_eq!(subjects(&letters), [DEVICE, REUSED, DEVICE]);
    for letter in letters {
        assert!(letter.text.contains("  Device: an unknown device\n"), "{}", letter.text);
        assert!(letter.html.contains("Device: <b>an unknown device</b>"), "{}", letter.html);
        assert!(!format!("{}{}", letter.text, letter.html).contains("evil"));
    }
}

/// Also to an address that is not verified: it costs a password, and there is one of it.
#[tokio::test]
async fn another_password_is_told_whoever_sets_it() {
    let app = TestApp::start().await;
    let ana = app.signed_in(ANA).await;
    let change = json!({"currentPassword": PASSWORD, "newPassword": NEW});
    ana.call("POST", "/api/auth/password").csrf().json(change).await.ok();
    assert_eq!(subjects(&app.mail().await), [CHANGED]);

    app.operator(ANA, UserChange::PasswordHash("$argon2id$changed".to_owned())).await;
    assert_eq!(subjects(&app.mail().await), [CHANGED], "at the shell");

    app.forgot(ANA).await.status(202);
    let link = app.link(ANA, "reset_password");
    app.mail().await;
    app.reset(&link, PASSWORD).await.ok();
    assert_eq!(subjects(&app.mail().await), [CHANGED], "by a link, once");

    let wrong = json!({"currentPassword": NEW, "newPassword": "something else"});
    let ana = app.signed_in(ANA).await;
    ana.call("POST", "/api/auth/password").csrf().json(wrong).await.problem(403, "wrong_password");
    app.mail().await;
    assert_eq!(app.audited("password_changed"), 3);
}

#[tokio::test]
async fn the_end_of_an_account_is_told_whoever_ends_it() {
    let app = TestApp::start().await;
    let root = app.program("root@example.com").await;
    app.operator("root@example.com", UserChange::Role(Role::Admin)).await;
    for by in ["the user", "the shell", "an administrator"] {
        let ana = app.signed_in(ANA).await;
        match by {
            "the user" => {
                let end = ana.call("POST", "/api/auth/delete-account").csrf();
                end.json(json!({"password": PASSWORD})).await.status(204);
            }
            "the shell" => app.operator(ANA, UserChange::Delete).await,
            _ => {
                let path = format!("/api/admin/users/{}", app.user(ANA).await.id);
                let root = app.program("root@example.com").await;
                root.call("DELETE", &path).await.status(204);
            }
        }
        let letters = app.mail().await;
        assert_eq!((to(&letters), subjects(&letters)), (vec![ANA], vec![DELETED]), "{by}");
    }
    drop(root);
}

/// What cannot be told does not happen.
#[tokio::test]
async fn the_letter_is_written_with_what_it_tells() {
    let app = TestApp::start().await;
    let ana = app.signed_in(ANA).await;
    app.sql().execute_batch("ALTER TABLE outbox RENAME TO lost").unwrap();
    let change = json!({"currentPassword": PASSWORD, "newPassword": NEW});
    assert!(ana.call("POST", "/api/auth/password").csrf().json(change).await.status >= 500);
    let end = ana.call("POST", "/api/auth/delete-account").csrf();
    assert!(end.json(json!({"password": PASSWORD})).await.status >= 500);
    assert_eq!((app.audited("password_changed"), app.audited("user_deleted")), (0, 0));
    let counted = "SELECT count(*) FROM notices";
    assert_eq!(app.sql().query_row(counted, [], |row| row.get::<_, i64>(0)), Ok(0));
    app.sql().execute_batch("ALTER TABLE lost RENAME TO outbox").unwrap();
    app.login(ANA, PASSWORD).await.ok();
}
