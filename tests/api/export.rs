//! Taking along what is kept: all of it, of one's own, of one moment.

use std::collections::BTreeSet;

use doorward::domain::claims::Role;
use doorward::store::UserChange;
use serde_json::{Value, json};

use crate::harness::{BEGINNING, Browser, REFRESH_TTL, SECOND, TestApp};

const ANA: &str = "ana@example.com";
const EXPORT: &str = "/api/auth/me/export";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

/// Every column in which something is kept about a user, with where it is in the document (a JSON
/// pointer), or why it is left out; `*` is a whole table. A column that is not here fails the test: say
/// which it is.
const KEPT: &[(&str, Result<&str, &str>)] = &[
    ("users.id", Ok("/account/id")),
    ("users.email", Ok("/account/email")),
    ("users.password_hash", Err("proves who somebody is")),
    ("users.role", Ok("/account/role")),
    ("users.is_verified", Ok("/account/isVerified")),
    ("users.disabled_at", Err("who is disabled cannot ask")),
    ("users.created_at", Ok("/account/createdAt")),
    ("users.updated_at", Ok("/account/updatedAt")),
    ("profiles.user_id", Ok("/account/id")),
    ("profiles.display_name", Ok("/profile/displayName")),
    ("profiles.given_name", Ok("/profile/givenName")),
    ("profiles.family_name", Ok("/profile/familyName")),
    ("profiles.phone", Ok("/profile/phone")),
    ("profiles.locale", Ok("/profile/locale")),
    ("profiles.time_zone", Ok("/profile/timeZone")),
    ("profiles.avatar_url", Ok("/profile/avatarUrl")),
    ("addresses.seq", Err("their order")),
    ("addresses.id", Ok("/addresses/0/id")),
    ("addresses.user_id", Ok("/account/id")),
    ("addresses.is_default", Ok("/addresses/0/isDefault")),
    ("addresses.label", Ok("/addresses/0/label")),
    ("addresses.recipient", Ok("/addresses/0/recipient")),
    ("addresses.line1", Ok("/addresses/0/line1")),
    ("addresses.line2", Ok("/addresses/0/line2")),
    ("addresses.postal_code", Ok("/addresses/0/postalCode")),
    ("addresses.city", Ok("/addresses/0/city")),
    ("addresses.region", Ok("/addresses/0/region")),
    ("addresses.country", Ok("/addresses/0/country")),
    ("addresses.phone", Ok("/addresses/0/phone")),
    ("sessions.id", Ok("/sessions/0/id")),
    ("sessions.user_id", Ok("/account/id")),
    ("sessions.created_at", Ok("/sessions/0/createdAt")),
    ("sessions.generation", Err("of the rotation, not of the user")),
    ("sessions.secret_hash", Err("proves who somebody is")),
    ("sessions.salt", Err("proves who somebody is")),
    ("sessions.key_id", Err("of the keys, not of the user")),
    ("sessions.rotated_at", Err("of the rotation, not of the user")),
    ("sessions.confirmed_at", Err("of the rotation, not of the user")),
    ("sessions.expires_at", Ok("/sessions/0/expiresAt")),
    ("sessions.ends_at", Err("the age that ends every session, which is a setting")),
    ("sessions.last_used_at", Ok("/sessions/0/lastUsedAt")),
    ("sessions.ip", Ok("/sessions/0/ip")),
    ("sessions.user_agent", Ok("/sessions/0/userAgent")),
    ("sessions.ended_at", Ok("/endedSessions/0/endedAt")),
    ("sessions.end_reason", Ok("/endedSessions/0/endReason")),
    ("revocations.*", Err("of the tokens of a few minutes")),
    ("audit.seq", Err("their order")),
    ("audit.at", Ok("/events/0/at")),
    ("audit.event", Ok("/events/0/event")),
    ("audit.user_id", Ok("/account/id")),
    ("audit.session_id", Ok("/events/0/sessionId")),
    ("audit.ip", Ok("/events/0/ip")),
    ("audit.user_agent", Ok("/events/0/userAgent")),
    ("audit.detail", Ok("/events/5/detail/role")),
    ("audit.actor_id", Ok("/events/0/byAdmin")),
    ("devices.user_id", Ok("/account/id")),
    ("devices.mark", Err("tells nothing")),
    ("devices.first_seen", Ok("/devices/0/firstSeen")),
    ("devices.last_seen", Ok("/devices/0/lastSeen")),
    ("users.has_signed_in", Err("that there is such an event")),
    ("notices.*", Err("a mark that tells nothing, for an hour")),
    ("invitations.*", Err("of somebody who has no account yet")),
    ("outbox.*", Err("gone when the letter is: the user has it")),
    ("one_time_tokens.*", Err("proves who somebody is, and is gone when the link is")),
];

/// What makes a table one about users: it says whose a row is, or where somebody was or can be reached.
const TELLING: [&str; 7] =
    ["user_id", "actor_id", "email", "recipient", "ip", "user_agent", "session_id"];

/// The columns of the tables that refer to users, as `table.column`.
fn columns_about_users(app: &TestApp) -> BTreeSet<String> {
    let sql = app.sql();
    let list = |query: &str| -> Vec<(String, String)> {
        let mut rows = sql.prepare(query).unwrap();
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let tables = "FROM sqlite_schema AS t JOIN";
    let columns = list(&format!("SELECT t.name, c.name {tables} pragma_table_info(t.name) AS c"));
    let references =
        list(&format!("SELECT t.name, f.\"table\" {tables} pragma_foreign_key_list(t.name) AS f"));
    let is_telling = |table: &str| {
        table == "users"
            || references.iter().any(|(from, to)| from == table && to == "users")
            || columns.iter().any(|(from, it)| from == table && TELLING.contains(&it.as_str()))
    };
    let is_table = |table: &str| !table.starts_with("sqlite_");
    let indices = list("SELECT name, tbl_name FROM sqlite_schema WHERE type <> 'table'");
    columns
        .iter()
        .filter(|(table, _)| !indices.iter().any(|(index, _)| index == table))
        .filter(|(table, _)| is_table(table) && is_telling(table))
        .map(|(table, column)| {
            let whole = format!("{table}.*");
            let is_whole = KEPT.iter().any(|(it, _)| *it == whole);
            if is_whole { whole } else { format!("{table}.{column}") }
        })
        .collect()
}

/// Says something in every field, and signs in from a named device.
async fn says_all<'a>(browser: &'a Browser<'a>, email: &str, name: &str) {
    browser.login(email).await.ok();
    let profile = json!({
        "displayName": name, "givenName": format!("{name} given"), "familyName": format!("{name} family"),
        "phone": "+34 910 000 000", "locale": "es-ES", "timeZone": "Europe/Madrid",
        "avatarUrl": format!("https://example.com/{name}.png"),
    });
    browser.call("PATCH", "/api/profile").csrf().json(profile).await.ok();
    let address = json!({
        "label": format!("{name} home"), "recipient": name, "line1": format!("{name} street"),
        "line2": "2º B", "postalCode": "28013", "city": "Madrid", "region": "Madrid",
        "country": "ES", "phone": "+34 910 000 000",
    });
    browser.call("POST", "/api/profile/addresses").csrf().json(address).await.status(201);
}

#[tokio::test]
async fn it_is_all_that_is_kept() {
    let app = TestApp::start().await;
    app.account(ANA).await;
    app.operator(ANA, UserChange::Role(Role::Admin)).await;
    let ana = app.browser().named(FIREFOX);
    says_all(&ana, ANA, "Ana").await;
    let before = app.signed_in(ANA).await;
    before.logout().await.ok();

    let answer = ana.call("GET", EXPORT).await;
    let export = answer.sets_no_cookies().ok();
    let disposition = r#"attachment; filename="doorward-export.json""#;
    assert_eq!(answer.header("content-disposition"), disposition);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(export["exportedAt"], app.now().wall.to_string());

    let listed: BTreeSet<_> = KEPT.iter().map(|(column, _)| (*column).to_owned()).collect();
    assert_eq!(
        columns_about_users(&app),
        listed,
        "what is new is exported, or left out for a reason"
    );
    for (column, place) in KEPT {
        match place {
            Ok(pointer) => assert!(export.pointer(pointer).is_some(), "{column}: {export}"),
            Err(reason) => assert!(!reason.is_empty(), "{column}"),
        }
    }

    // Each part is what its own operation shows.
    for (part, path, list) in [
        ("account", "/api/auth/me", None),
        ("profile", "/api/profile", None),
        ("addresses", "/api/profile/addresses", Some("addresses")),
        ("sessions", "/api/auth/sessions", Some("sessions")),
        ("events", "/api/auth/events", Some("events")),
    ] {
        let shown = ana.call("GET", path).await.ok();
        let shown = list.map_or(&shown, |list| &shown[list]);
        assert_eq!(&export[part], shown, "{part}");
    }
    assert_eq!(export["eventsTruncated"], false);
}

/// Where somebody was is kept until the sweep.
#[tokio::test]
async fn sessions_that_are_over_and_devices_are_in_it() {
    let app = TestApp::start().await;
    app.account(ANA).await;
    let (laptop, desk) = (app.browser().named(FIREFOX), app.browser().named("Deskphone/1"));
    laptop.login(ANA).await.ok();
    let session = laptop.session_id().await;
    app.clock.advance(SECOND);
    let ended_at = app.now().wall.to_string();
    laptop.logout().await.ok();
    desk.login(ANA).await.ok();
    let forgotten = desk.session_id().await;
    let (first_seen, is_over) = (app.now().wall.to_string(), app.now().wall.plus(REFRESH_TTL));

    app.clock.advance(REFRESH_TTL);
    let laptop = app.browser().named(FIREFOX);
    laptop.login(ANA).await.ok();
    let export = laptop.call("GET", EXPORT).await.ok();
    assert_eq!(export["sessions"].as_array().unwrap().len(), 1);
    assert_eq!(export["endedSessionsTruncated"], false);
    let ended = export["endedSessions"].as_array().unwrap();
    assert_eq!(ended.len(), 2, "{export}");
    for (session, id, at, reason, agent, device) in [
        (&ended[0], forgotten, is_over.to_string(), "expired", "Deskphone/1", "Deskphone"),
        (&ended[1], session, ended_at, "logout", FIREFOX, "Firefox on Linux"),
    ] {
        assert_eq!((&session["id"], &session["endedAt"]), (&json!(id), &json!(at)));
        assert_eq!((&session["endReason"], &session["ip"]), (&json!(reason), &json!("127.0.0.1")));
        assert_eq!((&session["userAgent"], &session["device"]), (&json!(agent), &json!(device)));
    }
    let now = app.now().wall.to_string();
    let devices = json!([
        {"firstSeen": BEGINNING.to_string(), "lastSeen": now},
        {"firstSeen": first_seen, "lastSeen": first_seen},
    ]);
    assert_eq!(export["devices"], devices);
    // Nobody else's are.
    let ben = app.program("ben@example.com").await.call("GET", EXPORT).await.ok();
    assert_eq!((&ben["endedSessions"], &ben["devices"][1]), (&json!([]), &Value::Null));
}

#[tokio::test]
async fn it_has_the_latest_sessions_and_says_when_there_are_more() {
    let app = TestApp::start().await;
    let ana = app.signed_in(ANA).await;
    let copy = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
        INSERT INTO sessions (id, user_id, created_at, generation, secret_hash, salt, key_id,
            rotated_at, expires_at, ends_at, last_used_at, ip, user_agent, ended_at, end_reason)
        SELECT unhex(printf('0190b8a0000070008000%012x', i + ?1)), user_id, created_at, generation, secret_hash, salt, key_id,
            rotated_at, expires_at, ends_at, last_used_at, ip, user_agent, created_at, 'logout'
        FROM n, sessions WHERE ended_at IS NULL";
    for (more, truncated) in [(1_000, false), (1, true)] {
        app.sql().execute(copy, [more]).unwrap();
        let export = ana.call("GET", EXPORT).await.ok();
        assert_eq!(export["endedSessions"].as_array().unwrap().len(), 1_000);
        assert_eq!(export["endedSessionsTruncated"], truncated);
    }
}

#[tokio::test]
async fn what_is_empty_is_left_out_as_elsewhere() {
    let app = TestApp::start().await;
    let export = app.program(ANA).await.call("GET", EXPORT).await.ok();
    assert_eq!((&export["profile"], &export["addresses"]), (&json!({}), &json!([])));
    assert!(!export.to_string().contains("null"), "{export}");
}

#[tokio::test]
async fn nothing_of_anybody_else_is_in_it() {
    let app = TestApp::start().await;
    for email in [ANA, "ben@example.com"] {
        app.account(email).await;
    }
    let (ana, ben) = (app.browser().named("Anaphone/1"), app.browser().named("Benphone/1"));
    says_all(&ana, ANA, "Ana").await;
    says_all(&ben, "ben@example.com", "Ben").await;
    app.operator(ANA, UserChange::Role(Role::Admin)).await;
    // What she does to his account is told to him, but not who and where she is.
    let his = app.user("ben@example.com").await.id;
    let change = ana.call("PATCH", &format!("/api/admin/users/{his}"));
    change.csrf().json(json!({"isVerified": true})).await.ok();

    for (browser, own, other) in [(&ana, "Ana", "Ben"), (&ben, "Ben", "Ana")] {
        let export = browser.call("GET", EXPORT).await.ok();
        let text = export.to_string();
        assert!(text.contains(&format!("{own}phone")) && text.contains(&format!("{own} street")));
        let other_id = app.user(&format!("{}@example.com", other.to_lowercase())).await.id;
        for word in [other, &other.to_lowercase(), &other_id.to_string()] {
            // Her e-mail address has his name in it nowhere, and the other way about.
            assert!(!text.contains(word), "{own} is told {word}: {text}");
        }
    }
    let export = ben.call("GET", EXPORT).await.ok();
    let event = &export["events"][0];
    assert_eq!((&event["event"], &event["byAdmin"]), (&json!("user_verified"), &json!(true)));
    assert_eq!((&event["ip"], &event["userAgent"]), (&json!(""), &json!("")));
}

#[tokio::test]
async fn no_secret_is_in_it() {
    let app = TestApp::start().await;
    let ana = app.signed_in(ANA).await;
    app.post("/api/auth/forgot-password").json(json!({"email": ANA})).await.status(202);
    let export = ana.call("GET", EXPORT).await.ok().to_string().to_lowercase();
    let secrets = "SELECT lower(password_hash) FROM users
        UNION ALL SELECT lower(hex(secret_hash)) FROM sessions
        UNION ALL SELECT lower(hex(salt)) FROM sessions
        UNION ALL SELECT lower(hex(id)) FROM one_time_tokens";
    let sql = app.sql();
    let mut rows = sql.prepare(secrets).unwrap();
    let secrets = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let secrets: Vec<_> = secrets.map(Result::unwrap).collect();
    assert_eq!(secrets.len(), 4);
    let bare = export.replace('-', "");
    for secret in &secrets {
        assert!(!export.contains(secret) && !bare.contains(secret), "{secret}");
    }
    assert!(!export.contains("argon2") && !export.contains("v4."), "{export}");
}

/// However long the trail is, the answer is put together in memory.
#[tokio::test]
async fn it_has_the_latest_events_and_says_when_there_are_more() {
    let app = TestApp::start().await;
    let ana = app.signed_in(ANA).await;
    let id = app.user(ANA).await.id.0;
    let count = |export: &Value| export["events"].as_array().unwrap().len();
    let before = count(&ana.call("GET", EXPORT).await.ok());
    let missing = i64::try_from(1_000 - before).unwrap();
    let insert = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
        INSERT INTO audit (at, event, user_id, ip, user_agent) SELECT i, 'signed_in', ?1, '', '' FROM n";
    app.sql().execute(insert, rusqlite::params![id, missing]).unwrap();
    let full = ana.call("GET", EXPORT).await.ok();
    assert_eq!((count(&full), &full["eventsTruncated"]), (1_000, &json!(false)));

    app.clock.advance(SECOND);
    let change = json!({"displayName": "Ana"});
    ana.call("PATCH", "/api/profile").csrf().json(change).await.ok();
    let cut = ana.call("GET", EXPORT).await.ok();
    assert_eq!((count(&cut), &cut["eventsTruncated"]), (1_000, &json!(true)));
    assert_eq!(cut["events"][0]["event"], "profile_changed");
    assert_eq!(cut["events"][999], full["events"][998]);
}
