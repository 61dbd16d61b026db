//! Bringing users along from elsewhere.
//!
//! A file is read and checked as a whole (`read`), and then its users are brought in, some hundreds
//! at a time ([`bring_in`]): between the batches other processes on the same database get their turn.
//! To do it again changes nothing: who is there already is found by address.

mod read;

use std::time::Duration;

pub use self::read::{Candidate, Plan, ReadError, Refused, read};
use crate::clock::{Clock, NoEntropy, random};
use crate::crypto::hasher::{self, Costs, NO_PASSWORD};
use crate::domain::account::{Email, User};
use crate::domain::claims::Role;
use crate::domain::id::UserId;
use crate::domain::record::Record;
use crate::domain::time::Now;
use crate::fault::{Fault, FaultKind};
use crate::store::{Account, Store};

/// How many users share a transaction: tens of milliseconds of work.
const BATCH: usize = 500;

/// The shortest pause after a batch. It is as long as the batch took, so that the database is free
/// for others at least half of the time.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// How often a batch is tried that others kept from being written.
const TRIES: u32 = 5;

/// What the flow works with.
pub struct Parts<'a> {
    /// The database.
    pub store: &'a Store,
    /// Tells the time.
    pub clock: &'a dyn Clock,
    /// Yields randomness, for ids.
    pub entropy: &'a dyn crate::clock::Entropy,
    /// What a password hash costs that is made now.
    pub costs: Costs,
}

/// What became of the users of a file.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many were added.
    pub added: Added,
    /// How many were there already.
    pub already_there: usize,
    /// Those that are there otherwise than in the file. They were left alone.
    pub conflicts: Vec<Conflict>,
}

/// Users who were added.
#[derive(Clone, Copy, Debug, Default)]
pub struct Added {
    /// How many there are.
    pub users: usize,
    /// How many of them are administrators.
    pub admins: usize,
    /// How many of them have no password until one is set.
    pub without_password: usize,
}

/// An account that is there otherwise than in the file.
#[derive(Debug)]
pub struct Conflict {
    /// The line.
    pub line: usize,
    /// The address in that line.
    pub email: Email,
    /// The fields that differ.
    pub differs: Vec<&'static str>,
}

/// Adds the users of a plan whose addresses are free. After each batch `progress` is told how many of
/// the users have been dealt with.
pub async fn bring_in(
    parts: &Parts<'_>,
    plan: &Plan,
    mut progress: impl FnMut(usize),
) -> Result<Outcome, Fault> {
    let mut outcome = Outcome { already_there: plan.repeated, ..Outcome::default() };
    let mut done = 0;
    for candidates in plan.candidates.chunks(BATCH) {
        let began = parts.clock.now();
        let accounts: Result<Vec<_>, _> = candidates
            .iter()
            .map(|candidate| Ok(account(&candidate.record, random(parts.entropy)?, began)))
            .collect();
        let accounts = accounts.map_err(|error: NoEntropy| Fault::from(error))?;
        let found = write(parts.store, accounts, began).await?;
        outcome.count(candidates, &found, parts.costs);
        done += candidates.len();
        progress(done);
        if done < plan.candidates.len() {
            let took = parts.clock.now().steady.since(began.steady);
            tokio::time::sleep(took.max(SHORTEST_PAUSE)).await;
        }
    }
    Ok(outcome)
}

/// What [`bring_in`] would do at a time; without a store, in an empty one.
pub async fn rehearse(
    store: Option<(&Store, Now)>,
    costs: Costs,
    plan: &Plan,
    mut progress: impl FnMut(usize),
) -> Result<Outcome, Fault> {
    let mut outcome = Outcome { already_there: plan.repeated, ..Outcome::default() };
    let mut done = 0;
    for candidates in plan.candidates.chunks(BATCH) {
        let keys = candidates.iter().map(|each| (each.record.email.clone(), each.record.id));
        let found = match store {
            Some((store, now)) => store.find_in_the_way(keys.collect(), now).await?,
            None => candidates.iter().map(|_| None).collect(),
        };
        outcome.count(candidates, &found, costs);
        done += candidates.len();
        progress(done);
    }
    Ok(outcome)
}

/// Writes a batch. One whose answer was lost may be written: trying again finds its users there.
async fn write(
    store: &Store,
    accounts: Vec<Account>,
    now: Now,
) -> Result<Vec<Option<Account>>, Fault> {
    for _ in 1..TRIES {
        match store.import_users(accounts.clone(), now).await {
            Err(fault) if fault.kind() == FaultKind::Unavailable => {
                tokio::time::sleep(SHORTEST_PAUSE).await;
            }
            answer => return answer,
        }
    }
    store.import_users(accounts, now).await
}

/// The account that a record describes. An id that is made for it tells when the account was made,
/// as every id does.
fn account(record: &Record, random: [u8; 10], now: Now) -> Account {
    let created_at = record.created_at.unwrap_or(now.wall);
    let user = User {
        id: record.id.unwrap_or_else(|| UserId::new(created_at, &random)),
        email: record.email.clone(),
        role: record.role,
        is_verified: record.is_verified,
        disabled_at: record.disabled_at,
        created_at,
        updated_at: record.updated_at.unwrap_or(created_at),
    };
    let password_hash = record.password.as_deref().unwrap_or(NO_PASSWORD).to_owned();
    Account { user, password_hash }
}

impl Outcome {
    fn count(&mut self, candidates: &[Candidate], found: &[Option<Account>], costs: Costs) {
        for (Candidate { line, record }, found) in candidates.iter().zip(found) {
            let Some(account) = found else {
                self.added.users += 1;
                self.added.admins += usize::from(record.role == Role::Admin);
                self.added.without_password += usize::from(record.password.is_none());
                continue;
            };
            let differs = differences(record, account, costs);
            if differs.is_empty() {
                self.already_there += 1;
            } else {
                self.conflicts.push(Conflict { line: *line, email: record.email.clone(), differs });
            }
        }
    }
}

/// The fields in which a record is not the account. What it does not say is no difference, nor is
/// a hash that a sign-in, or a new password, has replaced since it was brought along.
fn differences(record: &Record, account: &Account, costs: Costs) -> Vec<&'static str> {
    let Account { user, password_hash } = account;
    let hash = record.password.as_deref().unwrap_or(NO_PASSWORD);
    let is_newer = hasher::is_current(password_hash, costs) && !hasher::is_current(hash, costs);
    [
        ("id", record.id.is_some_and(|id| id != user.id)),
        ("email", record.email != user.email),
        ("password", hash != password_hash && !is_newer),
        ("role", record.role != user.role),
        ("isVerified", record.is_verified != user.is_verified),
        ("disabledAt", record.disabled_at != user.disabled_at),
        ("createdAt", record.created_at.is_some_and(|at| at != user.created_at)),
    ]
    .into_iter()
    .filter_map(|(field, differs)| differs.then_some(field))
    .collect()
}

#[cfg(test)]
mod tests;
