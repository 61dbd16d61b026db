//! An exhaustive search through the protocol, over the project's own `judge`: every order in which
//! requests and answers of several tabs, losses, crashes, logouts, logins and a thief can fall.
//!
//! `cargo test --release --test protocol -- --nocapture` prints the counts;
//! `DOORWARD_PROVE=1` explores the larger worlds.

mod judge;
mod likelihood;
mod search;
mod state;
mod world;

use search::{Report, explore};
use state::GRACE;
use world::{Flaw, World};

fn honest(tabs: usize) -> World {
    World { tabs, has_thief: false, slowest: GRACE, flaw: Flaw::None }
}

fn run(name: &str, world: World) -> Report {
    let report = explore(world.start(), |state| world.next(state));
    println!("{name}: {} states, {} steps, depth {}", report.states, report.steps, report.depth);
    if let Some((violation, path)) = &report.violation {
        println!("  {violation}, after:");
        for step in path {
            println!("    {step}");
        }
    }
    report
}

fn is_long_run() -> bool {
    std::env::var_os("DOORWARD_PROVE").is_some()
}

/// A request and its answer together take less than the grace, and an access token lives for
/// more than twice the grace: then nobody honest is ever accused.
#[test]
fn no_honest_history_ends_in_an_accusation() {
    let tabs = if is_long_run() { 3 } else { 2 };
    let report = run("honest browser", honest(tabs));
    assert!(report.violation.is_none());
    assert!(report.states > 10_000, "the world is too small to mean anything");
}

#[test]
fn a_thief_who_replays_a_superseded_token_ends_the_session() {
    let world = World { has_thief: true, ..honest(if is_long_run() { 2 } else { 1 }) };
    let report = run("browser and thief", world);
    assert!(report.violation.is_none());
}

#[test]
fn every_planted_flaw_is_caught() {
    for (flaw, has_thief) in [
        (Flaw::StrictMode, false),
        (Flaw::RetryWithoutRace, false),
        (Flaw::RaceWithoutRetry, false),
        (Flaw::SilentRotationConfirms, false),
        (Flaw::ConfirmationOfAnyGeneration, false),
        (Flaw::ReuseBeforeInvalid, false),
        (Flaw::ReuseIsForgiven, true),
        (Flaw::EndedSessionRotates, false),
    ] {
        let report = run(&format!("control {flaw:?}"), World { has_thief, flaw, ..honest(2) });
        assert!(report.violation.is_some(), "{flaw:?} was not caught");
    }
}

/// The known limit: a request that is under way for longer than the grace can look like reuse.
#[test]
fn beyond_the_bounds_the_shortest_accusation_is_known() {
    let report = run("slow requests", World { slowest: 3 * GRACE + 2, ..honest(2) });
    let (violation, path) = report.violation.expect("the limit is real");
    assert!(violation.contains("accused"), "{violation}");
    assert!(path.len() >= 8, "shorter than was thought: {} steps", path.len());
}

/// With the default settings, three tabs and a request every seven seconds.
#[test]
fn the_known_limit_takes_very_slow_requests() {
    let rotations = if is_long_run() { 1_000_000 } else { 2_000 };
    let count = |slow_every: u64, slow_ms: f64| {
        let outcome = likelihood::simulate(rotations, slow_every, slow_ms, 1);
        println!(
            "one request in {slow_every} with ways of {slow_ms} ms on average: {} requests, {} \
             rotations, {} accusations",
            outcome.requests, outcome.rotations, outcome.accusations
        );
        outcome.accusations
    };
    assert_eq!(count(0, 0.0), 0, "with answers under a second nobody is accused");
    count(10_000, 5_000.0);
    count(10_000, 20_000.0);
    count(1_000, 20_000.0);
    assert!(count(10, 60_000.0) > 0, "the simulation can accuse");
}
