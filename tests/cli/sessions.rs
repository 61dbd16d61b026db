//! `doorward session`.

use std::time::Duration;

use serde_json::Value;

use crate::desk::{ANA, Desk, FIREFOX, PASSWORD, first};

#[test]
fn sessions_are_listed_and_revoked() {
    let desk = Desk::with_ana();
    desk.run("session list").is(0).out("There are no live sessions.");
    let id = desk.sign_ana_in().to_string();

    desk.run("session list").is(0).out(&id).out(ANA).out("Firefox on Linux").out("192.0.2.7");
    desk.run("user show ana@example.com").is(0).out("1 device\n");
    let sessions = desk.json("session list --user ana@example.com --json");
    let user = desk.json("user show ana@example.com --json")["id"].as_str().unwrap().to_owned();
    for (field, value) in [
        ("id", id.as_str()),
        ("userId", &user),
        ("email", ANA),
        ("ip", "192.0.2.7"),
        ("userAgent", FIREFOX),
        ("device", "Firefox on Linux"),
    ] {
        assert_eq!(first(&sessions, field), value);
    }
    let [created, last_used, expires] = ["createdAt", "lastUsedAt", "expiresAt"]
        .map(|field| doorward::Timestamp::parse(first(&sessions, field)).unwrap());
    assert_eq!((created, expires), (last_used, created.plus(Duration::from_secs(3600))));

    desk.run(&format!("session revoke {id}")).is(0).out(&format!("session {id} is revoked\n"));
    desk.run(&format!("session revoke {id}")).is(1);
    assert_eq!(desk.json("session list --json"), Value::Array(vec![]));
}

#[test]
fn all_sessions_of_a_user_or_of_everybody_are_revoked() {
    for (line, said) in [
        ("session revoke --user ana@example.com", "1 session of ana@example.com revoked\n"),
        ("session revoke --all", "1 session of everybody revoked\n"),
        ("user disable ana@example.com", "is now disabled"),
        ("user set-password ana@example.com --password-stdin", "signed out everywhere"),
        ("user delete ana@example.com --yes", "is deleted"),
    ] {
        let desk = Desk::with_ana();
        desk.type_in("user add root@example.com --role admin --password-stdin", PASSWORD).is(0);
        desk.sign_ana_in();
        desk.type_in(line, PASSWORD).is(0).out(said);
        desk.run("session list").is(0).out("There are no live sessions.");
    }
    let desk = Desk::with_ana();
    desk.run("session revoke --all").is(0).out("0 sessions of everybody revoked\n");
}
