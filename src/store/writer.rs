//! The writer: one thread through which all writes go.
//!
//! It takes what is queued, opens one transaction (`BEGIN IMMEDIATE`), runs each job in a
//! savepoint of its own, commits once, and only then answers the callers. A job that fails is
//! undone alone. If the commit fails, nobody in the batch is told yes, and the connection is
//! opened anew before the next batch.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{Notify, oneshot};

use super::checkpoint::{Checkpointer, Limits};
use super::notes::Notes;
use super::revocations::{Revocation, Revocations};
use super::schema;
use crate::fault::Fault;
use crate::metric;

/// How many jobs may wait, and how many share a commit.
const QUEUE: usize = 4096;
const BATCH: usize = 256;

/// While this many share a commit, the next one waits a moment for as many: they are on their way,
/// and a larger batch costs no more syncs. Nobody who writes alone waits.
const CROWD: usize = 32;
const COMPANY: Duration = Duration::from_micros(200);

/// How long a caller waits for the commit.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a job works with, inside the transaction.
pub(super) struct Work<'a> {
    /// The transaction.
    pub(super) sql: &'a Connection,
    /// Confirmations that are not written yet.
    pub(super) notes: &'a Notes,
    /// What becomes invalid with the commit, each with its `seq`.
    pub(super) revoked: Vec<(i64, Revocation)>,
    /// Whether there is mail to deliver after the commit.
    pub(super) has_mail: bool,
}

/// Runs `job` in one transaction on a database that nobody else has, and that no store has opened.
pub(super) fn alone<T>(
    sql: &Connection,
    job: impl FnOnce(&mut Work<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let notes = Notes::default();
    sql.execute_batch("BEGIN IMMEDIATE")?;
    let done = job(&mut Work { sql, notes: &notes, revoked: Vec::new(), has_mail: false });
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    sql.execute_batch(end).and(done)
}

/// The writer's end that the store holds.
pub(super) struct Writer {
    queue: Mutex<Option<SyncSender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    folds: Arc<AtomicBool>,
    mail: Arc<Notify>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        path: PathBuf,
        notes: Arc<Notes>,
        revocations: Arc<Revocations>,
    ) -> Self {
        let (queue, jobs) = sync_channel(QUEUE);
        let folds = Arc::new(AtomicBool::new(false));
        let mail = Arc::new(Notify::new());
        let connection = Some(connection);
        let checkpointer = Checkpointer::start(path.clone(), Limits::DEFAULT);
        let desk = Desk {
            connection,
            failed: None,
            path,
            notes,
            revocations,
            checkpointer,
            folds: Arc::clone(&folds),
            mail: Arc::clone(&mail),
        };
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || desk.serve(&jobs));
        // Without its thread the queue is closed, and every write answers "unavailable".
        Self { queue: Mutex::new(Some(queue)), thread: Mutex::new(thread.ok()), folds, mail }
    }

    pub(super) async fn submit<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Work<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        // A disk that hangs must not hang its callers: for them the answer is lost, and whoever
        // asks again gets it.
        self.submit_within(PATIENCE, job).await
    }

    async fn submit_within<T: Send + 'static>(
        &self,
        patience: Duration,
        job: impl FnOnce(&mut Work<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let answer = tokio::time::timeout(patience, self.submit_patiently(job)).await;
        answer.map_err(|_| Fault::unavailable("the database takes too long"))?
    }

    /// The same for a caller who has to know what came of it, however long that takes.
    pub(super) async fn submit_patiently<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Work<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let (reply, answer) = oneshot::channel();
        self.queue(Box::new(Task { job: Some(job), outcome: None, reply }))?;
        answer.await.map_err(|_| closed())?
    }

    /// Queues a job of whose outcome nobody is told.
    pub(super) fn post(
        &self,
        job: impl FnOnce(&mut Work<'_>) -> rusqlite::Result<()> + Send + 'static,
    ) -> Result<(), Fault> {
        let (reply, _) = oneshot::channel();
        self.queue(Box::new(Task { job: Some(job), outcome: None, reply }))
    }

    fn queue(&self, job: Box<dyn Job>) -> Result<(), Fault> {
        match &*self.queue.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Err(closed()),
            Some(queue) => {
                metrics::gauge!(metric::WRITE_QUEUE).increment(1.0);
                queue.try_send(job).map_err(|error| {
                    metrics::gauge!(metric::WRITE_QUEUE).decrement(1.0);
                    match error {
                        TrySendError::Full(_) => Fault::overloaded("the write queue is full"),
                        TrySendError::Disconnected(_) => closed(),
                    }
                })
            }
        }
    }

    /// Waits until mail was committed.
    pub(super) async fn mail_posted(&self) {
        self.mail.notified().await;
    }

    /// Has the write-ahead log moved into the database at the end. That waits for other
    /// processes, and makes them wait.
    pub(super) fn fold_at_the_end(&self) {
        self.folds.store(true, Ordering::Relaxed);
    }

    /// Lets the queue run empty and waits for the thread.
    pub(super) fn close(&self) {
        drop(self.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

fn closed() -> Fault {
    Fault::unavailable("the store is closed")
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

/// A queued write, whatever it answers with.
trait Job: Send {
    /// Does the work and keeps the outcome; whether its changes are to stay.
    fn run(&mut self, work: &mut Work<'_>) -> bool;
    /// Tells the caller, after the commit.
    fn answer(self: Box<Self>);
    /// Tells the caller that nothing was written.
    fn fail(self: Box<Self>);
}

struct Task<J, T> {
    job: Option<J>,
    outcome: Option<Result<T, Fault>>,
    reply: oneshot::Sender<Result<T, Fault>>,
}

impl<T: Send, J: FnOnce(&mut Work<'_>) -> rusqlite::Result<T> + Send> Job for Task<J, T> {
    fn run(&mut self, work: &mut Work<'_>) -> bool {
        let Some(job) = self.job.take() else {
            return false;
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| job(work)))
            .map_err(|_| Fault::internal("a write job panicked"))
            .and_then(|done| done.map_err(Fault::from));
        self.outcome.insert(outcome).is_ok()
    }

    fn answer(self: Box<Self>) {
        let outcome =
            self.outcome.unwrap_or_else(|| Err(Fault::internal("a write job did not run")));
        // The caller may have gone; what was written stays written.
        let _ = self.reply.send(outcome);
    }

    fn fail(self: Box<Self>) {
        let outcome = match self.outcome {
            Some(Err(fault)) => fault,
            _ => Fault::unavailable("the database did not take the write"),
        };
        let _ = self.reply.send(Err(outcome));
    }
}

/// The writer's thread.
struct Desk {
    connection: Option<Connection>,
    /// One that failed, until another is open. If it were closed first, the next to open the
    /// database would read its log from the file, and take what was written there, but could not
    /// be synced, for committed.
    failed: Option<Connection>,
    path: PathBuf,
    notes: Arc<Notes>,
    revocations: Arc<Revocations>,
    checkpointer: Checkpointer,
    folds: Arc<AtomicBool>,
    mail: Arc<Notify>,
}

impl Desk {
    fn serve(mut self, jobs: &Receiver<Box<dyn Job>>) {
        let mut last = 0;
        while let Ok(first) = jobs.recv() {
            if last >= CROWD {
                std::thread::sleep(COMPANY);
            }
            let mut batch = vec![first];
            batch.extend(jobs.try_iter().take(BATCH - 1));
            #[expect(clippy::cast_precision_loss, reason = "at most 256")]
            let size = batch.len() as f64;
            last = batch.len();
            metrics::gauge!(metric::WRITE_QUEUE).decrement(size);
            metrics::histogram!(metric::BATCH_SIZE).record(size);
            let committed = self.commit(&mut batch);
            self.notes.forget_given_up();
            match committed {
                Ok(()) => batch.into_iter().for_each(Job::answer),
                Err(error) => {
                    metrics::counter!(metric::BATCH_FAULTS).increment(1);
                    tracing::error!(%error, jobs = batch.len(), "a group commit failed");
                    batch.into_iter().for_each(Job::fail);
                }
            }
            if let Some(connection) = &self.connection {
                self.checkpointer.after_commit(connection);
            }
        }
        drop(self.checkpointer);
        if self.folds.load(Ordering::Relaxed)
            && let Some(connection) = self.connection
        {
            let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        }
    }

    /// All of the batch in one transaction, or none of it.
    fn commit(&mut self, batch: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.reopen()?,
        };
        if let Err(error) = connection.execute_batch("BEGIN IMMEDIATE") {
            // Nothing has been begun: a connection that only had to wait is still good.
            let only_waited = error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy);
            let place = if only_waited { &mut self.connection } else { &mut self.failed };
            *place = Some(connection);
            return Err(error);
        }
        if let Err(error) = self.write(&connection, batch) {
            // After a failed commit or sync the connection cannot be trusted any more.
            let _ = connection.execute_batch("ROLLBACK");
            self.failed = Some(connection);
            return Err(error);
        }
        self.connection = Some(connection);
        Ok(())
    }

    /// A new connection in place of the one that failed.
    fn reopen(&mut self) -> rusqlite::Result<Connection> {
        let connection = schema::reopen(&self.path)?;
        // Only with the first read does it take part in the log.
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        self.failed = None;
        Ok(connection)
    }

    /// The batch, in the transaction that has been begun.
    fn write(&self, connection: &Connection, batch: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
        let written = self.savepoint(connection, |work| self.notes.write(work.sql).ok())?;
        let (mut revoked, mut has_mail) = (Vec::new(), false);
        for job in batch.iter_mut() {
            let kept = self.savepoint(connection, |work| {
                job.run(work).then(|| (std::mem::take(&mut work.revoked), work.has_mail))
            })?;
            if let Some((theirs, mail)) = kept {
                revoked.extend(theirs);
                has_mail |= mail;
            }
        }
        metric::timed(metric::COMMIT_SECONDS, || connection.execute_batch("COMMIT"))?;
        // Before anybody is answered: the next request must already be refused.
        self.revocations.apply(revoked);
        if has_mail {
            self.mail.notify_one();
        }
        if let Some(written) = written {
            self.notes.settle(&written);
        }
        Ok(())
    }

    /// Runs `job` in a savepoint. When it yields nothing its changes, and only they, are undone.
    fn savepoint<T>(
        &self,
        connection: &Connection,
        job: impl FnOnce(&mut Work<'_>) -> Option<T>,
    ) -> rusqlite::Result<Option<T>> {
        let run = |sql: &str| connection.prepare_cached(sql)?.execute([]);
        run("SAVEPOINT job")?;
        let done = job(&mut Work {
            sql: connection,
            notes: &self.notes,
            revoked: Vec::new(),
            has_mail: false,
        });
        if connection.is_autocommit() {
            // A full disk or a failed read ends the whole transaction, not just the savepoint:
            // what the next job wrote would be committed by itself.
            return Err(rusqlite::Error::InvalidQuery);
        }
        if done.is_none() {
            run("ROLLBACK TO job")?;
        }
        run("RELEASE job")?;
        Ok(done)
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
