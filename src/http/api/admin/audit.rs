//! The audit trail.

use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, OpenApi};

use super::types::{AuditEvent, AuditEventList};
use crate::domain::id::UserId;
use crate::flows::administration;
use crate::http::api::Tag;
use crate::http::api::refused::{GUARD, Refused, codes};
use crate::http::guard::Admin;
use crate::http::query::{Asked, Begin, Cursor as _, Limit};
use crate::store::{Event, EventFilter, EventSeq};

pub(in crate::http) struct AuditApi;

codes! {
    /// Of `listAuditEvents`.
    ListAuditEvents = [GUARD] + Forbidden + ValidationFailed;
}

/// Of `listAuditEvents`.
#[derive(ApiResponse)]
enum ListAuditEventsOk {
    /// A part of the events, the latest first.
    #[oai(status = 200)]
    Ok(Json<AuditEventList>),
}

#[OpenApi(prefix_path = "/api/admin/events", tag = "Tag::Administration")]
impl AuditApi {
    /// List what happened
    ///
    /// The audit trail: sign-ins, refused ones too, reused refresh tokens, devices signed out, and
    /// what was done to accounts and by whom. The latest first, as far back as `audit_retention`
    /// says. A page that is not the last has a `nextCursor`; send it with the same filters.
    #[oai(path = "/", method = "get", operation_id = "listAuditEvents")]
    async fn list_audit_events(
        &self,
        admin: Admin,
        /// Only what is about this user, who may be deleted by now.
        #[oai(name = "userId")]
        user_id: Asked<UserId>,
        /// Only events of this name, such as `sign_in_refused`.
        event: Asked<Event>,
        /// How many events at most.
        limit: Asked<Limit>,
        /// The `nextCursor` of the page before.
        cursor: Asked<Begin<EventSeq>>,
    ) -> Result<ListAuditEventsOk, Refused<ListAuditEvents>> {
        let filter = EventFilter { user: user_id.0, event: event.0 };
        let before = cursor.0.map(|cursor| cursor.0);
        let limit = Limit::of(&limit);
        let page = administration::list_events(admin.app(), filter, before, limit).await?;
        Ok(ListAuditEventsOk::Ok(Json(AuditEventList {
            next_cursor: page.next.map(|seq| seq.to_text()),
            events: page.items.into_iter().map(AuditEvent::from).collect(),
        })))
    }
}
