//! Who is at the other end: the client's address and device.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use poem::Request;
use poem::http::{HeaderMap, HeaderValue};

use crate::domain::session::Client;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The client's address: that of the peer, unless the peer is a trusted proxy. Then it is the
/// rightmost entry of `X-Forwarded-For` that no trusted proxy has written; what stands left of
/// it anybody may have made up. An entry that is no address ends the search.
pub fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |ip: IpAddr| trusted.iter().any(|net| net.contains(&ip));
    let mut address = peer.to_canonical();
    if !is_trusted(address) {
        return address;
    }
    let lines: Vec<_> = headers.get_all(FORWARDED_FOR).iter().collect();
    // By bytes: what a client has put to the left, text or not, hides nothing of the right.
    let entries = lines.iter().rev().flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    for entry in entries {
        let entry = str::from_utf8(entry).unwrap_or_default();
        let Some(ip) = parse(entry.trim()) else { break };
        address = ip;
        if !is_trusted(address) {
            break;
        }
    }
    address
}

/// An address as proxies write it: bare, with a port, or in brackets.
fn parse(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let ip = bare.parse().or_else(|_| entry.parse::<SocketAddr>().map(|address| address.ip()));
    ip.ok().map(|ip: IpAddr| ip.to_canonical())
}

/// The address of the peer, if it came over IP.
pub fn peer(request: &Request) -> Option<IpAddr> {
    request.remote_addr().as_socket_addr().map(SocketAddr::ip)
}

/// Whether the request comes from this machine without a proxy in between: behind a proxy on
/// this machine everybody seems to.
pub fn is_direct_loopback(request: &Request) -> bool {
    let forwarded = ["forwarded", FORWARDED_FOR, "x-real-ip", "via"];
    peer(request).is_some_and(|ip| ip.to_canonical().is_loopback())
        && !forwarded.iter().any(|name| request.headers().contains_key(*name))
}

/// The client's device, for the list of sessions.
pub fn device(address: Option<IpAddr>, user_agent: Option<&HeaderValue>) -> Client {
    let user_agent = user_agent.map(|value| String::from_utf8_lossy(value.as_bytes()));
    Client {
        ip: address.map(|ip| ip.to_string()).unwrap_or_default(),
        user_agent: user_agent
            .iter()
            .flat_map(|text| text.chars())
            .filter(|c| !c.is_control())
            .take(Client::MAX_USER_AGENT)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forwarded_for_is_believed_from_the_right_and_only_behind_a_trusted_proxy() {
        let proxies = ["10.0.0.0/8", "::1/128"];
        for (peer, lines, expected) in [
            ("203.0.113.9", &["198.51.100.1"][..], "203.0.113.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.0.0.7"], "198.51.100.1"),
            ("10.0.0.1", &["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("10.0.0.1", &["198.51.100.1, junk"], "10.0.0.1"),
            ("10.0.0.1", &["\u{ff}, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["198.51.100.1, \u{ff}"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("::1", &["[2001:db8::1]:4711"], "2001:db8::1"),
            ("::1", &["[2001:db8::1]"], "2001:db8::1"),
            ("::ffff:10.0.0.1", &["::ffff:198.51.100.1"], "198.51.100.1"),
        ] {
            let trusted: Vec<IpNet> = proxies.iter().map(|net| net.parse().unwrap()).collect();
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
            }
            let found = address(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{peer} {lines:?}");
        }
    }

    #[test]
    fn user_agents_are_cut_and_cleaned() {
        let client = device(None, Some(&"a\tb".repeat(200).parse().unwrap()));
        assert_eq!(client.user_agent.chars().count(), Client::MAX_USER_AGENT);
        assert!(!client.user_agent.contains('\t'));
        assert_eq!(client.ip, "");
    }
}
