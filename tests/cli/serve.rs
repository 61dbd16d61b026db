//! `doorward serve`: how it starts, on which keys, and how it stops.

use std::fs::{self, Permissions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;

use crate::desk::{Answer, Desk};
use crate::server::Server;

fn refused(desk: &Desk, settings: &[(&str, &str)]) -> Answer {
    let mut command = desk.command("serve --listen 127.0.0.1:0");
    Answer::of(command.envs(settings.iter().copied())).is(2)
}

#[test]
fn keys_that_the_live_sessions_were_not_made_with_are_refused() {
    let desk = Desk::with_ana();
    let [keys, aside, other] = ["data/keys", "aside", "other"].map(|name| desk.path().join(name));
    let server = Server::start(&desk, &[]);
    server.sign_ana_in();
    server.stop();

    fs::write(&other, desk.run("keys generate").is(0).out).unwrap();
    fs::set_permissions(&other, Permissions::from_mode(0o600)).unwrap();
    let by_file = [("DOORWARD_KEY_FILE", "other")];
    let what_to_do = "run `doorward session revoke --all` and start again\n";
    let not_those = "are not those that the live sessions of the database were made with";
    refused(&desk, &by_file).err(&format!("the keys in other {not_those}")).err(what_to_do);

    fs::rename(&keys, &aside).unwrap();
    refused(&desk, &[]).err("no key in data/keys, ").err("from a backup").err(what_to_do);
    assert!(!keys.exists(), "an empty directory is left behind");

    fs::create_dir(&keys).unwrap();
    fs::set_permissions(&keys, Permissions::from_mode(0o700)).unwrap();
    fs::copy(&other, keys.join("1.key")).unwrap();
    refused(&desk, &[]).err(&format!("the keys in data/keys {not_those}")).err(what_to_do);

    // The right ones beside the other ones will do.
    for file in fs::read_dir(&aside).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), keys.join(file.file_name())).unwrap();
    }
    Server::start(&desk, &[]).stop();

    desk.run("session revoke --all").is(0).out("1 session of everybody revoked\n");
    Server::start(&desk, &by_file).stop();
}

#[test]
fn a_signal_right_after_the_ready_line_ends_it_well() {
    let desk = Desk::new();
    for _ in 0..20 {
        let server = Server::start(&desk, &[]);
        server.signal(Signal::TERM);
        server.end().is(0).err("stopped");
    }
}

#[test]
fn a_second_signal_ends_the_drain() {
    let desk = Desk::new();
    let mut server = Server::start(&desk, &[]);
    let mut client = server.connect();
    let head = "POST /api/auth/login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\
                content-type: application/json\r\nexpect: 100-continue\r\n\r\n";
    client.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100", "the server waits for the body");
    client.write_all(b"{\"email\":").unwrap();

    server.signal(Signal::TERM);
    server.wait_until_it_says("a second signal ends them");
    server.signal(Signal::INT);
    server.end().is(0).err("stopping at once").err("stopped");
}
