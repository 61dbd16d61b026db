//! Opening the database: whose file it is, its settings, its migrations.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};

/// Marks the file as Doorward's (`Door` in ASCII).
const APPLICATION_ID: i32 = 0x446f_6f72;

/// The oldest SQLite whose WAL mode is sound with two processes on a file.
const MIN_SQLITE: (i32, &str) = (3_051_003, "3.51.3");

/// How long a writer waits for another process, the command line, to finish its transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

const MIGRATIONS: &[&str] = &[include_str!("migrations/0001_accounts_and_sessions.sql")];

static LADDER: LazyLock<Migrations<'_>> =
    LazyLock::new(|| Migrations::new(MIGRATIONS.iter().map(|sql| M::up(sql)).collect()));

/// Why the database cannot be used. Says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It was written by a newer Doorward.
    #[error(
        "{} has schema {found}, and this doorward knows schemas up to {known}: it was written by a \
         newer version. Run that version, or restore an older backup. Nothing was changed", .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest one that this binary knows.
        known: usize,
    },
    /// Some other program's database.
    #[error("{} is not a Doorward database. Choose another data directory", .0.display())]
    Foreign(PathBuf),
    /// The library is too old to be trusted with two processes on a file.
    #[error("SQLite {found} can corrupt a database that two processes use; at least {} is needed", MIN_SQLITE.1)]
    OldSqlite {
        /// The version that is linked.
        found: &'static str,
    },
    /// The file or its directory cannot be used.
    #[error("cannot open {}: {source}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// SQLite said no.
    #[error("cannot open the database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A migration failed; the database is as it was.
    #[error("cannot migrate the database: {0}")]
    Migration(#[from] rusqlite_migration::Error),
}

/// Opens the database for writing, made and migrated.
pub(super) fn prepare(path: &Path) -> Result<Connection, OpenError> {
    if rusqlite::version_number() < MIN_SQLITE.0 {
        return Err(OpenError::OldSqlite { found: rusqlite::version() });
    }
    let io_error = |source| OpenError::Io { path: path.to_owned(), source };
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(io_error)?;
    // Two processes that start at once must not both run a migration.
    let lock = fs::File::open(directory).map_err(io_error)?;
    lock.lock().map_err(io_error)?;
    create_private(path).map_err(io_error)?;

    let mut connection = connect(path, OpenFlags::SQLITE_OPEN_CREATE)?;
    check_owner(&connection, path)?;
    configure(&connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    LADDER.to_latest(&mut connection)?;
    Ok(connection)
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

#[expect(clippy::disallowed_methods, reason = "this is where the database is opened")]
fn connect(path: &Path, more: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

/// Reads only, so that somebody else's file, or a newer one, is left untouched.
fn check_owner(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let not_ours = |error: &rusqlite::Error| {
        error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase)
    };
    let owner = match number("application_id") {
        Err(error) if not_ours(&error) => return Err(OpenError::Foreign(path.to_owned())),
        owner => owner?,
    };
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if owner != i64::from(APPLICATION_ID) && (owner != 0 || tables > 0) {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    let found = number("user_version")?;
    if usize::try_from(found).is_ok_and(|found| found <= MIGRATIONS.len()) {
        Ok(())
    } else {
        Err(OpenError::Newer { path: path.to_owned(), found, known: MIGRATIONS.len() })
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
    connection.pragma_update(None, "journal_size_limit", 64 << 20)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "a test plays the other program")]

    use super::*;

    #[test]
    fn migrations_apply_in_order() {
        LADDER.validate().unwrap();
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
