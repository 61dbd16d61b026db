//! Users on their way out, in the form in which [`import`](super::import) takes them.

use std::io::{self, Write};

use crate::crypto::hasher::NO_PASSWORD;
use crate::domain::record::Record;
use crate::fault::Fault;
use crate::store::{Account, Store};

/// How many users are read at a time.
const PAGE: u32 = 1000;

/// Why an export stopped.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The database.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// Where it was to go.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Writes all users, the oldest first, a line each; how many there were. Each is as it was at some
/// moment of the export.
pub async fn export(store: &Store, sink: &mut impl Write) -> Result<usize, ExportError> {
    let (mut last, mut count) = (None, 0);
    loop {
        let page = store.list_accounts(last, PAGE).await?;
        let Some(end) = page.last() else { return Ok(count) };
        last = Some(end.user.id);
        count += page.len();
        for account in page {
            writeln!(sink, "{}", record(account).to_line())?;
        }
    }
}

fn record(account: Account) -> Record {
    let Account { user, password_hash } = account;
    Record {
        id: Some(user.id),
        email: user.email,
        password: Some(password_hash).filter(|hash| hash != NO_PASSWORD),
        role: user.role,
        is_verified: user.is_verified,
        disabled_at: user.disabled_at,
        created_at: Some(user.created_at),
        updated_at: Some(user.updated_at),
    }
}
