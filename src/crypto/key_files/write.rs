//! Adding a key to the directory, and removing one. A crash at any point leaves the keys as they
//! were or as they are to be: a key is written beside them under a name that nobody reads, and then
//! given its own.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::{KeyError, io_error};
use super::{list, read_keys};
use crate::crypto::keyring::{KeySet, Root};
use crate::domain::secret::KeyId;
use crate::domain::time::Timestamp;

/// What a key is called while it is written.
const HALF: &str = "tmp";

/// And when it counts.
pub(super) const WHOLE: &str = "key";

/// Adds a key to the directory, which then is the active one. The file's name sorts behind all others,
/// whatever the clock did.
pub fn add(dir: &Path, root: &Root, now: Timestamp) -> Result<(), KeyError> {
    prepare(dir, root, now)?.publish()
}

/// A key that is written, and does not count yet.
pub(super) struct Prepared {
    half: PathBuf,
    path: PathBuf,
    dir: File,
}

/// Writes a key where nobody reads it.
pub(super) fn prepare(dir: &Path, root: &Root, now: Timestamp) -> Result<Prepared, KeyError> {
    let keys = KeySet::derive(root)?;
    let locked = lock(dir)?;
    let path = dir.join(name_after(list(dir)?.last().map(PathBuf::as_path), &keys, now));
    let half = path.with_extension(HALF);
    let write = || -> io::Result<()> {
        remove_halves(dir)?;
        let mut file =
            fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&half)?;
        writeln!(file, "{}", *root.to_paserk())?;
        file.sync_all()
    };
    write().map_err(io_error("write", &path))?;
    let owner = |path: &Path| fs::metadata(path).map(|it| it.uid()).map_err(io_error("read", path));
    let wanted = owner(dir)?;
    if owner(&half)? != wanted {
        let _ = fs::remove_file(&half);
        return Err(KeyError::Owner { path: dir.to_owned(), owner: wanted });
    }
    Ok(Prepared { half, path, dir: locked })
}

impl Prepared {
    /// Gives the key its own name. The lock goes with `self`.
    fn publish(self) -> Result<(), KeyError> {
        let Self { half, path, dir } = self;
        let renamed = fs::rename(&half, &path).and_then(|()| dir.sync_all());
        renamed.map_err(io_error("write", &path))
    }
}

/// Removes the files of keys that have been `retired`; how many. The last file, that of the active key,
/// stays, and so does one that holds another key as well.
pub fn remove(dir: &Path, retired: &[KeyId]) -> Result<usize, KeyError> {
    let _alone = lock(dir)?;
    let files = list(dir)?;
    let mut removed = 0;
    for file in files.split_last().map_or(&[][..], |(_active, older)| older) {
        let keys = read_keys(file)?;
        let keys = keys.iter().map(KeySet::derive).collect::<Result<Vec<_>, _>>()?;
        if !keys.is_empty() && keys.iter().all(|keys| retired.contains(&keys.ratchet.id)) {
            fs::remove_file(file).map_err(io_error("remove", file))?;
            removed += 1;
        }
    }
    if removed > 0 {
        File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_error("write", dir))?;
    }
    Ok(removed)
}

/// One process at a time changes the directory. The lock goes with the file, and so with the process.
fn lock(dir: &Path) -> Result<File, KeyError> {
    let file = File::open(dir).map_err(io_error("read", dir))?;
    file.lock().map_err(io_error("lock", dir))?;
    Ok(file)
}

/// What a crash has left. Under the lock nobody is at work on it.
fn remove_halves(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == HALF) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// The time, and a little of the id for two keys of one moment. A name of ours says a time: where that
/// is not in the past (the clock was set back) the next one is a little later. Behind a name that
/// somebody else chose it is counted.
fn name_after(last: Option<&Path>, keys: &KeySet, now: Timestamp) -> String {
    let id = keys.public.id();
    let id = &id[id.len() - 8..];
    let last = last.and_then(Path::file_stem).map(|stem| stem.to_string_lossy());
    let Some(last) = last else { return named(now, id) };
    if let Some(at) = time_in(&last) {
        return named(now.max(at.plus(Duration::from_millis(1))), id);
    }
    let name = named(now, id);
    if *name > *format!("{last}.{WHOLE}") {
        return name;
    }
    let counted = last
        .rsplit_once('~')
        .and_then(|(stem, count)| Some((stem, count.split('-').next()?.parse::<u32>().ok()?)));
    let (stem, count) = counted.unwrap_or((&last, 0));
    // A tilde sorts behind the dot, and behind all letters.
    format!("{stem}~{:08}-{id}.{WHOLE}", count.saturating_add(1))
}

/// Such as `20260101T000000000Z-1a2b3c4d.key`.
fn named(at: Timestamp, id: &str) -> String {
    format!("{}-{id}.{WHOLE}", at.to_string().replace(['-', ':', '.'], ""))
}

/// The time at the beginning of a name of ours.
fn time_in(stem: &str) -> Option<Timestamp> {
    let part = |range| stem.get(range).filter(|part: &&str| part.is_ascii());
    let time = format!(
        "{}-{}-{}:{}:{}.{}",
        part(0..4)?,
        part(4..6)?,
        part(6..11)?,
        part(11..13)?,
        part(13..15)?,
        part(15..19)?
    );
    Timestamp::parse(&time)
        .filter(|at| stem.starts_with(&at.to_string().replace(['-', ':', '.'], "")))
}
