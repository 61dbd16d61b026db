//! What an earlier restore has left beside the database.
//!
//! - `.before-restore`: the database that it has replaced. Kept, unless it may be replaced.
//! - `.replaced`: the same before the restore came to its end. Only a restore that was broken off
//!   leaves it, so it tells whether a database that is missing was put aside, or removed by somebody.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::Source;
use super::error::{RestoreError, failed};
use super::place::{Moved, Place, move_parts};

/// Which file it is, whatever it is called.
type FileId = (u64, u64);

/// Finishes what was broken off, and makes sure that nothing will be written over that is to be kept.
pub(super) fn settle(place: &Place<'_>, source: Source<'_>) -> Result<(), RestoreError> {
    let Place { path, staged, replaced, aside } = place;
    let [file, half, current, left, kept] =
        [source.file, staged, path, replaced, aside].map(|file: &Path| id(file));
    if file.is_some() && file == half {
        return Err(RestoreError::HalfMade(source.file.to_owned()));
    }
    // Two names of one file: it is the database itself.
    let kept = kept.filter(|kept| current != Some(*kept));
    if kept.is_some() && !source.may_replace_aside {
        return Err(if current.is_none() && left.is_none() {
            RestoreError::Missing { path: path.to_path_buf(), aside: aside.clone() }
        } else {
            RestoreError::AsideIsTaken(aside.clone())
        });
    }
    match (current, left) {
        (_, None) => Ok(()),
        // Before the new database was in place.
        (Some(current), Some(left)) if current == left => {
            fs::remove_file(replaced).map_err(|source| failed("remove", replaced, source))
        }
        (None, Some(_)) => move_parts(path, replaced, &mut Moved::default(), &mut |_| {}),
        // After that.
        (Some(_), Some(_)) if file.is_some() && (file == left || file == kept) => {
            Err(RestoreError::Leftover(replaced.clone()))
        }
        (Some(_), Some(_)) => {
            place.name_aside()?;
            if source.may_replace_aside {
                Ok(())
            } else {
                Err(RestoreError::AsideIsTaken(aside.clone()))
            }
        }
    }
}

fn id(file: &Path) -> Option<FileId> {
    fs::metadata(file).ok().map(|it| (it.dev(), it.ino()))
}
