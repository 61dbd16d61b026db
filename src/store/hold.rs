//! Who has a data directory to themselves: the one that serves it, or the one that restores it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::open_error::OpenError;

/// The file whose lock is held.
const NAME: &str = "doorward.lock";

/// A data directory that nobody else serves or restores. The lock goes with the process, however
/// it ends.
#[derive(Debug)]
pub struct Hold {
    #[expect(dead_code, reason = "dropping it lets go")]
    file: File,
}

/// Why a data directory cannot be had. Says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// Somebody has it.
    #[error(
        "another doorward serves {} already; stop it, or choose another directory with --data",
        .0.display()
    )]
    Taken(PathBuf),
    /// It cannot be used at all.
    #[error(transparent)]
    Directory(#[from] OpenError),
    /// The system cannot lock it.
    #[error("cannot lock {}: {source}", .path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

impl Hold {
    /// Takes `directory`, which is made if need be.
    pub fn take(directory: &Path) -> Result<Self, HoldError> {
        let path = directory.join(NAME);
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
        let file = made.and_then(|()| File::create(&path));
        let file = file.map_err(|error| OpenError::directory(directory, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => Err(HoldError::Taken(directory.to_owned())),
            Err(TryLockError::Error(source)) => Err(HoldError::Io { path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("data");
        let first = Hold::take(&data).unwrap();
        assert!(matches!(Hold::take(&data), Err(HoldError::Taken(_))));
        drop(first);
        Hold::take(&data).unwrap();
    }
}
