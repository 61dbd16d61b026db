//! Confirmations and signs of life that the guard has seen and that are not written yet.
//!
//! A guarded request only leaves a note here; the writer takes the notes along with its next
//! commit. `judge` is shown the row and its note together, so nothing waits for the disk.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, params};

use super::revocations::Standing;
use crate::domain::id::{Generation, SessionId};
use crate::domain::session::Session;
use crate::domain::time::{Now, Timestamp};

/// A later sign of life is written when it is this much newer than the written one.
const LAST_USED_STEP: Duration = Duration::from_secs(60);

/// A written note is kept this long, so that the next request does not write it again.
const KEEP: Duration = Duration::from_secs(300);

/// How many notes one commit takes along.
const BATCH: usize = 1024;

#[derive(Clone, Copy)]
struct Note {
    generation: Generation,
    confirmed_at: Timestamp,
    last_used_at: Timestamp,
    /// The `last_used_at` that has been written; `None` when the confirmation has not been.
    written: Option<Timestamp>,
    /// Whether it waits to be written.
    is_queued: bool,
}

impl Note {
    fn is_due(&self) -> bool {
        self.written.is_none_or(|written| self.last_used_at.since(written) >= LAST_USED_STEP)
    }
}

/// A note as it was written.
pub(super) struct Written(SessionId, Note);

/// All notes, and which of them wait to be written.
#[derive(Default)]
struct Table {
    notes: HashMap<SessionId, Note>,
    queue: Vec<SessionId>,
    /// Sessions that the transaction under way ends because nobody was seen to use them.
    given_up: HashSet<SessionId>,
}

impl Table {
    /// An access token of `generation` passed the guard. One of an older generation than has
    /// been seen confirms nothing, but is a sign of life.
    fn record(&mut self, session: SessionId, generation: Generation, now: Now) {
        let note = self.notes.entry(session).or_insert(Note {
            generation,
            confirmed_at: now.steady,
            last_used_at: now.wall,
            written: None,
            is_queued: false,
        });
        if note.generation < generation {
            (note.generation, note.confirmed_at, note.written) = (generation, now.steady, None);
        }
        note.last_used_at = now.wall;
        self.queue_if_due(session);
    }

    fn queue_if_due(&mut self, id: SessionId) {
        if let Some(note) = self.notes.get_mut(&id)
            && note.is_due()
            && !note.is_queued
        {
            note.is_queued = true;
            self.queue.push(id);
        }
    }
}

#[derive(Default)]
pub(super) struct Notes(Mutex<Table>);

impl Notes {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks what speaks against an access token and, if nothing does, records that it was used.
    /// At one moment: a session that is being given up is not seen in use any more.
    pub(super) fn admit(
        &self,
        session: SessionId,
        generation: Generation,
        now: Now,
        standing: impl FnOnce() -> Standing,
    ) -> Standing {
        let mut table = self.lock();
        if table.given_up.contains(&session) {
            return Standing::Ended;
        }
        let standing = standing();
        if standing == Standing::Good {
            table.record(session, generation, now);
        }
        standing
    }

    /// Nobody is to be seen using this generation from here on. False when somebody has been,
    /// since the session was judged.
    pub(super) fn give_up(&self, session: SessionId, generation: Generation) -> bool {
        let mut table = self.lock();
        let seen = table.notes.get(&session).is_some_and(|note| note.generation == generation);
        if !seen {
            table.given_up.insert(session);
        }
        !seen
    }

    /// After the transaction: what was given up has ended, or has not.
    pub(super) fn forget_given_up(&self) {
        self.lock().given_up.clear();
    }

    /// Records a use, whatever speaks against it.
    #[cfg(test)]
    pub(super) fn record(&self, session: SessionId, generation: Generation, now: Now) {
        self.lock().record(session, generation, now);
    }

    /// The session as it will be once its note is written.
    pub(super) fn complete(&self, session: Session) -> Session {
        let note = self.lock().notes.get(&session.id).copied();
        let Some(note) = note else { return session };
        let mut session = session.with_confirmation(Some((note.generation, note.confirmed_at)));
        session.last_used_at = session.last_used_at.max(note.last_used_at);
        session
    }

    /// Whether there is anything to write.
    pub(super) fn are_due(&self) -> bool {
        !self.lock().queue.is_empty()
    }

    /// Writes what is due. A confirmation counts only for the generation that it was seen for.
    pub(super) fn write(&self, sql: &Connection) -> rusqlite::Result<Vec<Written>> {
        let due: Vec<_> = {
            let table = self.lock();
            let first = table.queue.iter().take(BATCH);
            first.filter_map(|id| table.notes.get(id).map(|note| Written(*id, *note))).collect()
        };
        for Written(id, note) in &due {
            sql.prepare_cached(
                "UPDATE sessions SET confirmed_at = ?3
                 WHERE id = ?1 AND generation = ?2 AND confirmed_at IS NULL",
            )?
            .execute(params![
                id.0,
                note.generation.0,
                note.confirmed_at.as_millis()
            ])?;
            sql.prepare_cached(
                "UPDATE sessions SET last_used_at = ?2
                 WHERE id = ?1 AND last_used_at < ?2 AND ended_at IS NULL",
            )?
            .execute(params![id.0, note.last_used_at.as_millis()])?;
        }
        Ok(due)
    }

    /// After the commit, and only then, what was written leaves the queue. Only the writer takes
    /// from it, so what was written is still its beginning.
    pub(super) fn settle(&self, written: &[Written]) {
        let mut table = self.lock();
        table.queue.drain(..written.len());
        for Written(id, was) in written {
            if let Some(note) = table.notes.get_mut(id) {
                note.is_queued = false;
                if note.generation == was.generation {
                    note.written = Some(was.last_used_at);
                }
            }
            // It may have changed in the meantime.
            table.queue_if_due(*id);
        }
    }

    /// Drops written notes of sessions that have been quiet for a while.
    pub(super) fn prune(&self, now: Now) {
        let keep = |note: &Note| note.is_queued || now.wall.since(note.last_used_at) < KEEP;
        self.lock().notes.retain(|_, note| keep(note));
    }
}
