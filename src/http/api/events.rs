//! What happened to the caller's account.

use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object, OpenApi, types::Example};
use uuid::Uuid;

use super::Tag;
use super::examples::{USED, session_id};
use super::refused::{GUARD, Refused, codes};
use super::types::{Role, Time};
use crate::domain::device::device_name;
use crate::flows;
use crate::http::guard::Guarded;
use crate::http::query::{Asked, Begin, Cursor as _, Limit};
use crate::store::{Detail, EventSeq, Recorded};

pub(in crate::http) struct EventsApi;

codes! {
    /// Of `listEvents`.
    ListEvents = [GUARD] + ValidationFailed;
}

/// What there is to say of an event beyond its name.
#[derive(Object)]
#[oai(example, rename_all = "camelCase")]
pub(super) struct EventDetail {
    /// Of `role_changed`: the role that the account was given. Of `registered` and `imported` it is there
    /// when the account was not made an ordinary one; of `invited` it is that of the account to be.
    #[oai(skip_serializing_if_is_none)]
    role: Option<Role>,
    /// Of `invited` and `invitation_revoked`: the invitation. Of `registered`: the one that the account
    /// was made by.
    #[oai(skip_serializing_if_is_none)]
    invitation_id: Option<Uuid>,
}

impl From<Detail> for EventDetail {
    fn from(detail: Detail) -> Self {
        Self { role: detail.role.map(Role::from), invitation_id: detail.invitation.map(|id| id.0) }
    }
}

impl Example for EventDetail {
    fn example() -> Self {
        Self { role: Some(Role::Admin), invitation_id: None }
    }
}

/// Something that happened to the caller's account.
#[derive(Object)]
#[oai(example, rename_all = "camelCase")]
pub(super) struct AccountEvent {
    /// When it was.
    at: Time,
    /// What it was, for a program, such as `signed_in`, `sign_in_refused`, `signed_out`,
    /// `session_revoked`, `refresh_token_reused`, `role_changed` or `password_changed`. New ones may
    /// come.
    #[oai(validator(max_length = 64))]
    event: String,
    /// The session that it is about, if it is about one.
    #[oai(skip_serializing_if_is_none)]
    session_id: Option<Uuid>,
    /// Whether an administrator did it, and not the caller. Then it is not told from where.
    by_admin: bool,
    /// The address that it came from, or empty.
    #[oai(validator(max_length = 64))]
    ip: String,
    /// The `User-Agent` of the device, or empty.
    #[oai(validator(max_length = 256))]
    user_agent: String,
    /// A short name of the device, such as `Firefox on Linux`, or empty.
    #[oai(validator(max_length = 64))]
    device: String,
    /// What else there is to say, if there is anything.
    #[oai(skip_serializing_if_is_none)]
    detail: Option<EventDetail>,
}

impl From<Recorded> for AccountEvent {
    fn from(recorded: Recorded) -> Self {
        Self {
            at: Time(recorded.at),
            event: recorded.event,
            session_id: recorded.session.map(|id| id.0),
            by_admin: recorded.actor.is_some(),
            detail: recorded.detail.map(EventDetail::from),
            device: device_name(&recorded.client.user_agent),
            ip: recorded.client.ip,
            user_agent: recorded.client.user_agent,
        }
    }
}

/// A part of what happened to the caller's account.
#[derive(Object)]
#[oai(example, rename_all = "camelCase")]
pub(super) struct AccountEventList {
    /// The latest first.
    events: Vec<AccountEvent>,
    /// Where the next part begins, to be sent as `cursor`; not there at the end.
    #[oai(skip_serializing_if_is_none, validator(max_length = 64))]
    next_cursor: Option<String>,
}

impl Example for AccountEvent {
    fn example() -> Self {
        Self {
            at: Time(USED),
            event: "signed_in".to_owned(),
            session_id: Some(session_id()),
            by_admin: false,
            ip: "203.0.113.7".to_owned(),
            user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
                .to_owned(),
            device: "Firefox on Linux".to_owned(),
            detail: None,
        }
    }
}

impl Example for AccountEventList {
    fn example() -> Self {
        let next_cursor = Some(EventSeq(4711).to_text());
        Self { events: vec![AccountEvent::example()], next_cursor }
    }
}

/// Of `listEvents`.
#[derive(ApiResponse)]
enum ListEventsOk {
    /// A part of the events, the latest first.
    #[oai(status = 200)]
    Ok(Json<AccountEventList>),
}

#[OpenApi(prefix_path = "/api/auth/events", tag = "Tag::Events")]
impl EventsApi {
    /// List what happened to the caller's account
    ///
    /// Sign-ins, refused ones too, devices signed out, changes: the latest first, as far back as the
    /// server keeps them. A page that is not the last has a `nextCursor`.
    #[oai(path = "/", method = "get", operation_id = "listEvents")]
    async fn list_events(
        &self,
        guarded: Guarded,
        /// How many events at most.
        limit: Asked<Limit>,
        /// The `nextCursor` of the page before.
        cursor: Asked<Begin<EventSeq>>,
    ) -> Result<ListEventsOk, Refused<ListEvents>> {
        let before = cursor.0.map(|cursor| cursor.0);
        let limit = Limit::of(&limit);
        let page = flows::events::list(guarded.app(), &guarded.caller, before, limit).await?;
        Ok(ListEventsOk::Ok(Json(AccountEventList {
            next_cursor: page.next.map(|seq| seq.to_text()),
            events: page.items.into_iter().map(AccountEvent::from).collect(),
        })))
    }
}
