//! An attempt to give a password, which was counted before it is known what comes of it.

use super::{Counted, Throttles};
use crate::domain::gate::Key;

/// A counted attempt to give a password. One that is dropped was broken off by the client: it may have
/// had a password hashed, so it counts where it comes from (the address, or the session of somebody who
/// is signed in), but not against the account.
pub(in crate::flows) struct PasswordAttempt<'a>(Option<Guess<'a>>);

enum Guess<'a> {
    Login(Counted<'a>),
    Confirm { throttles: &'a Throttles, pair: Key, session: Key, at: i64 },
}

impl<'a> PasswordAttempt<'a> {
    /// Nothing is counted.
    pub(super) const fn uncounted() -> Self {
        Self(None)
    }

    pub(super) const fn to_sign_in(counted: Counted<'a>) -> Self {
        Self(Some(Guess::Login(counted)))
    }

    pub(super) const fn to_confirm(
        throttles: &'a Throttles,
        pair: Key,
        session: Key,
        at: i64,
    ) -> Self {
        Self(Some(Guess::Confirm { throttles, pair, session, at }))
    }

    /// The password was wrong: it counts, whatever comes after this.
    pub(in crate::flows) fn failed(&mut self) {
        self.0 = None;
    }

    /// It counts for nothing, unless it [failed](Self::failed) before: the password was right, or the
    /// fault is the server's.
    pub(in crate::flows) fn take_back(mut self) {
        match self.0.take() {
            Some(Guess::Login(counted)) => counted.take_back(),
            Some(Guess::Confirm { throttles, pair, session, at }) => {
                if let Some(mut tables) = throttles.tables() {
                    tables.login.pair().refund(&pair, at);
                    tables.confirm.refund(&session, at);
                }
            }
            None => {}
        }
    }
}

impl Drop for PasswordAttempt<'_> {
    fn drop(&mut self) {
        match self.0.take() {
            Some(Guess::Login(counted)) => counted.clear_account(),
            Some(Guess::Confirm { throttles, pair, at, .. }) => {
                if let Some(mut tables) = throttles.tables() {
                    tables.login.pair().refund(&pair, at);
                }
            }
            None => {}
        }
    }
}
