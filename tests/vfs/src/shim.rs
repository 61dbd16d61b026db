//! The layer between SQLite and its unix VFS, and all `unsafe` of this crate.
//!
//! SQLite allocates `szOsFile` bytes for an open file: ours are a [`Header`] and behind it the
//! bytes of the VFS below. Each method does its part and hands on to the one below.

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use rusqlite::ffi;
use rusqlite::ffi::{sqlite3_file, sqlite3_io_methods, sqlite3_vfs};

use crate::disk::{Operation, State};
use crate::journal::File;

/// The start of an open file. The file of the VFS below follows.
#[repr(C)]
struct Header {
    base: sqlite3_file,
    /// From `Box::into_raw`, until the file is closed; null for a temporary file without a name.
    handle: *mut Handle,
}

// The file below begins where the header ends, and needs no more than a pointer's alignment.
const _: () = assert!(size_of::<Header>().is_multiple_of(align_of::<u64>()));

struct Handle {
    disk: Arc<State>,
    file: File,
    /// Whether the next sync has to sync the directory, too.
    directory: AtomicBool,
}

/// Files whose directory the unix VFS syncs with them, when they were opened to be created.
const WITH_DIRECTORY: c_int =
    ffi::SQLITE_OPEN_WAL | ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL;

/// The VFS below. Its functions may be called from any thread.
struct Below(*mut sqlite3_vfs);

// SAFETY: SQLite's own VFS objects are never freed, are not changed after their registration, and
// are used by SQLite from all threads.
unsafe impl Send for Below {}
// SAFETY: as above.
unsafe impl Sync for Below {}

static BELOW: OnceLock<Below> = OnceLock::new();

static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    // Version 2: without xFetch, so that all reads pass through here.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Makes this layer the default VFS of the process, for all databases that are opened after.
///
/// # Panics
/// SQLite has no VFS, or does not take another.
pub fn install() {
    BELOW.get_or_init(|| {
        // SAFETY: both are documented as safe at any time and from any thread; a null name asks
        // for the default. What is found is a valid `sqlite3_vfs` for ever.
        let below = unsafe {
            ffi::sqlite3_initialize();
            ffi::sqlite3_vfs_find(std::ptr::null())
        };
        assert!(!below.is_null(), "SQLite has a VFS");
        // SAFETY: not null, so valid. The unix VFS's other functions do not look at the object
        // that they are called with, so they may be called with a copy.
        let below_ours = unsafe { &*below };
        let header = c_int::try_from(size_of::<Header>()).expect("a few bytes");
        let ours = Box::leak(Box::new(sqlite3_vfs {
            szOsFile: header + below_ours.szOsFile,
            pNext: std::ptr::null_mut(),
            zName: c"doorward-test".as_ptr(),
            xOpen: Some(open),
            xDelete: Some(delete),
            ..*below_ours
        }));
        // SAFETY: `ours` is leaked, so it lives as long as the process.
        let code = unsafe { ffi::sqlite3_vfs_register(ours, 1) };
        assert_eq!(code, ffi::SQLITE_OK, "SQLite takes another VFS");
        Below(below)
    });
}

/// The VFS below. SQLite calls the functions here only after it was set.
fn below() -> *mut sqlite3_vfs {
    BELOW.get().map_or(std::ptr::null_mut(), |below| below.0)
}

/// # Safety
/// `file` was opened by [`open`].
unsafe fn header<'a>(file: *mut sqlite3_file) -> &'a Header {
    // SAFETY: `open` has written a header there, which stays until the file is closed.
    unsafe { &*file.cast::<Header>() }
}

/// # Safety
/// `file` was opened by [`open`], and is not closed.
unsafe fn handle<'a>(file: *mut sqlite3_file) -> Option<&'a Handle> {
    // SAFETY: the pointer is null, or that of a box which `close` frees.
    unsafe { header(file).handle.as_ref() }
}

/// # Safety
/// `file` has room for `szOsFile` bytes.
unsafe fn file_below(file: *mut sqlite3_file) -> *mut sqlite3_file {
    // SAFETY: the room is that of a header and the file below.
    unsafe { file.cast::<Header>().add(1).cast() }
}

/// Calls a method of the file below.
macro_rules! hand_on {
    ($file:ident . $method:ident ( $($argument:expr),* )) => {
        // SAFETY: SQLite calls a method only on a file that `open` has opened, so the file below
        // is open, too; its methods are a static table. The arguments are those that SQLite
        // means for it.
        unsafe {
            let below = file_below($file);
            match (*(*below).pMethods).$method {
                Some(method) => method(below $(, $argument)*),
                None => Default::default(),
            }
        }
    };
}

/// # Safety
/// `name` is null or a C string.
unsafe fn path<'a>(name: *const c_char) -> Option<&'a Path> {
    if name.is_null() {
        return None;
    }
    // SAFETY: not null.
    let name = unsafe { CStr::from_ptr(name) };
    Some(Path::new(OsStr::from_bytes(name.to_bytes())))
}

fn disk_of(path: &Path) -> Arc<State> {
    State::of(path.parent().unwrap_or(Path::new("/")))
}

fn unsigned(number: i64) -> usize {
    usize::try_from(number).unwrap_or_default()
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let real = || {
        // SAFETY: the VFS below gets itself, the name that SQLite made (with its parameters
        // behind it), and its own part of the room.
        unsafe {
            let below = below();
            (*below).xOpen.map_or(ffi::SQLITE_CANTOPEN, |open| {
                open(below, name, file_below(file), flags, out_flags)
            })
        }
    };
    // SAFETY: SQLite passes null or a C string.
    let path = unsafe { path(name) };
    let opened = match path {
        None => match real() {
            ffi::SQLITE_OK => Ok(std::ptr::null_mut()),
            code => Err(code),
        },
        Some(path) => {
            let disk = disk_of(path);
            let opened = disk.open(path, real);
            let directory = flags & ffi::SQLITE_OPEN_CREATE != 0 && flags & WITH_DIRECTORY != 0;
            opened.map(|file| {
                Box::into_raw(Box::new(Handle { disk, file, directory: directory.into() }))
            })
        }
    };
    let (methods, handle, code) = match opened {
        Ok(handle) => (&raw const METHODS, handle, ffi::SQLITE_OK),
        // Without methods SQLite does not close it.
        Err(code) => (std::ptr::null(), std::ptr::null_mut(), code),
    };
    let header = Header { base: sqlite3_file { pMethods: methods }, handle };
    // SAFETY: the room is SQLite's, for this file, and begins with the header.
    unsafe { file.cast::<Header>().write(header) };
    code
}

unsafe extern "C" fn delete(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    syncs_directory: c_int,
) -> c_int {
    let real = || {
        // SAFETY: the VFS below gets itself, and the name that SQLite passed.
        unsafe {
            let below = below();
            (*below)
                .xDelete
                .map_or(ffi::SQLITE_IOERR_DELETE, |delete| delete(below, name, syncs_directory))
        }
    };
    // SAFETY: SQLite passes a C string.
    match unsafe { path(name) } {
        None => real(),
        Some(path) => disk_of(path).delete(path, syncs_directory != 0, real),
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    let code = hand_on!(file.xClose());
    // SAFETY: the file is open, so the handle is null or from `Box::into_raw`; SQLite uses the
    // file no more.
    unsafe {
        let handle = header(file).handle;
        if !handle.is_null() {
            drop(Box::from_raw(handle));
        }
    }
    code
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    into: *mut c_void,
    amount: c_int,
    offset: i64,
) -> c_int {
    let real = || hand_on!(file.xRead(into, amount, offset));
    // SAFETY: the file is open.
    match unsafe { handle(file) } {
        None => real(),
        Some(handle) => handle.disk.attempt(Operation::Read, real),
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    data: *const c_void,
    amount: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: the file is open.
    let Some(handle) = (unsafe { handle(file) }) else {
        return hand_on!(file.xWrite(data, amount, offset));
    };
    // SAFETY: SQLite passes that many bytes.
    let bytes = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), unsigned(amount.into())) };
    handle.disk.write(handle.file, unsigned(offset), bytes, |bytes| {
        let amount = c_int::try_from(bytes.len()).unwrap_or(amount);
        hand_on!(file.xWrite(bytes.as_ptr().cast(), amount, offset))
    })
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, length: i64) -> c_int {
    let real = || hand_on!(file.xTruncate(length));
    // SAFETY: the file is open.
    match unsafe { handle(file) } {
        None => real(),
        Some(handle) => handle.disk.truncate(handle.file, unsigned(length), real),
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: the file is open.
    let handle = unsafe { handle(file) };
    handle.map_or(ffi::SQLITE_OK, |handle| handle.disk.sync(handle.file, &handle.directory))
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    region: c_int,
    size: c_int,
    extends: c_int,
    mapped: *mut *mut c_void,
) -> c_int {
    let real = || hand_on!(file.xShmMap(region, size, extends, mapped));
    // SAFETY: the file is open.
    match unsafe { handle(file) } {
        None => real(),
        Some(handle) => handle.disk.attempt(Operation::ShmMap, real),
    }
}

unsafe extern "C" fn shm_lock(
    file: *mut sqlite3_file,
    offset: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    let real = || hand_on!(file.xShmLock(offset, count, flags));
    let locks = flags & ffi::SQLITE_SHM_LOCK != 0;
    // SAFETY: the file is open.
    match unsafe { handle(file) } {
        Some(handle) if locks => handle.disk.attempt(Operation::ShmLock, real),
        _ => real(),
    }
}

// What follows only hands on.

unsafe extern "C" fn file_size(file: *mut sqlite3_file, size: *mut i64) -> c_int {
    hand_on!(file.xFileSize(size))
}

unsafe extern "C" fn lock(file: *mut sqlite3_file, level: c_int) -> c_int {
    hand_on!(file.xLock(level))
}

unsafe extern "C" fn unlock(file: *mut sqlite3_file, level: c_int) -> c_int {
    hand_on!(file.xUnlock(level))
}

unsafe extern "C" fn check_reserved_lock(file: *mut sqlite3_file, result: *mut c_int) -> c_int {
    hand_on!(file.xCheckReservedLock(result))
}

unsafe extern "C" fn file_control(
    file: *mut sqlite3_file,
    operation: c_int,
    argument: *mut c_void,
) -> c_int {
    hand_on!(file.xFileControl(operation, argument))
}

unsafe extern "C" fn sector_size(file: *mut sqlite3_file) -> c_int {
    hand_on!(file.xSectorSize())
}

unsafe extern "C" fn device_characteristics(file: *mut sqlite3_file) -> c_int {
    hand_on!(file.xDeviceCharacteristics())
}

unsafe extern "C" fn shm_barrier(file: *mut sqlite3_file) {
    hand_on!(file.xShmBarrier());
}

unsafe extern "C" fn shm_unmap(file: *mut sqlite3_file, deletes: c_int) -> c_int {
    hand_on!(file.xShmUnmap(deletes))
}
