//! Registering and signing in, and what can be wrong with that.

use doorward_client::Error;
use doorward_client_stories::{EMAIL, Fault, PASSWORD, Stage, TestStore};

use crate::request::ME;

#[tokio::test]
async fn ana_registers_and_signs_in_elsewhere() {
    let stage = Stage::new(&[]).await;
    let phone = stage.client().build().await.unwrap();
    assert!(!phone.is_signed_in());
    assert_eq!(phone.get_me().await.unwrap_err().code(), Some("no_token"));

    let registered = phone.register(EMAIL, PASSWORD).await.unwrap();
    assert_eq!(registered.user.email, EMAIL);
    assert!(phone.is_signed_in());
    assert_eq!(phone.get_me().await.unwrap().id, registered.user.id);
    assert_eq!(phone.register(EMAIL, PASSWORD).await.unwrap_err().code(), Some("email_taken"));

    let laptop = stage.client().build().await.unwrap();
    let signed_in = laptop.login(EMAIL, PASSWORD).await.unwrap();
    assert!(signed_in.session.current);
    assert_eq!(laptop.get_me().await.unwrap().id, registered.user.id);
    assert_eq!(laptop.get_keys().await.unwrap().len(), 1);
    stage.end().await;
}

#[tokio::test]
async fn a_wrong_password_signs_nobody_out() {
    let stage = Stage::new(&[]).await;
    let (ana, signed_out) = stage.ana(&TestStore::default()).await;
    let error = ana.login(EMAIL, "incorrect horse battery").await.unwrap_err();
    let Error::Problem(problem) = error else { panic!("{error:?}") };
    assert_eq!((problem.status, problem.code.as_str()), (401, "invalid_credentials"));
    assert_eq!(
        (problem.title.as_str(), problem.detail.as_str()),
        ("Unauthorized", "Invalid credentials")
    );
    assert!(ana.is_signed_in());
    assert_eq!(ana.get_me().await.unwrap().email, EMAIL);
    assert!(signed_out.codes().is_empty());
    stage.end().await;
}

#[tokio::test]
async fn invalid_fields_are_named() {
    let stage = Stage::new(&[]).await;
    let stranger = stage.client().build().await.unwrap();
    let error = stranger.register("not an address", "short").await.unwrap_err();
    let Error::Problem(problem) = error else { panic!("{error:?}") };
    assert_eq!((problem.status, problem.code.as_str()), (422, "validation_failed"));
    let mut fields: Vec<_> = problem.errors.iter().map(|error| error.field.as_str()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["/email", "/password"]);
    assert!(problem.errors.iter().all(|error| !error.message.is_empty()));
    stage.end().await;
}

#[tokio::test]
async fn a_proxys_page_is_a_typed_error_too() {
    let stage = Stage::new(&[]).await;
    let (ana, signed_out) = stage.ana(&TestStore::default()).await;
    let page =
        Fault::Answer("502 Bad Gateway\r\ncontent-type: text/html\r\nretry-after: 7", "<h1>");
    stage.proxy.fail(ME, &page, 1);
    match ana.get_me().await.unwrap_err() {
        Error::UnexpectedAnswer { status: Some(502), retry_after: Some(pause), .. } => {
            assert_eq!(pause.as_secs(), 7);
        }
        other => panic!("{other:?}"),
    }
    let nonsense = Fault::Answer("200 OK\r\ncontent-type: application/json", r#"{"secret":1}"#);
    stage.proxy.fail(ME, &nonsense, 1);
    let error = ana.get_me().await.unwrap_err();
    assert!(matches!(error, Error::UnexpectedAnswer { status: None, .. }), "{error:?}");
    assert!(!format!("{error:?} {error}").contains("secret"));
    ana.get_me().await.unwrap();
    assert!(signed_out.codes().is_empty());
    stage.end().await;
}

#[tokio::test]
async fn a_problem_says_how_long_to_wait() {
    let stage = Stage::new(&[("throttle", "true")]).await;
    let (ana, _) = stage.ana(&TestStore::default()).await;
    for _ in 0..20 {
        let error = ana.login(EMAIL, "incorrect horse battery").await.unwrap_err();
        let Error::Problem(problem) = error else { panic!("{error:?}") };
        if problem.code == "too_many_attempts" {
            assert_eq!(problem.status, 429);
            assert!(problem.retry_after.is_some_and(|pause| pause.as_secs() > 0));
            return stage.end().await;
        }
    }
    panic!("nothing was throttled");
}

#[tokio::test]
async fn secrets_are_not_printed() {
    let stage = Stage::new(&[]).await;
    let store = TestStore::default();
    let (ana, _) = stage.ana(&store).await;
    let signed_in = ana.login(EMAIL, PASSWORD).await.unwrap();
    let client = ana.call(|client| async move {
        // The generated client carries the access token.
        client.get_me().await?.map(|_| format!("{client:?}"))
    });
    let tokens = store.tokens().unwrap();
    let printed = format!("{ana:?} {signed_in:?} {tokens:?} {}", client.await.unwrap());
    assert!(printed.contains("[redacted]"), "{printed}");
    for secret in [tokens.access_token.reveal(), tokens.refresh_token.reveal(), "v4."] {
        assert!(!printed.contains(secret), "{printed}");
    }
    stage.end().await;
}
