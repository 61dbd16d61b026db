//! `doorward audit`.

use std::time::Duration;

use doorward::clock::{Clock as _, SystemClock};
use doorward::domain::account::Email;
use doorward::domain::id::UserId;
use doorward::domain::session::Client;
use doorward::store::{By, Store, UserChange};
use serde_json::{Value, json};

use crate::desk::{ANA, Desk, FIREFOX, PASSWORD};

/// Ana verifies Ben's address, over HTTP. The id of Ana.
fn ana_verifies_ben(desk: &Desk) -> UserId {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let now = SystemClock::start().now();
    let store = Store::open(&desk.path().join("data/doorward.db"), Duration::ZERO, now).unwrap();
    let ana = runtime.block_on(async {
        let find = |email| store.find_account_by_email(Email::parse(email).unwrap());
        let ana = find(ANA).await.unwrap().unwrap().user.id;
        let ben = find("ben@example.com").await.unwrap().unwrap().user.id;
        let client = Client { ip: "192.0.2.9".to_owned(), user_agent: FIREFOX.to_owned() };
        let by = By { actor: Some(ana), client };
        store.administer(ben, vec![UserChange::Verified(true)], by, now).await.unwrap();
        ana
    });
    store.close();
    ana
}

fn events(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|it| it["event"].as_str().unwrap()).collect()
}

#[test]
fn what_happened_is_listed_the_latest_first() {
    let desk = Desk::with_ana();
    desk.type_in("user add ben@example.com --password-stdin", PASSWORD).is(0);
    desk.sign_ana_in();
    desk.run("user set-role ben@example.com admin").is(0);
    let ana = ana_verifies_ben(&desk);

    let list = desk.run("audit list").is(0);
    assert_eq!(list.err, "");
    let lines: Vec<_> = list.out.lines().collect();
    let words: Vec<_> = lines[0].split_whitespace().collect();
    assert_eq!(words, ["Time", "Event", "User", "Actor", "Address", "Device", "Detail"]);
    for (line, words) in [
        (2, &["user_verified", "ben@example.com", ANA, "192.0.2.9", "Firefox on Linux"][..]),
        (3, &["role_changed", "ben@example.com", "-", "role admin"]),
        (4, &["signed_in", ANA, "192.0.2.7", "Firefox on Linux"]),
        (5, &["registered", "ben@example.com", "-"]),
        (6, &["registered", ANA, "role admin"]),
    ] {
        for word in words {
            assert!(lines[line].contains(word), "{word}: {}", lines[line]);
        }
    }
    assert_eq!(lines.len(), 7);

    let list = desk.json("audit list --json");
    let first = &list[0];
    assert_eq!((&first["actorId"], &first["actorEmail"]), (&json!(ana), &json!(ANA)));
    assert_eq!((&first["email"], &first["ip"]), (&json!("ben@example.com"), &json!("192.0.2.9")));
    assert_eq!(list[1]["detail"], json!({"role": "admin"}));
    assert_eq!((list[1].get("actorId"), list[2].get("detail")), (None, None));
    assert_eq!(list[2]["device"], "Firefox on Linux");

    for (options, found) in [
        ("--user ana@example.com", &["signed_in", "registered"][..]),
        ("--user ben@example.com --event registered", &["registered"]),
        ("--event role_changed", &["role_changed"]),
        ("--event user_disabled", &[]),
    ] {
        assert_eq!(events(&desk.json(&format!("audit list --json {options}"))), found, "{options}");
    }
    desk.run("audit list --event user_disabled").is(0).out("There are no such events.\n");
}

#[test]
fn a_long_trail_is_read_piece_by_piece() {
    let desk = Desk::with_ana();
    for state in ["on", "off", "on", "off"] {
        desk.run(&format!("user set-verified ana@example.com {state}")).is(0);
    }
    let whole = desk.json("audit list --json");
    let (mut seen, mut before) = (Vec::new(), String::new());
    loop {
        let piece = desk.run(&format!("audit list --limit 2 --json{before}")).is(0);
        let list: Value = serde_json::from_str(&piece.out).unwrap();
        seen.extend(list.as_array().unwrap().clone());
        assert!(seen.len() <= 5, "{seen:?}");
        let Some((_, rest)) = piece.err.split_once("there are older ones: --before ") else {
            assert_eq!(piece.err, "");
            break;
        };
        before = format!(" --before {}", rest.split(',').next().unwrap());
    }
    assert_eq!(whole.as_array(), Some(&seen));
    assert_eq!(seen.len(), 5);
}

/// What was done to an account outlives it.
#[test]
fn who_is_deleted_is_found_by_id() {
    let desk = Desk::with_ana();
    desk.type_in("user add ben@example.com --password-stdin", PASSWORD).is(0);
    let ben = desk.json("user show ben@example.com --json")["id"].as_str().unwrap().to_owned();
    desk.run("user delete ben@example.com --yes").is(0);
    desk.run("audit list --user ben@example.com").is(1).err("no user has the e-mail address");
    let list = desk.run(&format!("audit list --user {ben}")).is(0);
    assert_eq!(list.out.matches(&ben).count(), 2, "{list:?}");
    let list = desk.json(&format!("audit list --user {ben} --json"));
    assert_eq!(events(&list), ["user_deleted", "registered"]);
    assert_eq!((list[0].get("email"), &list[0]["userId"]), (None, &json!(ben)));
}
