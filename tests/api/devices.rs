//! The devices from which an account has signed in, and the mail about a new one.

use doorward::domain::account::Email;
use doorward::domain::id::UserId;
use doorward::store::UserChange;
use serde_json::json;

use crate::harness::{DAY, HOUR, MINUTE, PASSWORD, SECOND, TestApp, Tokens};
use crate::mail::subjects;

const ANA: &str = "ana@example.com";
const OTHER: &str = "staple, upright";
const HOME: &str = "192.0.2.1";
const CAFE: &str = "198.51.100.9";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
const NEWER_FIREFOX: &str =
    "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0";
const PHONE: &str = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) \
                     Chrome/126.0.0.0 Mobile Safari/537.36";
const SUBJECT: &str = "A sign-in from a new device or place";

async fn behind_a_proxy() -> TestApp {
    TestApp::with(|config| config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()]).await
}

/// An account whose address is verified: others are not written to.
async fn owner(app: &TestApp) {
    app.account(ANA).await;
    app.operator(ANA, UserChange::Verified(true)).await;
}

async fn sign_in(app: &TestApp, ip: &str, agent: &str) {
    let login = app.login(ANA, PASSWORD).header("x-forwarded-for", ip);
    login.header("user-agent", agent).await.ok();
}

/// How many mails about a new device there have been since the last time.
async fn announced(app: &TestApp) -> usize {
    app.mail().await.iter().filter(|letter| letter.subject == SUBJECT).count()
}

fn devices(app: &TestApp) -> i64 {
    app.sql().query_row("SELECT count(*) FROM devices", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn a_second_device_is_announced_once() {
    let app = behind_a_proxy().await;
    owner(&app).await;
    sign_in(&app, HOME, FIREFOX).await;
    assert_eq!(announced(&app).await, 0, "the first of all");
    sign_in(&app, HOME, FIREFOX).await;
    sign_in(&app, HOME, NEWER_FIREFOX).await;
    assert_eq!(announced(&app).await, 0, "the same again, updated in the meantime");

    sign_in(&app, HOME, PHONE).await;
    let letters = app.mail().await;
    assert_eq!((letters.len(), letters[0].to.as_str(), letters[0].subject), (1, ANA, SUBJECT));
    let facts = format!("  Device: Chrome on Android\n  Address: {HOME}\n");
    assert!(letters[0].text.contains(&facts), "{}", letters[0].text);
    assert!(letters[0].text.contains("device or place"), "{}", letters[0].text);
    sign_in(&app, HOME, PHONE).await;
    assert_eq!(announced(&app).await, 0);

    sign_in(&app, CAFE, FIREFOX).await;
    assert_eq!(announced(&app).await, 1, "the browser of the first, in another network");
    sign_in(&app, "2001:db8::1", FIREFOX).await;
    assert_eq!(announced(&app).await, 1);
    sign_in(&app, "2001:db8::2", FIREFOX).await;
    assert_eq!(announced(&app).await, 0, "the same network");
    app.restart().await;
    sign_in(&app, CAFE, FIREFOX).await;
    assert_eq!(announced(&app).await, 0, "also after a restart");
}

#[tokio::test]
async fn a_refused_sign_in_is_no_device() {
    let app = behind_a_proxy().await;
    owner(&app).await;
    sign_in(&app, HOME, FIREFOX).await;
    let wrong = app.login(ANA, "wrong horse battery").header("x-forwarded-for", CAFE);
    wrong.await.problem(401, "invalid_credentials");
    assert_eq!((announced(&app).await, devices(&app)), (0, 1));
}

#[tokio::test]
async fn the_first_sign_in_of_all_is_no_news_and_a_later_one_is() {
    let app = behind_a_proxy().await;
    let ana = app.browser().named(FIREFOX);
    let credentials = json!({"email": ANA, "password": PASSWORD});
    ana.call("POST", "/api/auth/register").json(credentials).await.status(201);
    app.operator(ANA, UserChange::Verified(true)).await;
    assert_eq!((announced(&app).await, devices(&app)), (0, 1));

    // All that is known is forgotten, as for somebody who was away for long.
    app.clock.advance(400 * DAY);
    let sweep = app.app().store.sweep_devices(30 * DAY, app.now()).await.unwrap();
    assert_eq!((sweep, devices(&app)), (1, 0));
    sign_in(&app, CAFE, PHONE).await;
    assert_eq!((announced(&app).await, devices(&app)), (1, 1));
}

async fn change_password(app: &TestApp, ip: &str, agent: &str, old: &str, new: &str) {
    let login = json!({"email": ANA, "password": old, "delivery": "body"});
    let login = app.post("/api/auth/login").json(login).header("x-forwarded-for", HOME);
    let tokens = Tokens::of(&login.header("user-agent", FIREFOX).await.ok());
    let change = json!({"currentPassword": old, "newPassword": new});
    let change = app.post("/api/auth/password").bearer(&tokens.access).json(change);
    change.header("x-forwarded-for", ip).header("user-agent", agent).await.ok();
}

/// The thief's device is one of them.
#[tokio::test]
async fn with_another_password_other_devices_are_forgotten() {
    let app = behind_a_proxy().await;
    owner(&app).await;
    for (ip, agent) in [(HOME, FIREFOX), (HOME, PHONE), (CAFE, PHONE)] {
        sign_in(&app, ip, agent).await;
    }
    assert_eq!((announced(&app).await, devices(&app)), (2, 3));
    change_password(&app, HOME, FIREFOX, PASSWORD, OTHER).await;
    assert_eq!((announced(&app).await, devices(&app)), (0, 1), "the one at hand stays");
    let again = app.login(ANA, OTHER).header("x-forwarded-for", HOME);
    again.header("user-agent", FIREFOX).await.ok();
    assert_eq!(announced(&app).await, 0);
    let thief = app.login(ANA, OTHER).header("x-forwarded-for", CAFE);
    thief.header("user-agent", PHONE).await.ok();
    assert_eq!((announced(&app).await, devices(&app)), (1, 2));

    app.operator(ANA, UserChange::PasswordHash("$argon2id$changed".to_owned())).await;
    assert_eq!(devices(&app), 0, "the shell is none");
}

/// Whoever has found a session and the password is not to be known from then on.
#[tokio::test]
async fn a_password_that_is_changed_from_elsewhere_makes_nothing_known() {
    let app = behind_a_proxy().await;
    owner(&app).await;
    sign_in(&app, HOME, FIREFOX).await;
    change_password(&app, CAFE, PHONE, PASSWORD, OTHER).await;
    let letters = app.mail().await;
    assert_eq!(subjects(&letters), [SUBJECT, "Your password was changed"]);
    let facts = format!("  Device: Chrome on Android\n  Address: {CAFE}\n");
    assert!(letters[0].text.contains(&facts), "{}", letters[0].text);
    assert_eq!(devices(&app), 0);
    let again = app.login(ANA, OTHER).header("x-forwarded-for", CAFE);
    again.header("user-agent", PHONE).await.ok();
    assert_eq!((announced(&app).await, devices(&app)), (1, 1));
}

#[tokio::test]
async fn who_was_brought_along_has_a_first_device_too() {
    let app = behind_a_proxy().await;
    app.account("ben@example.com").await;
    let ben = app.user("ben@example.com").await;
    let store = &app.app().store;
    let mut ana = store.find_account(ben.id).await.unwrap().unwrap();
    ana.user.id = UserId::new(app.now().wall, &[7; 10]);
    ana.user.email = Email::parse(ANA).unwrap();
    ana.user.is_verified = true;
    store.import_users(vec![ana], app.now()).await.unwrap();

    sign_in(&app, HOME, FIREFOX).await;
    assert_eq!(announced(&app).await, 0);
    sign_in(&app, CAFE, FIREFOX).await;
    assert_eq!(announced(&app).await, 1);
}

/// The mail and the sign-in are in one transaction: it waits there for a better time.
#[tokio::test]
async fn the_mail_waits_where_the_sign_in_is_written() {
    let app = behind_a_proxy().await;
    owner(&app).await;
    sign_in(&app, HOME, FIREFOX).await;
    sign_in(&app, CAFE, FIREFOX).await;
    app.restart().await;
    assert_eq!(announced(&app).await, 1);

    // What cannot be announced does not happen.
    app.sql().execute_batch("ALTER TABLE outbox RENAME TO lost").unwrap();
    let phone = || app.login(ANA, PASSWORD).header("user-agent", PHONE);
    assert!(phone().await.status >= 500);
    assert_eq!((devices(&app), app.audited("signed_in")), (2, 2));
    app.sql().execute_batch("ALTER TABLE lost RENAME TO outbox").unwrap();
    phone().await.ok();
    assert_eq!((announced(&app).await, devices(&app)), (1, 3));
}

/// Whoever knows the password can call themselves what they like: that must not fill a letter box.
#[tokio::test]
async fn five_mails_an_hour_have_told_it() {
    let app = behind_a_proxy().await;
    owner(&app).await;
    for number in 0..8 {
        sign_in(&app, HOME, &format!("browser{number}/1.0")).await;
    }
    assert_eq!(announced(&app).await, 5);
    app.clock.advance(HOUR + SECOND);
    for number in 10..18 {
        sign_in(&app, HOME, &format!("browser{number}/1.0")).await;
    }
    assert_eq!(announced(&app).await, 5);
}

#[tokio::test]
async fn fifty_devices_are_kept_those_seen_last() {
    let app = behind_a_proxy().await;
    owner(&app).await;
    for number in 0..50 {
        sign_in(&app, HOME, &format!("browser{number}/1.0")).await;
        app.clock.advance(MINUTE);
    }
    // The first is seen again, a day later; now the second is the one seen longest ago.
    app.clock.advance(DAY);
    sign_in(&app, HOME, "browser0/1.0").await;
    sign_in(&app, HOME, FIREFOX).await;
    app.mail().await;
    assert_eq!(devices(&app), 50);
    app.clock.advance(HOUR + SECOND);
    sign_in(&app, HOME, "browser0/1.0").await;
    sign_in(&app, HOME, "browser2/1.0").await;
    assert_eq!(announced(&app).await, 0);
    sign_in(&app, HOME, "browser1/1.0").await;
    assert_eq!(announced(&app).await, 1);
}

#[tokio::test]
async fn a_device_that_is_not_seen_is_forgotten() {
    let app = behind_a_proxy().await;
    owner(&app).await;
    let short = 30 * DAY;
    let sweep = async |oldest| app.app().store.sweep_devices(oldest, app.now()).await.unwrap();
    sign_in(&app, HOME, FIREFOX).await;
    sign_in(&app, CAFE, FIREFOX).await;
    app.mail().await;
    app.clock.advance(DAY);
    sign_in(&app, HOME, FIREFOX).await;
    app.clock.advance(179 * DAY);
    assert_eq!(sweep(short).await, 0, "180 days");
    app.clock.advance(SECOND);
    assert_eq!(
        sweep(180 * DAY).await,
        0,
        "a session that began there may have gone on for as long"
    );
    assert_eq!((sweep(short).await, sweep(short).await), (1, 0));
    sign_in(&app, HOME, FIREFOX).await;
    assert_eq!(announced(&app).await, 0);
    sign_in(&app, CAFE, FIREFOX).await;
    assert_eq!(announced(&app).await, 1);
}

#[tokio::test]
async fn the_day_of_a_sign_in_is_written_once_and_again_when_the_clock_was_ahead() {
    let app = behind_a_proxy().await;
    app.account(ANA).await;
    let seen = || {
        let seen = app.sql().query_row("SELECT last_seen FROM devices", [], |row| row.get(0));
        seen.unwrap()
    };
    sign_in(&app, HOME, FIREFOX).await;
    let first: i64 = seen();
    app.clock.advance(DAY - SECOND);
    sign_in(&app, HOME, FIREFOX).await;
    assert_eq!(seen(), first);
    app.clock.advance(SECOND);
    sign_in(&app, HOME, FIREFOX).await;
    assert_eq!(seen(), app.now().wall.as_millis());
    app.clock.set_wall(app.now().wall.minus(HOUR));
    sign_in(&app, HOME, FIREFOX).await;
    assert_eq!(seen(), app.now().wall.as_millis());
}

#[tokio::test]
async fn devices_go_with_the_account() {
    let app = behind_a_proxy().await;
    owner(&app).await;
    sign_in(&app, HOME, FIREFOX).await;
    app.operator(ANA, UserChange::Delete).await;
    assert_eq!(devices(&app), 0);
    owner(&app).await;
    sign_in(&app, CAFE, FIREFOX).await;
    assert_eq!(announced(&app).await, 0);
}
