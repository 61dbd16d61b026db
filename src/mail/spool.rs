//! Into a directory, so that a newcomer without a mail server can open what would have been sent.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::{Blame, Letter, Undelivered};

/// The directory: one file a letter, `TIME-NUMBER.eml`.
pub struct Spool {
    dir: PathBuf,
}

impl Spool {
    pub(super) const fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub(super) async fn deliver(&self, letter: Letter) -> Result<(), Undelivered> {
        let message = letter.message()?.formatted();
        let (dir, name) = (self.dir.clone(), letter.name());
        let written = tokio::task::spawn_blocking(move || write(&dir, &name, &message)).await;
        let written = written.unwrap_or_else(|died| Err(io::Error::other(died)));
        written.map_err(|error| {
            let reason = format!("cannot write to {}: {error}", self.dir.display());
            Undelivered::new(Blame::Way, &reason)
        })
    }
}

/// Nobody finds half a letter, nor may anybody else read one: its links sign people in. A letter that
/// comes again takes the place of the first.
fn write(dir: &Path, name: &str, message: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let draft = dir.join(format!(".{name}.tmp"));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(message)?;
    file.sync_all()?;
    fs::rename(&draft, dir.join(format!("{name}.eml")))?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn letters_are_files_for_their_owner_alone_and_are_never_there_by_half() {
        let data = tempfile::tempdir().unwrap();
        let dir = data.path().join("mail");
        for (name, content) in [("b", "second"), ("a", "first"), ("b", "again")] {
            write(&dir, name, content.as_bytes()).unwrap();
        }
        let mut names: Vec<_> =
            fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["a.eml", "b.eml"]);
        assert_eq!(fs::read_to_string(dir.join("b.eml")).unwrap(), "again");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&dir.join("a.eml"))), (0o700, 0o600));
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_a_failure() {
        let data = tempfile::tempdir().unwrap();
        fs::write(data.path().join("mail"), "a file").unwrap();
        assert!(write(&data.path().join("mail"), "a", b"").is_err());
    }
}
