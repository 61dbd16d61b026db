//! The users, page by page, and what an administrator does to one of them.

use rusqlite::{OptionalExtension as _, params};
use uuid::Uuid;

use super::audit::By;
use super::users::{self, NewUser, UserChange};
use super::{Store, Work};
use crate::domain::account::User;
use crate::domain::claims::Role;
use crate::domain::id::UserId;
use crate::domain::time::Now;
use crate::fault::Fault;

/// A part of a longer list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, K> {
    /// The part.
    pub items: Vec<T>,
    /// Where the next part begins: after this one. `None` at the end.
    pub next: Option<K>,
}

impl<T, K> Page<T, K> {
    /// Of rows with their keys, of which one more than `limit` was asked for.
    pub(super) fn of(mut rows: Vec<(K, T)>, limit: u32) -> Self {
        let has_more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let (mut keys, items): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        Self { items, next: keys.pop().filter(|_| has_more) }
    }
}

/// Which users are meant: those who are all of what is said here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// A part of the address, in the form in which addresses are kept.
    pub search: Option<String>,
    /// The role.
    pub role: Option<Role>,
    /// Whether the address is verified.
    pub is_verified: Option<bool>,
    /// Whether the account is disabled.
    pub is_disabled: Option<bool>,
}

impl UserFilter {
    /// Spelt out rather than bound, so that the indices over the few are used.
    fn conditions(&self) -> [&'static str; 3] {
        [
            match self.role {
                None => "",
                Some(Role::User) => " AND role = 'user'",
                Some(Role::Admin) => " AND role = 'admin'",
            },
            match self.is_verified {
                None => "",
                Some(false) => " AND is_verified = 0",
                Some(true) => " AND is_verified = 1",
            },
            match self.is_disabled {
                None => "",
                Some(false) => " AND disabled_at IS NULL",
                Some(true) => " AND disabled_at IS NOT NULL",
            },
        ]
    }
}

/// What came of a change to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It was made. The user as they now are, or last were.
    Done(User),
    /// The account was like that before; nothing was written, no token went stale.
    Already(User),
    /// No such account.
    NoSuchUser,
    /// Nothing was changed: nobody would be left who can administer.
    LastAdmin,
}

impl Store {
    /// Users, the newest first, from the one before `before`; at most `limit`.
    pub async fn find_users(
        &self,
        filter: UserFilter,
        before: Option<UserId>,
        limit: u32,
    ) -> Result<Page<User, UserId>, Fault> {
        self.read(move |sql| {
            let conditions = filter.conditions().concat();
            let mut rows = sql.prepare_cached(&format!(
                "{} WHERE id < ?1 AND (?2 IS NULL OR instr(email, ?2) > 0){conditions}
                 ORDER BY id DESC LIMIT ?3",
                users::SELECT
            ))?;
            let before = before.map_or(Uuid::max(), |id| id.0);
            // One more tells whether there is another page.
            let most = limit.saturating_add(1);
            let rows = rows.query_map(params![before, filter.search, most], users::from_row)?;
            let users = rows.map(|row| row.map(|account| (account.user.id, account.user)));
            Ok(Page::of(users.collect::<rusqlite::Result<Vec<_>>>()?, limit))
        })
        .await
    }

    /// Makes an account on somebody's behalf. `None` when the address belongs to one already. With
    /// an empty `password_hash` it has no password, and none lets anybody in, until one is set.
    pub async fn add_user(&self, new: NewUser, by: By, now: Now) -> Result<Option<User>, Fault> {
        self.write(move |work| users::insert(work, &new, &by, now)).await
    }

    /// Makes the changes that make a difference, all or none, and whatever follows from them.
    pub async fn administer(
        &self,
        id: UserId,
        changes: Vec<UserChange>,
        by: By,
        now: Now,
    ) -> Result<Changed, Fault> {
        self.write(move |work| {
            let Some(account) = users::by_id(work.sql, id).optional()? else {
                return Ok(Changed::NoSuchUser);
            };
            let user = account.user;
            let changes: Vec<_> =
                changes.iter().filter(|change| change.matters_to(&user)).collect();
            if changes.is_empty() {
                return Ok(Changed::Already(user));
            }
            // Here, where nothing else can change in between: two administrators who unseat each
            // other at once are one after the other.
            if changes.iter().any(|change| change.unseats()) && is_last_admin(work, &user)? {
                return Ok(Changed::LastAdmin);
            }
            let mut user = user;
            for change in changes {
                users::apply(work, &user, change, &by, now)?;
                match users::by_id(work.sql, id).optional()? {
                    Some(account) => user = account.user,
                    None => break,
                }
            }
            Ok(Changed::Done(user))
        })
        .await
    }
}

/// Whether nobody but `user` can administer.
pub(super) fn is_last_admin(work: &Work<'_>, user: &User) -> rusqlite::Result<bool> {
    if user.role != Role::Admin || user.disabled_at.is_some() {
        return Ok(false);
    }
    work.sql
        .prepare_cached(
            "SELECT NOT EXISTS (SELECT 1 FROM users
                 WHERE role = 'admin' AND disabled_at IS NULL AND id <> ?1)",
        )?
        .query_row([user.id.0], |row| row.get(0))
}
