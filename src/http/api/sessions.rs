//! The caller's devices.

use poem_openapi::OpenApi;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use uuid::Uuid;

use super::Tag;
use super::answers::{ListSessionsOk, RevokeSessionOk};
use super::examples::session_id as example_id;
use super::refused::{GUARD, Refused, codes};
use super::types::{Session, SessionList};
use crate::domain::id::SessionId;
use crate::flows;
use crate::http::guard::{CsrfHeader, Guarded};
use crate::http::problem::Code;

pub(in crate::http) struct SessionsApi;

codes! {
    /// Of `listSessions`.
    ListSessions = [GUARD];
    /// Of `revokeSession`.
    RevokeSession = [GUARD] + CsrfFailed + NotFound;
}

#[OpenApi(prefix_path = "/api/auth/sessions", tag = "Tag::Sessions")]
impl SessionsApi {
    /// List the caller's devices
    ///
    /// The live sessions of the caller, the most recently used first. The one of this very
    /// request has `"current": true`.
    #[oai(path = "/", method = "get", operation_id = "listSessions")]
    async fn list_sessions(
        &self,
        guarded: Guarded,
    ) -> Result<ListSessionsOk, Refused<ListSessions>> {
        let sessions = flows::sessions::list(guarded.app(), &guarded.caller).await?;
        let current = guarded.caller.session_id();
        let sessions =
            sessions.iter().map(|session| Session::seen_from(session, current)).collect();
        Ok(ListSessionsOk::Ok(Json(SessionList { sessions })))
    }

    /// Sign one device out
    ///
    /// Ends the session at once, its access tokens included; it may be the caller's own. Another
    /// user's session answers like one that does not exist. By cookie it needs the `X-CSRF-Token`
    /// header.
    #[oai(path = "/:sessionId", method = "delete", operation_id = "revokeSession")]
    async fn revoke_session(
        &self,
        guarded: Guarded,
        /// The value of the `csrfToken` cookie; needed when the caller is known by cookie.
        #[oai(name = "X-CSRF-Token")]
        _csrf: CsrfHeader,
        /// The `id` of one of the sessions that `listSessions` shows.
        #[oai(name = "sessionId", example = "example_id")]
        session_id: Path<Uuid>,
    ) -> Result<RevokeSessionOk, Refused<RevokeSession>> {
        let Guarded { caller, envelope } = guarded;
        let id = SessionId(session_id.0);
        if !flows::sessions::revoke(&envelope.web.app, &caller, id, envelope.client()).await? {
            return Err(Code::NotFound.into());
        }
        if id == caller.session_id() && caller.by_cookie {
            envelope.clear_cookies();
        }
        Ok(RevokeSessionOk::NoContent)
    }
}
