//! For a test that must fail, and never for use: a rotation that reads and judges in one
//! transaction and writes in a later one, over whatever has happened in between.

use std::sync::Arc;

use rusqlite::{OptionalExtension as _, params};

use super::{Fault, Proof, Refused, Rotated, Rotation, Store, rotate, sessions, turn, users};

#[cfg(not(debug_assertions))]
compile_error!("the feature `broken-rotation` is for one test and must not be shipped");

impl Store {
    /// Only what would rotate goes the wrong way.
    pub async fn rotate(&self, rotation: Rotation) -> Result<Result<Rotated, Refused>, Fault> {
        let rotation = Arc::new(rotation);
        let reading = Arc::clone(&rotation);
        let judged = self
            .write(move |work| {
                let Rotation { presented, ratchets, .. } = &*reading;
                let session = sessions::by_id(work.sql, presented.session).optional()?;
                let session = session.filter(|session| {
                    session.ended.is_none()
                        && matches!(ratchets.examine(session, presented), Proof::Current)
                });
                let Some(session) = session else { return Ok(None) };
                let user = users::by_id(work.sql, session.user_id)?.user;
                Ok(Some((session, user)))
            })
            .await?;
        let Some((judged, user)) = judged else {
            return self.write(move |work| rotate(work, &rotation)).await;
        };
        self.write(move |work| {
            // Back to what was read, so that the condition of the update holds, come what may.
            work.sql.execute(
                "UPDATE sessions SET generation = ?2, ended_at = NULL, end_reason = NULL
                 WHERE id = ?1",
                params![judged.id.0, judged.generation.0],
            )?;
            turn(work, &judged, user, &rotation).map(Ok)
        })
        .await
    }
}
