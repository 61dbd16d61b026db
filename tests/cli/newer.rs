//! An older program meets the database of a newer one: it says so, and writes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use rustix::process::Signal;

use crate::desk::{Desk, PASSWORD};
use crate::server::Server;

/// Whatever opens the database to write. (`check` cannot: it leaves an empty log behind, as readers do.)
const LINES: [&str; 10] = [
    "serve --listen 127.0.0.1:0",
    "user add ben@example.com --password-stdin",
    "user list",
    "user delete ana@example.com --yes",
    "session revoke --all",
    "mail test ana@example.com",
    "import users.jsonl",
    "export",
    "backup copy.db",
    "keys rotate",
];

/// The files of a directory: their bytes, and when they were written.
type Files = BTreeMap<String, (Vec<u8>, SystemTime)>;

fn files(directory: &Path) -> Files {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.path().is_file());
    files
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            let written = entry.metadata().unwrap().modified().unwrap();
            (name, (fs::read(entry.path()).unwrap(), written))
        })
        .collect()
}

/// What a newer program does, as far as this one can tell.
fn raise(desk: &Desk, pragmas: &str) {
    #[expect(clippy::disallowed_methods, reason = "plays the newer program")]
    let sql = rusqlite::Connection::open(desk.path().join("data/doorward.db")).unwrap();
    sql.execute_batch(&format!("{pragmas}; PRAGMA user_version = 999")).unwrap();
}

fn is_refused_without_a_trace(desk: &Desk, scratch: &str) {
    let data = desk.path().join("data");
    let user = r#"{"email": "carl@example.com", "role": "user"}"#;
    fs::write(desk.path().join("users.jsonl"), user).unwrap();
    let look = || {
        let mut files = files(&data);
        // Made by `serve` before it opens anything, and empty.
        files.remove("doorward.lock");
        files.remove(scratch);
        files
    };
    let before = look();
    for line in LINES {
        let answer = desk.type_in(line, PASSWORD).is(1);
        assert!(answer.err.contains("has schema 999") && answer.out.is_empty(), "{answer:?}");
        assert!(answer.err.contains("Nothing was changed"), "{answer:?}");
        let after = look();
        let names = |files: &Files| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&after), names(&before), "{line}: files");
        for (name, file) in &before {
            assert!(after[name] == *file, "{line} has written {name}");
        }
    }
}

#[test]
fn a_newer_database_is_left_as_it_is() {
    let desk = Desk::with_ana();
    Server::start(&desk, &[]).stop();
    raise(&desk, "");
    is_refused_without_a_trace(&desk, "");
}

/// Its last words are in the log: whoever is last to close the database would fold it.
#[test]
fn so_is_one_whose_program_was_killed() {
    let desk = Desk::with_ana();
    let server = Server::start(&desk, &[]);
    server.sign_ana_in();
    raise(&desk, "PRAGMA wal_autocheckpoint = 0");
    server.signal(Signal::KILL);
    drop(server);
    let log = fs::metadata(desk.path().join("data/doorward.db-wal")).unwrap().len();
    assert!(log > 0, "there is no log");
    // The index of the log is rebuilt by whoever reads it first: it holds nothing of its own.
    is_refused_without_a_trace(&desk, "doorward.db-shm");
}
