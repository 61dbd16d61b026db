//! The database looked at as a whole: what SQLite can say about it, and what its schema cannot.
//!
//! Nothing is written. On a database that is served each check sees a moment of its own.

use std::fmt::Display;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::audit::{self, Event};
use super::backup::Part;
use super::schema::{self, OpenError, beside};
use super::seal::{self, SealError};
use crate::domain::account::Email;
use crate::domain::address::MAX_ADDRESSES;
use crate::domain::avatar::AvatarUrl;
use crate::domain::mail::About;
use crate::domain::one_time::Purpose;
use crate::domain::phone::Phone;
use crate::domain::profile::{Locale, TimeZone};
use crate::domain::session::EndReason;

/// How many of the rows that are wrong in the same way are named.
const NAMED: usize = 3;

/// What came of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// What was looked at.
    pub name: &'static str,
    /// What should not be so. Nothing, if all is well.
    pub found: Vec<String>,
    /// Whether that would be damage, and not just a state that no operation leaves.
    pub is_damage: bool,
}

/// Why a file is not looked into at all.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It is not whole.
    #[error("{}: {source}", .file.display())]
    Seal {
        /// The file.
        file: PathBuf,
        /// What is the matter.
        source: SealError,
    },
    /// It is a part of an open database.
    #[error(
        "{} has a log beside it (-wal): it is not all of its database. Stop the program that has it \
         open, or back it up with `doorward backup`", .0.display()
    )]
    HasLog(PathBuf),
    /// Some other program's database, or no database.
    #[error("{} is not a Doorward database", .0.display())]
    Foreign(PathBuf),
    /// It was written by a newer Doorward.
    #[error(
        "{} has schema {found}, and this doorward knows schemas up to {known}: it was written by a \
         newer version, which can restore it", .file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest one that this binary knows.
        known: usize,
    },
    /// It cannot be read, or is too damaged for that.
    #[error("{} cannot be read: {what}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The reason.
        what: String,
    },
}

/// What a database is, and what was found in it.
pub(super) struct Report {
    /// Its schema.
    pub(super) schema: usize,
    /// The checks.
    pub(super) checks: Vec<Checked>,
}

/// Checks a database, which others may be using.
pub fn check_database(path: &Path) -> Result<Vec<Checked>, OpenError> {
    let refused = |error| OpenError::database(path, error);
    let sql = schema::look(path).map_err(refused)?;
    let schema = schema::check_owner(&sql, path)?;
    Ok(all(&sql, schema))
}

/// Checks a backup; or, not `is_sealed`, a database in one file that another program has made.
pub fn check_file(
    file: &Path,
    is_sealed: bool,
    progress: &mut dyn FnMut(Part),
) -> Result<Vec<Checked>, CheckError> {
    is_single(file)?;
    let mut checks = Vec::new();
    if is_sealed {
        let of_file = |source| CheckError::Seal { file: file.to_owned(), source };
        let size = fs::metadata(file).map_err(|error| of_file(SealError::Read(error)))?.len();
        let mut progress = |done| progress(Part::Copying(done, size));
        seal::unseal(file, &mut io::sink(), &mut progress).map_err(of_file)?;
        checks.push(Checked { name: "checksum", found: Vec::new(), is_damage: true });
    }
    progress(Part::Checking);
    checks.extend(check_copy(file, file)?.checks);
    Ok(checks)
}

/// Checks a database in one file that nobody changes, and that is called `name`.
pub(super) fn check_copy(copy: &Path, name: &Path) -> Result<Report, CheckError> {
    let (sql, schema) = open_copy(copy, name)?;
    Ok(Report { schema, checks: all(&sql, schema) })
}

fn open_copy(copy: &Path, name: &Path) -> Result<(Connection, usize), CheckError> {
    let unreadable = |error: &dyn Display| CheckError::Unreadable {
        file: name.to_owned(),
        what: error.to_string(),
    };
    // SQLite would only say that it cannot open it.
    fs::File::open(copy).map_err(|error| unreadable(&error))?;
    let sql = schema::still(copy).map_err(|error| unreadable(&error))?;
    let schema = schema::check_owner(&sql, copy).map_err(|error| match error {
        OpenError::Foreign(_) => CheckError::Foreign(name.to_owned()),
        OpenError::Newer { found, known, .. } => {
            CheckError::Newer { file: name.to_owned(), found, known }
        }
        OpenError::Damaged { source, .. } | OpenError::Sqlite { source, .. } => unreadable(&source),
        error => unreadable(&error),
    })?;
    Ok((sql, schema))
}

/// The first damage in a database in one file that nobody changes.
pub fn damage_of_copy(copy: &Path) -> Result<Option<String>, CheckError> {
    let (sql, schema) = open_copy(copy, copy)?;
    let checks = damage(&sql, schema);
    Ok(checks.into_iter().find_map(|check| check.found.into_iter().next()))
}

/// A database is not all there while some of it is in a log.
pub(super) fn is_single(file: &Path) -> Result<(), CheckError> {
    let has_log = fs::metadata(beside(file, "-wal")).is_ok_and(|log| log.len() > 0);
    if has_log { Err(CheckError::HasLog(file.to_owned())) } else { Ok(()) }
}

fn all(sql: &Connection, schema: usize) -> Vec<Checked> {
    damage(sql, schema).into_iter().chain(states(sql, schema)).collect()
}

/// What keeps a database from being used.
fn damage(sql: &Connection, schema: usize) -> [Checked; 3] {
    let check = |name, look: fn(&mut Look<'_>)| Look::run(name, sql, schema, true, look);
    [check("integrity", integrity), check("foreign keys", foreign_keys), check("schema", objects)]
}

/// What no operation leaves behind.
fn states(sql: &Connection, schema: usize) -> [Checked; 7] {
    let check = |name, look: fn(&mut Look<'_>)| Look::run(name, sql, schema, false, look);
    [
        check("users", users),
        check("sessions", sessions),
        check("profiles", profiles),
        check("addresses", addresses),
        check("one-time tokens", one_time_tokens),
        check("mail", mail),
        check("audit trail", audit_trail),
    ]
}

/// A check under way.
struct Look<'a> {
    sql: &'a Connection,
    schema: usize,
    found: Vec<String>,
}

impl Look<'_> {
    fn run(
        name: &'static str,
        sql: &Connection,
        schema: usize,
        is_damage: bool,
        look: fn(&mut Look<'_>),
    ) -> Checked {
        let mut it = Look { sql, schema, found: Vec::new() };
        look(&mut it);
        Checked { name, found: it.found, is_damage }
    }

    /// Has `wrong` look at each row of `query`; what it names is `what` should not be.
    fn each(
        &mut self,
        what: &str,
        query: &str,
        mut wrong: impl FnMut(&Row<'_>) -> rusqlite::Result<Option<String>>,
    ) {
        let (mut named, mut count) = (Vec::new(), 0);
        let asked = self.sql.prepare(query).and_then(|mut statement| {
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if let Some(name) = wrong(row)? {
                    count += 1;
                    if named.len() < NAMED {
                        named.push(name);
                    }
                }
            }
            Ok(())
        });
        if count > 0 {
            let more = if count > named.len() { ", …" } else { "" };
            self.found.push(format!("{what}: {count} ({}{more})", named.join(", ")));
        }
        if let Err(error) = asked {
            self.found.push(format!("{what}: cannot be looked for: {error}"));
        }
    }

    /// All rows of `query`, which are ids, are wrong.
    fn none(&mut self, what: &str, query: &str) {
        self.each(what, query, |row| id(row).map(Some));
    }

    /// A text of each row, after its id, is one that `is_right`.
    fn texts(&mut self, what: &str, query: &str, is_right: impl Fn(&str) -> bool) {
        self.each(what, query, |row| {
            let text: Option<String> = row.get(1)?;
            let right = text.is_none_or(|text| is_right(&text));
            if right { Ok(None) } else { id(row).map(Some) }
        });
    }
}

/// The first column: a UUID or a number.
fn id(row: &Row<'_>) -> rusqlite::Result<String> {
    match row.get_ref(0)? {
        rusqlite::types::ValueRef::Blob(bytes) => {
            Ok(Uuid::from_slice(bytes).map_or_else(|_| "not an id".to_owned(), |id| id.to_string()))
        }
        _ => row.get::<_, i64>(0).map(|number| number.to_string()),
    }
}

fn integrity(look: &mut Look<'_>) {
    look.each("SQLite", "PRAGMA integrity_check(20)", |row| {
        let line: String = row.get(0)?;
        Ok(Some(line).filter(|line| line != "ok"))
    });
}

fn foreign_keys(look: &mut Look<'_>) {
    look.each("rows of nothing that is there", "PRAGMA foreign_key_check", |row| row.get(0));
}

/// Whether tables, indices and triggers are those that the migrations make. Litestream adds some of
/// its own.
fn objects(look: &mut Look<'_>) {
    const OBJECTS: &str = "SELECT name, type, sql FROM sqlite_schema
         WHERE name NOT GLOB 'sqlite_*' AND name NOT GLOB '_litestream_*' ORDER BY name";
    /// Name, kind and text.
    type Object = (String, String, Option<String>);
    let read = |sql: &Connection| {
        let mut rows = sql.prepare(OBJECTS)?;
        let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        rows.collect::<rusqlite::Result<Vec<Object>>>()
    };
    let model = schema::model(look.schema).map_err(|error| error.to_string());
    let both = model.and_then(|model| {
        let both = read(look.sql).and_then(|found| Ok((found, read(&model)?)));
        both.map_err(|error| error.to_string())
    });
    match both {
        Err(error) => look.found.push(error),
        Ok((found, wanted)) => {
            let only = |these: &[Object], those: &[Object], what: &str| {
                let odd = these.iter().filter(|object| !those.contains(object));
                odd.map(|(name, kind, _)| format!("{what}: {kind} {name}")).collect::<Vec<_>>()
            };
            look.found.extend(only(&wanted, &found, "missing or changed"));
            look.found.extend(only(&found, &wanted, "unknown or changed"));
        }
    }
}

fn users(look: &mut Look<'_>) {
    look.texts("address not in the form that is kept", "SELECT id, email FROM users", is_kept);
    look.none(
        "password that is no hash",
        "SELECT id FROM users WHERE password_hash <> '' AND password_hash NOT GLOB '$*'",
    );
}

fn is_kept(email: &str) -> bool {
    Email::parse(email).is_ok_and(|parsed| parsed.as_str() == email)
}

fn sessions(look: &mut Look<'_>) {
    look.texts("ended for an unknown reason", "SELECT id, end_reason FROM sessions", |reason| {
        EndReason::parse(reason).is_some()
    });
    look.none(
        "live, of a disabled user",
        "SELECT sessions.id FROM sessions JOIN users ON users.id = user_id
         WHERE ended_at IS NULL AND disabled_at IS NOT NULL",
    );
    look.none(
        "live, after it was revoked",
        "SELECT id FROM sessions
         WHERE ended_at IS NULL AND id IN (SELECT session_id FROM revocations)",
    );
    look.none(
        "outlives its end",
        "SELECT id FROM sessions WHERE expires_at > ends_at OR created_at > ends_at",
    );
}

fn profiles(look: &mut Look<'_>) {
    if look.schema < 2 {
        return;
    }
    look.texts("telephone", "SELECT user_id, phone FROM profiles", |text| {
        Phone::parse(text).is_ok_and(|parsed| parsed.as_str() == text)
    });
    look.texts("locale", "SELECT user_id, locale FROM profiles", |text| {
        Locale::parse(text).is_ok_and(|parsed| parsed.as_str() == text)
    });
    look.texts("time zone", "SELECT user_id, time_zone FROM profiles", |text| {
        TimeZone::parse(text).is_ok_and(|parsed| parsed.as_str() == text)
    });
    look.texts("picture", "SELECT user_id, avatar_url FROM profiles", |text| {
        AvatarUrl::parse(text).is_ok_and(|parsed| parsed.as_str() == text)
    });
}

fn addresses(look: &mut Look<'_>) {
    if look.schema < 2 {
        return;
    }
    // That there are not two is an index.
    look.none(
        "of a user without a default",
        "SELECT user_id FROM addresses GROUP BY user_id HAVING sum(is_default) = 0",
    );
    let more =
        format!("SELECT user_id FROM addresses GROUP BY user_id HAVING count(*) > {MAX_ADDRESSES}");
    look.none("of a user with too many", &more);
}

fn one_time_tokens(look: &mut Look<'_>) {
    if look.schema < 4 {
        return;
    }
    look.texts("for an unknown purpose", "SELECT id, purpose FROM one_time_tokens", |purpose| {
        Purpose::ALL.iter().any(|known| known.as_str() == purpose)
    });
    look.texts("about no address", "SELECT id, email FROM one_time_tokens", is_kept);
}

fn mail(look: &mut Look<'_>) {
    if look.schema < 3 {
        return;
    }
    look.texts("about something unknown", "SELECT seq, about FROM outbox", |about| {
        serde_json::from_str::<About>(about).is_ok()
    });
    look.texts("to no address", "SELECT seq, recipient FROM outbox", is_kept);
    numbered(look, "outbox");
}

fn audit_trail(look: &mut Look<'_>) {
    look.texts("unknown event", "SELECT seq, event FROM audit", |event| {
        Event::parse(event).is_some()
    });
    let open = format!("SELECT value FROM meta WHERE name = '{}'", audit::KEPT_SINCE);
    look.none("open for deletion", &open);
    numbered(look, "audit");
}

/// A number that was given is not given again.
fn numbered(look: &mut Look<'_>, table: &str) {
    let query = format!(
        "SELECT max(seq) FROM {table} HAVING max(seq) >
             coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{table}'), 0)"
    );
    look.none("numbers would be given twice", &query);
}
