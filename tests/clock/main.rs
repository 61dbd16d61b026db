//! Corrections of the wall clock, at every point of an honest client's life.
//!
//! What is promised, and held up here:
//!
//! - **In one process** ages come from the steady clock, which no correction moves. A client that
//!   follows the protocol is never accused, and is refused only what has expired by the wall clock
//!   or what it asks for after the lost-response window.
//! - **Across a restart** the steady clock starts from the wall clock, and takes over what the wall
//!   clock was corrected by. A correction back only makes ages smaller (a negative one is zero):
//!   nobody is accused and nothing is lost. A correction forward makes what is older than the
//!   restart older still: a lost answer may be lost for good (the session ends quietly), and a
//!   token that was superseded before the restart and is sent after it, from a request that was
//!   still on its way, may be outside the grace: that one accusation is not ruled out, if the
//!   successor had been confirmed or has been superseded itself. The current token of a session
//!   is never in doubt, nor is anything that was superseded after the restart.
//! - **Always**: nothing is accepted at or after its expiry by the wall clock, an ended session does
//!   not live again, and time is not frozen: the grace closes when as much time has passed. Where
//!   the clock went back across a restart, it counts from when the superseded token is first seen.
//!   The end of a session is held against its access tokens for a day longer than they live, by the
//!   wall clock. Set back by more than that, the clock may come upon their time once more, and they
//!   are good for what is left of it; the refresh tokens are not.

#![expect(clippy::unwrap_used, unreachable_pub, reason = "tests may panic, and are no library")]

mod client;
#[path = "../common/mod.rs"]
mod common;
mod server;

use std::time::Duration;

use client::{Act, Complaint, Story};
use common::{DAY, HOUR, MINUTE, POLICY, SECOND};
use doorward::domain::time::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use server::Ages;

/// By how much the clock is corrected, in seconds, in both directions.
const STEPS: [i64; 7] = [1, 10, 60, 3_600, 86_400, 30 * 86_400, 365 * 86_400];

/// When the stories begin: they run over what the calendar finds hard.
const BEGINNINGS: [&str; 5] = [
    "2026-05-04T12:00:00Z",
    "2024-02-28T23:59:55Z",
    "2024-02-29T23:59:55Z",
    "2100-02-28T23:59:55Z",
    "2024-12-31T23:59:55Z",
];

/// A point in the life of a client: what has led to it, and what comes after it.
struct Point {
    name: &'static str,
    before: &'static [Act],
    after: &'static [Act],
}

use Act::{Correct, LogOut, OtherTab, Refresh, RefreshUnanswered, Restart, SignIn, Use, Wait};

const POINTS: [Point; 8] = [
    Point {
        name: "before login",
        before: &[Wait(MINUTE)],
        after: &[SignIn, Use, Wait(MINUTE), Refresh, OtherTab { back: 1 }, Use, Refresh],
    },
    Point {
        name: "between a rotation and its retry",
        before: &[SignIn, Use, Wait(MINUTE), RefreshUnanswered, Wait(MINUTE)],
        after: &[Refresh, OtherTab { back: 1 }, Use, OtherTab { back: 1 }, Wait(MINUTE), Refresh],
    },
    Point {
        name: "between confirmation and next rotation",
        before: &[SignIn, Refresh, Use, Wait(MINUTE)],
        after: &[Refresh, OtherTab { back: 1 }, Use, Refresh, Use],
    },
    Point {
        name: "in the grace, unconfirmed",
        before: &[SignIn, Use, Refresh, Wait(SECOND)],
        after: &[OtherTab { back: 1 }, Use, OtherTab { back: 1 }, Refresh, OtherTab { back: 2 }],
    },
    Point {
        name: "in the grace, confirmed",
        before: &[SignIn, Use, Refresh, Use, Wait(SECOND)],
        after: &[OtherTab { back: 1 }, Use, Wait(MINUTE), Refresh, Use],
    },
    Point {
        name: "within the lost-response window",
        before: &[SignIn, Wait(MINUTE), RefreshUnanswered, Wait(HOUR)],
        after: &[Refresh, OtherTab { back: 1 }, Use, OtherTab { back: 1 }, Wait(MINUTE), Refresh],
    },
    Point {
        name: "while idle",
        before: &[SignIn, Refresh, Use, Wait(DAY)],
        after: &[Use, Refresh, Use, Wait(DAY), Wait(DAY), Use],
    },
    Point {
        name: "after logout",
        before: &[SignIn, Use, LogOut, Wait(MINUTE)],
        after: &[SignIn, Use, Wait(HOUR), Use, Refresh, OtherTab { back: 1 }],
    },
];

fn tell(at: Timestamp, ages: Ages, acts: &[Act]) -> Result<Story, Complaint> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut story = Story::begin(at, ages).await;
        story.tell(acts).await.map(|()| story)
    })
}

/// Each story is the point's, with `step` in the middle, and the correction undone in the end.
fn at_each_point(ages: Ages, beginnings: &[&str], steps: fn(i64) -> Vec<Act>) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for beginning in beginnings {
        let at = Timestamp::parse(beginning).unwrap();
        for Point { name, before, after } in &POINTS {
            for seconds in STEPS.into_iter().flat_map(|size| [size, -size]) {
                let undone = [Correct(-seconds), SignIn, Use, Refresh, Use];
                let acts = [before, steps(seconds).as_slice(), after, &undone].concat();
                let told = tell(at, ages, &acts);
                complaints.extend(
                    told.err().map(|complaint| {
                        format!("{name}, {beginning}, by {seconds} s: {complaint}")
                    }),
                );
            }
        }
    }
    complaints
}

#[test]
fn in_one_process_no_correction_hurts_anybody() {
    let complaints = at_each_point(Ages::Steady, &BEGINNINGS, |step| vec![Correct(step)]);
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn across_a_restart_nobody_is_accused_but_where_the_protocol_says_so() {
    let complaints =
        at_each_point(Ages::Steady, &BEGINNINGS[..3], |step| vec![Correct(step), Restart]);
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// The excuse is needed for one thing alone, and the stories find it.
#[test]
fn a_confirmed_token_from_before_a_restart_ahead_is_the_one_that_may_be_accused() {
    let at = Timestamp::parse(BEGINNINGS[0]).unwrap();
    let excused = |acts: &[Act]| tell(at, Ages::Steady, acts).unwrap().excused;
    let late_tab = |step: &[Act]| {
        excused(&[&[SignIn, Use, Refresh, Use][..], step, &[OtherTab { back: 1 }]].concat())
    };
    assert_eq!(late_tab(&[Correct(3_600), Restart]), 1);
    assert_eq!(late_tab(&[Correct(9), Restart]), 0, "still in the grace");
    assert_eq!(late_tab(&[Correct(-3_600), Restart]), 0);
    assert_eq!(late_tab(&[Correct(3_600)]), 0);
    let unconfirmed = [SignIn, Use, Refresh, Correct(3_600), Restart, OtherTab { back: 1 }];
    assert_eq!(excused(&unconfirmed), 0);
}

/// The control: with ages from the wall clock the same stories accuse an honest client.
#[test]
fn with_ages_from_the_wall_clock_the_stories_find_a_false_reuse() {
    let complaints = at_each_point(Ages::Wall, &BEGINNINGS[..1], |step| vec![Correct(step)]);
    let falsely_accused =
        |name: &str| complaints.iter().any(|it| it.starts_with(name) && it.contains("Reused"));
    assert!(falsely_accused("in the grace, confirmed"), "{complaints:#?}");
    assert!(complaints.iter().all(|it| !it.contains("lives")), "{complaints:#?}");
}

/// A token that was made while the clock was ahead comes of age when the session is long over.
#[test]
fn an_access_token_from_the_future_dies_with_its_session() {
    let at = Timestamp::parse(BEGINNINGS[0]).unwrap();
    for made_by in [Refresh, OtherTab { back: 1 }] {
        for (seconds, time) in [(3_600, HOUR), (86_400, DAY)] {
            let before = [SignIn, Use, Refresh, Correct(seconds), made_by, Correct(-seconds)];
            let after = [LogOut, Wait(time), Wait(MINUTE), Correct(-60)];
            let told = tell(at, Ages::Steady, &[&before[..], &after].concat());
            assert_eq!(told.err(), None, "{made_by:?}, {seconds} s");
        }
    }
}

#[test]
fn time_is_not_frozen_by_a_clock_that_goes_back() {
    let at = Timestamp::parse(BEGINNINGS[0]).unwrap();
    let grace = POLICY.refresh_grace;
    for seconds in STEPS {
        for restart in [&[][..], &[Restart]] {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut story = Story::begin(at, Ages::Steady).await;
                let before = [&[SignIn, Use, Refresh, Use, Correct(-seconds)], restart].concat();
                story.tell(&before).await.unwrap();
                let parent = story.parent().to_owned();
                let case = format!("back by {seconds} s, {restart:?}");
                assert_eq!(story.present(&parent).await, "accepted", "{case}");
                story.tell(&[Wait(grace)]).await.unwrap();
                assert_eq!(
                    story.present(&parent).await,
                    "accepted",
                    "{case}: to the end of the grace"
                );
                story.tell(&[Wait(Duration::from_millis(1))]).await.unwrap();
                assert_eq!(story.present(&parent).await, "reused", "{case}");
            });
        }
    }
}

fn act() -> impl Strategy<Value = Act> {
    const WAITS: [Duration; 9] = [
        Duration::from_millis(1),
        SECOND,
        Duration::from_secs(4),
        POLICY.refresh_grace,
        MINUTE,
        Duration::from_secs(15 * 60),
        HOUR,
        DAY,
        Duration::from_secs(20 * 24 * 3600),
    ];
    let step = (prop::sample::select(STEPS.to_vec()), any::<bool>());
    prop_oneof![
        6 => Just(Use),
        5 => Just(Refresh),
        3 => Just(RefreshUnanswered),
        5 => (1_usize..3).prop_map(|back| OtherTab { back }),
        2 => Just(SignIn),
        1 => Just(LogOut),
        6 => prop::sample::select(WAITS.to_vec()).prop_map(Wait),
        5 => step.prop_map(|(size, ahead)| Correct(if ahead { size } else { -size })),
    ]
}

fn lives(restarts: bool) -> impl Strategy<Value = (Timestamp, Vec<Act>)> {
    let at =
        prop::sample::select(BEGINNINGS.to_vec()).prop_map(|text| Timestamp::parse(text).unwrap());
    let act = prop_oneof![1 => Just(if restarts { Restart } else { Use }), 15 => act()];
    (at, prop::collection::vec(act, 10..60))
}

/// Seeded: `PROPTEST_CASES` says how many lives are tried, and a longer run begins like a shorter.
/// What is wrong is looked at if it contains `complaint`.
fn random_lives(
    ages: Ages,
    restarts: bool,
    complaint: &str,
) -> Result<(), TestError<(Timestamp, Vec<Act>)>> {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 64;
    }
    if ages == Ages::Wall {
        // The control ends when it has found what it looks for.
        config.cases = config.cases.max(1_000);
    }
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, rng).run(&lives(restarts), |(at, acts)| {
        let acts = [&[SignIn], acts.as_slice()].concat();
        match tell(at, ages, &acts) {
            Err(found) if found.contains(complaint) => Err(TestCaseError::fail(found)),
            _ => Ok(()),
        }
    })
}

#[test]
fn no_honest_life_in_one_process_meets_an_accusation() {
    random_lives(Ages::Steady, false, "").unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn no_honest_life_with_restarts_meets_one_that_is_not_excused() {
    random_lives(Ages::Steady, true, "").unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn random_lives_notice_ages_from_the_wall_clock() {
    let outcome = random_lives(Ages::Wall, false, "Reused");
    assert!(matches!(outcome, Err(TestError::Fail(..))), "{outcome:?}");
}
