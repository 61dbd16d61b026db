//! An upgrade from each schema is cut short: by a kill or a power loss after each thing that it does to
//! the disk, and by an error at each operation. The next start finishes it, and nothing is lost.

#[path = "../upgrade/fixture.rs"]
mod fixture;

use std::fs;
use std::path::Path;

use doorward::clock::{Clock as _, FakeClock};
use doorward::domain::time::Timestamp;
use doorward::store::{OpenError, Store};
use doorward_test_vfs::{Disk, Fault};

use self::fixture::{Fixture, connect, content, is_sound, schema, tables, version};
use crate::common::ACCESS_TTL;
use crate::writing::KINDS;

/// What an upgrade must keep, and where it must arrive.
struct Wanted {
    newest: usize,
    schema: Vec<String>,
    old_schema: Vec<String>,
    tables: Vec<(String, Vec<String>)>,
    rows: Vec<String>,
}

impl Fixture {
    fn open(&self, directory: &Path) -> Result<Store, OpenError> {
        let at = Timestamp::from_millis(self.facts["at"].as_i64().unwrap());
        Store::open(&directory.join("doorward.db"), ACCESS_TTL, FakeClock::at(at).now())
    }

    /// That an upgrade which was cut short is as if it had not begun, or as if it had ended; and that
    /// the next start ends it.
    fn is_finished_by_the_next_start(&self, directory: &Path, wanted: &Wanted, case: &str) {
        let look = |directory: &Path, when: &str| {
            let sql = connect(&directory.join("doorward.db"));
            is_sound(&sql);
            assert!(content(&sql, &wanted.tables) == wanted.rows, "{case}: rows are lost {when}");
            (version(&sql), schema(&sql))
        };
        // At a copy: whoever looks repairs.
        let copy = tempfile::tempdir().unwrap();
        for file in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap()) {
            fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
        let (old, new) = ((self.schema, &wanted.old_schema), (wanted.newest, &wanted.schema));
        let (found, tables) = look(copy.path(), "at once");
        assert!([old, new].contains(&(found, &tables)), "{case}: half done: {found}, {tables:?}");
        drop(self.open(directory).unwrap_or_else(|error| panic!("{case}: {error}")));
        let (found, tables) = look(directory, "by the next start");
        assert_eq!((found, &tables), new, "{case}");
    }

    /// One upgrade, and all that was done to the disk on the way.
    fn cut_short_at_each_write(&self, wanted: &Wanted) -> usize {
        let directory = tempfile::tempdir().unwrap();
        self.restore(directory.path());
        let disk = Disk::of(directory.path()).unwrap();
        let begin = disk.position();
        drop(self.open(directory.path()).unwrap());
        for position in begin..=disk.position() {
            let killed = tempfile::tempdir().unwrap();
            disk.copy(position, killed.path()).unwrap();
            let case = format!("schema {}, killed at {position}", self.schema);
            self.is_finished_by_the_next_start(killed.path(), wanted, &case);
            for seed in 0..seeds() {
                let dark = tempfile::tempdir().unwrap();
                let seed = seed * 1000 + position as u64;
                disk.lose_power(position, seed, dark.path()).unwrap();
                let case = format!("schema {}, without power at {position}, {seed}", self.schema);
                self.is_finished_by_the_next_start(dark.path(), wanted, &case);
            }
        }
        disk.position() - begin
    }

    /// An error at each operation.
    fn refused_at_each_operation(&self, wanted: &Wanted) -> usize {
        let mut injected = 0;
        let thread = std::thread::current();
        for (operation, code, _) in KINDS {
            for nth in 1.. {
                let directory = tempfile::tempdir().unwrap();
                self.restore(directory.path());
                let disk = Disk::of(directory.path()).unwrap();
                let fault = Fault { operation, nth, lasts: true, code, thread: thread.name() };
                disk.arm(fault);
                let outcome = self.open(directory.path()).map(drop);
                let report = disk.disarm();
                assert!(outcome.is_ok() || report.failed > 0, "{outcome:?}");
                let case = format!("schema {}, {fault:?}", self.schema);
                self.is_finished_by_the_next_start(directory.path(), wanted, &case);
                if report.failed == 0 {
                    break;
                }
                injected += 1;
            }
        }
        injected
    }
}

/// Power losses at each write.
fn seeds() -> u64 {
    let asked = std::env::var("DOORWARD_POWER_LOSSES");
    asked.map_or(1, |number| number.parse::<u64>().unwrap().div_ceil(400))
}

/// Of each fixture: what an upgrade has to keep, and `act` on it, which counts.
fn each(act: impl Fn(&Fixture, &Wanted) -> usize) -> usize {
    let clean = tempfile::tempdir().unwrap();
    let first = clean.path().join("doorward.db");
    let now = FakeClock::at(crate::common::beginning()).now();
    drop(Store::open(&first, ACCESS_TTL, now).unwrap());
    let sql = connect(&first);
    let (newest, newest_schema) = (version(&sql), schema(&sql));
    let fixtures = Fixture::all(newest);
    let older = &fixtures[..newest - 1];
    older
        .iter()
        .map(|fixture| {
            let directory = tempfile::tempdir().unwrap();
            fixture.restore(directory.path());
            let sql = connect(&directory.path().join("doorward.db"));
            let tables = tables(&sql);
            let rows = content(&sql, &tables);
            assert!(rows.len() > 20);
            let (schema, old_schema) = (newest_schema.clone(), schema(&sql));
            act(fixture, &Wanted { newest, schema, old_schema, tables, rows })
        })
        .sum()
}

#[test]
fn an_upgrade_that_is_killed_is_finished_by_the_next_start() {
    let writes = each(Fixture::cut_short_at_each_write);
    println!("upgrades were cut short at {writes} writes");
    assert!(writes > 100, "{writes}");
}

#[test]
fn an_upgrade_that_meets_an_error_is_finished_by_the_next_start() {
    let faults = each(Fixture::refused_at_each_operation);
    println!("upgrades met {faults} errors");
    assert!(faults > 100, "{faults}");
}
