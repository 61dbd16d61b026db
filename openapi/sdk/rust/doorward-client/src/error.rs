//! What can go wrong.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use progenitor_client::Error as Generated;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};

use crate::api::types;

/// Why a call failed. None of these means signed out but a [`Problem`] that
/// [ends the session](Problem::ends_session).
///
/// It is cheap to clone, because callers that wait for the same refresh share its failure.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Doorward refused, and says why.
    #[error("{0}")]
    Problem(Box<Problem>),
    /// An answer that is not Doorward's, such as a proxy's page.
    #[error("the answer is not Doorward's{}", status.map(|s| format!(" (status {s})")).unwrap_or_default())]
    UnexpectedAnswer {
        /// The HTTP status; `None` for a success whose body is not what it should be.
        status: Option<u16>,
        /// How long the answer asks to wait.
        retry_after: Option<Duration>,
    },
    /// No answer.
    #[error("no answer from the server")]
    Transport(#[source] Arc<reqwest::Error>),
    /// The token store failed. The tokens in force are still those from before.
    #[error("the token store failed")]
    Store(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The client cannot be built, or the request cannot be sent, as asked.
    #[error("{0}")]
    Request(String),
}

/// An error answer (RFC 9457). Go by `code`, which is stable.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// What went wrong, for a program, such as `invalid_credentials`.
    pub code: String,
    /// The status in words.
    pub title: String,
    /// What went wrong, for a person.
    pub detail: String,
    /// The fields that are not as they must be, by JSON Pointer; with `validation_failed`.
    pub errors: Vec<types::FieldError>,
    /// How long the server asks to wait; with 429 and 503.
    pub retry_after: Option<Duration>,
}

impl Problem {
    /// Whether the session is over, so that somebody must sign in again.
    pub fn ends_session(&self) -> bool {
        matches!(
            (self.status, self.code.as_str()),
            (401, "session_expired") | (403, "invalid_refresh_token" | "refresh_token_reused")
        )
    }

    /// Whether a refresh helps.
    pub(crate) fn is_expired_access_token(&self) -> bool {
        self.status == 401 && self.code == "access_token_expired"
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} {})", self.detail, self.status, self.code)?;
        self.errors.iter().try_for_each(|error| write!(f, " {}: {}", error.field, error.message))
    }
}

impl Error {
    /// The code of a [`Problem`]; `None` for other errors.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Problem(problem) => Some(&problem.code),
            _ => None,
        }
    }

    /// What a generated method returned. What it holds is not printed: it can have tokens in it.
    pub(crate) async fn read(error: Generated) -> Self {
        match error {
            Generated::UnexpectedResponse(response) => Self::read_answer(response).await,
            Generated::CommunicationError(error)
            | Generated::InvalidUpgrade(error)
            | Generated::ResponseBodyError(error) => Self::from(error),
            Generated::ErrorResponse(answer) => {
                Self::UnexpectedAnswer { status: Some(answer.status().as_u16()), retry_after: None }
            }
            Generated::InvalidResponsePayload(..) => Self::unexpected_success(),
            Generated::InvalidRequest(what) | Generated::Custom(what) => Self::Request(what),
        }
    }

    /// A success without what it should hold.
    pub(crate) fn unexpected_success() -> Self {
        Self::UnexpectedAnswer { status: None, retry_after: None }
    }

    async fn read_answer(response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let retry_after = header(RETRY_AFTER).and_then(|s| s.parse().ok()).map(Duration::from_secs);
        let unexpected = Self::UnexpectedAnswer { status: Some(status), retry_after };
        if !header(CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/problem+json")) {
            return unexpected;
        }
        let body = match response.bytes().await {
            Ok(body) => body,
            Err(error) => return Self::from(error),
        };
        match serde_json::from_slice(&body) {
            Ok(types::Problem { code, title, detail, errors, .. }) => {
                let problem = Problem { status, code, title, detail, errors, retry_after };
                Self::Problem(Box::new(problem))
            }
            Err(_) => unexpected,
        }
    }
}

impl From<reqwest::Error> for Error {
    fn from(error: reqwest::Error) -> Self {
        Self::Transport(Arc::new(error))
    }
}
