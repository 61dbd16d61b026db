//! The OpenAPI document: generated from the code, put in order once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use poem_openapi::OpenApi as _;
use serde_json::{Map, Value, json};

use super::api::{self, Api};

/// The version of the specification that the document is written for.
const OPENAPI: &str = "3.0.3";

/// Fields of objects where others are refused.
const CLOSED: [&str; 2] = ["Credentials", "RefreshToken"];

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| tidy(&api::service().spec()));

/// The document as pretty-printed JSON, with a newline at its end.
pub fn json() -> String {
    format!("{:#}\n", *DOCUMENT)
}

/// The document as YAML.
pub fn yaml() -> String {
    serde_yaml::to_string(&*DOCUMENT).unwrap_or_default()
}

/// What poem-openapi leaves to be desired: the version, public operations that say so, closed
/// objects, plain references and media types.
fn tidy(generated: &str) -> Value {
    let mut document: Value = serde_json::from_str(generated).unwrap_or_default();
    document["openapi"] = json!(OPENAPI);
    for schema in CLOSED {
        document["components"]["schemas"][schema]["additionalProperties"] = json!(false);
    }
    if let Some(paths) = document["paths"].as_object_mut() {
        for operation in
            paths.values_mut().filter_map(Value::as_object_mut).flat_map(Map::values_mut)
        {
            let operation = operation.as_object_mut();
            if let Some(operation) = operation {
                operation.entry("security").or_insert_with(|| json!([]));
            }
        }
    }
    simplify(&mut document);
    document
}

/// `allOf: [{$ref}, {description}]` becomes the `$ref`: generators make a class of their own for
/// each such field otherwise. Media types lose their charset, texts their trailing blanks.
fn simplify(value: &mut Value) {
    let reference = value
        .get("allOf")
        .and_then(Value::as_array)
        .and_then(|parts| parts.iter().find(|part| part.get("$ref").is_some()).cloned());
    if let Some(reference) = reference {
        *value = reference;
    }
    match value {
        Value::Object(members) => {
            // JSON is UTF-8 (RFC 8259 §8.1); generators look for the plain media type.
            if let Some(content) = members.remove("application/json; charset=utf-8") {
                members.insert("application/json".to_owned(), content);
            }
            members.values_mut().for_each(simplify);
        }
        Value::Array(items) => items.iter_mut().for_each(simplify),
        Value::String(text) => *text = text.trim_end().to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Which methods each path has, for the `Allow` header of a 405 (RFC 9110 §10.2.1).
pub struct Methods(BTreeMap<String, Vec<String>>);

impl Methods {
    /// Those of the API; everything else is a page, to be read.
    pub fn new() -> Self {
        let mut methods = BTreeMap::<String, Vec<String>>::new();
        for path in Api::meta().into_iter().flat_map(|api| api.paths) {
            let known = methods.entry(path.path).or_default();
            known.extend(path.operations.iter().map(|operation| operation.method.to_string()));
        }
        Self(methods)
    }

    /// The methods of `path`, separated by commas.
    pub fn of(&self, path: &str) -> String {
        let found = self.0.iter().find(|(template, _)| matches(template, path));
        let mut methods =
            found.map_or_else(|| vec!["GET".to_owned()], |(_, methods)| methods.clone());
        if methods.iter().any(|method| method == "GET") {
            methods.push("HEAD".to_owned());
        }
        methods.join(", ")
    }
}

impl Default for Methods {
    fn default() -> Self {
        Self::new()
    }
}

fn matches(template: &str, path: &str) -> bool {
    let (template, path) = (template.trim_end_matches('/'), path.trim_end_matches('/'));
    let segments = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
    let (template, path) = (segments(template), segments(path));
    template.len() == path.len()
        && template
            .iter()
            .zip(&path)
            .all(|(t, p)| t == p || t.starts_with(':') || t.starts_with('{'))
}
