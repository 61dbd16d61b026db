//! Mail that waits for longer than its link is good: it is not sent. News always are.

use std::time::Duration;

use doorward::domain::claims::Role;
use doorward::domain::mail::About;
use doorward::mail::{Blame, Undelivered};
use doorward::store::{UserChange, WhichMail};
use serde_json::{Value, json};

use crate::harness::{DAY, HOUR, MINUTE, PASSWORD, SECOND, TestApp};
use crate::mail::{refused, size, subjects, to, token_in};
use crate::recovery::change_email;

const ANA: &str = "ana@example.com";
const BEN: &str = "ben@example.com";

/// A link for every purpose, and news without one, while the mail server is down for `outage`.
async fn after_an_outage(outage: Duration) -> Vec<&'static str> {
    let app = TestApp::start().await;
    app.post_office.refuse(refused(Blame::Way));
    let ana = app.signed_in(ANA).await;
    let post =
        |path: &str, body: Value| ana.call("POST", &format!("/api/auth/{path}")).csrf().json(body);
    let change = json!({"newEmail": BEN, "password": PASSWORD});
    post("resend-verification", json!({"email": ANA})).await.status(202);
    post("forgot-password", json!({"email": ANA})).await.status(202);
    post("change-email", change).await.status(202);
    let (device, ip, at) = ("Firefox on Linux".to_owned(), "192.0.2.7".to_owned(), app.now().wall);
    for about in [
        About::PasswordChanged,
        About::NewDevice { device: device.clone(), ip: ip.clone(), at },
        About::RefreshTokenReused { device, ip, at },
    ] {
        app.post_mail(ANA, about).await;
    }
    app.mail().await;
    assert_eq!(size(&app).await, (6, 0));
    app.clock.advance(outage);
    app.post_office.accept();
    let letters = app.mail().await;
    assert_eq!(size(&app).await, (0, 0), "what is not sent is gone");
    letters.iter().map(|letter| letter.subject).collect()
}

#[tokio::test]
async fn a_link_that_has_expired_is_not_sent_and_news_are() {
    let (verify, reset, confirm) = (
        "Confirm your e-mail address",
        "Choose another password",
        "Confirm your new e-mail address",
    );
    let news = [
        "Your password was changed",
        "A sign-in from a new device or place",
        "You were signed out, to be safe",
    ];
    for (outage, links) in [
        (HOUR - SECOND, &[verify, reset, confirm][..]),
        (HOUR, &[verify]),
        (DAY - SECOND, &[verify]),
        (DAY, &[]),
        (2 * DAY, &[]),
    ] {
        let mut expected = [links, &news].concat();
        let mut subjects = after_an_outage(outage).await;
        expected.sort_unstable();
        subjects.sort_unstable();
        assert_eq!(subjects, expected, "{outage:?}");
    }
}

#[tokio::test]
async fn a_link_that_was_replaced_or_voided_is_not_sent() {
    let app = TestApp::start().await;
    app.post_office.refuse(refused(Blame::Way));
    let ana = app.signed_in(ANA).await;
    for _ in 0..2 {
        app.forgot(ANA).await.status(202);
    }
    let second = app.link(ANA, "reset_password");
    app.mail().await;
    app.clock.advance(MINUTE);
    app.post_office.accept();
    let letters = app.mail().await;
    assert_eq!(to(&letters), [ANA], "the last one counts");
    assert_eq!(token_in(&letters[0]), second);

    app.post_office.refuse(refused(Blame::Way));
    app.forgot(ANA).await.status(202);
    let change = json!({"currentPassword": PASSWORD, "newPassword": "another one now"});
    ana.call("POST", "/api/auth/password").csrf().json(change).await.ok();
    app.post_office.accept();
    assert_eq!(subjects(&app.mail().await), ["Your password was changed"]);
    assert_eq!(size(&app).await, (0, 0));
}

/// To the old address: it can be undone for a week, and not once it is.
#[tokio::test]
async fn a_change_of_address_that_was_undone_is_not_told() {
    let app = TestApp::start().await;
    let ana = app.signed_in(ANA).await;
    for address in [BEN, "cy@example.com"] {
        change_email(&ana, address).await.status(202);
        app.redeem("confirm-email", &app.link(address, "confirm_email_change")).await.ok();
    }
    let undo = app.link(ANA, "email_changed");
    app.post_office.refuse(|letter| {
        (letter.to.as_str() != ANA).then(|| Undelivered::new(Blame::Moment, "no"))
    });
    assert_eq!(subjects(&app.mail().await), ["Your e-mail address was changed"]);
    app.redeem("undo-email-change", &undo).await.ok();
    app.post_office.accept();
    app.clock.advance(HOUR);
    assert!(app.mail().await.is_empty());
    assert_eq!(size(&app).await, (0, 0));
}

/// What was given up is not looked at, until somebody has it tried again.
#[tokio::test]
async fn what_was_given_up_is_dropped_when_it_is_tried_again() {
    let app = TestApp::start().await;
    app.account(ANA).await;
    app.forgot(ANA).await.status(202);
    app.post_office.refuse(refused(Blame::Letter));
    app.mail().await;
    app.post_office.accept();
    app.clock.advance(HOUR);
    assert!(app.mail().await.is_empty());
    assert_eq!(size(&app).await, (0, 1));
    app.app().store.retry_mail(WhichMail::Dead, app.now()).await.unwrap();
    assert!(app.mail().await.is_empty());
    assert_eq!(size(&app).await, (0, 0));
}

/// An invitation is as good as whoever made it.
#[tokio::test]
async fn an_invitation_by_who_may_not_invite_any_more_is_not_sent() {
    let app = TestApp::start().await;
    app.account("root@example.com").await;
    app.operator("root@example.com", UserChange::Role(Role::Admin)).await;
    for end in [UserChange::Role(Role::User), UserChange::Disable, UserChange::Delete] {
        app.account(ANA).await;
        app.operator(ANA, UserChange::Enable).await;
        app.operator(ANA, UserChange::Role(Role::Admin)).await;
        let ana = app.program(ANA).await;
        let invite =
            |email: &str| ana.call("POST", "/api/admin/invitations").json(json!({"email": email}));
        invite(BEN).await.status(201);
        assert_eq!(to(&app.mail().await), [BEN]);
        invite(BEN).await.status(201);
        app.operator(ANA, end).await;
        assert!(!to(&app.mail().await).contains(&BEN));
        assert_eq!(size(&app).await, (0, 0));
    }
}
