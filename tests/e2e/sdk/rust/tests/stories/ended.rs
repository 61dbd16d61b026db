//! Sessions that end from elsewhere, or by theft.

use std::sync::Arc;

use doorward_client::{Error, Secret, Tokens};
use doorward_client_stories::{EMAIL, Fault, PASSWORD, Stage, TestStore, until};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::request::{LOGIN, ME};

#[tokio::test]
async fn a_refresh_token_used_twice_ends_all_sessions() {
    let stage = Stage::new(&[("refresh_grace", "0s")]).await;
    let store = TestStore::default();
    let (ana, ana_signed_out) = stage.ana(&store).await;
    let copy = TestStore::with(store.tokens().unwrap());
    ana.refresh().await.unwrap();
    ana.refresh().await.unwrap();
    stage.make_stale(&copy.access_token()).await;

    let (thief, thief_signed_out) = stage.client_with(&copy).await;
    let error = thief.get_me().await.unwrap_err();
    assert_eq!(error.code(), Some("refresh_token_reused"));
    assert_eq!(thief_signed_out.codes(), ["refresh_token_reused"]);
    assert!(!thief.is_signed_in() && copy.tokens().is_none());
    assert_eq!(thief.get_me().await.unwrap_err().code(), Some("no_token"));
    assert_eq!(thief_signed_out.codes().len(), 1);

    let Error::Problem(problem) = ana.get_me().await.unwrap_err() else { panic!() };
    assert!(problem.ends_session(), "{problem}");
    assert_eq!(ana_signed_out.codes(), [problem.code]);
    assert!(!ana.is_signed_in() && store.tokens().is_none());
    stage.end().await;
}

#[tokio::test]
async fn a_refresh_token_that_is_none_signs_out() {
    let stage = Stage::new(&[]).await;
    let store = TestStore::default();
    stage.ana(&store).await;
    let access_token = store.tokens().unwrap().access_token;
    stage.make_stale(access_token.reveal()).await;
    let broken = TestStore::with(Tokens { access_token, refresh_token: Secret::from("none") });
    let (ana, signed_out) = stage.client_with(&broken).await;
    assert_eq!(ana.get_me().await.unwrap_err().code(), Some("invalid_refresh_token"));
    assert_eq!(signed_out.codes(), ["invalid_refresh_token"]);
    assert!(broken.tokens().is_none());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_devices_are_signed_out_and_told_once() {
    let stage = Stage::new(&[]).await;
    let (store, other_store) = (TestStore::default(), TestStore::default());
    let (ana, signed_out) = stage.ana(&store).await;
    let (other, other_signed_out) = stage.client_with(&other_store).await;
    other.login(EMAIL, PASSWORD).await.unwrap();

    ana.logout_all().await.unwrap();
    assert!(!ana.is_signed_in() && store.tokens().is_none());
    assert!(signed_out.codes().is_empty(), "she knows");

    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let other = other.clone();
        calls.spawn(async move { other.get_me().await });
    }
    let mut codes = Vec::new();
    while let Some(call) = calls.join_next().await {
        codes.extend(call.unwrap().unwrap_err().code().map(ToOwned::to_owned));
    }
    assert!(codes.contains(&"session_expired".to_owned()), "{codes:?}");
    assert_eq!(other_signed_out.codes(), ["session_expired"]);
    assert!(!other.is_signed_in() && other_store.tokens().is_none());
    stage.end().await;
}

#[tokio::test]
async fn the_end_of_a_session_does_not_undo_a_newer_login() {
    let stage = Stage::new(&[]).await;
    let store = TestStore::default();
    let (ana, signed_out) = stage.ana(&store).await;
    let (other, _) = stage.client_with(&TestStore::default()).await;
    other.login(EMAIL, PASSWORD).await.unwrap();
    other.logout_all().await.unwrap();

    // A call learns that the old session is over while she is signing in.
    let gate = Arc::new(Semaphore::new(0));
    stage.proxy.fail(LOGIN, &Fault::Hold(Arc::clone(&gate)), 1);
    stage.proxy.take_log();
    let login = tokio::spawn({
        let ana = ana.clone();
        async move { ana.login(EMAIL, PASSWORD).await }
    });
    until("the login", async || stage.proxy.count(LOGIN) == 1).await;
    let call = tokio::spawn({
        let ana = ana.clone();
        async move { ana.get_me().await }
    });
    until("the refusal", async || stage.proxy.has_answered(ME, "401")).await;
    gate.add_permits(1);
    login.await.unwrap().unwrap();
    // It is not repeated in the name of whoever signed in meanwhile.
    assert_eq!(call.await.unwrap().unwrap_err().code(), Some("session_expired"));
    assert!(ana.is_signed_in() && signed_out.codes().is_empty());
    ana.get_me().await.unwrap();
    stage.end().await;
}

#[tokio::test]
async fn a_stranger_is_not_signed_out() {
    let stage = Stage::new(&[]).await;
    let (stranger, signed_out) = stage.client_with(&TestStore::default()).await;
    let expired = Fault::Answer(
        "401 Unauthorized\r\ncontent-type: application/problem+json",
        r#"{"type":"about:blank","title":"Unauthorized","status":401,"detail":"Expired","code":"session_expired"}"#,
    );
    stage.proxy.fail(ME, &expired, 1);
    assert_eq!(stranger.get_me().await.unwrap_err().code(), Some("session_expired"));
    assert!(signed_out.codes().is_empty());
    stage.end().await;
}
