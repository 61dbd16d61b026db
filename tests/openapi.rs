//! The spec: it is the committed one, and it obeys the rules that make generated clients
//! pleasant.

#![expect(clippy::expect_used, reason = "a test may panic")]

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Requests that tell null, which empties a field, from nothing, which leaves it alone.
const PATCHES: [&str; 2] = ["ProfileChanges", "AddressChanges"];

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
        "addAddress",
        "getKeys",
        "getMe",
        "getProfile",
        "listAddresses",
        "listSessions",
        "login",
        "logout",
        "logoutAll",
        "refresh",
        "register",
        "removeAddress",
        "revokeSession",
        "updateAddress",
        "updateProfile",
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
            assert!(is_text(&operation[text]), "{place}: {text}");
        }
        let id = operation["operationId"].as_str().expect("an id");
        assert!(is_camel_case(id), "{place}: {id}");
        assert!(operation.contains_key("security"), "{place}: says who may call");
        for parameter in members_of(operation.get("parameters")) {
            assert!(is_text(&parameter["description"]), "{place}: {parameter}");
        }
        let statuses: Vec<_> = responses(&operation).keys().collect();
        assert_eq!(statuses.iter().filter(|status| status.starts_with('2')).count(), 1, "{place}");
        assert!(!statuses.iter().any(|status| *status == "default"), "{place}");
        assert!(statuses.iter().any(|status| *status == "503"), "{place}");
    }
}

#[test]
fn the_document_says_what_it_is_about() {
    let document = document();
    for text in ["description", "version"] {
        assert!(is_text(&document["info"][text]), "info: {text}");
    }
    assert!(is_text(&document["info"]["contact"]["name"]));
    assert!(is_text(&document["info"]["license"]["url"]));
    assert_eq!(document["servers"].as_array().map(Vec::len), Some(1));
    assert_eq!(document["servers"][0]["url"], "/");
    for tag in members_of(document.get("tags")) {
        assert!(is_text(&tag["description"]), "{tag}");
    }
    for scheme in ["bearerAuth", "cookieAuth"] {
        let scheme = &document["components"]["securitySchemes"][scheme];
        assert!(is_text(&scheme["description"]), "{scheme}");
    }
}

/// Clients go by `code`: each operation lists those that it answers, with an example of each.
#[test]
fn every_problem_lists_its_codes() {
    let document = document();
    for (place, operation) in operations(&document) {
        for (status, response) in responses(&operation) {
            let at = format!("{place}, {status}");
            let description = response["description"].as_str().unwrap_or_default();
            assert!(!description.is_empty(), "{at}: a description");
            let Some(problem) = response["content"].get("application/problem+json") else {
                assert!(status.starts_with('2'), "{at}: an error that is no problem");
                continue;
            };
            let listed: BTreeSet<_> = description
                .split("\n\n")
                .map(|line| line.strip_prefix('`').and_then(|line| line.split_once("`: ")))
                .map(|line| line.expect("`code`: what it means").0)
                .collect();
            let examples = problem["examples"].as_object().expect("examples");
            let shown: BTreeSet<_> = examples.keys().map(String::as_str).collect();
            assert_eq!(listed, shown, "{at}");
            for (code, example) in examples {
                let value = &resolve(&document, example)["value"];
                assert_eq!(value["code"], *code, "{at}");
                assert_eq!(value["status"].to_string(), *status, "{at}: {code}");
            }
            let header = match status.as_str() {
                "401" => "WWW-Authenticate",
                "429" | "503" => "Retry-After",
                _ => continue,
            };
            assert_eq!(response["headers"][header]["required"], true, "{at}");
        }
    }
}

#[test]
fn every_body_has_an_example() {
    let document = document();
    for (place, operation) in operations(&document) {
        let success = responses(&operation).values().next().expect("the first is the success");
        for body in [operation.get("requestBody"), Some(success)].into_iter().flatten() {
            let Some(body) = body["content"].get("application/json") else { continue };
            let schema = resolve(&document, &body["schema"]);
            assert!(schema["example"].is_object(), "{place}: {}", body["schema"]);
            for (name, example) in body["examples"].as_object().into_iter().flatten() {
                assert!(resolve(&document, example)["value"].is_object(), "{place}: {name}");
            }
        }
    }
}

#[test]
fn schemas_are_bounded_and_plain() {
    let document = document();
    assert_eq!(document["openapi"], "3.0.3");
    walk(&document["paths"], "paths", &check_schema);
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        assert!(name.starts_with(char::is_uppercase), "{name}");
        assert!(name.chars().all(char::is_alphanumeric), "{name}: not a concrete name");
        assert!(is_text(&schema["description"]), "{name}: a description");
        walk(schema, name, &check_schema);
        for property in schema["properties"].as_object().into_iter().flatten() {
            assert!(is_camel_case(property.0), "{name}: {}", property.0);
            let described = property.1.get("$ref").is_some() || is_text(&property.1["description"]);
            assert!(described, "{name}: {}", property.0);
        }
    }
    for request in ["Credentials", "RefreshToken", "ProfileChanges", "NewAddress", "AddressChanges"]
    {
        assert_eq!(document["components"]["schemas"][request]["additionalProperties"], false);
    }
}

fn check_schema(schema: &Map<String, Value>, at: &str) {
    let is = |name: &str, wanted: &str| schema.get(name).and_then(Value::as_str) == Some(wanted);
    assert!(!schema.contains_key("allOf"), "{at}: a decorated reference");
    assert!(!schema.contains_key("$ref") || schema.len() == 1, "{at}: what stands beside a $ref");
    let may_be_null = PATCHES.iter().any(|patch| at.starts_with(&format!("{patch}/")));
    assert!(may_be_null || !schema.contains_key("nullable"), "{at}: absent rather than null");
    assert!(!is("format", "uint64"), "{at}: not every language has u64");
    if is("type", "string") {
        let bounds = ["maxLength", "format", "enum"];
        assert!(bounds.iter().any(|it| schema.contains_key(*it)), "{at}: a string without a bound");
    }
    for word in members_of(schema.get("enum")).filter_map(Value::as_str) {
        assert_eq!(word, word.to_lowercase(), "{at}");
    }
}

/// Visits the objects of a document, but for examples: they are values.
fn walk(value: &Value, at: &str, visit: &impl Fn(&Map<String, Value>, &str)) {
    match value {
        Value::Object(members) => {
            visit(members, at);
            for (name, member) in members {
                if name != "example" && name != "examples" {
                    walk(member, &format!("{at}/{name}"), visit);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, at, visit)),
        _ => {}
    }
}

/// What a `{"$ref": "#/…"}` refers to.
fn resolve<'a>(document: &'a Value, reference: &Value) -> &'a Value {
    let pointer = reference["$ref"].as_str().expect("a reference").trim_start_matches('#');
    document.pointer(pointer).expect("what is referred to")
}

fn responses(operation: &Map<String, Value>) -> &Map<String, Value> {
    operation["responses"].as_object().expect("responses")
}

fn members_of(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_array).into_iter().flatten()
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.is_empty())
}

fn is_camel_case(name: &str) -> bool {
    name.starts_with(char::is_lowercase) && name.chars().all(char::is_alphanumeric)
}
