//! How often somebody may try: a sliding log of attempts per key, in bounded memory.
//!
//! An attempt is counted before its outcome is known, so that a burst sent in parallel cannot
//! slip through while the first answers are being worked out; a success takes its count back.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
};

/// At most `attempts` within any `window_ms` milliseconds. No attempts refuses everything; a
/// window that is not positive refuses nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How many attempts a window may hold.
    pub attempts: u32,
    /// Length of the window, in milliseconds.
    pub window_ms: i64,
}

impl Limit {
    fn has_passed(self, at_ms: i64, now_ms: i64) -> bool {
        now_ms.saturating_sub(at_ms) >= self.window_ms
    }
}

/// The limit is reached: when trying again makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts, try again in {} s", self.seconds())]
pub struct RetryAfter {
    /// Until the oldest attempt leaves the window, in milliseconds; never more than the window.
    pub ms: i64,
}

impl RetryAfter {
    /// Whole seconds, rounded up and at least one, as `Retry-After` takes them (RFC 9110,
    /// section 10.2.3).
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.ms.saturating_add(999).div_euclid(1000).max(1)
    }
}

/// A counted attempt. Turns number the attempts of all keys, because the clock may repeat
/// itself or step back and cannot order them.
struct Attempt {
    at_ms: i64,
    turn: u64,
}

/// The attempts of one key inside the window, oldest first.
type Log = VecDeque<Attempt>;

/// Limits attempts per key and remembers at most `capacity` keys.
///
/// A key is forgotten once its newest attempt has left the window. When there is still no room
/// for a new key, the one whose newest counted attempt is longest ago gives way: its limit was
/// the next to end anyway. However many keys a flood invents, finding it takes no scan, and a
/// call costs O(log capacity), amortised, plus a walk over that one key's attempts.
pub struct Throttle<K> {
    limit: Limit,
    capacity: usize,
    next_turn: u64,
    /// Never holds an empty log.
    logs: HashMap<K, Log>,
    /// Each key under the turn of its newest attempt: first in line is first to be forgotten.
    line: BTreeMap<u64, K>,
}

impl<K: Hash + Eq + Clone> Throttle<K> {
    /// An empty throttle for at most `capacity` keys; at least one is always held.
    #[must_use]
    pub fn new(limit: Limit, capacity: usize) -> Self {
        Self { limit, capacity, next_turn: 0, logs: HashMap::new(), line: BTreeMap::new() }
    }

    /// Counts an attempt at `now_ms` (milliseconds since any fixed point), before its outcome
    /// is known.
    ///
    /// After the clock was set back, what it recorded ahead of `now_ms` counts as made at
    /// `now_ms`: a key never waits longer than one window.
    ///
    /// # Errors
    /// [`RetryAfter`] when the window is full. A refused attempt is not counted, so that
    /// hammering does not prolong the wait.
    pub fn attempt(&mut self, key: K, now_ms: i64) -> Result<(), RetryAfter> {
        self.forget_passed(now_ms);
        let mut log = self.take(&key);
        self.slide(&mut log, now_ms);
        let verdict = self.admit(&mut log, now_ms);
        self.put(key, log);
        verdict
    }

    /// Takes back one attempt counted at `at_ms`: it succeeded, or was refused for the
    /// server's own fault. To be called at most once per attempt; one that is already
    /// forgotten is no error.
    pub fn refund(&mut self, key: &K, at_ms: i64) {
        let mut log = self.take(key);
        // Not only an exact match: a parallel request that read the clock earlier and came
        // later has moved the attempt back to its own time.
        if let Some(index) = log.iter().rposition(|attempt| attempt.at_ms <= at_ms) {
            log.remove(index);
        }
        self.put(key.clone(), log);
    }

    /// How many keys are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.logs.len()
    }

    /// Whether no key is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.logs.is_empty()
    }

    fn forget_passed(&mut self, now_ms: i64) {
        while let Some(first) = self.line.first_entry() {
            let newest = self.logs.get(first.get()).and_then(Log::back);
            if newest.is_some_and(|newest| !self.limit.has_passed(newest.at_ms, now_ms)) {
                break;
            }
            self.logs.remove(&first.remove());
        }
    }

    fn slide(&self, log: &mut Log, now_ms: i64) {
        for attempt in log.iter_mut().rev().take_while(|attempt| attempt.at_ms > now_ms) {
            attempt.at_ms = now_ms;
        }
        let passed = log.partition_point(|attempt| self.limit.has_passed(attempt.at_ms, now_ms));
        log.drain(..passed);
    }

    fn admit(&mut self, log: &mut Log, now_ms: i64) -> Result<(), RetryAfter> {
        let Limit { attempts, window_ms } = self.limit;
        if log.len() >= attempts as usize {
            let age_ms = log.front().map_or(0, |oldest| now_ms.saturating_sub(oldest.at_ms));
            return Err(RetryAfter { ms: window_ms.saturating_sub(age_ms) });
        }
        log.push_back(Attempt { at_ms: now_ms, turn: self.next_turn });
        self.next_turn = self.next_turn.wrapping_add(1);
        Ok(())
    }

    fn take(&mut self, key: &K) -> Log {
        let log = self.logs.remove(key).unwrap_or_default();
        if let Some(newest) = log.back() {
            self.line.remove(&newest.turn);
        }
        log
    }

    fn put(&mut self, key: K, log: Log) {
        let Some(newest) = log.back() else { return };
        if self.logs.len() >= self.capacity
            && let Some((_, longest_ago)) = self.line.pop_first()
        {
            self.logs.remove(&longest_ago);
        }
        self.line.insert(newest.turn, key.clone());
        self.logs.insert(key, log);
    }
}

/// The part of an address that its user cannot vary at will: IPv6 is cut to its /64, since
/// the other half names an interface (RFC 4291, section 2.5.1), and IPv4-mapped IPv6 becomes
/// the IPv4 address that it stands for.
#[must_use]
pub fn address_bucket(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (!0 << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use proptest::{collection::vec, option, prelude::*, sample::Index};

    use super::*;

    const LIMIT: Limit = Limit { attempts: 2, window_ms: 100 };

    /// `(key, now)` and the wait in milliseconds, `0` for admitted.
    type Story<'a> = &'a [(&'a str, i64, i64)];

    #[test]
    fn attempts_slide_through_the_window() {
        #[rustfmt::skip]
        let stories: &[(&str, Limit, Story)] = &[
            ("a burst in one millisecond", LIMIT, &[("a", 0, 0), ("a", 0, 0), ("a", 0, 100), ("a", 99, 1), ("a", 100, 0)]),
            ("one leaves at a time", LIMIT, &[("a", 0, 0), ("a", 60, 0), ("a", 99, 1), ("a", 100, 0), ("a", 101, 59), ("a", 160, 0)]),
            ("refusals do not prolong the wait", LIMIT, &[("a", 0, 0), ("a", 0, 0), ("a", 50, 50), ("a", 90, 10), ("a", 100, 0), ("a", 100, 0)]),
            ("keys are independent", LIMIT, &[("a", 0, 0), ("a", 0, 0), ("b", 0, 0), ("a", 0, 100), ("b", 0, 0)]),
            ("a clock set back costs one window", LIMIT, &[("a", 9_000, 0), ("a", 9_000, 0), ("a", 50, 100), ("a", 149, 1), ("a", 150, 0)]),
            ("a clock set back keeps what is older", LIMIT, &[("a", 10, 0), ("a", 9_000, 0), ("a", 50, 0), ("a", 60, 90)]),
            ("requests that overtake each other", LIMIT, &[("a", 100, 0), ("a", 99, 0), ("a", 100, 99)]),
            ("the ends of time", LIMIT, &[("a", i64::MAX, 0), ("a", i64::MIN, 0), ("a", i64::MIN, 100), ("a", i64::MAX, 0)]),
            ("nothing allowed", Limit { attempts: 0, ..LIMIT }, &[("a", 0, 100), ("a", 500, 100)]),
            ("no window", Limit { window_ms: 0, attempts: 1 }, &[("a", 0, 0), ("a", 0, 0)]),
            ("negative window", Limit { window_ms: i64::MIN, attempts: 1 }, &[("a", 0, 0), ("a", 0, 0)]),
            ("endless window", Limit { window_ms: i64::MAX, attempts: 1 }, &[("a", -1, 0), ("a", 9, i64::MAX - 10)]),
        ];
        for (name, limit, story) in stories {
            let mut throttle = Throttle::new(*limit, 10);
            for &(key, now, wait) in *story {
                let expected = if wait == 0 { Ok(()) } else { Err(RetryAfter { ms: wait }) };
                assert_eq!(throttle.attempt(key, now), expected, "{name}: {key} at {now}");
            }
        }
    }

    #[test]
    fn refunds_give_back_one_attempt() {
        // Counted at, taken back at, and the wait of a third attempt at 50.
        let cases: &[([i64; 2], &[i64], i64)] = &[
            ([0, 10], &[], 50),
            ([0, 10], &[0], 0),
            ([0, 10], &[10], 0),
            ([0, 0], &[0], 0),
            ([10, 20], &[5], 60),
            ([70, 60], &[70], 0),
        ];
        for (counted, refunds, wait) in cases {
            let mut throttle = Throttle::new(LIMIT, 10);
            for at in counted {
                assert_eq!(throttle.attempt("a", *at), Ok(()));
            }
            for at in *refunds {
                throttle.refund(&"a", *at);
            }
            let waited = throttle.attempt("a", 50).map_or_else(|retry| retry.ms, |()| 0);
            assert_eq!(waited, *wait, "{counted:?} without {refunds:?}");
        }
    }

    #[test]
    fn a_refunded_key_is_forgotten_and_loses_its_place() {
        let mut throttle = Throttle::new(LIMIT, 2);
        throttle.refund(&"stranger", 0);
        assert!(throttle.is_empty());
        for (key, now) in [("a", 0), ("b", 1), ("b", 1), ("a", 2)] {
            assert_eq!(throttle.attempt(key, now), Ok(()));
        }
        throttle.refund(&"a", 2);
        assert_eq!(throttle.attempt("c", 3), Ok(()), "a gives way, not b");
        assert_eq!(throttle.attempt("b", 3), Err(RetryAfter { ms: 98 }));
        throttle.refund(&"c", 3);
        assert_eq!(throttle.len(), 1);
    }

    #[test]
    fn a_flood_of_new_keys_stays_within_capacity() {
        for clock_step in [1, 0, -1, 1_000] {
            let mut throttle = Throttle::new(LIMIT, 8);
            for key in 0..1_000 {
                assert_eq!(throttle.attempt(key, key * clock_step), Ok(()));
                assert!(throttle.len() <= 8);
                assert_eq!(throttle.logs.len(), throttle.line.len());
            }
            assert_eq!(throttle.len(), if clock_step == 1_000 { 1 } else { 8 });
        }
        let mut least = Throttle::new(LIMIT, 0);
        assert_eq!([1, 2].map(|key| least.attempt(key, 0)), [Ok(()); 2]);
        assert_eq!(least.len(), 1);
    }

    #[test]
    fn waits_are_told_in_whole_seconds() {
        for (ms, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (60_000, 60)] {
            assert_eq!(RetryAfter { ms }.seconds(), seconds, "{ms} ms");
        }
        let told = RetryAfter { ms: 1_500 }.to_string();
        assert_eq!(told, "too many attempts, try again in 2 s");
    }

    #[test]
    fn addresses_fall_into_buckets() {
        for (address, bucket) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::"),
            ("2001:db8:1:3::1", "2001:db8:1:3::"),
            ("::1", "::"),
        ] {
            let [address, bucket] = [address, bucket].map(str::parse::<IpAddr>);
            assert_eq!(address.map(address_bucket), bucket);
        }
    }

    /// The same rules over one list of every counted attempt, in the order of counting.
    struct Naive {
        limit: Limit,
        capacity: usize,
        list: Vec<(u8, i64)>,
    }

    impl Naive {
        fn attempt(&mut self, key: u8, now: i64) -> Result<(), RetryAfter> {
            let Limit { attempts, window_ms } = self.limit;
            for (_, at) in self.list.iter_mut().filter(|(k, _)| *k == key) {
                *at = now.min(*at);
            }
            self.list.retain(|(_, at)| now - at < window_ms);
            let own = || self.list.iter().filter(|(k, _)| *k == key);
            if own().count() >= attempts as usize {
                let oldest = own().next().map_or(now, |(_, at)| *at);
                return Err(RetryAfter { ms: oldest + window_ms - now });
            }
            let line = self.line();
            if !line.contains(&key) && line.len() >= self.capacity {
                self.list.retain(|(k, _)| *k != line[0]);
            }
            self.list.push((key, now));
            Ok(())
        }

        fn refund(&mut self, key: u8, at: i64) {
            if let Some(index) = self.list.iter().rposition(|&(k, t)| k == key && t <= at) {
                self.list.remove(index);
            }
        }

        /// The keys, the one whose newest attempt is longest ago first.
        fn line(&self) -> Vec<u8> {
            let mut line = Vec::new();
            for (key, _) in &self.list {
                line.retain(|earlier| earlier != key);
                line.push(*key);
            }
            line
        }
    }

    /// Perhaps an earlier attempt that is taken back; how far the clock then moves; who tries.
    type Step = (Option<Index>, i64, u8);

    fn agree(limit: Limit, capacity: usize, steps: Vec<Step>) -> Result<(), TestCaseError> {
        let mut throttle = Throttle::new(limit, capacity);
        let mut naive = Naive { limit, capacity, list: Vec::new() };
        let (mut now, mut admitted) = (0, Vec::new());
        for (refund, moved, key) in steps {
            if let Some(index) = refund
                && !admitted.is_empty()
            {
                let (key, at) = admitted.swap_remove(index.index(admitted.len()));
                throttle.refund(&key, at);
                naive.refund(key, at);
            }
            now += moved;
            let verdict = throttle.attempt(key, now);
            prop_assert_eq!(verdict, naive.attempt(key, now));
            match verdict {
                Ok(()) => admitted.push((key, now)),
                Err(retry) => prop_assert!((1..=limit.window_ms).contains(&retry.ms)),
            }
            prop_assert!(throttle.line.values().copied().eq(naive.line()));
            prop_assert_eq!(throttle.logs.len(), throttle.line.len());
            prop_assert!(throttle.len() <= capacity);
        }
        Ok(())
    }

    fn limits() -> impl Strategy<Value = Limit> {
        (0..5_u32, 1..100_i64).prop_map(|(attempts, window_ms)| Limit { attempts, window_ms })
    }

    fn steps(clock: Range<i64>, keys: Range<u8>) -> impl Strategy<Value = Vec<Step>> {
        vec((option::weighted(0.2, any::<Index>()), clock, keys), 0..120)
    }

    proptest! {
        #[test]
        fn many_keys_agree_with_a_plain_list(
            limit in limits(), capacity in 1..6_usize, steps in steps(0..20, 0..8),
        ) {
            agree(limit, capacity, steps)?;
        }

        #[test]
        fn a_wandering_clock_agrees_with_a_plain_list(
            limit in limits(), steps in steps(-60..80, 0..1),
        ) {
            agree(limit, 1, steps)?;
        }
    }
}
