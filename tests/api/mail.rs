//! Mail: written with what it announces, delivered in order, tried again, given up, never lost.

use doorward::config::{Origin, PublicUrl};
use doorward::domain::id::OneTimeId;
use doorward::domain::mail::About;
use doorward::flows::delivery::{Delivery, Progress};
use doorward::mail::{Blame, Letter, Undelivered};
use doorward::store::{OutboxSize, Outgoing, UserChange, WhichMail};
use serde_json::json;
use uuid::Uuid;

use crate::harness::{DAY, GRACE, HOUR, MINUTE, SECOND, TestApp};

const ANA: &str = "ana@example.com";
const BEN: &str = "ben@example.com";
const TOKEN: OneTimeId = OneTimeId(Uuid::from_u128(0x0190_b8a0_0000_7000_8000_0000_0000_0007));

pub fn refused(fault: Blame) -> impl Fn(&Letter) -> Option<Undelivered> + Send + Sync {
    move |_| Some(Undelivered::new(fault, "no"))
}

pub fn to(letters: &[Letter]) -> Vec<&str> {
    letters.iter().map(|letter| letter.to.as_str()).collect()
}

pub fn subjects(letters: &[Letter]) -> Vec<&str> {
    letters.iter().map(|letter| letter.subject).collect()
}

async fn outbox(app: &TestApp) -> Vec<Outgoing> {
    app.app().store.list_mail().await.unwrap()
}

pub async fn size(app: &TestApp) -> (u32, u32) {
    let OutboxSize { waiting, dead } = app.app().store.outbox_size().await.unwrap();
    (waiting, dead)
}

/// Every column of the outbox, as text.
fn rows(app: &TestApp) -> String {
    let sql = app.sql();
    let mut rows =
        sql.prepare("SELECT json_array(seq, recipient, about, reason) FROM outbox").unwrap();
    let rows = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[tokio::test]
async fn a_mail_is_delivered_once_and_then_forgotten() {
    let app = TestApp::start().await;
    app.post_mail(ANA, About::Test).await;
    assert_eq!(size(&app).await, (1, 0));
    let letters = app.mail().await;
    assert_eq!((to(&letters), subjects(&letters)), (vec![ANA], vec!["A test mail"]));
    assert!(app.mail().await.is_empty());
    assert_eq!(size(&app).await, (0, 0));
}

#[tokio::test]
async fn a_restart_loses_no_mail() {
    let app = TestApp::start().await;
    app.post_mail(ANA, About::Test).await;
    app.restart().await;
    assert_eq!(to(&app.mail().await), [ANA]);
}

#[tokio::test]
async fn a_link_holds_a_token_that_the_database_does_not() {
    let app = TestApp::with(|config| {
        config.mail_link_base = Some(Origin::parse("https://www.example.com").unwrap());
    })
    .await;
    app.post_mail(ANA, About::ResetPassword { token: TOKEN }).await;
    let stored = rows(&app);
    assert!(stored.contains(&TOKEN.to_string()), "{stored}");

    // Also a mail server that repeats the letter in its refusal puts none there.
    app.post_office.refuse(|letter| Some(Undelivered::new(Blame::Moment, &letter.text)));
    assert!(app.mail().await.is_empty());
    let refused = rows(&app);
    app.post_office.accept();
    app.clock.advance(MINUTE);

    let letter = &app.mail().await[0];
    let link = "https://www.example.com/account/reset-password?token=";
    let (_, rest) = letter.text.split_once(link).unwrap();
    let token = rest.lines().next().unwrap();
    assert_eq!(app.app().keys.current().open_one_time(token), Some(TOKEN));
    assert!(letter.html.contains(&format!("{link}{token}\"")), "{}", letter.html);
    let secret = token.split_once('.').unwrap().1;
    assert!(refused.contains("reset-password?token="), "{refused}");
    for row in [&stored, &refused] {
        assert!(!row.contains(secret) && !row.contains(&secret[..32]), "{row}");
    }
}

#[tokio::test]
async fn links_lead_to_the_public_url_whatever_a_request_says() {
    let app = TestApp::with(|config| {
        config.public_url = Some(PublicUrl::parse("https://a.example").unwrap());
    })
    .await;
    app.get("/healthz")
        .header("host", "evil.example")
        .header("x-forwarded-host", "evil.example")
        .await;
    app.post_mail(ANA, About::VerifyEmail { token: TOKEN }).await;
    let letter = &app.mail().await[0];
    assert!(
        letter.text.contains("\nhttps://a.example/account/verify-email?token="),
        "{}",
        letter.text
    );
    assert!(!letter.text.contains("evil") && !letter.html.contains("evil"));
    assert_eq!(letter.from.to_string(), "Doorward <no-reply@a.example>");
}

/// A link that is delivered after the keys were rotated is made with the new one, and one from before
/// is still good.
#[tokio::test]
async fn links_outlive_a_rotation_of_the_keys() {
    let app = TestApp::start().await;
    let link = |letter: &Letter| {
        letter.text.split_once("?token=").unwrap().1.lines().next().unwrap().to_owned()
    };
    app.post_mail(ANA, About::VerifyEmail { token: TOKEN }).await;
    let before = link(&app.mail().await[0]);
    app.rotate_keys().await;
    app.post_mail(ANA, About::VerifyEmail { token: TOKEN }).await;
    let after = link(&app.mail().await[0]);
    assert_ne!(before, after);
    for token in [before, after] {
        assert_eq!(app.app().keys.current().open_one_time(&token), Some(TOKEN));
    }
}

#[tokio::test]
async fn mail_to_one_recipient_keeps_its_order_and_holds_up_nobody_else() {
    let app = TestApp::start().await;
    app.post_office.refuse(|letter| {
        (letter.to.as_str() == ANA).then(|| Undelivered::new(Blame::Moment, "450 come back later"))
    });
    app.post_mail(ANA, About::VerifyEmail { token: TOKEN }).await;
    app.post_mail(ANA, About::PasswordChanged).await;
    app.post_mail(BEN, About::Test).await;
    assert_eq!(to(&app.mail().await), [BEN]);
    assert_eq!(outbox(&app).await.iter().map(|mail| mail.attempts).collect::<Vec<_>>(), [1, 0]);

    app.post_office.accept();
    assert!(app.mail().await.is_empty(), "it is not time yet");
    app.clock.advance(MINUTE);
    let letters = app.mail().await;
    assert_eq!(subjects(&letters), ["Confirm your e-mail address", "Your password was changed"]);
}

#[tokio::test]
async fn a_new_mail_takes_the_older_ones_along() {
    let app = TestApp::start().await;
    app.post_mail(ANA, About::VerifyEmail { token: TOKEN }).await;
    app.post_mail(BEN, About::Test).await;
    app.post_office.refuse(refused(Blame::Moment));
    for _ in 0..10 {
        assert!(app.mail().await.is_empty());
        app.clock.advance(4 * HOUR);
    }
    app.mail().await;
    app.post_office.accept();
    assert!(app.mail().await.is_empty(), "hours are left of the wait");
    app.post_mail(ANA, About::ResetPassword { token: TOKEN }).await;
    let letters = app.mail().await;
    assert_eq!(subjects(&letters), ["Confirm your e-mail address", "Choose another password"]);
    assert_eq!(to(&letters), [ANA, ANA]);
}

#[tokio::test]
async fn it_is_tried_less_and_less_often_and_given_up_after_three_days() {
    let app = TestApp::start().await;
    app.post_office.refuse(refused(Blame::Moment));
    app.post_mail(ANA, About::Test).await;
    let posted = app.now().wall;
    let mut waits = Vec::new();
    loop {
        let tried = app.now().wall;
        app.mail().await;
        let mail = outbox(&app).await.remove(0);
        assert_eq!(mail.reason.as_deref(), Some("no"));
        if mail.dead_at.is_some() {
            break;
        }
        let wait = mail.due_at.since(tried);
        // A moment earlier it is not tried.
        app.clock.advance(wait.checked_sub(std::time::Duration::from_millis(1)).unwrap());
        app.mail().await;
        assert_eq!(outbox(&app).await[0].attempts, mail.attempts);
        app.clock.advance(std::time::Duration::from_millis(1));
        waits.push(wait);
    }
    for (wait, minutes) in waits.iter().zip([1, 2, 4, 8, 16, 32, 64, 128, 240, 240, 240]) {
        let longest = MINUTE * minutes;
        assert!(*wait <= longest && *wait >= longest * 3 / 4, "{waits:?}");
    }
    let took = app.now().wall.since(posted);
    assert!(took >= 3 * DAY && took <= 3 * DAY + 4 * HOUR, "{took:?}");

    // It stays, with its reason, and is left alone.
    app.post_office.accept();
    app.clock.advance(30 * DAY);
    assert!(app.mail().await.is_empty());
    assert_eq!(size(&app).await, (0, 1));

    // Until somebody says otherwise: then with patience anew.
    let store = &app.app().store;
    app.post_office.refuse(refused(Blame::Moment));
    assert_eq!(store.retry_mail(WhichMail::Dead, app.now()).await.unwrap(), 1);
    app.mail().await;
    assert_eq!((size(&app).await, outbox(&app).await[0].attempts), ((1, 0), 1));
    app.post_office.accept();
    app.clock.advance(MINUTE);
    assert_eq!(to(&app.mail().await), [ANA]);
}

#[tokio::test]
async fn what_is_refused_for_good_is_given_up_at_once_and_holds_up_nothing() {
    let app = TestApp::start().await;
    app.post_office.refuse(|letter| {
        let is_reset = letter.subject == "Choose another password";
        is_reset.then(|| Undelivered::new(Blame::Letter, "permanent error (550): no such user"))
    });
    app.post_mail(ANA, About::ResetPassword { token: TOKEN }).await;
    app.post_mail(ANA, About::Test).await;
    assert_eq!(subjects(&app.mail().await), ["A test mail"]);
    let left = outbox(&app).await.remove(0);
    assert_eq!((left.dead_at, left.attempts), (Some(app.now().wall), 1));
    assert_eq!(left.reason.as_deref(), Some("permanent error (550): no such user"));

    let store = &app.app().store;
    assert_eq!(store.drop_mail(WhichMail::Dead).await.unwrap(), 1);
    assert_eq!(size(&app).await, (0, 0));
}

/// Nobody waits for a mail server once for each mail.
#[tokio::test]
async fn when_there_is_no_way_one_mail_is_enough_to_see_it() {
    let app = TestApp::start().await;
    app.post_office.refuse(refused(Blame::Way));
    for recipient in [ANA, BEN, "cy@example.com"] {
        app.post_mail(recipient, About::Test).await;
    }
    app.mail().await;
    assert_eq!(outbox(&app).await.iter().map(|mail| mail.attempts).sum::<u32>(), 1);
    app.post_office.accept();
    assert_eq!(to(&app.mail().await), [BEN, "cy@example.com"]);
    app.clock.advance(MINUTE);
    assert_eq!(to(&app.mail().await), [ANA]);
}

/// A database that was used by a newer version, and is used by this one again.
#[tokio::test]
async fn what_is_not_understood_is_given_up_and_holds_up_nothing() {
    let app = TestApp::start().await;
    app.post_mail(ANA, About::Test).await;
    app.sql().execute(r#"UPDATE outbox SET about = '{"about":"birthday"}'"#, []).unwrap();
    app.post_mail(ANA, About::Test).await;
    assert_eq!(app.mail().await.len(), 1);
    let left = outbox(&app).await.remove(0);
    assert_eq!((left.kind.as_str(), left.about), ("birthday", None));
    assert!(left.dead_at.is_some() && left.reason.unwrap().contains("does not know"));
}

#[tokio::test]
async fn a_clock_that_was_ahead_delays_no_mail() {
    let app = TestApp::start().await;
    let right = app.now().wall;
    app.clock.set_wall(right.plus(365 * DAY));
    app.post_mail(ANA, About::Test).await;
    app.clock.set_wall(right);
    assert_eq!(to(&app.mail().await), [ANA]);
}

/// Else a full disk would have the same mail sent every other second.
#[tokio::test]
async fn a_database_that_takes_no_writes_has_no_mail_sent_twice() {
    let app = TestApp::start().await;
    app.post_mail(ANA, About::Test).await;
    let locked = app.sql();
    locked.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut delivery = Delivery::default();
    for _ in 0..2 {
        delivery.next(&app.app()).await.unwrap_err();
    }
    locked.execute_batch("ROLLBACK").unwrap();
    assert_eq!(app.post_office.take().len(), 1);
    assert_eq!(delivery.next(&app.app()).await.unwrap(), Progress::Idle);
    assert!(app.post_office.take().is_empty());
    assert_eq!(size(&app).await, (0, 0));
}

#[tokio::test]
async fn one_mail_or_all_of_it_is_tried_again_or_dropped() {
    let app = TestApp::start().await;
    let store = &app.app().store;
    app.post_office.refuse(refused(Blame::Moment));
    for recipient in [ANA, BEN] {
        app.post_mail(recipient, About::Test).await;
    }
    app.mail().await;
    app.post_office.accept();
    let ids: Vec<_> = outbox(&app).await.iter().map(|mail| mail.id).collect();

    assert_eq!(store.retry_mail(WhichMail::One(ids[1]), app.now()).await.unwrap(), 1);
    assert_eq!(to(&app.mail().await), [BEN]);
    assert_eq!(store.retry_mail(WhichMail::One(ids[1]), app.now()).await.unwrap(), 0);
    assert_eq!(store.retry_mail(WhichMail::Dead, app.now()).await.unwrap(), 0);
    assert_eq!(store.drop_mail(WhichMail::Dead).await.unwrap(), 0);
    assert_eq!(store.retry_mail(WhichMail::All, app.now()).await.unwrap(), 1);
    assert_eq!(to(&app.mail().await), [ANA]);

    app.post_mail(ANA, About::Test).await;
    app.post_mail(BEN, About::Test).await;
    let ids: Vec<_> = outbox(&app).await.iter().map(|mail| mail.id).collect();
    assert_eq!(store.drop_mail(WhichMail::One(ids[0])).await.unwrap(), 1);
    assert_eq!(store.drop_mail(WhichMail::One(ids[0])).await.unwrap(), 0);
    assert_eq!(store.drop_mail(WhichMail::All).await.unwrap(), 1);
    assert!(app.mail().await.is_empty());
}

/// The token of the link in a letter, as its reader follows it.
pub fn token_in(letter: &Letter) -> String {
    let (_, rest) = letter.text.split_once("?token=").expect("a link");
    rest.split_whitespace().next().expect("a token").to_owned()
}

#[tokio::test]
async fn a_password_is_reset_by_the_link_in_the_letter() {
    let app = TestApp::start().await;
    app.account(ANA).await;
    app.post("/api/auth/forgot-password").json(json!({"email": ANA})).await.status(202);
    let letters = app.mail().await;
    assert_eq!(to(&letters), [ANA]);
    assert!(letters[0].text.contains("/account/reset-password?token="));
    let body = json!({"token": token_in(&letters[0]), "newPassword": "another one now"});
    app.post("/api/auth/reset-password").json(body).await.ok();
    app.login(ANA, "another one now").await.ok();
}

#[tokio::test]
async fn the_owner_is_written_to_when_a_refresh_token_is_reused() {
    let app = TestApp::start().await;
    let ana = app.signed_in(ANA).await;
    app.operator(ANA, UserChange::Verified(true)).await;
    let stolen = ana.jar();
    ana.refresh().await.ok();
    ana.me().await.ok();
    assert!(app.mail().await.is_empty());
    app.clock.advance(GRACE + SECOND);
    let thief = app.browser_with(&stolen).named("Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0");
    thief.refresh().await.problem(403, "refresh_token_reused");
    let letters = app.mail().await;
    assert_eq!(to(&letters), [ANA]);
    assert!(letters[0].text.contains("127.0.0.1"), "{}", letters[0].text);
    // Once: the session is over.
    app.browser_with(&stolen).refresh().await.problem(403, "invalid_refresh_token");
    assert!(app.mail().await.is_empty());
}
