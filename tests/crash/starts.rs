//! Killed while it starts for the first time: the next start finds its way.

use std::fs;
use std::path::Path;

use doorward::domain::id::Generation;

use super::ledger::Ledger;
use super::line::Line;
use super::server::{Server, command, free_address};

/// What a first start leaves behind, in this order: the ends of names.
const TRACES: &[&str] = &["doorward.lock", "doorward.db", "doorward.db-wal", "keys", ".tmp", LAST];
const LAST: &str = ".key";

/// How often each moment is tried.
const ROUNDS: usize = 3;

#[tokio::test]
async fn a_first_start_can_be_killed_at_any_moment() {
    for trace in TRACES.iter().flat_map(|trace| [trace; ROUNDS]) {
        let data = tempfile::tempdir().unwrap();
        let address = free_address();
        let mut first = command(data.path(), address).spawn().unwrap();
        while !has_left(data.path(), trace) && !has_left(data.path(), LAST) {
            assert_eq!(first.try_wait().unwrap(), None, "it ended by itself, before {trace}");
        }
        first.kill().unwrap();
        first.wait().unwrap();

        let second = Server::start(data.path(), address, u64::MAX).await;
        let ledger = Ledger::default();
        let line = Line::open(&second, &ledger).await;
        let tokens = line.tokens(&line.register("ana@example.com").await.unwrap()).unwrap();
        let renewed = line.tokens(&line.refresh(&tokens).await.unwrap()).unwrap();
        assert_eq!(renewed.generation, Generation(2), "after {trace}");
    }
}

fn has_left(data: &Path, trace: &str) -> bool {
    [data, &data.join("keys")].into_iter().filter_map(|place| fs::read_dir(place).ok()).any(
        |place| place.flatten().any(|entry| entry.file_name().to_string_lossy().ends_with(trace)),
    )
}
