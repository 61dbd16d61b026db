//! Each operation of the disk, in each transaction that matters, fails once, and for good.

use std::ffi::c_int;
use std::fmt;

use doorward::fault::FaultKind;
use doorward_test_vfs::{Fault, Operation, Report};
use rusqlite::ffi;

use crate::request::{Answer, Request};
use crate::scene::{Act, Condition, Scene};
use crate::state::State;

const WRITER: Option<&str> = Some("store-writer");

/// What fails, how, and to whom. What readers do, too, fails for the writer alone.
pub const KINDS: [(Operation, c_int, Option<&str>); 9] = [
    (Operation::Write, ffi::SQLITE_FULL, None),
    (Operation::Write, ffi::SQLITE_IOERR_WRITE, None),
    (Operation::Sync, ffi::SQLITE_IOERR_FSYNC, None),
    (Operation::Truncate, ffi::SQLITE_IOERR_TRUNCATE, None),
    (Operation::Open, ffi::SQLITE_CANTOPEN, WRITER),
    (Operation::Read, ffi::SQLITE_IOERR_READ, WRITER),
    (Operation::Delete, ffi::SQLITE_IOERR_DELETE, WRITER),
    (Operation::ShmMap, ffi::SQLITE_IOERR_SHMMAP, WRITER),
    (Operation::ShmLock, ffi::SQLITE_IOERR_SHMLOCK, WRITER),
];

/// What came of it.
#[derive(Debug, Default)]
struct Tally {
    injected: usize,
    /// Requests that were refused, and those of them that had happened all the same.
    refused: usize,
    happened: usize,
}

/// Every operation of `act`.
async fn enumerate(act: Act, condition: Condition) {
    let mut tally = Tally::default();
    // A long log takes long to make: one way to fail is enough there.
    let skipped = usize::from(condition == Condition::LongLog);
    for (operation, code, thread) in KINDS.into_iter().skip(skipped) {
        for lasts in [false, true] {
            let mut nth = 1;
            loop {
                let fault = Fault { operation, nth, lasts, code, thread };
                if !survives(act, condition, fault, &mut tally).await {
                    break;
                }
                nth += 1;
            }
        }
    }
    println!("{act:?}, {condition:?}: {tally:?}");
    // A rotation writes one page and syncs once; everything else does more.
    assert!(tally.injected > 10 && tally.refused > 10, "{act:?}: {tally:?}");
}

/// One request under one fault, and what is left after it. Whether it failed anything.
async fn survives(act: Act, condition: Condition, fault: Fault<'_>, tally: &mut Tally) -> bool {
    let mut trial = Trial::new(act, condition, fault).await;
    let (answer, report) = trial.under_fault(fault).await;
    let state = trial.scene.state();
    match &answer {
        Ok(answer) => {
            assert_eq!(*answer, trial.expected, "{trial:?}");
            trial.is_done("a yes that does not hold");
        }
        Err(refusal) => {
            assert!(report.failed > 0, "{trial:?}: {refusal}");
            assert_eq!(refusal.kind(), FaultKind::Unavailable, "{trial:?}: {refusal}");
            trial.is_not_half_done(&state);
            trial.is_not_half_done(&trial.scene.after_power_loss(trial.seed));
            tally.refused += 1;
            tally.happened += usize::from(state == trial.after);
        }
    }
    if report.failed == 0 {
        return false;
    }
    tally.injected += 1;

    // The disk is well again, and so is the store, by itself.
    if answer.is_err() && (state == trial.before || act == Act::Rotate) {
        trial.asked_again(fault).await;
    }
    trial.is_done("a retry that does not hold");
    trial.scene.refuses_what_has_ended().await;
    trial.scene.world.restart();
    trial.is_done("after a restart");
    trial.scene.refuses_what_has_ended().await;
    true
}

/// A request, what there was before it, and what it does where nothing fails.
struct Trial {
    name: String,
    /// Of the power losses.
    seed: u64,
    scene: Scene,
    request: Request,
    before: State,
    expected: Answer,
    after: State,
}

impl fmt::Debug for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Trial {
    async fn new(act: Act, condition: Condition, fault: Fault<'_>) -> Self {
        let scene = Scene::in_condition(condition).await;
        let request = scene.request(act);
        let before = scene.state();
        let (expected, after) = scene.twin(&request).await;
        let name = format!("{act:?}, {condition:?}, under {fault:?}");
        Self { name, seed: fault.nth as u64, scene, request, before, expected, after }
    }

    async fn send(&self) -> Result<Answer, doorward::fault::Fault> {
        self.request.send(&self.scene.world.store, self.scene.world.now()).await
    }

    /// Sends the request, twice where the fault lasts. Readers are served in the meantime.
    async fn under_fault(
        &self,
        fault: Fault<'_>,
    ) -> (Result<Answer, doorward::fault::Fault>, Report) {
        self.scene.disk.arm(fault);
        let mut answer = self.send().await;
        self.scene.can_be_read().await;
        if answer.is_err() && fault.lasts && self.scene.state() != self.after {
            answer = self.send().await;
        }
        (answer, self.scene.disk.disarm())
    }

    /// Sends it once more, where nothing fails. After a failed sync that takes a new connection.
    async fn asked_again(&self, fault: Fault<'_>) {
        let counter =
            Fault { operation: Operation::Open, nth: usize::MAX, thread: WRITER, ..fault };
        self.scene.disk.arm(counter);
        let again = self.send().await.unwrap();
        let reopened = self.scene.disk.disarm().met > 0;
        assert_eq!(again, self.expected, "{self:?}");
        let is_needed = fault.operation == Operation::Sync;
        assert!(reopened || !is_needed, "{self:?}: the old connection was trusted");
    }

    /// It is there, and stays there when the power goes.
    fn is_done(&self, otherwise: &str) {
        for state in [self.scene.state(), self.scene.after_power_loss(self.seed)] {
            let difference = || self.after.difference(&state);
            assert!(state == self.after, "{self:?}: {otherwise}:\n{}", difference());
        }
    }

    fn is_not_half_done(&self, state: &State) {
        let difference = || self.after.difference(state);
        assert!(
            [&self.before, &self.after].contains(&state),
            "{self:?}: half done:\n{}",
            difference()
        );
    }
}

#[tokio::test]
async fn a_sign_in() {
    enumerate(Act::SignIn, Condition::Plain).await;
}

#[tokio::test]
async fn a_rotation() {
    enumerate(Act::Rotate, Condition::Plain).await;
}

#[tokio::test]
async fn a_reuse() {
    enumerate(Act::Reuse, Condition::Plain).await;
}

#[tokio::test]
async fn a_logout() {
    enumerate(Act::Logout, Condition::Plain).await;
}

#[tokio::test]
async fn a_revocation() {
    enumerate(Act::Revoke, Condition::Plain).await;
}

#[tokio::test]
async fn a_rotation_that_folds_the_log() {
    enumerate(Act::Rotate, Condition::LongLog).await;
}

#[tokio::test]
async fn a_logout_that_folds_the_log() {
    enumerate(Act::Logout, Condition::LongLog).await;
}

#[tokio::test]
async fn a_rotation_on_a_new_connection() {
    enumerate(Act::Rotate, Condition::Reopening).await;
}

#[tokio::test]
async fn a_reuse_on_a_new_connection() {
    enumerate(Act::Reuse, Condition::Reopening).await;
}
