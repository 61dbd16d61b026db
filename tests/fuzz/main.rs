//! Fuzz targets that need nothing but the stable compiler: `cargo test --test fuzz`.
//!
//! Each target replays its corpus (`tests/fuzz/corpus/NAME`, one input a file), then tries inputs
//! that have the right shape, and mutations of the corpus. What an input must do is said by an
//! independent and simpler reading of the same bytes, or by a law that has no exception.
//! `DOORWARD_FUZZ_CASES=N` tries N inputs a target, other ones each time. An input that fails is
//! printed as small as it gets: it belongs into the corpus.

#![expect(clippy::unwrap_used, unreachable_pub, reason = "tests may panic, and are no library")]

mod bodies;
mod client_address;
#[path = "../common/mod.rs"]
mod common;
mod cookies;
mod emails;
mod origins;
mod profiles;
mod settings;
mod target;
mod tokens;
mod user_agents;
