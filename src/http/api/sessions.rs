//! The caller's devices.

use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, OpenApi};
use uuid::Uuid;

use super::Tag;
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

#[derive(ApiResponse)]
enum Revoked {
    /// The session has ended.
    #[oai(status = 204)]
    NoContent,
}

#[OpenApi(prefix_path = "/api/auth/sessions", tag = "Tag::Sessions")]
impl SessionsApi {
    /// List the caller's devices
    ///
    /// The live sessions, the most recently used first.
    #[oai(path = "/", method = "get", operation_id = "listSessions")]
    async fn list_sessions(
        &self,
        guarded: Guarded,
    ) -> Result<Json<SessionList>, Refused<ListSessions>> {
        let sessions = flows::sessions::list(guarded.app(), &guarded.caller).await?;
        let current = guarded.caller.session_id();
        let sessions =
            sessions.iter().map(|session| Session::seen_from(session, current)).collect();
        Ok(Json(SessionList { sessions }))
    }

    /// Sign one device out
    ///
    /// Ends the session at once, its access tokens included. Another user's session answers like
    /// one that does not exist.
    #[oai(path = "/:sessionId", method = "delete", operation_id = "revokeSession")]
    async fn revoke_session(
        &self,
        guarded: Guarded,
        /// The value of the `csrfToken` cookie; needed when the caller is known by cookie.
        #[oai(name = "X-CSRF-Token")]
        _csrf: CsrfHeader,
        /// The id of the session.
        #[oai(name = "sessionId")]
        session_id: Path<Uuid>,
    ) -> Result<Revoked, Refused<RevokeSession>> {
        let Guarded { caller, envelope } = guarded;
        let id = SessionId(session_id.0);
        if !flows::sessions::revoke(&envelope.web.app, &caller, id, envelope.client()).await? {
            return Err(Code::NotFound.into());
        }
        if id == caller.session_id() && caller.by_cookie {
            envelope.clear_cookies();
        }
        Ok(Revoked::NoContent)
    }
}
