//! One-time tokens, within the transactions of what they are for.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::users;
use super::writer::Work;
use crate::domain::account::{Email, User};
use crate::domain::id::{OneTimeId, UserId};
use crate::domain::one_time::Purpose;
use crate::domain::time::{Now, Timestamp};

/// What a token was made for.
pub(super) struct Issued {
    /// Whose it is.
    pub(super) user: User,
    /// The address that it is about.
    pub(super) email: Email,
}

impl Work<'_> {
    /// Makes `id` good for `purpose`. An older one of the user for the same no longer is, as the last
    /// mail counts; but a thief who changes the address again must not void the link of the first
    /// change. Without a user it is good for nothing, and costs the same.
    pub(super) fn issue(
        &mut self,
        id: OneTimeId,
        purpose: Purpose,
        user: Option<UserId>,
        email: &Email,
        now: Now,
    ) -> rusqlite::Result<()> {
        if !purpose.outlives_changes() {
            self.sql
                .prepare_cached("DELETE FROM one_time_tokens WHERE user_id = ?1 AND purpose = ?2")?
                .execute(params![user.map(|user| user.0), purpose.as_str()])?;
        }
        self.sql
            .prepare_cached(
                "INSERT INTO one_time_tokens (id, purpose, user_id, email, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                id.0,
                purpose.as_str(),
                user.map(|user| user.0),
                email.as_str(),
                now.wall.plus(purpose.life()).as_millis(),
            ])?;
        Ok(())
    }

    /// Uses a token up: of any number who present it at once, one is told what it was made for.
    pub(super) fn consume(
        &mut self,
        id: OneTimeId,
        purpose: Purpose,
        now: Now,
    ) -> rusqlite::Result<Option<Issued>> {
        let found = find(self.sql, id, purpose, now)?;
        if found.is_some() {
            self.sql.execute("DELETE FROM one_time_tokens WHERE id = ?1", [id.0])?;
        }
        Ok(found)
    }

    /// Makes all of a user's tokens good for nothing.
    pub(super) fn void_all_one_time_tokens(&mut self, user: UserId) -> rusqlite::Result<()> {
        self.sql.execute("DELETE FROM one_time_tokens WHERE user_id = ?1", [user.0]).map(|_| ())
    }

    /// Makes a user's tokens good for nothing, because what they were made for has changed.
    pub(super) fn void_one_time_tokens(&mut self, user: UserId) -> rusqlite::Result<()> {
        for purpose in Purpose::ALL.into_iter().filter(|purpose| !purpose.outlives_changes()) {
            self.sql
                .prepare_cached("DELETE FROM one_time_tokens WHERE user_id = ?1 AND purpose = ?2")?
                .execute(params![user.0, purpose.as_str()])?;
        }
        Ok(())
    }
}

/// What a token is good for now. `None` when it was used, has expired, is for something else or for
/// an account that is disabled.
pub(super) fn find(
    sql: &Connection,
    id: OneTimeId,
    purpose: Purpose,
    now: Now,
) -> rusqlite::Result<Option<Issued>> {
    let row = sql
        .prepare_cached(
            "SELECT user_id, email, expires_at FROM one_time_tokens WHERE id = ?1 AND purpose = ?2",
        )?
        .query_row(params![id.0, purpose.as_str()], |row| {
            let user: Option<uuid::Uuid> = row.get(0)?;
            let expires_at = Timestamp::from_millis(row.get(2)?);
            Ok((user.map(UserId), Email::from_stored(row.get(1)?), expires_at))
        })
        .optional()?;
    let Some((Some(user), email, expires_at)) = row else { return Ok(None) };
    if now.wall >= expires_at {
        return Ok(None);
    }
    let account = users::by_id(sql, user).optional()?;
    let account = account.filter(|account| account.user.disabled_at.is_none());
    Ok(account.map(|account| Issued { user: account.user, email }))
}

/// Whether a token has been neither used nor voided, and has not expired, whatever it is for.
pub(super) fn is_there(sql: &Connection, id: OneTimeId, now: Now) -> rusqlite::Result<bool> {
    sql.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM one_time_tokens WHERE id = ?1 AND expires_at > ?2)",
    )?
    .query_row(params![id.0, now.wall.as_millis()], |row| row.get(0))
}
