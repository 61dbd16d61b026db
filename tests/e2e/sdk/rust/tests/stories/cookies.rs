//! The same with cookies, as a browser would.

use std::sync::Arc;

use doorward_client::Doorward;
use doorward_client::reqwest::cookie::Jar;
use doorward_client_stories::{EMAIL, Fault, PASSWORD, Stage};
use tokio::task::JoinSet;

use crate::request::{ME, REFRESH};

const SILENT: &[(&str, &str)] = &[("access_token_ttl", "6s")];
const BY_HAND: &[(&str, &str)] = &[("access_token_ttl", "6s"), ("auto_refresh", "false")];

#[tokio::test]
async fn unsafe_methods_carry_the_csrf_token() {
    let stage = Stage::new(&[]).await;
    let (jar, other_jar) = (Arc::new(Jar::default()), Arc::new(Jar::default()));
    let (ana, signed_out) = stage.ana_by_cookie(&jar).await;
    assert_eq!(ana.get_me().await.unwrap().email, EMAIL);
    let other = stage.client().cookies(Arc::clone(&other_jar)).build().await.unwrap();
    let session = other.login(EMAIL, PASSWORD).await.unwrap().session;
    assert_eq!(ana.list_sessions().await.unwrap().len(), 2);
    ana.revoke_session(session.id).await.unwrap();
    assert_eq!(ana.revoke_session(session.id).await.unwrap_err().code(), Some("not_found"));
    ana.logout_all().await.unwrap();
    assert!(!ana.is_signed_in() && signed_out.codes().is_empty());
    assert!(!stage.has_cookie(&jar, "refreshToken"));
    stage.end().await;
}

#[tokio::test]
async fn the_jar_carries_the_session_over_a_restart() {
    let stage = Stage::new(&[]).await;
    let jar = Arc::new(Jar::default());
    stage.ana_by_cookie(&jar).await;
    let restarted = stage.client().cookies(Arc::clone(&jar)).build().await.unwrap();
    assert!(restarted.is_signed_in());
    restarted.get_me().await.unwrap();
    restarted.refresh().await.unwrap();
    restarted.logout().await.unwrap();
    assert!(!restarted.is_signed_in());
    assert_eq!(restarted.get_me().await.unwrap_err().code(), Some("no_token"));
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_renews_twenty_calls_at_once() {
    let stage = Stage::new(SILENT).await;
    let jar = Arc::new(Jar::default());
    let (ana, signed_out) = stage.ana_by_cookie(&jar).await;
    stage.cookie_expired(&jar).await;
    twenty_calls(&ana).await;
    assert_eq!(stage.proxy.count(REFRESH), 0);
    assert!(stage.has_cookie(&jar, "token"));

    // An answer with new cookies is lost; the old ones still do.
    stage.make_stale(&stage.cookie(&jar, "token").unwrap()).await;
    stage.proxy.fail(ME, &Fault::Swallow, 1);
    ana.get_me().await.unwrap_err();
    ana.get_me().await.unwrap();
    assert!(signed_out.codes().is_empty());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_silent_renewal_twenty_calls_share_one_refresh() {
    let stage = Stage::new(BY_HAND).await;
    let jar = Arc::new(Jar::default());
    let (ana, signed_out) = stage.ana_by_cookie(&jar).await;
    stage.cookie_expired(&jar).await;
    twenty_calls(&ana).await;
    assert_eq!(stage.proxy.count(REFRESH), 1);

    stage.make_stale(&stage.cookie(&jar, "token").unwrap()).await;
    stage.proxy.take_log();
    stage.proxy.fail(REFRESH, &Fault::Swallow, 1);
    stage.proxy.fail(REFRESH, &Fault::Answer("503 Service Unavailable", ""), 1);
    ana.get_me().await.unwrap();
    assert_eq!(stage.proxy.count(REFRESH), 3);
    assert!(signed_out.codes().is_empty());
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_ended_elsewhere_signs_out_once() {
    let stage = Stage::new(&[]).await;
    let jar = Arc::new(Jar::default());
    let (ana, signed_out) = stage.ana_by_cookie(&jar).await;
    let other = stage.client().build().await.unwrap();
    other.login(EMAIL, PASSWORD).await.unwrap();
    other.logout_all().await.unwrap();

    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let ana = ana.clone();
        calls.spawn(async move { ana.get_me().await.unwrap_err() });
    }
    while calls.join_next().await.is_some() {}
    assert_eq!(signed_out.codes(), ["session_expired"]);
    assert!(!ana.is_signed_in());
    for cookie in ["token", "refreshToken", "csrfToken"] {
        assert!(!stage.has_cookie(&jar, cookie), "{cookie}");
    }
    ana.login(EMAIL, PASSWORD).await.unwrap();
    ana.get_me().await.unwrap();
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
