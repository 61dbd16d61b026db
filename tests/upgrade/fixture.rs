//! Databases of older schemas, as text: `schema-N.sql`. The first line has what was handed out.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use serde_json::Value;

/// A database as a Doorward with an older schema has left it.
pub struct Fixture {
    pub schema: usize,
    /// Tokens and times.
    pub facts: Value,
    sql: String,
}

/// Begins the line of the facts.
const FACTS: &str = "-- ";

impl Fixture {
    /// Where the one of a schema is.
    pub fn path(schema: usize) -> PathBuf {
        let name = format!("tests/upgrade/schema-{schema}.sql");
        Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
    }

    /// One of each schema up to the current one, which must be there.
    pub fn all(current: usize) -> Vec<Self> {
        let read = |schema| {
            let sql = fs::read_to_string(Self::path(schema)).unwrap_or_else(|_| {
                panic!(
                    "schema {schema} has no fixture. Write it, and commit it: cargo test --test api \
                     upgrade::write -- --ignored"
                )
            });
            let facts = sql.lines().next().unwrap().strip_prefix(FACTS).unwrap();
            Self { schema, facts: serde_json::from_str(facts).unwrap(), sql }
        };
        (1..=current).map(read).collect()
    }

    /// Writes the database into a directory, as it is after a clean stop.
    pub fn restore(&self, directory: &Path) {
        let sql = connect(&directory.join("doorward.db"));
        sql.pragma_update(None, "journal_mode", "WAL").unwrap();
        sql.execute_batch(&self.sql).unwrap();
    }

    /// A database as text, with its facts.
    #[allow(dead_code, reason = "each test uses its part")]
    pub fn dump(sql: &Connection, facts: &Value) -> String {
        let number = |pragma: &str| {
            let query = format!("PRAGMA {pragma}");
            let value: i64 = sql.query_row(&query, [], |row| row.get(0)).unwrap();
            format!("{query} = {value};\n")
        };
        let mut text = format!("{FACTS}{facts}\nBEGIN;\n");
        let statements = |kind: &str| {
            let query = format!(
                "SELECT sql FROM sqlite_schema WHERE type {kind} AND sql IS NOT NULL
                 AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
            );
            let mut rows = sql.prepare(&query).unwrap();
            let rows = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
            rows.map(|row| row.unwrap() + ";\n").collect::<String>()
        };
        text.push_str(&statements("= 'table'"));
        for (table, columns) in tables(sql) {
            if table == "sqlite_sequence" {
                text.push_str("DELETE FROM sqlite_sequence;\n");
            }
            for row in quoted(sql, &table, &columns) {
                text.push_str(
                    &["INSERT INTO ", &table, " VALUES (", &row.join(", "), ");\n"].concat(),
                );
            }
        }
        text.push_str(&statements("<> 'table'"));
        text + &number("application_id") + &number("user_version") + "COMMIT;\n"
    }
}

#[expect(clippy::disallowed_methods, reason = "looks at the file from outside")]
pub fn connect(path: &Path) -> Connection {
    let sql = Connection::open(path).unwrap();
    sql.pragma_update(None, "foreign_keys", false).unwrap();
    sql
}

/// The tables, and the columns of each.
pub fn tables(sql: &Connection) -> Vec<(String, Vec<String>)> {
    let names = |query: &str| {
        let mut rows = sql.prepare(query).unwrap();
        let rows = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(Result::unwrap).collect::<Vec<_>>()
    };
    let tables = names("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid");
    let columns = |table: &str| names(&format!("SELECT name FROM pragma_table_info('{table}')"));
    tables.into_iter().map(|table| (table.clone(), columns(&table))).collect()
}

/// The rows of a table, in SQL.
pub fn quoted(sql: &Connection, table: &str, columns: &[String]) -> Vec<Vec<String>> {
    let values = columns.iter().map(|column| format!("quote({column})")).collect::<Vec<_>>();
    let mut rows =
        sql.prepare(&format!("SELECT {} FROM {table} ORDER BY 1", values.join(", "))).unwrap();
    let row = |row: &rusqlite::Row<'_>| (0..columns.len()).map(|column| row.get(column)).collect();
    rows.query_map([], row).unwrap().map(Result::unwrap).collect()
}

/// All rows of some tables, one a line.
pub fn content(sql: &Connection, tables: &[(String, Vec<String>)]) -> Vec<String> {
    let rows = |(table, columns): &(String, Vec<String>)| {
        let rows = quoted(sql, table, columns).into_iter();
        rows.map(|row| format!("{table}: {}", row.join(" "))).collect::<Vec<_>>()
    };
    tables.iter().flat_map(rows).collect()
}

/// The schema that the program has arrived at.
pub fn version(sql: &Connection) -> usize {
    let version: i64 = sql.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    usize::try_from(version).unwrap()
}

/// What tables, indexes and triggers there are, and how they were made.
pub fn schema(sql: &Connection) -> Vec<String> {
    let query =
        "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1";
    let mut rows = sql.prepare(query).unwrap();
    let rows = rows.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// That the file is sound.
pub fn is_sound(sql: &Connection) {
    let check: String = sql.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
    let orphans: i64 = sql
        .query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(orphans, 0, "rows that refer to nothing");
}
