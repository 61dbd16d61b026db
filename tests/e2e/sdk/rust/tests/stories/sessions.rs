//! The list of devices.

use doorward_client_stories::{EMAIL, PASSWORD, Stage, TestStore};
use uuid::Uuid;

#[tokio::test]
async fn another_device_is_signed_out_from_the_list() {
    let stage = Stage::new(&[]).await;
    let (ana, signed_out) = stage.ana(&TestStore::default()).await;
    let (other, other_signed_out) = stage.client_with(&TestStore::default()).await;
    let session = other.login(EMAIL, PASSWORD).await.unwrap().session;

    let sessions = ana.list_sessions().await.unwrap();
    assert_eq!(sessions.len(), 2);
    let current: Vec<_> = sessions.iter().filter(|session| session.current).collect();
    assert!(matches!(current[..], [current] if current.id != session.id));
    assert!(sessions.iter().all(|session| session.user_agent.starts_with("doorward-client/")));

    ana.revoke_session(session.id).await.unwrap();
    assert_eq!(ana.list_sessions().await.unwrap().len(), 1);
    assert_eq!(other.get_me().await.unwrap_err().code(), Some("session_expired"));
    assert_eq!(other_signed_out.codes(), ["session_expired"]);

    for unknown in [session.id, Uuid::max()] {
        let error = ana.revoke_session(unknown).await.unwrap_err();
        assert_eq!(error.code(), Some("not_found"));
    }
    assert!(ana.is_signed_in() && signed_out.codes().is_empty());
    stage.end().await;
}
