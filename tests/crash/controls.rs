//! Positive controls: the checks see what a server that breaks its promises would leave behind.
//! Each one tampers with the files while the server is down.

use std::fs;
use std::path::Path;

use super::ledger::Breach::{
    self, Accused, Damaged, HalfAnEnd, LostRotation, LostSignIn, SignedOut, UndoneEnd,
};
use super::ledger::Ledger;
use super::post_mortem;
use super::trial::Trial;

/// What is done to the files.
enum Tampering {
    /// Statements that no rule of the schema stops.
    Sql(&'static str),
    /// An older state of the database is put back.
    RollBack,
}

#[tokio::test]
async fn each_broken_promise_is_seen() {
    use Tampering::{RollBack, Sql};
    let cases: &[(&str, Tampering, &[Breach])] = &[
        ("nothing", Sql(""), &[]),
        ("older files", RollBack, &[LostRotation, UndoneEnd, Accused]),
        (
            "sessions that are gone",
            Sql("DELETE FROM sessions WHERE ended_at IS NULL"),
            &[LostSignIn, LostRotation],
        ),
        ("accounts that are gone", Sql("DELETE FROM users"), &[LostSignIn, LostRotation]),
        (
            "a rotation too many",
            Sql("UPDATE sessions SET generation = generation + 1"),
            &[LostRotation, Accused],
        ),
        (
            "lost answers that cannot be given again",
            Sql("UPDATE sessions SET salt = zeroblob(32)"),
            &[SignedOut, Accused],
        ),
        (
            "ended sessions that live again",
            Sql("UPDATE sessions SET ended_at = NULL, end_reason = NULL"),
            &[UndoneEnd],
        ),
        (
            "sessions that live by their refresh tokens alone",
            Sql("UPDATE sessions SET ended_at = NULL, end_reason = NULL;
                 INSERT INTO revocations (at, session_id) SELECT last_used_at, id FROM sessions"),
            &[UndoneEnd, HalfAnEnd, LostRotation],
        ),
        ("access tokens that outlive their sessions", Sql("DELETE FROM revocations"), &[UndoneEnd]),
        (
            "sessions of nobody",
            Sql("PRAGMA foreign_keys = OFF;
                 UPDATE sessions SET user_id = zeroblob(16) WHERE ended_at IS NOT NULL"),
            &[Damaged],
        ),
        (
            "a row that breaks the rules",
            Sql("PRAGMA ignore_check_constraints = ON; UPDATE sessions SET ended_at = NULL"),
            &[Damaged],
        ),
    ];
    let mut trial = Trial::new(1);
    let (older, last) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    trial.run(60).await;
    loop {
        copy_database(trial.data(), older.path());
        trial.run(300).await;
        if trial.has_one_of_each() {
            break;
        }
    }
    copy_database(trial.data(), last.path());
    let clients = trial.clients.clone();
    assert_eq!(trial.ledger.breaches(), [].into());

    for (name, tampering, expected) in cases {
        trial.clients.clone_from(&clients);
        trial.ledger = Ledger::default();
        copy_database(last.path(), trial.data());
        match tampering {
            Sql(sql) => post_mortem::open(trial.data()).execute_batch(sql).unwrap(),
            RollBack => copy_database(older.path(), trial.data()),
        }
        trial.check().await;
        let found = trial.ledger.breaches();
        println!("control {name}: {found:?}");
        for breach in *expected {
            assert!(found.contains_key(breach), "{name}: no {breach:?} among {found:?}");
        }
        assert_eq!(found.is_empty(), expected.is_empty(), "{name}: {found:?}");
    }
}

/// Database and write-ahead log; the index of the log is made anew.
fn copy_database(from: &Path, to: &Path) {
    for name in ["doorward.db", "doorward.db-wal"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
    let _ = fs::remove_file(to.join("doorward.db-shm"));
}
