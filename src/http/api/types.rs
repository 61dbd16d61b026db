//! The shapes on the wire.

use std::borrow::Cow;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::{ParseError, ParseFromJSON, ParseResult, ToJSON, Type};
use poem_openapi::{Enum, Object};
use serde_json::Value;
use uuid::Uuid;

use crate::domain::account::{self, Email};
use crate::domain::claims;
use crate::domain::device::device_name;
use crate::domain::id::SessionId;
use crate::domain::password::{Password, PasswordRules};
use crate::domain::session;
use crate::domain::time::Timestamp;
use crate::http::problem::{FieldError, Problem};

/// A point in time (RFC 3339, UTC, milliseconds).
pub struct Time(pub Timestamp);

impl Type for Time {
    const IS_REQUIRED: bool = true;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "string_date-time".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        MetaSchemaRef::Inline(Box::new(MetaSchema::new_with_format("string", "date-time")))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

impl ToJSON for Time {
    fn to_json(&self) -> Option<Value> {
        Some(Value::String(self.0.to_string()))
    }
}

impl ParseFromJSON for Time {
    fn parse_from_json(value: Option<Value>) -> ParseResult<Self> {
        let time = value.as_ref().and_then(Value::as_str).and_then(Timestamp::parse);
        time.map(Self).ok_or_else(|| ParseError::custom("not an RFC 3339 date-time"))
    }
}

/// Where the tokens of a sign-in go: `cookie` for browsers, `body` for clients without a cookie
/// jar. Left out, it is `cookie`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Enum)]
#[oai(rename_all = "lowercase")]
pub enum Delivery {
    /// In cookies, for browsers.
    #[default]
    Cookie,
    /// In the body, for clients without a cookie jar.
    Body,
}

/// An e-mail address and a password.
#[derive(Object)]
#[oai(deny_unknown_fields, example)]
pub struct Credentials {
    /// The e-mail address; case does not matter.
    #[oai(validator(max_length = 254))]
    pub(super) email: String,
    /// The password, of any characters: 8 to 256 of them for a new account (an operator may ask
    /// for more than 8), counted after Unicode normalization (NFC); and none of the 10,000 most
    /// common ones.
    #[oai(validator(max_length = 1024))]
    pub(super) password: String,
    /// Where the tokens are wanted; `cookie` when left out.
    #[oai(skip_serializing_if_is_none)]
    pub(super) delivery: Option<Delivery>,
    /// Whether to stay signed in when the browser's window is closed; `true` when left out. With
    /// `false` the cookies have no `Max-Age`, and the session ends after a day at the latest.
    #[oai(skip_serializing_if_is_none)]
    pub(super) remember: Option<bool>,
}

impl Credentials {
    /// Parses both; `rules` are those for the password of a new account, `None` at a login.
    pub(super) fn parse(&self, rules: Option<PasswordRules>) -> Result<(Email, Password), Problem> {
        let email = Email::parse(&self.email);
        let password = match rules {
            Some(rules) => Password::choose(&self.password, rules),
            None => Password::present(&self.password),
        };
        match (email, password) {
            (Ok(email), Ok(password)) => Ok((email, password)),
            (email, password) => {
                let error = |field: &str, message| FieldError { field: field.to_owned(), message };
                let email = email.err().map(|e| error("/email", e.to_string()));
                let password = password.err().map(|e| error("/password", e.to_string()));
                Err(Problem::fields(email.into_iter().chain(password).collect()))
            }
        }
    }

    /// Where the tokens are wanted.
    pub(super) fn delivery(&self) -> Delivery {
        self.delivery.unwrap_or_default()
    }

    /// Whether the sign-in is to outlive the browser's window.
    pub(super) fn remember(&self) -> bool {
        self.remember.unwrap_or(true)
    }
}

/// A refresh token, for clients without a cookie jar. With cookies the object is empty, or the
/// body is left out.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename_all = "camelCase")]
pub struct RefreshToken {
    /// The refresh token (`v4.local.…`) that came in the body of the last `login`, `register` or
    /// `refresh`.
    #[oai(skip_serializing_if_is_none, validator(max_length = 4096))]
    pub refresh_token: Option<String>,
}

/// What a user may do: `user` is an ordinary account, `admin` may administer others.
#[derive(Clone, Copy, Enum)]
#[oai(rename_all = "lowercase")]
pub enum Role {
    /// An ordinary account.
    User,
    /// May administer other accounts.
    Admin,
}

impl From<claims::Role> for Role {
    fn from(role: claims::Role) -> Self {
        match role {
            claims::Role::User => Self::User,
            claims::Role::Admin => Self::Admin,
        }
    }
}

/// An account.
#[derive(Object)]
#[oai(example, rename_all = "camelCase")]
pub struct User {
    /// Identifies the user for ever (UUIDv7).
    pub(super) id: Uuid,
    /// The e-mail address.
    #[oai(validator(max_length = 254))]
    pub(super) email: String,
    /// What the user may do.
    pub(super) role: Role,
    /// Whether the e-mail address is known to be the user's.
    pub(super) is_verified: bool,
    /// When the account was made.
    pub(super) created_at: Time,
    /// When the account was last changed.
    pub(super) updated_at: Time,
}

impl From<&account::User> for User {
    fn from(user: &account::User) -> Self {
        Self {
            id: user.id.0,
            email: user.email.to_string(),
            role: user.role.into(),
            is_verified: user.is_verified,
            created_at: Time(user.created_at),
            updated_at: Time(user.updated_at),
        }
    }
}

/// A session: somebody signed in on one device.
#[derive(Object)]
#[oai(example, rename_all = "camelCase")]
pub struct Session {
    /// Identifies the session and its device (UUIDv7).
    pub(super) id: Uuid,
    /// When it was started.
    pub(super) created_at: Time,
    /// When it was last used.
    pub(super) last_used_at: Time,
    /// When it expires if it is not used until then. A use moves it, but not beyond the age
    /// that ends every session.
    pub(super) expires_at: Time,
    /// The address that it was last refreshed from, or empty.
    #[oai(validator(max_length = 64))]
    pub(super) ip: String,
    /// The `User-Agent` of the device, or empty.
    #[oai(validator(max_length = 256))]
    pub(super) user_agent: String,
    /// A short name of the device, such as `Firefox on Linux`, or empty.
    #[oai(validator(max_length = 64))]
    pub(super) device: String,
    /// Whether it is the session of this very request.
    pub(super) current: bool,
}

impl Session {
    /// As seen from the session `current`.
    pub(super) fn seen_from(session: &session::Session, current: SessionId) -> Self {
        Self {
            id: session.id.0,
            created_at: Time(session.created_at),
            last_used_at: Time(session.last_used_at),
            expires_at: Time(session.expires_at),
            ip: session.client.ip.clone(),
            user_agent: session.client.user_agent.clone(),
            device: device_name(&session.client.user_agent),
            current: session.id == current,
        }
    }
}

/// Somebody has signed in.
#[derive(Object)]
#[oai(example, rename_all = "camelCase")]
pub struct SignedIn {
    /// What happened, for a person.
    #[oai(validator(max_length = 64))]
    pub message: String,
    /// The account.
    pub user: User,
    /// The session that was started.
    pub session: Session,
    /// How long the access token lives, in whole seconds.
    pub access_token_expires_in: i64,
    /// PASETO `v4.public`; only with `"delivery": "body"`.
    #[oai(skip_serializing_if_is_none, validator(max_length = 4096))]
    pub access_token: Option<String>,
    /// PASETO `v4.local`, works once; only with `"delivery": "body"`.
    #[oai(skip_serializing_if_is_none, validator(max_length = 4096))]
    pub refresh_token: Option<String>,
}

/// Somebody has registered.
#[derive(Object)]
#[oai(example, rename_all = "camelCase")]
pub struct Registered {
    /// What happened, for a person.
    #[oai(validator(max_length = 64))]
    pub message: String,
    /// The new account.
    pub user: User,
    /// The session that was started on it.
    #[oai(skip_serializing_if_is_none)]
    pub session: Option<Session>,
    /// How long the access token lives, in whole seconds.
    #[oai(skip_serializing_if_is_none)]
    pub access_token_expires_in: Option<i64>,
    /// PASETO `v4.public`; only with `"delivery": "body"`.
    #[oai(skip_serializing_if_is_none, validator(max_length = 4096))]
    pub access_token: Option<String>,
    /// PASETO `v4.local`, works once; only with `"delivery": "body"`.
    #[oai(skip_serializing_if_is_none, validator(max_length = 4096))]
    pub refresh_token: Option<String>,
}

/// The tokens have been renewed.
#[derive(Object)]
#[oai(example, rename_all = "camelCase")]
pub struct Refreshed {
    /// What happened, for a person.
    #[oai(validator(max_length = 64))]
    pub message: String,
    /// The session.
    pub session: Session,
    /// How long the access token lives, in whole seconds.
    pub access_token_expires_in: i64,
    /// PASETO `v4.public`; only when the refresh token came in the body.
    #[oai(skip_serializing_if_is_none, validator(max_length = 4096))]
    pub access_token: Option<String>,
    /// PASETO `v4.local`, the successor; only when the refresh token came in the body.
    #[oai(skip_serializing_if_is_none, validator(max_length = 4096))]
    pub refresh_token: Option<String>,
}

/// It was done.
#[derive(Object)]
#[oai(example)]
pub struct Message {
    /// What happened, for a person.
    #[oai(validator(max_length = 64))]
    pub message: String,
}

/// The caller's live sessions.
#[derive(Object)]
#[oai(example)]
pub struct SessionList {
    /// The most recently used first.
    pub sessions: Vec<Session>,
}

/// Whether a key makes new tokens: `active` signs them, `older` only verifies those that are
/// still about.
#[derive(Enum)]
#[oai(rename_all = "lowercase")]
pub enum KeyState {
    /// Signs new tokens.
    Active,
    /// Verifies tokens that are still about.
    Older,
}

/// A public key.
#[derive(Object)]
#[oai(example)]
pub struct Key {
    /// The PASERK id (`k4.pid.…`) that tokens name in their footer.
    #[oai(validator(max_length = 64))]
    pub kid: String,
    /// The PASERK public key (`k4.public.…`).
    #[oai(validator(max_length = 64))]
    pub key: String,
    /// Whether it makes new tokens.
    pub state: KeyState,
}

/// The public keys.
#[derive(Object)]
#[oai(example)]
pub struct KeyList {
    /// The active one first.
    pub keys: Vec<Key>,
}
