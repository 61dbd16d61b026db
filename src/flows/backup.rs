//! A copy of the whole database.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::clock::{Clock, Entropy, NoEntropy, random};
use crate::fault::{Fault, FaultKind};
use crate::store::{self, CheckError, Part, Sealed, Store};

/// How often the record of it is tried, for two seconds each time.
const TRIES: u32 = 15;

/// What the flow works with.
pub struct Parts<'a> {
    /// The database.
    pub store: &'a Store,
    /// Tells the time.
    pub clock: &'a dyn Clock,
    /// Yields randomness, for the name of the file while it is not whole.
    pub entropy: &'a dyn Entropy,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Something is there already.
    #[error("{} is there already: name another file, or replace it with --force", .0.display())]
    Exists(PathBuf),
    /// Something else than a backup is there, which is not replaced.
    #[error("{} is there already, and is no backup: name another file", .0.display())]
    NoBackup(PathBuf),
    /// The database is damaged.
    #[error(
        "the copy is damaged: {0}. So is the database, most likely: `doorward check` tells. Keep the \
         backups that you have"
    )]
    Damaged(String),
    /// The copy cannot be checked.
    #[error(transparent)]
    Unreadable(#[from] CheckError),
    /// The file cannot be written.
    #[error("cannot write {}: {source}", .file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// It cannot be copied. Most often the disk is full.
    #[error("cannot copy the database to {}: {source}. What was written is removed", .file.display())]
    Uncopied {
        /// The file.
        file: PathBuf,
        /// The reason.
        source: Fault,
    },
    /// The database.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The system has no randomness.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
}

/// Writes a backup to `file`, which is there whole or not at all, and which only its owner can read.
pub async fn back_up(
    parts: &Parts<'_>,
    file: &Path,
    may_replace: bool,
    progress: impl FnMut(Part) + Clone + Send + 'static,
) -> Result<Sealed, BackupError> {
    check_free(file, may_replace)?;
    let name = random::<8>(parts.entropy)?.map(|byte| format!("{byte:02x}")).concat();
    let mut half = file.as_os_str().to_owned();
    half.push(format!(".{name}.tmp"));
    let half = PathBuf::from(half);
    let written = write(parts, &half, progress).await;
    let done = written.and_then(|sealed| {
        // Once more: the copy took its time.
        check_free(file, may_replace)?;
        put_in_place(&half, file).map_err(|source| failed(file, source))?;
        Ok(sealed)
    });
    if done.is_err() {
        let _ = fs::remove_file(&half);
    }
    done
}

/// The copy, checked, sealed and on record, but not yet under its name.
async fn write(
    parts: &Parts<'_>,
    half: &Path,
    mut progress: impl FnMut(Part) + Clone + Send + 'static,
) -> Result<Sealed, BackupError> {
    let created = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(half);
    let file = created.map_err(|source| failed(half, source))?;
    let uncopied = |source| BackupError::Uncopied { file: half.to_owned(), source };
    parts.store.copy_to(half, progress.clone()).await.map_err(uncopied)?;
    progress(Part::Checking);
    if let Some(damage) = store::damage_of_copy(half)? {
        return Err(BackupError::Damaged(damage));
    }
    let sealed = parts.store.seal(file).await.map_err(uncopied)?;
    // Before anybody can take it away.
    record(parts).await?;
    Ok(sealed)
}

/// A busy server leaves few gaps for another process to write in.
async fn record(parts: &Parts<'_>) -> Result<(), Fault> {
    let mut tries = TRIES;
    loop {
        tries -= 1;
        match parts.store.record_backup(parts.clock.now()).await {
            Err(fault) if tries > 0 && fault.kind() == FaultKind::Unavailable => {}
            done => return done,
        }
    }
}

/// A backup may be replaced by another one, if that is wanted; a database or a key may not.
fn check_free(file: &Path, may_replace: bool) -> Result<(), BackupError> {
    match fs::symlink_metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(failed(file, source)),
        Ok(_) if !may_replace => return Err(BackupError::Exists(file.to_owned())),
        Ok(_) => {}
    }
    match store::looks_sealed(file) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(BackupError::NoBackup(file.to_owned())),
    }
}

fn put_in_place(half: &Path, file: &Path) -> io::Result<()> {
    fs::rename(half, file)?;
    let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

fn failed(file: &Path, source: io::Error) -> BackupError {
    BackupError::Io { file: file.to_owned(), source }
}
