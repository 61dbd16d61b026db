//! What can be wrong with the files of the keys.

use std::io;
use std::path::{Path, PathBuf};

use super::Place;
use crate::domain::time::Timestamp;

/// Why the keys cannot be used. Says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The database has sessions whose keys are gone.
    #[error(
        "no key in {}, but the database has live sessions that were made with one. Put the key \
         files back from a backup; or, to give them up and sign everybody out, run `doorward \
         session revoke --all` and start again", .0.display()
    )]
    Missing(PathBuf),
    /// The database has sessions, and none was made with any of these keys.
    #[error(
        "the keys in {} are not those that the live sessions of the database were made with. Put \
         the right ones in their place; or, to give the sessions up and sign everybody out, run \
         `doorward session revoke --all` and start again", .0.display()
    )]
    Others(PathBuf),
    /// The key that would make tokens is retired, or revoked.
    #[error(
        "the active key in {} is {kid}, which was retired or revoked on {at}: it must not be used any \
         more. {}", .place.path().display(), instead(.place)
    )]
    Retired {
        /// What access tokens call it.
        kid: String,
        /// Since when.
        at: Timestamp,
        /// Where it is.
        place: Place,
    },
    /// `key_file` names a file without a key in it.
    #[error(
        "no key in {}. It holds one PASERK secret (`k4.local.…`, 32 random bytes in base64url) a \
         line, the last one being active; `doorward keys generate` prints one", .0.display()
    )]
    Empty(PathBuf),
    /// A file in the directory of the keys has lost its key.
    #[error(
        "no key in {}. Put the file back from a backup; or, if it never held a key, remove it",
        .0.display()
    )]
    Lost(PathBuf),
    /// A line is not a key, or is too short for one.
    #[error(
        "{} line {line}: not a key. A key is `k4.local.` and 32 random bytes in base64url (43 \
         characters); `doorward keys generate` prints one", .path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// A line holds two keys: the file did not end with a line break when the second was appended.
    #[error(
        "{} line {line}: two keys in one line. Each needs a line of its own: put a line break in front \
         of the second `k4.local.`", .path.display()
    )]
    Joined {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// Somebody else on the machine could read or write the secret.
    #[error("{} is open to others (mode {mode:04o}). Run: chmod {wanted:o} {}", .path.display(), .path.display())]
    Exposed {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What they may be.
        wanted: u32,
    },
    /// The files belong to another user, who is the one to run Doorward.
    #[error("cannot {action} {}: {source}. Run doorward as the user who owns it", .path.display())]
    Denied {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A key that was made here would belong to another user than the directory does, and the server
    /// could not read it.
    #[error(
        "{} belongs to the user with id {owner}, who could not read a key that you make. Run \
         doorward as that user", .path.display()
    )]
    Owner {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// The operating system said no for another reason.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The keys cannot be derived.
    #[error(transparent)]
    Crypto(#[from] crate::crypto::keyring::CryptoFault),
}

/// What to do where the active key is retired.
const fn instead(place: &Place) -> &'static str {
    match place {
        Place::Directory(_) => {
            "Run `doorward keys rotate`; or, if a newer key has lost its file, put that back"
        }
        Place::File(_) => "Add a line to the end of the file: `doorward keys generate` prints one",
    }
}

pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::PermissionDenied => KeyError::Denied { action, path, source },
        _ => KeyError::Io { action, path, source },
    }
}
