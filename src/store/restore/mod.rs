//! The database on its way back.
//!
//! What is restored is older than what clients hold. So in one transaction every session is ended,
//! one-time tokens and mail that waits are removed, and the moment is noted before which access
//! tokens were made that are refused: whoever comes back with a token from before signs in again, and
//! is accused of nothing.
//!
//! All of that happens in a copy beside the database ([`stage`]), which then takes its place in one
//! rename ([`exchange`]). Whenever this is broken off, the old database or the new one is there, whole.

mod error;
mod exchange;
mod leftover;
mod place;

use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::params;

pub use self::error::RestoreError;
use self::exchange::exchange;
use self::place::{Place, remove_with_parts};
use super::audit::Event;
use super::backup::Part;
use super::check::{self, Checked};
use super::hold::Hold;
use super::not_before::{self, NotBefore};
use super::revocations::Revocation;
use super::schema;
use super::seal::{self, SealError};
use super::writer::{self, Work};
use crate::domain::id::SessionId;
use crate::domain::session::{Client, EndReason};
use crate::domain::time::{Now, Timestamp};

/// How many sessions are ended by one statement.
const SOME: u32 = 10_000;

/// What is restored.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The file.
    pub file: &'a Path,
    /// Whether it must have the checksum of a backup. A database that another program has brought
    /// back has none.
    pub is_sealed: bool,
    /// Whether the database of an earlier restore, that was put aside, may be written over.
    pub may_replace_aside: bool,
}

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// How many users there are.
    pub users: usize,
    /// How many sessions were ended.
    pub sessions: usize,
    /// How many one-time tokens were voided.
    pub one_time_tokens: usize,
    /// How much mail was removed that waited or was given up.
    pub mails: usize,
    /// The schema of the backup, if it was older than this binary's.
    pub migrated_from: Option<usize>,
    /// Where the database is that was there before, if there was one.
    pub aside: Option<PathBuf>,
    /// Where logs are whose database was not there. They are of no use without it.
    pub strays: Vec<PathBuf>,
    /// What was found in it that should not be so, or is not of Doorward's making, but keeps nobody
    /// from using it. All of it is restored.
    pub flaws: Vec<Checked>,
}

type Steps<'a> = &'a mut dyn FnMut(&'static str);

/// Whether a database that this process makes at `path` would be used, and could be. To be asked before the
/// directory is taken: that, too, makes a file.
pub fn check_place(path: &Path) -> Result<(), RestoreError> {
    if fs::symlink_metadata(path).is_ok_and(|it| it.is_symlink()) {
        return Err(RestoreError::Link(path.to_owned()));
    }
    let place = Place::new(path);
    let directory = place.directory();
    let user = rustix::process::geteuid().as_raw();
    let owner_of = |file: &Path| fs::metadata(file).ok().map(|it| it.uid());
    // Whoever has the database has shown that it can be used; `root` can use everything.
    let has_it = user != 0 && owner_of(path) == Some(user);
    match owner_of(directory) {
        Some(owner) if owner != user && !has_it => {
            Err(RestoreError::Owner { directory: directory.to_owned(), owner })
        }
        _ => Ok(()),
    }
}

/// Puts what `source` holds in the place of the database at `path`, which is in the directory of
/// `hold`.
pub fn restore(
    _hold: &Hold,
    path: &Path,
    source: Source<'_>,
    now: Now,
    progress: &mut dyn FnMut(Part),
) -> Result<Restored, RestoreError> {
    in_steps(path, source, now, progress, &mut |_| {})
}

/// The same; `step` is told what has just been done, each time when the files have changed.
fn in_steps(
    path: &Path,
    source: Source<'_>,
    now: Now,
    progress: &mut dyn FnMut(Part),
    step: Steps<'_>,
) -> Result<Restored, RestoreError> {
    let place = Place::new(path);
    leftover::settle(&place, source)?;
    remove_with_parts(&place.staged)?;
    let made = stage(&place, source, now, progress, step).and_then(|restored| {
        let (aside, strays) = exchange(&place, step)?;
        Ok(Restored { aside, strays, ..restored })
    });
    if made.is_err() {
        let _ = remove_with_parts(&place.staged);
    }
    made
}

/// Makes the new database, whole and synced, in one file beside the old one.
fn stage(
    place: &Place<'_>,
    source: Source<'_>,
    now: Now,
    progress: &mut dyn FnMut(Part),
    step: Steps<'_>,
) -> Result<Restored, RestoreError> {
    let staged = &*place.staged;
    copy(staged, source, progress)?;
    step("copied");
    progress(Part::Checking);
    let found = check::check_copy(staged, source.file)?;
    let is_odd = |check: &Checked| !(check.found.is_empty() && check.notes.is_empty());
    let flaws: Vec<_> = found.checks.into_iter().filter(is_odd).collect();
    if let Some(damage) = flaws.iter().filter(|it| it.is_damage).find_map(|it| it.found.first()) {
        let what = damage.clone();
        return Err(RestoreError::Damaged { file: source.file.to_owned(), what });
    }
    let migrated_from = (found.schema < schema::NEWEST).then_some(found.schema);

    let connection = schema::prepare(staged).map_err(|error| unmade(staged, &error))?;
    step("migrated");
    let refused = |error| unmade(staged, &error);
    let (sessions, one_time_tokens, mails, users) =
        writer::alone(&connection, |work| settle(work, now)).map_err(refused)?;
    step("settled");
    schema::single_file(&connection).map_err(refused)?;
    drop(connection);
    let synced = File::open(staged).and_then(|file| file.sync_all());
    synced.map_err(|error| unmade(staged, &error))?;
    step("staged");
    let (aside, strays) = (None, Vec::new());
    Ok(Restored { users, sessions, one_time_tokens, mails, migrated_from, aside, strays, flaws })
}

fn copy(
    staged: &Path,
    source: Source<'_>,
    progress: &mut dyn FnMut(Part),
) -> Result<(), RestoreError> {
    let file = source.file;
    let of_backup = |source| RestoreError::Backup { file: file.to_owned(), source };
    let size = fs::metadata(file).map_err(|error| of_backup(SealError::Read(error)))?.len();
    let mut sink = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(staged)
        .map_err(|error| unmade(staged, &error))?;
    let mut progress = |done| progress(Part::Copying(done, size));
    let copied = if source.is_sealed {
        seal::unseal(file, &mut sink, &mut progress)
    } else {
        check::is_single(file)?;
        seal::copy(file, &mut sink, &mut progress)
    };
    copied.map_err(|error| match error {
        SealError::Write(error) => unmade(staged, &error),
        error => of_backup(error),
    })
}

fn unmade(staged: &Path, error: &dyn Display) -> RestoreError {
    RestoreError::Unmade { file: staged.to_owned(), what: error.to_string() }
}

/// What is different after a restore. How many sessions, one-time tokens, mails and users there were.
fn settle(work: &mut Work<'_>, now: Now) -> rusqlite::Result<(usize, usize, usize, usize)> {
    let mut sessions = 0;
    loop {
        let some = end_some(work, now)?;
        sessions += some;
        if some == 0 {
            break;
        }
    }
    let one_time_tokens = work.sql.execute("DELETE FROM one_time_tokens", [])?;
    // Most of it was delivered after the backup was made, and the links in it are void.
    let mails = work.sql.execute("DELETE FROM outbox", [])?;
    NotBefore::note(work.sql, now)?;
    work.audit(Event::Restored, None, None, &Client::default(), now)?;
    let users: u32 = work.sql.query_row("SELECT count(*) FROM users", [], |row| row.get(0))?;
    Ok((sessions, one_time_tokens, mails, users as usize))
}

/// Ends some sessions; how many. SQLite keeps what a statement changes in memory until it is done.
fn end_some(work: &mut Work<'_>, now: Now) -> rusqlite::Result<usize> {
    let mut statement = work.sql.prepare_cached(
        "UPDATE sessions SET ended_at = ?1, end_reason = ?2
         WHERE id IN (SELECT id FROM sessions WHERE ended_at IS NULL LIMIT ?3)
         RETURNING id, last_used_at",
    )?;
    let ended = statement
        .query_map(params![now.wall.as_millis(), EndReason::Restore.as_str(), SOME], |row| {
            Ok((SessionId(row.get(0)?), Timestamp::from_millis(row.get(1)?)))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    drop(statement);
    // Of all others the id tells that they are from before. Those were started while a clock was ahead.
    let first = not_before::first_after(now.wall);
    for (id, last_used_at) in ended.iter().filter(|(id, _)| *id >= first) {
        let at = Now { wall: now.wall.max(*last_used_at), ..now };
        work.revoke(Revocation::Session(*id), at)?;
    }
    Ok(ended.len())
}

#[cfg(test)]
mod tests;
