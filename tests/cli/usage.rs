//! What is refused before anything happens, and what is printed without any data.

use std::fs;
use std::io;
use std::process::Stdio;

use assert_cmd::cargo::cargo_bin;

use crate::desk::{Desk, PASSWORD};

#[test]
fn wrong_usage_is_refused_with_a_reason_and_leaves_nothing_behind() {
    let desk = Desk::new();
    for (line, reason) in [
        ("", "Usage: doorward"),
        ("user", "Usage: doorward user"),
        ("dance", "unrecognized subcommand 'dance'"),
        ("user add", "<EMAIL>"),
        ("user add ana", "must be an e-mail address"),
        ("user add ana@example.com --role king", "[possible values: user, admin]"),
        ("user add ana@example.com --password secret-horse", "unexpected argument '--password'"),
        ("user add ana@example.com", "--password-stdin"),
        ("user show not-a-user", "or a user's id"),
        ("user set-role ana@example.com", "<ROLE>"),
        ("user set-role ana@example.com king", "[possible values: user, admin]"),
        ("user delete ana@example.com", "--yes"),
        ("session revoke", "SESSION_ID"),
        ("session revoke --all --user ana@example.com", "cannot be used with"),
        ("session revoke nonsense", "must be a session id, as `doorward session list` shows it\n"),
        ("user list --role king", "[possible values: user, admin]"),
        ("user list --limit 0", "0 is not in 1..=100000"),
        ("audit list --event birthday", "[possible values: registered, "),
        ("audit list --limit many", "invalid digit"),
        ("audit list --user nonsense", "or a user's id"),
        ("import", "<FILE>"),
        ("import users.jsonl --update", "unexpected argument '--update'"),
        ("backup", "<FILE>"),
        ("restore", "<FILE>"),
        ("check --unsealed", "<FILE>"),
        ("completions tcsh", "[possible values: bash"),
        ("config --config missing.toml", "missing.toml (flag --config): cannot be read"),
        ("keys list --config missing.toml", "missing.toml"),
    ] {
        let answer = desk.run(line).is(2).err(reason);
        assert_eq!(answer.out, "", "{line}");
        assert!(desk.is_empty(), "{line}");
    }
}

#[test]
fn help_and_version_are_no_failure() {
    let desk = Desk::new();
    desk.run("--version").is(0).out(concat!("doorward ", env!("CARGO_PKG_VERSION"), "\n"));
    desk.run("--help").is(0).out("Usage: doorward").out("Examples:").out("Exit codes:");
    desk.run("user add --help").is(0).out("--password-stdin");
    for line in ["--help", "serve --help", "session revoke --help"] {
        let help = desk.run(line).is(0).out;
        let (_, global) = help.split_once("Global options:\n").unwrap();
        assert!(global.contains("--config") && global.contains("--data"), "{help}");
        assert!(!global.contains("--listen"), "{help}");
    }
}

#[test]
fn what_only_reads_or_changes_makes_no_data_directory() {
    let desk = Desk::new();
    for line in [
        "user list",
        "user show ana@example.com",
        "user set-role ana@example.com admin",
        "user set-verified ana@example.com on",
        "user disable ana@example.com",
        "user enable ana@example.com",
        "user delete ana@example.com --yes",
        "user set-password ana@example.com --password-stdin",
        "session list",
        "audit list",
        "session revoke --all",
        "keys list",
        "keys rotate",
        "export",
        "export users.jsonl",
        "backup monday.db",
        "check",
    ] {
        let answer = desk.type_in(&format!("{line} --data elsewhere"), PASSWORD).is(1);
        let (what, hint) = ("doorward: no ", " in elsewhere: run `doorward serve` once");
        assert!(answer.err.starts_with(what) && answer.err.contains(hint), "{line}: {answer:?}");
        assert!(desk.is_empty(), "{line}");
    }
    for line in ["config", "openapi", "openapi --yaml", "keys generate", "man"] {
        desk.run(line).is(0);
        assert!(desk.is_empty(), "{line}");
    }
}

#[test]
fn a_database_of_another_program_is_a_failure() {
    let desk = Desk::new();
    fs::create_dir(desk.path().join("data")).unwrap();
    fs::write(desk.path().join("data/doorward.db"), "theirs ".repeat(600)).unwrap();
    desk.run("user list").is(1).err("is not a Doorward database");
}

#[test]
fn completions_and_manual_pages_are_made() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish"] {
        desk.run(&format!("completions {shell}")).is(0).out("set-password");
    }
    let example = ".SH EXAMPLES\n.nf\ndoorward serve ";
    desk.run("man")
        .is(0)
        .out(".TH doorward 1")
        .out(example)
        .out(".SH \"EXIT CODES\"\n.nf\n0 done,");
    desk.run("man share/man").is(0).out("share/man");
    for page in [
        "doorward",
        "doorward-serve",
        "doorward-user",
        "doorward-user-add",
        "doorward-session-revoke",
        "doorward-audit-list",
        "doorward-import",
        "doorward-keys-rotate",
        "doorward-export",
    ] {
        let text = fs::read_to_string(desk.path().join(format!("share/man/{page}.1"))).unwrap();
        assert!(text.contains(&format!(".TH {page} 1")), "{page}");
        let has_examples = text.contains(".SH EXAMPLES\n.nf\n") && text.contains("\n.fi\n");
        assert_eq!(has_examples, !["doorward-serve", "doorward-user"].contains(&page), "{page}");
        assert!(!text.contains("EXTRA"), "{page}");
    }
    fs::write(desk.path().join("file"), "").unwrap();
    desk.run("man file").is(1).err("doorward: cannot write to file: ");
}

#[test]
fn the_spec_is_printed_in_both_forms() {
    let desk = Desk::new();
    assert!(desk.json("openapi")["openapi"].is_string());
    desk.run("openapi --yaml").is(0).out("openapi: ");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let desk = Desk::new();
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let output = std::process::Command::new(cargo_bin!("doorward"))
        .args(["completions", "bash"])
        .current_dir(desk.path())
        .stdin(Stdio::null())
        .stdout(writer)
        .output()
        .unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}
