//! The project's own `judge`, asked about a row in short.

use doorward::domain::id::{Generation, SessionId, UserId};
use doorward::domain::secret::{KeyId, LookupHash, Proof, Salt, Secret};
use doorward::domain::session::{
    Case, Client, EndReason, Presented, Session, SessionPolicy, Verdict, judge,
};
use doorward::domain::time::{Now, Timestamp};
use uuid::Uuid;

/// What of a session's row the decision depends on.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) generation: Generation,
    pub(crate) rotated: Timestamp,
    pub(crate) confirmed: Option<Timestamp>,
    pub(crate) ended: bool,
}

/// The project's own verdict over an authentic token of a session.
pub(crate) fn decide(
    row: &Row,
    presented: Generation,
    now: Timestamp,
    policy: &SessionPolicy,
) -> Verdict {
    let never = Timestamp::from_millis(i64::MAX);
    let session = Session {
        id: SessionId(Uuid::nil()),
        user_id: UserId(Uuid::nil()),
        created_at: now,
        generation: row.generation,
        secret_hash: LookupHash([0; 32]),
        salt: Salt([0; 32]),
        key_id: KeyId([0; 33]),
        rotated_at: row.rotated,
        confirmed_at: row.confirmed,
        expires_at: never,
        ends_at: never,
        last_used_at: now,
        client: Client::default(),
        ended: row.ended.then_some((now, EndReason::Logout)),
    };
    let secret = Secret::from_bytes([0; 32]);
    let proof = match row.generation.0.checked_sub(presented.0) {
        Some(0) => Proof::Current,
        Some(1) => Proof::Parent(secret.clone()),
        _ => Proof::Nothing,
    };
    let (user, id) = (session.user_id, session.id);
    let presented = Presented { user, session: id, generation: presented, secret };
    let case = Case {
        session: Some(&session),
        user_is_active: true,
        presented: &presented,
        proof: &proof,
        now: Now { wall: now, steady: now },
    };
    judge(&case, policy)
}
