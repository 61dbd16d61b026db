//! What makes a database file a backup: a line behind its last page, with the length and the
//! checksum of all before it. SQLite goes by the length in the database's own header and does not
//! see the line; so a backup can be looked at with any of its tools.
//!
//! The checksum tells damage, not malice: whoever can write the file can write the line.

use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write};
use std::path::Path;

use blake3::{Hash, Hasher};

/// The beginning of the line. The number is that of the form.
const MARK: &str = "\ndoorward backup 1 ";

/// How long the line is: the mark, twenty digits, a space, the checksum, a line feed.
pub(super) const LENGTH: usize = MARK.len() + 20 + 1 + 2 * blake3::OUT_LEN + 1;

/// How much is read at a time.
const CHUNK: usize = 1 << 20;

/// Why a file is not taken for what was backed up.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The line is not there.
    #[error(
        "it is not a whole backup: the checksum at its end is missing. It was cut off, or was not \
         made by `doorward backup`"
    )]
    Missing,
    /// The line says something else than the file holds.
    #[error("it is damaged: its content is not what was backed up")]
    Broken,
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Read(#[source] io::Error),
    /// The copy cannot be written.
    #[error("it cannot be copied: {0}")]
    Write(#[source] io::Error),
}

fn line(bytes: u64, hash: Hash) -> String {
    format!("{MARK}{bytes:020} {}\n", hash.to_hex())
}

/// Puts the line behind the end of `file`; its checksum.
pub(super) fn seal(file: &mut File, progress: &mut dyn FnMut(u64)) -> io::Result<Hash> {
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = Hasher::new();
    let bytes = pass(file, u64::MAX, progress, &mut |chunk| {
        hasher.update(chunk);
        Ok(())
    });
    let (bytes, hash) = (bytes.map_err(|(_, error)| error)?, hasher.finalize());
    file.write_all(line(bytes, hash).as_bytes())?;
    Ok(hash)
}

/// Whether `file` ends like a backup, whole or not.
pub fn looks_sealed(file: &Path) -> io::Result<bool> {
    let mut file = File::open(file)?;
    let Some(at) = file.metadata()?.len().checked_sub(LENGTH as u64) else { return Ok(false) };
    file.seek(SeekFrom::Start(at))?;
    let mut mark = [0; MARK.len()];
    file.read_exact(&mut mark)?;
    Ok(mark == *MARK.as_bytes())
}

/// Reads the whole of a backup and writes what was backed up to `sink`, which is to be thrown away
/// unless this succeeds.
pub(super) fn unseal(
    file: &Path,
    sink: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<(), SealError> {
    let mut file = File::open(file).map_err(SealError::Read)?;
    let length = file.metadata().map_err(SealError::Read)?.len();
    let bytes = length.checked_sub(LENGTH as u64).ok_or(SealError::Missing)?;
    let mut hasher = Hasher::new();
    let copied = pass(&mut file, bytes, progress, &mut |chunk| {
        hasher.update(chunk);
        sink.write_all(chunk)
    });
    copied.map_err(|(side, error)| match side {
        Side::Source => SealError::Read(error),
        Side::Sink => SealError::Write(error),
    })?;
    let mut found = Vec::with_capacity(LENGTH);
    file.read_to_end(&mut found).map_err(SealError::Read)?;
    if !found.starts_with(MARK.as_bytes()) {
        Err(SealError::Missing)
    } else if found == line(bytes, hasher.finalize()).as_bytes() {
        Ok(())
    } else {
        Err(SealError::Broken)
    }
}

/// Which end of a copy has failed.
enum Side {
    Source,
    Sink,
}

/// Hands up to `bytes` bytes of `source` over, a chunk at a time; how many there were.
fn pass(
    source: &mut File,
    bytes: u64,
    progress: &mut dyn FnMut(u64),
    each: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<u64, (Side, io::Error)> {
    let mut buffer = vec![0; CHUNK];
    let mut source = source.take(bytes);
    let mut done = 0;
    loop {
        let read = match source.read(&mut buffer) {
            Ok(0) => return Ok(done),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err((Side::Source, error)),
        };
        each(buffer.get(..read).unwrap_or_default()).map_err(|error| (Side::Sink, error))?;
        done += read as u64;
        progress(done);
    }
}

/// Copies a file that has no such line, because another program has made it.
pub(super) fn copy(
    file: &Path,
    sink: &mut dyn Write,
    progress: &mut dyn FnMut(u64),
) -> Result<(), SealError> {
    let mut file = File::open(file).map_err(SealError::Read)?;
    let copied = pass(&mut file, u64::MAX, progress, &mut |chunk| sink.write_all(chunk));
    copied.map(drop).map_err(|(side, error)| match side {
        Side::Source => SealError::Read(error),
        Side::Sink => SealError::Write(error),
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::os::unix::fs::FileExt as _;

    use super::*;

    fn read(file: &Path) -> Result<Vec<u8>, SealError> {
        let mut bytes = Vec::new();
        unseal(file, &mut bytes, &mut |_| {}).map(|()| bytes)
    }

    #[test]
    fn every_bit_counts() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("backup.db");
        let content: Vec<u8> = (0..250_u32).flat_map(u32::to_be_bytes).collect();
        fs::write(&path, &content).unwrap();
        let mut file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        seal(&mut file, &mut |_| {}).unwrap();
        assert_eq!(read(&path).unwrap(), content);
        assert!(looks_sealed(&path).unwrap());

        let whole = fs::read(&path).unwrap();
        assert_eq!(whole.len(), content.len() + LENGTH);
        for (at, byte) in whole.iter().enumerate() {
            for bit in 0..8 {
                file.write_all_at(&[byte ^ 1 << bit], at as u64).unwrap();
                assert!(read(&path).is_err(), "bit {bit} of byte {at}");
            }
            file.write_all_at(&[*byte], at as u64).unwrap();
        }
        assert_eq!(read(&path).unwrap(), content, "as it was");

        for length in (0..whole.len()).step_by(7) {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(matches!(read(&path), Err(SealError::Missing)), "cut off at {length}");
        }
        fs::write(&path, [&whole[..], b"\n"].concat()).unwrap();
        assert!(read(&path).is_err(), "one byte more");
        fs::write(&path, [&whole[..], &whole[whole.len() - LENGTH..]].concat()).unwrap();
        assert!(matches!(read(&path), Err(SealError::Broken)), "sealed twice");
    }
}
