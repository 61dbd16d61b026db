//! The documented defaults and the example file.

use super::*;

const EXAMPLE: &str = include_str!("../../../doorward.example.toml");

#[test]
fn nothing_set_gives_the_documented_defaults() {
    let loaded = load_file("").unwrap();
    assert_eq!(loaded.config, Config::default());
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    let documented = [
        ("listen", "127.0.0.1:8080"),
        ("metrics_listen", "(unset)"),
        ("public_url", "(unset)"),
        ("audience", "(unset)"),
        ("data_dir", "data"),
        ("key_file", "(unset)"),
        ("access_token_ttl", "15m"),
        ("refresh_token_ttl", "30d"),
        ("session_max_age", "180d"),
        ("refresh_grace", "10s"),
        ("lost_response_window", "24h"),
        ("reuse_policy", "user"),
        ("auto_refresh", "true"),
        ("max_sessions_per_user", "50"),
        ("registration", "open"),
        ("require_verified_email", "false"),
        ("allowed_origins", "(none)"),
        ("trusted_proxies", "(none)"),
        ("cookie_domain", "(unset)"),
        ("allow_insecure", "false"),
        ("throttle", "true"),
        ("smtp_url", "(unset)"),
        ("smtp_ca_file", "(unset)"),
        ("mail_from", "(unset)"),
        ("mail_link_base", "(unset)"),
        ("password_min_length", "8"),
        ("password_min_score", "0"),
        ("argon2_memory_kib", "19456"),
        ("argon2_iterations", "2"),
        ("argon2_parallelism", "1"),
        ("log_format", "text"),
        ("log_level", "info"),
        ("audit_retention", "365d"),
    ];
    let shown: Vec<_> = loaded.settings.iter().map(|s| (s.key, s.value.as_str())).collect();
    assert_eq!(shown, documented);
    assert!(loaded.settings.iter().all(|s| s.source == Source::Default));
}

#[test]
fn the_example_file_shows_every_key_with_its_default() {
    let lines: Vec<_> = EXAMPLE.lines().collect();
    let settings: Vec<_> = lines
        .windows(2)
        .filter_map(|pair| {
            let line = pair[1].strip_prefix('#').filter(|line| !line.starts_with(' '))?;
            let (name, _) = line.split_once(" = ")?;
            Some((name, pair[0], line))
        })
        .collect();
    let names: Vec<_> = settings.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names, KEYS.iter().map(|key| key.name).collect::<Vec<_>>());

    let standard = load_file("").unwrap();
    let mut defaults = String::new();
    let mut everything = String::new();
    for (key, (_, comment, line)) in KEYS.iter().zip(&settings) {
        let example = matches!(setting(&standard, key.name).value.as_str(), "(unset)" | "(none)");
        let suffix = if example { " (an example)" } else { "" };
        assert_eq!(*comment, format!("# {}{suffix}", key.description));
        everything = format!("{everything}{line}\n");
        if !example {
            defaults = format!("{defaults}{line}\n");
        }
    }
    assert_eq!(load_file(&defaults).unwrap().config, Config::default());
    let loaded = load_file(&everything).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert!(loaded.settings.iter().all(|s| s.source == Source::File(FILE.into())));
    assert_eq!(load_file(EXAMPLE).unwrap().config, Config::default());
}
