//! E-mail addresses.

use doorward::domain::account::Email;
use proptest::prelude::*;
use proptest::sample::select;

use crate::target::{Target, Verdict};

fn check(bytes: &[u8]) -> Verdict {
    let text = String::from_utf8_lossy(bytes);
    let email = match Email::parse(&text) {
        Ok(email) => email,
        Err(error) => {
            let is_repeated = text.chars().count() > 8 && error.to_string().contains(&*text);
            prop_assert!(!is_repeated || error.to_string().contains("ana@example.com"));
            return Ok(());
        }
    };
    let kept = email.as_str();
    prop_assert!(kept.len() <= Email::MAX_BYTES, "{} bytes", kept.len());
    let (local, domain) = kept.rsplit_once('@').unwrap();
    prop_assert!(!local.is_empty() && !domain.is_empty());
    prop_assert!(domain.is_ascii(), "{}", domain);
    prop_assert!(!domain.contains(|c: char| c.is_ascii_uppercase()), "{}", domain);
    prop_assert!(!kept.contains(|c: char| c.is_control() || c.is_whitespace()), "{:?}", kept);
    // One address, one form: what is kept is found again by typing it.
    prop_assert_eq!(Email::parse(kept), Ok(email.clone()));
    let small: String = text.chars().flat_map(char::to_lowercase).collect();
    prop_assert_eq!(Email::parse(&small), Ok(email.clone()), "in small letters");
    Ok(())
}

#[test]
fn an_address_has_one_form() {
    let local = prop_oneof![
        "[a-zA-Z0-9.+_-]{1,12}",
        // Letters of many alphabets, and marks that combine with them.
        "[\\p{L}\\p{M}\\p{N}]{1,8}",
        "[a-zA-Z\\p{Greek}]{1,6}",
        "\\PC{0,8}",
        "[a-z]{60,70}",
    ];
    let label = prop_oneof![
        "[a-zA-Z0-9-]{1,10}",
        "[\\p{L}\\p{M}\\p{N}]{1,6}",
        "xn--[a-z0-9-]{1,8}",
        "[a-z]{60,65}",
        Just("\u{df}\u{130}\u{3c2}".to_owned()),
    ];
    let dot = select(vec![".", ".", ".", "\u{3002}", "\u{ff0e}"]);
    let domain = prop::collection::vec((label, dot), 1..5).prop_map(|labels| {
        let text: String =
            labels.into_iter().flat_map(|(label, dot)| [label, dot.to_owned()]).collect();
        text + "example"
    });
    let address = (local, domain).prop_map(|(local, domain)| format!("{local}@{domain}"));
    Target::new("emails", 6_000)
        .structured(address.prop_map(String::into_bytes))
        .words(&["@", ".", "xn--", "\u{307}", "\u{345}", "\u{3a3}", "\u{130}", "\u{200d}", "\""])
        .run(check);
}
