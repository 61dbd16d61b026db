//! All SQL. The public methods of [`Store`] are the seam to another engine: each is one domain
//! operation in exactly one transaction, and none has a type of SQLite's in its signature.
//!
//! - `writer`: the one thread that writes, in group commits. Nothing else opens a transaction.
//! - `rotation`: the rotation transaction, whole, in one file.
//! - `sessions`, `users`, `directory`, `import`, `audit`, `trail`, `upkeep`: the other operations.
//! - `devices`: from where an account has signed in.
//! - `profiles`, `addresses`: what users say about themselves.
//! - `dossier`: all that is kept about one user, in one snapshot.
//! - `notes`, `revocations`, `not_before`, `known`: what is kept in memory so that a guarded request
//!   touches no disk.
//! - `recovery`, `invitations`, `one_time`: what the links in mails do.
//! - `keys`: which keys there are, and which are retired.
//! - `outbox`: mail that waits to be delivered; `notices`: mail that nobody has asked for.
//! - `schema`: opening, settings, migrations; `checkpoint`: the write-ahead log kept short.
//! - `backup`, `seal`, `restore`, `check`: the database on its way out, back, and looked at as a whole;
//!   `hold`: who has the data directory.

mod addresses;
mod audit;
mod backup;
mod check;
mod checkpoint;
mod devices;
mod directory;
mod dossier;
mod hold;
mod import;
mod invitations;
mod keys;
mod known;
mod not_before;
mod notes;
mod notices;
mod one_time;
mod open_error;
mod outbox;
mod profiles;
mod recovery;
mod restore;
mod revocations;
mod rotation;
mod schema;
mod seal;
mod sessions;
mod trail;
mod upkeep;
mod users;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::{Connection, ErrorCode};

pub use addresses::{NewAddress, NotAdded, NotChanged};
pub use audit::{By, Detail, Event};
pub use backup::{Part, Sealed};
pub use check::{CheckError, Checked, check_database, check_file, damage_of_copy};
pub use directory::{Changed, Page, UserFilter};
pub use dossier::{Dossier, SeenDevice};
pub use hold::{Hold, HoldError};
pub use invitations::{Accepted, Invitation};
pub use keys::{KeyName, KeyRecord, RetiredKey};
pub use open_error::OpenError;
pub use outbox::{OutboxSize, Outgoing, WhichMail};
pub use profiles::Author;
pub use recovery::Redeemed;
pub use restore::{RestoreError, Restored, Source, check_place, restore};
pub use revocations::Standing;
pub use rotation::{Refused, Rotated, Rotation};
pub use seal::{SealError, looks_sealed};
pub use sessions::{NewSession, Started};
pub use trail::{EventFilter, EventSeq, Recorded};
pub use users::{Account, NewUser, UserChange};

use crate::domain::id::SessionId;
use crate::domain::time::Now;
use crate::fault::Fault;
use notes::Notes;
use revocations::Revocations;
use writer::{Work, Writer};

/// How many readers there are, and how long one waits for one of them.
const READERS: u32 = 4;
const READER_TIMEOUT: Duration = Duration::from_secs(2);

/// The database.
pub struct Store {
    path: PathBuf,
    readers: r2d2::Pool<SqliteConnectionManager>,
    writer: Writer,
    notes: Arc<Notes>,
    revocations: Arc<Revocations>,
    /// How far the sweep has come.
    swept_to: Mutex<SessionId>,
}

impl Store {
    /// Opens `path`, makes and migrates it as needed, and starts the writer. `access_token_ttl`
    /// says how long an ended session can have access tokens about.
    pub fn open(path: &Path, access_token_ttl: Duration, now: Now) -> Result<Self, OpenError> {
        let connection = schema::prepare(path)?;
        let revocations = Revocations::load(&connection, access_token_ttl, now);
        let revocations = Arc::new(revocations.map_err(|error| OpenError::database(path, error))?);
        let notes = Arc::new(Notes::default());
        let writer = Writer::start(
            connection,
            path.to_owned(),
            Arc::clone(&notes),
            Arc::clone(&revocations),
        );
        let readers = r2d2::Pool::builder()
            .max_size(READERS)
            .min_idle(Some(1))
            .connection_timeout(READER_TIMEOUT)
            // A connection to a file does not age; and a closed store would keep the threads that
            // look after that for half a minute.
            .max_lifetime(None)
            .idle_timeout(None)
            .build_unchecked(schema::reader(path));
        let swept_to = Mutex::default();
        Ok(Self { path: path.to_owned(), readers, writer, notes, revocations, swept_to })
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Finishes what is queued and stops.
    pub fn close(&self) {
        self.writer.close();
    }

    /// The same, and folds the write-ahead log into the database: for the process that serves.
    pub fn close_for_good(&self) {
        self.writer.fold_at_the_end();
        self.writer.close();
    }

    /// Runs `job` in the next group commit; the answer comes after the commit.
    async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Work<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        self.writer.submit(job).await
    }

    /// Runs `query` on a read-only connection, off the async threads.
    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let pool = self.readers.clone();
        tokio::task::spawn_blocking(move || {
            let connection = pool
                .get()
                .map_err(|error| Fault::unavailable("no database reader is free").because(error))?;
            query(&connection).map_err(Fault::from)
        })
        .await
        .map_err(|error| Fault::internal("a database reader died").because(error))?
    }

    /// The same for several queries whose answers have to agree: all see one commit.
    async fn read_snapshot<T: Send + 'static>(
        &self,
        queries: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        #[expect(clippy::disallowed_methods, reason = "it reads, and ends with a rollback")]
        self.read(move |sql| queries(&*sql.unchecked_transaction()?)).await
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error_code();
        let fault = match code {
            None
            | Some(
                ErrorCode::ConstraintViolation | ErrorCode::ApiMisuse | ErrorCode::TypeMismatch,
            ) => Self::internal("database"),
            Some(_) => Self::unavailable("database"),
        };
        fault.because(error)
    }
}
