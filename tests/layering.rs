//! The rules of direction: who may name whom, read off the sources.

#![expect(clippy::expect_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

/// Layers from the bottom up. A layer may use those above it in this table, and itself.
const LAYERS: [&[&str]; 9] = [
    &["domain"],
    &["metric"],
    &["crypto", "clock", "config", "fault"],
    &["mail"],
    &["store"],
    &["app", "flows"],
    &["http", "jobs"],
    &["doorward"],
    &["cli", "main"],
];

/// Words that only the named places may contain, with the reason.
const RESERVED: [(&str, &[&str], &str); 7] = [
    ("rusqlite", &["store"], "only the store speaks SQL"),
    ("lettre", &["mail"], "only mail speaks SMTP"),
    ("poem", &["http", "doorward", "cli/serve"], "only http knows the framework"),
    ("StatusCode", &["http"], "only http knows status codes"),
    ("SystemTime", &["clock", "domain/time"], "time is an argument"),
    ("getrandom", &["clock"], "chance is an argument"),
    ("BEGIN IMMEDIATE", &["store/writer", "store/rotation"], "only the writer opens transactions"),
];

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(dir: &Path, into: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(dir).expect("src is readable") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source");
                into.push((path, text));
            }
        }
    }
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&src, &mut found);
    found
        .into_iter()
        .map(|(path, text)| (path.strip_prefix(&src).expect("below src").to_owned(), code(&text)))
        .collect()
}

/// The source without comments and without its tests.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn is_test(path: &Path) -> bool {
    let text = path.to_string_lossy();
    text.contains("_tests") || text.contains("/tests/") || text.ends_with("/tests.rs")
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The modules of the crate that a source names.
fn named(text: &str) -> Vec<String> {
    text.split("crate::")
        .skip(1)
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
        .collect()
}

fn violations(sources: &[(PathBuf, String)]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources.iter().filter(|(path, _)| !is_test(path)) {
        let shown = path.with_extension("").to_string_lossy().into_owned();
        let module = shown.split('/').next().unwrap_or_default();
        if module == "lib" {
            continue;
        }
        let Some(own) = layer(module) else {
            found.push(format!("{shown}: in no layer"));
            continue;
        };
        for other in named(text) {
            if layer(&other).is_some_and(|other| other > own) {
                found.push(format!("{shown}: uses {other}, which is above it"));
            }
        }
        for (word, places, reason) in RESERVED {
            let allowed = places
                .iter()
                .any(|place| shown == *place || shown.starts_with(&format!("{place}/")));
            if !allowed && text.contains(word) {
                found.push(format!("{shown}: names {word}, but {reason}"));
            }
        }
    }
    found
}

#[test]
fn every_module_points_downwards() {
    let sources = sources();
    assert!(sources.len() > 40, "the walk found only {} files", sources.len());
    assert_eq!(violations(&sources), Vec::<String>::new());
}

#[test]
fn a_violation_is_found() {
    let planted = |path: &str, text: &str| vec![(PathBuf::from(path), text.to_owned())];
    for (path, text) in [
        ("domain/session.rs", "use crate::store::Store;"),
        ("store/rotation.rs", "use crate::http::problem;"),
        ("mail/letter.rs", "use crate::store::Outgoing;"),
        ("flows/login.rs", "use lettre::Message;"),
        ("flows/login.rs", "use poem::Request;"),
        ("flows/login.rs", "let now = SystemTime::now();"),
        ("http/api/auth.rs", "rusqlite::Connection"),
        ("stray.rs", ""),
    ] {
        assert_eq!(violations(&planted(path, text)).len(), 1, "{path}: {text}");
    }
}
