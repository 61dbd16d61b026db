//! Signing out by wish.

use std::sync::Arc;

use doorward_client::Error;
use doorward_client_stories::{EMAIL, Fault, PASSWORD, Stage, TestStore, until};
use tokio::sync::Semaphore;

use crate::request::{LOGOUT, LOGOUT_ALL, ME, REFRESH};

#[tokio::test]
async fn logout_all_works_with_an_expired_access_token() {
    let stage = Stage::new(&[]).await;
    let store = TestStore::default();
    let (ana, signed_out) = stage.ana(&store).await;
    stage.make_stale(&store.access_token()).await;
    ana.logout_all().await.unwrap();
    assert!(!ana.is_signed_in() && signed_out.codes().is_empty());
    stage.end().await;
}

#[tokio::test]
async fn logout_works_with_an_expired_access_token() {
    let stage = Stage::new(&[]).await;
    let store = TestStore::default();
    let (ana, signed_out) = stage.ana(&store).await;
    let tokens = store.tokens().unwrap();
    stage.make_stale(tokens.access_token.reveal()).await;
    ana.logout().await.unwrap();
    assert_eq!(stage.proxy.take_log(), [format!("{LOGOUT} 200")]);
    assert!(!ana.is_signed_in() && store.tokens().is_none());
    assert!(signed_out.codes().is_empty());
    // The server has ended it too.
    let (copy, _) = stage.client_with(&TestStore::with(tokens)).await;
    assert_eq!(copy.get_me().await.unwrap_err().code(), Some("session_expired"));
    stage.end().await;
}

#[tokio::test]
async fn a_logout_that_fails_can_be_repeated() {
    let stage = Stage::new(&[]).await;
    let store = TestStore::default();
    let (ana, _) = stage.ana(&store).await;
    stage.proxy.fail(LOGOUT, &Fault::Answer("503 Service Unavailable", ""), 1);
    stage.proxy.fail(LOGOUT, &Fault::Swallow, 1);
    for _ in 0..2 {
        ana.logout().await.unwrap_err();
        assert!(ana.is_signed_in() && store.tokens().is_some());
    }
    store.fail_once();
    assert!(matches!(ana.logout().await, Err(Error::Store(_))));
    assert!(ana.is_signed_in() && store.tokens().is_some());
    ana.logout().await.unwrap();
    assert!(!ana.is_signed_in() && store.tokens().is_none());
    stage.end().await;
}

#[tokio::test]
async fn a_refresh_in_flight_does_not_undo_a_logout() {
    let stage = Stage::new(&[]).await;
    let store = TestStore::default();
    let (ana, signed_out) = stage.ana(&store).await;
    stage.make_stale(&store.access_token()).await;

    let gate = Arc::new(Semaphore::new(0));
    stage.proxy.fail(REFRESH, &Fault::Hold(Arc::clone(&gate)), 1);
    let call = tokio::spawn({
        let ana = ana.clone();
        async move { ana.get_me().await }
    });
    until("the refresh", async || stage.proxy.count(REFRESH) == 1).await;
    let logout = tokio::spawn({
        let ana = ana.clone();
        async move { ana.logout().await }
    });
    // A logout that does not wait would be there after a few round trips.
    for _ in 0..5 {
        stage.expired(&store.access_token()).await;
    }
    assert_eq!(stage.proxy.count(LOGOUT), 0);
    gate.add_permits(1);
    let _ = call.await.unwrap();
    logout.await.unwrap().unwrap();
    assert!(!ana.is_signed_in() && store.tokens().is_none());
    assert!(signed_out.codes().is_empty());
    assert!(stage.proxy.has_answered(REFRESH, "200"));
    assert_eq!(ana.get_me().await.unwrap_err().code(), Some("no_token"));
    stage.end().await;
}

#[tokio::test]
async fn a_call_that_fails_for_a_logout_does_not_report_it() {
    let stage = Stage::new(&[]).await;
    for request in [LOGOUT, LOGOUT_ALL] {
        let store = TestStore::default();
        let (ana, signed_out) = stage.client_with(&store).await;
        if ana.login(EMAIL, PASSWORD).await.is_err() {
            ana.register(EMAIL, PASSWORD).await.unwrap();
        }
        // The session has ended, but its client does not know yet.
        let gate = Arc::new(Semaphore::new(0));
        stage.proxy.fail(request, &Fault::Hold(Arc::clone(&gate)), 1);
        let logout = tokio::spawn({
            let ana = ana.clone();
            async move { if request == LOGOUT { ana.logout().await } else { ana.logout_all().await } }
        });
        stage.refused(&store.access_token(), "session_expired").await;
        let call = tokio::spawn({
            let ana = ana.clone();
            async move { ana.get_me().await }
        });
        until("the refusal", async || stage.proxy.has_answered(ME, "401")).await;
        gate.add_permits(1);
        logout.await.unwrap().unwrap();
        assert_eq!(call.await.unwrap().unwrap_err().code(), Some("session_expired"));
        assert!(!ana.is_signed_in() && signed_out.codes().is_empty());
        stage.proxy.take_log();
    }
    stage.end().await;
}
