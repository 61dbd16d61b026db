//! The search finds what was planted: in each form, in each kind of place.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::canary::{Canary, Kind, Search, hex, password_around, unseen};
use crate::house::House;
use crate::table::{judge, unused};

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |text, byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => text + &char::from(byte).to_string(),
        _ => format!("{text}%{byte:02X}"),
    })
}

#[test]
fn a_password_is_found_however_it_is_written() {
    let core = unseen();
    let password = password_around(&core);
    let bytes = password.as_bytes();
    let search = Search::new(&[Canary::new(Kind::Password, core.as_bytes())]);
    let mut written = vec![
        password.clone(),
        format!("{password:?}"),
        serde_json::to_string(&password).unwrap(),
        password.escape_default().to_string(),
        percent(&password),
        hex(bytes),
        hex(bytes).to_uppercase(),
        format!("{bytes:?}"),
        format!("{bytes:02x?}"),
        serde_json::to_string(bytes).unwrap(),
    ];
    for padding in ["", "a", "ab"] {
        written.push(STANDARD.encode(format!("{padding}{password}")));
        written.push(URL_SAFE_NO_PAD.encode(format!("{padding}{password}{padding}")));
    }
    for text in written {
        let place = format!("2026-11-26 INFO a line: {text} and more");
        assert!(!search.hits(place.as_bytes()).is_empty(), "not found: {place}");
    }
    assert!(search.hits(percent(&unseen()).as_bytes()).is_empty(), "finds what is not there");
}

#[test]
fn bytes_are_found_at_every_alignment() {
    let secret = *blake3::hash(b"a key").as_bytes();
    let search = Search::new(&[Canary::new(Kind::Key, secret)]);
    for before in 0..9 {
        let bytes = [vec![0xff; before], secret.to_vec(), vec![0xee; before]].concat();
        for text in [STANDARD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            assert!(!search.hits(text.as_bytes()).is_empty(), "{before}: {text}");
        }
        assert!(!search.hits(&bytes).is_empty(), "{before}");
    }
}

/// One secret in each kind of place, none of which may hold it.
#[test]
fn a_planted_secret_is_found_in_every_place() {
    let mut house = House::new();
    house.run("user list", None);
    let core = unseen();
    let secret = password_around(&core);
    house.canaries.push(Canary::new(Kind::Password, core.as_bytes()));
    // Of a program that waits for its standard input.
    let line = format!("user add {core}@example.com --password-stdin");
    house.run(&line, Some("correct horse battery"));
    let data = house.path().join("data");
    fs::create_dir_all(data.join("mail")).unwrap();
    let mut places =
        vec!["log of a server".to_owned(), "answer 7".to_owned(), "metrics".to_owned()];
    for place in &places {
        house.note(place, format!("{{\"a\": {secret:?}}}"));
    }
    for file in ["data/doorward.db", "data/doorward.db-wal", "data/mail/a.eml", "doorward.toml"] {
        fs::write(house.path().join(file), format!("\0\0\u{1}{secret}\0")).unwrap();
        places.push(format!("file {file}"));
    }
    house.note_files();
    places.push(format!("process of {line}: cmdline"));
    places.push(format!("output of {line}"));
    let complaints = judge(&house.canaries, &house.evidence).0.join("\n");
    for place in places {
        assert!(complaints.contains(&format!("{place}: ")), "nothing in {place}: {complaints}");
    }
}

/// A row of the table that nothing needs would hide what comes to need it.
#[test]
fn a_row_that_nothing_needs_is_noticed() {
    let (complaints, used) = judge(&[], &[]);
    assert!(complaints.is_empty() && unused(&used).len() > 8);
}
