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

/// How many attempts there is room for, for each key that there is room for: most keys of a flood have
/// one, and most of the others none. A key may have any number of them within its limit.
const SLOTS_PER_KEY: usize = 4;

/// Limits attempts per key and remembers at most `capacity` keys.
///
/// A key is forgotten once its newest attempt has left the window. When there is still no room
/// for a new key, or for an attempt, the one whose newest counted attempt is longest ago gives way:
/// its limit was the next to end anyway. However many keys a flood invents, finding it takes no scan,
/// and a call costs O(log capacity), amortised, plus a walk over that one key's attempts.
///
/// Whoever wants his own key forgotten has to make `capacity` attempts under others first; to use up
/// the room for attempts takes no fewer. To let the keys with the fewest attempts give way instead
/// would protect those that are nearly full, but once a flood had filled the table with such, no new
/// key would ever get beyond its first attempt.
pub struct Throttle<K> {
    limit: Limit,
    capacity: usize,
    next_turn: u64,
    /// Never holds an empty log.
    logs: HashMap<K, Log>,
    /// Each key under the turn of its newest attempt: first in line is first to be forgotten.
    line: BTreeMap<u64, K>,
    /// For how many attempts memory is allocated.
    slots: usize,
    /// For how many keys it is.
    room: usize,
}

impl<K: Hash + Eq + Clone> Throttle<K> {
    /// An empty throttle for at most `capacity` keys; at least one is always held.
    #[must_use]
    pub fn new(limit: Limit, capacity: usize) -> Self {
        let (logs, line) = (HashMap::new(), BTreeMap::new());
        Self { limit, capacity, next_turn: 0, logs, line, slots: 0, room: 0 }
    }

    /// How long an attempt would have to wait now. Counts nothing.
    #[must_use]
    pub fn wait(&mut self, key: &K, now_ms: i64) -> Option<RetryAfter> {
        self.forget_passed(now_ms);
        let mut log = self.take(key);
        self.slide(&mut log, now_ms);
        let wait = self.full(&log, now_ms);
        self.put(key.clone(), log);
        wait
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
        let wait = self.full(&log, now_ms);
        if wait.is_none() {
            self.push(&mut log, now_ms);
        }
        self.put(key, log);
        wait.map_or(Ok(()), Err)
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

    /// What the keys and attempts take in memory, at the most.
    #[must_use]
    pub fn bytes(&self) -> usize {
        bytes::<K>(self.room, self.logs.len(), self.slots)
    }

    /// What [`Self::bytes`] cannot exceed.
    #[must_use]
    pub const fn most_bytes(capacity: usize) -> usize {
        // A hash map that is full, of keys and of places where some were, grows until it is half empty.
        bytes::<K>(2 * capacity, capacity, SLOTS_PER_KEY * capacity)
    }

    fn forget_passed(&mut self, now_ms: i64) {
        while let Some(first) = self.line.first_entry() {
            let newest = self.logs.get(first.get()).and_then(Log::back);
            if newest.is_some_and(|newest| !self.limit.has_passed(newest.at_ms, now_ms)) {
                break;
            }
            if let Some(log) = self.logs.remove(&first.remove()) {
                self.slots -= log.capacity();
            }
        }
    }

    fn slide(&self, log: &mut Log, now_ms: i64) {
        for attempt in log.iter_mut().rev().take_while(|attempt| attempt.at_ms > now_ms) {
            attempt.at_ms = now_ms;
        }
        let passed = log.partition_point(|attempt| self.limit.has_passed(attempt.at_ms, now_ms));
        log.drain(..passed);
    }

    fn full(&self, log: &Log, now_ms: i64) -> Option<RetryAfter> {
        let Limit { attempts, window_ms } = self.limit;
        (log.len() >= attempts as usize).then(|| {
            let age_ms = log.front().map_or(0, |oldest| now_ms.saturating_sub(oldest.at_ms));
            RetryAfter { ms: window_ms.saturating_sub(age_ms) }
        })
    }

    fn push(&mut self, log: &mut Log, now_ms: i64) {
        if log.len() == log.capacity() {
            // By itself it would begin with four, and end with more than the limit.
            let most = self.limit.attempts as usize;
            log.reserve_exact(log.len().clamp(1, most.saturating_sub(log.len()).max(1)));
        }
        log.push_back(Attempt { at_ms: now_ms, turn: self.next_turn });
        self.next_turn = self.next_turn.wrapping_add(1);
    }

    fn take(&mut self, key: &K) -> Log {
        let log = self.logs.remove(key).unwrap_or_default();
        self.slots -= log.capacity();
        if let Some(newest) = log.back() {
            self.line.remove(&newest.turn);
        }
        log
    }

    fn put(&mut self, key: K, mut log: Log) {
        let Some(newest) = log.back() else { return };
        let turn = newest.turn;
        if log.len() <= log.capacity() / 4 {
            log.shrink_to(2 * log.len());
        }
        while self.logs.len() >= self.capacity
            || self.slots + log.capacity() > SLOTS_PER_KEY * self.capacity
        {
            let Some((_, longest_ago)) = self.line.pop_first() else { break };
            if let Some(log) = self.logs.remove(&longest_ago) {
                self.slots -= log.capacity();
            }
        }
        self.slots += log.capacity();
        self.line.insert(turn, key.clone());
        self.logs.insert(key, log);
        // Places that were used and are not yet usable again do not count as its capacity.
        self.room = self.room.max(self.logs.capacity());
    }
}

/// What a hash map with room for `room` logs takes in memory, with `keys` of them in it and in line, and
/// with `slots` for attempts.
const fn bytes<K>(room: usize, keys: usize, slots: usize) -> usize {
    // A bucket has a byte of its own; an eighth of them stays empty, and their number is a power of two.
    let buckets = (room * 8).div_ceil(7).next_power_of_two();
    // A node of the line has room for eleven, and may hold five; an allocation costs some bytes more.
    let in_line = 3 * (size_of::<u64>() + size_of::<K>());
    let allocation = 16;
    buckets * (size_of::<(K, Log)>() + 1)
        + keys * (in_line + allocation)
        + slots * size_of::<Attempt>()
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
#[path = "throttle_tests.rs"]
mod tests;
