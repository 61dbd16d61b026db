//! Accounts.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::Store;
use super::audit::Event;
use super::revocations::Revocation;
use super::sessions::{self, NewSession, Started, Which};
use super::writer::Work;
use crate::domain::account::{Email, User};
use crate::domain::claims::Role;
use crate::domain::id::UserId;
use crate::domain::session::{Client, EndReason};
use crate::domain::time::{Now, Timestamp};
use crate::fault::Fault;

/// A query for accounts, whose rows [`from_row`] reads.
macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT id, email, password_hash, role, is_verified, disabled_at, created_at, updated_at ",
            "FROM users ",
            $condition
        )
    };
}
pub(super) use select;

/// A user with the hash of the password.
#[derive(Clone)]
pub struct Account {
    /// The user.
    pub user: User,
    /// A PHC string, a bcrypt hash that was imported, or empty when there is no password.
    pub password_hash: String,
}

/// An account to be made.
pub struct NewUser {
    /// Its id.
    pub id: UserId,
    /// Its address.
    pub email: Email,
    /// A PHC string.
    pub password_hash: String,
    /// Its role.
    pub role: Role,
    /// Whether the address counts as verified.
    pub is_verified: bool,
}

/// A change to an account.
#[derive(Clone)]
pub enum UserChange {
    /// Another role. Older access tokens are stale.
    Role(Role),
    /// Another password, as a PHC string. Ends all sessions.
    PasswordHash(String),
    /// No more sign-ins. Ends all sessions.
    Disable,
    /// Sign-ins again.
    Enable,
    /// The account and its sessions are deleted.
    Delete,
}

impl Store {
    /// Makes an account and signs it in. `None` when the address belongs to one already.
    pub async fn register(
        &self,
        new: NewUser,
        session: NewSession,
        now: Now,
    ) -> Result<Option<Started>, Fault> {
        self.write(move |work| {
            let user = insert(work, &new, &session.client, now)?;
            user.map(|user| sessions::start(work, user, &session, now)).transpose()
        })
        .await
    }

    /// Makes an account. `None` when the address belongs to one already.
    pub async fn create_user(&self, new: NewUser, now: Now) -> Result<Option<User>, Fault> {
        self.write(move |work| insert(work, &new, &Client::default(), now)).await
    }

    /// The account with this address.
    pub async fn find_account_by_email(&self, email: Email) -> Result<Option<Account>, Fault> {
        self.read(move |sql| by_email(sql, &email).optional()).await
    }

    /// The user with this id. Touches no disk when it was asked for before and has not been changed
    /// since; what another process changes is seen once it has been followed.
    pub async fn find_user(&self, id: UserId) -> Result<Option<Arc<User>>, Fault> {
        let missed = match self.revocations.known.get(id) {
            Ok(user) => return Ok(Some(user)),
            Err(missed) => missed,
        };
        let account = self.read(move |sql| by_id(sql, id).optional()).await?;
        let user = account.map(|account| Arc::new(account.user));
        if let Some(user) = &user {
            self.revocations.known.put(user, missed);
        }
        Ok(user)
    }

    /// All users, by address.
    pub async fn list_users(&self) -> Result<Vec<User>, Fault> {
        self.read(|sql| {
            let mut rows = sql.prepare_cached(select!("ORDER BY email"))?;
            let rows = rows.query_map([], |row| Ok(from_row(row)?.user))?;
            rows.collect()
        })
        .await
    }

    /// Changes an account, and whatever follows from that. `None` when there is no such user,
    /// otherwise the user as it now is (or last was).
    pub async fn change_user(
        &self,
        id: UserId,
        change: UserChange,
        now: Now,
    ) -> Result<Option<User>, Fault> {
        self.write(move |work| {
            let Some(account) = by_id(work.sql, id).optional()? else {
                return Ok(None);
            };
            apply(work, &account.user, &change, now)?;
            Ok(by_id(work.sql, id).optional()?.map(|account| account.user).or(Some(account.user)))
        })
        .await
    }
}

fn insert(
    work: &Work<'_>,
    new: &NewUser,
    client: &Client,
    now: Now,
) -> rusqlite::Result<Option<User>> {
    let inserted = work
        .sql
        .prepare_cached(
            "INSERT INTO users (id, email, password_hash, role, is_verified, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) ON CONFLICT (email) DO NOTHING",
        )?
        .execute(params![
            new.id.0,
            new.email.as_str(),
            new.password_hash,
            new.role.as_str(),
            new.is_verified,
            now.wall.as_millis(),
        ])?;
    if inserted == 0 {
        return Ok(None);
    }
    work.audit(Event::Registered, Some(new.id), None, client, now)?;
    by_id(work.sql, new.id).map(|account| Some(account.user))
}

fn apply(work: &mut Work<'_>, user: &User, change: &UserChange, now: Now) -> rusqlite::Result<()> {
    let (set, event): (Option<(&str, &dyn rusqlite::ToSql)>, Event) = match change {
        UserChange::Role(role) => (Some(("role", &role.as_str())), Event::RoleChanged),
        UserChange::PasswordHash(hash) => (Some(("password_hash", hash)), Event::PasswordChanged),
        UserChange::Disable => (Some(("disabled_at", &now.wall.as_millis())), Event::Disabled),
        UserChange::Enable => (Some(("disabled_at", &rusqlite::types::Null)), Event::Enabled),
        UserChange::Delete => (None, Event::Deleted),
    };
    let end = match change {
        UserChange::PasswordHash(_) => Some(EndReason::PasswordChanged),
        UserChange::Disable | UserChange::Delete => Some(EndReason::Disabled),
        UserChange::Role(_) | UserChange::Enable => None,
    };
    if let Some(reason) = end {
        sessions::end(work, Which::AllOf(user.id), reason, now)?;
    }
    match set {
        Some((column, value)) => work.sql.execute(
            &format!("UPDATE users SET {column} = ?2, updated_at = ?3 WHERE id = ?1"),
            params![user.id.0, value, now.wall.as_millis()],
        )?,
        None => work.sql.execute("DELETE FROM users WHERE id = ?1", [user.id.0])?,
    };
    let identity = match change {
        UserChange::Role(role) => User { role: *role, ..user.clone() }.identity(),
        _ => user.identity(),
    };
    // Whatever was changed: whoever remembers the user is to look again.
    work.revoke(Revocation::Claims(user.id, identity), now)?;
    work.audit(event, Some(user.id), None, &Client::default(), now)
}

/// Stores a hash of the same password at other costs; nothing else changes.
pub(super) fn replace_hash(sql: &Connection, id: UserId, hash: &str) -> rusqlite::Result<()> {
    sql.execute("UPDATE users SET password_hash = ?2 WHERE id = ?1", params![id.0, hash])
        .map(|_| ())
}

/// The account with this address.
pub(super) fn by_email(sql: &Connection, email: &Email) -> rusqlite::Result<Account> {
    sql.prepare_cached(select!("WHERE email = ?1"))?.query_row([email.as_str()], from_row)
}

/// An account.
pub(super) fn by_id(sql: &Connection, id: UserId) -> rusqlite::Result<Account> {
    sql.prepare_cached(select!("WHERE id = ?1"))?.query_row([id.0], from_row)
}

pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<Account> {
    let role: String = row.get(3)?;
    Ok(Account {
        user: User {
            id: UserId(row.get(0)?),
            email: Email::from_stored(row.get(1)?),
            // The table's CHECK admits no other; the lesser role is the safe reading.
            role: Role::parse(&role).unwrap_or(Role::User),
            is_verified: row.get(4)?,
            disabled_at: row.get::<_, Option<i64>>(5)?.map(Timestamp::from_millis),
            created_at: Timestamp::from_millis(row.get(6)?),
            updated_at: Timestamp::from_millis(row.get(7)?),
        },
        password_hash: row.get(2)?,
    })
}
