//! Parameters in the query. What they must not be is told as with a body: 422, which parameter,
//! what it must be, never the value. Where there are parameters, unknown ones are refused: a filter
//! that is misspelt must not list everything.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use poem::http::Method;
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaParamIn, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Type as _;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions, OpenApi as _};
use serde_json::json;
use uuid::Uuid;

use super::api::{Api, types};
use super::body::pointer;
use super::problem::{FieldError, Problem};
use super::spec::matches;
use crate::domain::claims;
use crate::domain::id::{OneTimeId, UserId};
use crate::store::{Event, EventSeq};

/// A parameter that may be left out.
pub struct Asked<T>(pub Option<T>);

/// What a parameter can be.
pub trait Parameter: Sized + Send {
    /// Its place in the spec.
    fn schema() -> MetaSchemaRef;

    /// Puts into the spec what [`Self::schema`] refers to.
    fn register(_registry: &mut Registry) {}

    /// Reads it, or says what it must be.
    fn parse(text: &str) -> Result<Self, String>;
}

impl<'a, T: Parameter> ApiExtractor<'a> for Asked<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    type ParamType = String;
    type ParamRawType = String;

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Query)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        Some(T::schema())
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        options: ExtractParamOptions<String>,
    ) -> poem::Result<Self> {
        let Some(query) = request.uri().query() else { return Ok(Self(None)) };
        let refuse = |name: &str, message| {
            Problem::fields(vec![FieldError { field: pointer("", name), message }])
        };
        let known = known(request.method(), request.uri().path());
        if let Some(name) = unknown(query, known) {
            let message = format!("unknown parameter; known are: {}", known.join(", "));
            return Err(refuse(&name, message).into());
        }
        Ok(Self(read(query, options.name).map_err(|message| refuse(options.name, message))?))
    }
}

/// What is known of the parameters of one operation.
struct Known {
    method: String,
    path: String,
    parameters: Vec<String>,
}

/// The operations that have any.
static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let mut known = Vec::new();
    for path in Api::meta().into_iter().flat_map(|api| api.paths) {
        for operation in path.operations {
            let parameters = operation.params.into_iter();
            known.push(Known {
                method: operation.method.to_string(),
                path: path.path.clone(),
                parameters: parameters
                    .filter(|parameter| parameter.in_type == MetaParamIn::Query)
                    .map(|parameter| parameter.name)
                    .collect(),
            });
        }
    }
    known.retain(|operation| !operation.parameters.is_empty());
    known
});

/// The parameters of the operation that answers here.
fn known(method: &Method, path: &str) -> &'static [String] {
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    let found = KNOWN.iter().find(|it| it.method == method && matches(&it.path, path));
    found.map_or(&[], |it| &it.parameters)
}

/// The first parameter that is not known. The name is the client's own text, but it may be long.
fn unknown(query: &str, known: &[String]) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes())
        .map(|(name, _)| name)
        // Where nothing is known of the operation, nothing is refused.
        .find(|name| !known.is_empty() && !known.iter().any(|known| known == name))
        .map(|name| name.chars().take(64).collect())
}

fn read<T: Parameter>(query: &str, name: &str) -> Result<Option<T>, String> {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    let mut values = pairs.filter(|(known, _)| known == name).map(|(_, value)| value);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err("must be there once".to_owned());
    }
    T::parse(&value).map(Some)
}

fn string(most: usize) -> MetaSchema {
    MetaSchema { max_length: Some(most), ..MetaSchema::new("string") }
}

fn inline(schema: MetaSchema) -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(schema))
}

/// How many items a page has at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(pub u32);

impl Limit {
    const MOST: u32 = 100;
    const DEFAULT: u32 = 50;

    /// What was asked for.
    pub fn of(asked: &Asked<Self>) -> u32 {
        asked.0.map_or(Self::DEFAULT, |limit| limit.0)
    }
}

impl Parameter for Limit {
    fn schema() -> MetaSchemaRef {
        inline(MetaSchema {
            minimum: Some(1.0),
            maximum: Some(f64::from(Self::MOST)),
            default: Some(json!(Self::DEFAULT)),
            ..MetaSchema::new_with_format("integer", "int32")
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let number = text.parse().ok().filter(|number| (1..=Self::MOST).contains(number));
        number.map(Self).ok_or_else(|| format!("must be a whole number from 1 to {}", Self::MOST))
    }
}

impl Parameter for bool {
    fn schema() -> MetaSchemaRef {
        inline(MetaSchema::new("boolean"))
    }

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "must be true or false".to_owned())
    }
}

impl Parameter for claims::Role {
    fn schema() -> MetaSchemaRef {
        types::Role::schema_ref()
    }

    fn register(registry: &mut Registry) {
        types::Role::register(registry);
    }

    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text).ok_or_else(|| "must be user or admin".to_owned())
    }
}

impl Parameter for UserId {
    fn schema() -> MetaSchemaRef {
        Uuid::schema_ref()
    }

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| "must be the id of a user".to_owned())
    }
}

/// A part of an e-mail address.
pub struct Search(pub String);

impl Parameter for Search {
    fn schema() -> MetaSchemaRef {
        inline(string(254))
    }

    fn parse(text: &str) -> Result<Self, String> {
        if text.chars().count() > 254 {
            return Err("must be at most 254 characters long".to_owned());
        }
        Ok(Self(crate::domain::account::folded(text)))
    }
}

impl Parameter for Event {
    fn schema() -> MetaSchemaRef {
        inline(string(64))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let names = || Self::ALL.iter().map(|event| event.as_str()).collect::<Vec<_>>().join(", ");
        Self::parse(text).ok_or_else(|| format!("must be one of {}", names()))
    }
}

/// Where a page begins: what a list gave as `nextCursor`. Opaque to clients; it is no secret.
pub trait Cursor: Sized {
    /// As bytes.
    fn bytes(&self) -> Vec<u8>;
    /// From bytes.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;

    /// For a client.
    fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes())
    }
}

impl Cursor for UserId {
    fn bytes(&self) -> Vec<u8> {
        self.0.as_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Uuid::from_slice(bytes).ok().map(Self)
    }
}

impl Cursor for OneTimeId {
    fn bytes(&self) -> Vec<u8> {
        self.0.as_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Uuid::from_slice(bytes).ok().map(Self)
    }
}

impl Cursor for EventSeq {
    fn bytes(&self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(i64::from_be_bytes(bytes)))
    }
}

/// A cursor that a client sends back.
pub struct Begin<C>(pub C);

impl<C: Cursor + Send> Parameter for Begin<C> {
    fn schema() -> MetaSchemaRef {
        inline(string(64))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok();
        let cursor = bytes.and_then(|bytes| C::from_bytes(&bytes));
        cursor.map(Self).ok_or_else(|| "must be the nextCursor of an earlier answer".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_read_once_and_strictly() {
        for (query, limit) in [
            ("", Ok(None)),
            ("limits=5", Ok(None)),
            ("limit=1", Ok(Some(Limit(1)))),
            ("a=b&limit=100", Ok(Some(Limit(100)))),
            ("limit=%31", Ok(Some(Limit(1)))),
            ("limit=0", Err(())),
            ("limit=101", Err(())),
            ("limit=-1", Err(())),
            ("limit=1.0", Err(())),
            ("limit=", Err(())),
            ("limit", Err(())),
            ("limit=1&limit=1", Err(())),
            ("limit=%ff", Err(())),
        ] {
            assert_eq!(read(query, "limit").map_err(|_| ()), limit, "{query}");
        }
    }

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        for seq in [EventSeq(0), EventSeq(i64::MAX), EventSeq(-1)] {
            assert_eq!(Begin::<EventSeq>::parse(&seq.to_text()).map(|it| it.0), Ok(seq));
        }
        let id = UserId(Uuid::from_u128(7));
        assert_eq!(Begin::<UserId>::parse(&id.to_text()).map(|it| it.0), Ok(id));
        for text in ["", "x", "AAAA", "%", &"A".repeat(22 * 3), &id.to_string()] {
            assert!(Begin::<UserId>::parse(text).is_err(), "{text}");
            assert!(Begin::<EventSeq>::parse(text).is_err(), "{text}");
        }
    }
}
