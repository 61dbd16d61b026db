//! What one user, or one who is about to sign in, can ask for without a pause: others are served
//! meanwhile, and it fills neither the memory nor the disk.

use doorward::domain::claims::Role;
use doorward::domain::id::OneTimeId;
use doorward::store::UserChange;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::harness::{Answer, Call, HOUR, MINUTE, PASSWORD, Program, SECOND, TestApp};

const ANA: &str = "ana@example.com";
const BEN: &str = "ben@example.com";
const EXPORT: &str = "/api/auth/me/export";
const PROFILE: &str = "/api/profile";
const ADDRESSES: &str = "/api/profile/addresses";
const HOME: &str = "203.0.113.7";
const WRONG: &str = "wrong horse battery";

async fn throttled() -> TestApp {
    TestApp::with(|config| {
        config.throttle = true;
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await
}

#[track_caller]
fn is_limited(answer: &Answer, seconds: u32) {
    answer.problem(429, "too_many_attempts");
    assert_eq!(answer.header("retry-after"), seconds.to_string());
}

#[track_caller]
fn is_shed(answer: &Answer) {
    answer.problem(503, "overloaded");
    assert_eq!(answer.header("retry-after"), "1");
}

/// The head of a request and its body, as they go over the wire.
fn wire(method: &str, path: &str, more: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{more}Content-Length: {length}\r\n\r\n{body}"
    )
}

/// Of the longest kind: a trail that a user has made long by themselves.
async fn make_the_trail_long(app: &TestApp, email: &str) {
    let insert = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
        INSERT INTO audit (at, event, user_id, ip, user_agent)
        SELECT i, 'profile_changed', ?1, '', ?2 FROM n";
    let agent = "\"".repeat(256);
    app.sql().execute(insert, rusqlite::params![app.user(email).await.id.0, agent]).unwrap();
}

/// Two hundred at once, of which the client reads nothing, used to hold all database readers for seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn exports_that_nobody_reads_keep_nobody_waiting() {
    let app = TestApp::start().await;
    let ana = app.program(ANA).await;
    make_the_trail_long(&app, ANA).await;
    app.account(BEN).await;
    let bearer = format!("Authorization: Bearer {}\r\n", ana.tokens.access);
    let request = wire("GET", EXPORT, &bearer, "");
    let mut unread = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(app.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        unread.push(stream);
    }
    for _ in 0..20 {
        let ben = app.program(BEN).await;
        for path in ["/api/auth/me", "/api/auth/sessions", "/api/auth/events", PROFILE] {
            ben.call("GET", path).await.ok();
        }
        app.login(BEN, WRONG).await.problem(401, "invalid_credentials");
    }
    let (mut served, mut shed) = (0, 0);
    for mut stream in unread {
        let mut answer = Vec::new();
        while !answer.starts_with(b"HTTP/1.1 200") && !answer.ends_with(b"}") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "it is cut off");
        }
        let answer = String::from_utf8_lossy(&answer);
        let is_shed = answer.contains(r#""code":"overloaded""#);
        served += u32::from(answer.starts_with("HTTP/1.1 200"));
        shed += u32::from(is_shed);
        assert!(is_shed || answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    assert!(served > 0 && shed > 0, "{served} and {shed}");
}

#[tokio::test]
async fn one_export_is_put_together_at_a_time() {
    let app = TestApp::start().await;
    let (ana, ben) = (app.program(ANA).await, app.program(BEN).await);
    let turn = app.app().exports.take().unwrap();
    is_shed(&ana.call("GET", EXPORT).await);
    is_shed(&ben.call("GET", EXPORT).await);
    ben.me().await.ok();
    drop(turn);
    ana.call("GET", EXPORT).await.ok();
    ben.call("GET", EXPORT).await.ok();
}

/// What was shed is none of them.
#[tokio::test]
async fn ten_exports_of_one_account_and_hour() {
    let app = throttled().await;
    let (ana, ben) = (app.program(ANA).await, app.program(BEN).await);
    let turn = app.app().exports.take().unwrap();
    for _ in 0..12 {
        is_shed(&ana.call("GET", EXPORT).await);
    }
    drop(turn);
    // From wherever, in whichever session.
    for number in 0..5 {
        let there = format!("192.0.2.{number}");
        ana.call("GET", EXPORT).header("x-forwarded-for", there).await.ok();
        app.program(ANA).await.call("GET", EXPORT).await.ok();
    }
    is_limited(&ana.call("GET", EXPORT).await, 3600);
    ana.call("GET", "/api/auth/events").await.ok();
    ben.call("GET", EXPORT).await.ok();
    for _ in 0..2 {
        app.clock.advance(10 * MINUTE);
        let ana = app.program(ANA).await;
        ana.call("GET", EXPORT).await.problem(429, "too_many_attempts");
    }
    app.clock.advance(HOUR - 20 * MINUTE);
    app.program(ANA).await.call("GET", EXPORT).await.ok();
}

fn rename<'a>(ana: &'a Program<'a>, name: &str) -> Call<'a> {
    ana.call("PATCH", PROFILE).json(json!({ "displayName": name }))
}

fn move_in<'a>(ana: &'a Program<'a>, city: &str) -> Call<'a> {
    let home = json!({"recipient": "Ana", "line1": "1", "city": city, "country": "ES"});
    ana.call("POST", ADDRESSES).json(home)
}

/// Each is an event of the trail, and the trail cannot be cut short.
#[tokio::test]
async fn a_hundred_changes_of_profile_and_addresses_in_a_quarter_of_an_hour() {
    let app = throttled().await;
    let (ana, ben) = (app.program(ANA).await, app.program(BEN).await);
    for number in 0..25 {
        rename(&ana, &number.to_string()).await.ok();
        let added = move_in(&ana, "Madrid").await.status(201);
        let path = format!("{ADDRESSES}/{}", added["id"].as_str().unwrap());
        ana.call("PATCH", &path).json(json!({"city": "Cádiz"})).await.ok();
        ana.call("DELETE", &path).await.status(204);
    }
    let recorded = || -> i64 {
        let count =
            "SELECT count(*) FROM audit WHERE event LIKE 'profile%' OR event LIKE 'address%'";
        app.sql().query_row(count, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(recorded(), 100);

    let nowhere = format!("{ADDRESSES}/{}", crate::harness::NOBODY);
    let other = app.program(ANA).await;
    for call in [
        rename(&ana, "Ana"),
        rename(&other, "Ana").header("x-forwarded-for", HOME),
        move_in(&ana, "Madrid"),
        ana.call("PATCH", &nowhere).json(json!({"city": "Madrid"})),
        ana.call("DELETE", &nowhere),
    ] {
        is_limited(&call.await, 900);
    }
    assert_eq!(recorded(), 100);
    assert_eq!(ana.call("GET", PROFILE).await.ok()["displayName"], "24");
    ana.call("GET", ADDRESSES).await.ok();
    rename(&ben, "Ben").await.ok();

    app.clock.advance(15 * MINUTE - SECOND);
    let ana = app.program(ANA).await;
    is_limited(&rename(&ana, "Ana").await, 1);
    app.clock.advance(SECOND);
    rename(&ana, "Ana").await.ok();
}

#[tokio::test]
async fn a_change_that_the_server_owes_is_not_counted() {
    let app = throttled().await;
    let ana = app.program(ANA).await;
    let add = || move_in(&ana, "Madrid");
    app.sql().execute_batch("ALTER TABLE users RENAME TO lost").unwrap();
    for _ in 0..60 {
        for call in [rename(&ana, "Ana"), add()] {
            assert!(call.await.status >= 500);
        }
    }
    app.sql().execute_batch("ALTER TABLE lost RENAME TO users").unwrap();
    rename(&ana, "Ana").await.ok();
    add().await.status(201);
}

/// Sends a login, and hangs up without an answer.
async fn break_off(app: &TestApp, address: &str, email: &str) {
    let body = json!({"email": email, "password": WRONG}).to_string();
    let more = format!("X-Forwarded-For: {address}\r\nContent-Type: application/json\r\n");
    let mut stream = TcpStream::connect(app.address()).await.unwrap();
    stream.write_all(wire("POST", "/api/auth/login", &more, &body).as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    // Until the server has seen it.
    stream.read_to_end(&mut Vec::new()).await.unwrap();
}

/// Each may have a password hashed, and used to cost nothing. Those of one address are counted there,
/// and no account is locked for it.
#[tokio::test]
async fn logins_that_are_broken_off_count_for_the_address_alone() {
    let app = throttled().await;
    app.account(ANA).await;
    let from = |address: &str| app.login(ANA, PASSWORD).header("x-forwarded-for", address);
    // The server answers some before it sees that nobody listens: those are plain failures, each on
    // an account of its own.
    for number in 0..290 {
        break_off(&app, HOME, &format!("user{number}@example.com")).await;
    }
    from(HOME).await.ok();
    let mut more = 0;
    while from(HOME).await.status != 429 {
        assert!(more < 300, "it is never limited");
        break_off(&app, HOME, "nobody@example.com").await;
        more += 1;
    }
    assert!(more >= 10, "{more} are too few");
    from("192.0.2.1").await.ok();
    app.clock.advance(15 * MINUTE);
    from(HOME).await.ok();
}

/// The address of the mailbox and the network of the office are nobody's fault.
#[tokio::test]
async fn links_that_are_good_are_not_counted() {
    let app = throttled().await;
    let root = "root@example.com";
    app.account(root).await;
    app.operator(root, UserChange::Role(Role::Admin)).await;
    let root = app.program(root).await;
    let send = |path: &str, body: Value| app.post(path).header("x-forwarded-for", HOME).json(body);
    for number in 0..60 {
        let email = format!("user{number}@example.com");
        app.account(&email).await;
        let ask = app.post("/api/auth/resend-verification").json(json!({ "email": email }));
        ask.header("x-forwarded-for", format!("192.0.2.{number}")).await.status(202);
        let link = app.link(&email, "verify_email");
        send("/api/auth/verify-email", json!({ "token": link })).await.ok();
        send("/api/auth/verify-email", json!({"token": "made-up"}))
            .await
            .problem(403, "invalid_token");

        let invited = json!({"email": format!("guest{number}@example.com")});
        let invited = root.call("POST", "/api/admin/invitations").json(invited).await.status(201);
        let id = Uuid::parse_str(invited["id"].as_str().unwrap()).unwrap();
        let link = app.app().keys.current().active().one_time_token(OneTimeId(id)).to_string();
        let accept = json!({"token": link, "password": PASSWORD});
        send("/api/auth/accept-invitation", accept).await.status(201);
    }
    // Those that are good for nothing are.
    for left in (0..=40).rev() {
        let answer = send("/api/auth/verify-email", json!({"token": "made-up"})).await;
        assert_eq!(answer.status == 403, left > 0, "{left}: {answer}");
    }
}
