//! What asks for the password again: changing it, deleting the account.

use std::sync::Arc;

use doorward_client::api::types::OneTimeToken;
use doorward_client::reqwest::cookie::Jar;
use doorward_client::{Doorward, Error};
use doorward_client_stories::{EMAIL, Fault, PASSWORD, SignedOut, Stage, TestStore, until};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::request::{CHANGE, DELETE, ME, REFRESH};

const NEW: &str = "staple, upright and shiny";
const BUSY: Fault = Fault::Answer("503 Service Unavailable", "");

/// A client of somebody who is yet to sign in, by cookie or with tokens.
async fn device(stage: &Stage, by_cookie: bool) -> (Doorward, SignedOut) {
    if by_cookie {
        stage.client_with_jar(&Arc::new(Jar::default())).await
    } else {
        stage.client_with(&TestStore::default()).await
    }
}

#[tokio::test]
async fn a_change_signs_out_of_all_devices_but_this() {
    for by_cookie in [false, true] {
        let stage = Stage::new(&[]).await;
        let (ana, signed_out) = device(&stage, by_cookie).await;
        let (phone, phone_signed_out) = device(&stage, by_cookie).await;
        ana.register(EMAIL, PASSWORD).await.unwrap();
        let before = phone.login(EMAIL, PASSWORD).await.unwrap().session.id;

        let changed = ana.change_password(PASSWORD, NEW).await.unwrap();
        assert!(changed.access_token.is_none() && changed.refresh_token.is_none());
        let sessions = ana.list_sessions().await.unwrap();
        assert_eq!(sessions.iter().map(|s| s.id).collect::<Vec<_>>(), [changed.session.id]);
        assert_ne!(changed.session.id, before);
        // The CSRF token is that of the new session, too.
        ana.change_password(NEW, PASSWORD).await.unwrap();
        ana.change_password(PASSWORD, NEW).await.unwrap();

        assert_eq!(phone.get_me().await.unwrap_err().code(), Some("session_expired"));
        assert_eq!(phone_signed_out.codes(), ["session_expired"]);
        let error = phone.login(EMAIL, PASSWORD).await.unwrap_err();
        assert_eq!(error.code(), Some("invalid_credentials"));
        phone.login(EMAIL, NEW).await.unwrap();
        assert!(signed_out.codes().is_empty());
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_calls_around_a_change_sign_nobody_out() {
    for by_cookie in [false, true] {
        let stage = Stage::new(&[]).await;
        let (ana, signed_out) = device(&stage, by_cookie).await;
        ana.register(EMAIL, PASSWORD).await.unwrap();
        let (phone, _) = stage.client_with(&TestStore::default()).await;
        phone.login(EMAIL, PASSWORD).await.unwrap();

        let gate = Arc::new(Semaphore::new(0));
        stage.proxy.fail(CHANGE, &Fault::Hold(Arc::clone(&gate)), 1);
        let change = tokio::spawn({
            let ana = ana.clone();
            async move { ana.change_password(PASSWORD, NEW).await }
        });
        // The answer is held back, but the server has changed it.
        until("the change", async || phone.get_me().await.is_err()).await;
        stage.proxy.take_log();
        let calls = twenty_calls(&ana);
        until("twenty refusals", async || stage.proxy.answers(ME, "401") == 20).await;
        gate.add_permits(1);
        change.await.unwrap().unwrap();
        all_well(calls).await;

        // And without being held up.
        let calls = twenty_calls(&ana);
        ana.change_password(NEW, PASSWORD).await.unwrap();
        all_well(calls).await;
        assert_eq!(stage.proxy.count(REFRESH), 0);
        assert!(ana.is_signed_in() && signed_out.codes().is_empty());
        stage.end().await;
    }
}

#[tokio::test]
async fn a_wrong_password_changes_nothing() {
    for by_cookie in [false, true] {
        let stage = Stage::new(&[]).await;
        let (ana, signed_out) = device(&stage, by_cookie).await;
        ana.register(EMAIL, PASSWORD).await.unwrap();
        let error = ana.change_password("incorrect", NEW).await.unwrap_err();
        let Error::Problem(problem) = error else { panic!("{error:?}") };
        assert_eq!((problem.status, problem.code.as_str()), (403, "wrong_password"));
        assert!(!problem.ends_session());
        let error = ana.delete_account("incorrect").await.unwrap_err();
        assert_eq!(error.code(), Some("wrong_password"));
        let error = ana.change_password(PASSWORD, "short").await.unwrap_err();
        assert_eq!(error.code(), Some("validation_failed"));
        ana.get_me().await.unwrap();
        ana.login(EMAIL, PASSWORD).await.unwrap();
        assert!(signed_out.codes().is_empty());
        stage.end().await;
    }
}

#[tokio::test]
async fn an_expired_token_is_renewed_for_a_change() {
    let stage = Stage::new(&[("access_token_ttl", "2s")]).await;
    let store = TestStore::default();
    let (ana, signed_out) = stage.ana(&store).await;
    stage.expired(&store.access_token()).await;
    ana.change_password(PASSWORD, NEW).await.unwrap();
    assert_eq!(stage.proxy.take_log(), [format!("{REFRESH} 200"), format!("{CHANGE} 200")]);

    // The age of saved tokens is unknown: the server has to say that they have expired.
    stage.expired(&store.access_token()).await;
    let (ana, _) = stage.client_with(&store).await;
    ana.change_password(NEW, PASSWORD).await.unwrap();
    let log = [format!("{CHANGE} 401"), format!("{REFRESH} 200"), format!("{CHANGE} 200")];
    assert_eq!(stage.proxy.take_log(), log);

    stage.expired(&store.access_token()).await;
    let (ana, _) = stage.client_with(&store).await;
    ana.delete_account(PASSWORD).await.unwrap();
    assert!(store.tokens().is_none() && signed_out.codes().is_empty());
    stage.end().await;
}

#[tokio::test]
async fn a_new_pair_that_could_not_be_saved_is_not_used() {
    let stage = Stage::new(&[]).await;
    let store = TestStore::default();
    let (ana, signed_out) = stage.ana(&store).await;
    let before = store.access_token();
    store.fail_once();
    let error = ana.change_password(PASSWORD, NEW).await.unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error:?}");
    assert_eq!(store.access_token(), before);
    // The password was changed, and the session that was kept has ended.
    assert_eq!(ana.get_me().await.unwrap_err().code(), Some("session_expired"));
    assert_eq!(signed_out.codes(), ["session_expired"]);
    ana.login(EMAIL, NEW).await.unwrap();
    stage.end().await;
}

#[tokio::test]
async fn a_change_without_an_answer_may_have_ended_the_session() {
    for by_cookie in [false, true] {
        let stage = Stage::new(&[]).await;
        let (ana, signed_out) = device(&stage, by_cookie).await;
        ana.register(EMAIL, PASSWORD).await.unwrap();
        stage.proxy.fail(CHANGE, &BUSY, 1);
        ana.change_password(PASSWORD, NEW).await.unwrap_err();
        ana.get_me().await.unwrap();
        stage.proxy.fail(CHANGE, &Fault::Swallow, 1);
        let error = ana.change_password(PASSWORD, NEW).await.unwrap_err();
        assert!(matches!(error, Error::Transport(_)), "{error:?}");
        assert!(signed_out.codes().is_empty());
        let error = ana.change_password(PASSWORD, NEW).await.unwrap_err();
        assert_eq!(error.code(), Some("session_expired"));
        assert_eq!(signed_out.codes(), ["session_expired"]);
        ana.login(EMAIL, NEW).await.unwrap();
        stage.end().await;
    }
}

#[tokio::test]
async fn a_deleted_account_signs_out_and_says_nothing() {
    for by_cookie in [false, true] {
        let stage = Stage::new(&[]).await;
        let (ana, signed_out) = device(&stage, by_cookie).await;
        let (phone, phone_signed_out) = device(&stage, by_cookie).await;
        ana.register(EMAIL, PASSWORD).await.unwrap();
        phone.login(EMAIL, PASSWORD).await.unwrap();
        stage.proxy.fail(DELETE, &BUSY, 1);
        ana.delete_account(PASSWORD).await.unwrap_err();
        ana.get_me().await.unwrap();
        ana.delete_account(PASSWORD).await.unwrap();
        assert!(!ana.is_signed_in() && signed_out.codes().is_empty());
        assert_eq!(ana.get_me().await.unwrap_err().code(), Some("no_token"));

        // Of a user who is gone, the refresh cookie is what is refused.
        let code = if by_cookie { "invalid_refresh_token" } else { "session_expired" };
        assert_eq!(phone.get_me().await.unwrap_err().code(), Some(code));
        assert_eq!(phone_signed_out.codes(), [code]);
        let error = ana.login(EMAIL, PASSWORD).await.unwrap_err();
        assert_eq!(error.code(), Some("invalid_credentials"));
        let error = ana.change_password(PASSWORD, NEW).await.unwrap_err();
        assert_eq!(error.code(), Some("no_token"));
        stage.end().await;
    }
}

#[tokio::test]
async fn a_sign_in_that_is_not_remembered_lasts_a_day() {
    let stage = Stage::new(&[]).await;
    let days = async |ana: &Doorward| {
        let sessions = ana.list_sessions().await.unwrap();
        let session = sessions.into_iter().find(|session| session.current).unwrap();
        (session.expires_at - session.created_at).num_hours() / 24
    };
    for jar in [None, Some(Arc::new(Jar::default()))] {
        let client = |remember| {
            let client = stage.client().remember(remember);
            if let Some(jar) = &jar { client.cookies(Arc::clone(jar)) } else { client }
        };
        let ana = client(false).build().await.unwrap();
        if ana.register(EMAIL, PASSWORD).await.is_err() {
            ana.login(EMAIL, PASSWORD).await.unwrap();
        }
        assert!(days(&ana).await <= 1);
        let ana = client(true).build().await.unwrap();
        ana.login(EMAIL, PASSWORD).await.unwrap();
        assert!(days(&ana).await > 1);
    }
    stage.end().await;
}

#[tokio::test]
async fn an_address_that_must_be_verified_first_signs_nobody_in() {
    for by_cookie in [false, true] {
        let stage = Stage::new(&[("require_verified_email", "true")]).await;
        let (ana, signed_out) = device(&stage, by_cookie).await;
        let registered = ana.register(EMAIL, PASSWORD).await.unwrap();
        assert_eq!(registered.user.email, EMAIL);
        assert!(registered.session.is_none() && !ana.is_signed_in());
        let error = ana.login(EMAIL, PASSWORD).await.unwrap_err();
        assert_eq!(error.code(), Some("email_not_verified"));
        assert!(!ana.is_signed_in() && signed_out.codes().is_empty());
        stage.end().await;
    }
}

#[tokio::test]
async fn what_anybody_may_call_does_not_wait_for_a_refresh() {
    let stage = Stage::new(&[("access_token_ttl", "2s")]).await;
    let store = TestStore::default();
    let (ana, _) = stage.ana(&store).await;
    stage.expired(&store.access_token()).await;
    ana.get_keys().await.unwrap();
    let link = OneTimeToken { token: "no such link".into() };
    assert!(!format!("{link:?}").contains("no such link"));
    let call = ana.call_anonymously(|client| async move { client.verify_email(&link).await });
    let error = call.await.unwrap_err();
    assert!(matches!(&error, Error::Problem(p) if p.status < 500), "{error:?}");
    assert_eq!(stage.proxy.count(REFRESH), 0);
    stage.end().await;
}

fn twenty_calls(client: &Doorward) -> JoinSet<Result<String, Error>> {
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let client = client.clone();
        calls.spawn(async move { Ok(client.get_me().await?.email) });
    }
    calls
}

async fn all_well(mut calls: JoinSet<Result<String, Error>>) {
    while let Some(call) = calls.join_next().await {
        assert_eq!(call.unwrap().unwrap(), EMAIL);
    }
}
