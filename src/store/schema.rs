//! Opening the database: whose file it is, its settings, its migrations.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::config::DbConfig;
use rusqlite::ffi::{Error, SQLITE_BUSY, SQLITE_READONLY};
use rusqlite::{Connection, OpenFlags, Transaction};
use rusqlite_migration::{M, Migrations};

use super::devices;
use super::open_error::OpenError;

/// Marks the file as Doorward's (`Door` in ASCII).
const APPLICATION_ID: i32 = 0x446f_6f72;

/// The oldest SQLite whose WAL mode is sound with two processes on a file.
pub(super) const MIN_SQLITE: (i32, &str) = (3_051_003, "3.51.3");

/// How long a writer waits for another process, the command line, to finish its transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_accounts_and_sessions.sql"),
    include_str!("migrations/0002_profiles.sql"),
    include_str!("migrations/0003_outbox.sql"),
    include_str!("migrations/0004_one_time_tokens.sql"),
    include_str!("migrations/0005_audit.sql"),
    include_str!("migrations/0006_invitations.sql"),
    include_str!("migrations/0007_devices.sql"),
    include_str!("migrations/0008_keys.sql"),
    include_str!("migrations/0009_notices.sql"),
    include_str!("migrations/0010_held_addresses.sql"),
];

/// The newest schema that this binary knows.
pub(super) const NEWEST: usize = MIGRATIONS.len();

static LADDER: LazyLock<Migrations<'_>> = LazyLock::new(|| {
    Migrations::new((1..).zip(MIGRATIONS).map(|(to, sql)| step(to, sql)).collect())
});

/// The migration to a schema: its SQL, and in the same transaction what SQL cannot do.
fn step(to: usize, sql: &'static str) -> M<'static> {
    match to {
        9 => M::up_with_hook(sql, |sql: &Transaction<'_>| Ok(devices::take_over(sql)?)),
        _ => M::up(sql),
    }
}

/// Opens the database for writing, made and migrated.
pub(super) fn prepare(path: &Path) -> Result<Connection, OpenError> {
    if rusqlite::version_number() < MIN_SQLITE.0 {
        return Err(OpenError::OldSqlite { found: rusqlite::version() });
    }
    let directory = path.parent().unwrap_or(Path::new("."));
    let unusable = |error| OpenError::directory(directory, error);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(unusable)?;
    // Two processes that start at once must not both run a migration.
    let _lock = lock(directory).map_err(unusable)?;
    check_finished(path)?;
    create_private(path).map_err(unusable)?;
    let has_log = fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0);

    let refused = |error| OpenError::database(path, error);
    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_CREATE).map_err(refused)?;
    check_writable(&connection).map_err(refused)?;
    // Whoever is the last to close a database folds its log into it: not into one that is refused.
    let keep_log =
        |keep| connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep);
    keep_log(has_log).map_err(refused)?;
    check_owner(&connection, path)?;
    keep_log(false).map_err(refused)?;
    configure(&connection).and_then(|()| claim(&connection)).map_err(refused)?;
    LADDER.to_latest(&mut connection)?;
    Ok(connection)
}

/// Keeps other processes from opening a database in `directory`, until it is dropped.
pub(super) fn lock(directory: &Path) -> io::Result<fs::File> {
    let lock = fs::File::open(directory)?;
    lock.lock()?;
    Ok(lock)
}

/// `path` with `end` behind its name.
pub(super) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Where a restore puts the database that it replaces.
pub(super) fn aside(path: &Path) -> PathBuf {
    beside(path, ".before-restore")
}

/// And what that is called until the new one is in its place.
pub(super) fn replaced(path: &Path) -> PathBuf {
    beside(path, ".replaced")
}

/// An empty database in the place of one that was put aside would look like a fresh installation.
fn check_finished(path: &Path) -> Result<(), OpenError> {
    if path.exists() {
        return Ok(());
    }
    let (path, replaced, aside) = (path.to_owned(), replaced(path), aside(path));
    if replaced.exists() {
        return Err(OpenError::Unfinished { path, replaced });
    }
    if aside.exists() { Err(OpenError::Missing { path, aside }) } else { Ok(()) }
}

/// The first write. There is none where it was made before: the command line would have to wait for
/// its turn beside a busy server, only to open.
fn claim(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let owner = connection.query_row("PRAGMA application_id", [], |row| row.get(0));
    if owner == Ok(APPLICATION_ID) {
        return Ok(());
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID)
}

/// Addresses and password hashes are nobody else's business. SQLite gives its other files the
/// permissions of the database. A file that exists is left to SQLite: to open and close it here
/// would drop the locks of this process.
fn create_private(path: &Path) -> io::Result<()> {
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        created => created.map(drop),
    }
}

/// Opens a prepared database for writing once more. One that has vanished is not made anew.
pub(super) fn reopen(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path, OpenFlags::empty())?;
    configure(&connection)?;
    Ok(connection)
}

/// Read-only connections to a prepared database.
pub(super) fn reader(path: &Path) -> SqliteConnectionManager {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    SqliteConnectionManager::file(path).with_flags(flags).with_init(|connection| {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(32);
        connection.pragma_update(None, "query_only", true)
    })
}

/// Opens a database in one file for reading, as it lies there: nothing is made beside it.
#[expect(clippy::disallowed_methods, reason = "this is where the database is opened")]
pub(super) fn still(path: &Path) -> rusqlite::Result<Connection> {
    let name = percent_encode(path.as_os_str().as_bytes(), NON_ALPHANUMERIC);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("file:{name}?immutable=1"), flags)
}

/// A connection for reading of one's own, to a database that others may be using.
#[expect(clippy::disallowed_methods, reason = "this is where the database is opened")]
pub(super) fn look(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

/// Opens a file that nobody else looks at, and that is thrown away if it does not get finished.
pub(super) fn scratch(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path, OpenFlags::empty())?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update_and_check(None, "journal_mode", "OFF", |_| Ok(()))?;
    Ok(connection)
}

/// Makes `connection` the only one to a database, and moves all of its log into its one file. Fails
/// with `DatabaseBusy` while somebody else has it open. What holds it is the connection.
pub(super) fn fold(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path, OpenFlags::empty())?;
    // Else one that is damaged would be written to all the same, when it is closed.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    single_file(&connection)?;
    // Taken, and kept, without writing anything.
    connection.execute_batch("BEGIN EXCLUSIVE")?;
    Ok(connection)
}

/// Has a database keep all of itself in its one file.
pub(super) fn single_file(connection: &Connection) -> rusqlite::Result<()> {
    let mode: String =
        connection.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
    if mode == "delete" {
        return Ok(());
    }
    Err(rusqlite::Error::SqliteFailure(Error::new(SQLITE_BUSY), None))
}

/// A database as the first `version` migrations make it.
pub(super) fn model(version: usize) -> Result<Connection, OpenError> {
    let refused = |error| OpenError::database(Path::new(":memory:"), error);
    let mut connection = Connection::open_in_memory().map_err(refused)?;
    LADDER.to_version(&mut connection, version)?;
    Ok(connection)
}

#[expect(clippy::disallowed_methods, reason = "this is where the database is opened")]
fn connect(path: &Path, more: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

/// Asked before anything is read: reading a read-only database makes files beside it which are
/// read-only as well, and stay so when it is put right.
fn check_writable(connection: &Connection) -> rusqlite::Result<()> {
    if connection.is_readonly(rusqlite::MAIN_DB)? {
        return Err(rusqlite::Error::SqliteFailure(Error::new(SQLITE_READONLY), None));
    }
    Ok(())
}

/// The schema of a database that is Doorward's. Reads only, so that somebody else's file, or a newer one, is left untouched.
pub(super) fn check_owner(connection: &Connection, path: &Path) -> Result<usize, OpenError> {
    let number = |query| {
        let number = connection.query_row(query, [], |row| row.get::<_, i64>(0));
        number.map_err(|error| OpenError::database(path, error))
    };
    let owner = number("PRAGMA application_id")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    if owner != i64::from(APPLICATION_ID) && (owner != 0 || tables > 0) {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    let found = number("PRAGMA user_version")?;
    match usize::try_from(found) {
        Ok(found) if found <= MIGRATIONS.len() => Ok(found),
        _ => Err(OpenError::Newer { path: path.to_owned(), found, known: MIGRATIONS.len() }),
    }
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    // FULL: what was acknowledged survives a power failure.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Else REPLACE would get past the triggers that keep the audit trail.
    connection.pragma_update(None, "recursive_triggers", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // What was deleted is written over with zeros. ON, not FAST: that leaves pages that became free.
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    // The writer sees to that itself: `checkpoint`.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    // Enough for the upper levels of millions of sessions; the rest is in the system's cache.
    connection.pragma_update(None, "cache_size", -8 * 1024)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test plays the other program")]

    use super::*;

    #[test]
    fn migrations_apply_in_order() {
        LADDER.validate().unwrap();
    }

    /// `REPLACE` deletes without asking the triggers, unless it is told to.
    #[test]
    fn the_audit_trail_is_not_written_over() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("doorward.db");
        let insert = "INTO audit (seq, at, event, ip, user_agent) VALUES (1, 0, ?1, '', '')";
        let first = prepare(&path).unwrap();
        first.execute(&format!("INSERT {insert}"), ["true"]).unwrap();
        for connection in [first, reopen(&path).unwrap()] {
            let error = connection.execute(&format!("REPLACE {insert}"), ["false"]).unwrap_err();
            assert!(error.to_string().contains("append-only"), "{error}");
            let event = connection.query_row("SELECT event FROM audit", [], |row| row.get(0));
            assert_eq!(event, Ok("true".to_owned()));
        }
    }

    #[test]
    fn a_newer_or_foreign_file_is_left_untouched() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("doorward.db");

        drop(prepare(&path).unwrap());
        reopen(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let before = fs::read(&path).unwrap();
        let error = prepare(&path).unwrap_err();
        assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before);

        let content = "not a database, but long enough to be read as one".repeat(40);
        fs::write(&path, &content).unwrap();
        assert!(matches!(prepare(&path), Err(OpenError::Foreign(_))));
        assert_eq!(fs::read(&path).unwrap(), content.as_bytes());

        let other = data.path().join("other.db");
        Connection::open(&other).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
        assert!(matches!(prepare(&other), Err(OpenError::Foreign(_))));
    }
}
