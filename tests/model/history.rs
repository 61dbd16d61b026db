//! Random histories: what can happen to a store, in the order in which it happens.

use std::ops::RangeInclusive;
use std::time::Duration;

use doorward::domain::session::{ReusePolicy, SessionPolicy};
use proptest::prelude::*;

use super::common::{DAY, HOUR, MINUTE, POLICY, SECOND};

/// How many users there are.
pub const USERS: usize = 2;

/// Which session a step is about.
#[derive(Clone, Copy, Debug)]
pub enum Which {
    /// A live one, counted back from the one that was started last.
    Live(usize),
    /// The last one that is not.
    Dead,
}

/// Something that happens. Generations are counted back from the newest.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    SignIn {
        user: usize,
    },
    /// The right token of some generation.
    Refresh {
        session: Which,
        back: usize,
    },
    /// The right token with somebody else's id in it.
    Stranger {
        session: Which,
        back: usize,
    },
    /// A token that was never made; `ahead` of two below the newest generation.
    Forged {
        session: Which,
        ahead: usize,
    },
    /// An access token passes the guard.
    Use {
        session: Which,
        back: usize,
    },
    WriteNotes,
    Follow,
    End {
        session: Which,
    },
    EndAllOf {
        user: usize,
    },
    ChangePassword {
        user: usize,
    },
    Disable {
        user: usize,
    },
    Enable {
        user: usize,
    },
    Wait(Duration),
    /// The process ends, what was not written is gone, and the wall clock may have been corrected
    /// by some seconds when it comes back, with a new key if `rekey`.
    Restart {
        correction: i64,
        rekey: bool,
    },
}

/// Around every limit of the protocol, and mostly short.
fn duration() -> impl Strategy<Value = Duration> {
    const MILLISECOND: Duration = Duration::from_millis(1);
    let around = |limit: Duration| [limit.saturating_sub(MILLISECOND), limit, limit + MILLISECOND];
    let grace = around(POLICY.refresh_grace);
    let windows = [around(SHORT_WINDOW), around(POLICY.lost_response_window)].concat();
    let lives = [around(POLICY.refresh_token_ttl), [15 * DAY, 29 * DAY, 100 * DAY]].concat();
    prop_oneof![
        4 => prop::sample::select(vec![MILLISECOND, SECOND, 4 * SECOND, 6 * SECOND, 11 * SECOND]),
        5 => prop::sample::select(grace.to_vec()),
        3 => prop::sample::select(vec![MINUTE, 10 * MINUTE, HOUR, 23 * HOUR]),
        2 => prop::sample::select(windows),
        1 => prop::sample::select(lives),
    ]
}

const SHORT_WINDOW: Duration = Duration::from_secs(30);

fn step() -> impl Strategy<Value = Step> {
    let user = 0..USERS;
    let live = prop_oneof![3 => Just(0_usize), 1 => Just(1)].prop_map(Which::Live);
    let session = prop_oneof![15 => live, 1 => Just(Which::Dead)];
    let back = prop_oneof![5 => Just(0_usize), 5 => Just(1), 2 => Just(2), 1 => 3_usize..6];
    let target = (session.clone(), back);
    prop_oneof![
        28 => target.clone().prop_map(|(session, back)| Step::Refresh { session, back }),
        14 => target.clone().prop_map(|(session, back)| Step::Use { session, back }),
        16 => duration().prop_map(Step::Wait),
        6 => user.clone().prop_map(|user| Step::SignIn { user }),
        2 => target.prop_map(|(session, back)| Step::Stranger { session, back }),
        2 => (session.clone(), 0_usize..5).prop_map(|(session, ahead)| Step::Forged { session, ahead }),
        2 => Just(Step::WriteNotes),
        1 => Just(Step::Follow),
        1 => session.prop_map(|session| Step::End { session }),
        1 => user.clone().prop_flat_map(end_of_all),
        2 => user.prop_map(|user| Step::Enable { user }),
        4 => (prop::sample::select(vec![0, 0, -5, 5, -3_600, 3_600]), any::<bool>())
            .prop_map(|(correction, rekey)| Step::Restart { correction, rekey }),
    ]
}

/// What ends all sessions of a user.
fn end_of_all(user: usize) -> impl Strategy<Value = Step> {
    prop::sample::select(vec![
        Step::EndAllOf { user },
        Step::ChangePassword { user },
        Step::Disable { user },
    ])
}

/// A sign-in, and so many steps after it.
pub fn steps(how_many: RangeInclusive<usize>) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), how_many).prop_map(|mut steps| {
        steps.insert(0, Step::SignIn { user: 0 });
        steps
    })
}

/// The default policy and its neighbours.
pub fn policy() -> impl Strategy<Value = SessionPolicy> {
    let graces = vec![POLICY.refresh_grace, POLICY.refresh_grace, Duration::ZERO];
    let windows = vec![POLICY.lost_response_window, SHORT_WINDOW, Duration::ZERO];
    let reuse = vec![ReusePolicy::User, ReusePolicy::Session];
    let choices =
        (prop::sample::select(graces), prop::sample::select(windows), prop::sample::select(reuse));
    choices.prop_map(|(refresh_grace, lost_response_window, reuse_policy)| SessionPolicy {
        refresh_grace,
        lost_response_window,
        reuse_policy,
        ..POLICY
    })
}
