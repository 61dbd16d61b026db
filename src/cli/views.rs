//! Users, sessions and events in the shapes of the HTTP interface.

use serde::Serialize;

use crate::domain::account::User;
use crate::domain::claims::Role;
use crate::domain::device::device_name;
use crate::domain::id::{SessionId, UserId};
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::store::{Detail, Recorded};

/// A user, with what only an operator is shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserView<'a> {
    id: UserId,
    email: &'a str,
    role: Role,
    is_verified: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_at: Option<Timestamp>,
}

impl<'a> From<&'a User> for UserView<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            id: user.id,
            email: user.email.as_str(),
            role: user.role,
            is_verified: user.is_verified,
            created_at: user.created_at,
            updated_at: user.updated_at,
            disabled_at: user.disabled_at,
        }
    }
}

/// A session, with whose it is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionView<'a> {
    id: SessionId,
    user_id: UserId,
    email: &'a str,
    created_at: Timestamp,
    last_used_at: Timestamp,
    expires_at: Timestamp,
    ip: &'a str,
    user_agent: &'a str,
    device: String,
}

impl<'a> SessionView<'a> {
    /// A session of the user with this address.
    pub(super) fn new(session: &'a Session, email: &'a str) -> Self {
        Self {
            id: session.id,
            user_id: session.user_id,
            email,
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            expires_at: session.expires_at,
            ip: &session.client.ip,
            user_agent: &session.client.user_agent,
            device: device_name(&session.client.user_agent),
        }
    }
}

/// An event, with the addresses of those who are in it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EventView<'a> {
    at: Timestamp,
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor_id: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor_email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<SessionId>,
    ip: &'a str,
    user_agent: &'a str,
    device: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<Detail>,
}

impl<'a> EventView<'a> {
    /// An event about the user with this address, by the actor with that one.
    pub(super) fn new(
        event: &'a Recorded,
        email: Option<&'a str>,
        actor_email: Option<&'a str>,
    ) -> Self {
        Self {
            at: event.at,
            event: &event.event,
            user_id: event.user,
            email,
            actor_id: event.actor,
            actor_email,
            session_id: event.session,
            ip: &event.client.ip,
            user_agent: &event.client.user_agent,
            device: device_name(&event.client.user_agent),
            detail: event.detail,
        }
    }
}
