//! Access tokens expire, and nobody notices.

use std::sync::Arc;

use doorward_client::Doorward;
use doorward_client_stories::{Fault, Stage, TestStore, until};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::request::{ME, REFRESH};

const SHORT: &[(&str, &str)] = &[("access_token_ttl", "6s")];

#[tokio::test]
async fn a_token_known_to_be_expired_is_renewed_ahead() {
    let stage = Stage::new(SHORT).await;
    let store = TestStore::default();
    let (ana, signed_out) = stage.ana(&store).await;
    ana.get_me().await.unwrap();
    stage.expired(&store.access_token()).await;
    ana.get_me().await.unwrap();
    let log = stage.proxy.take_log();
    assert_eq!(log, [format!("{ME} 200"), format!("{REFRESH} 200"), format!("{ME} 200")]);
    assert!(signed_out.codes().is_empty());
    stage.end().await;
}

#[tokio::test]
async fn a_token_of_unknown_age_is_used_until_the_server_says_so() {
    let stage = Stage::new(&[]).await;
    let store = TestStore::default();
    stage.ana(&store).await;
    let (restarted, _) = stage.client_with(&store).await;
    stage.make_stale(&store.access_token()).await;
    restarted.get_me().await.unwrap();
    let log = stage.proxy.take_log();
    assert_eq!(log, [format!("{ME} 401"), format!("{REFRESH} 200"), format!("{ME} 200")]);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_calls_at_once_share_one_refresh() {
    let stage = Stage::new(SHORT).await;
    let store = TestStore::default();
    let (ana, signed_out) = stage.ana(&store).await;
    stage.expired(&store.access_token()).await;
    twenty_calls(&ana).await;
    assert_eq!(stage.proxy.count(REFRESH), 1);
    assert!(signed_out.codes().is_empty());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_calls_that_are_refused_at_once_share_one_refresh() {
    let stage = Stage::new(&[]).await;
    let store = TestStore::default();
    let (ana, signed_out) = stage.ana(&store).await;
    stage.make_stale(&store.access_token()).await;
    twenty_calls(&ana).await;
    assert_eq!(stage.proxy.count(REFRESH), 1);
    assert!(signed_out.codes().is_empty());
    stage.end().await;
}

async fn twenty_calls(client: &Doorward) {
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let client = client.clone();
        calls.spawn(async move { client.get_me().await });
    }
    while let Some(call) = calls.join_next().await {
        call.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_call_that_lost_a_race_is_repeated_without_another_refresh() {
    let stage = Stage::new(&[]).await;
    let store = TestStore::default();
    stage.ana(&store).await;
    let (slow, _) = stage.client_with(&store).await;
    stage.make_stale(&store.access_token()).await;

    // The answer to the first call comes after the second call has renewed the tokens.
    let gate = Arc::new(Semaphore::new(0));
    stage.proxy.fail(ME, &Fault::Hold(Arc::clone(&gate)), 1);
    let first = tokio::spawn({
        let slow = slow.clone();
        async move { slow.get_me().await }
    });
    until("the first call", async || stage.proxy.count(ME) == 1).await;
    slow.list_sessions().await.unwrap();
    gate.add_permits(1);
    first.await.unwrap().unwrap();
    assert_eq!(stage.proxy.count(REFRESH), 1);
    stage.end().await;
}

#[tokio::test]
async fn tokens_can_be_renewed_by_hand() {
    let stage = Stage::new(&[]).await;
    let store = TestStore::default();
    let (ana, _) = stage.ana(&store).await;
    let before = store.access_token();
    ana.refresh().await.unwrap();
    assert_ne!(store.access_token(), before);
    ana.get_me().await.unwrap();
    stage.end().await;
}
