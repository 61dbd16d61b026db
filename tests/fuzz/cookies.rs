//! The `Cookie` header, one a line.

use doorward::config::PublicUrl;
use doorward::http::cookies::{CookieStyle, Kind};
use poem::http::{HeaderMap, HeaderValue, header};
use proptest::prelude::*;
use proptest::sample::select;

use crate::target::{Target, Verdict, lines};

const KINDS: [Kind; 3] = [Kind::Access, Kind::Refresh, Kind::Csrf];

fn styles() -> [CookieStyle; 3] {
    let style = |url, domain| CookieStyle::new(&PublicUrl::parse(url).unwrap(), domain);
    [
        style("http://localhost:8080", None),
        style("https://id.example.com", None),
        style("https://id.example.com", Some("example.com")),
    ]
}

/// What look like our names and are not.
const DISGUISES: [&str; 8] = [
    "%74oken=evil",
    "__%48ost-token=evil",
    "TOKEN=evil",
    "__host-token=evil",
    "\"token\"=evil",
    "token%20=evil",
    "to\tken=evil",
    "__Host-__Host-token=evil",
];

fn headers(lines: &[&[u8]]) -> HeaderMap {
    let values = lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok());
    values.map(|value| (header::COOKIE, value)).collect()
}

/// The values of a name, over all lines, in order.
fn values_of(name: &str, lines: &[&[u8]]) -> Vec<String> {
    let lines = lines.iter().filter(|line| HeaderValue::from_bytes(line).is_ok());
    let mut values = Vec::new();
    for pair in lines.flat_map(|line| line.split(|byte| *byte == b';')) {
        let pair = String::from_utf8_lossy(pair);
        if let Some((found, value)) = pair.split_once('=')
            && found.trim_matches([' ', '\t']) == name
        {
            values.push(value.trim_matches([' ', '\t']).to_owned());
        }
    }
    values
}

fn check(bytes: &[u8]) -> Verdict {
    let mut lines: Vec<_> = lines(bytes).collect();
    for style in styles() {
        let found = style.read(&headers(&lines));
        match &found {
            Ok(cookies) => {
                for kind in KINDS {
                    let values = values_of(&style.name(kind), &lines);
                    prop_assert!(values.len() < 2, "{kind:?} came twice");
                    prop_assert_eq!(cookies.get(kind), values.first().map(String::as_str));
                }
            }
            Err(duplicate) => {
                prop_assert!(values_of(&style.name(duplicate.0), &lines).len() > 1);
            }
        }
        for disguise in DISGUISES {
            for at in [0, lines.len()] {
                lines.insert(at, disguise.as_bytes());
                prop_assert_eq!(&style.read(&headers(&lines)), &found, "{}", disguise);
                lines.remove(at);
            }
        }
    }
    Ok(())
}

#[test]
fn cookies_are_read_as_they_stand() {
    let names = ["token", "refreshToken", "csrfToken", "Token", "%74oken", " token ", "", "x"];
    let name = (select(vec!["", "__Host-", "__Secure-"]), select(names.to_vec()));
    let pair = (name, select(vec!["=", "", "==", " = "]), "[ -~]{0,6}")
        .prop_map(|((prefix, name), sign, value)| format!("{prefix}{name}{sign}{value}"));
    let joint = select(vec!["; ", ";", "\n", ";;", ";\t"]);
    let header = prop::collection::vec((pair, joint), 0..6).prop_map(|pairs| {
        pairs.into_iter().flat_map(|(pair, joint)| [pair, joint.to_owned()]).collect::<String>()
    });
    Target::new("cookies", 3_000)
        .structured(header.prop_map(String::into_bytes))
        .words(&["token=", "__Host-", "__Secure-refreshToken=", ";", "=", "%", "\n"])
        .run(check);
}
