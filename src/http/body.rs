//! Reading a JSON body: bounded, strict, and with errors that say where and what, never the
//! value (it may be a password).

use std::time::Duration;

use futures_util::StreamExt as _;
use poem::http::header;
use poem::{Body as PoemBody, Request, RequestBody};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::{ParseFromJSON, Type};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::Value;

use super::connections::Place;
use super::json;
use super::problem::{Code, FieldError, Problem};

/// The largest body.
pub const MAX_BODY: usize = 16 * 1024;

/// A larger body is read on up to here and dropped, so that the client gets to see the 413.
const MAX_DROPPED: usize = 4 * 1024 * 1024;
const DROP_TIME: Duration = Duration::from_secs(5);

/// How many fields are complained about: an answer must not be much larger than its question.
const MAX_ERRORS: usize = 20;

/// How long a body may take.
const READ_TIME: Duration = Duration::from_secs(10);

/// A JSON body that must be there.
pub struct Body<T>(pub T);

/// A JSON body that may be left out.
pub struct OptionalBody<T>(pub Option<T>);

impl<'a, T: ParseFromJSON> ApiExtractor<'a> for Body<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(meta::<T>(true))
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        match read(request, body).await? {
            Some(value) => Ok(Self(parse(value)?)),
            None => {
                Err(Problem::from(Code::MalformedRequest).detail("A JSON body is needed.").into())
            }
        }
    }
}

impl<'a, T: ParseFromJSON> ApiExtractor<'a> for OptionalBody<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(meta::<T>(false))
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        Ok(Self(read(request, body).await?.map(parse).transpose()?))
    }
}

fn meta<T: Type>(required: bool) -> MetaRequest {
    let content = vec![MetaMediaType { content_type: "application/json", schema: T::schema_ref() }];
    MetaRequest { description: None, content, required }
}

/// The JSON value of the body; `None` when there is no body at all.
async fn read(request: &Request, body: &mut RequestBody) -> Result<Option<Value>, Problem> {
    let body = collect(body.take().map_err(|_| Code::InternalError)?);
    let bytes = match request.extensions().get::<Place>() {
        Some(place) => place.waiting(body).await?,
        None => body.await?,
    };
    if bytes.is_empty() {
        return Ok(None);
    }
    let media_type =
        request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|text| text.split(';').next()).unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Code::UnsupportedMediaType.into());
    }
    json::parse(&bytes).map(Some).map_err(|error| {
        // serde_json's own text repeats pieces of the body; where it is wrong says enough.
        Problem::from(Code::MalformedRequest).detail(format!(
            "The body is not valid JSON, or names a member twice: line {}, column {}.",
            error.line(),
            error.column()
        ))
    })
}

async fn collect(body: PoemBody) -> Result<Vec<u8>, Problem> {
    let mut stream = std::pin::pin!(body.into_bytes_stream());
    let mut bytes = Vec::new();
    let reading = async {
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|_| {
                Problem::from(Code::MalformedRequest)
                    .detail("The body ended before it was complete.")
            })?;
            if bytes.len() + chunk.len() > MAX_BODY {
                return Ok(false);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(true)
    };
    let fits = tokio::time::timeout(READ_TIME, reading).await.unwrap_or_else(|_| {
        Err(Problem::from(Code::MalformedRequest)
            .detail("The body did not arrive within 10 seconds."))
    })?;
    if fits {
        return Ok(bytes);
    }
    let dropping = async {
        let mut dropped = 0;
        while let Some(Ok(chunk)) = stream.next().await {
            dropped += chunk.len();
            if dropped > MAX_DROPPED {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(DROP_TIME, dropping).await;
    Err(Code::PayloadTooLarge.into())
}

/// Checks a value against the type's own schema, so that all that is wrong is told at once,
/// then parses it.
fn parse<T: ParseFromJSON>(value: Value) -> Result<T, Problem> {
    let mut registry = Registry::new();
    T::register(&mut registry);
    let mut errors = Vec::new();
    check(&value, &T::schema_ref(), &registry, "", &mut errors);
    if !errors.is_empty() {
        errors.truncate(MAX_ERRORS);
        return Err(Problem::fields(errors));
    }
    T::parse_from_json(Some(value)).map_err(|_| {
        let message = "does not have the shape that the spec asks for".to_owned();
        Problem::fields(vec![FieldError { field: String::new(), message }])
    })
}

fn check(
    value: &Value,
    schema: &MetaSchemaRef,
    registry: &Registry,
    at: &str,
    errors: &mut Vec<FieldError>,
) {
    let schema = match schema {
        MetaSchemaRef::Inline(schema) => schema,
        MetaSchemaRef::Reference(name) => match registry.schemas.get(name) {
            Some(schema) => schema,
            None => return,
        },
    };
    // An annotated reference is an `allOf` of the reference and the annotation.
    for part in &schema.all_of {
        check(value, part, registry, at, errors);
    }
    if let Err(message) = check_value(value, schema) {
        errors.push(FieldError { field: at.to_owned(), message });
        return;
    }
    if let Value::Object(members) = value
        && schema.ty == "object"
    {
        for name in
            members.keys().filter(|name| !schema.properties.iter().any(|(known, _)| known == name))
        {
            // The name of an unknown field is the client's own text, not a secret of ours, but
            // it may be long.
            let name: String = name.chars().take(64).collect();
            let known: Vec<_> = schema.properties.iter().map(|(known, _)| *known).collect();
            let message = format!("unknown field; known are: {}", known.join(", "));
            errors.push(FieldError { field: pointer(at, &name), message });
        }
        // Where null empties a field, nothing else in the object can be null.
        let null_says_something = schema.properties.iter().any(|(_, it)| is_nullable(it));
        for (name, property) in &schema.properties {
            let field = pointer(at, name);
            let is_required = schema.required.contains(name);
            match members.get(*name) {
                Some(Value::Null) if is_nullable(property) => {}
                // Many generated clients write null for what they leave out.
                Some(Value::Null) if !is_required && !null_says_something => {}
                Some(member) => check(member, property, registry, &field, errors),
                None if is_required => {
                    errors.push(FieldError { field, message: "is required".to_owned() });
                }
                None => {}
            }
        }
    }
}

fn is_nullable(schema: &MetaSchemaRef) -> bool {
    matches!(schema, MetaSchemaRef::Inline(schema) if schema.nullable)
}

fn check_value(value: &Value, schema: &MetaSchema) -> Result<(), String> {
    let right_type = match schema.ty {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        _ => true,
    };
    if !right_type {
        let article = if schema.ty.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        return Err(format!("must be {article} {}", schema.ty));
    }
    if !schema.enum_items.is_empty() && !schema.enum_items.contains(value) {
        let allowed: Vec<_> = schema.enum_items.iter().map(ToString::to_string).collect();
        return Err(format!("must be one of {}", allowed.join(", ")));
    }
    if let (Some(text), Some(most)) = (value.as_str(), schema.max_length)
        && text.chars().count() > most
    {
        return Err(format!("must be at most {most} characters long"));
    }
    Ok(())
}

/// One step deeper, as RFC 6901 writes it.
pub(super) fn pointer(at: &str, name: &str) -> String {
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}
