//! Invitations: an administrator or the shell invites, a link makes the account.

use std::time::Duration;

use doorward::config::Registration;
use doorward::domain::claims::Role;
use doorward::domain::id::OneTimeId;
use doorward::store::UserChange;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Answer, Call, DAY, NOBODY, PASSWORD, Program, TestApp};

const ROOT: &str = "root@example.com";
const EVE: &str = "eve@example.com";
const BEN: &str = "ben@example.com";
const INVITATIONS: &str = "/api/admin/invitations";
const ACCEPT: &str = "/api/auth/accept-invitation";
const NONE: [&str; 0] = [];
const WEEK: Duration = DAY.saturating_mul(7);
const MILLISECOND: Duration = Duration::from_millis(1);

async fn invite_only() -> TestApp {
    TestApp::with(|config| config.registration = Registration::Invite).await
}

async fn admin<'a>(app: &'a TestApp, email: &str) -> Program<'a> {
    app.account(email).await;
    app.operator(email, UserChange::Role(Role::Admin)).await;
    app.program(email).await
}

fn invite<'a>(by: &Program<'a>, email: &str) -> Call<'a> {
    by.call("POST", INVITATIONS).json(json!({ "email": email }))
}

/// Invites, and gives the token of the link.
async fn invited(app: &TestApp, by: &Program<'_>, email: &str) -> String {
    token(app, &invite(by, email).await.status(201))
}

fn token(app: &TestApp, invitation: &Value) -> String {
    let id = Uuid::parse_str(invitation["id"].as_str().unwrap()).unwrap();
    app.app().keys.current().active().one_time_token(OneTimeId(id)).to_string()
}

fn accept<'a>(app: &'a TestApp, token: &str) -> Call<'a> {
    let body = json!({ "token": token, "password": PASSWORD });
    app.post(ACCEPT).json(body)
}

async fn listed(by: &Program<'_>) -> Vec<String> {
    let list = by.call("GET", INVITATIONS).await.ok();
    let invitations = list["invitations"].as_array().unwrap();
    invitations.iter().map(|it| it["email"].as_str().unwrap().to_owned()).collect()
}

fn is_invalid(answer: &Answer) {
    answer.sets_no_cookies().problem(403, "invalid_token");
}

#[tokio::test]
async fn who_was_invited_makes_an_account_and_nobody_else_does() {
    let app = invite_only().await;
    let root = admin(&app, ROOT).await;
    app.register("stranger@example.com", PASSWORD).await.problem(403, "registration_closed");

    let made = invite(&root, "Ben@Example.COM").await.status(201);
    let me = root.me().await.ok();
    assert_eq!((&made["email"], &made["role"]), (&json!(BEN), &json!("user")));
    assert_eq!(made["invitedBy"], me["id"]);
    assert_eq!(listed(&root).await, [BEN]);
    let token = token(&app, &made);
    let letters = app.mail().await;
    assert_eq!((letters.len(), letters[0].to.as_str()), (1, BEN));
    assert!(letters[0].text.contains(&format!("/account/accept-invitation?token={token}")));

    let browser = app.browser();
    let body = json!({ "token": token, "password": PASSWORD });
    let ben = browser.call("POST", ACCEPT).json(body).await.status(201);
    assert_eq!((&ben["user"]["email"], &ben["user"]["role"]), (&json!(BEN), &json!("user")));
    assert_eq!(ben["user"]["isVerified"], true);
    browser.me().await.ok();
    app.login(BEN, PASSWORD).await.ok();

    is_invalid(&accept(&app, &token).await);
    assert_eq!(listed(&root).await, NONE);
    assert_eq!((app.audited("invited"), app.audited("registered")), (1, 2));
}

#[tokio::test]
async fn the_role_is_what_the_administrator_said() {
    let app = invite_only().await;
    let root = admin(&app, ROOT).await;
    let body = json!({ "email": BEN, "role": "admin" });
    let made = root.call("POST", INVITATIONS).json(body).await.status(201);
    let body = json!({ "token": token(&app, &made), "password": PASSWORD, "delivery": "body" });
    let ben = app.post(ACCEPT).json(body).await;
    let ben = ben.sets_no_cookies().status(201);
    assert_eq!(ben["user"]["role"], "admin");
    let access = ben["accessToken"].as_str().unwrap();
    app.call("GET", INVITATIONS).bearer(access).await.ok();

    // Nothing that is sent with the link makes more of it.
    let token = invited(&app, &root, "cleo@example.com").await;
    for more in ["role", "email", "isVerified"] {
        let body = json!({ "token": token, "password": PASSWORD, more: "admin" });
        let answer = app.post(ACCEPT).json(body).await;
        assert_eq!(
            answer.problem(422, "validation_failed")["errors"][0]["field"],
            format!("/{more}")
        );
    }
    assert_eq!(accept(&app, &token).await.status(201)["user"]["role"], "user");
}

#[tokio::test]
async fn an_invitation_is_replaced_taken_back_or_expires() {
    let app = invite_only().await;
    let root = admin(&app, ROOT).await;
    let first = invited(&app, &root, BEN).await;
    let made = invite(&root, "BEN@example.com").await.status(201);
    is_invalid(&accept(&app, &first).await);
    assert_eq!(listed(&root).await, [BEN]);

    let path = format!("{INVITATIONS}/{}", made["id"].as_str().unwrap());
    root.call("DELETE", &path).await.status(204);
    root.call("DELETE", &path).await.problem(404, "not_found");
    root.call("DELETE", &format!("{INVITATIONS}/{NOBODY}")).await.problem(404, "not_found");
    is_invalid(&accept(&app, &token(&app, &made)).await);
    assert_eq!(app.audited("invitation_revoked"), 1);

    let (late, last) =
        (invited(&app, &root, BEN).await, invited(&app, &root, "c@example.com").await);
    app.clock.advance(WEEK - MILLISECOND);
    accept(&app, &last).await.status(201);
    app.clock.advance(MILLISECOND);
    is_invalid(&accept(&app, &late).await);
    let root = app.program(ROOT).await;
    assert_eq!(listed(&root).await, NONE);
}

#[tokio::test]
async fn an_invitation_is_as_good_as_who_made_it() {
    for change in [UserChange::Role(Role::User), UserChange::Disable, UserChange::Delete] {
        let app = invite_only().await;
        let (root, eve) = (admin(&app, ROOT).await, admin(&app, EVE).await);
        let body = json!({ "email": "eve2@example.com", "role": "admin" });
        let made = eve.call("POST", INVITATIONS).json(body).await.status(201);
        app.operator(EVE, change.clone()).await;
        is_invalid(&accept(&app, &token(&app, &made)).await);
        assert_eq!(listed(&root).await, NONE);
        if !matches!(change, UserChange::Delete) {
            // Nor does it come back with the role.
            app.operator(EVE, UserChange::Enable).await;
            app.operator(EVE, UserChange::Role(Role::Admin)).await;
            is_invalid(&accept(&app, &token(&app, &made)).await);
            assert_eq!(listed(&root).await, NONE);
        }
    }
}

#[tokio::test]
async fn an_address_that_has_an_account_is_not_invited() {
    let app = TestApp::start().await;
    let root = admin(&app, ROOT).await;
    let token = invited(&app, &root, BEN).await;
    app.register(BEN, "staple, upright and shiny").await.status(201);
    invite(&root, BEN).await.problem(409, "email_taken");
    accept(&app, &token).await.sets_no_cookies().problem(409, "email_taken");
    app.login(BEN, PASSWORD).await.problem(401, "invalid_credentials");
}

#[tokio::test]
async fn where_registration_is_closed_no_link_makes_an_account() {
    let app = invite_only().await;
    let token = invited(&app, &admin(&app, ROOT).await, BEN).await;
    app.reconfigure(|config| config.registration = Registration::Closed).await;
    accept(&app, &token).await.problem(403, "registration_closed");
    let root = app.program(ROOT).await;
    invite(&root, "cleo@example.com").await.problem(403, "registration_closed");
    assert_eq!(listed(&root).await, [BEN], "there it is, should registration be opened again");
}

#[tokio::test]
async fn of_many_who_accept_at_once_one_has_the_account() {
    let app = invite_only().await;
    let token = invited(&app, &admin(&app, ROOT).await, BEN).await;
    let calls = (0..32).map(|_| async { accept(&app, &token).await });
    let answers = futures_util::future::join_all(calls).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!((won.len(), lost.len()), (1, 31));
    lost.into_iter().for_each(is_invalid);
    assert_eq!(app.audited("registered"), 2);
}

#[tokio::test]
async fn invitations_are_listed_page_by_page() {
    let app = invite_only().await;
    let root = admin(&app, ROOT).await;
    let mut expected: Vec<_> = (0..5).map(|n| format!("guest{n}@example.com")).collect();
    for email in &expected {
        invite(&root, email).await.status(201);
        app.clock.advance(MILLISECOND);
    }
    expected.reverse();
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let list = root.call("GET", &format!("{INVITATIONS}?limit=2{cursor}")).await.ok();
        let page = list["invitations"].as_array().unwrap().clone();
        assert!(page.len() <= 2);
        seen.extend(page.iter().map(|it| it["email"].as_str().unwrap().to_owned()));
        let Some(next) = list["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn the_sweep_takes_what_has_expired() {
    let app = invite_only().await;
    invited(&app, &admin(&app, ROOT).await, BEN).await;
    let count = |table: &str| {
        let query = format!("SELECT count(*) FROM {table}");
        app.sql().query_row(&query, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!((count("invitations"), count("one_time_tokens")), (1, 1));
    app.clock.advance(WEEK + WEEK);
    assert_eq!(app.app().store.sweep_one_time_tokens(app.now()).await.unwrap(), 1);
    assert_eq!((count("invitations"), count("one_time_tokens")), (0, 0));
}

/// Who has made whom an administrator can be told when the invitation is gone.
#[tokio::test]
async fn the_trail_joins_an_invitation_and_the_account_that_came_of_it() {
    let app = invite_only().await;
    let root = admin(&app, ROOT).await;
    let body = json!({ "email": BEN, "role": "admin" });
    let made = root.call("POST", INVITATIONS).json(body).await.status(201);
    let ben = accept(&app, &token(&app, &made)).await.status(201);
    let path = "/api/admin/events?event=";
    let of = async |event: &str| {
        root.call("GET", &format!("{path}{event}")).await.ok()["events"][0].clone()
    };
    let (invited, registered) = (of("invited").await, of("registered").await);
    let detail = json!({ "role": "admin", "invitationId": made["id"] });
    assert_eq!((&invited["detail"], &registered["detail"]), (&detail, &detail));
    assert_eq!(invited["actorId"], root.me().await.ok()["id"]);
    assert_eq!(registered["userId"], ben["user"]["id"]);
}
