//! What can go wrong, for clients and for the spec.

use poem::http::StatusCode;

macro_rules! codes {
    ($( $(#[doc = $doc:literal])+
        $variant:ident = $status:ident, $name:literal, $detail:literal; )+) => {
        /// What went wrong, in one stable word that clients can go by.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code { $( $(#[doc = $doc])+ $variant, )+ }

        impl Code {
            /// All codes.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// The word on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $name, )+ }
            }

            /// The HTTP status.
            pub const fn status(self) -> StatusCode {
                match self { $( Self::$variant => StatusCode::$status, )+ }
            }

            /// The sentence for the person who meets it, where nothing more can be said.
            pub const fn detail(self) -> &'static str {
                match self { $( Self::$variant => $detail, )+ }
            }

            /// When it is answered and what a client is to do, for the reader of the spec.
            pub const fn meaning(self) -> &'static str {
                match self { $( Self::$variant => concat!($($doc),+), )+ }
            }
        }
    };
}

codes! {
    /// The request cannot be read: the body is not JSON or names a member twice, or one of
    /// Doorward's cookies was sent twice.
    MalformedRequest = BAD_REQUEST, "malformed_request", "The request cannot be read.";
    /// Neither a bearer token nor a cookie was sent. Sign in first.
    NoToken = UNAUTHORIZED, "no_token", "No token provided";
    /// The session has ended or the token is not one of Doorward's. Sign in again.
    SessionExpired = UNAUTHORIZED, "session_expired", "Session expired. Please log in again.";
    /// The access token, or what it says of the user, is out of date. Call `refresh`, then
    /// repeat the request.
    AccessTokenExpired = UNAUTHORIZED, "access_token_expired", "Access token expired. Refresh it.";
    /// There is no such account, or the password is wrong; which of the two is not told.
    InvalidCredentials = UNAUTHORIZED, "invalid_credentials", "Invalid credentials";
    /// No refresh token was sent, neither in the body nor as a cookie. Sign in first.
    NoRefreshToken = UNAUTHORIZED, "no_refresh_token", "No refresh token provided";
    /// The refresh token's session has ended, its user is gone or disabled, or it is not one
    /// of Doorward's. Sign in again.
    InvalidRefreshToken = FORBIDDEN, "invalid_refresh_token", "Invalid or expired refresh token";
    /// The refresh token was used before, so somebody may have a copy: the session has been
    /// ended, and the user's other ones by the server's `reuse_policy`. Sign in again.
    RefreshTokenReused = FORBIDDEN, "refresh_token_reused", "Refresh token reuse detected. Session revoked.";
    /// The request comes from a page of a foreign origin, or it is by cookie and its
    /// `X-CSRF-Token` header is not the value of the `csrfToken` cookie.
    CsrfFailed = FORBIDDEN, "csrf_failed", "The request comes from another site, or the X-CSRF-Token header does not match the csrfToken cookie of this session.";
    /// Accounts are made by an administrator here, or by a link for those who were invited.
    RegistrationClosed = FORBIDDEN, "registration_closed", "Registration is closed. Ask an administrator for an account.";
    /// The password is right, but an administrator has disabled the account.
    AccountDisabled = FORBIDDEN, "account_disabled", "This account is disabled.";
    /// The caller is known and not allowed to do this.
    Forbidden = FORBIDDEN, "forbidden", "Not allowed.";
    /// There is no such thing, or it is another user's.
    NotFound = NOT_FOUND, "not_found", "There is nothing here.";
    /// The password is right, but the address has yet to be verified: `resendVerification` sends the
    /// link again.
    EmailNotVerified = FORBIDDEN, "email_not_verified", "Verify the e-mail address first.";
    /// The one-time token is not one of Doorward's, was used, has expired or is for something else.
    /// Ask for another mail.
    InvalidToken = FORBIDDEN, "invalid_token", "This link is not valid any more. Ask for another one.";
    /// The current password is another one; nothing was changed. It counts like a failed login.
    WrongPassword = FORBIDDEN, "wrong_password", "The current password is another one.";
    /// The path does not have that method; `Allow` lists those that it has.
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method_not_allowed", "This path does not have that method; the Allow header lists those that it has.";
    /// The e-mail address belongs to an account. Sign in instead.
    EmailTaken = CONFLICT, "email_taken", "An account with this e-mail address exists already.";
    /// Nobody would be left who can administer: the user is the last administrator who can sign
    /// in. Make somebody else one first.
    LastAdmin = CONFLICT, "last_admin", "This is the last administrator who can sign in. Make somebody else one first.";
    /// The caller has as many addresses as one may have, which is 20. Remove one first.
    TooManyAddresses = CONFLICT, "too_many_addresses", "There are 20 addresses already. Remove one first.";
    /// The body is larger than 16 KiB.
    PayloadTooLarge = PAYLOAD_TOO_LARGE, "payload_too_large", "The body is larger than 16 KiB.";
    /// The body was sent as something else than `application/json`.
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The body must be sent as application/json.";
    /// The body, or the query, has the wrong shape or values; `errors` names each field.
    ValidationFailed = UNPROCESSABLE_ENTITY, "validation_failed", "Some fields are not as they must be.";
    /// Too many attempts by this address or for this account. Wait for `Retry-After`.
    TooManyAttempts = TOO_MANY_REQUESTS, "too_many_attempts", "Too many attempts. Try again later.";
    /// A defect of the server; its log has more under the request id in `detail`.
    InternalError = INTERNAL_SERVER_ERROR, "internal_error", "Something is wrong with the server.";
    /// The server has too much to do. Stay signed in, wait for `Retry-After` and repeat.
    Overloaded = SERVICE_UNAVAILABLE, "overloaded", "The server is busy. Try again shortly.";
    /// The server cannot do this at the moment. Stay signed in, wait for `Retry-After` and repeat.
    Unavailable = SERVICE_UNAVAILABLE, "unavailable", "The server cannot do this at the moment. Try again shortly.";
}
