//! A database of every schema there was, under the current program: everybody is still signed in, and
//! nothing is forgotten. That an interrupted upgrade is taken up again is in `tests/faults/upgrade.rs`.

#[path = "../upgrade/fixture.rs"]
mod fixture;

use std::fs;
use std::path::Path;

use doorward::config::{Config, PublicUrl};
use doorward::domain::claims::Role;
use doorward::domain::id::OneTimeId;
use doorward::domain::time::Timestamp;
use doorward::store::UserChange;
use rusqlite::Connection;
use serde_json::{Value, json};
use uuid::Uuid;

use self::fixture::{Fixture, connect, content, is_sound, schema, tables, version};
use crate::harness::{HOUR, MINUTE, PASSWORD, Program, SECOND, TestApp, Tokens};

const ANA: &str = "ana@example.com";
const BEN: &str = "ben@example.com";
const ROOT: &str = "root@example.com";

/// Of the same password, from elsewhere.
const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS";

/// Tokens of one server are read by the next.
fn settings(config: &mut Config) {
    config.public_url = Some(PublicUrl::parse("https://auth.example.com").unwrap());
}

/// What a database holds that was used for a while, with the tokens that are about.
async fn story(app: &TestApp) -> Value {
    for email in [ANA, BEN, ROOT, "eve@example.com"] {
        app.account(email).await;
    }
    app.operator(ROOT, UserChange::Role(Role::Admin)).await;
    app.operator("eve@example.com", UserChange::Disable).await;
    app.operator(BEN, UserChange::PasswordHash(BCRYPT.to_owned())).await;

    // One that was seen in use since, and one that has ended.
    let mut ben = app.program(BEN).await;
    let reused = ben.tokens.refresh.clone();
    for _ in 0..3 {
        app.clock.advance(MINUTE);
        ben.refresh().await;
        ben.me().await.ok();
    }
    let ended = app.program(ANA).await;
    let logout = json!({"refreshToken": ended.tokens.refresh});
    app.post("/api/auth/logout").json(logout).await.ok();

    let root = app.program(ROOT).await;
    let guest = json!({"email": "guest@example.com"});
    let invitation = root.call("POST", "/api/admin/invitations").json(guest).await.status(201);
    let mut ana = app.program(ANA).await;
    ana.call("PATCH", "/api/profile").json(json!({"displayName": "Ana"})).await.ok();
    let home = json!({"recipient": "Ana", "line1": "Rua 1", "city": "Lisboa", "country": "PT"});
    ana.call("POST", "/api/profile/addresses").json(home).await.status(201);
    app.post("/api/auth/forgot-password").json(json!({"email": ANA})).await.status(202);
    let reset = "SELECT id FROM one_time_tokens WHERE purpose = 'reset_password'";
    let reset: Uuid = app.sql().query_row(reset, [], |row| row.get(0)).unwrap();
    let link = |id| app.app().keys.current().active().one_time_token(OneTimeId(id)).to_string();
    let invitation = Uuid::parse_str(invitation["id"].as_str().unwrap()).unwrap();

    // Two tabs that race, and one of them has not got its answer when the program stops.
    app.clock.advance(MINUTE);
    let rotates = app.program(ANA).await.tokens;
    let superseded = ana.tokens.refresh.clone();
    ana.refresh().await;
    app.clock.advance(SECOND);
    app.app().store.write_notes(app.now()).await.unwrap();
    json!({
        "at": app.now().wall.as_millis(), "access": rotates.access, "rotates": rotates.refresh,
        "superseded": superseded, "ended": ended.tokens.refresh, "reused": reused,
        "reset": link(reset), "invitation": link(invitation),
    })
}

/// Writes the fixtures that are missing; those that are there stay as they are for ever. Schemas from
/// before there was this test are given what they have room for.
#[tokio::test]
#[ignore = "writes files: once for each new schema"]
async fn write() {
    let app = TestApp::with(settings).await;
    let facts = story(&app).await;
    let from = app.sql();
    let migrations = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/migrations");
    let files = fs::read_dir(migrations).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.collect();
    files.sort();
    assert_eq!(files.len(), version(&from));
    for schema in 1..=files.len() {
        let path = Fixture::path(schema);
        if !path.exists() {
            let older = connect(Path::new(":memory:"));
            for file in &files[..schema] {
                older.execute_batch(&fs::read_to_string(file).unwrap()).unwrap();
            }
            fill(&older, &from);
            for pragma in ["application_id", "user_version"] {
                let ours =
                    from.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0));
                older.pragma_update(None, pragma, ours.unwrap()).unwrap();
            }
            older.pragma_update(None, "user_version", i64::try_from(schema).unwrap()).unwrap();
            is_sound(&older);
            fs::write(path, Fixture::dump(&older, &facts)).unwrap();
        }
    }
}

/// Copies what there is room for.
fn fill(to: &Connection, from: &Connection) {
    to.execute("DELETE FROM meta", []).unwrap();
    for (table, columns) in tables(to) {
        for row in fixture::quoted(from, &table, &columns) {
            let insert = format!("INSERT INTO {table} ({})", columns.join(", "));
            let is_there = table == "sqlite_sequence";
            if is_there {
                to.execute(
                    "DELETE FROM sqlite_sequence WHERE name = ?1",
                    [row[0].trim_matches('\'')],
                )
                .unwrap();
            }
            to.execute(&format!("{insert} VALUES ({})", row.join(", ")), []).unwrap();
        }
    }
}

/// The current schema, as the program makes it.
async fn current() -> (usize, Vec<String>) {
    let app = TestApp::start().await;
    let sql = app.sql();
    (version(&sql), schema(&sql))
}

#[tokio::test]
async fn everybody_is_still_signed_in_after_an_upgrade_from_any_schema() {
    let (newest, wanted) = current().await;
    for fixture in Fixture::all(newest) {
        println!("schema {}", fixture.schema);
        let at = Timestamp::from_millis(fixture.facts["at"].as_i64().unwrap());
        let before = tempfile::tempdir().unwrap();
        fixture.restore(before.path());
        let before = connect(&before.path().join("doorward.db"));
        assert_eq!(version(&before), fixture.schema);

        let app = TestApp::furnished(|data| fixture.restore(data), at, settings).await;
        assert_eq!(version(&app.sql()), newest);
        assert_eq!(schema(&app.sql()), wanted);
        is_sound(&app.sql());
        let old = tables(&before);
        assert_eq!(content(&app.sql(), &old), content(&before, &old));
        goes_on(&app, &fixture).await;
    }
}

/// Up to the eighth, devices were not recorded of all who are signed in, nor who has signed in ever.
#[tokio::test]
async fn a_sign_in_from_elsewhere_is_told_after_an_upgrade() {
    for fixture in Fixture::all(8) {
        let at = Timestamp::from_millis(fixture.facts["at"].as_i64().unwrap());
        let furnish = |data: &Path| {
            fixture.restore(data);
            let sql = connect(&data.join("doorward.db"));
            sql.execute("UPDATE users SET is_verified = 1", []).unwrap();
            sql.execute("UPDATE sessions SET user_agent = 'curl/8.8.0' WHERE ended_at IS NULL", [])
                .unwrap();
            // That they have signed in is known of each from another table.
            let keeper = "SELECT sql FROM sqlite_schema WHERE name = 'audit_is_not_deleted'";
            let keeper: String = sql.query_row(keeper, [], |row| row.get(0)).unwrap();
            sql.execute_batch("DROP TRIGGER audit_is_not_deleted").unwrap();
            for (table, whose, since) in
                [("audit", ROOT, 1), ("sessions", ANA, 1), ("devices", BEN, 7)]
            {
                if fixture.schema >= since {
                    let others = "user_id <> (SELECT id FROM users WHERE email = ?1)";
                    sql.execute(&format!("DELETE FROM {table} WHERE {others}"), [whose]).unwrap();
                }
            }
            sql.execute_batch(&keeper).unwrap();
        };
        let app = TestApp::furnished(furnish, at, settings).await;
        app.mail().await;
        let told = async |email: &str, agent: &str| {
            app.login(email, PASSWORD).header("user-agent", agent).await.ok();
            app.mail().await.len()
        };
        let schema = fixture.schema;
        assert_eq!(told(ANA, "elsewhere/1").await, 1, "{schema}: elsewhere");
        assert_eq!(told(ANA, "curl/8.8.0").await, 0, "{schema}: where she is signed in");
        assert_eq!(told(ANA, "").await, 1, "{schema}: where a session has ended");
        assert_eq!(told(ROOT, "curl/8.8.0").await, 1, "{schema}: nowhere any more");
        assert_eq!(told(BEN, "curl/8.8.0").await, usize::from(schema >= 7), "{schema}: a device");
        app.account("new@example.com").await;
        app.operator("new@example.com", UserChange::Verified(true)).await;
        assert_eq!(told("new@example.com", "curl/8.8.0").await, 0, "{schema}: the first of all");
    }
}

/// Everything that was begun before the upgrade is finished after it.
async fn goes_on(app: &TestApp, Fixture { schema, facts, .. }: &Fixture) {
    let token = |name: &str| facts[name].as_str().unwrap();
    app.me(token("access")).await.ok();
    let rotated = app.refresh_with(token("rotates")).await.ok();
    app.refresh(&Tokens::of(&rotated)).await.ok();
    // Whichever tab is first: both have the same successor.
    let successors = [
        Tokens::of(&app.refresh_with(token("superseded")).await.ok()),
        Tokens::of(&app.refresh_with(token("superseded")).await.ok()),
    ];
    app.me(&successors[0].access).await.ok();
    app.refresh(&successors[1]).await.ok();
    app.refresh_with(token("ended")).await.problem(403, "invalid_refresh_token");

    app.login(ANA, PASSWORD).await.ok();
    app.login(BEN, PASSWORD).await.ok();
    app.login("eve@example.com", PASSWORD).await.problem(403, "account_disabled");
    let login = json!({"email": ROOT, "password": PASSWORD, "delivery": "body"});
    let login = app.post("/api/auth/login").json(login).await.ok();
    let root = Program::new(app, Tokens::of(&login));
    let users = root.call("GET", "/api/admin/users").await.ok();
    assert_eq!(users["users"].as_array().unwrap().len(), 4);
    let events = root.call("GET", "/api/admin/events").await.ok();
    assert!(events["events"].as_array().unwrap().len() > 5);

    if *schema >= 2 {
        let ana = Program::new(app, successors[0].clone());
        let profile = ana.call("GET", "/api/profile").await.ok();
        assert_eq!(profile["displayName"], "Ana");
    }
    app.refresh_with(token("reused")).await.problem(403, "refresh_token_reused");
    let letters = app.mail().await;
    let is_there = |subject: &str| letters.iter().any(|letter| letter.subject == subject);
    // A letter whose link is good for nothing is not sent; the third schema had no table for links.
    assert_eq!(is_there("Choose another password"), *schema >= 4, "the outbox");
    if *schema >= 4 {
        let body = json!({"token": token("reset"), "newPassword": "staple, upright and shiny"});
        app.post("/api/auth/reset-password").json(body).await.ok();
    }
    if *schema >= 6 {
        let body = json!({"token": token("invitation"), "password": PASSWORD});
        app.post("/api/auth/accept-invitation").json(body).await.status(201);
    }
    // And a day later.
    app.clock.advance(HOUR * 24);
    app.restart().await;
    app.login(BEN, PASSWORD).await.ok();
}
