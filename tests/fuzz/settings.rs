//! The configuration file.

use std::path::Path;

use doorward::config::{Flags, load};
use proptest::prelude::*;
use proptest::sample::select;

use crate::target::{Target, Verdict};

fn flags(file: &Path) -> Flags {
    Flags { config: Some(file.to_owned()), ..Flags::default() }
}

/// A file in the example that comes with the program, with its comments turned into settings.
fn example() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("doorward.example.toml");
    let text = std::fs::read_to_string(path).unwrap();
    text.replace("\n# ", "\n#").replace("\n#", "\n").into_bytes()
}

#[test]
fn a_file_is_loaded_or_told_what_is_wrong_with_it() {
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let file = dir.path().join("doorward.toml");
    std::fs::write(&file, "").unwrap();
    let defaults = load(&flags(&file), std::iter::empty()).unwrap();
    let keys: Vec<_> = defaults.settings.iter().map(|setting| setting.key).collect();

    let check = |bytes: &[u8]| -> Verdict {
        std::fs::write(&file, bytes).unwrap();
        let loaded = load(&flags(&file), std::iter::empty());
        let table =
            std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<toml::Table>().ok());
        match loaded {
            Ok(loaded) => {
                let table = table.ok_or_else(|| TestCaseError::fail("it is not TOML"))?;
                for name in table.keys() {
                    prop_assert!(keys.contains(&name.as_str()), "{} is unknown", name);
                }
                prop_assert_eq!(loaded.settings.len(), keys.len());
            }
            Err(error) => {
                let error = error.to_string();
                prop_assert!(!error.chars().any(|c| c.is_control() && c != '\n'), "{:?}", error);
                let is_located =
                    |line: &str| line.contains("doorward.toml") || line.contains("(default");
                for line in error.lines() {
                    // A URL may hold a password, where one is asked for.
                    let is_url =
                        line.starts_with("public_url") || line.starts_with("allowed_origins");
                    let is_shown = line.contains("secret") && line.contains('@');
                    prop_assert!(!is_url || !is_shown, "{}", error);
                    prop_assert!(is_located(line), "{}", error);
                }
                for name in table.iter().flat_map(toml::Table::keys) {
                    let is_known = keys.contains(&name.as_str());
                    let told = format!("{} (", name.escape_debug());
                    prop_assert!(is_known || error.contains(&told), "{}: {}", name, error);
                }
            }
        }
        Ok(())
    };

    let value = select(vec![
        "true",
        "false",
        "0",
        "1",
        "50",
        "-1",
        "4294967296",
        "1.5",
        "inf",
        "0xff",
        "1979-05-27",
        "\"\"",
        "\"10s\"",
        "\"0s\"",
        "\"30d\"",
        "\"11y\"",
        "\"10\"",
        "\"json\"",
        "\"user\"",
        "[]",
        "\"127.0.0.1:0\"",
        "\"0.0.0.0:80\"",
        "\"https://id.example.com\"",
        "\"http://localhost\"",
        "\"https://ana:secret@id.example.com\"",
        "[\"https://ana:secret@id.example.com\"]",
        "[\"https://app.example.com\", 1]",
        "\"::1,10.0.0.0/8\"",
        "{ a = 1 }",
        "\".example.com\"",
        "\"\\u001b[31m\\u202e\"",
        "'''\na'''",
    ]);
    let value = prop_oneof![8 => value.prop_map(str::to_owned), 1 => "\"\\PC{0,12}\""];
    let known: Vec<_> = keys.iter().map(ToString::to_string).collect();
    let key = prop_oneof![12 => select(known), 1 => "[a-z_]{1,12}", 1 => "\"\\PC{0,6}\""];
    let settings = prop::collection::vec((key, value), 0..6).prop_map(|settings| {
        let lines = settings.iter().map(|(key, value)| format!("{key} = {value}\n"));
        lines.collect::<String>()
    });
    Target::new("settings", 1_500)
        .seeds([example()])
        .structured(settings.prop_map(String::into_bytes))
        .words(&["=", "\n", "\"", "[", "]", "refresh_grace", "public_url", "\"0s\"", "'", "#"])
        .run(check);
}
