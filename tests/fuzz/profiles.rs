//! What users say about themselves: each value has one form.

use std::fmt::{Debug, Display};

use doorward::domain::address::Country;
use doorward::domain::avatar::AvatarUrl;
use doorward::domain::phone::Phone;
use doorward::domain::profile::{Locale, TimeZone};
use doorward::domain::text::Text;
use proptest::prelude::*;

use crate::target::{Target, Verdict};

/// What is kept is within its bound, and typed again it is kept as it is. An error does not repeat
/// what it is about.
fn one_form<T, E>(text: &str, most: usize, parse: impl Fn(&str) -> Result<T, E>) -> Verdict
where
    T: Display + Debug + PartialEq,
    E: Display + Debug + PartialEq,
{
    match parse(text) {
        Ok(value) => {
            let kept = value.to_string();
            prop_assert!(!kept.is_empty() && kept.chars().count() <= most, "{:?}", kept);
            prop_assert!(!kept.contains(|c: char| c.is_control()), "{:?}", kept);
            prop_assert_eq!(kept.trim(), &kept);
            prop_assert_eq!(parse(&kept), Ok(value));
        }
        Err(error) => {
            let is_repeated = text.chars().count() > 12 && error.to_string().contains(text);
            prop_assert!(!is_repeated, "{}", error);
        }
    }
    Ok(())
}

fn check(bytes: &[u8]) -> Verdict {
    let text = &*String::from_utf8_lossy(bytes);
    one_form(text, 20, Text::<20>::parse)?;
    one_form(text, Phone::MAX_CHARS, Phone::parse)?;
    one_form(text, Locale::MAX_CHARS, Locale::parse)?;
    one_form(text, TimeZone::MAX_CHARS, TimeZone::parse)?;
    one_form(text, AvatarUrl::MAX_CHARS, AvatarUrl::parse)?;
    one_form(text, 2, Country::parse)?;
    if let Ok(phone) = Phone::parse(text) {
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        prop_assert_eq!(phone.as_str(), format!("+{digits}"), "every digit, and only they");
    }
    if let Ok(url) = AvatarUrl::parse(text) {
        let url = url.as_str();
        prop_assert!(url.is_ascii() && !url.contains([' ', '"', '<', '>']), "{}", url);
        let machine = ["http://localhost", "http://127.", "http://["];
        let is_here = machine.iter().any(|it| url.starts_with(it));
        prop_assert!(url.starts_with("https://") || is_here, "{}", url);
        let authority = url.split('/').nth(2).unwrap_or_default();
        prop_assert!(!authority.contains('@'), "{}", url);
    }
    Ok(())
}

#[test]
fn what_is_said_has_one_form() {
    let texts = prop_oneof![
        "[\\p{L}\\p{M}\\p{N}\\p{Z}\\p{Cf}]{1,24}",
        "\\PC{0,24}",
        "\\+[1-9][0-9]{2}[ ()-][0-9 ()-]{4,14}",
        "\\+?[0-9()\u{2010}\u{2212} -]{5,22}",
        "[a-zA-Z]{2,8}(-[a-zA-Z0-9]{1,8}){0,4}",
        "(https?|ftp)://[a-z0-9.:@%\\[\\]-]{1,16}/[\\p{L}\\p{N}?#%/\\\\]{0,12}",
        "http://(localhost|127\\.0\\.0\\.[0-9]{1,3}|\\[::1\\]|0x7f\\.1|2130706433)(:[0-9]{1,5})?",
    ];
    // In letters that take six characters each when they are written out.
    let long = format!("https://a.example/{}", "ä".repeat(400));
    Target::new("profiles", 6_000)
        .seeds([long.into_bytes()])
        .structured(texts.prop_map(String::into_bytes))
        .words(&["\u{301}", "\u{200d}", "\u{202e}", "(0)", "+", "@", "://", "localhost", "-", "\0"])
        .run(check);
}
