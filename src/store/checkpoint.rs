//! Moving the write-ahead log into the database, off the path of the commits.
//!
//! SQLite would do it inside the commit that makes the log long, and everybody waits meanwhile.
//! Here a thread of its own does it, on a connection of its own, while commits go on. It never
//! catches up with them alone, and a log that is not moved whole is never begun anew but grows. So
//! when little is left, the writer moves that between two batches, and writes the next one to the
//! beginning of the log.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::schema;

/// In pages of 4 KiB.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// The log is moved once it has grown by this much.
    pub(super) start: u32,
    /// So much may be left for the writer.
    pub(super) rest: u32,
    /// The writer moves all of it itself before it grows by more: nobody else seems to.
    pub(super) most: u32,
}

impl Limits {
    /// 2 MiB at a time: what is moved is synced, and a commit waits for the disk that long; 0.5 MiB;
    /// 48 MiB.
    pub(super) const DEFAULT: Self = Self { start: 512, rest: 128, most: 12_288 };
}

/// How often the thread tries to catch up before it leaves the rest to the writer.
const PASSES: usize = 8;

/// A look at the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Log {
    /// Pages in it.
    pages: u32,
    /// Those of them that have been moved.
    moved: u32,
}

impl Log {
    /// Looks only.
    const LOOK: &str = "PRAGMA wal_checkpoint(NOOP)";
    /// Moves what can be moved without waiting for anybody.
    const MOVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";

    fn run(connection: &Connection, pragma: &str) -> rusqlite::Result<Self> {
        connection.prepare_cached(pragma)?.query_row([], |row| {
            // -1 when there is no log yet.
            let pages =
                |column| row.get(column).map(|pages: i64| u32::try_from(pages).unwrap_or(0));
            Ok(Self { pages: pages(1)?, moved: pages(2)? })
        })
    }
}

#[derive(Default)]
struct State {
    /// The thread is to move the log.
    is_wanted: bool,
    /// It has, but for a rest.
    is_done: bool,
    is_closing: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writer's end.
pub(super) struct Checkpointer {
    limits: Limits,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// How long the log was when it was last moved or begun to be.
    begun_at: u32,
}

impl Checkpointer {
    pub(super) fn start(path: PathBuf, limits: Limits) -> Self {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("checkpointer".to_owned())
            .spawn(move || work(&theirs, &path, limits));
        // Without its thread the writer does it all.
        Self { limits, shared, thread: thread.ok(), begun_at: 0 }
    }

    /// After each commit. A failure here is nobody's: what was committed stays in the log.
    pub(super) fn after_commit(&mut self, connection: &Connection) {
        if let Err(error) = self.look(connection) {
            tracing::warn!(%error, "the write-ahead log cannot be moved into the database");
        }
    }

    fn look(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let is_done = std::mem::take(&mut self.shared.lock().is_done);
        let log = Log::run(connection, Log::LOOK)?;
        // It has been begun anew.
        self.begun_at = self.begun_at.min(log.pages);
        let grown = log.pages - self.begun_at;
        if is_done || grown >= self.limits.most {
            self.begun_at = log.pages;
            Log::run(connection, Log::MOVE)?;
        } else if grown >= self.limits.start {
            self.shared.lock().is_wanted = true;
            self.shared.changed.notify_one();
        }
        Ok(())
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.shared.lock().is_closing = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(shared: &Shared, path: &std::path::Path, limits: Limits) {
    let mut connection = None;
    loop {
        let mut state = shared.lock();
        while !state.is_wanted && !state.is_closing {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.is_closing {
            return;
        }
        drop(state);
        if let Err(error) = catch_up(&mut connection, path, limits) {
            // The writer will do it, and say so if it cannot either.
            tracing::debug!(%error, "the checkpointer failed");
            connection = None;
        }
        let mut state = shared.lock();
        (state.is_wanted, state.is_done) = (false, true);
    }
}

/// Moves the log until little is left of it.
fn catch_up(
    connection: &mut Option<Connection>,
    path: &std::path::Path,
    limits: Limits,
) -> rusqlite::Result<()> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(schema::reopen(path)?),
    };
    for _ in 0..PASSES {
        Log::run(connection, Log::MOVE)?;
        let log = Log::run(connection, Log::LOOK)?;
        if log.pages.saturating_sub(log.moved) <= limits.rest {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A database into which pages are written, and how far its log may grow.
    fn write(data: &Path, limits: Limits, commits: u32, mut each: impl FnMut(u32)) -> u64 {
        let path = data.join("doorward.db");
        let connection = schema::prepare(&path).unwrap();
        let mut checkpointer = Checkpointer::start(path.clone(), limits);
        let mut longest = 0;
        for number in 0..commits {
            connection
                .execute(
                    "INSERT INTO meta (name, value) VALUES (?1, ?2)
                     ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    rusqlite::params![format!("{:0500}", number % 50), number],
                )
                .unwrap();
            checkpointer.after_commit(&connection);
            let log = std::fs::metadata(data.join("doorward.db-wal")).unwrap().len();
            longest = longest.max(log / 4096);
            each(number);
        }
        longest
    }

    #[test]
    fn the_log_stays_short_and_nothing_is_lost() {
        let data = tempfile::tempdir().unwrap();
        let limits = Limits { start: 16, rest: 4, most: 64 };
        let longest = write(data.path(), limits, 2000, |_| {});
        // While the thread moves some the writer cannot, and tries again `most` later; on a busy
        // machine that may happen some times in a row. Without any of it there are 2,000.
        assert!(longest <= 10 * 64, "{longest} pages");
        let path = data.path().join("doorward.db");
        let sum = "SELECT sum(value) FROM meta WHERE length(name) = 500";
        let sum: i64 = schema::reopen(&path).unwrap().query_row(sum, [], |row| row.get(0)).unwrap();
        assert_eq!(sum, (1950..2000).sum::<i64>());
    }

    #[test]
    fn without_it_the_log_grows() {
        let data = tempfile::tempdir().unwrap();
        let never = Limits { start: u32::MAX, rest: 0, most: u32::MAX };
        let longest = write(data.path(), never, 2000, |_| {});
        assert!(longest >= 2000, "{longest} pages");
    }

    #[test]
    fn a_reader_that_stays_is_waited_for_by_nobody() {
        let data = tempfile::tempdir().unwrap();
        let limits = Limits { start: 16, rest: 4, most: 64 };
        write(data.path(), limits, 1, |_| {});
        let reader = schema::reopen(&data.path().join("doorward.db")).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM meta").unwrap();
        let mut lengths = Vec::new();
        write(data.path(), limits, 1000, |number| {
            if number == 500 {
                reader.execute_batch("COMMIT").unwrap();
            }
            lengths.push(std::fs::metadata(data.path().join("doorward.db-wal")).unwrap().len());
        });
        assert!(lengths[500] / 4096 >= 500, "what the reader sees is kept: {}", lengths[500]);
        assert!(lengths[700..].iter().all(|length| *length == lengths[700]), "and no more then");
    }
}
