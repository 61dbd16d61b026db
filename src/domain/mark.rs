//! By what a device is recognised that has signed in before, and a recipient who was written to.

use std::net::IpAddr;

use super::account::Email;
use super::device::device_name;
use super::session::Client;
use super::throttle::address_bucket;

/// A kind of browser at an address: what [`device_name`] calls it, and the [`address_bucket`].
///
/// Deliberately no more than that. A cookie would tell devices apart, but is one more thing to
/// steal, and is gone when the browser is cleaned. So it decides about nothing that needs a secret:
/// who sends a forged `User-Agent` from the same network has the same mark.
///
/// It is not keyed: a rotation of the keys must not make all devices unknown. It hides addresses from
/// who glances at the table, not from who tries them all; the sessions beside it name them anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceMark(pub [u8; 16]);

impl DeviceMark {
    /// The mark of a client.
    #[must_use]
    pub fn of(client: &Client) -> Self {
        let bucket = client.ip.parse::<IpAddr>().map(address_bucket);
        let mut hasher = blake3::Hasher::new_derive_key("doorward 2026-01 device mark");
        hasher.update(bucket.map(|it| it.to_string()).unwrap_or_default().as_bytes());
        // Is in no address.
        hasher.update(b"\n");
        hasher.update(device_name(&client.user_agent).as_bytes());
        Self(mark(&hasher))
    }
}

/// An address that was written to, for as long as that counts.
///
/// It is not keyed, either: it hides addresses from who glances at the table, not from who has a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecipientMark(pub [u8; 16]);

impl RecipientMark {
    /// The mark of an address.
    #[must_use]
    pub fn of(email: &Email) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("doorward 2026-01 recipient mark");
        hasher.update(email.as_str().as_bytes());
        Self(mark(&hasher))
    }
}

fn mark(hasher: &blake3::Hasher) -> [u8; 16] {
    let mut mark = [0; 16];
    hasher.finalize_xof().fill(&mut mark);
    mark
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
    const NEWER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0";
    const WINDOWS: &str =
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0";

    #[test]
    fn a_device_is_a_kind_of_browser_at_an_address() {
        let mark = |ip: &str, user_agent: &str| {
            DeviceMark::of(&Client { ip: ip.to_owned(), user_agent: user_agent.to_owned() })
        };
        for (ip, user_agent, other_ip, other_agent, same) in [
            ("192.0.2.7", FIREFOX, "192.0.2.7", FIREFOX, true),
            ("192.0.2.7", FIREFOX, "192.0.2.7", NEWER, true),
            ("192.0.2.7", FIREFOX, "::ffff:192.0.2.7", FIREFOX, true),
            ("2001:db8::1", FIREFOX, "2001:db8::ffff:1", FIREFOX, true),
            ("", "", "", "", true),
            ("192.0.2.7", FIREFOX, "192.0.2.7", WINDOWS, false),
            ("192.0.2.7", FIREFOX, "192.0.2.7", "", false),
            ("192.0.2.7", FIREFOX, "192.0.2.8", FIREFOX, false),
            ("192.0.2.7", FIREFOX, "", FIREFOX, false),
            ("2001:db8::1", FIREFOX, "2001:db8:0:1::1", FIREFOX, false),
        ] {
            let is_same = mark(ip, user_agent) == mark(other_ip, other_agent);
            assert_eq!(is_same, same, "{ip} {user_agent}, {other_ip} {other_agent}");
        }
    }

    /// It is stored: another way to make it would make every device unknown.
    #[test]
    fn the_mark_stays_what_it_is() {
        let client = Client { ip: "192.0.2.7".to_owned(), user_agent: FIREFOX.to_owned() };
        let mark = u128::from_be_bytes(DeviceMark::of(&client).0);
        assert_eq!(mark, 0x82bc_a2f9_804d_a06b_0e97_1a54_ded8_6402);
    }
}
