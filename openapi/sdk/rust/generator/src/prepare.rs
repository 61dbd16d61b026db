//! The OpenAPI document as progenitor should see it.

use serde_json::{Map, Value};

/// The format of a string that becomes a `Secret`.
pub(crate) const SECRET: &str = "secret";

/// Properties whose values must not be printed.
const SECRETS: [&str; 6] =
    ["accessToken", "currentPassword", "newPassword", "password", "refreshToken", "token"];

/// Prepares the document in place. Fails when it does not have the expected shape.
pub(crate) fn prepare(document: &mut Value) -> Result<(), &'static str> {
    for path in members(document, "/paths")?.values_mut() {
        for operation in path.as_object_mut().ok_or("a path is not an object")?.values_mut() {
            prepare_operation(operation)?;
        }
    }
    let mut secrets = 0;
    for schema in members(document, "/components/schemas")?.values_mut() {
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            secrets += prepare_properties(properties);
        }
    }
    // A renamed token must not become a plain string that anybody can print.
    if secrets == 0 { Err("no property holds a secret") } else { Ok(()) }
}

/// Only successes and only parameters that a caller chooses.
fn prepare_operation(operation: &mut Value) -> Result<(), &'static str> {
    // Progenitor types errors that are `application/json`; ours are `application/problem+json`.
    // Without them each comes as the whole response, and the companion reads it, as it must
    // read what a proxy in between may answer.
    members(operation, "/responses")?.retain(|status, _| status.starts_with('2'));
    // The companion sends it.
    if let Some(parameters) = operation.get_mut("parameters").and_then(Value::as_array_mut) {
        parameters.retain(|parameter| parameter["name"] != "X-CSRF-Token");
    }
    Ok(())
}

/// Returns how many of the properties are secrets.
fn prepare_properties(properties: &mut Map<String, Value>) -> usize {
    let mut secrets = 0;
    for (name, property) in properties {
        let Some(property) = property.as_object_mut() else { continue };
        // The server checks lengths. A type for each string with a limit would help nobody.
        property.remove("maxLength");
        if SECRETS.contains(&name.as_str()) {
            property.insert("format".to_owned(), SECRET.into());
            secrets += 1;
        }
    }
    secrets
}

fn members<'a>(
    value: &'a mut Value,
    pointer: &str,
) -> Result<&'a mut Map<String, Value>, &'static str> {
    value
        .pointer_mut(pointer)
        .and_then(Value::as_object_mut)
        .ok_or("the document lacks paths, responses or schemas")
}
