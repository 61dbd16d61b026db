//! What spans several keys.

use super::*;

#[test]
fn plain_http_is_for_loopback() {
    let table = [
        ("", true),
        ("listen = \"[::1]:0\"", true),
        ("listen = \"0.0.0.0:80\"", false),
        ("listen = \"[::]:80\"", false),
        ("listen = \"192.168.0.1:80\"", false),
        ("listen = \"0.0.0.0:80\"\nallow_insecure = true", true),
        ("listen = \"0.0.0.0:80\"\npublic_url = \"https://example.com\"", true),
        ("listen = \"0.0.0.0:80\"\npublic_url = \"http://localhost\"", true),
        ("public_url = \"http://localhost\"", true),
        ("public_url = \"http://127.0.0.1:3000\"", true),
        ("public_url = \"http://[::1]\"", true),
        ("public_url = \"http://example.com\"", false),
        ("public_url = \"http://localhost.example.com\"", false),
        ("public_url = \"http://example.com\"\nallow_insecure = true", true),
        ("public_url = \"https://example.com\"", true),
    ];
    for (file, allowed) in table {
        let result = load_file(file);
        if allowed {
            assert!(result.is_ok(), "{file}: {result:?}");
        } else {
            let found = problems(result);
            assert_eq!(found.len(), 1, "{file}: {found:?}");
            assert!(found[0].contains("some.toml line 1"), "{}", found[0]);
            assert!(found[0].contains("allow_insecure"), "{}", found[0]);
        }
    }
}

#[test]
fn a_rule_is_silent_only_while_a_key_it_reads_is_bad() {
    let table = [
        ("listen = \"x\"\npublic_url = \"http://example.com\"", 2),
        ("allow_insecure = 1\npublic_url = \"http://example.com\"", 1),
        ("public_url = \"x\"\nlisten = \"0.0.0.0:80\"", 1),
        ("public_url = \"x\"\ncookie_domain = \"example.com\"", 1),
        ("listen = \"x\"\ncookie_domain = \"example.com\"", 2),
    ];
    for (file, count) in table {
        let found = problems(load_file(file));
        assert_eq!(found.len(), count, "{file}: {found:?}");
    }
}

#[test]
fn the_bound_address_is_checked_too() {
    let config = Config::default();
    assert!(config.check_exposure("127.0.0.1:1".parse().unwrap()).is_ok());
    let refusal = config.check_exposure("0.0.0.0:1".parse().unwrap()).unwrap_err();
    assert!(refusal.to_string().starts_with("listen (in force): found 0.0.0.0:1; "), "{refusal}");
}

#[test]
fn a_cookie_domain_covers_the_public_host_over_https() {
    let table = [
        ("https://auth.example.com", "auth.example.com", true),
        ("https://auth.example.com", "example.com", true),
        ("https://auth.example.com", ".EXAMPLE.com", true),
        ("https://auth.example.com", "com", false),
        ("https://auth.example.com", "other.com", false),
        ("https://auth.example.com", "uth.example.com", false),
        ("https://auth.example.com", "api.auth.example.com", false),
        ("https://auth.example.com", "*.example.com", false),
        ("https://auth.example.com", "example.com; Secure", false),
        ("https://auth.example.com", "example..com", false),
        ("http://localhost", "localhost", false),
        ("http://auth.localhost.com", "localhost.com", false),
        ("https://10.0.0.1", "10.0.0.1", false),
        ("https://10.0.0.1", "0.0.1", false),
        ("https://[::1]", "::1", false),
    ];
    for (url, domain, allowed) in table {
        let file =
            format!("cookie_domain = \"{domain}\"\npublic_url = \"{url}\"\nallow_insecure = true");
        let result = load_file(&file);
        assert_eq!(result.is_ok(), allowed, "{url} {domain}");
        if let Err(error) = result {
            let error = error.to_string();
            assert!(error.starts_with("cookie_domain (some.toml line 1): "), "{error}");
        }
    }
    let found = problems(load_file("cookie_domain = \"example.com\""));
    assert!(found[0].contains("only with an https public_url"), "{found:?}");
}

#[test]
fn what_is_hardly_meant_is_warned_about() {
    let table = [
        ("access_token_ttl = \"19s\"", "twice refresh_grace 10s"),
        ("lost_response_window = \"9s\"", "shorter than refresh_grace 10s"),
        ("password_min_length = 7", "password_min_length 7 is below the default 8"),
        ("argon2_memory_kib = 19455", "below the default 19456"),
        ("argon2_iterations = 1", "below the default 2"),
        ("allow_insecure = true", "allow_insecure with http://127.0.0.1:8080"),
        ("listen = \"0.0.0.0:80\"\npublic_url = \"http://localhost\"", "open to the network"),
        ("smtp_ca_file = \"ca.pem\"", "no effect without smtp_url"),
    ];
    for (line, words) in table {
        let warnings = load_file(line).unwrap().warnings;
        assert_eq!(warnings.len(), 1, "{line}: {warnings:?}");
        assert!(warnings[0].contains(words), "{}", warnings[0]);
    }
    for line in [
        "access_token_ttl = \"20s\"",
        "lost_response_window = \"10s\"",
        "refresh_grace = \"0s\"\nlost_response_window = \"0s\"",
        "password_min_length = 8",
        "allow_insecure = true\npublic_url = \"https://example.com\"",
    ] {
        let warnings = load_file(line).unwrap().warnings;
        assert!(warnings.is_empty(), "{line}: {warnings:?}");
    }
}

#[test]
fn mail_and_its_links_are_not_for_everybody_to_read() {
    for (file, allowed) in [
        ("smtp_url = \"smtp://mail.example.com\"", false),
        ("smtp_url = \"smtp://mail.example.com\"\nallow_insecure = true", true),
        ("smtp_url = \"smtp://mail.example.com?tls=required\"", true),
        ("smtp_url = \"smtps://mail.example.com\"", true),
        ("smtp_url = \"smtp://localhost:1025\"", true),
        ("mail_link_base = \"http://www.example.com\"", false),
        ("mail_link_base = \"http://www.example.com\"\nallow_insecure = true", true),
        ("mail_link_base = \"http://localhost:3000\"", true),
    ] {
        assert_eq!(load_file(file).is_ok(), allowed, "{file}");
    }
}

#[test]
fn mail_is_from_the_public_host_unless_said_otherwise() {
    let bound = "127.0.0.1:41000".parse().unwrap();
    for (file, from, base) in [
        ("", "Doorward <no-reply@localhost>", "http://127.0.0.1:41000"),
        (
            "public_url = \"https://a.example\"",
            "Doorward <no-reply@a.example>",
            "https://a.example",
        ),
        ("mail_from = \"b@b.example\"", "b@b.example", "http://127.0.0.1:41000"),
        (
            "public_url = \"https://a.example\"\nmail_link_base = \"https://www.a.example\"",
            "Doorward <no-reply@a.example>",
            "https://www.a.example",
        ),
    ] {
        let config = load_file(file).unwrap().config;
        assert_eq!(config.mail_from(bound).to_string(), from, "{file}");
        assert_eq!(config.mail_link_base(bound).to_string(), base, "{file}");
    }
}

#[test]
fn what_is_unset_follows_the_address_bound() {
    let bound = "127.0.0.1:41000".parse().unwrap();
    let config = Config::default();
    assert_eq!(config.public_url(bound).to_string(), "http://127.0.0.1:41000");
    assert_eq!(config.audience(bound), "http://127.0.0.1:41000");

    let config = load_file("public_url = \"https://a.example/\"").unwrap().config;
    assert_eq!(config.public_url(bound).to_string(), "https://a.example");
    assert_eq!(config.audience(bound), "https://a.example");
    assert!(config.public_url(bound).is_https());
    assert_eq!(config.public_url(bound).host(), "a.example");

    let config = load_file("audience = \"api\"").unwrap().config;
    assert_eq!(config.audience(bound), "api");
}
