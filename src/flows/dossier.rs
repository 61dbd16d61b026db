//! All that is kept about the caller, to be taken along (GDPR, articles 15 and 20).

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::authenticate::Caller;
use super::events;
use crate::app::App;
use crate::domain::throttle::RetryAfter;
use crate::domain::time::Timestamp;
use crate::fault::Fault;
use crate::store::Dossier;

/// How many events, and how many ended sessions, it holds at most: what is answered is put together in
/// memory. With the longest of names that is less than two megabytes.
pub const MOST: u32 = 1_000;

/// Why nothing was put together.
#[derive(Debug)]
pub enum Refusal {
    /// The caller has had as many as they get for now.
    TooManyAttempts(RetryAfter),
    /// The account was deleted this very moment.
    UserGone,
    /// The server's own fault.
    Internal(Fault),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Internal(fault)
    }
}

/// Whose turn it is. One document is put together at a time, whoever asks: the others keep their
/// database readers and their memory.
pub struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Turns {
    /// Takes the turn, unless somebody has it: nobody waits for it here.
    pub fn take(&self) -> Result<Turn, Fault> {
        let permit = Arc::clone(&self.0).try_acquire_owned();
        permit.map(Turn).map_err(|_| Fault::overloaded("another export is being put together"))
    }
}

/// A turn, which is over when this is dropped. That is to be when the document is text: whoever reads
/// slowly would keep it from all others.
pub struct Turn(#[expect(dead_code, reason = "it is held")] OwnedSemaphorePermit);

/// What was put together.
pub struct Taken {
    /// What is kept about the caller.
    pub dossier: Dossier,
    /// When it was so.
    pub at: Timestamp,
    /// To be held until it is text.
    pub turn: Turn,
}

/// What is kept about the caller.
pub async fn dossier(app: &App, caller: &Caller) -> Result<Taken, Refusal> {
    let (now, user) = (app.clock.now(), caller.user_id());
    let counted = app.throttles.export(user, now).map_err(Refusal::TooManyAttempts)?;
    let taking = async {
        let turn = app.exports.take()?;
        Ok((app.store.everything_about(user, MOST, now).await?, turn))
    };
    let (found, turn) = counted.unless_fault(taking.await)?;
    let mut dossier = found.ok_or(Refusal::UserGone)?;
    events::hide_others(&mut dossier.events);
    Ok(Taken { dossier, at: now.wall, turn })
}
