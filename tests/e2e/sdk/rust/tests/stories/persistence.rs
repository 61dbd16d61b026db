//! Tokens outlive the program, and are kept before they are used.

use std::os::unix::fs::PermissionsExt;

use doorward_client::{Error, FileStore};
use doorward_client_stories::{EMAIL, PASSWORD, Stage, TestStore};

use crate::request::{ME, REFRESH};

#[tokio::test]
async fn a_file_carries_the_session_over_a_restart() {
    let stage = Stage::new(&[]).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.json");
    let before = stage.client().store(FileStore::new(&path)).build().await.unwrap();
    before.register(EMAIL, PASSWORD).await.unwrap();
    before.refresh().await.unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    drop(before);

    let after = stage.client().store(FileStore::new(&path)).build().await.unwrap();
    assert!(after.is_signed_in());
    assert_eq!(after.get_me().await.unwrap().email, EMAIL);
    after.refresh().await.unwrap();
    after.logout().await.unwrap();
    assert_eq!(directory.path().read_dir().unwrap().count(), 0);
    after.logout().await.unwrap();
    let later = stage.client().store(FileStore::new(&path)).build().await.unwrap();
    assert!(!later.is_signed_in());
    stage.end().await;
}

#[tokio::test]
async fn a_file_that_holds_something_else_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.json");
    std::fs::write(&path, r#"{"accessToken":"v4.public.x"}"#).unwrap();
    let stage = Stage::new(&[]).await;
    let error = stage.client().store(FileStore::new(&path)).build().await.unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error:?}");
    assert!(!format!("{error:?}").contains("v4."));
    stage.end().await;
}

#[tokio::test]
async fn a_store_that_fails_once_loses_nothing() {
    let stage = Stage::new(&[]).await;
    let store = TestStore::default();
    let (ana, signed_out) = stage.ana(&store).await;
    let old = store.access_token();
    stage.make_stale(&old).await;
    store.fail_once();
    let error = ana.get_me().await.unwrap_err();
    assert!(matches!(error, Error::Store(_)), "{error:?}");
    assert!(ana.is_signed_in());
    let refreshed = [format!("{ME} 401"), format!("{REFRESH} 200")];
    assert_eq!(stage.proxy.take_log(), refreshed, "what is not kept is not used");
    assert_eq!(store.access_token(), old);

    // The server hands out the same successor again.
    ana.get_me().await.unwrap();
    assert_eq!(stage.proxy.take_log(), [&refreshed[..], &[format!("{ME} 200")]].concat());
    assert_ne!(store.access_token(), old);
    assert_eq!(store.saves(), 2);
    assert!(signed_out.codes().is_empty());
    stage.end().await;
}

#[tokio::test]
async fn a_sign_in_that_cannot_be_kept_does_not_count() {
    let stage = Stage::new(&[]).await;
    let store = TestStore::default();
    let (ana, _) = stage.client_with(&store).await;
    store.fail_once();
    assert!(matches!(ana.register(EMAIL, PASSWORD).await, Err(Error::Store(_))));
    assert!(!ana.is_signed_in());
    ana.login(EMAIL, PASSWORD).await.unwrap();
    ana.get_me().await.unwrap();
    stage.end().await;
}
