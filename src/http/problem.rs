//! Errors as `application/problem+json` (RFC 9457). The one place that maps a refusal to a
//! status.

use std::borrow::Cow;
use std::fmt;

use poem::error::ResponseError;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use serde::Serialize;

use crate::domain::throttle::RetryAfter;
use crate::fault::{Fault, FaultKind};
use crate::flows::{
    addresses, administration, authenticate, dossier, invitations, login, password, profile,
    recovery, refresh, register,
};
use crate::metric;

/// The media type of all errors.
pub const CONTENT_TYPE: &str = "application/problem+json";

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

/// A field that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// JSON Pointer (RFC 6901) into the body, or into the query, such as `/email`.
    pub field: String,
    /// What it must be. Never the value.
    pub message: String,
}

/// An error on its way to the client.
#[derive(Debug)]
pub struct Problem {
    code: Code,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    retry_after: Option<u64>,
    allow: Option<String>,
    fault: Option<Box<Fault>>,
}

impl Problem {
    /// The code.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// With a sentence that says more than the code's own.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Fields that are not as they must be.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        Self { errors, ..Code::ValidationFailed.into() }
    }

    /// With the methods that the path has.
    #[must_use]
    pub fn allow(mut self, methods: String) -> Self {
        self.allow = Some(methods);
        self
    }

    /// Counts it, writes what is behind it to the log, and makes the answer, which names the id
    /// under which the log has more.
    pub fn report(self, request_id: &str) -> Response {
        metrics::counter!(metric::REFUSALS, "code" => self.code.as_str()).increment(1);
        if let Some(fault) = &self.fault {
            tracing::error!(%fault, request_id, "{}", self.code.as_str());
        }
        self.traced(request_id).into_response()
    }

    fn traced(mut self, request_id: &str) -> Self {
        if self.code.status().is_server_error() {
            self.detail = format!("{} (request {request_id})", self.detail).into();
        }
        self
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self {
            code,
            detail: code.detail().into(),
            errors: Vec::new(),
            retry_after: (code.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(1),
            allow: None,
            fault: None,
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let code = match fault.kind() {
            FaultKind::Overloaded => Code::Overloaded,
            FaultKind::Unavailable => Code::Unavailable,
            FaultKind::Internal => Code::InternalError,
        };
        Self { fault: Some(Box::new(fault)), ..code.into() }
    }
}

impl From<RetryAfter> for Problem {
    fn from(wait: RetryAfter) -> Self {
        Self { retry_after: u64::try_from(wait.seconds()).ok(), ..Code::TooManyAttempts.into() }
    }
}

impl From<register::Refusal> for Problem {
    fn from(refusal: register::Refusal) -> Self {
        match refusal {
            register::Refusal::Closed => Code::RegistrationClosed.into(),
            register::Refusal::TooManyAttempts(wait) => wait.into(),
            register::Refusal::EmailTaken => Code::EmailTaken.into(),
            register::Refusal::Internal(fault) => fault.into(),
        }
    }
}

impl From<login::Refusal> for Problem {
    fn from(refusal: login::Refusal) -> Self {
        match refusal {
            login::Refusal::TooManyAttempts(wait) => wait.into(),
            login::Refusal::InvalidCredentials => Code::InvalidCredentials.into(),
            login::Refusal::AccountDisabled => Code::AccountDisabled.into(),
            login::Refusal::EmailNotVerified => Code::EmailNotVerified.into(),
            login::Refusal::Internal(fault) => fault.into(),
        }
    }
}

impl From<password::Refusal> for Problem {
    fn from(refusal: password::Refusal) -> Self {
        match refusal {
            password::Refusal::TooManyAttempts(wait) => wait.into(),
            password::Refusal::WrongPassword => Code::WrongPassword.into(),
            password::Refusal::SessionExpired => Code::SessionExpired.into(),
            password::Refusal::LastAdmin => Code::LastAdmin.into(),
            password::Refusal::Internal(fault) => fault.into(),
        }
    }
}

impl From<recovery::Refusal> for Problem {
    fn from(refusal: recovery::Refusal) -> Self {
        match refusal {
            recovery::Refusal::TooManyAttempts(wait) => wait.into(),
            recovery::Refusal::InvalidToken => Code::InvalidToken.into(),
            recovery::Refusal::EmailTaken => Code::EmailTaken.into(),
            recovery::Refusal::Internal(fault) => fault.into(),
        }
    }
}

impl From<invitations::Refusal> for Problem {
    fn from(refusal: invitations::Refusal) -> Self {
        match refusal {
            invitations::Refusal::Closed => Code::RegistrationClosed.into(),
            invitations::Refusal::TooManyAttempts(wait) => wait.into(),
            invitations::Refusal::InvalidToken => Code::InvalidToken.into(),
            invitations::Refusal::EmailTaken => Code::EmailTaken.into(),
            invitations::Refusal::NotFound => Code::NotFound.into(),
            invitations::Refusal::Internal(fault) => fault.into(),
        }
    }
}

impl From<refresh::Refusal> for Problem {
    fn from(refusal: refresh::Refusal) -> Self {
        match refusal {
            refresh::Refusal::Invalid | refresh::Refusal::UserGone => {
                Code::InvalidRefreshToken.into()
            }
            refresh::Refusal::Reused => Code::RefreshTokenReused.into(),
            refresh::Refusal::Late => Code::Unavailable.into(),
            refresh::Refusal::Internal(fault) => fault.into(),
        }
    }
}

impl From<authenticate::Refusal> for Problem {
    fn from(refusal: authenticate::Refusal) -> Self {
        match refusal {
            authenticate::Refusal::NoToken => Code::NoToken.into(),
            authenticate::Refusal::SessionExpired => Code::SessionExpired.into(),
            authenticate::Refusal::AccessTokenExpired => Code::AccessTokenExpired.into(),
            authenticate::Refusal::CsrfFailed => Code::CsrfFailed.into(),
            authenticate::Refusal::InvalidRefreshToken => Code::InvalidRefreshToken.into(),
            authenticate::Refusal::RefreshTokenReused => Code::RefreshTokenReused.into(),
            authenticate::Refusal::Late => Code::Unavailable.into(),
            authenticate::Refusal::Internal(fault) => fault.into(),
        }
    }
}

impl From<administration::Refusal> for Problem {
    fn from(refusal: administration::Refusal) -> Self {
        match refusal {
            administration::Refusal::NotFound => Code::NotFound.into(),
            administration::Refusal::EmailTaken => Code::EmailTaken.into(),
            administration::Refusal::LastAdmin => Code::LastAdmin.into(),
            administration::Refusal::Internal(fault) => fault.into(),
        }
    }
}

impl From<addresses::Refusal> for Problem {
    fn from(refusal: addresses::Refusal) -> Self {
        match refusal {
            addresses::Refusal::TooManyAttempts(wait) => wait.into(),
            addresses::Refusal::TooMany => Code::TooManyAddresses.into(),
            addresses::Refusal::NotFound => Code::NotFound.into(),
            addresses::Refusal::DefaultIsNeeded => Self::fields(vec![FieldError {
                field: "/isDefault".to_owned(),
                message: "must not be false for the default; make another one the default"
                    .to_owned(),
            }]),
            addresses::Refusal::UserGone => Code::SessionExpired.into(),
            addresses::Refusal::Internal(fault) => fault.into(),
        }
    }
}

impl From<profile::Refusal> for Problem {
    fn from(refusal: profile::Refusal) -> Self {
        match refusal {
            profile::Refusal::TooManyAttempts(wait) => wait.into(),
            profile::Refusal::UserGone => Code::SessionExpired.into(),
            profile::Refusal::Internal(fault) => fault.into(),
        }
    }
}

impl From<dossier::Refusal> for Problem {
    fn from(refusal: dossier::Refusal) -> Self {
        match refusal {
            dossier::Refusal::TooManyAttempts(wait) => wait.into(),
            dossier::Refusal::UserGone => Code::SessionExpired.into(),
            dossier::Refusal::Internal(fault) => fault.into(),
        }
    }
}

/// The members of the document.
#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

impl ResponseError for Problem {
    fn status(&self) -> StatusCode {
        self.code.status()
    }

    fn as_response(&self) -> Response {
        let status = self.code.status();
        let document = Document {
            // "about:blank" says that the title is that of the status (RFC 9457 §4.2.1).
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: &self.detail,
            code: self.code.as_str(),
            errors: &self.errors,
        };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = Response::builder().status(status).content_type(CONTENT_TYPE).body(body);
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            let challenge =
                if self.code == Code::AccessTokenExpired || self.code == Code::SessionExpired {
                    r#"Bearer realm="doorward", error="invalid_token""#
                } else {
                    r#"Bearer realm="doorward""#
                };
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(allow) = self.allow.as_ref().and_then(|allow| HeaderValue::from_str(allow).ok())
        {
            headers.insert(header::ALLOW, allow);
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.as_response()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_str())
    }
}

impl std::error::Error for Problem {}
