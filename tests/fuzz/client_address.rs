//! `X-Forwarded-For`. The first line of an input is the peer, the second has the trusted networks,
//! and each other is a header line.

use std::net::{IpAddr, SocketAddr};

use doorward::http::client::address;
use ipnet::IpNet;
use poem::http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use proptest::sample::select;

use crate::target::{Target, Verdict, lines};

/// An entry as a proxy writes it.
fn entry(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let forms = [text.parse().ok(), inner.and_then(|text| text.parse().ok())];
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    forms.into_iter().flatten().next().or_else(with_port).map(|ip| ip.to_canonical())
}

/// The way of the request, written down from the peer towards the client, until something is not
/// an address; then whoever the first stranger on it is, or else its end.
fn reference(peer: IpAddr, lines: &[HeaderValue], trusted: &[IpNet]) -> IpAddr {
    let lines = lines.iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
    let all = lines.collect::<Vec<_>>().join(",");
    let mut way = vec![peer.to_canonical()];
    if all.is_empty() {
        return way[0];
    }
    way.extend(all.split(',').rev().map_while(entry));
    let is_stranger = |ip: &&IpAddr| !trusted.iter().any(|net| net.contains(*ip));
    *way.iter().find(is_stranger).unwrap_or(&way[way.len() - 1])
}

fn check(bytes: &[u8]) -> Verdict {
    let mut lines = lines(bytes);
    let mut text = || String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let Ok(peer) = text().parse::<IpAddr>() else { return Ok(()) };
    let trusted: Vec<IpNet> = text().split(' ').filter_map(|net| net.parse().ok()).collect();
    let lines: Vec<_> = lines.filter_map(|line| HeaderValue::from_bytes(line).ok()).collect();
    let headers: HeaderMap = lines
        .iter()
        .map(|line| (poem::http::HeaderName::from_static("x-forwarded-for"), line.clone()))
        .collect();

    prop_assert_eq!(address(peer, &headers, &[]), peer.to_canonical(), "nobody is trusted");
    let found = address(peer, &headers, &trusted);
    prop_assert_eq!(found, reference(peer, &lines, &trusted));

    // Whatever a client puts in front of what the proxies write changes nothing once a stranger
    // has been found.
    if !trusted.iter().any(|net| net.contains(&found)) {
        for forged in ["127.0.0.1", "junk", "\u{ff}", "10.0.0.1, 198.51.100.77"] {
            let mut forged: HeaderMap = [("x-forwarded-for", forged)]
                .into_iter()
                .map(|(name, value)| {
                    let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                    (poem::http::HeaderName::from_static(name), value)
                })
                .collect();
            forged.extend(headers.clone());
            prop_assert_eq!(address(peer, &forged, &trusted), found);
        }
    }
    Ok(())
}

#[test]
fn nobody_is_believed_beyond_the_first_stranger() {
    let addresses = [
        "10.0.0.1",
        "10.0.0.2",
        "10.255.0.3",
        "::1",
        "::ffff:10.0.0.4",
        "198.51.100.1",
        "203.0.113.9",
        "2001:db8::1",
        "::ffff:198.51.100.1",
    ];
    let peer = select(addresses.to_vec());
    let networks = ["10.0.0.0/8", "::1/128", "2001:db8::/32", "0.0.0.0/0", "::/0", "10.0.0.2/32"];
    let trusted = prop::collection::vec(select(networks.to_vec()), 0..4);
    let form = select(vec!["{}", "[{}]", "{}:80", "[{}]:443", " {} ", "\"{}\"", "x{}", ""]);
    let entry = (select(addresses.to_vec()), prop_oneof![4 => Just("{}"), 1 => form])
        .prop_map(|(address, form)| form.replace("{}", address));
    let way = prop::collection::vec((entry, select(vec![",", ", ", "\n", ",,"])), 0..6).prop_map(
        |entries| {
            let text: String =
                entries.into_iter().flat_map(|(entry, joint)| [entry, joint.to_owned()]).collect();
            text.trim_end_matches([',', ' ', '\n']).to_owned()
        },
    );
    let request = (peer, trusted, way)
        .prop_map(|(peer, trusted, way)| format!("{peer}\n{}\n{way}", trusted.join(" ")));
    Target::new("client_address", 5_000)
        .structured(request.prop_map(String::into_bytes))
        .words(&["10.0.0.7", "198.51.100.1", ",", "\n", "[", "]", ":80", "::ffff:", "0.0.0.0/0"])
        .run(check);
}
