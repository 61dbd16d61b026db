//! The network and the server fail, and nobody is signed out for it.

use std::sync::Arc;
use std::time::Duration;

use doorward_client::Error;
use doorward_client_stories::{Fault, Stage, TestStore, until};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::request::{ME, REFRESH};

const SHORT: &[(&str, &str)] = &[("access_token_ttl", "6s")];
/// How often the clients of these stories try a refresh.
const ATTEMPTS: usize = 3;

const UNAVAILABLE: Fault = Fault::Answer(
    "503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 1",
    r#"{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"Busy","code":"unavailable"}"#,
);

#[tokio::test]
async fn a_lost_answer_to_a_refresh_is_asked_for_again() {
    let stage = Stage::new(&[]).await;
    let store = TestStore::default();
    let (ana, signed_out) = stage.ana(&store).await;
    stage.make_stale(&store.access_token()).await;
    stage.proxy.fail(REFRESH, &Fault::Swallow, 1);
    ana.get_me().await.unwrap();
    let log = stage.proxy.take_log();
    let renewed = [REFRESH.to_owned(), format!("{REFRESH} 200"), format!("{ME} 200")];
    assert_eq!(log, [&[format!("{ME} 401")], &renewed[..]].concat());
    assert!(signed_out.codes().is_empty());
    stage.end().await;
}

#[tokio::test]
async fn a_busy_server_signs_nobody_out() {
    let stage = Stage::new(&[]).await;
    let store = TestStore::default();
    let (ana, signed_out) = stage.ana(&store).await;
    stage.make_stale(&store.access_token()).await;

    for answer in [UNAVAILABLE, Fault::Answer("502 Bad Gateway", ""), Fault::Answer("429 Slow", "")]
    {
        stage.proxy.fail(REFRESH, &answer, ATTEMPTS);
        ana.get_me().await.unwrap_err();
        assert_eq!(stage.proxy.count(REFRESH), ATTEMPTS, "it is tried so often, and not more");
        assert_eq!(stage.proxy.count(ME), 1);
        assert!(ana.is_signed_in() && store.tokens().is_some());
        stage.proxy.take_log();
    }
    ana.get_me().await.unwrap();
    assert!(signed_out.codes().is_empty());
    stage.end().await;
}

#[tokio::test]
async fn callers_that_wait_share_a_failure() {
    let stage = Stage::new(SHORT).await;
    let store = TestStore::default();
    let (ana, _) = stage.ana(&store).await;
    stage.expired(&store.access_token()).await;
    stage.proxy.fail(REFRESH, &UNAVAILABLE, 100);
    // On one thread, all of them wait before the first answer is read.
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let ana = ana.clone();
        calls.spawn(async move { ana.get_me().await });
    }
    while let Some(call) = calls.join_next().await {
        assert_eq!(call.unwrap().unwrap_err().code(), Some("unavailable"));
    }
    assert_eq!(stage.proxy.count(REFRESH), ATTEMPTS);
    stage.proxy.heal();
    ana.get_me().await.unwrap();
    stage.end().await;
}

#[tokio::test]
async fn a_server_that_is_down_signs_nobody_out() {
    let mut stage = Stage::new(SHORT).await;
    let store = TestStore::default();
    let (ana, signed_out) = stage.ana(&store).await;
    stage.expired(&store.access_token()).await;
    stage.proxy.down().await;
    let error = ana.get_me().await.unwrap_err();
    assert!(matches!(error, Error::Transport(_)), "{error:?}");
    assert!(ana.is_signed_in() && store.tokens().is_some());
    stage.proxy.up().await;
    ana.get_me().await.unwrap();
    assert!(signed_out.codes().is_empty());
    stage.end().await;
}

#[tokio::test]
async fn other_refusals_sign_nobody_out() {
    let stage = Stage::new(&[]).await;
    let store = TestStore::default();
    let (ana, signed_out) = stage.ana(&store).await;
    for code in ["forbidden", "csrf_failed", "account_disabled"] {
        let body = format!(
            r#"{{"type":"about:blank","title":"Forbidden","status":403,"detail":"No","code":"{code}"}}"#
        );
        let refusal =
            Fault::Answer("403 Forbidden\r\ncontent-type: application/problem+json", body.leak());
        for request in [ME, REFRESH] {
            stage.proxy.fail(request, &refusal, 1);
            let result =
                if request == ME { ana.get_me().await.map(drop) } else { ana.refresh().await };
            assert_eq!(result.unwrap_err().code(), Some(code));
            assert!(ana.is_signed_in() && store.tokens().is_some());
        }
    }
    ana.get_me().await.unwrap();
    assert!(signed_out.codes().is_empty());
    stage.end().await;
}

#[tokio::test]
async fn a_caller_that_gives_up_in_the_middle_of_a_refresh_does_no_harm() {
    let stage = Stage::new(&[]).await;
    let store = TestStore::default();
    let (ana, signed_out) = stage.ana(&store).await;
    stage.make_stale(&store.access_token()).await;
    let gate = Arc::new(Semaphore::new(0));
    stage.proxy.fail(REFRESH, &Fault::Hold(gate), 1);
    tokio::select! {
        result = ana.get_me() => panic!("{result:?}"),
        () = until("the refresh", async || stage.proxy.count(REFRESH) == 1) => {}
    }
    timeout(Duration::from_secs(60), ana.get_me()).await.expect("nothing is locked").unwrap();
    assert_eq!(stage.proxy.count(REFRESH), 2);
    assert!(signed_out.codes().is_empty());
    stage.end().await;
}
