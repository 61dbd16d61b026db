//! What was acknowledged, what was not, and what was found to be wrong. It is kept outside the
//! server, so that no crash touches it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// A write that a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Write {
    Register,
    Login,
    Refresh,
    Logout,
    Revoke,
    LogoutAll,
}

/// A promise that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breach {
    /// An acknowledged registration or login is not known any more.
    LostSignIn,
    /// The tokens of the last acknowledged rotation do not work, or not as the latest ones.
    LostRotation,
    /// A client that got no answer to a refresh cannot go on with the token it has.
    SignedOut,
    /// A token of a session whose end was acknowledged is accepted.
    UndoneEnd,
    /// An end that got no answer took a part of what it was to take.
    HalfAnEnd,
    /// The audit trail accuses somebody: a refresh token that was reused, or is foreign.
    Accused,
    /// SQLite finds the database damaged.
    Damaged,
    /// Any other answer that a client has no reason to expect.
    Unexpected,
}

/// Writes that were not acknowledged: of those whose fate was seen, how many had happened.
#[derive(Clone, Copy, Default)]
struct Fate {
    happened: u64,
    did_not: u64,
}

#[derive(Default)]
struct Pages {
    kills: u64,
    acknowledged: BTreeMap<Write, u64>,
    reads: u64,
    /// Requests to a living server that got no answer, or a 503.
    given_up: u64,
    fates: BTreeMap<Write, Fate>,
    breaches: Vec<(Breach, String)>,
    /// Of each start, how long it took.
    ready_after: Vec<Duration>,
    /// How long clients had a server.
    served: Duration,
}

/// The books.
#[derive(Default)]
pub struct Ledger(RefCell<Pages>);

impl Ledger {
    /// A write was acknowledged: its complete answer arrived, and says yes.
    pub fn acknowledge(&self, write: Write) {
        *self.0.borrow_mut().acknowledged.entry(write).or_default() += 1;
    }

    pub fn count_read(&self) {
        self.0.borrow_mut().reads += 1;
    }

    pub fn count_given_up(&self) {
        self.0.borrow_mut().given_up += 1;
    }

    /// A write that was not acknowledged is now known to have happened, or not.
    pub fn learn(&self, write: Write, happened: bool) {
        let mut pages = self.0.borrow_mut();
        let fate = pages.fates.entry(write).or_default();
        *if happened { &mut fate.happened } else { &mut fate.did_not } += 1;
    }

    /// A server was killed under load.
    pub fn count_kill(&self) {
        self.0.borrow_mut().kills += 1;
    }

    /// A server has lived.
    pub fn record_life(&self, ready_after: Duration, served: Duration) {
        let mut pages = self.0.borrow_mut();
        pages.ready_after.push(ready_after);
        pages.served += served;
    }

    /// A promise was broken.
    pub fn report(&self, breach: Breach, evidence: impl Into<String>) {
        let evidence = evidence.into();
        println!("{breach:?}: {evidence}");
        self.0.borrow_mut().breaches.push((breach, evidence));
    }

    /// How often each promise was broken.
    pub fn breaches(&self) -> BTreeMap<Breach, usize> {
        let mut counts = BTreeMap::new();
        for (breach, _) in &self.0.borrow().breaches {
            *counts.entry(*breach).or_default() += 1;
        }
        counts
    }

    /// How many writes got no answer, of those whose fate was seen.
    pub fn unanswered(&self) -> u64 {
        self.0.borrow().fates.values().map(|fate| fate.happened + fate.did_not).sum()
    }
}

/// One line.
impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pages = self.0.borrow();
        let writes: u64 = pages.acknowledged.values().sum();
        let millis = pages.served.as_millis().max(1);
        let rate = u128::from(writes) * 1000 / millis;
        write!(f, "{} kills, {writes} acknowledged writes ({rate}/s:", pages.kills)?;
        for (write, count) in &pages.acknowledged {
            write!(f, " {write:?} {count}")?;
        }
        write!(f, "), {} reads, {} given up, unanswered at a kill", pages.reads, pages.given_up)?;
        for (write, Fate { happened, did_not }) in &pages.fates {
            write!(f, " {write:?} {} ({happened} had happened)", happened + did_not)?;
        }
        let mut ready = pages.ready_after.clone();
        ready.sort_unstable();
        let median = ready.get(ready.len() / 2).copied().unwrap_or_default();
        let longest = ready.last().copied().unwrap_or_default();
        write!(f, "; ready after {median:?} (median), {longest:?} (max); broken promises: ")?;
        write!(f, "{}", pages.breaches.len())
    }
}
