//! Accounts.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::Store;
use super::audit::{By, Detail, Event};
use super::devices;
use super::directory::{self, Changed};
use super::invitations;
use super::revocations::Revocation;
use super::sessions::{self, NewSession, Started, Which};
use super::writer::Work;
use crate::domain::account::{Email, User};
use crate::domain::claims::Role;
use crate::domain::id::UserId;
use crate::domain::mail::About;
use crate::domain::session::EndReason;
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

/// All accounts, for a condition to follow.
pub(super) const SELECT: &str = select!("");

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
    /// A PHC string, or empty for none.
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
    /// Another password, as a PHC string. Ends all sessions, and no device is known any more but the
    /// one that it is changed from.
    PasswordHash(String),
    /// No more sign-ins. Ends all sessions.
    Disable,
    /// Sign-ins again.
    Enable,
    /// The account and its sessions are deleted.
    Delete,
    /// Whether the address is known to be the user's. Older access tokens are stale.
    Verified(bool),
}

impl UserChange {
    /// Whether it makes a difference.
    pub(super) fn matters_to(&self, user: &User) -> bool {
        match self {
            Self::Role(role) => user.role != *role,
            Self::Verified(is_verified) => user.is_verified != *is_verified,
            Self::Disable => user.disabled_at.is_none(),
            Self::Enable => user.disabled_at.is_some(),
            Self::PasswordHash(_) | Self::Delete => true,
        }
    }

    /// Whether an administrator cannot administer any more after it.
    pub(super) const fn unseats(&self) -> bool {
        match self {
            Self::Role(Role::User) | Self::Disable | Self::Delete => true,
            Self::Role(Role::Admin) | Self::Verified(_) | Self::Enable | Self::PasswordHash(_) => {
                false
            }
        }
    }
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
            let user = insert(work, &new, &By::from(session.client.clone()), now)?;
            user.map(|user| sessions::start(work, user, &session, now)).transpose()
        })
        .await
    }

    /// Makes an account. `None` when the address belongs to one already.
    pub async fn create_user(&self, new: NewUser, now: Now) -> Result<Option<User>, Fault> {
        self.add_user(new, By::default(), now).await
    }

    /// The account with this address.
    pub async fn find_account_by_email(&self, email: Email) -> Result<Option<Account>, Fault> {
        self.read(move |sql| by_email(sql, &email).optional()).await
    }

    /// The account with this id.
    pub async fn find_account(&self, id: UserId) -> Result<Option<Account>, Fault> {
        self.read(move |sql| by_id(sql, id).optional()).await
    }

    /// Changes the password of an account whose old one was checked, ends all sessions and starts
    /// `session`. The owner is written to, as after a sign-in too; a device that is not known does not
    /// become so, as it may be a thief's. `None` when the account is no longer as it was checked.
    pub async fn change_password(
        &self,
        checked: Account,
        hash: String,
        session: NewSession,
        now: Now,
    ) -> Result<Option<Started>, Fault> {
        self.write(move |work| {
            let Some(user) = unchanged(work, &checked)? else { return Ok(None) };
            let client = &session.client;
            let is_known = devices::is_known(work, user.id, client)?;
            devices::announce(work, &user, client, now)?;
            let change = UserChange::PasswordHash(hash);
            apply(work, &user, &change, &client.clone().into(), now)?;
            let user = by_id(work.sql, user.id)?.user;
            let started = sessions::start(work, user, &session, now)?;
            if !is_known {
                devices::forget(work, started.user.id, None)?;
            }
            Ok(Some(started))
        })
        .await
    }

    /// Deletes an account whose password was checked, if it still is as it was checked and there is
    /// another administrator left.
    pub async fn delete_account(
        &self,
        checked: Account,
        by: By,
        now: Now,
    ) -> Result<Changed, Fault> {
        self.write(move |work| {
            let Some(user) = unchanged(work, &checked)? else { return Ok(Changed::NoSuchUser) };
            if directory::is_last_admin(work, &user)? {
                return Ok(Changed::LastAdmin);
            }
            apply(work, &user, &UserChange::Delete, &by, now)?;
            Ok(Changed::Done(user))
        })
        .await
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

    /// Changes an account, and whatever follows from that, as the one whose it is or the shell.
    /// `None` when there is no such user, otherwise the user as it now is (or last was). To do what
    /// only [`Store::administer`] can refuse to the last administrator is a fault.
    pub async fn change_user(
        &self,
        id: UserId,
        change: UserChange,
        now: Now,
    ) -> Result<Option<User>, Fault> {
        match self.administer(id, vec![change], By::default(), now).await? {
            Changed::Done(user) | Changed::Already(user) => Ok(Some(user)),
            Changed::NoSuchUser => Ok(None),
            Changed::LastAdmin => Err(Fault::internal("the last administrator has to stay")),
        }
    }
}

/// Makes an account. `None` when the address belongs to one already.
pub(super) fn insert(
    work: &Work<'_>,
    new: &NewUser,
    by: &By,
    now: Now,
) -> rusqlite::Result<Option<User>> {
    insert_in_detail(work, new, Detail::of_new(new.role), by, now)
}

/// The same, with what there is to say of it in the audit trail.
pub(super) fn insert_in_detail(
    work: &Work<'_>,
    new: &NewUser,
    detail: Detail,
    by: &By,
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
    work.audit_in_detail(Event::Registered, detail, by, Some(new.id), now)?;
    by_id(work.sql, new.id).map(|account| Some(account.user))
}

/// The user of an account, if it is as it was when its password was checked.
pub(super) fn unchanged(work: &Work<'_>, checked: &Account) -> rusqlite::Result<Option<User>> {
    let account = by_id(work.sql, checked.user.id).optional()?;
    let same = |now: &Account| {
        now.password_hash == checked.password_hash && now.user.disabled_at.is_none()
    };
    Ok(account.filter(same).map(|account| account.user))
}

pub(super) fn apply(
    work: &mut Work<'_>,
    user: &User,
    change: &UserChange,
    by: &By,
    now: Now,
) -> rusqlite::Result<()> {
    let (set, event): (Option<(&str, &dyn rusqlite::ToSql)>, Event) = match change {
        UserChange::Role(role) => (Some(("role", &role.as_str())), Event::RoleChanged),
        UserChange::PasswordHash(hash) => (Some(("password_hash", hash)), Event::PasswordChanged),
        UserChange::Disable => (Some(("disabled_at", &now.wall.as_millis())), Event::Disabled),
        UserChange::Enable => (Some(("disabled_at", &rusqlite::types::Null)), Event::Enabled),
        UserChange::Delete => (None, Event::Deleted),
        UserChange::Verified(is_verified) => (
            Some(("is_verified", is_verified)),
            if *is_verified { Event::Verified } else { Event::Unverified },
        ),
    };
    let end = match change {
        UserChange::PasswordHash(_) => Some(EndReason::PasswordChanged),
        UserChange::Disable | UserChange::Delete => Some(EndReason::Disabled),
        UserChange::Role(_) | UserChange::Enable | UserChange::Verified(_) => None,
    };
    if let Some(reason) = end {
        sessions::end(work, Which::AllOf(user.id), reason, now)?;
        work.void_one_time_tokens(user.id)?;
    }
    if change.unseats() {
        invitations::forget_those_of(work, user.id)?;
    }
    match change {
        UserChange::PasswordHash(_) => {
            devices::forget(work, user.id, Some(&by.client))?;
            work.notify(user, About::PasswordChanged, now)?;
        }
        UserChange::Delete => work.notify(user, About::AccountDeleted, now)?,
        _ => {}
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
        UserChange::Verified(is_verified) => {
            User { is_verified: *is_verified, ..user.clone() }.identity()
        }
        _ => user.identity(),
    };
    // Whatever was changed: whoever remembers the user is to look again.
    work.revoke(Revocation::Claims(user.id, identity), now)?;
    let detail = match change {
        UserChange::Role(role) => Detail::role(*role),
        _ => Detail::default(),
    };
    work.audit_in_detail(event, detail, by, Some(user.id), now)
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
