//! `doorward mail`.

use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::desk::{ANA, Desk, first};
use crate::server::Server;

const ALL: [&str; 2] = ["mail retry --all", "mail drop --all"];

/// The letters in the directory.
fn letters(desk: &Desk) -> Vec<PathBuf> {
    let dir = desk.path().join("data/mail");
    let entries = fs::read_dir(dir).map(|entries| entries.map(|entry| entry.unwrap().path()));
    let mut letters: Vec<_> = entries.into_iter().flatten().collect();
    letters.sort();
    letters
}

#[test]
fn mail_is_listed_tried_again_and_dropped() {
    let desk = Desk::with_ana();
    desk.run("mail list").is(0).out("No mail waits, and none was given up.\n");
    assert_eq!(desk.json("mail list --json"), json!([]));
    desk.run("mail test Ben@Example.com")
        .is(0)
        .out("a test mail to ben@example.com is written; the running server delivers it")
        .out("into data/mail, as smtp_url is unset\n");
    desk.run_in("mail test ana@example.com", "DOORWARD_SMTP_URL", "smtps://a:hunter2@b.example")
        .is(0)
        .out("to the mail server (smtp_url)\n");
    desk.run("mail list").is(0).out("ben@example.com").out("test").out("waiting");

    let list = desk.json("mail list --json");
    let posted = first(&list, "postedAt");
    assert_eq!(
        list[0],
        json!({
            "id": 1, "to": "ben@example.com", "about": "test", "state": "waiting",
            "postedAt": posted, "attempts": 0, "nextAttemptAt": posted,
        })
    );
    assert_eq!(list[1]["to"], ANA);

    for (line, said) in [
        ("mail retry 1", "mail 1 is to be tried again\n"),
        ("mail retry --dead", "0 mails to be tried again\n"),
        ("mail retry --all", "2 mails to be tried again\n"),
        ("mail drop --dead", "0 mails dropped\n"),
        ("mail drop 1", "mail 1 is dropped\n"),
        ("mail drop --all", "1 mail dropped\n"),
    ] {
        assert_eq!(desk.run(line).is(0).out, said);
    }
    for line in ["mail retry 1", "mail drop 1"] {
        let said = "doorward: no undelivered mail has the number 1\n";
        assert_eq!(desk.run(line).is(1).err, said);
    }
    assert!(letters(&desk).is_empty(), "no server has run");
}

#[test]
fn what_was_given_up_is_shown_with_its_reason() {
    let desk = Desk::with_ana();
    desk.run("mail test ana@example.com").is(0);
    let path = desk.path().join("data/doorward.db");
    #[expect(clippy::disallowed_methods, reason = "plays the server")]
    let sql = rusqlite::Connection::open(path).unwrap();
    sql.execute("UPDATE outbox SET attempts = 9, reason = '550 no', dead_at = 1000", []).unwrap();
    drop(sql);
    desk.run("mail list").is(0).out("dead").out("550 no").out("9");
    let list = desk.json("mail list --json");
    assert_eq!(first(&list, "reason"), "550 no");
    assert_eq!(first(&list, "givenUpAt"), "1970-01-01T00:00:01.000Z");
    assert_eq!(list.pointer("/0/nextAttemptAt"), None);
    assert_eq!(desk.run("mail retry --dead").is(0).out, "1 mail to be tried again\n");
    let list = desk.json("mail list --json");
    assert_eq!((&list[0]["state"], &list[0]["attempts"]), (&"waiting".into(), &0.into()));
}

#[test]
fn a_running_server_writes_it_to_a_file_where_no_mail_server_is_set() {
    let desk = Desk::with_ana();
    let mut server = Server::start(&desk, &[]);
    desk.run("mail test ana@example.com").is(0);
    server.wait_until_it_says("a mail was delivered");
    server.signal(Signal::TERM);
    assert!(!server.end().is(0).err.contains(ANA), "who is written to is in no log");
    let [letter] = &letters(&desk)[..] else { panic!("{:?}", letters(&desk)) };
    let text = fs::read_to_string(letter).unwrap();
    assert!(text.contains("To: ana@example.com\r\n"), "{text}");
    assert_eq!(desk.json("mail list --json"), Value::Array(vec![]));
}

#[test]
fn wrong_usage_is_told() {
    let desk = Desk::new();
    for (line, reason) in [
        ("mail", "Usage"),
        ("mail retry", "MAIL"),
        ("mail drop --dead --all", "cannot be used with"),
        ("mail drop seven", "invalid value"),
        ("mail test nobody", "must be an e-mail address"),
    ] {
        desk.run(line).is(2).err(reason);
    }
    for line in ALL.iter().chain(&["mail list", "mail test ana@example.com"]) {
        desk.run(line).is(1).err("no database in data");
    }
    assert!(desk.is_empty());
}
