//! Why the database cannot be opened, in words for the operator.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::schema::MIN_SQLITE;

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
    /// Some other program's database, or no database.
    #[error(
        "{} is not a Doorward database. Choose another data directory with --data; or, if it was \
         one, put a backup in its place", .0.display()
    )]
    Foreign(PathBuf),
    /// Its content is not what SQLite left there.
    #[error(
        "{} is damaged ({source}). Stop here, keep a copy, and put a backup in its place",
        .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite stumbled over.
        source: rusqlite::Error,
    },
    /// The database may not be written. Often somebody else, `root`, has made one of its files.
    #[error(
        "cannot write {} and the files beside it ({source}). They and their directory must belong \
         to the user who runs doorward", .path.display()
    )]
    ReadOnly {
        /// The database file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// The library is too old to be trusted with two processes on a file.
    #[error("SQLite {found} can corrupt a database that two processes use; at least {} is needed", MIN_SQLITE.1)]
    OldSqlite {
        /// The version that is linked.
        found: &'static str,
    },
    /// Where the data directory should be there is something else.
    #[error("{} is not a directory; choose another with --data", .0.display())]
    NotADirectory(PathBuf),
    /// The data directory cannot be used.
    #[error(
        "cannot use the data directory {}: {source}. The user who runs doorward must be able to \
         write there; or choose another with --data", .path.display()
    )]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// SQLite said no.
    #[error("cannot open {}: {source}", .path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: rusqlite::Error,
    },
    /// It is missing, and lies where a restore puts it for a moment.
    #[error(
        "{} is missing, and {} is there: a restore has not come to its end. Run `doorward restore` \
         again; or give the old database, and its -wal if there is one, their names back",
        .path.display(), .replaced.display()
    )]
    Unfinished {
        /// The file.
        path: PathBuf,
        /// Where it is now.
        replaced: PathBuf,
    },
    /// It is missing, and there is one that a restore has put aside.
    #[error(
        "{} is missing, and {} is there, the database that a restore has replaced. Put a backup in its \
         place with `doorward restore`; or give that one its name back, if it is the one that you want",
        .path.display(), .aside.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// What was put aside.
        aside: PathBuf,
    },
    /// A migration failed; the database is as it was.
    #[error("cannot migrate the database: {0}")]
    Migration(#[from] rusqlite_migration::Error),
}

impl OpenError {
    /// What it means that the data directory `path`, or a file in it, could not be made.
    pub(crate) fn directory(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if path.exists() && !path.is_dir() {
            Self::NotADirectory(path)
        } else {
            Self::Directory { path, source }
        }
    }

    /// What it means that SQLite cannot open or read the database at `path`.
    pub(super) fn database(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::Foreign(path),
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged { path, source },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::ReadOnly { path, source }
            }
            _ => Self::Sqlite { path, source },
        }
    }
}
