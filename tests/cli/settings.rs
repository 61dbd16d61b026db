//! `doorward config`, and the configuration of the other commands.

use std::fs;

use serde_json::Value;

use crate::desk::{Answer, Desk};

#[test]
fn settings_show_their_source_and_the_last_one_wins() {
    let desk = Desk::new();
    let file = "listen = \"127.0.0.1:1\"\ndata_dir = \"one\"\nregistration = \"closed\"\n";
    fs::write(desk.path().join("doorward.toml"), file).unwrap();
    let env = |line| {
        Answer::of(
            desk.command(line)
                .env("DOORWARD_LISTEN", "127.0.0.1:2")
                .env("DOORWARD_DATA_DIR", "two"),
        )
    };
    let settings = env("config --json --data three").is(0);
    let settings: Vec<Value> = serde_json::from_str(&settings.out).unwrap();
    for (key, value, source) in [
        ("registration", "closed", "doorward.toml"),
        ("listen", "127.0.0.1:2", "environment DOORWARD_LISTEN"),
        ("data_dir", "three", "flag --data"),
        ("refresh_grace", "10s", "default"),
    ] {
        let setting = settings.iter().find(|setting| setting["key"] == key).unwrap();
        assert_eq!((&setting["value"], &setting["source"]), (&value.into(), &source.into()));
    }
    env("config").is(0).out("Setting").out("environment DOORWARD_DATA_DIR");
    env("user list").is(1).err("no database in two");
    env("--data three user list").is(1).err("no database in three");
}

#[test]
fn a_wrong_configuration_is_refused_by_every_command_that_reads_it() {
    let desk = Desk::new();
    let commands = ["serve", "user list", "session list", "keys list", "config"];
    fs::write(desk.path().join("doorward.toml"), "lisen = 1\nlog_level = \"loud\"\n").unwrap();
    for line in commands {
        let answer = desk.run(line).is(2).err("unknown key; did you mean listen?").err("\"loud\"");
        assert!(answer.err.lines().all(|line| line.starts_with("doorward: ")), "{answer:?}");
    }
    fs::remove_file(desk.path().join("doorward.toml")).unwrap();
    for line in commands {
        desk.run_in(line, "DOORWARD_LISTEN", "nowhere")
            .is(2)
            .err("listen (environment DOORWARD_LISTEN)");
    }
    desk.run("serve --listen nowhere").is(2).err("listen (flag --listen)");
    desk.run_in("config", "DOORWARD_LISEN", "x")
        .is(0)
        .err("doorward: warning: environment DOORWARD_LISEN");
    assert!(desk.is_empty());
}

#[test]
fn a_variable_that_is_not_text_is_refused_only_if_it_is_ours() {
    use std::os::unix::ffi::OsStrExt as _;
    let desk = Desk::new();
    let bytes = std::ffi::OsStr::from_bytes(&[0xff]);
    Answer::of(desk.command("config").env("OTHER", bytes)).is(0);
    Answer::of(desk.command("config").env("DOORWARD_DATA_DIR", bytes)).is(2).err("not valid UTF-8");
}

#[test]
fn an_address_that_may_not_be_served_is_refused_as_at_a_start() {
    let desk = Desk::new();
    let exposed = |line| desk.run_in(line, "DOORWARD_LISTEN", "0.0.0.0:8080");
    exposed("config").is(2).err("allow_insecure");
    // What reads no configuration need not care.
    exposed("keys generate").is(0);
}
