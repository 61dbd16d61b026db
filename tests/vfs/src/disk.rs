//! A directory with databases in it: what is counted, what fails, what is noted.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString, c_int};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::{fs, io};

use rusqlite::ffi;

use crate::journal::{Entry, Fate, File, Loss, replay};

/// What can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A file is opened.
    Open,
    /// Bytes are read.
    Read,
    /// Bytes are written. Half of them are, before it fails.
    Write,
    /// The length is set.
    Truncate,
    /// What was written is made safe. When that fails, some of it never will be.
    Sync,
    /// A file is removed.
    Delete,
    /// Shared memory is mapped.
    ShmMap,
    /// Shared memory is locked. To unlock it never fails.
    ShmLock,
}

/// A failure to be.
#[derive(Clone, Copy, Debug)]
pub struct Fault<'a> {
    /// What fails.
    pub operation: Operation,
    /// The first to fail, counted from 1; `usize::MAX` only counts.
    pub nth: usize,
    /// Whether all after it fail, too.
    pub lasts: bool,
    /// An (extended) result code of SQLite's.
    pub code: c_int,
    /// Only what the thread of this name does counts.
    pub thread: Option<&'a str>,
}

/// What a [`Fault`] has met with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many operations of the kind there were.
    pub met: usize,
    /// How many of them failed.
    pub failed: usize,
}

/// A directory on a disk for tests.
#[derive(Clone)]
pub struct Disk(Arc<State>);

impl Disk {
    /// The disk of `directory`. It knows what has happened there since [`install`](crate::install)
    /// as long as a database is open there, or a `Disk` is held.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn of(directory: &Path) -> io::Result<Self> {
        crate::install();
        Ok(Self(State::of(&directory.canonicalize()?)))
    }

    /// From now on operations fail as `fault` says.
    pub fn arm(&self, fault: Fault<'_>) {
        let Fault { operation, nth, lasts, code, thread } = fault;
        let thread = thread.map(str::to_owned);
        let report = Report::default();
        self.0.lock().trap = Some(Trap { operation, nth, lasts, code, thread, report });
    }

    /// Nothing fails any more.
    pub fn disarm(&self) -> Report {
        self.0.lock().trap.take().map_or_else(Report::default, |trap| trap.report)
    }

    /// From now on a commit does not wait for the write-ahead log, as if the database had been
    /// opened with `PRAGMA synchronous = NORMAL`; a checkpoint still does.
    pub fn commit_without_sync(&self) {
        self.0.lock().skips_commits = true;
    }

    /// How much has happened so far.
    pub fn position(&self) -> usize {
        self.0.lock().journal.len()
    }

    /// Writes the files as they were at `position` to the directory `into`.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn copy(&self, position: usize, into: &Path) -> io::Result<()> {
        self.0.lock().restore(position, &mut Fate::Spared, into)
    }

    /// Writes the files to the directory `into` as they may be found after the power was lost
    /// at `position`. Shared memory is gone.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn lose_power(&self, position: usize, seed: u64, into: &Path) -> io::Result<Loss> {
        let mut fate = Fate::of_seed(seed);
        self.0.lock().restore(position, &mut fate, into)?;
        Ok(match fate {
            Fate::Lost { loss, .. } => loss,
            Fate::Spared => Loss::default(),
        })
    }
}

/// An armed fault.
struct Trap {
    operation: Operation,
    nth: usize,
    lasts: bool,
    code: c_int,
    thread: Option<String>,
    report: Report,
}

#[derive(Default)]
struct Inner {
    names: Vec<OsString>,
    journal: Vec<Entry>,
    trap: Option<Trap>,
    skips_commits: bool,
    /// Whether frames were written to the write-ahead log since it was last synced, or was to be.
    has_new_frames: bool,
}

impl Inner {
    /// Takes up the files of a directory that nobody has a file of open: to close one drops the
    /// locks that this process has on it.
    fn found_in(directory: &Path) -> Self {
        let mut inner = Self::default();
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let name = entry.file_name();
            if !name.as_encoded_bytes().ends_with(b"-shm") {
                inner.take_up(&name, &entry.path());
            }
        }
        inner
    }

    /// Gives a file its number, and notes what is in it, if it exists.
    fn take_up(&mut self, name: &OsStr, path: &Path) -> File {
        let file = self.names.len();
        self.names.push(name.to_owned());
        if let Ok(content) = fs::read(path) {
            self.journal.push(Entry::Found(file, content));
        }
        file
    }

    fn find(&self, name: &OsStr) -> Option<File> {
        self.names.iter().position(|known| known == name)
    }

    /// Counts an operation; the code that it is to fail with.
    fn meet(&mut self, operation: Operation) -> Option<c_int> {
        let trap = self.trap.as_mut().filter(|trap| trap.operation == operation)?;
        if trap.thread.is_some() && trap.thread.as_deref() != std::thread::current().name() {
            return None;
        }
        trap.report.met += 1;
        let met = trap.report.met;
        if met == trap.nth || trap.lasts && met > trap.nth {
            trap.report.failed += 1;
            return Some(trap.code);
        }
        None
    }

    fn is_log(&self, file: File) -> bool {
        self.names[file].as_encoded_bytes().ends_with(b"-wal")
    }

    fn restore(&self, position: usize, fate: &mut Fate, into: &Path) -> io::Result<()> {
        let contents = replay(&self.journal[..position], self.names.len(), fate);
        for (name, content) in self.names.iter().zip(contents) {
            if let Some(content) = content {
                fs::write(into.join(name), content)?;
            }
        }
        Ok(())
    }
}

/// A disk, as the layer sees it. It does no real sync: the machine that runs the tests is not
/// the one that loses power.
pub(crate) struct State(Mutex<Inner>);

impl State {
    /// The one of a directory: it lives as long as somebody has it.
    pub(crate) fn of(directory: &Path) -> Arc<Self> {
        static DISKS: Mutex<BTreeMap<PathBuf, Weak<State>>> = Mutex::new(BTreeMap::new());
        let mut disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = disks.get(directory).and_then(Weak::upgrade) {
            return state;
        }
        disks.retain(|_, state| state.strong_count() > 0);
        let state = Arc::new(Self(Mutex::new(Inner::found_in(directory))));
        disks.insert(directory.to_owned(), Arc::downgrade(&state));
        state
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does `real`, unless that is to fail; the result code.
    pub(crate) fn attempt(&self, operation: Operation, real: impl FnOnce() -> c_int) -> c_int {
        let fails = self.lock().meet(operation);
        fails.unwrap_or_else(real)
    }

    /// Opens `path` with `real`; the code, where that fails.
    pub(crate) fn open(&self, path: &Path, real: impl FnOnce() -> c_int) -> Result<File, c_int> {
        let mut inner = self.lock();
        if let Some(code) = inner.meet(Operation::Open) {
            return Err(code);
        }
        let name = path.file_name().unwrap_or(OsStr::new(""));
        let file = inner.find(name).unwrap_or_else(|| inner.take_up(name, path));
        let is_new = !path.exists();
        match real() {
            ffi::SQLITE_OK => {
                if is_new {
                    inner.journal.push(Entry::Created(file));
                }
                Ok(file)
            }
            code => Err(code),
        }
    }

    /// Writes `bytes` with `real`, or half of them.
    pub(crate) fn write(
        &self,
        file: File,
        offset: usize,
        bytes: &[u8],
        real: impl FnOnce(&[u8]) -> c_int,
    ) -> c_int {
        let mut inner = self.lock();
        let fails = inner.meet(Operation::Write);
        let bytes = if fails.is_some() { &bytes[..bytes.len() / 2] } else { bytes };
        let code = real(bytes);
        if code == ffi::SQLITE_OK {
            inner.journal.push(Entry::Wrote(file, offset, bytes.to_vec()));
            // What is at the very start is the log's header.
            inner.has_new_frames |= inner.is_log(file) && offset > 0;
        }
        fails.unwrap_or(code)
    }

    pub(crate) fn truncate(
        &self,
        file: File,
        length: usize,
        real: impl FnOnce() -> c_int,
    ) -> c_int {
        let mut inner = self.lock();
        let code = inner.meet(Operation::Truncate).unwrap_or_else(real);
        if code == ffi::SQLITE_OK {
            inner.journal.push(Entry::Resized(file, length));
        }
        code
    }

    /// With its directory, where that was not done since the file was created.
    pub(crate) fn sync(&self, file: File, directory: &AtomicBool) -> c_int {
        let mut inner = self.lock();
        let had_new_frames = inner.is_log(file) && std::mem::take(&mut inner.has_new_frames);
        let fails = inner.meet(Operation::Sync);
        if fails.is_some() {
            inner.journal.push(Entry::SyncFailed(file));
        } else if !(inner.skips_commits && had_new_frames) {
            inner.journal.push(Entry::Synced(file));
            if directory.swap(false, Ordering::Relaxed) {
                inner.journal.push(Entry::DirectorySynced);
            }
        }
        fails.unwrap_or(ffi::SQLITE_OK)
    }

    pub(crate) fn delete(
        &self,
        path: &Path,
        syncs_directory: bool,
        real: impl FnOnce() -> c_int,
    ) -> c_int {
        let mut inner = self.lock();
        let code = inner.meet(Operation::Delete).unwrap_or_else(real);
        let name = path.file_name().unwrap_or(OsStr::new(""));
        if code == ffi::SQLITE_OK
            && let Some(file) = inner.find(name)
        {
            inner.journal.push(Entry::Removed(file));
            if syncs_directory {
                inner.journal.push(Entry::DirectorySynced);
            }
        }
        code
    }
}
