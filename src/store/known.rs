//! Users as they were last read, so that a guarded request that shows one touches no disk.
//! Whatever changes a user makes it forgotten: in this process with the commit, in another one as
//! soon as its change is followed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::unsync::Cache;

use crate::domain::account::User;
use crate::domain::id::UserId;

/// How many users are remembered, at well under 1 KiB each.
const USERS: usize = 4096;

struct Table {
    users: Cache<UserId, Arc<User>>,
    /// Counts what was forgotten.
    changes: u64,
}

/// When a user was looked for and not found here.
#[derive(Clone, Copy)]
pub(super) struct Missed(u64);

pub(super) struct Known(Mutex<Table>);

impl Default for Known {
    fn default() -> Self {
        Self(Mutex::new(Table { users: Cache::new(USERS), changes: 0 }))
    }
}

impl Known {
    /// A user, or what [`Self::put`] wants to know once it has been read from the database.
    pub(super) fn get(&self, id: UserId) -> Result<Arc<User>, Missed> {
        let table = self.lock();
        table.users.get(&id).cloned().ok_or(Missed(table.changes))
    }

    /// Remembers a user that was read after it was missed, unless somebody was changed since: it
    /// may have been read before that.
    pub(super) fn put(&self, user: &Arc<User>, missed: Missed) {
        let mut table = self.lock();
        if table.changes == missed.0 {
            table.users.insert(user.id, Arc::clone(user));
        }
    }

    /// Forgets a user that was changed.
    pub(super) fn forget(&self, id: UserId) {
        let mut table = self.lock();
        table.changes += 1;
        table.users.remove(&id);
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::account::Email;
    use crate::domain::claims::Role;
    use crate::domain::time::Timestamp;

    #[test]
    fn what_was_read_before_a_change_is_not_remembered_after_it() {
        let known = Known::default();
        let user = |id| {
            Arc::new(User {
                id: UserId(Uuid::from_u128(id)),
                email: Email::parse("ana@example.com").unwrap(),
                role: Role::User,
                is_verified: false,
                disabled_at: None,
                created_at: Timestamp::from_millis(0),
                updated_at: Timestamp::from_millis(0),
            })
        };
        let (ana, ben) = (user(1), user(2));
        let early = known.get(ana.id).unwrap_err();
        known.put(&ana, early);
        assert!(known.get(ana.id).is_ok());

        let missed = known.get(ben.id).unwrap_err();
        known.forget(ana.id);
        assert!(known.get(ana.id).is_err(), "it was changed");
        known.put(&ana, early);
        known.put(&ben, missed);
        assert!(known.get(ana.id).is_err(), "read before the change");
        let late = known.get(ben.id).unwrap_err();
        known.put(&ben, late);
        assert!(known.get(ben.id).is_ok());
    }
}
