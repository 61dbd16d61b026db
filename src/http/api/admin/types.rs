//! The shapes on the wire that only administrators see.

use poem_openapi::Object;
use uuid::Uuid;

use crate::domain::account::{self, Email};
use crate::domain::claims;
use crate::domain::device::device_name;
use crate::domain::password::{Password, PasswordRules};
use crate::flows::administration::{Changes, NewAccount};
use crate::http::api::events::EventDetail;
use crate::http::api::types::{Role, Time};
use crate::http::problem::{FieldError, Problem};
use crate::store::Recorded;

/// An account, as an administrator sees it.
#[derive(Object)]
#[oai(example, rename_all = "camelCase")]
pub(super) struct AdminUser {
    /// Identifies the user for ever (UUIDv7).
    pub(super) id: Uuid,
    /// The e-mail address.
    #[oai(validator(max_length = 254))]
    pub(super) email: String,
    /// What the user may do.
    pub(super) role: Role,
    /// Whether the e-mail address is known to be the user's.
    pub(super) is_verified: bool,
    /// Since when the user may not sign in; not there when they may.
    #[oai(skip_serializing_if_is_none)]
    pub(super) disabled_at: Option<Time>,
    /// When the account was made.
    pub(super) created_at: Time,
    /// When the account was last changed.
    pub(super) updated_at: Time,
}

impl From<&account::User> for AdminUser {
    fn from(user: &account::User) -> Self {
        Self {
            id: user.id.0,
            email: user.email.to_string(),
            role: user.role.into(),
            is_verified: user.is_verified,
            disabled_at: user.disabled_at.map(Time),
            created_at: Time(user.created_at),
            updated_at: Time(user.updated_at),
        }
    }
}

/// A part of the users.
#[derive(Object)]
#[oai(example, rename_all = "camelCase")]
pub(super) struct AdminUserList {
    /// The newest first.
    pub(super) users: Vec<AdminUser>,
    /// Where the next part begins, to be sent as `cursor`; not there at the end.
    #[oai(skip_serializing_if_is_none, validator(max_length = 64))]
    pub(super) next_cursor: Option<String>,
}

/// An account to be made.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename_all = "camelCase")]
pub(super) struct NewUser {
    /// The e-mail address; case does not matter.
    #[oai(validator(max_length = 254))]
    pub(super) email: String,
    /// The password. Without one nobody can sign in on the account until one is set.
    #[oai(skip_serializing_if_is_none, validator(max_length = 1024))]
    pub(super) password: Option<String>,
    /// What the user may do; `user` when left out.
    #[oai(skip_serializing_if_is_none)]
    pub(super) role: Option<Role>,
    /// Whether the address is known to be theirs; `false` when left out.
    #[oai(skip_serializing_if_is_none)]
    pub(super) is_verified: Option<bool>,
}

impl NewUser {
    /// Parses it; `rules` are those of new passwords.
    pub(super) fn parse(self, rules: PasswordRules) -> Result<NewAccount, Problem> {
        let email = Email::parse(&self.email);
        let password = self.password.map(|text| Password::choose(&text, rules)).transpose();
        match (email, password) {
            (Ok(email), Ok(password)) => Ok(NewAccount {
                email,
                password,
                role: self.role.map_or(claims::Role::User, role),
                is_verified: self.is_verified.unwrap_or(false),
            }),
            (email, password) => {
                let error = |field: &str, message| FieldError { field: field.to_owned(), message };
                let email = email.err().map(|e| error("/email", e.to_string()));
                let password = password.err().map(|e| error("/password", e.to_string()));
                Err(Problem::fields(email.into_iter().chain(password).collect()))
            }
        }
    }
}

/// What is to be changed of an account. What is left out stays as it is.
#[derive(Object)]
#[oai(deny_unknown_fields, example, rename_all = "camelCase")]
pub(super) struct UserChanges {
    /// What the user may do.
    #[oai(skip_serializing_if_is_none)]
    pub(super) role: Option<Role>,
    /// Whether the e-mail address is known to be the user's.
    #[oai(skip_serializing_if_is_none)]
    pub(super) is_verified: Option<bool>,
    /// `true` ends the user's sessions and keeps them out, `false` lets them sign in again.
    #[oai(skip_serializing_if_is_none)]
    pub(super) is_disabled: Option<bool>,
}

impl From<UserChanges> for Changes {
    fn from(changes: UserChanges) -> Self {
        Self {
            role: changes.role.map(role),
            is_verified: changes.is_verified,
            is_disabled: changes.is_disabled,
        }
    }
}

pub(super) const fn role(role: Role) -> claims::Role {
    match role {
        Role::User => claims::Role::User,
        Role::Admin => claims::Role::Admin,
    }
}

/// Something that happened, of the audit trail.
#[derive(Object)]
#[oai(example, rename_all = "camelCase")]
pub(super) struct AuditEvent {
    /// When it was.
    pub(super) at: Time,
    /// What it was, for a program, such as `signed_in`. New ones may come.
    #[oai(validator(max_length = 64))]
    pub(super) event: String,
    /// The user whom it is about; not there when it is about everybody.
    #[oai(skip_serializing_if_is_none)]
    pub(super) user_id: Option<Uuid>,
    /// The administrator who did it; not there when it was the user, or somebody at the shell.
    #[oai(skip_serializing_if_is_none)]
    pub(super) actor_id: Option<Uuid>,
    /// The session that it is about, if it is about one.
    #[oai(skip_serializing_if_is_none)]
    pub(super) session_id: Option<Uuid>,
    /// The address that it came from; empty for the shell.
    #[oai(validator(max_length = 64))]
    pub(super) ip: String,
    /// The `User-Agent` of the device that it came from, or empty.
    #[oai(validator(max_length = 256))]
    pub(super) user_agent: String,
    /// A short name of that device, such as `Firefox on Linux`, or empty.
    #[oai(validator(max_length = 64))]
    pub(super) device: String,
    /// What else there is to say, if there is anything.
    #[oai(skip_serializing_if_is_none)]
    pub(super) detail: Option<EventDetail>,
}

impl From<Recorded> for AuditEvent {
    fn from(recorded: Recorded) -> Self {
        Self {
            at: Time(recorded.at),
            event: recorded.event,
            user_id: recorded.user.map(|id| id.0),
            actor_id: recorded.actor.map(|id| id.0),
            session_id: recorded.session.map(|id| id.0),
            detail: recorded.detail.map(EventDetail::from),
            device: device_name(&recorded.client.user_agent),
            ip: recorded.client.ip,
            user_agent: recorded.client.user_agent,
        }
    }
}

/// A part of the audit trail.
#[derive(Object)]
#[oai(example, rename_all = "camelCase")]
pub(super) struct AuditEventList {
    /// The latest first.
    pub(super) events: Vec<AuditEvent>,
    /// Where the next part begins, to be sent as `cursor`; not there at the end.
    #[oai(skip_serializing_if_is_none, validator(max_length = 64))]
    pub(super) next_cursor: Option<String>,
}
