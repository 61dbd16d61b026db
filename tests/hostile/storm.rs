//! More logins than can be hashed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;

use serde_json::Value;
use tokio::task::JoinSet;

use super::client::{Client, Wish};
use super::server::Server;

/// How many hashes may wait.
const QUEUE: u64 = 256;

/// What a hash takes, at the default costs.
const HASH_KIB: u64 = 19 * 1024;

/// What a connection may take: its buffers in hyper and a request that waits.
const CONNECTION_KIB: u64 = 32;

/// Ten times as many at once as fit: those who do not fit are told so before they cost a hash, and
/// whoever needs none is served as if nothing were.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_hashed_is_shed_and_all_else_goes_on() {
    let threads = u64::try_from(available_parallelism().unwrap().get()).unwrap();
    let (fits, logins) = (QUEUE + threads, 10 * (QUEUE + threads));
    // At the default costs.
    let server = Server::start(&[], None);
    let ana = Arc::new(Client::new(&server, "ana@example.com").await);
    let mut bea = Client::new(&server, "bea@example.com").await;
    for _ in 0..threads {
        assert_eq!(ana.login().await.unwrap().status(), 200);
    }
    let (memory_before, hashes_before) = (server.memory_kib("VmRSS"), hashes(&server).await);

    let mut storm = JoinSet::new();
    for _ in 0..logins {
        let ana = Arc::clone(&ana);
        storm.spawn(async move { outcome(ana.login().await.unwrap()).await });
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let quiet = tokio::spawn({
        let is_over = Arc::clone(&is_over);
        async move {
            let mut requests = 0;
            while !is_over.load(Ordering::Relaxed) {
                assert!(bea.gets(Wish::Me).await, "a guarded request is not served");
                assert!(bea.gets(Wish::Refresh).await, "a refresh is not served");
                requests += 2;
            }
            requests
        }
    });
    let admitted = storm.join_all().await.into_iter().filter(|is_served| *is_served).count();
    is_over.store(true, Ordering::Relaxed);
    let others = quiet.await.unwrap();
    let admitted = u64::try_from(admitted).unwrap();
    let memory = server.memory_kib("VmHWM") - memory_before;
    println!(
        "{logins} logins at once, {admitted} admitted, {} shed; {others} other requests served \
         meanwhile; {} MiB more memory at the most",
        logins - admitted,
        memory / 1024
    );

    assert!(admitted >= fits, "{admitted} of {logins} were admitted, and {fits} fit");
    assert!(admitted < logins, "none was shed");
    assert!(others > 0);
    let hashed = hashes(&server).await - hashes_before;
    let expected = f64::from(u32::try_from(admitted).unwrap());
    assert!((hashed - expected).abs() < 0.5, "{hashed} hashes for {admitted} logins");
    assert!(memory < threads * HASH_KIB + logins * CONNECTION_KIB, "{memory} KiB");
    server.stop();
}

async fn hashes(server: &Server) -> f64 {
    server.metric("doorward_hash_seconds_count").await
}

/// Whether it was served. If not, it was shed in the way that clients know.
async fn outcome(response: reqwest::Response) -> bool {
    if response.status() == 200 {
        return true;
    }
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "1");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["code"], "overloaded");
    false
}
