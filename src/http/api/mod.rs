//! The API, as poem-openapi sees it.

mod auth;
mod keys;
pub mod refused;
mod sessions;
pub mod types;

use poem_openapi::{LicenseObject, OpenApiService, Tags};

/// The groups of the spec.
#[derive(Tags)]
pub(super) enum Tag {
    /// Making an account, signing in and out, staying signed in.
    Auth,
    /// The caller's devices.
    Sessions,
    /// What other services need to verify access tokens.
    Keys,
}

/// All operations.
pub(super) type Api = (auth::AuthApi, sessions::SessionsApi, keys::KeysApi);

const DESCRIPTION: &str = "\
Doorward signs users in and keeps them signed in.

**In a browser** sign in with `login`; the tokens travel in cookies, and a guarded operation
renews them silently. Unsafe methods need the `X-CSRF-Token` header with the value of the
`csrfToken` cookie (this page fills it in).

**Without a cookie jar** sign in with `\"delivery\": \"body\"`, send `Authorization: Bearer …`, and
call `refresh` when an answer is 401 `access_token_expired`. A refresh that failed on the way may
be repeated with the same token.

**Errors** are `application/problem+json` (RFC 9457); go by `code`, which is stable. Sign out on
401 `session_expired` and 403 `invalid_refresh_token` or `refresh_token_reused`, never on a 503.";

/// What the paths of all operations begin with; a test holds the spec to it.
pub(super) const PREFIXES: [&str; 2] = ["/api/", "/.well-known/"];

/// The service that routes to the operations and knows their spec.
pub(super) fn service() -> OpenApiService<Api, ()> {
    OpenApiService::new(
        (auth::AuthApi, sessions::SessionsApi, keys::KeysApi),
        "Doorward",
        env!("CARGO_PKG_VERSION"),
    )
    .description(DESCRIPTION)
    .license(LicenseObject::new("MIT OR Apache-2.0").url("https://spdx.org/licenses/MIT.html"))
    .server("/")
}
