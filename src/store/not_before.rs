//! What a restore means for access tokens: those from before it are refused, also of sessions that the
//! database does not know.
//!
//! They are told by two times, that in the token and that in the id of its session: a restore ends every
//! session, so one that was started before it can have no good token. A clock may have been ahead at
//! the restore, or is behind now. Then what is made from now on seems to be from before as well, and is
//! good all the same: it is remembered which sessions this process has made tokens for. After a
//! restart their clients have to refresh once.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::domain::claims::AccessClaims;
use crate::domain::id::SessionId;
use crate::domain::time::{Now, Timestamp};

/// The value of `meta` that says when the database was restored.
const NAME: &str = "not_before";

/// The moment, and who is past it whatever the clock says.
pub(super) struct NotBefore {
    at: Option<Timestamp>,
    /// When a token was last made that seems to be from before.
    made: RwLock<HashMap<SessionId, Now>>,
}

impl NotBefore {
    pub(super) fn load(sql: &Connection) -> rusqlite::Result<Self> {
        let at: Option<i64> = sql
            .prepare("SELECT value FROM meta WHERE name = ?1")?
            .query_row([NAME], |row| row.get(0))
            .optional()?;
        Ok(Self { at: at.map(Timestamp::from_millis), made: RwLock::default() })
    }

    /// The database was restored `now`.
    pub(super) fn note(sql: &Connection, now: Now) -> rusqlite::Result<()> {
        sql.execute(
            "INSERT INTO meta (name, value) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            params![NAME, now.wall.as_millis()],
        )?;
        Ok(())
    }

    /// Whether the restore came after an access token was made.
    pub(super) fn is_after(&self, claims: &AccessClaims) -> bool {
        let is_made = || {
            let made = self.made.read().unwrap_or_else(PoisonError::into_inner);
            made.contains_key(&claims.sid)
        };
        self.at.is_some_and(|at| seems_older(claims, at) && !is_made())
    }

    /// This process has made an access token.
    pub(super) fn note_made(&self, claims: &AccessClaims, now: Now) {
        if self.at.is_some_and(|at| seems_older(claims, at)) {
            let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
            made.insert(claims.sid, now);
        }
    }

    /// Forgets whose tokens are older than `keep`: they have expired.
    pub(super) fn prune(&self, keep: Duration, now: Now) {
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        made.retain(|_, at| now.steady.since(at.steady) < keep);
    }
}

fn seems_older(claims: &AccessClaims, at: Timestamp) -> bool {
    claims.iat <= at || claims.sid < first_after(at)
}

/// No session that was started until then has this id or a later one.
pub(super) fn first_after(at: Timestamp) -> SessionId {
    SessionId::new(at.plus(Duration::from_millis(1)), &[0; 10])
}
