//! What only an export shows.

use poem_openapi::Object;
use poem_openapi::types::Example;
use uuid::Uuid;

use super::examples::{REGISTERED, USED, session_id};
use super::types::Time;
use crate::domain::device::device_name;
use crate::domain::session;
use crate::store;

/// A session that is over.
#[derive(Object)]
#[oai(example, rename_all = "camelCase")]
pub(super) struct EndedSession {
    /// Identifies the session (UUIDv7).
    id: Uuid,
    /// When it was started.
    created_at: Time,
    /// When it was last used.
    last_used_at: Time,
    /// When it ended.
    ended_at: Time,
    /// Why, for a program, such as `expired`, `logout`, `revoked` or `password_changed`. New ones may come.
    #[oai(validator(max_length = 64))]
    end_reason: String,
    /// The address that it was last refreshed from, or empty.
    #[oai(validator(max_length = 64))]
    ip: String,
    /// The `User-Agent` of the device, or empty.
    #[oai(validator(max_length = 256))]
    user_agent: String,
    /// A short name of the device, such as `Firefox on Linux`, or empty.
    #[oai(validator(max_length = 64))]
    device: String,
}

impl From<session::Session> for EndedSession {
    fn from(session: session::Session) -> Self {
        let (ended_at, reason) = match session.ended {
            Some((at, reason)) => (at, reason.as_str()),
            None => (session.expires_at.min(session.ends_at), "expired"),
        };
        Self {
            id: session.id.0,
            created_at: Time(session.created_at),
            last_used_at: Time(session.last_used_at),
            ended_at: Time(ended_at),
            end_reason: reason.to_owned(),
            device: device_name(&session.client.user_agent),
            ip: session.client.ip,
            user_agent: session.client.user_agent,
        }
    }
}

impl Example for EndedSession {
    fn example() -> Self {
        Self {
            id: session_id(),
            created_at: Time(REGISTERED),
            last_used_at: Time(USED),
            ended_at: Time(USED),
            end_reason: "logout".to_owned(),
            ip: "203.0.113.7".to_owned(),
            user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
                .to_owned(),
            device: "Firefox on Linux".to_owned(),
        }
    }
}

/// A device that the caller has signed in from. It is known again by a mark, which tells nothing.
#[derive(Object)]
#[oai(example, rename_all = "camelCase")]
pub(super) struct SeenDevice {
    /// When it was seen first.
    first_seen: Time,
    /// When it was seen last, to the day.
    last_seen: Time,
}

impl From<store::SeenDevice> for SeenDevice {
    fn from(device: store::SeenDevice) -> Self {
        Self { first_seen: Time(device.first_seen), last_seen: Time(device.last_seen) }
    }
}

impl Example for SeenDevice {
    fn example() -> Self {
        Self { first_seen: Time(REGISTERED), last_seen: Time(USED) }
    }
}
