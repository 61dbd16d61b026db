//! One-time tokens, within the transactions of what they are for.

use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::users;
use super::writer::Work;
use crate::domain::account::{Email, User};
use crate::domain::id::{OneTimeId, UserId};
use crate::domain::one_time::Purpose;
use crate::domain::time::{Now, Timestamp};

/// Spelt out as in the index `one_time_tokens_held`, so that it is used.
const HOLDER: &str = "SELECT user_id FROM one_time_tokens
    WHERE purpose = 'undo_email_change' AND email = ?1 AND expires_at > ?2 AND user_id IS NOT ?3
    LIMIT 1";

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
            self.use_up(id)?;
        }
        Ok(found)
    }

    /// Uses a token up that was found, and that could do what it is for.
    pub(super) fn use_up(&mut self, id: OneTimeId) -> rusqlite::Result<()> {
        self.sql.execute("DELETE FROM one_time_tokens WHERE id = ?1", [id.0]).map(|_| ())
    }

    /// Makes a token that gives `former` back to a user; which one. The ids of a user's are in the
    /// order of the changes that they undo, also within a millisecond and when the clock was set back.
    pub(super) fn issue_undo(
        &mut self,
        id: OneTimeId,
        user: UserId,
        former: &Email,
        now: Now,
    ) -> rusqlite::Result<OneTimeId> {
        let purpose = Purpose::UndoEmailChange;
        let latest: Option<Uuid> = self
            .sql
            .prepare_cached(
                "SELECT max(id) FROM one_time_tokens WHERE user_id = ?1 AND purpose = ?2",
            )?
            .query_row(params![user.0, purpose.as_str()], |row| row.get(0))?;
        let next = latest.map(|latest| Uuid::from_u128(latest.as_u128().saturating_add(1)));
        let id = OneTimeId(next.map_or(id.0, |next| next.max(id.0)));
        self.issue(id, purpose, Some(user), former, now)?;
        Ok(id)
    }

    /// Makes a user's tokens good for nothing after one was used that undoes a change of address: of
    /// those that undo a change only the later ones. A thief has them if the change was his; but an
    /// earlier one is that of somebody who had the address before him, and must outlive whatever he
    /// does.
    pub(super) fn void_after_undo(
        &mut self,
        user: UserId,
        undone: OneTimeId,
    ) -> rusqlite::Result<()> {
        self.void_one_time_tokens(user)?;
        self.sql
            .prepare_cached(
                "DELETE FROM one_time_tokens WHERE user_id = ?1 AND purpose = ?2 AND id > ?3",
            )?
            .execute(params![user.0, Purpose::UndoEmailChange.as_str(), undone.0])
            .map(|_| ())
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
            let user: Option<Uuid> = row.get(0)?;
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

/// The account, other than `except`, that had this address and can still take it back. Until then
/// nobody else gets it: whoever did would keep the owner from undoing what a thief has done.
pub(super) fn holder(
    sql: &Connection,
    email: &Email,
    except: Option<UserId>,
    now: Now,
) -> rusqlite::Result<Option<UserId>> {
    sql.prepare_cached(HOLDER)?
        .query_row(
            params![email.as_str(), now.wall.as_millis(), except.map(|user| user.0)],
            |row| row.get(0).map(UserId),
        )
        .optional()
}

/// Whether a token has been neither used nor voided, and has not expired, whatever it is for.
pub(super) fn is_there(sql: &Connection, id: OneTimeId, now: Now) -> rusqlite::Result<bool> {
    sql.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM one_time_tokens WHERE id = ?1 AND expires_at > ?2)",
    )?
    .query_row(params![id.0, now.wall.as_millis()], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema;

    /// It is asked with every new account, while there may be many tokens.
    #[test]
    fn who_holds_an_address_is_found_by_index() {
        let sql = schema::model(schema::NEWEST).unwrap();
        let mut rows = sql.prepare(&format!("EXPLAIN QUERY PLAN {HOLDER}")).unwrap();
        let rows = rows.query_map(params!["ana@example.com", 0, None::<Uuid>], |row| row.get(3));
        let plan: Vec<String> = rows.unwrap().map(Result::unwrap).collect();
        assert!(plan[0].starts_with("SEARCH"), "{plan:?}");
        assert!(plan[0].contains("one_time_tokens_held (email=?)"), "{plan:?}");
    }
}
