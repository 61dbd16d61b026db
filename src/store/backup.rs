//! The database on its way out, while others write.
//!
//! All pages are read in one read transaction: they are of one moment, and nobody waits. Copying in
//! several transactions would begin anew with each commit in between, and never end on a busy server.
//! The price is that the write-ahead log is not begun anew meanwhile: it grows by what is written
//! until the last page is read.

use std::fs::File;
use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode};

use super::audit::Event;
use super::{Store, schema, seal};
use crate::domain::session::Client;
use crate::domain::time::Now;
use crate::fault::Fault;

/// How many pages are copied between two signs of progress.
const STEP: i32 = 256;

/// How far a long piece of work has come: which part of it, and what of how much in that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Pages are copied.
    Copying(u64, u64),
    /// The copy is checked. How long that takes is not known.
    Checking,
}

/// A backup that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The size of the database in it, in bytes.
    pub bytes: u64,
    /// The checksum of that, in hexadecimal.
    pub checksum: String,
}

impl Store {
    /// Copies the database, as it is at one moment, over the empty file `to`.
    pub async fn copy_to(
        &self,
        to: &Path,
        mut progress: impl FnMut(Part) + Send + 'static,
    ) -> Result<(), Fault> {
        let to = to.to_owned();
        self.read(move |sql| copy(sql, &to, &mut progress)).await
    }

    /// Completes a copy that was checked: the line with its checksum, and all of it on the disk.
    pub async fn seal(&self, mut file: File) -> Result<Sealed, Fault> {
        let sealed = tokio::task::spawn_blocking(move || {
            let hash = seal::seal(&mut file, &mut |_| {})?;
            file.sync_all()?;
            let bytes = file.metadata()?.len() - seal::LENGTH as u64;
            Ok::<_, std::io::Error>(Sealed { bytes, checksum: hash.to_hex().to_string() })
        });
        let sealed = sealed.await.map_err(|error| Fault::internal("sealing").because(error))?;
        sealed.map_err(|error| Fault::unavailable("the checksum cannot be written").because(error))
    }

    /// Records that somebody has taken a copy of everything.
    pub async fn record_backup(&self, now: Now) -> Result<(), Fault> {
        self.write(move |work| work.audit(Event::BackupMade, None, None, &Client::default(), now))
            .await
    }
}

fn copy(sql: &Connection, to: &Path, progress: &mut dyn FnMut(Part)) -> rusqlite::Result<()> {
    let mut copy = schema::scratch(to)?;
    // The copy reads in this transaction, from the first step to the last.
    sql.execute_batch("BEGIN; SELECT count(*) FROM sqlite_schema")?;
    let copied = pages(sql, &mut copy, progress);
    sql.execute_batch("COMMIT")?;
    copied?;
    schema::single_file(&copy)
}

fn pages(
    sql: &Connection,
    to: &mut Connection,
    progress: &mut dyn FnMut(Part),
) -> rusqlite::Result<()> {
    let size: u32 = sql.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let bytes = |pages: i32| u64::try_from(pages).unwrap_or(0) * u64::from(size);
    let backup = Backup::new(sql, to)?;
    loop {
        let step = backup.step(STEP)?;
        let done = backup.progress();
        let copied = done.pagecount.saturating_sub(done.remaining);
        progress(Part::Copying(bytes(copied), bytes(done.pagecount)));
        match step {
            StepResult::Done => return Ok(()),
            StepResult::More => {}
            // Nobody else has the copy, and the transaction holds what is read.
            _ => return Err(busy()),
        }
    }
}

fn busy() -> rusqlite::Error {
    let code = rusqlite::ffi::Error { code: ErrorCode::DatabaseBusy, extended_code: 5 };
    rusqlite::Error::SqliteFailure(code, None)
}
