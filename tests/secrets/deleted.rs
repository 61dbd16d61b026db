//! What was deleted is gone from the bytes of the files, not only from the tables.

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::canary::{Canary, Kind, Search, unseen};
use crate::client::{Client, Holder};
use crate::house::House;

/// How often a canary is in the database and the files beside it.
fn found(house: &House, canaries: &[Canary]) -> Vec<usize> {
    let search = Search::new(canaries);
    let mut counts = vec![0; canaries.len()];
    for file in ["doorward.db", "doorward.db-wal", "doorward.db-shm"] {
        let bytes = fs::read(house.path().join("data").join(file)).unwrap_or_default();
        for (index, _) in search.hits(&bytes) {
            counts[index] += 1;
        }
    }
    counts
}

#[test]
fn a_deleted_user_is_in_no_file_after_the_log_was_folded() {
    let mut house = House::new();
    // Neighbours, so that there are pages to move between and to give back.
    let users: Vec<_> = (0..60).map(|_| (unseen(), unseen())).collect();
    let lines = users.iter().map(|(name, _)| {
        let hash = format!("$2b$04$abcdefghijklmnopqrstuu{}ABCDEFG", &unseen());
        json!({"email": format!("{name}@example.com"), "password": hash}).to_string()
    });
    let lines: Vec<_> = lines.collect();
    fs::write(house.path().join("users.jsonl"), lines.join("\n")).unwrap();
    house.run("import users.jsonl", None);
    let password = house.password();
    let email = format!("{}@example.com", unseen());

    let server = house.serve("text");
    let root = house.root();
    let mut client = Client::new(&mut house, &server.address, &root, "text");
    let sign_up = json!({"email": email, "password": password, "delivery": "body"});
    client.post("/api/auth/register", &sign_up);
    let ana = client.post("/api/auth/login", &sign_up).holder();
    let profile = unseen();
    client.call("PATCH /api/profile", &ana, &json!({"displayName": profile}));
    house.run("export export.jsonl", None);
    let users = fs::read_to_string(house.path().join("export.jsonl")).unwrap();
    let line = users.lines().find(|line| line.contains(&email)).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    let hash = line["password"].as_str().unwrap().rsplit('$').next().unwrap().to_owned();
    let canaries = [email.split('@').next().unwrap(), &hash, &profile]
        .map(|text| Canary::new(Kind::Hash, text.as_bytes()));
    assert!(found(&house, &canaries).iter().all(|count| *count > 0), "they are there at first");

    let mut client = Client::new(&mut house, &server.address, &root, "text");
    let end = client.call("POST /api/auth/delete-account", &ana, &json!({"password": password}));
    assert_eq!(end.status, 204);
    let gone = client.call("GET /api/auth/me", &Holder::default(), &Value::Null);
    assert_eq!(gone.status, 401);
    // The letter that says so waits no longer.
    server.wait_until_it_says("was delivered");
    server.end(Signal::TERM, &mut house);
    let log = fs::read(house.path().join("data/doorward.db-wal")).unwrap_or_default();
    assert!(log.is_empty(), "the log is folded at the end");
    assert_eq!(found(&house, &canaries), [0, 0, 0], "address, hash, name");
}
