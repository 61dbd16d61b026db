//! `doorward export`.

use std::fs;
use std::io::{self, BufWriter, ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::data::{self, Data};
use super::failure::Failure;
use super::output::{self, count};
use crate::config::Config;
use crate::flows::export::{ExportError, export};

pub(super) const EXAMPLES: &str = "\
Examples:
  doorward export users.jsonl
  doorward export | gpg --encrypt --recipient me > users.jsonl.gpg";

/// Writes all users to `file`, or to standard output.
pub(super) fn run(config: Config, file: Option<PathBuf>) -> Result<String, Failure> {
    let file = file.filter(|file| file.as_os_str() != "-");
    data::existing(config, async |data| {
        let (text, place) = match &file {
            Some(file) => {
                let written = to_file(data, file).await;
                let users = written.map_err(|error| failed(&file.display().to_string(), &error))?;
                (format!("{} written to {}\n", count(users, "user"), file.display()), "the file")
            }
            None => (to_stdout(data).await?, "the output"),
        };
        output::warn(&[format!(
            "{place} holds the hashes of the users' passwords: guard it as you guard the database"
        )]);
        Ok(text)
    })
}

async fn to_stdout(data: &Data) -> Result<String, Failure> {
    let mut sink = BufWriter::new(io::stdout().lock());
    match export(&data.store, &mut sink).await.and_then(|_| Ok(sink.flush()?)) {
        // A reader that has seen enough, as in `| head`.
        Err(ExportError::Io(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(String::new()),
        Err(error) => Err(failed("standard output", &error)),
        Ok(()) => Ok(String::new()),
    }
}

/// Writes a file that is there whole or, after a crash, as it was before. Nobody else may read it.
async fn to_file(data: &Data, file: &Path) -> Result<usize, ExportError> {
    let mut name =
        file.file_name().ok_or(ErrorKind::IsADirectory).map_err(io::Error::from)?.to_owned();
    name.push(".tmp");
    let half = file.with_file_name(name);
    let _ = fs::remove_file(&half);
    let created = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&half)?;
    let mut sink = BufWriter::with_capacity(1 << 16, created);
    let written = export(&data.store, &mut sink).await;
    let finished = written.and_then(|users| {
        sink.flush()?;
        sink.get_ref().sync_all()?;
        fs::rename(&half, file)?;
        let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
        fs::File::open(dir.unwrap_or(Path::new(".")))?.sync_all()?;
        Ok(users)
    });
    if finished.is_err() {
        let _ = fs::remove_file(&half);
    }
    finished
}

fn failed(place: &str, error: &ExportError) -> Failure {
    Failure::failed(match error {
        ExportError::Fault(fault) => fault.to_string(),
        ExportError::Io(error) => format!("cannot write to {place}: {error}"),
    })
}
