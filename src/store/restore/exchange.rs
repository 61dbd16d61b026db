//! One database takes the place of another, and is there at no moment by halves.
//!
//! The old one is `.replaced` until the new one is in its place, and only then gives up what an earlier
//! restore has kept: from there on nothing can refuse any more.

use std::fs;
use std::path::PathBuf;

use rusqlite::{Connection, ErrorCode};

use super::super::open_error::OpenError;
use super::super::schema;
use super::Steps;
use super::error::{RestoreError, failed};
use super::place::{Moved, Place, move_parts, set_apart, there};

/// Puts the new database in the place of the old one, and that aside. No other process can open
/// either meanwhile. Where the old one is then, and logs that had none.
pub(super) fn exchange(
    place: &Place<'_>,
    step: Steps<'_>,
) -> Result<(Option<PathBuf>, Vec<PathBuf>), RestoreError> {
    let directory = place.directory();
    let _lock = schema::lock(directory).map_err(|error| OpenError::directory(directory, error))?;
    let mut moved = Moved::default();
    let (old, strays) = match swap(place, &mut moved, step) {
        Ok(done) => done,
        Err(error) => {
            moved.undo();
            return Err(error);
        }
    };
    step("in place");
    place.sync()?;
    drop(old);
    if !there(&place.replaced)? {
        return Ok((None, strays));
    }
    // It is kept under the one name or the other.
    let named = place.name_aside();
    step("named");
    let aside = if named.is_ok() { &place.aside } else { &place.replaced };
    Ok((Some(aside.clone()), strays))
}

fn swap(
    place: &Place<'_>,
    moved: &mut Moved,
    step: Steps<'_>,
) -> Result<(Option<Connection>, Vec<PathBuf>), RestoreError> {
    let Place { path, staged, replaced, aside } = place;
    let mut strays = Vec::new();
    for database in [path, &**replaced, aside] {
        if !there(database)? {
            strays.extend(set_apart(database, moved)?);
        }
    }
    let old = if there(path)? { put_aside(place, moved, step)? } else { None };
    fs::rename(staged, path).map_err(|source| failed("put in place", path, source))?;
    Ok((old, strays))
}

/// Makes the old database `.replaced`, too. While its connection is held, nobody can open it.
fn put_aside(
    place: &Place<'_>,
    moved: &mut Moved,
    step: Steps<'_>,
) -> Result<Option<Connection>, RestoreError> {
    let Place { path, replaced, .. } = place;
    let connection = match schema::fold(path) {
        Ok(connection) => Some(connection),
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                return Err(RestoreError::InUse(path.to_path_buf()));
            }
            // That may be why it is restored. It goes as it is.
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => None,
            _ => return Err(OpenError::database(path, error).into()),
        },
    };
    step("folded");
    // Both names are those of one file, until the new one takes the first. Not every file system
    // can do that.
    if connection.is_some() && moved.link(path, replaced).is_ok() {
        step("linked");
        place.sync()?;
        return Ok(connection);
    }
    moved.rename(path, replaced).map_err(|source| failed("put aside", path, source))?;
    step("put aside");
    place.sync()?;
    move_parts(path, replaced, moved, step)?;
    place.sync()?;
    Ok(connection)
}
