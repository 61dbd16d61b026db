//! The limits on one kind of attempt: per account and address, per account, per address.

use std::net::{IpAddr, Ipv4Addr};

use super::throttle::{Limit, RetryAfter, Throttle, address_bucket};

/// What attempts are counted under: 16 bytes whatever it stands for, so that what a table takes in
/// memory is known.
pub type Key = [u8; 16];

/// The keys of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keys {
    /// Where it comes from.
    pub address: Key,
    /// What it is about, if that is known: the account alone, and the account from this address.
    pub account: Option<AccountKeys>,
}

/// The keys of what an attempt is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountKeys {
    /// From anywhere.
    pub anywhere: Key,
    /// From the one address.
    pub pair: Key,
}

impl Keys {
    /// The keys of an attempt on `account` (such as an e-mail address, in the form in which it is kept).
    /// Strangers without an address share one bucket.
    #[must_use]
    pub fn of(account: Option<&[u8]>, address: Option<IpAddr>) -> Self {
        let bucket = address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address_bucket);
        let address = key(&[bucket.to_string().as_bytes()]);
        let account = account.map(|account| {
            let anywhere = key(&[account]);
            AccountKeys { anywhere, pair: key(&[&anywhere, &address]) }
        });
        Self { address, account }
    }
}

/// What `parts` come to; all but the last are of a fixed width.
fn key(parts: &[&[u8]]) -> Key {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    let mut key = Key::default();
    hasher.finalize_xof().fill(&mut key);
    key
}

/// How much of one kind of attempt there may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For one account from one address.
    pub pair: Limit,
    /// For one account from anywhere.
    pub account: Option<Limit>,
    /// From one address.
    pub address: Limit,
}

/// An attempt was counted; under which keys it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Under all of them.
    Granted,
    /// Not for the account alone: that limit is reached. The attempt may go on if it is somebody whom
    /// others must not lock out. Otherwise it is to be taken back, and waits.
    UnlessKnown(RetryAfter),
}

/// Counts one kind of attempt.
pub struct Gate {
    pair: Throttle<Key>,
    account: Option<Throttle<Key>>,
    address: Throttle<Key>,
}

impl Gate {
    /// With at most `capacity` keys for each of the limits.
    #[must_use]
    pub fn new(limits: Limits, capacity: usize) -> Self {
        Self {
            pair: Throttle::new(limits.pair, capacity),
            account: limits.account.map(|limit| Throttle::new(limit, capacity)),
            address: Throttle::new(limits.address, capacity),
        }
    }

    /// Counts an attempt, before its outcome is known.
    ///
    /// All limits are asked before anything is counted: one who has reached the limit of his address
    /// must not push others, or himself, out of the other tables with keys that he invents.
    ///
    /// # Errors
    /// The longer wait when the limit of the address, or that of the account from this address, is
    /// reached. Nothing is counted then.
    pub fn attempt(&mut self, keys: &Keys, now_ms: i64) -> Result<Admission, RetryAfter> {
        let about = keys.account;
        let waits = [
            self.address.wait(&keys.address, now_ms),
            about.and_then(|about| self.pair.wait(&about.pair, now_ms)),
        ];
        if let Some(longer) = waits.into_iter().flatten().max_by_key(|wait| wait.ms) {
            return Err(longer);
        }
        self.address.attempt(keys.address, now_ms)?;
        let Some(about) = about else { return Ok(Admission::Granted) };
        self.pair.attempt(about.pair, now_ms)?;
        Ok(match &mut self.account {
            Some(account) => match account.attempt(about.anywhere, now_ms) {
                Ok(()) => Admission::Granted,
                Err(wait) => Admission::UnlessKnown(wait),
            },
            None => Admission::Granted,
        })
    }

    /// Takes back an attempt that was counted at `at_ms`.
    pub fn refund(&mut self, keys: &Keys, admission: Admission, at_ms: i64) {
        self.address.refund(&keys.address, at_ms);
        self.clear_account(keys, admission, at_ms);
    }

    /// The same, but for the address, where it goes on to count.
    pub fn clear_account(&mut self, keys: &Keys, admission: Admission, at_ms: i64) {
        let Some(about) = keys.account else { return };
        self.pair.refund(&about.pair, at_ms);
        if let (Admission::Granted, Some(account)) = (admission, &mut self.account) {
            account.refund(&about.anywhere, at_ms);
        }
    }

    /// What is counted for one account from one address.
    pub const fn pair(&mut self) -> &mut Throttle<Key> {
        &mut self.pair
    }

    /// What the tables take in memory: see [`Throttle::bytes`].
    #[must_use]
    pub fn bytes(&self) -> usize {
        let account = self.account.as_ref().map_or(0, Throttle::bytes);
        self.pair.bytes() + account + self.address.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account::Email;

    const fn limit(attempts: u32) -> Limit {
        Limit { attempts, window_ms: 100 }
    }

    const LIMITS: Limits = Limits { pair: limit(2), account: Some(limit(3)), address: limit(4) };

    fn keys(account: &str, address: &str) -> Keys {
        Keys::of(Some(account.as_bytes()), Some(address.parse().unwrap()))
    }

    #[test]
    fn spellings_of_one_address_share_a_counter() {
        let key = |typed: &str| Email::parse(typed).map(|email| keys(email.as_str(), "192.0.2.1"));
        for (typed, kept) in [
            ("Ana@Example.COM", "ana@example.com"),
            ("A\u{300}na@example.com", "\u{e0}na@example.com"),
            ("\u{c0}na@example.com", "\u{e0}na@example.com"),
            ("\u{212b}@example.com", "\u{e5}@example.com"),
            ("ΟΔΟΣ@example.com", "οδοσ@example.com"),
            ("ana@BÜCHER.example", "ana@xn--bcher-kva.example"),
            ("ana@bu\u{308}cher.example", "ana@XN--BCHER-KVA.example"),
            ("ana@ｅｘａｍｐｌｅ.com", "ana@example.com"),
            ("ana@example\u{3002}com", "ana@example.com"),
        ] {
            assert!(key(typed).is_ok(), "{typed}");
            assert_eq!(key(typed), key(kept), "{typed}");
        }
        // These are accounts of their own, or none.
        for (one, other) in
            [("ana", "ana+a"), ("ana", "a.na"), ("ana", "ａna"), ("strasse", "straße")]
        {
            let [one, other] = [one, other].map(|local| key(&format!("{local}@example.com")));
            assert_ne!(one, other);
        }
        for none in [" ana@example.com", "ana@example.com ", "ana @example.com", "ana@example.com."]
        {
            assert!(key(none).is_err(), "{none:?}");
        }
    }

    #[test]
    fn spellings_of_one_network_share_a_counter() {
        for (one, other, same) in [
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "::ffff:c000:201", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("2001:db8::1", "2001:0DB8:0:0:ffff::7", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
        ] {
            let [one, other] = [one, other].map(|address| keys("ana", address));
            assert_eq!(one == other, same);
            assert_eq!(one.address == other.address, same);
        }
        let nowhere = Keys::of(Some(b"ana"), None);
        assert_eq!(nowhere, Keys::of(Some(b"ana"), None));
        assert_ne!(nowhere, keys("ana", "192.0.2.1"));
    }

    /// `(account, address, now)`, and what comes of it: the wait, and whether it is for the account
    /// alone.
    type Step = (&'static str, &'static str, i64, Option<(i64, bool)>);

    #[test]
    fn each_limit_refuses_for_itself() {
        #[rustfmt::skip]
        let stories: &[(&str, &[Step])] = &[
            ("the pair", &[("a", "::1", 0, None), ("a", "::1", 1, None), ("a", "::1", 2, Some((98, false))),
                ("b", "::1", 2, None), ("a", "1::", 2, None)]),
            ("the address", &[("a", "::1", 0, None), ("b", "::1", 1, None), ("c", "::1", 2, None), ("d", "::1", 3, None),
                ("e", "::1", 4, Some((96, false))), ("a", "1::", 4, None)]),
            ("the account", &[("a", "::1", 0, None), ("a", "1::", 1, None), ("a", "2::", 2, None),
                ("a", "3::", 3, Some((97, true))), ("b", "3::", 3, None)]),
            ("the longer wait is told", &[("c", "::1", 0, None), ("d", "::1", 0, None), ("a", "::1", 5, None), ("a", "::1", 7, None),
                ("a", "::1", 8, Some((97, false)))]),
            ("the account is asked last", &[("a", "::1", 0, None), ("a", "::1", 0, None), ("a", "1::", 0, None),
                ("a", "::1", 9, Some((91, false)))]),
        ];
        for (name, story) in stories {
            let mut gate = Gate::new(LIMITS, 10);
            for &(account, address, now, expected) in *story {
                let found = match gate.attempt(&keys(account, address), now) {
                    Ok(Admission::Granted) => None,
                    Ok(Admission::UnlessKnown(wait)) => Some((wait.ms, true)),
                    Err(wait) => Some((wait.ms, false)),
                };
                assert_eq!(found, expected, "{name}: {account} from {address} at {now}");
            }
        }
    }

    #[test]
    fn what_is_taken_back_was_never_there() {
        let mut gate = Gate::new(LIMITS, 10);
        let there = keys("a", "::1");
        for _ in 0..3 {
            let admission = gate.attempt(&there, 0).unwrap();
            gate.refund(&there, admission, 0);
        }
        for address in ["1::", "2::", "3::"] {
            assert_eq!(gate.attempt(&keys("a", address), 0), Ok(Admission::Granted));
        }
        // One that was not counted for the account is not taken from others there.
        let admission = gate.attempt(&there, 0).unwrap();
        assert_eq!(admission, Admission::UnlessKnown(RetryAfter { ms: 100 }));
        gate.refund(&there, admission, 0);
        assert_eq!(gate.attempt(&there, 0), Ok(admission));
    }

    /// Or one address could have all counters forgotten.
    #[test]
    fn who_is_refused_for_the_address_invents_no_keys() {
        let mut gate = Gate::new(LIMITS, 100);
        for number in 0..50 {
            let admitted = gate.attempt(&keys(&number.to_string(), "::1"), 0).is_ok();
            assert_eq!(admitted, number < 4);
        }
        let account = gate.account.as_ref().map(Throttle::len);
        assert_eq!((gate.address.len(), gate.pair.len(), account), (1, 4, Some(4)));
    }

    #[test]
    fn what_is_about_no_account_is_limited_by_address_alone() {
        let mut gate = Gate::new(Limits { account: None, ..LIMITS }, 10);
        let nobody = Keys::of(None, Some("::1".parse().unwrap()));
        for left in (0..5).rev() {
            assert_eq!(gate.attempt(&nobody, 0).is_ok(), left > 0);
        }
        assert!(gate.pair.is_empty());
        gate.refund(&nobody, Admission::Granted, 0);
        assert_eq!(gate.attempt(&keys("a", "::1"), 0), Ok(Admission::Granted));
    }
}
