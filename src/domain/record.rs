//! A user as a line of JSON: the form in which users come from elsewhere, and leave.
//!
//! It is that of a document of a MongoDB collection, as `mongoexport` writes it: a date may be
//! `{"$date": "…"}`, and a number `{"$numberLong": "…"}` (Extended JSON v2). Plain values are read as
//! well.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::account::{Email, EmailError};
use super::claims::Role;
use super::id::UserId;
use super::time::Timestamp;

/// What a line says about a user. Never printed: it holds the hash of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// The id, when the user comes from another Doorward.
    pub id: Option<UserId>,
    /// What they sign in with.
    pub email: Email,
    /// The hash of their password, as it was found. `None` when they have none.
    pub password: Option<String>,
    /// What they may do.
    pub role: Role,
    /// Whether the address is known to be theirs.
    pub is_verified: bool,
    /// Since when they may not sign in.
    pub disabled_at: Option<Timestamp>,
    /// When the account was made.
    pub created_at: Option<Timestamp>,
    /// When the account was last changed.
    pub updated_at: Option<Timestamp>,
}

/// Why a line is no user. Never repeats a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Not JSON.
    #[error("is not JSON (column {0})")]
    NotJson(usize),
    /// JSON, but no document.
    #[error("is not a JSON object")]
    NotAnObject,
    /// There is no address.
    #[error("has no email")]
    NoEmail,
    /// The address is none.
    #[error("email {0}")]
    Email(EmailError),
    /// A field has another type.
    #[error("{field} must be {wanted}")]
    Type {
        /// The field.
        field: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
    /// The names of the password's hash contradict each other.
    #[error("password, passwordHash and password_hash are not the same")]
    Ambiguous,
}

/// The names under which the hash of the password is found.
const PASSWORDS: [&str; 3] = ["password", "passwordHash", "password_hash"];
const TEXT: &str = "a string";
const DATE: &str =
    "a date between 1970 and 9999: {\"$date\": \"2026-11-25T08:00:00.000Z\"}, or the string alone";
/// The last millisecond that RFC 3339 can write.
const LAST: i64 = 253_402_300_799_999;

impl Record {
    /// Reads a line; and the names of the fields that mean nothing here.
    pub fn parse(line: &str) -> Result<(Self, Vec<String>), Flaw> {
        let value = serde_json::from_str(line).map_err(|error| Flaw::NotJson(error.column()))?;
        let Value::Object(mut fields) = value else {
            return Err(Flaw::NotAnObject);
        };
        let mut take = |field: &str| fields.remove(field).filter(|value| !value.is_null());
        let email = text("email", take("email"))?.ok_or(Flaw::NoEmail)?;
        let role = text("role", take("role"))?;
        let id = take("id");
        let record = Self {
            email: Email::parse(&email).map_err(Flaw::Email)?,
            password: password(&mut take)?,
            role: role
                .map_or(Some(Role::default()), |name| Role::parse(&name))
                .ok_or(Flaw::Type { field: "role", wanted: "user or admin" })?,
            is_verified: match take("isVerified") {
                None => false,
                Some(Value::Bool(is_verified)) => is_verified,
                Some(_) => return Err(Flaw::Type { field: "isVerified", wanted: "true or false" }),
            },
            disabled_at: date("disabledAt", take("disabledAt"))?,
            created_at: date("createdAt", take("createdAt"))?,
            updated_at: date("updatedAt", take("updatedAt"))?,
            id: id.as_ref().and_then(uuid),
        };
        // The id of another program is no id here, but it is not passed over in silence.
        if let Some(id) = id.filter(|_| record.id.is_none()) {
            fields.insert("id".to_owned(), id);
        }
        Ok((record, fields.into_iter().map(|(name, _)| name).collect()))
    }

    /// Writes the line, without its end.
    pub fn to_line(&self) -> String {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            fields.extend(value.map(|value| (name.to_owned(), value)));
        };
        let date = |at: Option<Timestamp>| at.map(|at| json!({ "$date": at }));
        put("id", self.id.map(|id| json!(id)));
        put("email", Some(self.email.as_str().into()));
        put("password", self.password.as_deref().map(Into::into));
        put("role", Some(self.role.as_str().into()));
        put("isVerified", Some(self.is_verified.into()));
        put("disabledAt", date(self.disabled_at));
        put("createdAt", date(self.created_at));
        put("updatedAt", date(self.updated_at));
        Value::Object(fields).to_string()
    }
}

fn password(take: &mut impl FnMut(&str) -> Option<Value>) -> Result<Option<String>, Flaw> {
    let mut found = None;
    for name in PASSWORDS {
        let Some(hash) = text(name, take(name))? else { continue };
        if found.as_ref().is_some_and(|found| *found != hash) {
            return Err(Flaw::Ambiguous);
        }
        found = Some(hash);
    }
    Ok(found)
}

fn text(field: &'static str, value: Option<Value>) -> Result<Option<String>, Flaw> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Flaw::Type { field, wanted: TEXT }),
    }
}

/// Of this program alone: in its one form, so that nothing else is taken for it.
fn uuid(value: &Value) -> Option<UserId> {
    let text = value.as_str()?;
    let id = Uuid::try_parse(text).ok()?;
    (id.to_string() == text).then_some(UserId(id))
}

fn date(field: &'static str, value: Option<Value>) -> Result<Option<Timestamp>, Flaw> {
    let Some(value) = value else { return Ok(None) };
    let at = match sole(&value, "$date") {
        Some(inner) => instant(inner),
        None => instant(&value),
    };
    let at = at.filter(|at| (0..=LAST).contains(&at.as_millis()));
    at.map(Some).ok_or(Flaw::Type { field, wanted: DATE })
}

/// A date-time, or milliseconds since 1970.
fn instant(value: &Value) -> Option<Timestamp> {
    if let Some(text) = value.as_str() {
        return Timestamp::parse(text);
    }
    let millis = match sole(value, "$numberLong") {
        Some(long) => long.as_str()?.parse().ok()?,
        None => value.as_i64()?,
    };
    Some(Timestamp::from_millis(millis))
}

/// The value of the only field, when it has this name.
fn sole<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let fields = value.as_object()?;
    fields.get(name).filter(|_| fields.len() == 1)
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
