//! Load and hostile clients: the binary as it is shipped, on loopback, against whoever sends what no
//! client library sends, sends too much of it, or sends nothing.
//!
//! | variable | |
//! |---|---|
//! | `DOORWARD_HONEST` | how many requests the honest client sends among the slow ones; 2000 |
//! | `DOORWARD_SOAK` | for how many seconds the server is soaked; 4 |
//! | `DOORWARD_BIN` | the server, instead of the one that was just built |
//!
//! Attackers come from 127.0.0.1 and the honest from 127.0.0.2, which is why this is of Linux alone.
//! At the end of each test the server must have stopped when asked, without a panic on its record.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, unreachable_pub, reason = "tests may panic, and are no library")]

mod client;
mod pipelines;
mod server;
mod shapes;
mod slow;
mod soak;
mod storm;
mod wire;

/// A number that the environment may set.
fn variable(name: &str, default: u64) -> u64 {
    let Ok(value) = std::env::var(name) else { return default };
    value.parse().unwrap_or_else(|_| panic!("{name} is not a number: {value:?}"))
}
