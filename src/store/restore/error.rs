//! Why nothing is restored.

use std::io;
use std::path::{Path, PathBuf};

use super::super::check::CheckError;
use super::super::open_error::OpenError;
use super::super::seal::SealError;

/// Why nothing was restored; the database that was there is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The backup is not whole.
    #[error("cannot restore {}: {source}", .file.display())]
    Backup {
        /// The backup.
        file: PathBuf,
        /// What is the matter.
        source: SealError,
    },
    /// The backup is no database, or another program's, or a newer version's.
    #[error(transparent)]
    Unfit(#[from] CheckError),
    /// The database in the backup is damaged, however whole the backup is.
    #[error("cannot restore {}: the database in it is damaged: {what}", .file.display())]
    Damaged {
        /// The backup.
        file: PathBuf,
        /// What was found first.
        what: String,
    },
    /// It is what a restore makes, and removes, on its way.
    #[error(
        "{} is what a restore that was broken off has left: it is not whole. Restore from what that one \
         was to restore", .0.display()
    )]
    HalfMade(PathBuf),
    /// The new database would belong to another user than its directory does, and the server could not
    /// open it.
    #[error(
        "{} belongs to the user with id {owner}, who could not open a database that you make. Restore \
         as that user", .directory.display()
    )]
    Owner {
        /// The directory.
        directory: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// Another restore has put a database aside that would be written over.
    #[error(
        "{} is there, the database that an earlier restore has replaced: move it away, or let it be \
         replaced with --force", .0.display()
    )]
    AsideIsTaken(PathBuf),
    /// There is no database, but one that another restore has put aside: perhaps the one that is wanted.
    #[error(
        "{} is missing, and {} is there, the database that an earlier restore has replaced: give that \
         its name back, if it is the one that you want. With --force the backup is restored, and it \
         stays where it is", .path.display(), .aside.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// What was put aside.
        aside: PathBuf,
    },
    /// A restore was broken off at its last step, and this one would read what that step replaces.
    #[error(
        "{} is there, the database that a restore has replaced which did not come to its end: move it \
         away first", .0.display()
    )]
    Leftover(PathBuf),
    /// Some program has the database open.
    #[error(
        "{} is in use: stop every program that has it open, such as another doorward command, the \
         sqlite3 shell or Litestream", .0.display()
    )]
    InUse(PathBuf),
    /// The new database cannot be written, or not be brought up to date.
    #[error(
        "cannot make the new database, {}: {what}. What was written is removed, and the old one is as it \
         was", .file.display()
    )]
    Unmade {
        /// The file, while it is made.
        file: PathBuf,
        /// The reason.
        what: String,
    },
    /// It is in another place, which would then have the old database still.
    #[error(
        "{} is a symbolic link, and a restore would put a file in its place: restore into the directory \
         that the database is in, with --data", .0.display()
    )]
    Link(PathBuf),
    /// The old database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A file cannot be moved or written.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

pub(super) fn failed(action: &'static str, path: &Path, source: io::Error) -> RestoreError {
    RestoreError::Io { action, path: path.to_owned(), source }
}
