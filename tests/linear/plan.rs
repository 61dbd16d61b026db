//! What the clients set out to do, drawn from a seed. What it meets depends on who is faster.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::model::Seconds;

/// Tokens that have been issued, counted back from the newest when its turn comes.
#[derive(Clone, Copy, Debug)]
pub struct Pick {
    pub session: usize,
    pub generation: usize,
}

/// How a refresh token is sent.
#[derive(Clone, Copy, Debug)]
pub enum Carrier {
    Body,
    Cookie,
    /// As a cookie, to a guarded operation that renews it silently.
    Guard,
}

/// What a client does next.
#[derive(Clone, Copy, Debug)]
pub enum Choice {
    Refresh(Pick, Carrier),
    /// Two refreshes with one token, sent at once.
    RefreshTwice(Pick, Carrier),
    Use(Pick),
    Login {
        over: Option<Pick>,
    },
    Logout(Pick),
    Revoke {
        by: Pick,
        target: Pick,
    },
    LogoutAll(Pick),
}

/// Time passes, and then all clients start at once, each with a list of its own.
#[derive(Clone, Debug)]
pub struct Round {
    pub wait: Seconds,
    pub clients: Vec<Vec<Choice>>,
}

/// One user's history: some sessions and then some rounds.
#[derive(Clone, Debug)]
pub struct Plan {
    pub sessions: usize,
    pub rounds: Vec<Round>,
}

impl Plan {
    /// The plan of this number under this seed.
    pub fn draw(seed: u64, number: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&number.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        plan().new_tree(&mut runner).unwrap().current()
    }
}

fn plan() -> impl Strategy<Value = Plan> {
    (1..=2_usize, prop::collection::vec(round(), 2..=3))
        .prop_map(|(sessions, rounds)| Plan { sessions, rounds })
}

/// The waits end on either side of the grace (10 s) and of the window of a lost response (60 s).
fn round() -> impl Strategy<Value = Round> {
    let wait = prop_oneof![3 => Just(0), 2 => Just(1), 1 => Just(10), 3 => Just(11), 2 => Just(61)];
    let client = prop::collection::vec(choice(), 2..=4);
    (wait, prop::collection::vec(client, 3..=4)).prop_map(|(wait, clients)| Round { wait, clients })
}

fn choice() -> impl Strategy<Value = Choice> {
    prop_oneof![
        30 => (pick(), carrier()).prop_map(|(pick, by)| Choice::Refresh(pick, by)),
        10 => (pick(), carrier()).prop_map(|(pick, by)| Choice::RefreshTwice(pick, by)),
        24 => pick().prop_map(Choice::Use),
        3 => Just(Choice::Login { over: None }),
        1 => pick().prop_map(|pick| Choice::Login { over: Some(pick) }),
        1 => pick().prop_map(Choice::Logout),
        2 => (pick(), pick()).prop_map(|(by, target)| Choice::Revoke { by, target }),
        1 => pick().prop_map(Choice::LogoutAll),
    ]
}

fn pick() -> impl Strategy<Value = Pick> {
    let back = |often| prop_oneof![often => Just(0_usize), 2 => Just(1), 1 => Just(2)];
    (back(6), back(5)).prop_map(|(session, generation)| Pick { session, generation })
}

fn carrier() -> impl Strategy<Value = Carrier> {
    prop_oneof![3 => Just(Carrier::Body), 1 => Just(Carrier::Cookie), 1 => Just(Carrier::Guard)]
}
