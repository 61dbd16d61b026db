//! `doorward user`.

use crate::backup::sql;
use crate::desk::{ANA, Answer, Desk, PASSWORD, STRANGER};

#[test]
fn the_life_of_a_user() {
    let desk = Desk::new();
    let add = "user add Ana@EXAMPLE.com --verified --password-stdin";
    desk.type_in(add, PASSWORD).is(0).out("ana@example.com is added as user, id ");
    desk.type_in(add, PASSWORD).is(1).err("doorward: ana@example.com has an account already\n");
    desk.run("user list").is(0).out(ANA).out("yes");

    // The last administrator could not be disabled or deleted.
    desk.type_in("user add root@example.com --role admin --password-stdin", PASSWORD).is(0);

    let id = desk.json("user show ana@example.com --json")["id"].as_str().unwrap().to_owned();
    desk.run(&format!("user show {id}")).is(0).out(ANA).out("0 devices");
    for (line, said) in [
        ("set-role ana@example.com admin", "ana@example.com is now admin\n"),
        ("set-role ana@example.com admin", "ana@example.com is admin already\n"),
        ("set-verified ana@example.com on", "ana@example.com is verified already\n"),
        ("set-verified ana@example.com off", "ana@example.com is now not verified\n"),
        ("set-verified ana@example.com off", "ana@example.com is not verified already\n"),
        ("set-verified ana@example.com on", "ana@example.com is now verified\n"),
        ("disable ana@example.com", "ana@example.com is now disabled and signed out everywhere\n"),
        ("disable ana@example.com", "ana@example.com is disabled already\n"),
    ] {
        assert_eq!(desk.run(&format!("user {line}")).is(0).out, said);
    }

    let ana = desk.json(&format!("user show {id} --json"));
    let time = |field: &str| {
        let text = ana[field].as_str().unwrap();
        doorward::Timestamp::parse(text).unwrap()
    };
    assert_eq!(
        (&ana["email"], &ana["role"], &ana["isVerified"]),
        (&ANA.into(), &"admin".into(), &true.into())
    );
    assert!(time("createdAt") < time("updatedAt"));
    assert_eq!(time("disabledAt"), time("updatedAt"));
    // The newest comes first.
    assert_eq!(desk.json("user list --json").pointer("/1"), Some(&ana));

    desk.run(&format!("user enable {id}")).is(0).out("ana@example.com is now enabled\n");
    assert_eq!(desk.json("user list --json").pointer("/1/disabledAt"), None);
    let said = "ana@example.com has a new password and is signed out everywhere\n";
    desk.type_in(&format!("user set-password {id} --password-stdin"), "another horse")
        .is(0)
        .out(said);
    desk.run(&format!("user delete {id} --yes")).is(0).out("ana@example.com is deleted\n");
    assert_eq!(desk.json("user list --json").as_array().map(Vec::len), Some(1));
}

/// Somebody must be left who can administer.
#[test]
fn the_last_administrator_stays() {
    let desk = Desk::with_ana();
    desk.type_in("user add ben@example.com --role admin --password-stdin", PASSWORD).is(0);
    desk.run("user set-role ana@example.com admin").is(0);
    desk.run("user disable ben@example.com").is(0);
    let before = desk.run("user list").is(0).out;
    for line in
        ["set-role ana@example.com user", "disable ana@example.com", "delete ana@example.com --yes"]
    {
        let answer = desk.run(&format!("user {line}")).is(1);
        let said = "doorward: ana@example.com is the last administrator who can sign in; ";
        assert!(answer.err.starts_with(said), "{answer:?}");
        assert_eq!(answer.out, "");
    }
    assert_eq!(desk.run("user list").is(0).out, before);
    desk.run("user enable ben@example.com").is(0);
    desk.run("user set-role ana@example.com user").is(0);
    desk.run("user delete ben@example.com --yes").is(1).err("last administrator");
    desk.run("user delete ana@example.com --yes").is(0);
}

/// Nobody is asked for a password that cannot be used.
#[test]
fn a_taken_address_is_refused_before_the_password_is_asked_for() {
    let desk = Desk::with_ana();
    let said = "doorward: ana@example.com has an account already\n";
    assert_eq!(desk.run("user add ana@example.com").is(1).err, said);
    assert_eq!(desk.type_in("user add ANA@example.com --password-stdin", "short").is(1).err, said);
    desk.run("user add ben@example.com").is(2).err("--password-stdin");
}

#[test]
fn an_unknown_user_or_session_is_a_failure() {
    let desk = Desk::with_ana();
    for user in ["bob@example.com", STRANGER] {
        for line in [
            "show",
            "set-role {} admin",
            "set-verified {} on",
            "disable",
            "enable",
            "delete {} --yes",
            "set-password {} --password-stdin",
        ] {
            let line = if line.contains("{}") { line.to_owned() } else { format!("{line} {{}}") };
            let answer =
                desk.type_in(&format!("user {}", line.replace("{}", user)), PASSWORD).is(1);
            assert!(answer.err.starts_with("doorward: no user has the "), "{line}: {answer:?}");
            assert!(answer.err.contains(user), "{line}: {answer:?}");
        }
        for line in ["session list --user", "session revoke --user"] {
            desk.run(&format!("{line} {user}")).is(1).err(user);
        }
    }
    let said = format!("doorward: no open session has the id {STRANGER}\n");
    assert_eq!(desk.run(&format!("session revoke {STRANGER}")).is(1).err, said);
}

#[test]
fn a_password_must_keep_to_the_policy() {
    let desk = Desk::new();
    let line = "user add ana@example.com --password-stdin";
    for (typed, reason) in [
        ("", "no password on standard input"),
        ("\nsecond line\n", "no password on standard input"),
        ("\r\n", "no password on standard input"),
        ("1234567\n", "the password must be at least 8 characters long"),
        ("1234567\n89\n", "the password must be at least 8 characters long"),
        ("12345678\n", "the password must not be one of the 10,000 most common passwords"),
        (&"x".repeat(257), "the password must be at most 256 characters long"),
    ] {
        desk.type_in(line, typed).is(2).err(reason);
        assert!(desk.is_empty(), "{typed:?}");
    }
    desk.type_in(line, [0xff, 0xfe, b'\n']).is(2).err("cannot read the password");
    let strict = Answer::of(
        desk.command(line).env("DOORWARD_PASSWORD_MIN_LENGTH", "30").write_stdin(PASSWORD),
    );
    strict.is(2).err("at least 30 characters");

    desk.type_in(line, "24681357\r\nignored").is(0);
    let change = "user set-password ana@example.com --password-stdin";
    desk.type_in(change, "short").is(2).err("at least 8 characters");
}

#[test]
fn users_are_found() {
    let desk = Desk::new();
    desk.type_in("user add ana@example.com --role admin --verified --password-stdin", PASSWORD)
        .is(0);
    desk.run("user list --disabled").is(0).out("There are no such users.\n");
    desk.type_in("user add ben@example.org --password-stdin", PASSWORD).is(0);
    desk.type_in("user add añ_a@example.com --verified --password-stdin", PASSWORD).is(0);
    desk.run("user disable ben@example.org").is(0);
    for (options, found) in [
        ("", &["añ_a@example.com", "ben@example.org", ANA][..]),
        ("--role admin", &[ANA]),
        ("--role user", &["añ_a@example.com", "ben@example.org"]),
        ("--disabled", &["ben@example.org"]),
        ("--unverified", &["ben@example.org"]),
        ("--search EXAMPLE.COM", &["añ_a@example.com", ANA]),
        ("--search AÑ", &["añ_a@example.com"]),
        ("--search _", &["añ_a@example.com"]),
        ("--search %", &[]),
        ("--role admin --search example --unverified", &[]),
        ("--limit 3", &["añ_a@example.com", "ben@example.org", ANA]),
    ] {
        let answer = desk.run(&format!("user list --json {options}")).is(0);
        let list: serde_json::Value = serde_json::from_str(&answer.out).unwrap();
        let list = list.as_array().unwrap();
        let emails: Vec<_> = list.iter().map(|user| user["email"].as_str().unwrap()).collect();
        assert_eq!(emails, found, "{options}");
        assert_eq!(answer.err, "", "{options}");
    }
    for json in ["", " --json"] {
        let cut = desk.run(&format!("user list --limit 2{json}")).is(0).err("more than these 2");
        assert!(cut.out.contains("ben@example.org") && !cut.out.contains(ANA), "{cut:?}");
    }
}

#[test]
fn an_address_that_can_be_taken_back_is_not_given_away() {
    let desk = Desk::with_ana();
    let token = "INSERT INTO one_time_tokens
        SELECT zeroblob(16), 'undo_email_change', id, 'ben@example.com', 1 << 50 FROM users";
    assert_eq!(sql(&desk.path().join("data/doorward.db")).execute(token, []), Ok(1));
    let said = "doorward: ben@example.com was the address of an account until lately";
    desk.type_in("user add ben@example.com --password-stdin", PASSWORD).is(1).err(said);
    desk.run("user invite ben@example.com").is(1).err(said);
    std::fs::write(desk.path().join("users.jsonl"), r#"{"email":"ben@example.com"}"#).unwrap();
    let said = "line 1: ben@example.com is there with another email, role, and was left alone\n";
    for line in ["import users.jsonl --dry-run", "import users.jsonl"] {
        desk.run(line).is(0).out(said).out(": 0 users ");
    }
}

#[test]
fn somebody_is_invited_from_the_shell() {
    let desk = Desk::with_ana();
    desk.run("user invite Ben@example.com")
        .is(0)
        .out("ben@example.com is invited as user; the link ");
    desk.run("mail list").is(0).out("ben@example.com").out("invitation");
    desk.run("user invite ana@example.com").is(1).err("ana@example.com has an account already\n");
    desk.run("user invite nonsense").is(2);
    desk.run("user invite ben@example.com --print-link").is(1).err("no keys in data");
    let key = desk.path().join("key");
    std::fs::write(&key, desk.run("keys generate").is(0).out).unwrap();
    let link = desk
        .run_in(
            "user invite c@example.com --print-link",
            "DOORWARD_KEY_FILE",
            key.to_str().unwrap(),
        )
        .is(0);
    assert!(link.out.starts_with("http://127.0.0.1:8080/account/accept-invitation?token="));
    assert_eq!(link.out.trim().len(), 54 + 66, "{}", link.out);
    assert!(!desk.run("mail list").is(0).out.contains("c@example.com"));
    desk.run_in("user invite c@example.com", "DOORWARD_REGISTRATION", "closed")
        .is(1)
        .err("set registration to \"invite\"");
}
