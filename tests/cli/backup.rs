//! `doorward backup` and `doorward check`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::desk::{ANA, Desk, PASSWORD, until};
use crate::server::Server;

/// How many backups are made under load: `DOORWARD_BACKUPS`, or a few.
fn how_many() -> usize {
    std::env::var("DOORWARD_BACKUPS").map_or(5, |number| number.parse().unwrap())
}

/// The database at `path`, past the program.
#[expect(clippy::disallowed_methods, reason = "the test looks at the file from outside")]
pub(crate) fn sql(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}

/// Signs Ana in, and trades her refresh token until `stop`; each time `count` grows.
fn rotate_until(server: &Server, stop: &AtomicBool, count: &AtomicI64) {
    let login = json!({"email": ANA, "password": PASSWORD.trim(), "delivery": "body"});
    let mut tokens = server.post("/api/auth/login", &login);
    while !stop.load(Ordering::Relaxed) {
        let refresh = json!({"refreshToken": tokens["refreshToken"]});
        tokens = server.post("/api/auth/refresh", &refresh);
        count.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn backups_under_load_all_verify() {
    let desk = Desk::with_ana();
    // Nobody reads its log, and a pipe that is full would hold it up.
    let server =
        Server::start(&desk, &[("DOORWARD_LOG_LEVEL", "warn"), ("DOORWARD_THROTTLE", "false")]);
    let (stop, rotations) = (AtomicBool::new(false), AtomicI64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| rotate_until(&server, &stop, &rotations));
        }
        // Whatever fails, the threads must end.
        let outcome = std::panic::catch_unwind(|| {
            until(|| (rotations.load(Ordering::Relaxed) >= 10).then_some(()));
            let at_first = rotations.load(Ordering::Relaxed);
            for number in 0..how_many() {
                let before = rotations.load(Ordering::Relaxed);
                let file = format!("backup-{number}.db");
                desk.run(&format!("backup {file}")).is(0).out(" backed up to backup-");
                desk.run(&format!("check {file}")).is(0);
                let turns = "SELECT sum(generation) - count(*) FROM sessions";
                let backup = sql(&desk.path().join(&file));
                let turns: i64 = backup.query_row(turns, [], |row| row.get(0)).unwrap();
                assert!(turns >= before, "{turns}, but {before} were acknowledged");
                let place = format!("place-{number}");
                desk.run(&format!("restore {file} --data {place}")).is(0).out("1 user restored");
                desk.run(&format!("check --data {place}")).is(0);
                desk.run(&format!("user show {ANA} --data {place}")).is(0);
            }
            assert!(rotations.load(Ordering::Relaxed) > at_first, "nobody waits for a backup");
        });
        stop.store(true, Ordering::Relaxed);
        outcome.unwrap();
    });
    println!("{} backups while {} tokens rotated", how_many(), rotations.into_inner());
    server.stop();
    desk.run("check").is(0);
}

#[test]
fn a_backup_is_one_file_that_its_owner_reads_and_says_what_is_not_in_it() {
    let desk = Desk::with_ana();
    let server = Server::start(&desk, &[]);
    fs::create_dir(desk.path().join("to")).unwrap();
    desk.run("backup to/one.db")
        .is(0)
        .out(" bytes backed up to to/one.db, checked\n")
        .out("The keys are not in it: keep a copy of data/keys, in another place.\n");
    let file = desk.path().join("to/one.db");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let names: Vec<_> = fs::read_dir(desk.path().join("to")).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    let events = "SELECT count(*) FROM audit WHERE event = 'backup_made'";
    let count = |path: &Path| sql(path).query_row(events, [], |row| row.get(0));
    assert_eq!(count(&desk.path().join("data/doorward.db")), Ok(1), "it is on record");

    // Any SQLite reads it.
    assert_eq!(
        sql(&file).query_row("SELECT email FROM users", [], |row| row.get(0)),
        Ok(ANA.to_owned())
    );
    let is_whole = sql(&file).query_row("PRAGMA integrity_check", [], |row| row.get(0));
    assert_eq!(is_whole, Ok("ok".to_owned()));
    desk.run("check to/one.db").is(0);
    server.stop();
}

#[test]
fn nothing_is_written_over_but_a_backup_that_is_to_be() {
    let desk = Desk::with_ana();
    desk.run("backup one.db").is(0);
    let first = fs::read(desk.path().join("one.db")).unwrap();
    desk.run("backup one.db")
        .is(1)
        .err("doorward: one.db is there already: name another file, or replace it with --force\n");
    assert_eq!(fs::read(desk.path().join("one.db")).unwrap(), first);
    desk.run("backup one.db --force").is(0);
    assert_ne!(fs::read(desk.path().join("one.db")).unwrap(), first, "it knows of the first one");
    desk.run("backup data/doorward.db --force").is(1).err("is there already, and is no backup");
    desk.run("backup data --force").is(1).err("is there already, and is no backup");
    desk.run("backup missing/one.db").is(1).err("doorward: cannot write missing/one.db.");
    desk.run("user list").is(0).out(ANA);
}

/// Every byte of the pages' heads and of the line at the end; of the rest a sample. All bits of a
/// small file are those of a unit test.
#[test]
fn a_flipped_bit_is_refused() {
    let desk = Desk::with_ana();
    desk.run("backup whole.db").is(0);
    let whole = fs::read(desk.path().join("whole.db")).unwrap();
    let flipped = desk.path().join("flipped.db");
    for at in
        [0, 18, 28, 100, whole.len() / 2, whole.len() - 106, whole.len() - 90, whole.len() - 1]
    {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x20;
        fs::write(&flipped, &bytes).unwrap();
        desk.run("check flipped.db").is(1).err("doorward: flipped.db: it is ");
        desk.run("restore flipped.db --data new")
            .is(1)
            .err("doorward: cannot restore flipped.db: it is ");
        assert!(!desk.path().join("new/doorward.db").exists(), "byte {at}");
    }
    fs::write(&flipped, &whole).unwrap();
    desk.run("check flipped.db").is(0);
    desk.run("restore flipped.db --data new").is(0);
}

/// Each of the states that no operation leaves behind, made past the program.
#[test]
fn a_check_finds_what_the_schema_cannot_forbid() {
    let desk = Desk::with_ana();
    desk.sign_ana_in();
    desk.run("check").is(0).out("audit trail      ok");
    desk.run("backup whole.db").is(0);
    for (check, found, damage) in [
        (
            "foreign keys",
            "rows of nothing that is there: 1 (sessions)",
            "PRAGMA foreign_keys = OFF; UPDATE sessions SET user_id = zeroblob(16)",
        ),
        (
            "schema",
            "missing or changed: trigger audit_is_not_changed",
            "DROP TRIGGER audit_is_not_changed",
        ),
        (
            "schema",
            "missing or changed: index sessions_user",
            "DROP INDEX sessions_user; CREATE INDEX sessions_user ON sessions (ip)",
        ),
        (
            "users",
            "address not in the form that is kept: 1 (",
            "UPDATE users SET email = 'Ana@Example.com'",
        ),
        ("users", "password that is no hash: 1 (", "UPDATE users SET password_hash = 'secret'"),
        (
            "sessions",
            "ended for an unknown reason: 1 (",
            "UPDATE sessions SET ended_at = 1, end_reason = 'bored'",
        ),
        ("sessions", "live, of a disabled user: 1 (", "UPDATE users SET disabled_at = 1"),
        (
            "sessions",
            "live, after it was revoked: 1 (",
            "INSERT INTO revocations (at, session_id) SELECT 1, id FROM sessions",
        ),
        ("sessions", "outlives its end: 1 (", "UPDATE sessions SET expires_at = ends_at + 1"),
        (
            "profiles",
            "telephone: 1 (",
            "INSERT INTO profiles (user_id, phone) SELECT id, '0123' FROM users",
        ),
        (
            "profiles",
            "time zone: 1 (",
            "INSERT INTO profiles (user_id, time_zone) SELECT id, 'Mars/Base' FROM users",
        ),
        (
            "addresses",
            "of a user without a default: 1 (",
            "INSERT INTO addresses (id, user_id, is_default, recipient, line1, city, country) SELECT zeroblob(16), id, 0, '', '', '', 'ES' FROM users",
        ),
        (
            "one-time tokens",
            "for an unknown purpose: 1 (",
            "INSERT INTO one_time_tokens VALUES (zeroblob(16), 'dance', NULL, 'ana@example.com', 1)",
        ),
        (
            "mail",
            "about something unknown: 1 (1)",
            "INSERT INTO outbox (posted_at, recipient, about, due_at, since) VALUES (1, 'ana@example.com', '{\"about\": \"dance\"}', 1, 1)",
        ),
        (
            "mail",
            "numbers would be given twice: 1 (1)",
            "INSERT INTO outbox (posted_at, recipient, about, due_at, since) VALUES (1, 'ana@example.com', '{\"about\": \"test\"}', 1, 1); DELETE FROM sqlite_sequence WHERE name = 'outbox'",
        ),
        (
            "audit trail",
            "unknown event: 1 (",
            "INSERT INTO audit (at, event, ip, user_agent) VALUES (1, 'dance', '', '')",
        ),
        (
            "audit trail",
            "open for deletion: 1 (",
            "INSERT INTO meta VALUES ('audit_kept_since', 1)",
        ),
    ] {
        let place = tempfile::tempdir_in(desk.path()).unwrap();
        let data = place.path().to_str().unwrap();
        // Not restored: that would end the session.
        fs::copy(desk.path().join("whole.db"), place.path().join("doorward.db")).unwrap();
        sql(&place.path().join("doorward.db")).execute_batch(damage).unwrap();
        let answer = desk
            .run(&format!("check --json --data {data}"))
            .is(1)
            .err("doorward: 1 check failed\n");
        let checks: Value = serde_json::from_str(&answer.out).unwrap();
        let wrong: Vec<_> =
            checks.as_array().unwrap().iter().filter(|check| check["ok"] == false).collect();
        assert!(wrong.len() == 1 && wrong[0]["check"] == check, "{damage}: {wrong:#?}");
        assert!(
            wrong[0]["found"].to_string().contains(&found.replace('"', "\\\"")),
            "{damage}: {wrong:#?}"
        );
        desk.run(&format!("check --data {data}")).is(1).out("WRONG").out(found);
    }
}

/// An operator has added what Doorward does not know.
#[test]
fn an_index_of_somebody_elses_is_a_note_and_is_kept() {
    let desk = Desk::with_ana();
    let path = desk.path().join("data/doorward.db");
    sql(&path).execute_batch("CREATE INDEX theirs ON audit (ip); CREATE TABLE notes (x)").unwrap();
    let note = "unknown: index theirs";
    desk.run("check").is(0).out("schema           ok").out(note);
    let checks = desk.json("check --json");
    let schema = checks.as_array().unwrap().iter().find(|it| it["check"] == "schema").unwrap();
    let notes = json!(["unknown: table notes", note]);
    let expected = json!({"check": "schema", "ok": true, "found": [], "notes": notes});
    assert_eq!(schema, &expected);
    desk.run("backup one.db").is(0);
    desk.run("check one.db").is(0).out(note);
    desk.run("restore one.db").is(0).err("warning: schema: unknown: index theirs");
    let theirs = "SELECT count(*) FROM sqlite_schema WHERE name IN ('theirs', 'notes')";
    let kept = sql(&path).query_row(theirs, [], |row| row.get(0));
    assert_eq!(kept, Ok(2));
    sql(&path).execute_batch("DROP INDEX sessions_user").unwrap();
    desk.run("backup two.db")
        .is(1)
        .err("the copy is damaged: missing or changed: index sessions_user");
}

#[test]
fn damage_that_sqlite_finds_is_told_and_backed_up_by_nobody() {
    let desk = Desk::with_ana();
    let path = desk.path().join("data/doorward.db");
    sql(&path).execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let root: i64 = sql(&path)
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'sessions_live'", [], |row| {
            row.get(0)
        })
        .unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let at = usize::try_from(root - 1).unwrap() * 4096;
    bytes[at..at + 8].fill(0xff);
    fs::write(&path, &bytes).unwrap();
    desk.run("check").is(1).out("integrity        WRONG").err("failed\n");
    desk.run("backup one.db").is(1).err("doorward: the copy is damaged: ");
    assert!(!desk.path().join("one.db").exists());
    desk.run("check nothing.db").is(1).err("nothing.db");
    desk.run("check --unsealed").is(2);
}
