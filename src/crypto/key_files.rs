//! Where the key material lives: `DATA/keys/`, one file per key, or the file named by `key_file`.
//! Each line that counts is a PASERK `k4.local.…`; the newest one, the last, is active.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::keyring::{Keyring, Root};
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
    Crypto(#[from] super::keyring::CryptoFault),
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::PermissionDenied => KeyError::Denied { action, path, source },
        _ => KeyError::Io { action, path, source },
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
    let mut files = list(dir)?;
    if files.is_empty() {
        if !may_create {
            return Err(KeyError::Missing(dir.to_owned()));
        }
        files.push(write_key(dir, fresh, now)?);
    }
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
        if path.extension().is_some_and(|extension| extension == "key") {
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
            root.ok_or_else(|| KeyError::Malformed { path: path.to_owned(), line })
        })
        .collect()
}

/// Writes a key so that after a crash it is there whole or not at all.
fn write_key(dir: &Path, root: &Root, now: Timestamp) -> Result<PathBuf, KeyError> {
    let path = dir.join(format!("{}.key", now.to_string().replace(['-', ':', '.'], "")));
    let half = path.with_extension("tmp");
    let write = || -> io::Result<()> {
        let _ = fs::remove_file(&half);
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&half)?;
        writeln!(file, "{}", *root.to_paserk())?;
        file.sync_all()?;
        fs::rename(&half, &path)?;
        fs::File::open(dir)?.sync_all()
    };
    write().map_err(io_error("write", &path))?;
    Ok(path)
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
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(0);

    fn root(byte: u8) -> Root {
        Root::from_bytes([byte; 32])
    }

    fn first(dir: &Path) -> PathBuf {
        list(dir).unwrap().remove(0)
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_first_start_makes_a_private_key_that_the_next_one_reads() {
        let data = tempfile::tempdir().unwrap();
        let dir = data.path().join("keys");
        let made = load_dir(&dir, true, &root(1), NOW).unwrap();
        let read = load_dir(&dir, true, &root(2), NOW).unwrap();
        assert_eq!(made.active().public.id(), read.active().public.id());
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::metadata(first(&dir)).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_wrong_with_the_files_is_said() {
        let data = tempfile::tempdir().unwrap();
        let dir = data.path().join("keys");
        let load = |may_create| load_dir(&dir, may_create, &root(1), NOW).map(|_| ());
        assert!(matches!(load(false), Err(KeyError::Missing(_))));

        load(true).unwrap();
        let file = first(&dir);
        chmod(&file, 0o640);
        let error = load(true).unwrap_err();
        assert!(error.to_string().contains("mode 0640"), "{error}");
        assert!(error.to_string().contains("chmod 600"), "{error}");
        chmod(&file, 0o600);
        chmod(&dir, 0o750);
        assert!(matches!(load(true), Err(KeyError::Exposed { .. })));
        chmod(&dir, 0o700);

        for bad in ["k4.local.c2hvcnQ", "k4.public.AAAA", "secret", "k3.local."] {
            fs::write(&file, format!("# comment\n\n{bad}\n")).unwrap();
            let error = load(true).unwrap_err();
            assert!(matches!(error, KeyError::Malformed { line: 3, .. }), "{error}");
            assert!(!error.to_string().contains("c2hvcnQ"), "the key is repeated");
        }
        fs::write(&file, b"\n\xff\x00\xfe\n").unwrap();
        assert!(matches!(load(true), Err(KeyError::Malformed { line: 2, .. })));

        // Also beside good ones: sessions may depend on the key that it held.
        write_key(&dir, &root(2), NOW.plus(std::time::Duration::from_secs(1))).unwrap();
        for nothing in ["", "\n", "# where is it?\n"] {
            fs::write(&file, nothing).unwrap();
            let error = load(true).unwrap_err();
            assert!(matches!(&error, KeyError::Lost(path) if *path == file), "{error}");
        }
    }

    #[test]
    fn the_last_line_of_a_key_file_is_active() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("mounted");
        let lines = [root(1), root(2)].map(|root| (*root.to_paserk()).clone());
        fs::write(&path, lines.join("\n")).unwrap();
        chmod(&path, 0o644);
        let (keys, warning) = load_file(&path).unwrap();
        let newest = Keyring::new(&root(2), &[]).unwrap();
        assert_eq!(keys.active().public.id(), newest.active().public.id());
        assert_eq!(keys.sets().count(), 2);
        assert!(warning.unwrap().contains("0644"));
    }
}
