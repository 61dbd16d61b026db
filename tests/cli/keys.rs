//! `doorward keys`, and secrets in general.

use std::fs;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};

use doorward::clock::{Clock as _, SystemClock};
use doorward::crypto::key_files;
use doorward::crypto::keyring::Root;
use serde_json::Value;

use crate::desk::{Answer, Desk, PASSWORD, first};

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
    assert_eq!((first(&list, "state"), &list[1]["state"]), ("active", &"older".into()));
    for (field, prefix) in [("kid", "k4.pid."), ("key", "k4.public."), ("refreshKeyId", "k4.lid.")]
    {
        assert!(first(&list, field).starts_with(prefix), "{field}");
    }
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
