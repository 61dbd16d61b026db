//! Group commits: what fails is undone alone, and a batch that cannot be committed is undone whole.

use std::path::Path;
use std::sync::mpsc;

use rusqlite::ErrorCode;
use uuid::Uuid;

use super::super::revocations::Standing;
use super::*;
use crate::domain::claims::{AccessClaims, AccessTokenType, Identity, Role};
use crate::domain::id::{Generation, SessionId, UserId};
use crate::domain::time::{Now, Timestamp};
use crate::fault::FaultKind;

const NOW: Now = Now { wall: Timestamp::from_millis(1), steady: Timestamp::from_millis(1) };
const SESSION: SessionId = SessionId(Uuid::from_u128(1));

/// A writer on a file of its own.
struct Bench {
    data: tempfile::TempDir,
    notes: Arc<Notes>,
    revocations: Arc<Revocations>,
    writer: Writer,
}

impl Bench {
    fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("doorward.db");
        let connection = schema::prepare(&path).unwrap();
        let ttl = std::time::Duration::from_secs(900);
        let revocations = Arc::new(Revocations::load(&connection, ttl, NOW).unwrap());
        let notes = Arc::new(Notes::default());
        let writer = Writer::start(connection, path, Arc::clone(&notes), Arc::clone(&revocations));
        Self { data, notes, revocations, writer }
    }

    fn path(&self) -> std::path::PathBuf {
        self.data.path().join("doorward.db")
    }

    /// Holds the writer until all of `jobs` are queued, so that they are one batch.
    async fn batch<T>(&self, jobs: impl Future<Output = T>) -> T {
        let (running, runs) = oneshot::channel();
        let (go_on, wait) = mpsc::channel();
        let hold = self.writer.submit(move |_| Ok((running.send(()), wait.recv())));
        let release = async {
            runs.await.unwrap();
            tokio::join!(jobs, async { go_on.send(()).unwrap() }).0
        };
        let (released, outcomes) = tokio::join!(hold, release);
        released.unwrap().1.unwrap();
        outcomes
    }

    fn names(&self) -> Vec<String> {
        names(&schema::reopen(&self.path()).unwrap())
    }

    fn is_revoked(&self, session: SessionId) -> bool {
        let count = "SELECT count(*) FROM revocations WHERE session_id = ?1";
        let sql = schema::reopen(&self.path()).unwrap();
        let rows: i64 = sql.query_row(count, [session.0], |row| row.get(0)).unwrap();
        let standing = self.revocations.standing(&access_token_of(session));
        assert_eq!(standing == Standing::Ended, rows > 0, "memory and database agree");
        rows > 0
    }
}

fn access_token_of(session: SessionId) -> AccessClaims {
    AccessClaims {
        iss: String::new(),
        aud: String::new(),
        sub: UserId(Uuid::from_u128(2)),
        sid: session,
        generation: Generation::FIRST,
        identity: Identity { email: String::new(), role: Role::User, is_verified: false },
        typ: AccessTokenType::Access,
        iat: NOW.wall,
        nbf: NOW.wall,
        exp: NOW.wall,
    }
}

fn names(sql: &Connection) -> Vec<String> {
    let mut rows = sql.prepare("SELECT name FROM meta ORDER BY name").unwrap();
    rows.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

fn put(work: &Work<'_>, name: &str) -> rusqlite::Result<()> {
    work.sql.execute("INSERT INTO meta (name, value) VALUES (?1, 0)", [name]).map(|_| ())
}

/// Writes until the database has no more room.
fn fill(work: &Work<'_>) -> rusqlite::Result<()> {
    let pages: i64 = work.sql.pragma_query_value(None, "page_count", |row| row.get(0))?;
    work.sql.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))?;
    work.sql
        .execute("INSERT INTO meta (name, value) VALUES (hex(zeroblob(100000)), 0)", [])
        .inspect_err(|error| assert_eq!(error.sqlite_error_code(), Some(ErrorCode::DiskFull)))
        .map(|_| ())
}

fn kind<T>(outcome: Result<T, Fault>) -> Option<FaultKind> {
    outcome.err().map(|fault| fault.kind())
}

#[tokio::test]
async fn a_job_that_fails_is_undone_alone() {
    let bench = Bench::new();
    let submit = &bench.writer;
    let path = bench.path();
    let jobs = async {
        tokio::join!(
            submit.submit(|work| put(work, "before")),
            submit.submit(|work| {
                put(work, "failed")?;
                work.revoke(Revocation::Session(SESSION), NOW)?;
                put(work, "before")
            }),
            submit.submit(|work| -> rusqlite::Result<()> {
                put(work, "panicked")?;
                work.revoke(Revocation::Session(SESSION), NOW)?;
                panic!("on purpose")
            }),
            submit.submit(move |work| {
                let outside = names(&schema::reopen(&path)?);
                put(work, "after")?;
                Ok((names(work.sql), outside))
            }),
        )
    };
    let (before, failed, panicked, after) = bench.batch(jobs).await;
    before.unwrap();
    assert_eq!(kind(failed), Some(FaultKind::Internal), "a broken constraint is a defect");
    assert_eq!(kind(panicked), Some(FaultKind::Internal));
    let (inside, outside) = after.unwrap();
    assert_eq!(inside, ["after", "before"]);
    assert!(outside.is_empty(), "they share one transaction: {outside:?}");
    assert_eq!(bench.names(), ["after", "before"]);
    assert!(!bench.is_revoked(SESSION));
}

#[tokio::test]
async fn a_full_database_takes_nothing_of_the_batch_and_works_again_after() {
    let bench = Bench::new();
    let jobs = async {
        bench.notes.record(SESSION, Generation::FIRST, NOW);
        tokio::join!(
            bench.writer.submit(|work| {
                work.revoke(Revocation::Session(SESSION), NOW)?;
                put(work, "neighbour")
            }),
            bench.writer.submit(|work| fill(work)),
            bench.writer.submit(|work| put(work, "later")),
        )
    };
    let (neighbour, full, later) = bench.batch(jobs).await;
    assert_eq!(kind(full), Some(FaultKind::Unavailable));
    assert_eq!(kind(neighbour), Some(FaultKind::Unavailable), "the whole transaction is gone");
    assert_eq!(kind(later), Some(FaultKind::Unavailable), "and is not carried on without it");
    assert!(bench.names().is_empty());
    assert!(!bench.is_revoked(SESSION));
    assert!(bench.notes.are_due());

    bench.writer.submit(|work| put(work, "again")).await.unwrap();
    assert_eq!(bench.names(), ["again"]);
    assert!(!bench.notes.are_due());
}

/// Ends the transaction from inside, as SQLite itself does on some failures.
fn give_up(work: &Work<'_>) -> rusqlite::Result<()> {
    put(work, "lost")?;
    work.sql.execute_batch("ROLLBACK")
}

#[tokio::test]
async fn a_transaction_that_ended_under_a_job_is_nobodys_success() {
    let bench = Bench::new();
    let jobs = async {
        tokio::join!(
            bench.writer.submit(|work| {
                work.revoke(Revocation::Session(SESSION), NOW)?;
                put(work, "before")
            }),
            bench.writer.submit(|work| give_up(work)),
            bench.writer.submit(|work| put(work, "after")),
        )
    };
    let (before, during, after) = bench.batch(jobs).await;
    for outcome in [before, during, after] {
        assert_eq!(kind(outcome), Some(FaultKind::Unavailable));
    }
    assert!(bench.names().is_empty(), "{:?}", bench.names());
    assert!(!bench.is_revoked(SESSION));
    bench.writer.submit(|work| put(work, "again")).await.unwrap();
    assert_eq!(bench.names(), ["again"]);
}

#[tokio::test]
async fn a_note_is_dropped_only_after_its_commit() {
    let bench = Bench::new();
    bench.writer.submit(|_| Ok(())).await.unwrap();
    bench.notes.record(SESSION, Generation::FIRST, NOW);
    assert_eq!(kind(bench.writer.submit(|work| give_up(work)).await), Some(FaultKind::Unavailable));
    assert!(bench.notes.are_due(), "the batch that took it along was lost");
    bench.writer.submit(|_| Ok(())).await.unwrap();
    assert!(!bench.notes.are_due());
}

#[tokio::test]
async fn a_failed_commit_is_nobodys_success() {
    let bench = Bench::new();
    let orphan = |work: &mut Work<'_>| {
        put(work, "orphan")?;
        // Checked at the commit: there is no such user.
        work.sql.execute_batch(
            "PRAGMA defer_foreign_keys = ON;
             INSERT INTO sessions VALUES (zeroblob(16), zeroblob(16), 0, 1, zeroblob(32), zeroblob(32),
                 zeroblob(33), 0, NULL, 0, 0, 0, '', '', NULL, NULL)",
        )
    };
    assert_eq!(kind(bench.writer.submit(orphan).await), Some(FaultKind::Unavailable));
    assert!(bench.names().is_empty());
    bench.writer.submit(|work| put(work, "again")).await.unwrap();
    assert_eq!(bench.names(), ["again"]);
}

#[tokio::test]
async fn closing_finishes_what_is_queued_and_folds_the_log() {
    let bench = Bench::new();
    let queued = bench.writer.submit(|work| put(work, "queued"));
    let (queued, ()) = tokio::join!(queued, async { bench.writer.close() });
    queued.unwrap();
    assert_eq!(size(&bench.data.path().join("doorward.db-wal")), 0);
    assert_eq!(bench.names(), ["queued"]);
    assert_eq!(kind(bench.writer.submit(|_| Ok(())).await), Some(FaultKind::Unavailable));
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

/// Whoever has to know what came of a write waits for it; whoever is served does not.
#[tokio::test]
async fn who_asks_patiently_waits_for_as_long_as_it_takes() {
    let bench = Bench::new();
    let (go_on, wait) = mpsc::channel::<()>();
    let slow = bench.writer.submit_patiently(move |_| Ok(wait.recv().is_ok()));
    let release = async {
        let fault = bench.writer.submit_within(Duration::ZERO, |_| Ok(())).await.unwrap_err();
        assert_eq!(fault.kind(), FaultKind::Unavailable);
        go_on.send(()).unwrap();
    };
    let (slow, ()) = tokio::join!(slow, release);
    assert!(slow.unwrap());
}
