//! A data directory, a database or an address that cannot be used.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::desk::{Desk, PASSWORD};

const ADD_BEN: &str = "user add ben@example.com --password-stdin";

/// What opens the data directory, each in its own way.
const LINES: [&str; 5] =
    ["serve --listen 127.0.0.1:0", ADD_BEN, "user list", "session list", "keys list"];

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_is_no_data_directory() {
    let desk = Desk::new();
    fs::write(desk.path().join("file"), "theirs").unwrap();
    for line in LINES {
        let answer = desk.type_in(&format!("{line} --data file"), PASSWORD).is(1);
        assert_eq!(
            answer.err, "doorward: file is not a directory; choose another with --data\n",
            "{line}"
        );
        desk.type_in(&format!("{line} --data file/below"), PASSWORD)
            .is(1)
            .err("doorward: cannot use the data directory file/below: ")
            .err("The user who runs doorward must be able to write there; or choose another with --data\n");
    }
    assert_eq!(fs::read(desk.path().join("file")).unwrap(), b"theirs");
}

#[test]
fn a_data_directory_of_somebody_else_is_refused() {
    let desk = Desk::unprivileged();
    desk.type_in(ADD_BEN, PASSWORD).is(0);
    let said = ": Permission denied (os error 13). The user who runs doorward must be able to \
                write there; or choose another with --data\n";

    let data = desk.path().join("data");
    chmod(&data, 0o500);
    let serve = desk.run("serve --listen 127.0.0.1:0").is(1);
    assert_eq!(serve.err, format!("doorward: cannot use the data directory data{said}"));
    for line in ["serve --listen 127.0.0.1:0", ADD_BEN] {
        let answer = desk.type_in(&format!("{line} --data data/new"), PASSWORD).is(1);
        assert_eq!(answer.err, format!("doorward: cannot use the data directory data/new{said}"));
    }
    chmod(&data, 0o000);
    for line in LINES {
        let answer = desk.type_in(line, PASSWORD).is(1);
        assert_eq!(answer.err, format!("doorward: cannot use the data directory data{said}"));
    }
    chmod(&data, 0o700);
    desk.run("user list").is(0);
}

#[test]
fn a_database_that_cannot_be_written_is_refused() {
    let desk = Desk::unprivileged();
    desk.type_in(ADD_BEN, PASSWORD).is(0);
    let database = desk.path().join("data/doorward.db");
    for mode in [0o400, 0o000] {
        chmod(&database, mode);
        for line in ["user list", "session revoke --all"] {
            desk.run(line)
                .is(1)
                .err("doorward: cannot write data/doorward.db and the files beside it (")
                .err("must belong to the user who runs doorward\n");
        }
        chmod(&database, 0o600);
        desk.run("user list").is(0);
    }
}

#[test]
fn a_damaged_database_is_refused_with_what_to_do() {
    let desk = Desk::with_ana();
    let path = desk.path().join("data/doorward.db");
    let mut bytes = fs::read(&path).unwrap();
    // The head of the page with the schema, behind that of the file.
    bytes[100..200].fill(0xff);
    fs::write(&path, &bytes).unwrap();
    for line in ["serve --listen 127.0.0.1:0", "user list", ADD_BEN] {
        desk.type_in(line, PASSWORD)
            .is(1)
            .err("doorward: data/doorward.db is damaged (")
            .err("). Stop here, keep a copy, and put a backup in its place\n");
    }
    assert_eq!(fs::read(&path).unwrap(), bytes, "it is kept as it was");

    // Damaged beyond recognition.
    bytes[..100].fill(0xff);
    fs::write(&path, &bytes).unwrap();
    desk.run("user list").is(1).err("is not a Doorward database").err("put a backup in its place");
}

#[test]
fn an_address_that_another_program_uses_is_refused() {
    let desk = Desk::new();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = other.local_addr().unwrap().to_string();
    let answer = desk.run(&format!("serve --listen {busy}")).is(1);
    assert_eq!(
        answer.err,
        format!(
            "doorward: cannot listen on {busy} (listen): another program uses it. Stop that, or \
             choose another with --listen\n"
        )
    );
    desk.run_in("serve --listen 127.0.0.1:0", "DOORWARD_METRICS_LISTEN", &busy).is(1).err(
        &format!(
            "doorward: cannot listen on {busy} (metrics_listen): another program uses it. Stop \
             that, or choose another with DOORWARD_METRICS_LISTEN\n"
        ),
    );
    let nobodys = "192.0.2.1:8080";
    Desk::new()
        .run_in(&format!("serve --listen {nobodys}"), "DOORWARD_PUBLIC_URL", "https://example.com")
        .is(1)
        .err("doorward: cannot listen on 192.0.2.1:8080 (listen): ");
}
