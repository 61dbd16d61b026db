//! The API, as poem-openapi sees it.

mod account;
mod account_types;
mod admin;
mod answers;
mod auth;
mod events;
pub(in crate::http) mod examples;
mod export;
mod export_types;
mod invitation;
mod keys;
mod profile;
mod recovery;
pub mod refused;
mod sessions;
pub mod types;

use poem_openapi::{ContactObject, LicenseObject, OpenApiService, ServerObject, Tags};

/// The groups of the spec.
#[derive(Tags)]
pub(super) enum Tag {
    /// Making an account, signing in and out, staying signed in.
    Auth,
    /// The own account: its password, its e-mail address, its end.
    Account,
    /// The devices that the caller is signed in on: seeing them, signing one out.
    Sessions,
    /// The public keys, for other services that verify access tokens themselves.
    Keys,
    /// What happened to the caller's account: sign-ins, refusals, changes.
    Events,
    /// Users, their sessions and the audit trail, for administrators: anybody else is refused.
    Administration,
    /// What the caller says about themselves: name, telephone, language, postal addresses.
    Profile,
}

/// All operations.
pub(super) type Api = (
    auth::AuthApi,
    account::AccountApi,
    recovery::RecoveryApi,
    profile::ProfileApi,
    sessions::SessionsApi,
    keys::KeysApi,
    events::EventsApi,
    invitation::InvitationApi,
    admin::InvitationsApi,
    admin::UsersApi,
    admin::UserSessionsApi,
    admin::AuditApi,
    export::ExportApi,
);

const DESCRIPTION: &str = "\
Doorward signs users in and keeps them signed in.

**In a browser** sign in with `login`; the tokens travel in cookies, and a guarded operation
renews them silently. Unsafe methods need the `X-CSRF-Token` header with the value of the
`csrfToken` cookie (Swagger UI fills it in).

**Without a cookie jar** sign in with `\"delivery\": \"body\"`, send `Authorization: Bearer …`, and
call `refresh` when an answer is 401 `access_token_expired`. A refresh that failed on the way may
be repeated with the same token.

**Errors** are `application/problem+json` (RFC 9457); go by `code`, which is stable. Each operation
lists the codes that it can answer. Sign out on 401 `session_expired` and on 403
`invalid_refresh_token` or `refresh_token_reused`, never on a 503, which passes. A method that a
path does not have is 405 `method_not_allowed`, a path that is not here 404 `not_found`.

**Every answer** carries `X-Request-Id`, under which the server's log has more.";

/// What the paths of all operations begin with; a test holds the spec to it.
pub(super) const PREFIXES: [&str; 2] = ["/api/", "/.well-known/"];

/// The service that routes to the operations and knows their spec.
pub(super) fn service() -> OpenApiService<Api, ()> {
    OpenApiService::new(
        (
            auth::AuthApi,
            account::AccountApi,
            recovery::RecoveryApi,
            profile::ProfileApi,
            sessions::SessionsApi,
            keys::KeysApi,
            events::EventsApi,
            invitation::InvitationApi,
            admin::InvitationsApi,
            admin::UsersApi,
            admin::UserSessionsApi,
            admin::AuditApi,
            export::ExportApi,
        ),
        "Doorward",
        env!("CARGO_PKG_VERSION"),
    )
    .description(DESCRIPTION)
    .contact(ContactObject::new().name("The Doorward authors"))
    .license(LicenseObject::new("MIT OR Apache-2.0").url("https://spdx.org/licenses/MIT.html"))
    .server(ServerObject::new("/").description("The server that this document comes from"))
}
