//! How often users may do what is theirs to do: nobody guesses there, but all of it takes room or time
//! that others have to share.

use super::Throttles;
use crate::domain::gate::Key;
use crate::domain::id::UserId;
use crate::domain::throttle::{Limit, RetryAfter, Throttle};
use crate::domain::time::Now;
use crate::fault::Fault;

/// Exports of one account.
const EXPORT: Limit = Limit { attempts: 10, window_ms: super::HOUR };

/// Changes of the profile and the addresses of one account. Each is an event of the trail, which is kept
/// for `audit_retention`: 9,600 a day, of 440 bytes with the longest `User-Agent` and four indices. So an
/// account adds 4 MB a day at the most (13 MB with a `User-Agent` that is not ASCII).
const EDIT: Limit = Limit { attempts: 100, window_ms: super::QUARTER };

/// What is counted, by the id of the user.
pub(super) struct Own {
    export: Throttle<Key>,
    edit: Throttle<Key>,
}

/// One kind of it.
#[derive(Clone, Copy)]
enum Kind {
    Export,
    Edit,
}

impl Own {
    /// How many limits there are.
    pub(super) const COUNT: usize = 2;

    pub(super) fn new(capacity: usize) -> Self {
        Self { export: Throttle::new(EXPORT, capacity), edit: Throttle::new(EDIT, capacity) }
    }

    const fn of(&mut self, kind: Kind) -> &mut Throttle<Key> {
        match kind {
            Kind::Export => &mut self.export,
            Kind::Edit => &mut self.edit,
        }
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.export.bytes() + self.edit.bytes()
    }
}

/// Something that was counted.
#[must_use]
pub(in crate::flows) struct CountedOwn<'a> {
    throttles: &'a Throttles,
    kind: Kind,
    user: Key,
    at: i64,
}

impl CountedOwn<'_> {
    /// Gives back an outcome. A fault of the server's is held against nobody.
    pub(in crate::flows) fn unless_fault<T>(self, outcome: Result<T, Fault>) -> Result<T, Fault> {
        outcome.inspect_err(|_| {
            if let Some(mut tables) = self.throttles.tables() {
                tables.own.of(self.kind).refund(&self.user, self.at);
            }
        })
    }
}

impl Throttles {
    /// Counts an export.
    pub(in crate::flows) fn export(
        &self,
        user: UserId,
        now: Now,
    ) -> Result<CountedOwn<'_>, RetryAfter> {
        self.own(Kind::Export, user, now)
    }

    /// Counts a change of a profile or an address.
    pub(in crate::flows) fn edit(
        &self,
        user: UserId,
        now: Now,
    ) -> Result<CountedOwn<'_>, RetryAfter> {
        self.own(Kind::Edit, user, now)
    }

    fn own(&self, kind: Kind, user: UserId, now: Now) -> Result<CountedOwn<'_>, RetryAfter> {
        let (user, at) = (*user.0.as_bytes(), now.steady.as_millis());
        if let Some(mut tables) = self.tables() {
            tables.own.of(kind).attempt(user, at)?;
        }
        Ok(CountedOwn { throttles: self, kind, user, at })
    }
}
