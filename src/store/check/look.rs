//! The checks, each a look at one thing.

use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::super::audit::{self, Event};
use super::super::schema;
use super::Checked;
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

pub(super) fn all(sql: &Connection, schema: usize) -> Vec<Checked> {
    damage(sql, schema).into_iter().chain(states(sql, schema)).collect()
}

/// What keeps a database from being used.
pub(super) fn damage(sql: &Connection, schema: usize) -> [Checked; 3] {
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
    notes: Vec<String>,
}

impl Look<'_> {
    fn run(
        name: &'static str,
        sql: &Connection,
        schema: usize,
        is_damage: bool,
        look: fn(&mut Look<'_>),
    ) -> Checked {
        let mut it = Look { sql, schema, found: Vec::new(), notes: Vec::new() };
        look(&mut it);
        Checked { name, found: it.found, notes: it.notes, is_damage }
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

/// Whether tables, indices and triggers are those that the migrations make. An operator may have added
/// an index, and Litestream adds tables of its own.
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
            let odd = wanted.iter().filter(|object| !found.contains(object));
            look.found
                .extend(odd.map(|(name, kind, _)| format!("missing or changed: {kind} {name}")));
            let is_known = |name: &str| wanted.iter().any(|(known, ..)| known == name);
            let more = found.iter().filter(|(name, ..)| !is_known(name));
            look.notes.extend(more.map(|(name, kind, _)| format!("unknown: {kind} {name}")));
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
