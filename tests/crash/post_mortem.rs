//! What the files say while the server is down.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::client::{Client, LastRefresh, Session};
use super::ledger::{Breach, Ledger, Write};

/// Events that accuse somebody. Nobody here does anything to deserve them.
const ACCUSATIONS: &str = "SELECT event || ' of ' || hex(session_id) FROM audit
    WHERE event IN ('refresh_token_reused', 'refresh_token_foreign')";

/// Looks at the database that a killed server has left.
pub fn examine(data: &Path, clients: &mut [Client], ledger: &Ledger) {
    let sql = open(data);
    sql.pragma_update(None, "query_only", true).unwrap();
    for (breach, query) in [
        (Breach::Damaged, "SELECT * FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
        (Breach::Damaged, "SELECT 'a foreign key in ' || \"table\" FROM pragma_foreign_key_check"),
        (Breach::Accused, ACCUSATIONS),
    ] {
        let mut rows = sql.prepare(query).unwrap();
        for evidence in rows.query_map([], |row| row.get::<_, String>(0)).unwrap() {
            ledger.report(breach, evidence.unwrap_or_else(|error| error.to_string()));
        }
    }
    for client in clients {
        for session in client.sessions.iter_mut().chain(&mut client.ending.0) {
            if session.last_refresh == LastRefresh::Unanswered {
                let happened = has_turned(&sql, session);
                ledger.learn(Write::Refresh, happened);
                session.last_refresh = LastRefresh::Examined { happened };
            }
        }
    }
}

/// Whether a refresh that got no answer has happened.
fn has_turned(sql: &Connection, session: &Session) -> bool {
    let query = "SELECT generation FROM sessions WHERE id = ?1";
    let generation: Result<u32, _> =
        sql.query_row(query, [session.tokens.session.0], |row| row.get(0));
    generation.is_ok_and(|generation| generation > session.tokens.generation.0)
}

/// The database, past the server. The write-ahead log stays as the crash has left it, for the
/// next server to recover from.
#[expect(clippy::disallowed_methods, reason = "the server is down: nobody else is in the file")]
pub fn open(data: &Path) -> Connection {
    // Not read-only: there SQLite does not load the CHECK constraints, nor check them.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let sql = Connection::open_with_flags(data.join("doorward.db"), flags).unwrap();
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    sql
}
