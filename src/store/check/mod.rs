//! The database looked at as a whole: what SQLite can say about it, and what its schema cannot.
//!
//! Nothing is written. On a database that is served each check sees a moment of its own.

mod look;

use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use self::look::{all, damage};
use super::backup::Part;
use super::open_error::OpenError;
use super::schema::{self, beside};
use super::seal::{self, SealError};

/// What came of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What was looked at.
    pub name: &'static str,
    /// What should not be so. Nothing, if all is well.
    pub found: Vec<String>,
    /// What is not of Doorward's making, and does no harm.
    pub notes: Vec<String>,
    /// Whether that would be damage, and not just a state that no operation leaves.
    pub is_damage: bool,
}

/// Why a file is not looked into at all.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It is not whole.
    #[error("{}: {source}", .file.display())]
    Seal {
        /// The file.
        file: PathBuf,
        /// What is the matter.
        source: SealError,
    },
    /// It is a part of an open database.
    #[error(
        "{} has a log beside it (-wal): it is not all of its database. Stop the program that has it \
         open, or back it up with `doorward backup`", .0.display()
    )]
    HasLog(PathBuf),
    /// Some other program's database, or no database.
    #[error("{} is not a Doorward database", .0.display())]
    Foreign(PathBuf),
    /// It was written by a newer Doorward.
    #[error(
        "{} has schema {found}, and this doorward knows schemas up to {known}: it was written by a \
         newer version, which can restore it", .file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest one that this binary knows.
        known: usize,
    },
    /// It cannot be read, or is too damaged for that.
    #[error("{} cannot be read: {what}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The reason.
        what: String,
    },
}

/// What a database is, and what was found in it.
pub(super) struct Report {
    /// Its schema.
    pub(super) schema: usize,
    /// The checks.
    pub(super) checks: Vec<Checked>,
}

/// Checks a database, which others may be using.
pub fn check_database(path: &Path) -> Result<Vec<Checked>, OpenError> {
    let refused = |error| OpenError::database(path, error);
    let sql = schema::look(path).map_err(refused)?;
    let schema = schema::check_owner(&sql, path)?;
    Ok(all(&sql, schema))
}

/// Checks a backup; or, not `is_sealed`, a database in one file that another program has made.
pub fn check_file(
    file: &Path,
    is_sealed: bool,
    progress: &mut dyn FnMut(Part),
) -> Result<Vec<Checked>, CheckError> {
    is_single(file)?;
    let mut checks = Vec::new();
    if is_sealed {
        let of_file = |source| CheckError::Seal { file: file.to_owned(), source };
        let size = fs::metadata(file).map_err(|error| of_file(SealError::Read(error)))?.len();
        let mut progress = |done| progress(Part::Copying(done, size));
        seal::unseal(file, &mut io::sink(), &mut progress).map_err(of_file)?;
        checks.push(Checked {
            name: "checksum",
            found: Vec::new(),
            notes: Vec::new(),
            is_damage: true,
        });
    }
    progress(Part::Checking);
    checks.extend(check_copy(file, file)?.checks);
    Ok(checks)
}

/// Checks a database in one file that nobody changes, and that is called `name`.
pub(super) fn check_copy(copy: &Path, name: &Path) -> Result<Report, CheckError> {
    let (sql, schema) = open_copy(copy, name)?;
    Ok(Report { schema, checks: all(&sql, schema) })
}

fn open_copy(copy: &Path, name: &Path) -> Result<(Connection, usize), CheckError> {
    let unreadable = |error: &dyn Display| CheckError::Unreadable {
        file: name.to_owned(),
        what: error.to_string(),
    };
    // SQLite would only say that it cannot open it.
    fs::File::open(copy).map_err(|error| unreadable(&error))?;
    let sql = schema::still(copy).map_err(|error| unreadable(&error))?;
    let schema = schema::check_owner(&sql, copy).map_err(|error| match error {
        OpenError::Foreign(_) => CheckError::Foreign(name.to_owned()),
        OpenError::Newer { found, known, .. } => {
            CheckError::Newer { file: name.to_owned(), found, known }
        }
        OpenError::Damaged { source, .. } | OpenError::Sqlite { source, .. } => unreadable(&source),
        error => unreadable(&error),
    })?;
    Ok((sql, schema))
}

/// The first damage in a database in one file that nobody changes.
pub fn damage_of_copy(copy: &Path) -> Result<Option<String>, CheckError> {
    let (sql, schema) = open_copy(copy, copy)?;
    let checks = damage(&sql, schema);
    Ok(checks.into_iter().find_map(|check| check.found.into_iter().next()))
}

/// A database is not all there while some of it is in a log.
pub(super) fn is_single(file: &Path) -> Result<(), CheckError> {
    let has_log = fs::metadata(beside(file, "-wal")).is_ok_and(|log| log.len() > 0);
    if has_log { Err(CheckError::HasLog(file.to_owned())) } else { Ok(()) }
}
