//! The limits, against tables and a plain list.

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

/// Whatever keys are invented, and however often each is used.
#[test]
fn a_flood_takes_no_more_memory_than_is_said() {
    const CAPACITY: u32 = 7 << 5;
    let capacity = usize::try_from(CAPACITY).unwrap();
    let most = Throttle::<u32>::most_bytes(capacity);
    let limit = Limit { attempts: 100, window_ms: 100_000 };
    let mut fullest = 0;
    for (each, refunded, step) in
        [(1, 0, 0), (2, 0, 0), (3, 1, 1), (17, 0, 0), (100, 0, 0), (100, 97, 1), (9, 0, 9_999)]
    {
        let mut throttle = Throttle::new(limit, capacity);
        for key in 0..5 * CAPACITY {
            let now = i64::from(key) * step;
            for attempt in 0..each {
                assert_eq!(throttle.attempt(key, now), Ok(()), "{each} {key} {attempt}");
                fullest = fullest.max(throttle.bytes());
                assert!(throttle.bytes() <= most, "{each}: {} > {most}", throttle.bytes());
                assert!(throttle.len() <= capacity);
            }
            (0..refunded).for_each(|_| throttle.refund(&key, now));
        }
        assert_eq!(throttle.slots, allocated(&throttle), "{each}");
    }
    assert!(fullest > most / 2, "the bound is of use: {fullest} of {most}");
}

#[test]
fn a_log_takes_about_as_much_room_as_it_has_attempts() {
    // Made, taken back, and the room that there is then.
    for (attempts, refunds, slots) in
        [(1, 0, 1), (2, 0, 2), (3, 0, 4), (65, 0, 100), (100, 0, 100), (100, 99, 2), (1, 1, 0)]
    {
        // Also where one key may take more than there is for all: it is held nevertheless.
        for capacity in [1, 1_000] {
            let mut throttle = Throttle::new(Limit { attempts: 100, window_ms: 100 }, capacity);
            (0..attempts).for_each(|_| assert_eq!(throttle.attempt("a", 0), Ok(())));
            (0..refunds).for_each(|_| throttle.refund(&"a", 0));
            assert_eq!(throttle.slots, slots, "{attempts} without {refunds}");
        }
    }
}

fn allocated<K>(throttle: &Throttle<K>) -> usize {
    throttle.logs.values().map(Log::capacity).sum()
}

#[test]
fn to_be_forgotten_takes_as_many_attempts_under_other_keys_as_there_is_room_for() {
    for (each, others) in [(1, 99), (2, 50), (5, 20)] {
        let mut throttle = Throttle::new(Limit { attempts: 10, window_ms: 100 }, 100);
        (0..10).for_each(|_| assert_eq!(throttle.attempt(0, 0), Ok(())));
        for key in 1..=others {
            (0..each).for_each(|_| assert_eq!(throttle.attempt(key, 1), Ok(())));
        }
        assert!(throttle.wait(&0, 1).is_some(), "{others} with {each} attempts each");
    }
    let mut throttle = Throttle::new(LIMIT, 100);
    (0..101).for_each(|key| assert_eq!(throttle.attempt(key, 0), Ok(())));
    assert_eq!((throttle.logs.contains_key(&0), throttle.logs.contains_key(&1)), (false, true));
}

#[test]
fn to_ask_counts_nothing_and_keeps_ones_place() {
    let mut throttle = Throttle::new(LIMIT, 2);
    assert_eq!((throttle.wait(&"a", 0), throttle.len()), (None, 0));
    for (key, now) in [("a", 0), ("b", 1), ("a", 2)] {
        assert_eq!(throttle.wait(&key, now), None);
        assert_eq!(throttle.attempt(key, now), Ok(()));
    }
    assert_eq!(throttle.wait(&"a", 3), Some(RetryAfter { ms: 97 }));
    assert_eq!((throttle.wait(&"b", 3), throttle.wait(&"c", 3)), (None, None));
    assert_eq!(throttle.attempt("c", 3), Ok(()));
    assert!(!throttle.logs.contains_key("b"), "it was asked for, but its attempt is the oldest");
    assert_eq!(throttle.wait(&"a", 100), None);
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
        prop_assert_eq!(throttle.slots, allocated(&throttle));
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
