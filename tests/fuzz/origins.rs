//! Origins: of the configuration, and of the `Origin` header.

use doorward::config::{Origin, PublicUrl};
use doorward::http::origins::{Origins, Source};
use poem::http::{HeaderMap, HeaderValue, header};
use proptest::prelude::*;
use proptest::sample::select;
use url::{Host, Url};

use crate::target::{Target, Verdict};

const ALLOWED: &str = "https://app.example.com";

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.to_canonical().is_loopback(),
        None => false,
    }
}

/// What is parsed is what the URL standard makes of it, and has one form.
fn check_form(text: &str) -> Verdict {
    let url = Url::parse(text).ok();
    let Ok(origin) = Origin::parse(text) else {
        // A wildcard is a host for the URL standard.
        let is_normal = url.is_some_and(|url| {
            let is_web = matches!(url.scheme(), "http" | "https");
            is_web && url.origin().ascii_serialization() == text && !text.contains('*')
        });
        prop_assert!(!is_normal, "an origin in its normal form is refused");
        return Ok(());
    };
    let Some(url) = url else {
        return Err(TestCaseError::fail("the URL standard refuses it"));
    };
    prop_assert_eq!(origin.to_string(), url.origin().ascii_serialization());
    prop_assert_eq!(Some(origin.host()), url.host_str());
    prop_assert_eq!(Some(origin.port()), url.port_or_known_default());
    prop_assert_eq!((url.path(), url.query(), url.fragment()), ("/", None, None));
    prop_assert_eq!((url.username(), url.password()), ("", None));
    let again = Origin::parse(&origin.to_string());
    prop_assert_eq!(again.as_ref().map(ToString::to_string), Ok(origin.to_string()));
    prop_assert_eq!(again, Ok(origin));
    Ok(())
}

/// Nothing becomes our own, or allowed, that the URL standard does not say is the same.
fn check_source(text: &[u8], public_url: &str) -> Verdict {
    let Ok(value) = HeaderValue::from_bytes(text) else { return Ok(()) };
    let allowed = [Origin::parse(ALLOWED).unwrap()];
    let origins = Origins::new(&PublicUrl::parse(public_url).unwrap(), &allowed);
    let own = Url::parse(public_url).unwrap();
    let url = std::str::from_utf8(text).ok().and_then(|text| Url::parse(text).ok());
    let mut headers = HeaderMap::new();
    headers.append(header::ORIGIN, value.clone());
    match origins.source(&headers) {
        Source::Own => {
            let is_own = url.is_some_and(|url| {
                let is_near = is_loopback(&own) && is_loopback(&url);
                let is_same_port = own.port_or_known_default() == url.port_or_known_default();
                url.origin() == own.origin()
                    || (is_near && is_same_port && own.scheme() == url.scheme())
            });
            prop_assert!(is_own, "a foreign origin passes for our own of {}", public_url);
        }
        Source::Allowed(sent) => {
            prop_assert_eq!(sent, &value);
            let origin = url.map(|url| url.origin().ascii_serialization());
            prop_assert_eq!(origin.as_deref(), Some(ALLOWED));
        }
        Source::Foreign => {
            prop_assert!(text != public_url.as_bytes() && text != ALLOWED.as_bytes());
        }
    }
    headers.append(header::ORIGIN, value);
    prop_assert_eq!(origins.source(&headers), Source::Foreign, "two are none");
    Ok(())
}

fn check(bytes: &[u8]) -> Verdict {
    check_form(&String::from_utf8_lossy(bytes))?;
    for public_url in ["https://id.example.com", "http://127.0.0.1:8080", "https://[::1]"] {
        check_source(bytes, public_url)?;
    }
    Ok(())
}

#[test]
fn nothing_foreign_passes_for_our_own() {
    let scheme =
        select(vec!["https://", "http://", "HTTPS://", "ftp://", "https:", "", "https:\\\\"]);
    let user = select(vec!["", "", "", "", "ana@", "id.example.com@", ":@"]);
    let host = select(vec![
        "id.example.com",
        "app.example.com",
        "ID.Example.Com",
        "id.example.com.",
        "localhost",
        "127.0.0.1",
        "127.1",
        "0x7f000001",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[0:0::1]",
        "id.example.com.evil.example",
        "evil.example",
        "%69d.example.com",
        "id\u{3002}example.com",
        "bücher.example",
        "xn--bcher-kva.example",
        "id.ex\u{ad}ample.com",
        "*.example.com",
        "",
    ]);
    let port = select(vec!["", "", ":443", ":80", ":8080", ":0", ":065535", ":65536", ":", ":x"]);
    let rest = select(vec!["", "", "", "/", "//", "/x", "?", "#", "\\", " ", "\t"]);
    let origin = (scheme, user, host, port, rest)
        .prop_map(|(scheme, user, host, port, rest)| format!("{scheme}{user}{host}{port}{rest}"));
    Target::new("origins", 5_000)
        .structured(origin.prop_map(String::into_bytes))
        .words(&["://", ":", "/", "@", "\\", ".", "%2e", "[", "]", "localhost", "id.example.com"])
        .run(check);
}
