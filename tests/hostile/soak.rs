//! A day in short: users come and go for a while, and what the server holds does not grow with it.
//!
//! What is swept once it is a day old (rows of ended sessions, their ids in memory) is not: that is
//! tested with a clock that can be set (`tests/store.rs`, `tests/clock`). Here it is allowed for.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;

use super::client::{Client, Wish};
use super::server::{CHEAP, Server};
use super::variable;

/// How many users there are at a time.
const USERS: u64 = 8;

/// What an ended session may leave in memory until it is a day old, and its last note for five
/// minutes: an id and a time, each in a table that doubles when it is full.
const ENDED_BYTES: u64 = 256;

/// How much memory may come and go besides: caches that were not full, and what the allocator keeps.
const MARGIN_KIB: u64 = 16 * 1024;

/// The store moves the log at 2 MiB, and at the latest at 48.
const LOG_BYTES: u64 = 56 << 20;

#[derive(Clone, Copy)]
struct Reading {
    memory_kib: u64,
    files: usize,
    log_bytes: u64,
    /// How many sessions have ended until then.
    ended: u64,
}

impl Reading {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
    async fn take(server: &Server) -> Self {
        // The clients' connections come and go.
        server.is_left_alone().await;
        Self {
            memory_kib: server.memory_kib("VmRSS"),
            files: server.files(),
            log_bytes: server.log_length(),
            ended: server.metric("doorward_sessions_ended_total").await as u64,
        }
    }

    /// What is more than it may be.
    fn grown_since(&self, before: &Self) -> Vec<&'static str> {
        let ended = self.ended - before.ended;
        let memory_kib = before.memory_kib + MARGIN_KIB + ended * ENDED_BYTES / 1024;
        let limits = [
            ("memory", self.memory_kib <= memory_kib),
            // The readers of the database open as they are needed.
            ("files", self.files <= before.files + 8),
            ("log", self.log_bytes <= LOG_BYTES),
        ];
        limits.iter().filter(|(_, is_kept)| !is_kept).map(|(name, _)| *name).collect()
    }
}

#[test]
fn control_growth_is_seen() {
    let before = Reading { memory_kib: 25_000, files: 24, log_bytes: 2 << 20, ended: 100 };
    assert!(before.grown_since(&before).is_empty());
    // Ten thousand sessions later: a KiB of each is left, or a connection of a few, or all writes.
    let ended = 10_100;
    for (after, grown) in [
        (Reading { memory_kib: 35_000, ended, ..before }, None),
        (Reading { memory_kib: 50_000, ended, ..before }, Some("memory")),
        (Reading { files: 34, ended, ..before }, Some("files")),
        (Reading { log_bytes: 80 << 20, ended, ..before }, Some("log")),
    ] {
        assert_eq!(after.grown_since(&before), Vec::from_iter(grown));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_grows() {
    let seconds = variable("DOORWARD_SOAK", 4);
    let server = Server::start(&CHEAP, None);
    // The first third fills what is meant to be filled.
    let mut rounds = users_come_and_go(&server, "warm", Duration::from_secs(seconds) / 3).await;
    let before = Reading::take(&server).await;
    rounds += users_come_and_go(&server, "then", Duration::from_secs(seconds) * 2 / 3).await;
    let after = Reading::take(&server).await;

    println!(
        "{seconds} s, {rounds} users, {} sessions ended after the first third; since then memory \
         {} -> {} KiB, open files {} -> {}, write-ahead log {} -> {} KiB",
        after.ended - before.ended,
        before.memory_kib,
        after.memory_kib,
        before.files,
        after.files,
        before.log_bytes / 1024,
        after.log_bytes / 1024
    );
    assert!(after.ended > before.ended && rounds > USERS);
    assert_eq!(after.grown_since(&before), Vec::<&str>::new());
    server.stop();
}

/// How many users there were.
async fn users_come_and_go(server: &Server, name: &str, time: Duration) -> u64 {
    let is_over = AtomicBool::new(false);
    let lives = (0..USERS).map(|user| {
        let is_over = &is_over;
        async move {
            let mut rounds = 0;
            while !is_over.load(Ordering::Relaxed) {
                live(server, &format!("{name}.{user}.{rounds}@example.com")).await;
                rounds += 1;
            }
            rounds
        }
    });
    let end = async {
        tokio::time::sleep(time).await;
        is_over.store(true, Ordering::Relaxed);
    };
    let (rounds, ()) = tokio::join!(join_all(lives), end);
    rounds.into_iter().sum()
}

/// All that a user does in a day.
async fn live(server: &Server, email: &str) {
    let mut user = Client::new(server, email).await;
    assert!(user.forgets_its_password().await);
    for _ in 0..3 {
        assert!(user.gets(Wish::Login).await);
        for _ in 0..5 {
            assert!(user.gets(Wish::Me).await && user.gets(Wish::Refresh).await);
        }
        assert!(user.logs_out().await);
    }
}
