//! The append-only audit trail, written in the transaction of what it records.

use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::writer::Work;
use crate::domain::claims::Role;
use crate::domain::id::{OneTimeId, SessionId, UserId};
use crate::domain::session::{Client, EndReason};
use crate::domain::time::Now;

/// What can be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An account was made.
    Registered,
    /// A session was started.
    SignedIn,
    /// A session, or all of a user's, was ended by signing out.
    SignedOut,
    /// A session, or all of a user's, was ended from elsewhere: another device, or the shell.
    SessionRevoked,
    /// A superseded refresh token was used again.
    RefreshTokenReused,
    /// An authentic refresh token did not belong to its session's history.
    RefreshTokenForeign,
    /// An account's role was changed.
    RoleChanged,
    /// An account's password was changed.
    PasswordChanged,
    /// Somebody has asked for a link to reset the password.
    PasswordResetRequested,
    /// Somebody has asked for another address.
    EmailChangeRequested,
    /// The account has another address.
    EmailChanged,
    /// The account has its former address back.
    EmailChangeUndone,
    /// An account was disabled.
    Disabled,
    /// An account was enabled again.
    Enabled,
    /// An account was deleted.
    Deleted,
    /// A sign-in on an account was refused: the password was wrong, or the account is disabled.
    SignInRefused,
    /// An account's address was declared to be its user's.
    Verified,
    /// An account's address was declared not to be known to be its user's.
    Unverified,
    /// What a user says about themselves was changed.
    ProfileChanged,
    /// A user added a postal address.
    AddressAdded,
    /// A user changed a postal address.
    AddressChanged,
    /// A user removed a postal address.
    AddressRemoved,
    /// An account was brought along from elsewhere.
    Imported,
    /// Somebody was invited to make an account.
    Invited,
    /// An invitation was taken back.
    InvitationRevoked,
    /// Another key makes tokens from now on.
    KeyRotated,
    /// A key verifies nothing any more.
    KeyRetired,
    /// The database was backed up.
    BackupMade,
    /// The database was restored from a backup: what is before this was before the backup.
    Restored,
}

/// Who does something, and from where.
#[derive(Clone, Debug, Default)]
pub struct By {
    /// The user who does it. `None` for the one whom it is about, and for the shell.
    pub actor: Option<UserId>,
    /// Where it comes from.
    pub client: Client,
}

impl From<Client> for By {
    /// By the one whom it is about.
    fn from(client: Client) -> Self {
        Self { actor: None, client }
    }
}

/// The value of `meta` that lets older events go, while it is there.
pub(super) const KEPT_SINCE: &str = "audit_kept_since";

impl Event {
    /// All events.
    pub const ALL: &'static [Self] = &[
        Self::Registered,
        Self::SignedIn,
        Self::SignedOut,
        Self::SessionRevoked,
        Self::RefreshTokenReused,
        Self::RefreshTokenForeign,
        Self::RoleChanged,
        Self::PasswordChanged,
        Self::Disabled,
        Self::Enabled,
        Self::Deleted,
        Self::SignInRefused,
        Self::Verified,
        Self::Unverified,
        Self::PasswordResetRequested,
        Self::EmailChangeRequested,
        Self::EmailChanged,
        Self::EmailChangeUndone,
        Self::ProfileChanged,
        Self::AddressAdded,
        Self::AddressChanged,
        Self::AddressRemoved,
        Self::Imported,
        Self::Invited,
        Self::InvitationRevoked,
        Self::KeyRotated,
        Self::KeyRetired,
        Self::BackupMade,
        Self::Restored,
    ];

    /// Reads a name of the database. `None` when there is no such event.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|event| event.as_str() == name)
    }

    /// The event of sessions that are ended for `reason`.
    pub(super) const fn of_end(reason: EndReason) -> Self {
        match reason {
            EndReason::Revoked => Self::SessionRevoked,
            _ => Self::SignedOut,
        }
    }

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::SignedIn => "signed_in",
            Self::SignedOut => "signed_out",
            Self::SessionRevoked => "session_revoked",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::RefreshTokenForeign => "refresh_token_foreign",
            Self::RoleChanged => "role_changed",
            Self::PasswordChanged => "password_changed",
            Self::PasswordResetRequested => "password_reset_requested",
            Self::EmailChangeRequested => "email_change_requested",
            Self::EmailChanged => "email_changed",
            Self::EmailChangeUndone => "email_change_undone",
            Self::Disabled => "user_disabled",
            Self::Enabled => "user_enabled",
            Self::Deleted => "user_deleted",
            Self::SignInRefused => "sign_in_refused",
            Self::Verified => "user_verified",
            Self::Unverified => "user_unverified",
            Self::ProfileChanged => "profile_changed",
            Self::AddressAdded => "address_added",
            Self::AddressChanged => "address_changed",
            Self::AddressRemoved => "address_removed",
            Self::Imported => "imported",
            Self::Invited => "invited",
            Self::InvitationRevoked => "invitation_revoked",
            Self::KeyRotated => "key_rotated",
            Self::KeyRetired => "key_retired",
            Self::BackupMade => "backup_made",
            Self::Restored => "restored",
        }
    }
}

/// What there is to say of an event beyond its name. It is kept as JSON, so that it can grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// The role that the account was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The invitation that it is about, or that the account was made by.
    #[serde(default, rename = "invitationId", skip_serializing_if = "Option::is_none")]
    pub invitation: Option<OneTimeId>,
}

impl Detail {
    /// The role that an account was given.
    pub(super) const fn role(role: Role) -> Self {
        Self { role: Some(role), invitation: None }
    }

    /// Of an account that was made: nothing, if it is one like most.
    pub(super) fn of_new(role: Role) -> Self {
        Self { role: Some(role).filter(|role| *role != Role::default()), invitation: None }
    }

    /// Of, or by, an invitation.
    pub(super) const fn invitation(id: OneTimeId, role: Role) -> Self {
        Self { role: Some(role), invitation: Some(id) }
    }

    /// From the database. What a newer version has written there is not known here.
    pub(super) fn read(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok().filter(|detail| *detail != Self::default())
    }
}

/// A row to be.
struct Entry<'a> {
    event: Event,
    user: Option<UserId>,
    actor: Option<UserId>,
    session: Option<SessionId>,
    client: &'a Client,
    detail: Detail,
}

impl Work<'_> {
    /// Records `event`, by the one whom it is about or from the shell.
    pub(super) fn audit(
        &self,
        event: Event,
        user: Option<UserId>,
        session: Option<SessionId>,
        client: &Client,
        now: Now,
    ) -> rusqlite::Result<()> {
        let detail = Detail::default();
        self.record(&Entry { event, user, actor: None, session, client, detail }, now)
    }

    /// Records `event`, by whoever did it.
    pub(super) fn audit_by(
        &self,
        event: Event,
        by: &By,
        user: Option<UserId>,
        session: Option<SessionId>,
        now: Now,
    ) -> rusqlite::Result<()> {
        let (actor, client) = (by.actor.filter(|actor| user != Some(*actor)), &by.client);
        let detail = Detail::default();
        self.record(&Entry { event, user, actor, session, client, detail }, now)
    }

    /// Records `event`, by whoever did it, and more about it.
    pub(super) fn audit_in_detail(
        &self,
        event: Event,
        detail: Detail,
        by: &By,
        user: Option<UserId>,
        now: Now,
    ) -> rusqlite::Result<()> {
        let (actor, client) = (by.actor.filter(|actor| user != Some(*actor)), &by.client);
        self.record(&Entry { event, user, actor, session: None, client, detail }, now)
    }

    fn record(&self, entry: &Entry<'_>, now: Now) -> rusqlite::Result<()> {
        let detail = serde_json::to_string(&entry.detail)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        self.sql
            .prepare_cached(
                "INSERT INTO audit (at, event, user_id, session_id, ip, user_agent, actor_id, detail)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                now.wall.as_millis(),
                entry.event.as_str(),
                entry.user.map(|id| id.0),
                entry.session.map(|id| id.0),
                entry.client.ip,
                entry.client.user_agent,
                entry.actor.map(|id| id.0),
                detail,
            ])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is not in the list cannot be asked for.
    #[test]
    fn every_event_is_in_the_list() {
        let named = include_str!("audit.rs").matches("=> \"").count();
        assert_eq!(named, Event::ALL.len());
        for event in Event::ALL {
            assert_eq!(Event::parse(event.as_str()), Some(*event));
        }
    }

    #[test]
    fn what_is_not_known_of_a_detail_is_left_out() {
        for (json, detail) in [
            ("{}", None),
            (r#"{"role":"admin"}"#, Some(Detail::role(Role::Admin))),
            (r#"{"role":"user","more":1}"#, Some(Detail::role(Role::User))),
            (r#"{"more":1}"#, None),
            (r#"{"role":"king"}"#, None),
        ] {
            assert_eq!(Detail::read(json), detail, "{json}");
        }
        assert_eq!(serde_json::to_string(&Detail::default()).unwrap(), "{}");
    }
}
