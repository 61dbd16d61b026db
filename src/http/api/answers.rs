//! What the operations answer when all is well, one type each, so that each has a description
//! of its own in the spec.

use std::borrow::Cow;

use poem_openapi::ApiResponse;
use poem_openapi::payload::Json;
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use poem_openapi::types::Type;

use super::types::{KeyList, Message, Refreshed, Registered, SessionList, SignedIn, User};

/// The `Set-Cookie` header, for the spec alone: cookies are set outside of the handlers.
pub(super) struct SetCookie;

impl Type for SetCookie {
    const IS_REQUIRED: bool = false;
    type RawValueType = Self;
    type RawElementValueType = Self;

    fn name() -> Cow<'static, str> {
        "string_set-cookie".into()
    }

    fn schema_ref() -> MetaSchemaRef {
        // As long as the browsers take a cookie (RFC 6265 §6.1).
        let schema = MetaSchema { max_length: Some(4096), ..MetaSchema::new("string") };
        MetaSchemaRef::Inline(Box::new(schema))
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }

    fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self> + 'a> {
        Box::new(std::iter::once(self))
    }
}

/// Of `register`.
#[derive(ApiResponse)]
#[oai(header(
    name = "Set-Cookie",
    ty = "SetCookie",
    description = "Sets `token`, `refreshToken` and `csrfToken`, one header each; only with `\"delivery\": \"cookie\"`."
))]
pub(super) enum RegisterOk {
    /// The account was made and is signed in on this device.
    #[oai(status = 201)]
    Created(Json<Registered>),
}

/// Of `acceptInvitation`.
#[derive(ApiResponse)]
#[oai(header(
    name = "Set-Cookie",
    ty = "SetCookie",
    description = "Sets `token`, `refreshToken` and `csrfToken`, one header each; only with `\"delivery\": \"cookie\"`."
))]
pub(super) enum AcceptInvitationOk {
    /// The account was made and is signed in on this device.
    #[oai(status = 201)]
    Created(Json<SignedIn>),
}

/// Of `login`.
#[derive(ApiResponse)]
#[oai(header(
    name = "Set-Cookie",
    ty = "SetCookie",
    description = "Sets `token`, `refreshToken` and `csrfToken`, one header each; only with `\"delivery\": \"cookie\"`."
))]
pub(super) enum LoginOk {
    /// The user is signed in on this device.
    #[oai(status = 200)]
    Ok(Json<SignedIn>),
}

/// Of `refresh`.
#[derive(ApiResponse)]
#[oai(header(
    name = "Set-Cookie",
    ty = "SetCookie",
    description = "Sets `token` and `refreshToken`, one header each, and `csrfToken` when it is lost; only when the refresh token came as a cookie."
))]
pub(super) enum RefreshOk {
    /// The tokens were renewed; the refresh token that was sent is superseded.
    #[oai(status = 200)]
    Ok(Json<Refreshed>),
}

/// Of `logout`.
#[derive(ApiResponse)]
#[oai(header(
    name = "Set-Cookie",
    ty = "SetCookie",
    description = "Clears `token`, `refreshToken` and `csrfToken`, one header each; not for a client that sent its token in the body or as a bearer token."
))]
pub(super) enum LogoutOk {
    /// Nobody is signed in with these tokens any more.
    #[oai(status = 200)]
    Ok(Json<Message>),
}

/// Of `logoutAll`.
#[derive(ApiResponse)]
#[oai(header(
    name = "Set-Cookie",
    ty = "SetCookie",
    description = "Clears `token`, `refreshToken` and `csrfToken`, one header each; only when the caller is known by cookie."
))]
pub(super) enum LogoutAllOk {
    /// All of the caller's sessions have ended.
    #[oai(status = 200)]
    Ok(Json<Message>),
}

/// Of `changePassword`.
#[derive(ApiResponse)]
#[oai(header(
    name = "Set-Cookie",
    ty = "SetCookie",
    description = "Sets `token`, `refreshToken` and `csrfToken`, one header each; only when the caller is known by cookie."
))]
pub(super) enum ChangePasswordOk {
    /// The password was changed; all sessions but the new one of this device have ended.
    #[oai(status = 200)]
    Ok(Json<SignedIn>),
}

/// Of `deleteAccount`.
#[derive(ApiResponse)]
#[oai(header(
    name = "Set-Cookie",
    ty = "SetCookie",
    description = "Clears `token`, `refreshToken` and `csrfToken`, one header each; only when the caller is known by cookie."
))]
pub(super) enum DeleteAccountOk {
    /// The account is gone.
    #[oai(status = 204)]
    NoContent,
}

/// Of what sends a mail.
#[derive(ApiResponse)]
pub(super) enum Accepted {
    /// A mail will be sent, if there is anybody to write to.
    #[oai(status = 202)]
    Accepted(Json<Message>),
}

/// Of what a link does.
#[derive(ApiResponse)]
pub(super) enum DoneOk {
    /// It was done, and the token is used up.
    #[oai(status = 200)]
    Ok(Json<Message>),
}

/// Of `getMe`.
#[derive(ApiResponse)]
pub(super) enum GetMeOk {
    /// The caller's account.
    #[oai(status = 200)]
    Ok(Json<User>),
}

/// Of `listSessions`.
#[derive(ApiResponse)]
pub(super) enum ListSessionsOk {
    /// The live sessions, the one of this request among them.
    #[oai(status = 200)]
    Ok(Json<SessionList>),
}

/// Of `revokeSession`.
#[derive(ApiResponse)]
#[oai(header(
    name = "Set-Cookie",
    ty = "SetCookie",
    description = "Clears `token`, `refreshToken` and `csrfToken`, one header each; only when the caller is known by cookie and ends the very session of this request."
))]
pub(super) enum RevokeSessionOk {
    /// The session has ended.
    #[oai(status = 204)]
    NoContent,
}

/// Of `getKeys`.
#[derive(ApiResponse)]
pub(super) enum GetKeysOk {
    /// The keys that tokens in circulation were signed with.
    #[oai(status = 200)]
    Ok(Json<KeyList>),
}
