//! Users who come from elsewhere, many at a time, and those who leave.

use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use super::Store;
use super::audit::{By, Detail, Event};
use super::one_time;
use super::users::{self, Account};
use super::writer::Work;
use crate::domain::account::Email;
use crate::domain::id::UserId;
use crate::domain::time::{Now, Timestamp};
use crate::fault::Fault;

impl Store {
    /// Makes the accounts whose address and id are free, all of them or, after a fault, none. For
    /// each of the others, in its place, the account that was there before. An address is not free
    /// while an account that had it can take it back.
    pub async fn import_users(
        &self,
        batch: Vec<Account>,
        now: Now,
    ) -> Result<Vec<Option<Account>>, Fault> {
        self.write(move |work| batch.iter().map(|account| import(work, account, now)).collect())
            .await
    }

    /// What [`Self::import_users`] would find.
    pub async fn find_in_the_way(
        &self,
        batch: Vec<(Email, Option<UserId>)>,
        now: Now,
    ) -> Result<Vec<Option<Account>>, Fault> {
        self.read(move |sql| {
            batch.iter().map(|(email, id)| in_the_way(sql, email, *id, now)).collect()
        })
        .await
    }

    /// The accounts after an id, by id, at most `limit` of them.
    pub async fn list_accounts(
        &self,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<Account>, Fault> {
        self.read(move |sql| {
            let after = after.map_or(Uuid::nil(), |id| id.0);
            let mut rows =
                sql.prepare_cached(users::select!("WHERE id > ?1 ORDER BY id LIMIT ?2"))?;
            let rows = rows.query_map(params![after, limit], users::from_row)?;
            rows.collect()
        })
        .await
    }
}

fn import(work: &Work<'_>, account: &Account, now: Now) -> rusqlite::Result<Option<Account>> {
    let Account { user, password_hash } = account;
    if one_time::holder(work.sql, &user.email, None, now)?.is_some() {
        return in_the_way(work.sql, &user.email, Some(user.id), now);
    }
    let inserted = work
        .sql
        .prepare_cached(
            "INSERT INTO users (id, email, password_hash, role, is_verified, disabled_at, created_at,
                 updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            user.id.0,
            user.email.as_str(),
            password_hash,
            user.role.as_str(),
            user.is_verified,
            user.disabled_at.map(Timestamp::as_millis),
            user.created_at.as_millis(),
            user.updated_at.as_millis(),
        ])?;
    if inserted == 0 {
        return in_the_way(work.sql, &user.email, Some(user.id), now);
    }
    work.audit_in_detail(
        Event::Imported,
        Detail::of_new(user.role),
        &By::default(),
        Some(user.id),
        now,
    )?;
    Ok(None)
}

/// The account that has the address, or else the one that can take it back, or that has the id.
fn in_the_way(
    sql: &Connection,
    email: &Email,
    id: Option<UserId>,
    now: Now,
) -> rusqlite::Result<Option<Account>> {
    if let Some(account) = users::by_email(sql, email).optional()? {
        return Ok(Some(account));
    }
    let id = one_time::holder(sql, email, None, now)?.or(id);
    id.map_or(Ok(None), |id| users::by_id(sql, id).optional())
}
