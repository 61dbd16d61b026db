//! Each key from each source, and each bound.

use super::*;

/// Key, value in the file, value in the environment, what is then shown.
const VALUES: &[(&str, &str, &str, &str)] = &[
    ("listen", r#""0.0.0.0:80""#, "0.0.0.0:80", "0.0.0.0:80"),
    ("metrics_listen", r#""[::1]:9090""#, "[::1]:9090", "[::1]:9090"),
    ("public_url", r#""https://Example.com:443/""#, "https://example.com", "https://example.com"),
    ("audience", r#""api""#, "api", "api"),
    ("data_dir", r#""/var/lib/doorward""#, "/var/lib/doorward", "/var/lib/doorward"),
    ("key_file", r#""/run/keys""#, "/run/keys", "/run/keys"),
    ("access_token_ttl", r#""5m""#, "300s", "5m"),
    ("refresh_token_ttl", r#""1d 12h""#, "36h", "36h"),
    ("session_max_age", r#""90d""#, "90days", "90d"),
    ("refresh_grace", r#""0s""#, "0s", "0s"),
    ("lost_response_window", r#""30s""#, "30s", "30s"),
    ("reuse_policy", r#""session""#, "session", "session"),
    ("auto_refresh", "false", "false", "false"),
    ("max_sessions_per_user", "3", "3", "3"),
    ("registration", r#""closed""#, "closed", "closed"),
    ("require_verified_email", "true", "true", "true"),
    (
        "allowed_origins",
        r#"["https://a.example", "http://localhost:3000"]"#,
        "https://a.example, http://localhost:3000,",
        "https://a.example, http://localhost:3000",
    ),
    (
        "trusted_proxies",
        r#"["10.0.0.0/8", "192.168.0.1", "::1"]"#,
        "10.0.0.0/8,192.168.0.1,::1",
        "10.0.0.0/8, 192.168.0.1/32, ::1/128",
    ),
    ("cookie_domain", r#"".Example.com""#, "example.com", "example.com"),
    ("allow_insecure", "true", "true", "true"),
    ("throttle", r#""false""#, "false", "false"),
    (
        "smtp_url",
        r#""smtps://ana:hunter2@mail.example.com""#,
        "smtp://ana:hunter2@mail.example.com?tls=required",
        "(hidden)",
    ),
    ("smtp_ca_file", r#""/etc/ca.pem""#, "/etc/ca.pem", "/etc/ca.pem"),
    ("mail_from", r#""A <a@Example.com>""#, "A <a@example.com>", "A <a@example.com>"),
    ("mail_link_base", r#""https://a.example/""#, "https://a.example", "https://a.example"),
    ("password_min_length", "12", "12", "12"),
    ("password_min_score", "3", "3", "3"),
    ("argon2_memory_kib", r#""65536""#, "65536", "65536"),
    ("argon2_iterations", "0x3", "3", "3"),
    ("argon2_parallelism", "4", "4", "4"),
    ("log_format", r#""json""#, "json", "json"),
    ("log_level", r#""trace""#, "trace", "trace"),
    ("audit_retention", r#""90d""#, "2160h", "90d"),
];

/// What some keys need beside them.
fn company(key: &str) -> &'static str {
    if key == "public_url" { "" } else { "public_url = \"https://auth.example.com\"\n" }
}

#[test]
fn every_key_is_read_from_the_file() {
    for (key, value, _, shown) in VALUES {
        let loaded = load_file(&format!("{}{key} = {value}", company(key))).unwrap();
        assert_eq!(setting(&loaded, key).value, *shown, "{key}");
        assert_eq!(setting(&loaded, key).source, Source::File(FILE.into()), "{key}");
    }
}

#[test]
fn every_key_is_read_from_the_environment() {
    for (key, _, value, shown) in VALUES {
        let variable = format!("DOORWARD_{}", key.to_uppercase());
        let env = [(variable.as_str(), *value)];
        let loaded = load_all(company(key), &env, &Flags::default()).unwrap();
        assert_eq!(setting(&loaded, key).value, *shown, "{key}");
        assert_eq!(setting(&loaded, key).source, Source::Environment(variable), "{key}");
        assert_ne!(loaded.config, load_file(company(key)).unwrap().config, "{key}");
    }
}

#[test]
fn the_tables_cover_every_key() {
    let tested: Vec<_> = VALUES.iter().map(|row| row.0).collect();
    let keys: Vec<_> = KEYS.iter().map(|key| key.name).collect();
    assert_eq!(tested, keys);
}

/// A line of the file and what its refusal must say.
const REFUSED: &[(&str, &[&str])] = &[
    (r#"listen = "localhost:8080""#, &[r#""localhost:8080""#, "IP:port", "not looked up"]),
    ("listen = 8080", &["found 8080", "IP:port"]),
    (r#"metrics_listen = "::1:90:""#, &["IP:port"]),
    (r#"public_url = "example.com""#, &[r#""example.com""#, "scheme://host"]),
    (r#"public_url = "https://example.com/auth""#, &["nothing after it"]),
    (r#"public_url = "https://example.com?x=1""#, &["nothing after it"]),
    (r#"public_url = "https://ana:pw@example.com""#, &["not shown"]),
    ("audience = 5", &["found 5", "a text"]),
    (r#"data_dir = """#, &["a path"]),
    ("access_token_ttl = 15", &["found 15", "unit"]),
    (r#"access_token_ttl = "15""#, &[r#"found "15""#, "unit"]),
    (r#"access_token_ttl = "999ms""#, &["at least 1s"]),
    (r#"refresh_grace = "0""#, &["unit"]),
    (r#"refresh_grace = "soon""#, &[r#"found "soon""#, "10s"]),
    (r#"refresh_grace = ["10s"]"#, &[r#"found ["10s"]"#, "a duration"]),
    (r#"session_max_age = "11y""#, &["at most 10 years"]),
    (r#"refresh_token_ttl = "14m""#, &["found 14m", "at least access_token_ttl, 15m"]),
    (r#"session_max_age = "14m""#, &["found 14m", "at least access_token_ttl, 15m"]),
    (r#"audit_retention = "0s""#, &[r#"found "0s""#, "at least 1d"]),
    (r#"audit_retention = "23h""#, &["at least 1d"]),
    (r#"reuse_policy = "all""#, &[r#"found "all""#, "user or session"]),
    (r#"auto_refresh = "yes""#, &[r#"found "yes""#, "true or false"]),
    ("auto_refresh = 1", &["found 1", "true or false"]),
    ("max_sessions_per_user = 0", &["1 to 10000"]),
    ("max_sessions_per_user = 10001", &["1 to 10000"]),
    ("max_sessions_per_user = -1", &["found -1; allowed: 1 to 10000"]),
    ("max_sessions_per_user = \"-1\"", &["allowed: 1 to 10000"]),
    ("max_sessions_per_user = 4294967296", &["allowed: 1 to 10000"]),
    ("max_sessions_per_user = \"many\"", &["found \"many\"; allowed: a whole number, 1 to 10000"]),
    ("max_sessions_per_user = 1.5", &["a floating-point number", "a whole number, 1 to 10000"]),
    ("max_sessions_per_user = 1979-05-27", &["a date", "a whole number"]),
    ("max_sessions_per_user = 99999999999999999999", &["64 bits", "a whole number"]),
    (r#"registration = "Open""#, &["open or invite or closed"]),
    (r#"allowed_origins = ["https://a.example", "*"]"#, &[r#"found "*""#, "scheme://host"]),
    (r#"allowed_origins = ["https://*.example.com"]"#, &["wildcards"]),
    (r#"allowed_origins = "https://a.example,b""#, &[r#"found "b""#]),
    ("allowed_origins = true", &["a list"]),
    (r#"trusted_proxies = ["10.0.0.0/33"]"#, &["10.0.0.0/33", "CIDR"]),
    (r#"smtp_url = "mail.example.com""#, &["found (hidden)", "smtps://USER:PASSWORD@HOST:PORT"]),
    (
        r#"smtp_url = "smtp://ana:pw@mail.example.com""#,
        &["not shown", "tls=required", "allow_insecure"],
    ),
    (r#"smtp_url = "smtps://ana:pw@mail.example.com?tls=none""#, &["found (hidden)"]),
    (r#"smtp_url = ["smtps://ana:pw@mail.example.com"]"#, &["found (hidden)", "a URL"]),
    ("smtp_url = 25", &["found (hidden)", "a URL"]),
    (r#"mail_from = "Example""#, &[r#"found "Example""#, "NAME <ADDRESS>"]),
    ("mail_from = 1", &["found 1", "a text such as"]),
    (r#"mail_link_base = "http://www.example.com""#, &["an https URL", "allow_insecure"]),
    (r#"mail_link_base = "https://www.example.com/app""#, &["nothing after it"]),
    ("password_min_length = 0", &["1 to 64"]),
    ("password_min_length = 65", &["1 to 64"]),
    ("password_min_score = 5", &["0 to 4"]),
    ("argon2_memory_kib = 7", &["8 to 4194304"]),
    ("argon2_memory_kib = 4194305", &["8 to 4194304"]),
    ("argon2_memory_kib = 15\nargon2_parallelism = 2", &["found 15", "at least 16"]),
    ("argon2_iterations = 0", &["1 to"]),
    ("argon2_parallelism = 0", &["1 to 16"]),
    ("argon2_parallelism = 17", &["1 to 16"]),
    (r#"log_format = "xml""#, &["text or json"]),
    (r#"log_level = "verbose""#, &["error or warn or info or debug or trace"]),
    ("[log_level]\nx = 1", &["found a table"]),
];

#[test]
fn a_bad_value_is_refused_with_key_place_and_what_is_allowed() {
    for (line, expected) in REFUSED {
        let key = line.split(['=', ']']).next().unwrap().trim().trim_start_matches('[');
        let found = problems(load_file(&format!("# one\n{line}")));
        assert_eq!(found.len(), 1, "{line}: {found:?}");
        let place = format!("{key} ({FILE} line 2): found ");
        assert!(found[0].starts_with(&place), "{line}: {}", found[0]);
        assert!(found[0].contains("allowed: "), "{line}: {}", found[0]);
        for words in *expected {
            assert!(found[0].contains(words), "{line}: {words}: {}", found[0]);
        }
        assert!(!found[0].contains("pw"), "a password is shown: {}", found[0]);
    }
}

#[test]
fn the_bounds_themselves_are_allowed() {
    for line in [
        "access_token_ttl = \"1s\"",
        "refresh_token_ttl = \"15m\"",
        "session_max_age = \"15m\"",
        "session_max_age = \"10y\"",
        "max_sessions_per_user = 1",
        "max_sessions_per_user = 10000",
        "password_min_length = 1",
        "password_min_length = 64",
        "password_min_score = 4",
        "argon2_memory_kib = 8",
        "argon2_memory_kib = 4194304",
        "argon2_memory_kib = 128\nargon2_parallelism = 16",
        "argon2_iterations = 1",
    ] {
        assert!(load_file(line).is_ok(), "{line}");
    }
}
