//! Holds answers against the published spec.

use std::sync::LazyLock;

use reqwest::Method;
use serde_json::Value;

use super::Answer;

/// The document as it is served.
pub static SPEC: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(&doorward::http::spec::json()).unwrap());

/// An operation of the document.
pub struct Operation {
    pub path: &'static str,
    pub method: Method,
    pub spec: &'static Value,
}

impl Operation {
    pub fn id(&self) -> &'static str {
        self.spec["operationId"].as_str().unwrap()
    }

    pub fn is_protected(&self) -> bool {
        !self.spec["security"].as_array().unwrap().is_empty()
    }

    pub fn has_body(&self) -> bool {
        self.spec.get("requestBody").is_some()
    }
}

/// All of them.
pub fn operations() -> Vec<Operation> {
    let paths = SPEC["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, spec)| Operation {
            path,
            method: method.to_uppercase().parse().unwrap(),
            spec,
        })
    });
    operations.collect()
}

/// Fails when an operation answers what its spec does not say.
pub fn check(method: &Method, path: &str, answer: &Answer) {
    let path = path.split('?').next().unwrap_or_default();
    // An answer to HEAD is that to GET without its body.
    let is_head = method == Method::HEAD;
    let method = if is_head { &Method::GET } else { method };
    let all = operations();
    let operation = all.iter().find(|it| it.method == *method && matches(it.path, path));
    let Some(operation) = operation else { return };
    let id = operation.id();
    let response = &operation.spec["responses"][answer.status.to_string()];
    assert!(response.is_object(), "{id} does not document {answer}");
    if is_head {
        return;
    }
    let Some(content) = response["content"].as_object() else {
        assert!(answer.body.is_empty(), "{id} documents no body: {answer}");
        return;
    };
    let (media_type, content) = content.iter().next().unwrap();
    let sent = answer.header("content-type").split(';').next();
    assert_eq!(sent, Some(media_type.as_str()), "{id}: {answer}");
    let body = answer.json();
    check_shape(&content["schema"], &body, id);
    if content["schema"]["$ref"] == "#/components/schemas/Message" {
        let example = content["examples"]["message"]["$ref"].as_str();
        let example = example.and_then(|name| SPEC.pointer(name.trim_start_matches('#')));
        let example = example.unwrap_or_else(|| panic!("{id} shows no example of its own"));
        assert_eq!(example["value"], body, "{id} shows another message than it answers with");
    }
    if answer.status >= 400 {
        let code = format!("`{}`: ", body["code"].as_str().unwrap());
        let described = response["description"].as_str().unwrap();
        assert!(described.contains(&code), "{id} does not name {code}: {answer}");
    }
}

fn matches(template: &str, path: &str) -> bool {
    let (mut template, mut path) = (template.split('/'), path.split('/'));
    loop {
        match (template.next(), path.next()) {
            (None, None) => return true,
            (Some(known), Some(found)) if known == found || known.starts_with('{') => {}
            _ => return false,
        }
    }
}

/// The value has the documented properties and no others, all the way down.
fn check_shape(schema: &Value, value: &Value, at: &str) {
    let schema = match schema["$ref"].as_str() {
        Some(name) => SPEC.pointer(name.trim_start_matches('#')).expect(name),
        None => schema,
    };
    match schema["type"].as_str().expect(at) {
        "object" => {
            let members = value.as_object().unwrap_or_else(|| panic!("{at}: {value}"));
            let properties = schema["properties"].as_object().unwrap();
            for name in schema["required"].as_array().into_iter().flatten() {
                let name = name.as_str().unwrap();
                assert!(members.contains_key(name), "{at} lacks {name}: {value}");
            }
            for (name, member) in members {
                let property = properties.get(name);
                let at = format!("{at}/{name}");
                check_shape(
                    property.unwrap_or_else(|| panic!("{at} is not documented")),
                    member,
                    &at,
                );
            }
        }
        "array" => {
            for item in value.as_array().unwrap_or_else(|| panic!("{at}: {value}")) {
                check_shape(&schema["items"], item, at);
            }
        }
        "string" => match value.as_str() {
            Some(text) => check_text(schema, text, at),
            None => panic!("{at}: {value}"),
        },
        "integer" => assert!(value.is_i64(), "{at}: {value}"),
        "boolean" => assert!(value.is_boolean(), "{at}: {value}"),
        other => panic!("{at} has the unexpected type {other}"),
    }
}

fn check_text(schema: &Value, text: &str, at: &str) {
    if let Some(allowed) = schema["enum"].as_array() {
        assert!(allowed.iter().any(|word| word == text), "{at}: {text}");
    }
    if let Some(most) = schema["maxLength"].as_u64() {
        assert!(text.chars().count() as u64 <= most, "{at}: {text}");
    }
    match schema["format"].as_str() {
        Some("uuid") => {
            let id: uuid::Uuid = text.parse().expect(at);
            assert_eq!(id.get_version_num(), 7, "{at}: {text}");
        }
        Some("date-time") => {
            let time = doorward::Timestamp::parse(text).expect(at);
            assert_eq!(time.to_string(), text, "{at} has milliseconds and Z");
        }
        Some(other) => panic!("{at} has the unexpected format {other}"),
        None => {}
    }
}
