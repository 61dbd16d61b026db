//! The `User-Agent` header, and the name of a device that is made of it.

use doorward::domain::device::device_name;
use doorward::domain::session::Client;
use doorward::http::client::device;
use poem::http::{HeaderMap, HeaderValue, header};
use proptest::prelude::*;
use proptest::sample::select;

use crate::target::{Target, Verdict};

/// The longest name: a browser on a system, or what a program calls itself.
const LONGEST: usize = 40;

fn check_name(user_agent: &str) -> Verdict {
    let name = device_name(user_agent);
    prop_assert_eq!(name.is_empty(), user_agent.is_empty());
    prop_assert!(name.chars().count() <= LONGEST, "{}", name);
    let is_plain = |c: char| c.is_alphanumeric() || " -_.+()".contains(c);
    prop_assert!(name.chars().all(is_plain), "{:?}", name);
    prop_assert_eq!(name.trim(), &name);
    Ok(())
}

fn check(bytes: &[u8]) -> Verdict {
    check_name(&String::from_utf8_lossy(bytes))?;
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return Ok(()) };
    let headers: HeaderMap = [(header::USER_AGENT, value)].into_iter().collect();
    let client = device(None, headers.get("user-agent"));
    prop_assert!(client.user_agent.chars().count() <= Client::MAX_USER_AGENT);
    prop_assert!(!client.user_agent.contains(char::is_control), "{:?}", client.user_agent);
    check_name(&client.user_agent)
}

#[test]
fn a_device_has_a_short_and_printable_name() {
    let marks = [
        "Mozilla/5.0",
        "Opera/9.80",
        "(X11; Linux x86_64)",
        "(iPhone; CPU iPhone OS 17_5)",
        "Windows NT 10.0",
        "Macintosh",
        "CrOS ",
        "Firefox/128.0",
        "Chrome/126",
        "HeadlessChrome/1",
        "Version/17.5 Safari/605",
        "SamsungBrowser/25",
        "curl/8.8.0",
        "python-httpx/0.27",
        "node",
        "Windows Phone",
        "/",
        "\u{202e}",
        "\u{200b}x",
        "🦊",
        "\u{0}",
    ];
    let piece = prop_oneof![4 => select(marks.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,60}"];
    let agent = prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.join(" "));
    Target::new("user_agents", 5_000)
        .structured(agent.prop_map(String::into_bytes))
        .structured("\\PC{0,400}".prop_map(String::into_bytes))
        .words(&["/", " ", "Mozilla", "; wv)", "Android", "\u{1b}[2J", "\u{202e}"])
        .run(check);
}
