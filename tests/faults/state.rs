//! All that a database holds, to be compared.

use std::path::Path;

use rusqlite::{Connection, Row, types::Value};

/// What is compared.
const TABLES: [&str; 6] = ["users", "sessions", "revocations", "audit", "meta", "sqlite_sequence"];

/// The rows of all tables, one a line.
#[derive(Clone, PartialEq, Eq)]
pub struct State(Vec<String>);

impl State {
    /// Read past the store. Finds a broken file.
    #[expect(clippy::disallowed_methods, reason = "looks at the file from outside")]
    pub fn of(database: &Path) -> Self {
        let sql = Connection::open(database).unwrap();
        let check: String = sql.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(check, "ok", "{}", database.display());
        Self(TABLES.iter().flat_map(|table| rows(&sql, table)).collect())
    }

    /// Where two differ, for whoever has to find out why.
    pub fn difference(&self, other: &Self) -> String {
        let only = |these: &Self, those: &Self, sign: char| {
            let rows = these.0.iter().filter(|row| !those.0.contains(row));
            rows.map(|row| format!("{sign} {row}")).collect::<Vec<_>>()
        };
        [only(self, other, '-'), only(other, self, '+')].concat().join("\n")
    }
}

fn rows(sql: &Connection, table: &str) -> Vec<String> {
    let mut statement = sql.prepare(&format!("SELECT * FROM {table} ORDER BY 1")).unwrap();
    let columns = statement.column_count();
    let shown = |row: &Row<'_>| {
        let values = (0..columns).map(|column| row.get::<_, Value>(column).map(short));
        values.collect::<Result<Vec<_>, _>>()
    };
    let rows = statement.query_map([], shown).unwrap();
    rows.map(|row| format!("{table}: {}", row.unwrap().join(" "))).collect()
}

fn short(value: Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text,
        Value::Blob(bytes) => format!("{bytes:02x?}"),
    }
}
