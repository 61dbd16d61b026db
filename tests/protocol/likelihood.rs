//! How likely is the known limit with the default settings? A simulation of a browser with three
//! tabs over the project's own `judge`, where some requests are very slow.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use doorward::config::Config;
use doorward::domain::id::Generation;
use doorward::domain::session::{SessionPolicy, Verdict};
use doorward::domain::time::Timestamp;

use crate::judge::{Row, decide};

/// All times in milliseconds.
const ACCESS_LIFE: i64 = 15 * 60_000;
const PAUSE: f64 = 20_000.0;
const TABS: usize = 3;

/// The cookies: generation, and when the access token expires.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Jar {
    generation: u32,
    expires: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Send,
    Arrive(Jar, i64),
    Answer(Option<Jar>),
}

/// What came of a number of rotations.
pub(crate) struct Outcome {
    pub(crate) rotations: u64,
    pub(crate) requests: u64,
    pub(crate) accusations: u64,
}

/// Lets a browser go on until `rotations` have happened. One request in `slow_every` (none when 0)
/// has a way that takes `slow_ms` on average, the others 20 to 300 ms.
pub(crate) fn simulate(rotations: u64, slow_every: u64, slow_ms: f64, seed: u64) -> Outcome {
    let mut random = Random(seed);
    let policy = SessionPolicy::from(&Config::default());
    let mut outcome = Outcome { rotations: 0, requests: 0, accusations: 0 };
    let mut row = Row { generation: Generation(1), rotated: at(0), confirmed: None, ended: false };
    let mut jar = Jar { generation: 1, expires: ACCESS_LIFE };
    let mut events = BinaryHeap::new();
    for _ in 0..TABS {
        events.push(Reverse((random.exponential(PAUSE), Event::Send)));
    }
    while outcome.rotations < rotations {
        let Some(Reverse((now, event))) = events.pop() else { break };
        match event {
            Event::Send => {
                outcome.requests += 1;
                let slow = slow_every > 0 && random.below(slow_every) == 0;
                let way = |random: &mut Random| {
                    let quick = 20 + i64::try_from(random.below(280)).unwrap_or(0);
                    if slow { random.exponential(slow_ms) } else { quick }
                };
                let (there, back) = (way(&mut random), way(&mut random));
                events.push(Reverse((now + there, Event::Arrive(jar, back))));
                events.push(Reverse((now + random.exponential(PAUSE), Event::Send)));
            }
            Event::Arrive(sent, back) => {
                let sets = arrive(&mut row, sent, now, &policy, &mut outcome);
                if let Some((true, fresh)) = sets {
                    // Accused: the user signs in again, and everything under way is of the past.
                    (row, jar) = fresh;
                    events.retain(|Reverse((_, event))| *event == Event::Send);
                } else {
                    let sets = sets.map(|(_, (_, jar))| jar);
                    events.push(Reverse((now + back, Event::Answer(sets))));
                }
            }
            Event::Answer(sets) => jar = sets.unwrap_or(jar),
        }
    }
    outcome
}

/// The new row and jar, and whether the client was accused; `None` when nothing is set.
fn arrive(
    row: &mut Row,
    sent: Jar,
    now: i64,
    policy: &SessionPolicy,
    outcome: &mut Outcome,
) -> Option<(bool, (Row, Jar))> {
    let current = row.generation.0;
    if now < sent.expires {
        if sent.generation == current && row.confirmed.is_none() {
            row.confirmed = Some(at(now));
        }
        return None;
    }
    let fresh = |generation| Jar { generation, expires: now + ACCESS_LIFE };
    match decide(row, Generation(sent.generation), at(now), policy) {
        Verdict::Rotate => {
            outcome.rotations += 1;
            let generation = Generation(current + 1);
            *row = Row { generation, rotated: at(now), confirmed: None, ..*row };
            Some((false, (*row, fresh(current + 1))))
        }
        Verdict::Retry | Verdict::Race => Some((false, (*row, fresh(current)))),
        Verdict::Reuse | Verdict::Foreign => {
            outcome.accusations += 1;
            let row = Row { generation: Generation(1), rotated: at(now), confirmed: None, ..*row };
            Some((true, (row, fresh(1))))
        }
        Verdict::Late | Verdict::Lost | Verdict::Invalid(_) => None,
    }
}

const fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// `SplitMix64`: a run can be repeated by its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "chance")]
    fn exponential(&mut self, mean: f64) -> i64 {
        let uniform = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        (-mean * (1.0 - uniform).ln()) as i64
    }
}
