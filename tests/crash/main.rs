//! `kill -9` under load: what was acknowledged is there after the crash, what has ended stays
//! ended, and nobody is signed out or accused because an answer was lost. The kernel outlives the
//! process here: what a power failure takes is not shown.
//!
//! | variable | |
//! |---|---|
//! | `DOORWARD_KILLS` | how often the server is killed; 25 |
//! | `DOORWARD_SEED` | repeats the draws of a run, which prints its seed |
//! | `DOORWARD_BIN` | the server to kill, instead of the one that was just built |
//!
//! `DOORWARD_KILLS=2000 cargo test --release --test crash no_crash -- --nocapture` is the long run.
//! A server without a journal was told apart after some hundreds of kills; one that answers
//! before it commits, or that forgets what it has revoked, within the default 25.

#![expect(clippy::unwrap_used, unreachable_pub, reason = "tests may panic, and are no library")]

mod check;
mod client;
mod controls;
mod dice;
mod ledger;
mod line;
mod post_mortem;
mod server;
mod starts;
mod trial;

use doorward::clock::{SystemEntropy, random};

use dice::Dice;
use trial::Trial;

/// A server lives for up to so many acknowledgements: some of them are killed while the clients
/// still look at what the crash before has left.
const LIFE: u64 = 400;

#[tokio::test]
async fn no_crash_breaks_a_promise() {
    let kills = variable("DOORWARD_KILLS").unwrap_or(25);
    let drawn = || u64::from(u32::from_be_bytes(random(&SystemEntropy).unwrap()));
    let seed = variable("DOORWARD_SEED").unwrap_or_else(drawn);
    println!("DOORWARD_SEED={seed}");

    let mut trial = Trial::new(seed);
    let mut dice = Dice::new(seed, "lives");
    for kill in 1..=kills {
        trial.run(1 + dice.below(LIFE)).await;
        assert_eq!(trial.ledger.breaches(), [].into(), "at kill {kill}: {}", trial.ledger);
        if kill % 100 == 0 {
            println!("{}", trial.ledger);
        }
    }
    trial.check().await;
    println!("{}", trial.ledger);
    assert_eq!(trial.ledger.breaches(), [].into());
    assert!(trial.ledger.unanswered() > 0, "no kill came between a request and its answer");
}

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is not a number: {value:?}")))
}
