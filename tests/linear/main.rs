//! Are the sessions linearizable? Clients on real sockets refresh, retry, race, use, end and start
//! sessions of one user at the same time. Each history is recorded, and then an order is searched in
//! which the protocol, one step after the other, would have answered just so.
//!
//! `DOORWARD_SEED` draws other histories, `DOORWARD_HISTORIES` says how many (ten thousand take some
//! minutes), and `--nocapture` shows what they met. That the search would notice a store that is
//! not linearizable is seen with one:
//!
//! ```sh
//! cargo test --test linear --features broken-rotation
//! ```

#![expect(clippy::unwrap_used, unreachable_pub, reason = "tests may panic, and are no library")]

mod checker;
mod clients;
mod handmade;
mod history;
mod model;
mod plan;
mod server;

use std::env;
use std::sync::Arc;

use futures_util::future::join_all;
use history::Mix;
use model::{Blast, Rules};
use plan::Plan;
use server::Server;

/// Each has a server of its own, and its share of the histories.
const RULES: [Rules; 3] = [
    Rules { grace: 10, lost_response_window: 60, reuse: Blast::User },
    Rules { grace: 10, lost_response_window: 60, reuse: Blast::Session },
    Rules { grace: 0, lost_response_window: 60, reuse: Blast::User },
];

/// How many histories there are by default.
const HISTORIES: u64 = 600;

fn number(name: &str, default: u64) -> u64 {
    env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// What came of many histories.
#[derive(Default)]
struct Report {
    histories: usize,
    calls: usize,
    mix: Mix,
    /// Those that no order explains.
    broken: Vec<String>,
}

impl Report {
    fn add(&mut self, other: Self) {
        self.histories += other.histories;
        self.calls += other.calls;
        self.broken.extend(other.broken);
        for (name, count) in other.mix {
            *self.mix.entry(name).or_default() += count;
        }
    }
}

/// Plays one history and checks it.
async fn play(server: &Arc<Server>, rules: &Rules, seed: u64, number: u64) -> Report {
    let history = clients::play(server, &format!("user{number}"), &Plan::draw(seed, number)).await;
    let mut report = Report { histories: 1, calls: history.len(), ..Report::default() };
    match history.check(rules) {
        Ok(mix) => report.mix = mix,
        Err(broken) => {
            report.broken.push(format!("seed {seed}, history {number}, {rules:?}:\n{broken}"));
        }
    }
    report
}

/// Plays `histories` of them, or fewer if one is found that is not linearizable.
async fn search(histories: u64) -> Report {
    let seed = number("DOORWARD_SEED", 1);
    let lanes = RULES.into_iter().zip(0..).map(|(rules, lane)| {
        tokio::spawn(async move {
            let server = Arc::new(Server::start(&rules).await);
            let mut report = Report::default();
            for number in (lane..histories).step_by(RULES.len()) {
                report.add(play(&server, &rules, seed, number).await);
                if !report.broken.is_empty() {
                    break;
                }
            }
            Arc::into_inner(server).unwrap().stop().await;
            report
        })
    });
    // All are started before the first is waited for.
    let lanes: Vec<_> = lanes.collect();
    let mut all = Report::default();
    join_all(lanes).await.into_iter().for_each(|report| all.add(report.unwrap()));
    println!("seed {seed}: {} histories, {} calls", all.histories, all.calls);
    println!("{:#?}", all.mix);
    all
}

#[cfg(not(feature = "broken-rotation"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_history_is_linearizable() {
    let histories = number("DOORWARD_HISTORIES", HISTORIES);
    let report = search(histories).await;
    assert!(report.broken.is_empty(), "{}", report.broken.join("\n"));
    if histories >= HISTORIES {
        // Of what never happened nothing has been shown.
        for name in ["Rotate", "Retry", "Race", "Lost", "Late", "Reuse", "Invalid", "turned away"] {
            assert!(report.mix.contains_key(name), "{name} was never met: {:?}", report.mix);
        }
    }
}

/// The control: a store that reads in one transaction and writes in the next.
#[cfg(feature = "broken-rotation")]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rotation_in_two_transactions_is_caught() {
    let report = search(HISTORIES).await;
    assert!(!report.broken.is_empty(), "none of {} histories gave it away", report.histories);
    for broken in &report.broken {
        println!("caught: {broken}");
    }
}
