//! `doorward restore`.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

use assert_cmd::cargo::cargo_bin;
use serde_json::{Value, json};

use crate::backup::sql;
use crate::desk::{ANA, Answer, Desk, PASSWORD, until};
use crate::server::Server;

/// Of all servers here: tokens of another one would be refused for that alone.
const SAME: (&str, &str) = ("DOORWARD_PUBLIC_URL", "http://127.0.0.1:8080");

const ME: &str = "/api/auth/me";
const REFRESH: &str = "/api/auth/refresh";

fn login(server: &Server) -> Value {
    let who = json!({"email": ANA, "password": PASSWORD.trim(), "delivery": "body"});
    server.post("/api/auth/login", &who)
}

fn refresh(server: &Server, tokens: &Value) -> (u16, Value) {
    server.ask("POST", REFRESH, &[], &json!({"refreshToken": tokens["refreshToken"]}))
}

fn bearer(tokens: &Value) -> String {
    format!("Bearer {}", tokens["accessToken"].as_str().unwrap())
}

fn me(server: &Server, tokens: &Value) -> (u16, Value) {
    server.ask("GET", ME, &[("authorization", &bearer(tokens))], &Value::Null)
}

/// The letters that were written, as files.
fn letters(desk: &Desk) -> Vec<String> {
    let Ok(entries) = fs::read_dir(desk.path().join("data/mail")) else { return Vec::new() };
    entries.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
}

/// Once there are so many.
fn wait_for_letters(desk: &Desk, count: usize) -> Vec<String> {
    until(|| Some(letters(desk)).filter(|letters| letters.len() >= count))
}

/// The token of the link in a letter.
fn token(letter: &str) -> String {
    let text = letter.replace("=\r\n", "").replace("=3D", "=");
    let (_, rest) = text.split_once("token=").unwrap();
    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).collect()
}

/// Sessions that the backup knows, as they were and as they went on; sessions that it does not know;
/// a link, and a mail that was waiting.
#[test]
fn whoever_comes_back_with_an_old_token_signs_in_again_and_is_accused_of_nothing() {
    let desk = Desk::with_ana();
    desk.run("mail test ben@example.com").is(0);
    let server = Server::start(&desk, &[SAME]);
    wait_for_letters(&desk, 1);
    let forgot = server.ask("POST", "/api/auth/forgot-password", &[], &json!({"email": ANA}));
    assert_eq!(forgot.0, 202);
    let link =
        token(wait_for_letters(&desk, 2).iter().find(|letter| letter.contains(ANA)).unwrap());
    server.stop();
    desk.run("mail test eve@example.com").is(0);

    let server = Server::start(&desk, &[SAME, ("DOORWARD_SMTP_URL", "smtp://127.0.0.1:1")]);
    let mut issued = vec![login(&server), login(&server)];
    issued.push(refresh(&server, &issued[0]).1);
    desk.run("backup monday.db").is(0);
    for _ in 0..3 {
        issued.push(refresh(&server, issued.last().unwrap()).1);
    }
    issued.push(login(&server));
    issued.push(refresh(&server, issued.last().unwrap()).1);
    let eve = json!({"email": "eve@example.com", "password": PASSWORD.trim(), "delivery": "body"});
    let (status, eve) = server.ask("POST", "/api/auth/register", &[], &eve);
    assert_eq!(status, 201, "{eve}");
    issued.push(eve);
    for tokens in &issued {
        assert_eq!(me(&server, tokens).0, 200, "it is good now");
    }
    server.stop();

    desk.run("restore monday.db")
        .is(0)
        .out("1 user restored from monday.db to data/doorward.db\n")
        .out("Everybody signs in again: 2 sessions ended, 1 link voided, 1 mail dropped.\n")
        .out("kept in data/doorward.db.before-restore");
    let before = letters(&desk).len();
    let server = Server::start(&desk, &[SAME]);
    for (number, tokens) in issued.iter().enumerate() {
        let (status, problem) = me(&server, tokens);
        assert_eq!((status, &problem["code"]), (401, &json!("session_expired")), "{number}");
        let (status, problem) = refresh(&server, tokens);
        assert_eq!((status, &problem["code"]), (403, &json!("invalid_refresh_token")), "{number}");
        let cookies = format!(
            "accessToken={}; refreshToken={}",
            tokens["accessToken"].as_str().unwrap(),
            tokens["refreshToken"].as_str().unwrap()
        );
        let (status, problem) = server.ask("GET", ME, &[("cookie", &cookies)], &Value::Null);
        assert_eq!(status, if tokens == issued.last().unwrap() { 403 } else { 401 }, "{problem}");
        assert_ne!(problem["code"], "refresh_token_reused");
    }
    let reset = json!({"token": link, "newPassword": "another horse battery"});
    let (status, problem) = server.ask("POST", "/api/auth/reset-password", &[], &reset);
    assert_eq!(problem["code"], "invalid_token", "{status} {problem}");

    let tokens = login(&server);
    assert_eq!(me(&server, &tokens).0, 200);
    assert_eq!(refresh(&server, &tokens).0, 200);
    assert_eq!(desk.json("mail list --json"), json!([]));
    server.stop();
    let path = desk.path().join("data/doorward.db");
    let count = |query: &str| -> i64 { sql(&path).query_row(query, [], |row| row.get(0)).unwrap() };
    assert_eq!(count("SELECT count(*) FROM audit WHERE event LIKE 'refresh_token_%'"), 0);
    assert_eq!(count("SELECT count(*) FROM audit WHERE event = 'restored'"), 1);
    assert_eq!(count("SELECT count(*) FROM sessions WHERE end_reason = 'restore'"), 2);
    assert_eq!(count("SELECT count(*) FROM outbox"), 0);
    assert_eq!(letters(&desk).len(), before, "nobody was written to");
    desk.run("check").is(0);
}

/// The control: what `restore` is for. Put back by hand, the tokens of then work again.
#[test]
fn a_database_put_back_by_hand_would_let_them_in() {
    let desk = Desk::with_ana();
    let server = Server::start(&desk, &[SAME]);
    let tokens = login(&server);
    desk.run("backup monday.db").is(0);
    let newer = refresh(&server, &tokens).1;
    server.stop();
    fs::copy(desk.path().join("monday.db"), desk.path().join("data/doorward.db")).unwrap();
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(desk.path().join(format!("data/doorward.db{end}")));
    }
    let server = Server::start(&desk, &[SAME]);
    let answer = me(&server, &newer);
    assert_eq!(answer.0, 200, "{answer:?}");
    let answer = refresh(&server, &tokens);
    assert_eq!(answer.0, 200, "{answer:?}");
    server.stop();
}

#[test]
fn it_is_refused_while_somebody_uses_the_database() {
    let desk = Desk::with_ana();
    desk.run("backup one.db").is(0);
    let server = Server::start(&desk, &[SAME]);
    let refused = desk.run("restore one.db").is(1);
    assert_eq!(refused.err, "doorward: data is in use by a running doorward: stop that first\n");
    server.stop();

    let other = sql(&desk.path().join("data/doorward.db"));
    other.query_row("SELECT count(*) FROM users", [], |row| row.get::<_, i64>(0)).unwrap();
    desk.run("restore one.db")
        .is(1)
        .err("doorward: data/doorward.db is in use: stop every program");
    drop(other);
    desk.run("restore one.db").is(0);
    desk.run("user list").is(0).out(ANA);
}

#[test]
fn what_was_there_is_kept_until_it_is_given_up() {
    let desk = Desk::with_ana();
    desk.run("backup one.db").is(0);
    desk.type_in("user add ben@example.com --password-stdin", PASSWORD).is(0);
    desk.run("restore one.db").is(0);
    assert!(!desk.run("user list").is(0).out.contains("ben@"));
    let aside = desk.path().join("data/doorward.db.before-restore");
    let users = |query: &str| sql(&aside).query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(users("SELECT count(*) FROM users"), 2);
    assert_eq!(fs::metadata(&aside).unwrap().permissions().mode() & 0o777, 0o600);

    desk.run("restore one.db").is(1).err("an earlier restore has replaced").err("with --force\n");
    assert_eq!(users("SELECT count(*) FROM users"), 2);
    desk.run("restore one.db --force").is(0);
    assert_eq!(users("SELECT count(*) FROM users"), 1);

    // A restore was broken off, on a file system where it takes two steps.
    let path = desk.path().join("data/doorward.db");
    fs::rename(&path, desk.path().join("data/doorward.db.replaced")).unwrap();
    desk.run("serve --listen 127.0.0.1:0")
        .is(1)
        .err("a restore has not come to its end. Run `doorward restore` again");
    desk.run("restore one.db").is(1).err("an earlier restore has replaced");
    desk.run("restore one.db --force").is(0);
    desk.run("user list").is(0).out(ANA);
    assert!(!desk.path().join("data/doorward.db.replaced").exists());
}

/// The way back from the wrong backup, while somebody still looks into the database.
#[test]
fn the_only_copy_outlives_a_restore_that_is_refused() {
    let desk = Desk::with_ana();
    desk.run("backup one.db").is(0);
    desk.type_in("user add ben@example.com --password-stdin", PASSWORD).is(0);
    desk.run("restore one.db").is(0);
    desk.run("user list").is(0);
    let other = sql(&desk.path().join("data/doorward.db"));
    other.query_row("SELECT count(*) FROM users", [], |row| row.get::<_, i64>(0)).unwrap();
    let back = "restore --unsealed --force data/doorward.db.before-restore";
    desk.run(back).is(1).err("doorward: data/doorward.db is in use: stop every program");
    drop(other);
    desk.run(back).is(0).out("2 users restored");
    desk.run("user list").is(0).out("ben@example.com");
    desk.run("check --unsealed data/doorward.db.before-restore").is(0);
}

/// A server was killed, and the database was removed by hand, but not its log.
#[test]
fn a_log_without_its_database_is_that_of_no_other() {
    let desk = Desk::with_ana();
    desk.run("backup one.db").is(0);
    desk.type_in("user add ben@example.com --password-stdin", PASSWORD).is(0);
    desk.run("restore one.db").is(0);
    let path = desk.path().join("data/doorward.db");
    let server = Server::start(&desk, &[SAME]);
    login(&server);
    // As a kill leaves it.
    fs::copy(desk.path().join("data/doorward.db-wal"), desk.path().join("log")).unwrap();
    server.stop();
    fs::rename(desk.path().join("log"), desk.path().join("data/doorward.db-wal")).unwrap();
    fs::remove_file(&path).unwrap();
    desk.run("serve --listen 127.0.0.1:0").is(1).err("the database that a restore has replaced");
    desk.run("restore one.db").is(1).err("give that its name back").err("With --force");
    let answer = desk.run("restore one.db --force").is(0);
    let answer =
        answer.err("warning: there was a log without its database: it is now data/doorward");
    assert!(!answer.out.contains("kept in"), "{answer:?}");
    let aside = desk.path().join("data/doorward.db.before-restore");
    assert!(!desk.path().join("data/doorward.db.before-restore-wal").exists());
    let users = sql(&aside).query_row("SELECT count(*) FROM users", [], |row| row.get(0));
    assert_eq!(users, Ok(2));
    desk.run("check").is(0);
}

/// `root` would leave a database that the server cannot open.
#[test]
fn it_is_refused_to_whoever_does_not_have_the_directory() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let desk = Desk::with_ana();
    desk.run("backup one.db").is(0);
    for name in ["data", "data/doorward.db"] {
        chown(desk.path().join(name), Some(65534), Some(65534)).unwrap();
    }
    let before = fs::read(desk.path().join("data/doorward.db")).unwrap();
    let refused = desk.run("restore one.db").is(1);
    assert_eq!(
        refused.err,
        "doorward: data belongs to the user with id 65534, who could not open a database that you \
         make. Restore as that user\n"
    );
    assert_eq!(fs::read(desk.path().join("data/doorward.db")).unwrap(), before);
    assert!(!desk.path().join("data/doorward.lock").exists(), "nor is that left behind");
    chown(desk.path().join("data"), Some(0), Some(0)).unwrap();
    desk.run("restore one.db").is(0);
}

/// The link would become a file, and the database that it leads to stay as it is.
#[test]
fn a_link_is_refused() {
    let desk = Desk::with_ana();
    desk.run("backup one.db").is(0);
    let (path, real) = (desk.path().join("data/doorward.db"), desk.path().join("real.db"));
    fs::rename(&path, &real).unwrap();
    symlink(&real, &path).unwrap();
    desk.run("restore one.db").is(1).err("doorward: data/doorward.db is a symbolic link, and");
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    fs::rename(&real, desk.path().join("gone.db")).unwrap();
    desk.run("restore one.db").is(1).err("data/doorward.db is a symbolic link");
}

/// Files may not grow beyond some length: the same as a disk that becomes full.
#[test]
fn when_the_disk_is_full_the_old_database_stays_and_nothing_is_left() {
    let desk = Desk::with_ana();
    desk.run("backup one.db").is(0);
    desk.type_in("user add ben@example.com --password-stdin", PASSWORD).is(0);
    let blocks = fs::metadata(desk.path().join("one.db")).unwrap().len() / 512;
    let limited = |blocks: u64, line: &str| {
        let program = cargo_bin!("doorward").display();
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec {program} {line}");
        let mut command = assert_cmd::Command::new("sh");
        Answer::of(command.args(["-c", &script]).current_dir(desk.path()).env_clear())
    };
    let left = |place: &str| -> Vec<String> {
        let entries = fs::read_dir(desk.path().join(place)).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains("restor") || name.contains("two.db")).collect()
    };
    for some in [0, blocks / 2, blocks - 8] {
        limited(some, "restore one.db")
            .is(1)
            .err("doorward: cannot make the new database, data/doorward.db.restoring: ")
            .err(". What was written is removed, and the old one is as it was\n");
        assert_eq!(left("data"), [""; 0], "{some}");
        desk.run("user list").is(0).out("ben@example.com");
    }
    for some in [blocks / 2, blocks - 8] {
        limited(some, "backup two.db")
            .is(1)
            .err("doorward: cannot copy the database to two.db.")
            .err(". What was written is removed\n");
        assert_eq!(left("."), [""; 0], "{some}");
    }
    limited(2 * blocks, "restore one.db").is(0);
}

#[test]
fn another_machine_starts_from_a_backup() {
    let desk = Desk::with_ana();
    desk.run("backup one.db").is(0);
    desk.run("restore one.db --data new/place")
        .is(0)
        .out("1 user restored from one.db to new/place/doorward.db\n")
        .err("warning: there is no new/place/keys: put the keys back before the start");
    let mode =
        |path: &str| fs::metadata(desk.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("new/place"), mode("new/place/doorward.db")), (0o700, 0o600));
    let mut names: Vec<_> = fs::read_dir(desk.path().join("new/place"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["doorward.db", "doorward.lock"], "nothing else is left");
    desk.run("user list --data new/place").is(0).out(ANA);
}

#[test]
fn what_is_no_backup_is_refused() {
    let desk = Desk::with_ana();
    desk.run("backup one.db").is(0);
    let whole = fs::read(desk.path().join("one.db")).unwrap();
    let plain = &whole[..whole.len() - whole.len() % 4096];

    desk.run("restore nothing.db --data new")
        .is(1)
        .err("doorward: cannot read nothing.db: No such file");
    assert!(!desk.path().join("new").exists());
    fs::write(desk.path().join("plain.db"), plain).unwrap();
    for (line, reason) in [
        ("check plain.db", "the checksum at its end is missing"),
        ("restore plain.db", "is taken with --unsealed\n"),
    ] {
        desk.run(line).is(1).err(reason);
    }
    desk.run("check plain.db --unsealed").is(0);
    desk.run("restore plain.db --unsealed --data plain").is(0);
    fs::write(desk.path().join("plain.db-wal"), "a log").unwrap();
    for line in ["check plain.db --unsealed", "restore plain.db --unsealed"] {
        desk.run(line).is(1).err("plain.db has a log beside it (-wal)");
    }

    sql(&desk.path().join("theirs.db")).execute_batch("CREATE TABLE theirs (x)").unwrap();
    fs::write(desk.path().join("newer.db"), plain).unwrap();
    sql(&desk.path().join("newer.db")).pragma_update(None, "user_version", 99).unwrap();
    fs::write(desk.path().join("text.db"), "not a database\n".repeat(500)).unwrap();
    fs::write(desk.path().join("cut.db"), &plain[..plain.len() - 8192]).unwrap();
    for (file, reason) in [
        ("theirs.db", "theirs.db is not a Doorward database\n"),
        ("newer.db", "newer.db has schema 99, and this doorward knows schemas up to"),
        ("text.db", "text.db is not a Doorward database\n"),
        ("cut.db", "malformed"),
    ] {
        desk.run(&format!("restore {file} --unsealed")).is(1).err(reason);
        let _ = desk.run(&format!("check {file} --unsealed")).is(1);
    }
    desk.run("user list").is(0).out(ANA);
    let names = fs::read_dir(desk.path().join("data")).unwrap();
    assert!(names.flatten().all(|entry| !entry.file_name().to_string_lossy().contains("restor")));
}
