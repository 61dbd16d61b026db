//! The OpenAPI document: generated from the code, put in order once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use poem_openapi::OpenApi as _;
use serde_json::{Map, Value, json};

use super::api::{self, Api, examples, refused};
use super::problem::Code;

/// The version of the specification that the document is written for.
const OPENAPI: &str = "3.0.3";

/// Media types and headers as poem-openapi writes them, and as readers look for them.
const RENAMED: [(&str, &str); 3] = [
    ("application/json; charset=utf-8", "application/json"),
    ("SET-COOKIE", "Set-Cookie"),
    ("CONTENT-DISPOSITION", "Content-Disposition"),
];

/// What poem-openapi says of every parameter and header, and what goes without saying.
const SILENT: [(&str, bool); 2] = [("deprecated", false), ("explode", true)];

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
/// objects, plain references and media types, several examples.
fn tidy(generated: &str) -> Value {
    let mut document: Value = serde_json::from_str(generated).unwrap_or_default();
    document["openapi"] = json!(OPENAPI);
    for schema in requested(&document) {
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
    let mut shown = Map::new();
    illustrate(&mut document["paths"], &mut shown);
    quote(&mut document["paths"], &mut shown);
    document["components"]["examples"] = Value::Object(shown);
    document
}

/// The schemas of requests: fields that are not in them are refused.
fn requested(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().into_iter().flat_map(Map::values);
    let operations = paths.filter_map(Value::as_object).flat_map(Map::values);
    let bodies = operations.filter_map(|operation| operation["requestBody"]["content"].as_object());
    bodies
        .flat_map(Map::values)
        .filter_map(|media_type| media_type["schema"]["$ref"].as_str()?.rsplit('/').next())
        .map(str::to_owned)
        .collect()
}

/// Gives the bodies examples: those with cookies and without, and of problems one for each code
/// that the response describes. All are `shown` once and referred to: generators take references
/// in silence and warn about the rest.
fn illustrate(value: &mut Value, shown: &mut Map<String, Value>) {
    let Some(members) = value.as_object_mut() else { return };
    let description = members.get("description").and_then(Value::as_str).unwrap_or_default();
    let codes: Vec<_> =
        Code::ALL.iter().copied().filter(|code| refused::names(description, *code)).collect();
    let content = members.get_mut("content").and_then(Value::as_object_mut);
    for media_type in content.into_iter().flat_map(Map::values_mut) {
        let schema = media_type["schema"]["$ref"].as_str().unwrap_or_default();
        let schema = schema.trim_start_matches("#/components/schemas/").to_owned();
        let examples: Map<_, _> = if schema == "Problem" {
            codes.iter().map(|code| (code.as_str().to_owned(), refused::example(*code))).collect()
        } else {
            examples::named(&schema)
        };
        for (name, example) in examples {
            let key = if schema == "Problem" { name.clone() } else { format!("{schema}.{name}") };
            media_type["examples"][name] =
                json!({ "$ref": format!("#/components/examples/{key}") });
            shown.insert(key, example);
        }
    }
    members.values_mut().for_each(|member| illustrate(member, shown));
}

/// Gives each operation that answers with a message the one that it answers with.
fn quote(paths: &mut Value, shown: &mut Map<String, Value>) {
    let items = paths.as_object_mut().into_iter().flat_map(Map::values_mut);
    for operation in items.filter_map(Value::as_object_mut).flat_map(Map::values_mut) {
        let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
        let Some(example) = examples::said(&id) else { continue };
        let responses =
            operation["responses"].as_object_mut().into_iter().flat_map(Map::values_mut);
        let contents = responses.filter_map(|response| response.get_mut("content"));
        let bodies = contents.filter_map(|content| content.get_mut("application/json"));
        for body in bodies {
            let key = format!("Message.{id}");
            body["examples"]["message"] = json!({ "$ref": format!("#/components/examples/{key}") });
            shown.insert(key, example.clone());
        }
    }
}

/// `allOf: [{$ref}, {description}]` becomes the `$ref`: generators make a class of their own for
/// each such field otherwise. Media types lose their charset, headers their capitals, texts their
/// trailing blanks, whole numbers their fraction.
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
            members.retain(|name, member| {
                !SILENT.iter().any(|(silent, value)| name == silent && member == value)
            });
            // JSON is UTF-8 (RFC 8259 §8.1); generators look for the plain media type.
            for (written, plain) in RENAMED {
                if let Some(member) = members.remove(written) {
                    members.insert(plain.to_owned(), member);
                }
            }
            members.values_mut().for_each(simplify);
        }
        Value::Array(items) => items.iter_mut().for_each(simplify),
        Value::String(text) => *text = text.trim_end().to_owned(),
        // The bounds of whole numbers, which are written `100.0` otherwise.
        Value::Number(number) => {
            let float = number.as_f64().filter(|_| number.is_f64());
            let whole = float.and_then(|float| format!("{float}").parse::<i64>().ok());
            if let Some(whole) = whole {
                *number = whole.into();
            }
        }
        Value::Null | Value::Bool(_) => {}
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

pub(super) fn matches(template: &str, path: &str) -> bool {
    let (template, path) = (template.trim_end_matches('/'), path.trim_end_matches('/'));
    let segments = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
    let (template, path) = (segments(template), segments(path));
    template.len() == path.len()
        && template
            .iter()
            .zip(&path)
            .all(|(t, p)| t == p || t.starts_with(':') || t.starts_with('{'))
}
