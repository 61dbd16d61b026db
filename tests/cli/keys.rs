//! `doorward keys`, and secrets in general.

use std::fs;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, chown};
use std::time::Duration;

use doorward::clock::{Clock as _, SystemClock};
use doorward::crypto::key_files;
use doorward::crypto::keyring::Root;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::desk::{ANA, Answer, Desk, PASSWORD, first, until};
use crate::server::Server;

#[test]
fn fresh_keys_differ_and_can_be_used() {
    let desk = Desk::new();
    let keys = [0, 1].map(|_| desk.run("keys generate").is(0).out);
    assert_ne!(keys[0], keys[1]);
    for key in &keys {
        let key = key.strip_suffix('\n').unwrap();
        assert!(key.starts_with("k4.local.") && key.len() == 52, "{} bytes", key.len());
        assert!(Root::parse(key).is_some());
    }
    fs::write(desk.path().join("mounted"), keys.concat()).unwrap();
    let list = desk.run_in("keys list --json", "DOORWARD_KEY_FILE", "mounted").is(0);
    let list: Value = serde_json::from_str(&list.out).unwrap();
    assert_eq!((first(&list, "state"), &list[1]["state"]), ("active", &"verifying".into()));
    for (field, prefix) in [("kid", "k4.pid."), ("key", "k4.public."), ("refreshKeyId", "k4.lid.")]
    {
        assert!(first(&list, field).starts_with(prefix), "{field}");
    }
}

/// Also to a file whose last line has no end.
#[test]
fn a_key_that_is_appended_has_a_line_of_its_own() {
    let desk = Desk::new();
    let path = desk.path().join("mounted");
    let append = || {
        let file = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("doorward"));
        let command = command.args(["keys", "generate"]).env_clear().current_dir(desk.path());
        assert!(command.stdout(file.unwrap()).status().unwrap().success());
        fs::read_to_string(&path).unwrap()
    };
    let one = append();
    assert_eq!(one.lines().count(), 1);
    fs::write(&path, one.trim_end()).unwrap();
    for keys in 2..4 {
        append();
        let list = desk.run_in("keys list --json", "DOORWARD_KEY_FILE", "mounted").is(0).out;
        let list: Value = serde_json::from_str(&list).unwrap();
        assert_eq!(list.as_array().unwrap().len(), keys);
    }
    fs::write(&path, format!("{}{}", one.trim_end(), one)).unwrap();
    desk.run_in("keys list", "DOORWARD_KEY_FILE", "mounted").is(2).err("two keys in one line");
}

#[test]
fn keys_that_cannot_be_used_are_a_matter_of_configuration() {
    let desk = Desk::new();
    fs::write(desk.path().join("bad"), "k4.local.c2hvcnQ\n").unwrap();
    let answer =
        desk.run_in("keys list", "DOORWARD_KEY_FILE", "bad").is(2).err("bad line 1: not a key");
    assert!(!answer.err.contains("c2hvcnQ"), "the key is repeated");
    fs::write(desk.path().join("junk"), [0xff, 0x00, 0xfe]).unwrap();
    desk.run_in("keys list", "DOORWARD_KEY_FILE", "junk").is(2).err("junk line 1: not a key");
    fs::write(desk.path().join("empty"), "# nothing\n").unwrap();
    desk.run_in("keys list", "DOORWARD_KEY_FILE", "empty").is(2).err("no key in empty. It holds");
    desk.run_in("keys list", "DOORWARD_KEY_FILE", "gone").is(2).err("cannot read gone");
    fs::create_dir(desk.path().join("data")).unwrap();
    desk.run("keys list").is(1).err("no keys in data");
    assert!(!desk.path().join("data/keys").exists());
}

#[test]
fn an_empty_file_among_the_keys_is_not_passed_over() {
    let desk = Desk::new();
    let keys = desk.path().join("data/keys");
    let now = SystemClock::start().now().wall;
    key_files::load_dir(&keys, true, &Root::from_bytes([9; 32]), now).unwrap();
    desk.run("keys list").is(0).out("active");
    let empty =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(keys.join("9.key"));
    drop(empty.unwrap());
    for line in ["keys list", "serve --listen 127.0.0.1:0"] {
        desk.run(line).is(2).err(
            "doorward: no key in data/keys/9.key. Put the file back from a backup; or, if it \
             never held a key, remove it\n",
        );
    }
}

#[test]
fn a_key_of_somebody_else_is_refused_with_what_to_do() {
    let desk = Desk::unprivileged();
    let path = desk.path().join("mounted");
    fs::write(&path, desk.run("keys generate").is(0).out).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    for line in ["keys list", "serve --listen 127.0.0.1:0"] {
        desk.run_in(line, "DOORWARD_KEY_FILE", "mounted").is(2).err(
            "doorward: cannot read mounted: Permission denied (os error 13). Run doorward as the \
             user who owns it\n",
        );
    }
}

#[test]
fn no_command_prints_a_secret_or_a_hash() {
    let desk = Desk::with_ana();
    desk.sign_ana_in();
    let now = SystemClock::start().now().wall;
    let root = Root::from_bytes([9; 32]);
    key_files::load_dir(&desk.path().join("data/keys"), true, &root, now).unwrap();
    for line in [
        "keys list",
        "keys list --json",
        "user list",
        "user list --json",
        "user show ana@example.com",
        "user show ana@example.com --json",
        "session list",
        "session list --json",
        "config",
        "user add ana@example.com --password-stdin",
        "user set-password ana@example.com --password-stdin",
    ] {
        let Answer { out, err, .. } = desk.type_in(line, PASSWORD);
        assert_ne!(format!("{out}{err}"), "", "{line}");
        for secret in ["k4.local", "k4.secret", "$argon2", PASSWORD.trim(), "secretHash", "salt"] {
            assert!(!out.contains(secret) && !err.contains(secret), "{line}: {secret}");
        }
    }
}

/// What a running server publishes, the active key first.
fn published(server: &Server) -> Vec<String> {
    let list = server.get("/.well-known/doorward-keys");
    let keys = list["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// Until a running server is where it should be. It looks several times a second.
fn wait_for(server: &Server, done: impl Fn(&[String]) -> bool) -> Vec<String> {
    until(|| Some(published(server)).filter(|keys| done(keys)))
}

fn login() -> Value {
    json!({"email": ANA, "password": PASSWORD.trim(), "delivery": "body"})
}

#[test]
fn a_running_server_signs_with_a_new_key_and_nobody_signs_in_again() {
    let desk = Desk::with_ana();
    let server = Server::start(&desk, &[]);
    let before = server.post("/api/auth/login", &login());
    let old = published(&server);

    let said = desk.run("keys rotate").is(0).out("1 older key verifying").out;
    let kid = said.split(' ').next().unwrap();
    let keys = wait_for(&server, |keys| keys.len() == 2);
    assert_eq!(keys, [kid, &old[0]]);
    let after = server.post("/api/auth/refresh", &json!({"refreshToken": before["refreshToken"]}));
    assert!(after["accessToken"].as_str().unwrap().starts_with("v4.public."));

    let list = desk.json("keys list --json");
    let states: Vec<_> = list.as_array().unwrap().iter().map(|key| &key["state"]).collect();
    assert_eq!(states, ["active", "verifying"]);
    assert!(list[0]["since"].is_string() && list[1]["since"].is_string());
    assert!(list[1]["until"].as_str() > list[1]["since"].as_str());
    desk.run("keys list").is(0).out("Not retired before").out("verifying");

    // Two at once: both are there, and one of them is active.
    let twice = std::thread::scope(|scope| {
        let runs = [0, 1].map(|_| scope.spawn(|| desk.run("keys rotate").is(0).out));
        runs.map(|run| run.join().unwrap().split(' ').next().unwrap().to_owned())
    });
    let keys = wait_for(&server, |keys| keys.len() == 4);
    assert!(twice.iter().all(|kid| keys.contains(kid)) && twice.contains(&keys[0]));
    server.post("/api/auth/refresh", &json!({"refreshToken": after["refreshToken"]}));
    server.stop();

    // The next start has them all.
    let server = Server::start(&desk, &[]);
    assert_eq!(published(&server), keys);
    server.stop();
}

#[test]
fn a_leaked_key_is_revoked_with_all_that_it_made() {
    let desk = Desk::with_ana();
    let server = Server::start(&desk, &[]);
    let tokens = server.post("/api/auth/login", &login());
    let old = published(&server);
    desk.run("keys rotate --revoke-old").is(0).out("1 older key revoked, 1 session ended");
    let keys = wait_for(&server, |keys| !keys.contains(&old[0]));
    assert_eq!(keys.len(), 1);
    let body = json!({"refreshToken": tokens["refreshToken"]});
    assert_eq!(server.refused("/api/auth/refresh", &body), (403, "invalid_refresh_token".into()));
    server.post("/api/auth/login", &login());
    let list = desk.json("keys list --json");
    assert_eq!((first(&list, "state"), &list[1]["state"]), ("active", &"retired".into()));
    assert_eq!(list[1]["kid"], old[0]);
    assert_eq!(fs::read_dir(desk.path().join("data/keys")).unwrap().count(), 1);
    server.stop();
}

/// A session that a revoked key has made, however it came to live, holds up no start.
#[test]
#[expect(clippy::disallowed_methods, reason = "writes what only a defect could")]
fn what_a_revoked_key_has_left_behind_is_no_reason_not_to_start() {
    let desk = Desk::with_ana();
    let server = Server::start(&desk, &[]);
    let tokens = server.post("/api/auth/login", &login());
    desk.run("keys rotate --revoke-old").is(0);
    wait_for(&server, |keys| keys.len() == 1);
    server.stop();
    let sql = rusqlite::Connection::open(desk.path().join("data/doorward.db")).unwrap();
    sql.execute("UPDATE sessions SET ended_at = NULL, end_reason = NULL", []).unwrap();
    drop(sql);
    let server = Server::start(&desk, &[]);
    let body = json!({"refreshToken": tokens["refreshToken"]});
    assert_eq!(server.refused("/api/auth/refresh", &body), (403, "invalid_refresh_token".into()));
    server.stop();
}

/// As a copy of the directory from before brings it.
#[test]
fn a_revoked_key_that_is_put_back_signs_nothing() {
    let desk = Desk::with_ana();
    let (keys, copy) = (desk.path().join("data/keys"), desk.path().join("copy"));
    Server::start(&desk, &[]).stop();
    let name = fs::read_dir(&keys).unwrap().next().unwrap().unwrap().file_name();
    fs::create_dir(&copy).unwrap();
    fs::copy(keys.join(&name), copy.join(&name)).unwrap();
    desk.run("keys rotate --revoke-old").is(0);
    fs::copy(copy.join(&name), keys.join("9.key")).unwrap();
    desk.run("serve --listen 127.0.0.1:0")
        .is(2)
        .err("the active key in data/keys is k4.pid.")
        .err("which was retired or revoked on 20")
        .err("Run `doorward keys rotate`");
    desk.run("keys list").is(0).out("retired");
    desk.run("keys rotate").is(0);
    let server = Server::start(&desk, &[]);
    assert_eq!(published(&server).len(), 2);
    let tokens = server.post("/api/auth/login", &login());
    server.post("/api/auth/refresh", &json!({"refreshToken": tokens["refreshToken"]}));
    server.stop();

    let file = desk.run_in("serve --listen 127.0.0.1:0", "DOORWARD_KEY_FILE", "copy/old");
    file.is(2).err("cannot read copy/old");
    fs::rename(copy.join(&name), copy.join("old")).unwrap();
    desk.run("session revoke --all").is(0);
    desk.run_in("serve --listen 127.0.0.1:0", "DOORWARD_KEY_FILE", "copy/old")
        .is(2)
        .err("the active key in copy/old")
        .err("Add a line to the end of the file");
}

#[test]
fn a_key_file_is_read_on_a_hangup() {
    let desk = Desk::with_ana();
    let file = desk.path().join("mounted");
    let line = || desk.run("keys generate").is(0).out;
    let first = line();
    let write = |text: &str| {
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    };
    write(&first);
    let mut server = Server::start(&desk, &[("DOORWARD_KEY_FILE", "mounted")]);
    let tokens = server.post("/api/auth/login", &login());
    let old = published(&server);
    for (line, what) in [
        ("keys rotate", "Add a line to its end: `doorward keys generate >> mounted`; then"),
        ("keys rotate --revoke-old", "run `doorward session revoke --all`, and start again"),
    ] {
        desk.run_in(line, "DOORWARD_KEY_FILE", "mounted")
            .is(2)
            .err("the keys are in mounted (setting key_file), which is yours to write")
            .err(what);
    }

    write(&format!("{first}k4.local.c2hvcnQ\n"));
    server.signal(Signal::HUP);
    server.wait_until_it_says("the keys stay as they are refusal=mounted line 2: not a key");
    assert_eq!(published(&server), old);
    write(&line());
    server.signal(Signal::HUP);
    server.wait_until_it_says("is gone from mounted");
    assert_eq!(published(&server), old);

    write(&format!("{first}{}", line()));
    server.signal(Signal::HUP);
    server.wait_until_it_says("the keys were read again");
    let keys = published(&server);
    assert!(keys.len() == 2 && keys[1] == old[0], "{keys:?}");
    server.post("/api/auth/refresh", &json!({"refreshToken": tokens["refreshToken"]}));
    server.signal(Signal::TERM);
    let log = server.end().is(0).err;
    assert!(!log.contains("k4.local") && !log.contains("c2hvcnQ"), "{log}");
}

/// A key file that cannot be read lasts, and anybody can make up tokens of keys that there are not.
#[test]
fn a_flood_of_unknown_tokens_does_not_fill_the_log() {
    let desk = Desk::with_ana();
    let server = Server::start(&desk, &[]);
    let bad = desk.path().join("data/keys/9.key");
    fs::write(&bad, "k4.local.c2hvcnQ\n").unwrap();
    for _ in 0..30 {
        let made_up = [("authorization", "Bearer v4.public.AAAA.eyJraWQiOiJ4In0")];
        let (status, body) = server.ask("GET", "/api/auth/me", &made_up, &Value::Null);
        assert_eq!((status, &body["code"]), (503, &json!("unavailable")));
    }
    server.signal(Signal::TERM);
    let log = server.end().is(0).err;
    let lines = log.lines().filter(|line| line.contains("the keys stay as they are"));
    assert!((1..=2).contains(&lines.count()), "the request, and the job: {log}");
}

/// Each revokes what was there before it, and never the key that stays.
#[test]
fn two_revocations_at_once_leave_the_newest_key_good() {
    let desk = Desk::with_ana();
    let server = Server::start(&desk, &[]);
    for _ in 0..8 {
        std::thread::scope(|scope| {
            let runs = [0, 1].map(|_| scope.spawn(|| desk.run("keys rotate --revoke-old").is(0)));
            for run in runs {
                run.join().unwrap().out("1 older key revoked");
            }
        });
        let list = desk.json("keys list --json");
        let good = list.as_array().unwrap().iter().filter(|key| key["state"] != "retired");
        assert_eq!(good.count(), 1, "{list}");
        assert_eq!(fs::read_dir(desk.path().join("data/keys")).unwrap().count(), 1);
        let sql = records(&desk);
        let active = "SELECT count(*) FROM keys WHERE retired_at IS NULL AND superseded_at IS NULL";
        assert_eq!(sql.query_row(active, [], |row| row.get(0)), Ok(1));
    }
    server.post("/api/auth/login", &login());
    server.stop();
}

#[expect(clippy::disallowed_methods, reason = "looks at the file from outside")]
fn records(desk: &Desk) -> rusqlite::Connection {
    let sql = rusqlite::Connection::open(desk.path().join("data/doorward.db")).unwrap();
    sql.busy_timeout(Duration::from_secs(10)).unwrap();
    sql
}

/// The setting is in the environment of the server alone.
#[test]
fn the_keys_of_another_place_are_not_rotated_in_vain() {
    let desk = Desk::with_ana();
    let refused = |line: &str, files: usize| {
        desk.run(line)
            .is(2)
            .err("the server uses other keys than those in data/keys: it makes tokens with k4.pid.")
            .err("Is `key_file` set where the server runs?");
        assert_eq!(fs::read_dir(desk.path().join("data/keys")).unwrap().count(), files);
    };
    Server::start(&desk, &[]).stop();
    fs::write(desk.path().join("mounted"), desk.run("keys generate").is(0).out).unwrap();
    let settings = [("DOORWARD_KEY_FILE", "mounted")];
    let server = Server::start(&desk, &settings);
    for line in ["keys rotate", "keys rotate --revoke-old"] {
        refused(line, 1);
    }
    let tokens = server.post("/api/auth/login", &login());
    server.stop();
    refused("keys rotate --revoke-old", 1);
    let server = Server::start(&desk, &settings);
    server.post("/api/auth/refresh", &json!({"refreshToken": tokens["refreshToken"]}));
    server.stop();
    // Nothing depends on the mounted one any more.
    desk.run("session revoke --all").is(0);
    desk.run("keys rotate").is(0);
}

/// Success is not reported where the running server would go on with its old keys.
#[test]
fn a_rotation_without_a_key_that_the_server_needs_is_refused() {
    let desk = Desk::with_ana();
    let server = Server::start(&desk, &[]);
    server.post("/api/auth/login", &login());
    desk.run("keys rotate").is(0);
    let keys = wait_for(&server, |keys| keys.len() == 2);
    let dir = desk.path().join("data/keys");
    let mut files: Vec<_> = fs::read_dir(&dir).unwrap().map(|it| it.unwrap().path()).collect();
    files.sort();
    fs::remove_file(&files[0]).unwrap();
    desk.run("keys rotate")
        .is(1)
        .err("is gone from data/keys")
        .err("rotate --revoke-old")
        .err(&keys[1]);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    assert_eq!(published(&server), keys);
    // What is offered works.
    desk.run("keys rotate --revoke-old").is(0).out("1 session ended");
    wait_for(&server, |now| now.len() == 1 && !keys.contains(&now[0]));
    server.stop();
}

#[test]
fn a_revocation_that_fails_half_way_says_so() {
    let desk = Desk::with_ana();
    Server::start(&desk, &[]).stop();
    let sql = records(&desk);
    let trigger = "CREATE TRIGGER stuck BEFORE UPDATE OF retired_at ON keys
                   BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    sql.execute(trigger, []).unwrap();
    let failed = desk.run("keys rotate --revoke-old").is(1).err("the new key k4.pid.");
    failed
        .err("was added, but the old ones are NOT revoked: database: the disk is full")
        .err("Run `doorward keys rotate --revoke-old` again");
    sql.execute("DROP TRIGGER stuck", []).unwrap();
    desk.run("keys rotate --revoke-old").is(0).out("2 older keys revoked");
    assert_eq!(fs::read_dir(desk.path().join("data/keys")).unwrap().count(), 1);
}

#[test]
fn a_rotation_where_there_is_nothing_yet_is_refused() {
    let desk = Desk::new();
    desk.run("keys rotate").is(1).err("no keys in data: run `doorward serve` once");
    assert!(desk.is_empty());
}

/// Keys that the server could not read are not made.
#[test]
fn root_does_not_rotate_the_keys_of_another_user() {
    let desk = Desk::with_ana();
    Server::start(&desk, &[]).stop();
    let keys = desk.path().join("data/keys");
    if chown(&keys, Some(65534), None).is_err() {
        return; // Only `root` can get here.
    }
    desk.run("keys rotate").is(2).err("belongs to the user with id 65534").err("Run doorward as");
    assert_eq!(fs::read_dir(&keys).unwrap().count(), 1);
}

/// What the README tells an operator to paste.
#[test]
fn the_readme_rotates_keys_with_commands_that_are_there() {
    let readme = include_str!("../../README.md");
    let (_, chapter) = readme.split_once("\n## Rotating keys\n").unwrap();
    let (chapter, _) = chapter.split_once("\n## ").unwrap();
    let (_, block) = chapter.split_once("```sh\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let commands: Vec<_> =
        block.lines().map(|line| line.split('#').next().unwrap().trim()).collect();
    assert_eq!(commands.len(), 3, "{block}");
    let desk = Desk::with_ana();
    let server = Server::start(&desk, &[]);
    for command in commands {
        desk.run(command.strip_prefix("doorward ").unwrap()).is(0);
    }
    wait_for(&server, |keys| keys.len() == 1);
    server.stop();
}
