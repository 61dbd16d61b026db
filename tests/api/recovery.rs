//! What is done by links in mails: an address is verified or changed, a password is reset.

use std::collections::BTreeSet;
use std::time::Duration;

use doorward::domain::id::OneTimeId;
use doorward::store::UserChange;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Answer, Browser, Call, DAY, HOUR, PASSWORD, SECOND, TestApp};

const ANA: &str = "ana@example.com";
const NEW_ADDRESS: &str = "ana.maria@example.com";
const NEW: &str = "staple, upright and shiny";
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A mail in the outbox: to whom, what about.
type Posted = (String, String);

impl TestApp {
    fn posted(&self) -> Vec<(Posted, Value)> {
        let sql = self.sql();
        let mut rows = sql.prepare("SELECT recipient, about FROM outbox ORDER BY seq").unwrap();
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).unwrap();
        rows.map(|row| {
            let (to, about): (String, String) = row.unwrap();
            let about: Value = serde_json::from_str(&about).unwrap();
            ((to, about["about"].as_str().unwrap().to_owned()), about)
        })
        .collect()
    }

    pub fn letters(&self) -> Vec<Posted> {
        self.posted().into_iter().map(|(posted, _)| posted).collect()
    }

    /// The token of the link in the last mail to `to` about `about`.
    pub fn link(&self, to: &str, about: &str) -> String {
        let wanted = (to.to_owned(), about.to_owned());
        let (_, mail) = self.posted().into_iter().rev().find(|(it, _)| *it == wanted).unwrap();
        let id = mail.get("token").or_else(|| mail.get("undo")).unwrap().as_str().unwrap();
        let id = OneTimeId(Uuid::parse_str(id).unwrap());
        self.app().keys.current().active().one_time_token(id).to_string()
    }

    pub fn forgot(&self, email: &str) -> Call<'_> {
        self.post("/api/auth/forgot-password").json(json!({"email": email}))
    }

    pub fn reset(&self, token: &str, password: &str) -> Call<'_> {
        let body = json!({"token": token, "newPassword": password});
        self.post("/api/auth/reset-password").json(body)
    }

    pub fn redeem(&self, what: &str, token: &str) -> Call<'_> {
        self.post(&format!("/api/auth/{what}")).json(json!({"token": token}))
    }
}

pub fn change_email<'a>(ana: &'a Browser<'a>, to: &str) -> Call<'a> {
    let body = json!({"newEmail": to, "password": PASSWORD});
    ana.call("POST", "/api/auth/change-email").csrf().json(body)
}

fn mail(to: &str, about: &str) -> Posted {
    (to.to_owned(), about.to_owned())
}

pub fn is_invalid(answer: &Answer) {
    answer.sets_no_cookies().problem(403, "invalid_token");
}

#[tokio::test]
async fn a_forgotten_password_is_reset_once_and_ends_everything() {
    let app = TestApp::start().await;
    let ana = app.signed_in(ANA).await;
    let before = ana.jar();
    app.forgot("Ana@Example.COM").await.status(202);
    assert_eq!(app.letters(), [mail(ANA, "reset_password")]);
    ana.me().await.ok();

    let token = app.link(ANA, "reset_password");
    app.reset(&token, "Password1").await.problem(422, "validation_failed");
    app.reset(&token, NEW).await.sets_no_cookies().ok();
    is_invalid(&app.reset(&token, "another one, for a thief").await);

    ana.me().await.problem(401, "session_expired");
    app.browser_with(&before).refresh().await.problem(403, "invalid_refresh_token");
    app.login(ANA, PASSWORD).await.problem(401, "invalid_credentials");
    assert_eq!(app.login(ANA, NEW).await.ok()["user"]["isVerified"], true);
    assert_eq!(app.letters(), [mail(ANA, "reset_password"), mail(ANA, "password_changed")]);
    assert_eq!((app.audited("password_reset_requested"), app.audited("password_changed")), (1, 1));
}

#[tokio::test]
async fn nobody_learns_who_has_an_account() {
    let app = TestApp::start().await;
    app.account(ANA).await;
    for path in ["/api/auth/forgot-password", "/api/auth/resend-verification"] {
        let mut answers = BTreeSet::new();
        for email in [ANA, "nobody@example.com"] {
            let answer = app.post(path).json(json!({"email": email})).await;
            answer.status(202);
            answers.insert(answer.text().to_owned());
        }
        assert_eq!(answers.len(), 1, "{answers:?}");
    }
    // The same is written for both, but for the mail itself.
    let tokens = "SELECT count(*) FROM one_time_tokens";
    assert_eq!(app.sql().query_row(tokens, [], |row| row.get::<_, i64>(0)), Ok(4));
    assert_eq!(app.letters(), [mail(ANA, "reset_password"), mail(ANA, "verify_email")]);
}

#[tokio::test]
async fn the_last_mail_counts() {
    let app = TestApp::start().await;
    app.account(ANA).await;
    app.forgot(ANA).await.status(202);
    let first = app.link(ANA, "reset_password");
    app.forgot(ANA).await.status(202);
    is_invalid(&app.reset(&first, NEW).await);
    app.reset(&app.link(ANA, "reset_password"), NEW).await.ok();
}

#[tokio::test]
async fn links_are_void_after_a_change_of_password_and_not_sent_to_who_is_disabled() {
    let app = TestApp::start().await;
    let ana = app.signed_in(ANA).await;
    app.forgot(ANA).await.status(202);
    let reset = app.link(ANA, "reset_password");
    let change = json!({"currentPassword": PASSWORD, "newPassword": NEW});
    ana.call("POST", "/api/auth/password").csrf().json(change).await.ok();
    is_invalid(&app.reset(&reset, PASSWORD).await);

    app.operator(ANA, UserChange::Disable).await;
    let letters = app.letters().len();
    app.forgot(ANA).await.status(202);
    assert_eq!(app.letters().len(), letters);
}

#[tokio::test]
async fn who_must_be_verified_is_not_signed_in_before() {
    let app = TestApp::with(|config| config.require_verified_email = true).await;
    let answer = app.register(ANA, PASSWORD).await;
    let body = answer.sets_no_cookies().status(201);
    assert_eq!(body["user"]["email"], ANA);
    assert!(body.get("session").is_none() && body.get("accessTokenExpiresIn").is_none());
    assert_eq!(app.letters(), [mail(ANA, "verify_email")]);

    app.login(ANA, "not her password").await.problem(401, "invalid_credentials");
    app.login(ANA, PASSWORD).await.sets_no_cookies().problem(403, "email_not_verified");
    app.redeem("verify-email", &app.link(ANA, "verify_email")).await.ok();
    assert_eq!(app.login(ANA, PASSWORD).await.ok()["user"]["isVerified"], true);
    assert_eq!(app.audited("user_verified"), 1);
}

#[tokio::test]
async fn there_a_known_address_is_answered_like_a_new_one() {
    let app = TestApp::with(|config| config.require_verified_email = true).await;
    app.register(ANA, PASSWORD).await.status(201);
    let verify = app.link(ANA, "verify_email");
    let (new, known) = (app.register("ben@example.com", NEW).await, app.register(ANA, NEW).await);
    let shape = |answer: &Answer| {
        let body = answer.status(201);
        let user = body["user"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        (body.as_object().unwrap().keys().cloned().collect::<Vec<_>>(), user)
    };
    assert_eq!(shape(&new), shape(&known));
    assert_eq!(app.letters().last(), Some(&mail(ANA, "already_registered")));
    // Her account is as it was, and so is her link.
    app.redeem("verify-email", &verify).await.ok();
    app.login(ANA, NEW).await.problem(401, "invalid_credentials");
    app.login(ANA, PASSWORD).await.ok();
}

#[tokio::test]
async fn an_address_is_changed_when_the_new_one_says_so() {
    let app = TestApp::start().await;
    let ana = app.signed_in(ANA).await;
    change_email(&ana, NEW_ADDRESS).await.status(202);
    assert_eq!(app.letters(), [mail(NEW_ADDRESS, "confirm_email_change")]);
    assert_eq!(ana.me().await.ok()["email"], ANA, "nothing has changed yet");

    app.redeem("confirm-email", &app.link(NEW_ADDRESS, "confirm_email_change")).await.ok();
    // Her access token says the old one: it is renewed on the way.
    let me = ana.me().await;
    me.sets_cookies(&["refreshToken", "token"]);
    assert_eq!((&me.ok()["email"], &me.ok()["isVerified"]), (&json!(NEW_ADDRESS), &json!(true)));
    app.login(ANA, PASSWORD).await.problem(401, "invalid_credentials");
    app.login(NEW_ADDRESS, PASSWORD).await.ok();
    assert_eq!(app.letters().last(), Some(&mail(ANA, "email_changed")));
}

#[tokio::test]
async fn the_old_address_can_undo_it_for_a_week_and_throws_everybody_out() {
    let app = TestApp::start().await;
    app.verified(ANA).await;
    let thief = app.signed_in(ANA).await;
    change_email(&thief, "thief@example.com").await.status(202);
    app.redeem("confirm-email", &app.link("thief@example.com", "confirm_email_change")).await.ok();
    // The thief changes the password, too; the link survives that.
    let change = json!({"currentPassword": PASSWORD, "newPassword": NEW});
    thief.call("POST", "/api/auth/password").csrf().json(change).await.ok();
    app.forgot("thief@example.com").await.status(202);
    let theirs = app.link("thief@example.com", "reset_password");

    app.clock.advance(WEEK - SECOND);
    app.forgot("thief@example.com").await.status(202);
    let theirs_too = app.link("thief@example.com", "reset_password");
    app.redeem("undo-email-change", &app.link(ANA, "email_changed")).await.ok();
    thief.me().await.problem(401, "session_expired");
    is_invalid(&app.reset(&theirs, PASSWORD).await);
    is_invalid(&app.reset(&theirs_too, PASSWORD).await);
    app.login("thief@example.com", NEW).await.problem(401, "invalid_credentials");
    app.forgot(ANA).await.status(202);
    app.reset(&app.link(ANA, "reset_password"), PASSWORD).await.ok();
    app.login(ANA, PASSWORD).await.ok();
}

#[tokio::test]
async fn a_second_change_does_not_void_the_link_of_the_first() {
    let app = TestApp::start().await;
    app.verified(ANA).await;
    let thief = app.signed_in(ANA).await;
    for address in ["thief@example.com", "hideout@example.com"] {
        change_email(&thief, address).await.status(202);
        app.redeem("confirm-email", &app.link(address, "confirm_email_change")).await.ok();
    }
    let (hers, theirs) =
        (app.link(ANA, "email_changed"), app.link("thief@example.com", "email_changed"));
    app.redeem("undo-email-change", &hers).await.ok();
    is_invalid(&app.redeem("undo-email-change", &theirs).await);
    is_invalid(&app.redeem("undo-email-change", &hers).await);
    app.login(ANA, PASSWORD).await.ok();
}

#[tokio::test]
async fn a_taken_address_is_not_told_to_who_asks() {
    let app = TestApp::start().await;
    app.account("ben@example.com").await;
    let ana = app.signed_in(ANA).await;
    let (free, taken) =
        (change_email(&ana, NEW_ADDRESS).await, change_email(&ana, "ben@example.com").await);
    assert_eq!((free.status(202), free.text()), (taken.status(202), taken.text()));
    assert_eq!(app.letters().last(), Some(&mail("ben@example.com", "already_registered")));

    // Somebody registers it in the meantime.
    change_email(&ana, NEW_ADDRESS).await.status(202);
    let link = app.link(NEW_ADDRESS, "confirm_email_change");
    app.account(NEW_ADDRESS).await;
    app.redeem("confirm-email", &link).await.problem(409, "email_taken");
    assert_eq!(ana.me().await.ok()["email"], ANA);
}

#[tokio::test]
async fn expired_tokens_are_swept_and_no_others() {
    let app = TestApp::start().await;
    app.account(ANA).await;
    for _ in 0..3 {
        app.forgot("nobody@example.com").await.status(202);
    }
    app.clock.advance(DAY + HOUR);
    app.forgot(ANA).await.status(202);
    let sweep = async || app.app().store.sweep_one_time_tokens(app.now()).await.unwrap();
    assert_eq!(sweep().await, 0, "they may be good again if the clock was ahead");
    app.clock.advance(SECOND);
    assert_eq!((sweep().await, sweep().await), (3, 0));
    app.reset(&app.link(ANA, "reset_password"), NEW).await.ok();
}

#[tokio::test]
async fn mails_are_limited_for_known_and_unknown_alike() {
    let app = TestApp::with(|config| config.throttle = true).await;
    app.account(ANA).await;
    for email in [ANA, "nobody@example.com"] {
        for _ in 0..5 {
            app.forgot(email).await.status(202);
        }
        app.forgot(email).await.problem(429, "too_many_attempts");
    }
    app.clock.advance(HOUR);
    app.forgot(ANA).await.status(202);
    assert_eq!(app.letters().len(), 6);
}
