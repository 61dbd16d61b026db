//! Each operation of the disk fails while the store is opened, for the first time or after a
//! kill, and while it is closed: the next start finds everything.

use std::path::Path;

use doorward::clock::{Clock as _, FakeClock};
use doorward::store::{OpenError, Store};
use doorward_test_vfs::{Disk, Fault};

use crate::common::{ACCESS_TTL, beginning};
use crate::scene::Scene;
use crate::state::State;
use crate::writing::KINDS;

fn open(directory: &Path) -> Result<Store, OpenError> {
    let now = FakeClock::at(beginning()).now();
    Store::open(&directory.join("doorward.db"), ACCESS_TTL, now)
}

/// Whether an error sends its reader after something that is not the matter.
fn misleads(error: &OpenError) -> bool {
    matches!(error, OpenError::Foreign(_) | OpenError::Newer { .. } | OpenError::Damaged { .. })
}

/// Lets each operation of `thread` in `act` fail, in a directory made by `prepare`. However that
/// ends, the state is `expected` after it, also when the power goes. How many faults there were.
fn enumerate(
    thread: Option<&str>,
    expected: &State,
    prepare: impl Fn(&Path),
    act: impl Fn(&Path, &dyn Fn()) -> Result<(), OpenError>,
) -> usize {
    let mut injected = 0;
    for (operation, code, _) in KINDS {
        for lasts in [false, true] {
            for nth in 1.. {
                let directory = tempfile::tempdir().unwrap();
                let path = directory.path();
                prepare(path);
                let disk = Disk::of(path).unwrap();
                let fault = Fault { operation, nth, lasts, code, thread };
                let outcome = act(path, &|| disk.arm(fault));
                let (position, report) = (disk.position(), disk.disarm());
                if let Err(error) = &outcome {
                    assert!(report.failed > 0 && !misleads(error), "{fault:?}: {error}");
                }
                let is_whole = |path: &Path, when: &str| {
                    let store = open(path).unwrap();
                    let state = State::of(store.path());
                    let difference = expected.difference(&state);
                    assert!(state == *expected, "{fault:?}: {when}:\n{difference}");
                };
                let rest = tempfile::tempdir().unwrap();
                disk.lose_power(position, nth as u64, rest.path()).unwrap();
                is_whole(rest.path(), "after a power loss");
                is_whole(path, "opened again");
                if report.failed == 0 {
                    break;
                }
                injected += 1;
            }
        }
    }
    injected
}

#[test]
fn the_first_start() {
    let clean = tempfile::tempdir().unwrap();
    drop(open(clean.path()).unwrap());
    let expected = State::of(&clean.path().join("doorward.db"));
    let thread = std::thread::current();
    let injected = enumerate(
        thread.name(),
        &expected,
        |_| {},
        |path, arm| {
            arm();
            open(path).map(drop)
        },
    );
    println!("the first start: {injected} faults");
    assert!(injected > 100, "{injected}");
}

#[tokio::test]
async fn a_start_after_a_kill() {
    let scene = Scene::new().await;
    let (expected, position) = (scene.state(), scene.disk.position());
    let thread = std::thread::current();
    let injected = enumerate(
        thread.name(),
        &expected,
        |path| scene.disk.copy(position, path).unwrap(),
        |path, arm| {
            arm();
            open(path).map(drop)
        },
    );
    println!("a start after a kill: {injected} faults");
    assert!(injected > 20, "{injected}");
}

#[tokio::test]
async fn closing() {
    let scene = Scene::new().await;
    let (expected, position) = (scene.state(), scene.disk.position());
    let injected = enumerate(
        None,
        &expected,
        |path| scene.disk.copy(position, path).unwrap(),
        |path, arm| {
            let store = open(path)?;
            arm();
            store.close_for_good();
            Ok(())
        },
    );
    println!("closing: {injected} faults");
    assert!(injected > 20, "{injected}");
}
