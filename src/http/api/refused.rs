//! The errors of an operation, and their place in the spec.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use poem::error::ResponseError as _;
use poem::http::StatusCode;
use poem_openapi::registry::{
    MetaHeader, MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::types::{Example, ToJSON, Type};
use poem_openapi::{ApiResponse, Object};
use serde_json::{Value, json};

use crate::http::problem::{CONTENT_TYPE, Code, Problem};

/// Which codes an operation can answer with.
pub trait Codes {
    /// The codes.
    fn codes() -> Vec<Code>;
}

/// What every operation can answer.
pub const ALWAYS: &[Code] = &[Code::InternalError, Code::Overloaded, Code::Unavailable];

/// What an operation with a body can answer before it looks at it.
pub const BODY: &[Code] = &[
    Code::MalformedRequest,
    Code::PayloadTooLarge,
    Code::UnsupportedMediaType,
    Code::ValidationFailed,
];

/// What the guard can answer.
pub const GUARD: &[Code] = &[
    Code::MalformedRequest,
    Code::NoToken,
    Code::SessionExpired,
    Code::AccessTokenExpired,
    Code::InvalidRefreshToken,
    Code::RefreshTokenReused,
];

/// Declares the codes of operations: `Name = [LIST, …] + Code, …`.
macro_rules! codes {
    ($( $(#[$doc:meta])* $name:ident = [$($list:expr),*] $(+ $code:ident)*; )+) => {$(
        $(#[$doc])*
        pub(super) struct $name;

        impl $crate::http::api::refused::Codes for $name {
            fn codes() -> Vec<$crate::http::problem::Code> {
                let own: &[_] = &[$($crate::http::problem::Code::$code),*];
                let mut codes = [$($list,)* $crate::http::api::refused::ALWAYS, own].concat();
                codes.sort_unstable();
                codes.dedup();
                codes
            }
        }
    )+};
}
pub(super) use codes;

/// A problem that is one of the codes of `C`, which its spec lists.
#[derive(Debug)]
pub struct Refused<C>(Problem, PhantomData<fn() -> C>);

impl<C: Codes, P: Into<Problem>> From<P> for Refused<C> {
    fn from(problem: P) -> Self {
        let problem = problem.into();
        debug_assert!(
            C::codes().contains(&problem.code()),
            "{} is not in the spec",
            problem.code().as_str()
        );
        Self(problem, PhantomData)
    }
}

impl<C> From<Refused<C>> for poem::Error {
    fn from(refused: Refused<C>) -> Self {
        refused.0.into()
    }
}

impl<C> poem::IntoResponse for Refused<C> {
    fn into_response(self) -> poem::Response {
        self.0.as_response()
    }
}

impl<C: Codes> ApiResponse for Refused<C> {
    fn meta() -> MetaResponses {
        let mut by_status = BTreeMap::<StatusCode, Vec<Code>>::new();
        for code in C::codes() {
            by_status.entry(code.status()).or_default().push(code);
        }
        let responses = by_status.into_iter().map(|(status, codes)| MetaResponse {
            description: describe(&codes).leak(),
            status: Some(status.as_u16()),
            status_range: None,
            content: vec![MetaMediaType {
                content_type: CONTENT_TYPE,
                schema: ProblemSchema::schema_ref(),
            }],
            headers: headers(status),
        });
        MetaResponses { responses: responses.collect() }
    }

    fn register(registry: &mut Registry) {
        ProblemSchema::register(registry);
    }
}

fn describe(codes: &[Code]) -> String {
    let lines: Vec<_> = codes
        .iter()
        .map(|code| format!("`{}`: {}", code.as_str(), code.meaning().trim()))
        .collect();
    lines.join("\n\n")
}

/// The headers that come with every problem of the status.
fn headers(status: StatusCode) -> Vec<MetaHeader> {
    let header = |name: &str, description: &str, schema| MetaHeader {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        required: true,
        deprecated: false,
        schema: MetaSchemaRef::Inline(Box::new(schema)),
    };
    match status {
        StatusCode::UNAUTHORIZED => vec![header(
            "WWW-Authenticate",
            "The scheme to sign in with (RFC 6750).",
            MetaSchema { max_length: Some(256), ..MetaSchema::new("string") },
        )],
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => vec![header(
            "Retry-After",
            "After how many whole seconds to try again.",
            MetaSchema::new_with_format("integer", "int64"),
        )],
        _ => Vec::new(),
    }
}

/// Whether a description of a response, as it is written above, names the code.
pub(in crate::http) fn names(description: &str, code: Code) -> bool {
    description.contains(&format!("`{}`: ", code.as_str()))
}

/// The example of a code, for the spec.
pub(in crate::http) fn example(code: Code) -> Value {
    json!({ "summary": code.meaning().trim(), "value": ProblemSchema::of(code).to_json() })
}

/// An error (RFC 9457).
#[derive(Object)]
#[oai(rename = "Problem", example)]
struct ProblemSchema {
    /// Always `about:blank`: the title is that of the status.
    #[oai(rename = "type", validator(max_length = 2048))]
    kind: String,
    /// The status in words.
    #[oai(validator(max_length = 64))]
    title: String,
    /// The HTTP status.
    status: i32,
    /// What went wrong, for a person.
    #[oai(validator(max_length = 2048))]
    detail: String,
    /// What went wrong, for a program. Stable. New ones may come, so that a program must take one
    /// that it does not know for an error of that status.
    #[oai(validator(max_length = 64))]
    code: String,
    /// The fields that are not as they must be; only with `validation_failed`.
    #[oai(skip_serializing_if_is_none)]
    errors: Option<Vec<FieldErrorSchema>>,
}

impl ProblemSchema {
    fn of(code: Code) -> Self {
        let detail = if code.status().is_server_error() {
            format!("{} (request 9f934066-2)", code.detail())
        } else {
            code.detail().to_owned()
        };
        Self {
            kind: "about:blank".to_owned(),
            title: code.status().canonical_reason().unwrap_or_default().to_owned(),
            status: i32::from(code.status().as_u16()),
            detail,
            code: code.as_str().to_owned(),
            errors: (code == Code::ValidationFailed).then(|| vec![FieldErrorSchema::example()]),
        }
    }
}

impl Example for ProblemSchema {
    fn example() -> Self {
        Self::of(Code::ValidationFailed)
    }
}

/// A field that is not as it must be.
#[derive(Object)]
#[oai(rename = "FieldError", example)]
struct FieldErrorSchema {
    /// JSON Pointer (RFC 6901) into the body, such as `/password`, or into the query, such as
    /// `/limit`.
    #[oai(validator(max_length = 256))]
    field: String,
    /// What the field must be; never its value.
    #[oai(validator(max_length = 1024))]
    message: String,
}

impl Example for FieldErrorSchema {
    fn example() -> Self {
        Self {
            field: "/password".to_owned(),
            message: "must be at least 8 characters long".to_owned(),
        }
    }
}
