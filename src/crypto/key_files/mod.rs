//! Where the key material lives: `DATA/keys/`, one file per key, or the file named by `key_file`.
//! Each line that counts is a PASERK `k4.local.…`; the newest one, the last, is active.

mod error;
mod write;

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::keyring::{Keyring, Root};
use crate::domain::time::Timestamp;
use error::io_error;

pub use error::KeyError;
pub use write::{Held, add, remove};

/// How a key begins.
const BEGINNING: &[u8] = b"k4.local.";

/// Where key material is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The directory that Doorward keeps its keys in.
    Directory(PathBuf),
    /// A file that somebody else keeps.
    File(PathBuf),
}

impl Place {
    /// The directory or the file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Directory(path) | Self::File(path) => path,
        }
    }

    /// The names of the files in the directory: each key has one of its own, so that other names are
    /// other keys. `None` when there is no directory; or a file, which counts when it is read.
    pub fn names(&self) -> Result<Option<Vec<OsString>>, KeyError> {
        let Self::Directory(dir) = self else { return Ok(None) };
        match list(dir) {
            Ok(files) => {
                Ok(Some(files.iter().filter_map(|it| it.file_name().map(Into::into)).collect()))
            }
            Err(KeyError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The keys that are there. The second value is a warning.
    pub fn load(&self) -> Result<(Keyring, Option<String>), KeyError> {
        match self {
            Self::Directory(dir) => read_dir(dir).map(|keyring| (keyring, None)),
            Self::File(path) => load_file(path),
        }
    }
}

/// Loads the keys of a data directory, or makes the first one when there is none and
/// `may_create` says that no session depends on a lost one. `fresh` is randomness for it.
pub fn load_dir(
    dir: &Path,
    may_create: bool,
    fresh: &Root,
    now: Timestamp,
) -> Result<Keyring, KeyError> {
    if !dir.exists() && !may_create {
        return Err(KeyError::Missing(dir.to_owned()));
    }
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(io_error("create", dir))?;
    check_private(dir, 0o700)?;
    if list(dir)?.is_empty() {
        if !may_create {
            return Err(KeyError::Missing(dir.to_owned()));
        }
        add(dir, fresh, now)?;
    }
    read_dir(dir)
}

fn read_dir(dir: &Path) -> Result<Keyring, KeyError> {
    let files = list(dir)?;
    if files.is_empty() {
        return Err(KeyError::Missing(dir.to_owned()));
    }
    check_private(dir, 0o700)?;
    let mut roots = Vec::new();
    for file in &files {
        check_private(file, 0o600)?;
        let keys = read_keys(file)?;
        if keys.is_empty() {
            return Err(KeyError::Lost(file.clone()));
        }
        roots.extend(keys);
    }
    keyring(&roots, dir)
}

/// Loads the keys of `key_file`. The second value is a warning about its permissions, which for
/// a mounted secret are often not ours to choose.
pub fn load_file(path: &Path) -> Result<(Keyring, Option<String>), KeyError> {
    let roots = read_keys(path)?;
    let warning = check_private(path, 0o600).err().map(|error| error.to_string());
    Ok((keyring(&roots, path)?, warning))
}

fn keyring(roots: &[Root], place: &Path) -> Result<Keyring, KeyError> {
    let Some((active, older)) = roots.split_last() else {
        return Err(KeyError::Empty(place.to_owned()));
    };
    Ok(Keyring::new(active, older)?)
}

/// The key files of a directory, oldest first: their names begin with the time.
fn list(dir: &Path) -> Result<Vec<PathBuf>, KeyError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(io_error("read", dir))? {
        let path = entry.map_err(io_error("read", dir))?.path();
        if path.extension().is_some_and(|extension| extension == write::WHOLE) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read_keys(path: &Path) -> Result<Vec<Root>, KeyError> {
    let text = Zeroizing::new(fs::read(path).map_err(io_error("read", path))?);
    text.split(|byte| *byte == b'\n')
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim_ascii()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"))
        .map(|(line, key)| {
            let root = std::str::from_utf8(key).ok().and_then(Root::parse);
            root.ok_or_else(|| unreadable(key, path.to_owned(), line))
        })
        .collect()
}

/// What is wrong with a line.
fn unreadable(text: &[u8], path: PathBuf, line: usize) -> KeyError {
    let keys = text.windows(BEGINNING.len()).filter(|part| *part == BEGINNING).count();
    if keys > 1 { KeyError::Joined { path, line } } else { KeyError::Malformed { path, line } }
}

fn check_private(path: &Path, wanted: u32) -> Result<(), KeyError> {
    let mode = fs::metadata(path).map_err(io_error("read", path))?.permissions().mode() & 0o7777;
    let others = mode & 0o077;
    if others == 0 {
        Ok(())
    } else {
        Err(KeyError::Exposed { path: path.to_owned(), mode, wanted })
    }
}

#[cfg(test)]
mod tests;
