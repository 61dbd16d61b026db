//! A restore is broken off after each of its steps, and what lies there then is opened.

use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;

use super::super::open_error::OpenError;
use super::super::revocations::{Revocations, Standing};
use super::super::schema::beside;
use super::*;
use crate::domain::claims::{AccessClaims, AccessTokenType, Identity, Role};
use crate::domain::id::{Generation, SessionId, UserId};
use crate::domain::time::Timestamp;

const NOW: Now = Now {
    wall: Timestamp::from_millis(1_800_000_000_000),
    steady: Timestamp::from_millis(1_800_000_000_000),
};

/// A data directory, and a backup beside it that says something else.
struct Scene {
    place: TempDir,
    /// Keeps a log beside the database, as a server does that was killed.
    killed: Option<Connection>,
}

fn say(sql: &Connection, what: &str) {
    sql.execute("INSERT INTO meta (name, value) VALUES (?1, 0)", [what]).unwrap();
}

impl Scene {
    /// The database says `old` in its file, and `newest` in its log.
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let scene = Self { place, killed: None };
        let backup = scene.backup();
        drop(schema::prepare(&backup).map(|sql| {
            say(&sql, "new");
            schema::single_file(&sql).unwrap();
        }));
        let mut file = OpenOptions::new().read(true).write(true).open(&backup).unwrap();
        seal::seal(&mut file, &mut |_| {}).unwrap();

        let live = scene.place.path().join("live/doorward.db");
        let sql = schema::prepare(&live).unwrap();
        say(&sql, "old");
        sql.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        say(&sql, "newest");
        // As it lies there in the middle of its life.
        copy_directory(&scene.place.path().join("live"), &scene.data());
        drop(sql);
        scene
    }

    fn data(&self) -> PathBuf {
        self.place.path().join("data")
    }

    fn path(&self) -> PathBuf {
        self.data().join("doorward.db")
    }

    fn backup(&self) -> PathBuf {
        self.place.path().join("backup.db")
    }

    fn restore(&self, step: Steps<'_>) -> Result<Restored, RestoreError> {
        restore_to(&self.path(), &self.backup(), step)
    }
}

fn restore_to(path: &Path, backup: &Path, step: Steps<'_>) -> Result<Restored, RestoreError> {
    let source = Source { file: backup, is_sealed: true, may_replace_aside: false };
    in_steps(path, source, NOW, &mut |_| {}, step)
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// What the database at `path` says, whole as it must be.
fn content(path: &Path) -> Vec<String> {
    let sql = schema::prepare(path).unwrap();
    let whole: String = sql.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
    let mut rows = sql
        .prepare("SELECT name FROM meta WHERE name IN ('old', 'newest', 'new') ORDER BY name")
        .unwrap();
    rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn whenever_it_is_broken_off_the_old_or_the_new_one_is_there() {
    let scene = Scene::new();
    let mut seen = Vec::new();
    scene
        .restore(&mut |step| {
            let rest = tempfile::tempdir().unwrap();
            copy_directory(&scene.data(), rest.path());
            let path = rest.path().join("doorward.db");
            let is_new = ["in place", "named"].contains(&step);
            let expected: &[&str] = if is_new { &["new"] } else { &["newest", "old"] };
            assert_eq!(content(&path), expected, "after {step:?}");
            let kept = match step {
                "in place" => Some(schema::replaced(&path)),
                "named" => Some(schema::aside(&path)),
                _ => None,
            };
            if let Some(kept) = kept {
                assert_eq!(content(&kept), ["newest", "old"], "what was there");
            }
            seen.push(step);
        })
        .unwrap();
    let steps =
        ["copied", "migrated", "settled", "staged", "folded", "linked", "in place", "named"];
    assert_eq!(seen, steps);
    assert_eq!(content(&scene.path()), ["new"]);
}

/// Both names are those of one file then, and the database may have gone on.
#[test]
fn one_that_was_broken_off_can_be_done_again() {
    let scene = Scene::new();
    fs::hard_link(scene.path(), schema::replaced(&scene.path())).unwrap();
    fs::write(beside(&scene.path(), ".restoring"), "half").unwrap();
    fs::write(beside(&scene.path(), ".restoring-wal"), "of it").unwrap();
    scene.restore(&mut |_| {}).unwrap();
    assert_eq!(content(&scene.path()), ["new"]);
    assert_eq!(content(&schema::aside(&scene.path())), ["newest", "old"]);
}

/// SQLite cannot fold it: it goes aside as it is, with its log, and is out of the way for a moment.
/// No start takes the empty place for a new installation, or the log for that of the new database.
#[test]
fn a_database_beyond_repair_gives_way_too() {
    let scene = Scene::new();
    let mut damaged = fs::read(scene.path()).unwrap();
    damaged[..100].fill(0xff);
    fs::write(scene.path(), &damaged).unwrap();
    let log = fs::read(beside(&scene.path(), "-wal")).unwrap();
    assert!(!log.is_empty());
    let mut seen = Vec::new();
    let restored = scene.restore(&mut |step| {
        let rest = tempfile::tempdir().unwrap();
        copy_directory(&scene.data(), rest.path());
        let path = rest.path().join("doorward.db");
        match step {
            "in place" | "named" => assert_eq!(content(&path), ["new"]),
            "put aside" | "part put aside" => {
                let error = schema::prepare(&path).unwrap_err();
                assert!(matches!(error, OpenError::Unfinished { .. }), "{step}: {error}");
                restore_to(&path, &scene.backup(), &mut |_| {}).unwrap();
                assert_eq!(content(&path), ["new"], "done again after {step:?}");
                assert_eq!(fs::read(schema::aside(&path)).unwrap(), damaged);
                assert_eq!(fs::read(beside(&schema::aside(&path), "-wal")).unwrap(), log);
            }
            _ => assert_eq!(fs::read(&path).unwrap(), damaged, "after {step:?}"),
        }
        seen.push(step);
    });
    let aside = restored.unwrap().aside.unwrap();
    let part = "part put aside";
    assert_eq!(seen[4..], ["folded", "put aside", part, part, part, "in place", "named"]);
    assert_eq!(fs::read(&aside).unwrap(), damaged);
    assert_eq!(fs::read(beside(&aside, "-wal")).unwrap(), log);
    assert_eq!(content(&scene.path()), ["new"]);
}

#[test]
fn nobody_else_may_have_it_open_and_nothing_is_written_over() {
    let mut scene = Scene::new();
    scene.killed = Some(schema::reopen(&scene.path()).unwrap());
    let count = |sql: &Connection| sql.query_row("SELECT count(*) FROM meta", [], |row| row.get(0));
    let before: i64 = count(scene.killed.as_ref().unwrap()).unwrap();
    let error = scene.restore(&mut |_| {}).unwrap_err();
    assert!(matches!(error, RestoreError::InUse(_)), "{error}");
    assert_eq!(count(scene.killed.as_ref().unwrap()), Ok(before));
    scene.killed = None;
    assert_eq!(content(&scene.path()), ["newest", "old"]);
    assert!(!beside(&scene.path(), ".restoring").exists(), "nothing is left behind");

    scene.restore(&mut |_| {}).unwrap();
    let error = scene.restore(&mut |_| {}).unwrap_err();
    assert!(matches!(error, RestoreError::AsideIsTaken(_)), "{error}");
    assert_eq!(content(&schema::aside(&scene.path())), ["newest", "old"]);
}

fn undo(aside: &Path) -> Source<'_> {
    Source { file: aside, is_sealed: false, may_replace_aside: true }
}

/// The wrong backup was restored, and what it has replaced is the only copy of the database.
#[test]
fn what_was_put_aside_is_there_until_it_is_back() {
    let mut scene = Scene::new();
    scene.restore(&mut |_| {}).unwrap();
    let (path, aside) = (scene.path(), schema::aside(&scene.path()));
    // With a log, as a server opens it: whoever has one without it open holds no lock.
    scene.killed = Some(schema::prepare(&path).unwrap());
    let error = in_steps(&path, undo(&aside), NOW, &mut |_| {}, &mut |_| {}).unwrap_err();
    assert!(matches!(error, RestoreError::InUse(_)), "{error}");
    assert_eq!(content(&aside), ["newest", "old"]);
    scene.killed = None;

    // Whenever it is broken off, both are there. Then it is done again.
    let mut seen = Vec::new();
    let mut look = |step| {
        let rest = tempfile::tempdir().unwrap();
        copy_directory(&scene.data(), rest.path());
        let path = rest.path().join("doorward.db");
        let [replaced, aside] = [schema::replaced(&path), schema::aside(&path)];
        let is_new = ["in place", "named"].contains(&step);
        assert_eq!(content(&path) == ["newest", "old"], is_new, "after {step:?}");
        let kept = if step == "in place" { &replaced } else { &aside };
        let expected: &[&str] = if is_new { &["new"] } else { &["newest", "old"] };
        assert_eq!(content(kept), expected, "after {step:?}");
        seen.push(step);
    };
    let restored = in_steps(&path, undo(&aside), NOW, &mut |_| {}, &mut look).unwrap();
    assert_eq!(restored.aside.as_deref(), Some(&*aside));
    assert_eq!(seen[4..], ["folded", "linked", "in place", "named"]);
    assert_eq!(content(&path), ["newest", "old"]);
    assert_eq!(content(&aside), ["new"]);
}

/// Where a file cannot have two names the old one goes first, and is not there for a moment. What lies in
/// the way here is as good a reason.
#[test]
fn without_hard_links_it_takes_two_steps() {
    let scene = Scene::new();
    let (path, replaced) = (scene.path(), schema::replaced(&scene.path()));
    let mut seen = Vec::new();
    let mut look = |step| {
        if step == "folded" {
            fs::write(&replaced, "").unwrap();
        }
        let rest = tempfile::tempdir().unwrap();
        copy_directory(&scene.data(), rest.path());
        let path = rest.path().join("doorward.db");
        if ["put aside", "part put aside"].contains(&step) {
            let error = schema::prepare(&path).unwrap_err();
            assert!(matches!(error, OpenError::Unfinished { .. }), "{step}: {error}");
            restore_to(&path, &scene.backup(), &mut |_| {}).unwrap();
            assert_eq!(content(&path), ["new"], "done again after {step:?}");
            assert_eq!(content(&schema::aside(&path)), ["newest", "old"]);
        }
        seen.push(step);
    };
    scene.restore(&mut look).unwrap();
    let part = "part put aside";
    assert_eq!(seen[4..], ["folded", "put aside", part, part, part, "in place", "named"]);
    assert_eq!(content(&path), ["new"]);
    assert_eq!(content(&schema::aside(&path)), ["newest", "old"]);
}

/// The last move fails: the old one is in its place again.
#[test]
fn what_cannot_be_finished_is_undone() {
    for (way, is_linked) in [("linked", true), ("put aside", false)] {
        let scene = Scene::new();
        let (path, replaced) = (scene.path(), schema::replaced(&scene.path()));
        let error = scene.restore(&mut |step| {
            if step == "folded" && !is_linked {
                fs::write(&replaced, "").unwrap();
            }
            if step == way {
                fs::remove_file(beside(&path, ".restoring")).unwrap();
            }
        });
        let error = error.unwrap_err();
        assert!(matches!(error, RestoreError::Io { .. }), "{error}");
        assert!(!replaced.exists(), "{way}");
        assert_eq!(content(&path), ["newest", "old"], "{way}");
    }
}

/// Killed between its last two steps, on a second restore.
#[test]
fn what_a_restore_has_left_is_finished_first_or_refused() {
    let scene = Scene::new();
    let (path, aside) = (scene.path(), schema::aside(&scene.path()));
    let replaced = schema::replaced(&path);
    scene.restore(&mut |_| {}).unwrap();
    fs::rename(&aside, &replaced).unwrap();
    let error = scene.restore(&mut |_| {}).unwrap_err();
    assert!(matches!(error, RestoreError::AsideIsTaken(_)), "{error}");
    assert_eq!(content(&aside), ["newest", "old"], "it has its name now");

    // What is read is not given up for what was left.
    fs::copy(&path, &replaced).unwrap();
    for source in [&aside, &replaced] {
        let error = in_steps(&path, undo(source), NOW, &mut |_| {}, &mut |_| {}).unwrap_err();
        assert!(matches!(error, RestoreError::Leftover(_)), "{error}");
    }
    assert_eq!(content(&aside), ["newest", "old"]);
    let half = beside(&path, ".restoring");
    fs::copy(&path, &half).unwrap();
    let error = in_steps(&path, undo(&half), NOW, &mut |_| {}, &mut |_| {}).unwrap_err();
    assert!(matches!(error, RestoreError::HalfMade(_)), "{error}");
    assert!(half.exists());
}

/// A server was killed, and somebody has removed the database but not its log.
#[test]
fn a_log_without_its_database_becomes_that_of_no_other() {
    let scene = Scene::new();
    let (path, aside) = (scene.path(), schema::aside(&scene.path()));
    let log = fs::read(beside(&path, "-wal")).unwrap();
    assert!(!log.is_empty());
    scene.restore(&mut |_| {}).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(beside(&path, "-wal"), &log).unwrap();

    let error = schema::prepare(&path).unwrap_err();
    assert!(matches!(error, OpenError::Missing { .. }), "{error}");
    let error = scene.restore(&mut |_| {}).unwrap_err();
    assert!(matches!(error, RestoreError::Missing { .. }), "{error}");
    let source = Source { file: &scene.backup(), is_sealed: true, may_replace_aside: true };
    let restored = in_steps(&path, source, NOW, &mut |_| {}, &mut |_| {}).unwrap();
    let stray = beside(&path, "-wal.stray");
    assert_eq!((restored.aside, restored.strays), (None, vec![stray.clone()]));
    assert_eq!(fs::read(&stray).unwrap(), log);
    assert!(!beside(&aside, "-wal").exists());
    assert_eq!(content(&path), ["new"]);
    assert_eq!(content(&aside), ["newest", "old"]);

    // Nor does one beside the name that the old database gets.
    fs::remove_file(&aside).unwrap();
    fs::write(beside(&aside, "-wal"), &log).unwrap();
    let restored = scene.restore(&mut |_| {}).unwrap();
    assert_eq!(restored.strays, [beside(&aside, "-wal.stray")]);
    assert_eq!(content(&aside), ["new"]);
}

/// A backup of each schema there ever was.
#[test]
fn older_schemas_are_brought_up_to_date() {
    for version in 1..schema::NEWEST {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("backup.db");
        let model = schema::model(version).unwrap();
        model.pragma_update(None, "application_id", 0x446f_6f72).unwrap();
        model.execute("VACUUM INTO ?1", [file.to_str().unwrap()]).unwrap();
        let mut sealed = OpenOptions::new().read(true).write(true).open(&file).unwrap();
        seal::seal(&mut sealed, &mut |_| {}).unwrap();
        let checks = check::check_file(&file, true, &mut |_| {}).unwrap();
        assert!(checks.iter().all(|check| check.found.is_empty()), "{version}: {checks:#?}");
        let path = place.path().join("doorward.db");
        let restored = restore_to(&path, &file, &mut |_| {}).unwrap();
        assert_eq!(restored.migrated_from, Some(version));
        let found: usize = schema::check_owner(&schema::look(&path).unwrap(), &path).unwrap();
        assert_eq!(found, schema::NEWEST);
    }
}

/// More than one statement ends.
#[test]
fn every_session_of_many_is_ended() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("copy.db");
    let sql = schema::prepare(&file).unwrap();
    sql.execute_batch(
        "INSERT INTO users VALUES (zeroblob(16), 'ana@example.com', '', 'user', 0, NULL, 1, 1, 1);
         WITH RECURSIVE some (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM some WHERE n < 25000)
         INSERT INTO sessions (id, user_id, created_at, generation, secret_hash, salt, key_id,
             rotated_at, expires_at, ends_at, last_used_at, ip, user_agent)
         SELECT CAST(format('%016d', n) AS BLOB), zeroblob(16), 1, 1, zeroblob(32), zeroblob(32),
             zeroblob(33), 1, 2, 3, 1, '', '' FROM some",
    )
    .unwrap();
    schema::single_file(&sql).unwrap();
    drop(sql);
    let path = place.path().join("doorward.db");
    let source = Source { file: &file, is_sealed: false, may_replace_aside: false };
    let restored = in_steps(&path, source, NOW, &mut |_| {}, &mut |_| {}).unwrap();
    assert_eq!((restored.users, restored.sessions), (1, 25_000));
    let live = "SELECT count(*) FROM sessions WHERE ended_at IS NULL";
    let live = schema::look(&path).unwrap().query_row(live, [], |row| row.get(0));
    assert_eq!(live, Ok(0));
}

const SECOND: Duration = Duration::from_secs(1);

/// A token of a session that was started at `start`.
fn token(start: Timestamp, iat: Timestamp) -> AccessClaims {
    AccessClaims {
        iss: String::new(),
        aud: String::new(),
        sub: UserId::default(),
        sid: SessionId::new(start, &[7; 10]),
        generation: Generation::FIRST,
        identity: Identity { email: String::new(), role: Role::User, is_verified: false },
        typ: AccessTokenType::Access,
        iat,
        nbf: iat,
        exp: iat.plus(SECOND),
    }
}

/// Access tokens are told by the time in them and in the id of their session. A clock that is behind
/// for a moment lets none of them in, and one that was ahead at the restore keeps nobody out.
#[test]
fn tokens_from_before_are_refused_and_later_ones_pass_whatever_the_clock_shows() {
    let scene = Scene::new();
    scene.restore(&mut |_| {}).unwrap();
    let sql = schema::prepare(&scene.path()).unwrap();
    let at = NOW.wall;
    let (early, later) = (at.minus(3600 * SECOND), at.plus(Duration::from_millis(1)));
    let now = |wall: Timestamp| Now { wall, steady: wall };
    for (name, start, iat, standing) in [
        ("before", early, early, Standing::Restored),
        ("at that moment", at, at, Standing::Restored),
        ("made while a clock was ahead", early, later.plus(3600 * SECOND), Standing::Restored),
        ("after", later, later, Standing::Good),
    ] {
        for start_of_server in [early.minus(SECOND), at.plus(SECOND)] {
            let revocations = Revocations::load(&sql, SECOND, now(start_of_server)).unwrap();
            // Its clock is put right.
            for wall in [early, at.plus(2 * SECOND)] {
                revocations.follow(&sql, now(wall)).unwrap();
                assert_eq!(revocations.standing(&token(start, iat)), standing, "{name}");
            }
        }
    }

    let behind = token(early, early.plus(SECOND));
    let revocations = Revocations::load(&sql, SECOND, now(early)).unwrap();
    revocations.not_before.note_made(&behind, now(behind.iat));
    for wall in [behind.iat, behind.iat.plus(SECOND), at.plus(SECOND)] {
        assert_eq!(revocations.standing(&behind), Standing::Good, "what is made now");
        assert_eq!(revocations.standing(&token(early, at)), Standing::Good, "of its session");
        assert_eq!(revocations.standing(&token(at, at)), Standing::Restored, "of another one");
        revocations.follow(&sql, now(wall)).unwrap();
    }
    revocations.follow(&sql, now(at.plus(3600 * SECOND))).unwrap();
    assert_eq!(
        revocations.standing(&behind),
        Standing::Restored,
        "it has expired, and is forgotten"
    );
}

/// A session that was started while the clock was ahead has an id that seems to be from after it.
#[test]
fn a_session_of_the_backup_is_known_to_have_ended_whatever_the_clock_showed() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("copy.db");
    let sql = schema::prepare(&file).unwrap();
    sql.execute_batch(
        "INSERT INTO users (id, email, password_hash, role, is_verified, created_at, updated_at)
         VALUES (zeroblob(16), 'ana@example.com', '', 'user', 0, 1, 1)",
    )
    .unwrap();
    let (ahead, right) = (NOW.wall.plus(3600 * SECOND), NOW.wall.minus(SECOND));
    for start in [ahead, right] {
        sql.execute(
            "INSERT INTO sessions (id, user_id, created_at, generation, secret_hash, salt, key_id,
                 rotated_at, expires_at, ends_at, last_used_at, ip, user_agent)
             VALUES (?1, zeroblob(16), ?2, 1, zeroblob(32), zeroblob(32), zeroblob(33), 1, ?2, ?2, ?2,
                 '', '')",
            params![token(start, start).sid.0, start.as_millis()],
        )
        .unwrap();
    }
    schema::single_file(&sql).unwrap();
    drop(sql);
    let path = place.path().join("doorward.db");
    let source = Source { file: &file, is_sealed: false, may_replace_aside: false };
    assert_eq!(in_steps(&path, source, NOW, &mut |_| {}, &mut |_| {}).unwrap().sessions, 2);
    let sql = schema::prepare(&path).unwrap();
    let revocations = Revocations::load(&sql, SECOND, NOW).unwrap();
    assert_eq!(revocations.standing(&token(ahead, ahead)), Standing::Ended);
    assert_eq!(revocations.standing(&token(right, ahead)), Standing::Restored);
    // Only of the one: the id of the other says enough.
    let rows = "SELECT at FROM revocations";
    let rows: Vec<i64> = sql
        .prepare(rows)
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows, [ahead.as_millis()], "as long as its tokens live");
}
