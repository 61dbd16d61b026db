//! The files of a database, and those beside it that a restore uses.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::super::schema::{self, beside};
use super::error::{RestoreError, failed};

/// The files of SQLite's that belong to a database.
const PARTS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// A database and what can be beside it.
pub(super) struct Place<'a> {
    /// The database.
    pub(super) path: &'a Path,
    /// The new one, until it is whole.
    pub(super) staged: PathBuf,
    /// The old one, until the new one is in its place.
    pub(super) replaced: PathBuf,
    /// The old one, from then on.
    pub(super) aside: PathBuf,
}

impl<'a> Place<'a> {
    pub(super) fn new(path: &'a Path) -> Self {
        let (replaced, aside) = (schema::replaced(path), schema::aside(path));
        Self { path, staged: beside(path, ".restoring"), replaced, aside }
    }

    pub(super) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    pub(super) fn sync(&self) -> Result<(), RestoreError> {
        let directory = self.directory();
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(|source| failed("sync", directory, source))
    }

    /// The last step: the old database gets the name that it is kept by, and what had that is given up.
    /// The database itself is the last to come and to go. Where this is broken off the logs beside
    /// an empty place belong to the one that is to come.
    pub(super) fn name_aside(&self) -> Result<(), RestoreError> {
        let Self { replaced, aside, .. } = self;
        if there(aside)? {
            remove_with_parts(aside)?;
        }
        move_parts(replaced, aside, &mut Moved::default(), &mut |_| {})?;
        fs::rename(replaced, aside).map_err(|source| failed("put aside", replaced, source))?;
        self.sync()
    }
}

/// What was renamed or linked, to be undone if need be.
#[derive(Default)]
pub(super) struct Moved(Vec<Move>);

struct Move {
    from: PathBuf,
    to: PathBuf,
    is_link: bool,
}

impl Moved {
    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)?;
        self.0.push(Move { from: from.to_owned(), to: to.to_owned(), is_link: false });
        Ok(())
    }

    /// Gives the file at `from` a second name.
    pub(super) fn link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)?;
        self.0.push(Move { from: from.to_owned(), to: to.to_owned(), is_link: true });
        Ok(())
    }

    /// As it was, as far as that can be.
    pub(super) fn undo(self) {
        for Move { from, to, is_link } in self.0.into_iter().rev() {
            if is_link {
                let _ = fs::remove_file(to);
            } else if !from.exists() {
                let _ = fs::rename(to, from);
            }
        }
    }
}

/// Gives the log of the database at `from` to the one at `to`, unless that has its own; the rest is of no
/// use there.
pub(super) fn move_parts(
    from: &Path,
    to: &Path,
    moved: &mut Moved,
    step: super::Steps<'_>,
) -> Result<(), RestoreError> {
    for end in PARTS {
        let (part, there_to) = (beside(from, end), beside(to, end));
        let done = match end {
            "-shm" => fs::remove_file(&part),
            _ if there(&there_to)? => Ok(()),
            _ => moved.rename(&part, &there_to),
        };
        gone_or(done).map_err(|source| failed("put aside", &part, source))?;
        step("part put aside");
    }
    Ok(())
}

/// A log beside `database`, which is not there, must not be taken for that of another one: it gets a
/// name of its own. What it is called then.
pub(super) fn set_apart(database: &Path, moved: &mut Moved) -> Result<Vec<PathBuf>, RestoreError> {
    let mut strays = Vec::new();
    for end in PARTS {
        let part = beside(database, end);
        let Ok(found) = fs::metadata(&part) else { continue };
        let done = if end == "-shm" || found.len() == 0 {
            fs::remove_file(&part)
        } else {
            let name = free_name(&part)?;
            moved.rename(&part, &name).map(|()| strays.push(name))
        };
        done.map_err(|source| failed("put aside", &part, source))?;
    }
    Ok(strays)
}

fn free_name(part: &Path) -> Result<PathBuf, RestoreError> {
    let mut name = beside(part, ".stray");
    let mut number = 1;
    while there(&name)? {
        number += 1;
        name = beside(part, &format!(".stray-{number}"));
    }
    Ok(name)
}

pub(super) fn there(file: &Path) -> Result<bool, RestoreError> {
    file.try_exists().map_err(|source| failed("look for", file, source))
}

/// The database goes last: what is left of this does not look like the log of another one.
pub(super) fn remove_with_parts(path: &Path) -> Result<(), RestoreError> {
    for end in PARTS.into_iter().chain([""]) {
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
