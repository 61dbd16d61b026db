//! The append-only audit trail, written in the transaction of what it records.

use rusqlite::params;

use super::writer::Work;
use crate::domain::id::{SessionId, UserId};
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
    /// An account was disabled.
    Disabled,
    /// An account was enabled again.
    Enabled,
    /// An account was deleted.
    Deleted,
    /// An account was brought along from elsewhere.
    Imported,
}

impl Event {
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
            Self::Disabled => "user_disabled",
            Self::Enabled => "user_enabled",
            Self::Deleted => "user_deleted",
            Self::Imported => "imported",
        }
    }
}

impl Work<'_> {
    /// Records `event`.
    pub(super) fn audit(
        &self,
        event: Event,
        user: Option<UserId>,
        session: Option<SessionId>,
        client: &Client,
        now: Now,
    ) -> rusqlite::Result<()> {
        self.sql
            .prepare_cached(
                "INSERT INTO audit (at, event, user_id, session_id, ip, user_agent)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                now.wall.as_millis(),
                event.as_str(),
                user.map(|id| id.0),
                session.map(|id| id.0),
                client.ip,
                client.user_agent,
            ])?;
        Ok(())
    }
}
