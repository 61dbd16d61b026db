//! One database takes the place of another, and is there at no moment by halves.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode};

use super::super::schema::{self, OpenError, beside};
use super::{RestoreError, Steps};

/// The files of SQLite's that belong to a database.
const PARTS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Puts the new database in the place of the old one, and that aside. No other process can open
/// either meanwhile.
pub(super) fn exchange(
    path: &Path,
    staged: &Path,
    step: Steps<'_>,
) -> Result<Option<PathBuf>, RestoreError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let _lock = schema::lock(directory).map_err(|error| OpenError::directory(directory, error))?;
    let aside = schema::aside(path);
    let there = |file: &Path| file.try_exists().map_err(|source| failed("look for", file, source));
    let old = if there(path)? {
        remove_with_parts(&aside)?;
        put_aside(path, &aside, step)?
    } else {
        // A restore was broken off, or there was nothing. A log without its database must not be
        // taken for that of the new one.
        move_parts(path, &aside, step)?;
        None
    };
    fs::rename(staged, path).map_err(|source| failed("put in place", path, source))?;
    step("in place");
    sync(directory)?;
    drop(old);
    Ok(there(&aside)?.then_some(aside))
}

/// Makes the old database `aside`, too. While its connection is held, nobody can open it.
fn put_aside(
    path: &Path,
    aside: &Path,
    step: Steps<'_>,
) -> Result<Option<Connection>, RestoreError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let connection = match schema::fold(path) {
        Ok(connection) => Some(connection),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                return Err(RestoreError::InUse(path.to_owned()));
            }
            // That may be why it is restored. It goes as it is.
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => None,
            _ => return Err(OpenError::database(path, error).into()),
        },
    };
    step("folded");
    // Both names are those of one file, until the new one takes the first. Not every file system
    // can do that.
    if connection.is_some() && fs::hard_link(path, aside).is_ok() {
        step("linked");
        sync(directory)?;
        return Ok(connection);
    }
    fs::rename(path, aside).map_err(|source| failed("put aside", path, source))?;
    step("put aside");
    sync(directory)?;
    move_parts(path, aside, step)?;
    sync(directory)?;
    Ok(connection)
}

/// Gives the log of the database at `from` to the one at `to`; the rest is of no use there.
fn move_parts(from: &Path, to: &Path, step: Steps<'_>) -> Result<(), RestoreError> {
    for end in PARTS {
        let part = beside(from, end);
        let moved = match end {
            "-shm" => fs::remove_file(&part),
            _ => fs::rename(&part, beside(to, end)),
        };
        gone_or(moved).map_err(|source| failed("put aside", &part, source))?;
        step("part put aside");
    }
    Ok(())
}

/// What was put aside is kept, unless it is still the database itself: a restore was broken off.
pub(super) fn aside_is_free(path: &Path) -> Result<(), RestoreError> {
    let aside = schema::aside(path);
    let (Ok(kept), Ok(current)) = (fs::metadata(&aside), fs::metadata(path)) else {
        return Ok(());
    };
    if (kept.dev(), kept.ino()) == (current.dev(), current.ino()) {
        return Ok(());
    }
    Err(RestoreError::AsideIsTaken(aside))
}

pub(super) fn remove_with_parts(path: &Path) -> Result<(), RestoreError> {
    for end in ["", "-wal", "-shm", "-journal"] {
        let part = beside(path, end);
        gone_or(fs::remove_file(&part)).map_err(|source| failed("remove", &part, source))?;
    }
    Ok(())
}

fn gone_or(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

fn sync(directory: &Path) -> Result<(), RestoreError> {
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|source| failed("sync", directory, source))
}

pub(super) fn failed(action: &'static str, path: &Path, source: io::Error) -> RestoreError {
    RestoreError::Io { action, path: path.to_owned(), source }
}
