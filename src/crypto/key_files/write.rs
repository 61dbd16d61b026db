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

/// A directory of keys that nobody else changes. The lock goes with this, and with the process.
pub struct Held {
    path: PathBuf,
    dir: File,
}

/// Adds a key to the directory, which then is the active one. The file's name sorts behind all others,
/// whatever the clock did.
pub fn add(dir: &Path, root: &Root, now: Timestamp) -> Result<(), KeyError> {
    Held::take(dir)?.add(root, now)
}

/// Removes the files of keys that have been `retired`; how many. The last file, that of the active key,
/// stays, and so does one that holds another key as well.
pub fn remove(dir: &Path, retired: &[KeyId]) -> Result<usize, KeyError> {
    Held::take(dir)?.remove(retired)
}

/// A key that is written, and does not count yet.
pub(super) struct Prepared<'a> {
    half: PathBuf,
    path: PathBuf,
    held: &'a Held,
}

impl Held {
    /// Waits until nobody changes `dir`.
    pub fn take(dir: &Path) -> Result<Self, KeyError> {
        let file = File::open(dir).map_err(io_error("read", dir))?;
        file.lock().map_err(io_error("lock", dir))?;
        Ok(Self { path: dir.to_owned(), dir: file })
    }

    /// The same as [`add`].
    pub fn add(&self, root: &Root, now: Timestamp) -> Result<(), KeyError> {
        self.prepare(root, now)?.publish()
    }

    /// Writes a key where nobody reads it.
    pub(super) fn prepare(&self, root: &Root, now: Timestamp) -> Result<Prepared<'_>, KeyError> {
        let keys = KeySet::derive(root)?;
        let dir = &*self.path;
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
        let owner =
            |path: &Path| fs::metadata(path).map(|it| it.uid()).map_err(io_error("read", path));
        let wanted = owner(dir)?;
        if owner(&half)? != wanted {
            let _ = fs::remove_file(&half);
            return Err(KeyError::Owner { path: dir.to_owned(), owner: wanted });
        }
        Ok(Prepared { half, path, held: self })
    }

    /// The same as [`remove`].
    pub fn remove(&self, retired: &[KeyId]) -> Result<usize, KeyError> {
        let files = list(&self.path)?;
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
            self.dir.sync_all().map_err(io_error("write", &self.path))?;
        }
        Ok(removed)
    }
}

impl Prepared<'_> {
    /// Gives the key its own name.
    fn publish(self) -> Result<(), KeyError> {
        let Self { half, path, held } = self;
        let renamed = fs::rename(&half, &path).and_then(|()| held.dir.sync_all());
        renamed.map_err(io_error("write", &path))
    }
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
