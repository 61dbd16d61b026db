//! The spec: it is the committed one, and it obeys the rules that make generated clients
//! pleasant.

#![expect(clippy::expect_used, reason = "a test may panic")]

use std::collections::BTreeSet;

use serde_json::{Map, Value};

const COMMITTED: &str = include_str!("../openapi/doorward.json");

fn document() -> Value {
    serde_json::from_str(&doorward::http::spec::json()).expect("the spec is JSON")
}

/// Every operation, with its path and method.
fn operations(document: &Value) -> Vec<(String, Map<String, Value>)> {
    let paths = document["paths"].as_object().expect("paths");
    paths
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().expect("methods").iter().map(move |(method, operation)| {
                (format!("{method} {path}"), operation.as_object().expect("an operation").clone())
            })
        })
        .collect()
}

#[test]
fn the_router_finds_every_path() {
    let document = document();
    for path in document["paths"].as_object().expect("paths").keys() {
        assert!(["/api/", "/.well-known/"].iter().any(|prefix| path.starts_with(prefix)), "{path}");
    }
}

#[test]
fn the_committed_spec_is_what_the_code_says() {
    assert_eq!(COMMITTED, doorward::http::spec::json(), "run `make openapi` and review the diff");
}

#[test]
fn yaml_says_the_same() {
    let yaml: Value = serde_yaml::from_str(&doorward::http::spec::yaml()).expect("YAML");
    assert_eq!(yaml, document());
}

#[test]
fn no_operation_was_lost_on_the_way() {
    let operations = operations(&document());
    let ids: BTreeSet<_> = operations
        .iter()
        .map(|(_, operation)| operation["operationId"].as_str().expect("an id"))
        .collect();
    let expected = [
        "getKeys",
        "getMe",
        "listSessions",
        "login",
        "logout",
        "logoutAll",
        "refresh",
        "register",
        "revokeSession",
    ];
    assert_eq!(ids, expected.into_iter().collect());
    assert_eq!(operations.len(), expected.len());
    assert_eq!(COMMITTED.matches("\"operationId\"").count(), expected.len());
}

#[test]
fn every_operation_is_described_for_a_reader() {
    for (place, operation) in operations(&document()) {
        assert_eq!(operation["tags"].as_array().map(Vec::len), Some(1), "{place}: tags");
        for text in ["summary", "description"] {
            assert!(
                operation[text].as_str().is_some_and(|text| !text.is_empty()),
                "{place}: {text}"
            );
        }
        assert!(operation.contains_key("security"), "{place}: says who may call");
        let statuses: Vec<_> =
            operation["responses"].as_object().expect("responses").keys().collect();
        assert_eq!(statuses.iter().filter(|status| status.starts_with('2')).count(), 1, "{place}");
        assert!(!statuses.iter().any(|status| *status == "default"), "{place}");
        assert!(statuses.iter().any(|status| *status == "503"), "{place}");
    }
}

#[test]
fn schemas_are_bounded_and_plain() {
    fn walk(value: &Value, at: &str) {
        if let Value::Object(members) = value {
            assert!(!members.contains_key("allOf"), "{at}: a decorated reference");
            let is = |name: &str, wanted: &str| {
                members.get(name).and_then(Value::as_str) == Some(wanted)
            };
            if is("type", "string")
                && !members.contains_key("enum")
                && !members.contains_key("format")
            {
                let named = at.contains("/properties/") || at.contains("/schema");
                assert!(
                    !named || members.contains_key("maxLength"),
                    "{at}: a string without a bound"
                );
            }
            assert!(!is("format", "uint64"), "{at}: not every language has u64");
        }
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(name, member)| walk(member, &format!("{at}/{name}")));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, at)),
            _ => {}
        }
    }
    let document = document();
    assert_eq!(document["openapi"], "3.0.3");
    walk(&document["components"]["schemas"], "schemas");
    for (place, operation) in operations(&document) {
        let parameters = operation.get("parameters").unwrap_or(&Value::Null);
        walk(parameters, &format!("{place}/parameters"));
    }
    for request in ["Credentials", "RefreshToken"] {
        assert_eq!(document["components"]["schemas"][request]["additionalProperties"], false);
    }
}
