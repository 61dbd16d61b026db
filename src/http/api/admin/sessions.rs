//! The sessions of others.

use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, OpenApi};
use uuid::Uuid;

use super::examples::user_id as example_user;
use crate::domain::id::{SessionId, UserId};
use crate::flows::administration;
use crate::http::api::Tag;
use crate::http::api::answers::SetCookie;
use crate::http::api::examples::session_id as example_session;
use crate::http::api::refused::{GUARD, Refused, codes};
use crate::http::api::types::{Session, SessionList};
use crate::http::guard::{Admin, CsrfHeader};

pub(in crate::http) struct UserSessionsApi;

codes! {
    /// Of `listUserSessions`.
    ListUserSessions = [GUARD] + Forbidden + NotFound;
    /// Of `revokeUserSession`.
    RevokeUserSession = [GUARD] + CsrfFailed + Forbidden + NotFound;
    /// Of `revokeUserSessions`.
    RevokeUserSessions = [GUARD] + CsrfFailed + Forbidden + NotFound;
}

/// Of `listUserSessions`.
#[derive(ApiResponse)]
enum ListUserSessionsOk {
    /// The live sessions of the user.
    #[oai(status = 200)]
    Ok(Json<SessionList>),
}

/// Of `revokeUserSession`.
#[derive(ApiResponse)]
#[oai(header(
    name = "Set-Cookie",
    ty = "SetCookie",
    description = "Clears `token`, `refreshToken` and `csrfToken`, one header each; only when the caller is known by cookie and ends the very session of this request."
))]
enum RevokeUserSessionOk {
    /// The session has ended.
    #[oai(status = 204)]
    NoContent,
}

/// Of `revokeUserSessions`.
#[derive(ApiResponse)]
#[oai(header(
    name = "Set-Cookie",
    ty = "SetCookie",
    description = "Clears `token`, `refreshToken` and `csrfToken`, one header each; only when the caller is known by cookie and the sessions are the caller's own."
))]
enum RevokeUserSessionsOk {
    /// The sessions have ended.
    #[oai(status = 204)]
    NoContent,
}

#[OpenApi(prefix_path = "/api/admin/users", tag = "Tag::Administration")]
impl UserSessionsApi {
    /// List a user's devices
    ///
    /// The live sessions of the user, the most recently used first.
    #[oai(path = "/:userId/sessions", method = "get", operation_id = "listUserSessions")]
    async fn list_user_sessions(
        &self,
        admin: Admin,
        /// The `id` of a user.
        #[oai(name = "userId", example = "example_user")]
        user_id: Path<Uuid>,
    ) -> Result<ListUserSessionsOk, Refused<ListUserSessions>> {
        let sessions = administration::list_sessions(admin.app(), UserId(user_id.0)).await?;
        let current = admin.caller.session_id();
        let sessions =
            sessions.iter().map(|session| Session::seen_from(session, current)).collect();
        Ok(ListUserSessionsOk::Ok(Json(SessionList { sessions })))
    }

    /// Sign a user out of one device
    ///
    /// Ends the session at once, its access tokens included. By cookie it needs the `X-CSRF-Token`
    /// header.
    #[oai(
        path = "/:userId/sessions/:sessionId",
        method = "delete",
        operation_id = "revokeUserSession"
    )]
    async fn revoke_user_session(
        &self,
        admin: Admin,
        /// The value of the `csrfToken` cookie; needed when the caller is known by cookie.
        #[oai(name = "X-CSRF-Token")]
        _csrf: CsrfHeader,
        /// The `id` of a user.
        #[oai(name = "userId", example = "example_user")]
        user_id: Path<Uuid>,
        /// The `id` of one of the sessions that `listUserSessions` shows.
        #[oai(name = "sessionId", example = "example_session")]
        session_id: Path<Uuid>,
    ) -> Result<RevokeUserSessionOk, Refused<RevokeUserSession>> {
        let (user, session) = (UserId(user_id.0), SessionId(session_id.0));
        let client = admin.envelope.client();
        administration::revoke_session(admin.app(), &admin.caller, user, session, client).await?;
        if session == admin.caller.session_id() {
            admin.clear_cookies();
        }
        Ok(RevokeUserSessionOk::NoContent)
    }

    /// Sign a user out of all devices
    ///
    /// Ends all of the user's sessions at once, their access tokens included. By cookie it needs the
    /// `X-CSRF-Token` header.
    #[oai(path = "/:userId/sessions", method = "delete", operation_id = "revokeUserSessions")]
    async fn revoke_user_sessions(
        &self,
        admin: Admin,
        /// The value of the `csrfToken` cookie; needed when the caller is known by cookie.
        #[oai(name = "X-CSRF-Token")]
        _csrf: CsrfHeader,
        /// The `id` of a user.
        #[oai(name = "userId", example = "example_user")]
        user_id: Path<Uuid>,
    ) -> Result<RevokeUserSessionsOk, Refused<RevokeUserSessions>> {
        let (user, client) = (UserId(user_id.0), admin.envelope.client());
        administration::revoke_sessions(admin.app(), &admin.caller, user, client).await?;
        if user == admin.caller.user_id() {
            admin.clear_cookies();
        }
        Ok(RevokeUserSessionsOk::NoContent)
    }
}
