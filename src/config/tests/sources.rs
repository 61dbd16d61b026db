//! Who wins, and how problems are reported.

use super::*;

#[test]
fn the_later_source_wins() {
    let file = "listen = \"127.0.0.1:1\"\ndata_dir = \"one\"\nthrottle = false\naudience = \"a\"";
    let env = [
        ("DOORWARD_LISTEN", "127.0.0.1:2"),
        ("DOORWARD_DATA_DIR", "two"),
        ("DOORWARD_AUDIENCE", ""),
        ("HOME", "/"),
    ];
    let flags = Flags {
        data: Some("three".into()),
        listen: Some("127.0.0.1:3".into()),
        ..Flags::default()
    };
    let loaded = load_all(file, &env, &Flags::default()).unwrap();
    assert_eq!(loaded.config.listen.port(), 2);
    assert_eq!(loaded.config.data_dir, Path::new("two"));
    assert!(!loaded.config.throttle);
    assert_eq!(loaded.config.audience, None, "an empty variable unsets");

    let loaded = load_all(file, &env, &flags).unwrap();
    assert_eq!(loaded.config.listen.port(), 3);
    assert_eq!(loaded.config.data_dir, Path::new("three"));
    assert_eq!(setting(&loaded, "listen").source.to_string(), "flag --listen");
    assert_eq!(setting(&loaded, "data_dir").source, Source::Flag("--data"));
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

#[test]
fn all_problems_are_reported_together() {
    let file = "log_level = \"loud\"\nacess_token_ttl = \"1m\"\nsession_max_age = \"1s\"";
    let env = [("DOORWARD_THROTTLE", "no"), ("DOORWARD_LISTEN", "0.0.0.0:80")];
    let flags = Flags { listen: Some("nowhere".into()), ..Flags::default() };
    let found = problems(load_all(file, &env, &flags));
    let starts = [
        "log_level (some.toml line 1): found \"loud\"; allowed: ",
        "acess_token_ttl (some.toml line 2): unknown key; did you mean access_token_ttl?",
        "throttle (environment DOORWARD_THROTTLE): found \"no\"; allowed: true or false",
        "listen (flag --listen): found \"nowhere\"; allowed: IP:port",
        "session_max_age (some.toml line 3): found 1s; allowed: at least access_token_ttl, 15m",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (problem, start) in found.iter().zip(starts) {
        assert!(problem.starts_with(start), "{problem}");
    }
}

#[test]
fn a_bad_value_is_refused_even_where_a_later_source_overrides_it() {
    let env = [("DOORWARD_LOG_LEVEL", "debug")];
    let found = problems(load_all("log_level = \"loud\"", &env, &Flags::default()));
    assert_eq!(found.len(), 1);
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_name() {
    let table = [
        ("public-url = 1", "did you mean public_url?"),
        ("LISTEN = 1", "did you mean listen?"),
        ("allowed_origin = 1", "did you mean allowed_origins?"),
        ("argon_memory_kib = 1", "did you mean argon2_memory_kib?"),
        ("data = 1", "did you mean data_dir?"),
        ("zzz = \"hunter2\"", "allowed: listen, metrics_listen, "),
        ("[server]\nlisten = 1", "unknown key"),
    ];
    for (line, hint) in table {
        let found = problems(load_file(line));
        assert_eq!(found.len(), 1, "{line}: {found:?}");
        assert!(found[0].contains("(some.toml line 1): unknown key; "), "{}", found[0]);
        assert!(found[0].contains(hint), "{}", found[0]);
        assert!(!found[0].contains("hunter2"), "{}", found[0]);
    }
}

#[test]
fn an_unknown_variable_is_a_warning() {
    let env = [("DOORWARD_LISTENN", "x"), ("DOORWARD_ZZZ", "hunter2"), ("OTHER", "x")];
    let loaded = load_all("", &env, &Flags::default()).unwrap();
    assert_eq!(
        loaded.warnings,
        [
            "environment DOORWARD_LISTENN: unknown variable, ignored; did you mean DOORWARD_LISTEN?",
            "environment DOORWARD_ZZZ: unknown variable, ignored",
        ]
    );
}

#[test]
fn a_broken_file_is_reported_with_its_line_and_hides_no_other_problem() {
    let env = [("DOORWARD_THROTTLE", "no"), ("DOORWARD_SESSION_MAX_AGE", "1s")];
    let file = "throttle = true\nlisten \"hunter2\"\n";
    let found = problems(load_all(file, &env, &Flags::default()));
    assert!(found[0].starts_with("some.toml line 2: not valid TOML: "), "{found:?}");
    assert!(found.last().unwrap().starts_with("throttle (environment"), "{found:?}");
    assert!(!found.concat().contains("hunter2"), "{found:?}");

    let twice = problems(load_file("throttle = true\nthrottle = true"));
    assert!(twice[0].starts_with("some.toml line 2: not valid TOML: duplicate key"), "{twice:?}");
}

#[test]
fn the_default_file_may_be_absent_but_not_unreadable() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let load = |default: &str| {
        let mut draft = Draft::default();
        draft.read_file(None, &root.join(default));
        draft.finish()
    };
    assert_eq!(load("no-such.toml").unwrap().config, Config::default());
    let found = problems(load("src"));
    assert!(found[0].contains("src: cannot be read: "), "{found:?}");
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = |path| Flags { config: Some(root.join(path)), ..Flags::default() };
    let load = |flags: &Flags| load(flags, std::iter::empty());

    let loaded = load(&named("doorward.example.toml")).unwrap();
    assert_eq!(loaded.config, Config::default());
    for path in ["no-such.toml", "src"] {
        let found = problems(load(&named(path)));
        assert_eq!(found.len(), 1);
        assert!(found[0].contains(&format!("{path} (flag --config): cannot be read")), "{found:?}");
    }
}

#[test]
fn a_secret_is_never_shown() {
    let secret = Key { secret: true, ..key_named("audience") };
    let config = Config { audience: Some("hunter2".into()), ..Config::default() };
    assert_eq!(Setting::new(&secret, &config, Source::Default).value, "(hidden)");

    let mut draft = Draft::default();
    let secret = Key { secret: true, ..key_named("log_level") };
    draft.apply(&secret, &Raw::Text("hunter2".into()), Place::default());
    let found = problems(draft.finish());
    assert!(found[0].starts_with("log_level (default): found (hidden); allowed: "), "{found:?}");
}

fn key_named(name: &str) -> Key {
    let Key { name, description, secret, set, show } =
        KEYS.iter().find(|key| key.name == name).unwrap();
    Key { name, description, secret: *secret, set: *set, show: *show }
}
