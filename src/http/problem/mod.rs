//! Errors as `application/problem+json` (RFC 9457).
//!
//! - `codes`: what can go wrong, with status and sentence.
//! - `refusals`: the one place that maps what a flow refuses to a code.

mod codes;
mod refusals;

use std::borrow::Cow;
use std::fmt;

use poem::error::ResponseError;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{IntoResponse, Response};
use serde::Serialize;

use crate::domain::throttle::RetryAfter;
use crate::fault::{Fault, FaultKind};
use crate::metric;
pub use codes::Code;

/// The media type of all errors.
pub const CONTENT_TYPE: &str = "application/problem+json";

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
        if let Some(fault) = self.fault.as_ref().filter(|fault| !fault.is_told()) {
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
