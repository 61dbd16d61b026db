//! `doorward import` and `doorward export`.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use assert_cmd::cargo::cargo_bin;
use serde_json::{Value, json};

use crate::desk::{ANA, Desk, PASSWORD};
use crate::server::Server;

/// Of `correct horse battery`.
const BCRYPT: &str = "$2b$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS";

fn line(email: &str) -> String {
    format!(
        r#"{{"_id":{{"$oid":"65f0c0ffee0123456789abcd"}},"email":"{email}","password":"{BCRYPT}","role":"user","isVerified":true,"createdAt":{{"$date":"2024-02-29T00:00:00.007Z"}},"__v":0}}"#
    )
}

fn file(desk: &Desk, lines: &[String]) {
    fs::write(desk.path().join("users.jsonl"), lines.join("\n")).unwrap();
}

#[test]
fn a_collection_is_brought_along_and_once_more_changes_nothing() {
    let desk = Desk::new();
    let admin = r#"{"email":"boss@example.com","role":"admin"}"#.to_owned();
    file(&desk, &[line(ANA), line("ben@example.com"), admin]);

    let said = "3 lines: 3 users to add (1 administrator, 1 without a password), 0 already there, \
                0 conflicts, 0 refused\n";
    desk.run("import users.jsonl --dry-run").is(0).out(said).out("ignored __v in 2 lines\n");
    assert!(!desk.path().join("data").exists(), "a dry run leaves nothing behind");

    let answer = desk.run("import users.jsonl").is(0).out(": 3 users added (1 administrator, ");
    assert_eq!(answer.err, "", "no progress where there is no terminal");
    let ana = desk.json("user show ana@example.com --json");
    assert_eq!(
        (&ana["role"], &ana["isVerified"], &ana["createdAt"]),
        (&"user".into(), &true.into(), &"2024-02-29T00:00:00.007Z".into())
    );
    let before = desk.json("user list --json");
    for line in ["import users.jsonl --dry-run", "import users.jsonl"] {
        desk.run(line).is(0).out(": 0 users ").out(" 3 already there, 0 conflicts");
    }

    desk.run("user set-role ana@example.com admin").is(0);
    let said = "line 1: ana@example.com is there with another role, and was left alone\n";
    desk.run("import users.jsonl").is(0).out(said).out("2 already there, 1 conflict, ");
    assert_eq!(desk.json("user show ana@example.com --json")["role"], "admin");
    assert_eq!(before.as_array().unwrap().len(), 3);
}

#[test]
fn a_refused_line_keeps_everybody_out_unless_it_is_to_be_skipped() {
    let desk = Desk::new();
    let plain = line("ben@example.com").replace(BCRYPT, "correct horse battery");
    file(&desk, &[line(ANA), plain, "}".to_owned()]);

    let answer = desk.run("import users.jsonl").is(1).out("line 3: is not JSON (column 1)\n");
    let answer = answer.out("line 2: password must be a bcrypt hash").out("3 lines, 2 refused\n");
    assert!(!answer.out.contains("correct horse"), "{answer:?}");
    answer.err("doorward: 2 refused lines: nothing was written.");
    assert!(!desk.path().join("data").exists(), "nothing was written");

    desk.run("import users.jsonl --dry-run").is(1).out("1 user to add").err("--skip-bad");
    let report = desk.run("import users.jsonl --skip-bad --json").is(1);
    let report = report.err("2 refused lines; the other users were brought in").out;
    let mut report: Value = serde_json::from_str(&report).unwrap();
    let reason = report["refused"][0]["reason"].take();
    assert!(reason.as_str().unwrap().starts_with("password must be"), "{reason}");
    assert_eq!(
        report,
        json!({
            "written": true, "lines": 3, "added": 1, "admins": 0, "withoutPassword": 0,
            "alreadyThere": 0, "conflicts": [], "ignoredFields": {"__v": 1, "_id": 1},
            "refused": [{"line": 2, "reason": null}, {"line": 3, "reason": "is not JSON (column 1)"}],
        })
    );
    assert_eq!(desk.json("user list --json").as_array().unwrap().len(), 1);
}

#[test]
fn what_cannot_be_read_is_a_failure() {
    let desk = Desk::new();
    desk.run("import users.jsonl").is(1).err("cannot read users.jsonl: No such file");
    desk.type_in("import -", "[\n{}\n]").is(1).err("cannot read -: it is a JSON array; ");
    fs::create_dir(desk.path().join("users.jsonl")).unwrap();
    desk.run("import users.jsonl").is(1).err("cannot read users.jsonl: ");
    desk.type_in("import -", "").is(0).out("0 lines: 0 users added");
    desk.type_in("import -", line(ANA)).is(0).out("1 user added");
    let ignored = r#"{"email":"ben@example.com","\u001b[2J":1}"#;
    desk.type_in("import -", ignored).is(0).out("ignored \\u{1b}[2J in 1 line\n");
}

#[test]
fn users_who_leave_come_back_the_same() {
    let (here, there) = (Desk::new(), Desk::new());
    here.run("export").is(1).err("doorward: no database in data");
    here.type_in("user add ana@example.com --role admin --password-stdin", PASSWORD).is(0);
    here.type_in("import -", line("ben@example.com")).is(0);
    here.run("user disable ben@example.com").is(0);

    let warning = "doorward: warning: the output holds the hashes of the users' passwords";
    let text = here.run("export").is(0).err(warning).out;
    assert_eq!(here.run("export -").is(0).out, text);
    assert_eq!(text.lines().count(), 2);
    let target = here.path().join("users.jsonl");
    fs::write(&target, "older").unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).unwrap();
    here.run("export users.jsonl")
        .is(0)
        .out("2 users written to users.jsonl\n")
        .err("the file holds");
    assert_eq!(fs::read_to_string(&target).unwrap(), text);
    assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o600);
    let mut left: Vec<_> =
        fs::read_dir(here.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["data", "users.jsonl"], "nothing half-written is left behind");
    here.run("export missing/users.jsonl").is(1).err("cannot write to missing/users.jsonl: ");

    there.type_in("import -", text.clone()).is(0).out("2 users added");
    assert_eq!(there.run("export").is(0).out, text);
    assert_eq!(there.json("user list --json"), here.json("user list --json"));
}

/// Many users do not come in one transaction: who is signed in is answered between the batches.
#[test]
fn a_running_server_goes_on_answering() {
    const USERS: usize = 20_000;
    let desk = Desk::with_ana();
    let lines: Vec<_> = (0..USERS).map(|n| line(&format!("user{n}@example.com"))).collect();
    file(&desk, &lines);
    // Nobody reads its log, which would fill up.
    let server = Server::start(&desk, &[("DOORWARD_LOG_LEVEL", "error")]);
    let login = json!({"email": ANA, "password": PASSWORD.trim(), "delivery": "body"});
    let mut tokens = server.post("/api/auth/login", &login);

    let mut import = std::process::Command::new(cargo_bin!("doorward"))
        .args(["import", "users.jsonl"])
        .current_dir(desk.path())
        .env_clear()
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut seen = BTreeSet::new();
    let ended = loop {
        tokens = server.post("/api/auth/refresh", &json!({"refreshToken": tokens["refreshToken"]}));
        seen.insert(users(&desk));
        if let Some(status) = import.try_wait().unwrap() {
            break status;
        }
    };
    assert!(ended.success());
    assert_eq!(users(&desk), USERS + 1);
    seen.retain(|users| (2..=USERS).contains(users));
    assert!(seen.len() >= 3, "refreshes were answered in the middle of it: {seen:?}");
    assert!(seen.iter().all(|users| users % 500 == 1), "in batches: {seen:?}");
    server.stop();
}

#[expect(clippy::disallowed_methods, reason = "looks at the file from outside")]
fn users(desk: &Desk) -> usize {
    let sql = rusqlite::Connection::open(desk.path().join("data/doorward.db")).unwrap();
    sql.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    let count: i64 = sql.query_row("SELECT count(*) FROM users", [], |row| row.get(0)).unwrap();
    usize::try_from(count).unwrap()
}
