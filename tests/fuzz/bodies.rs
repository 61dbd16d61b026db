//! Bodies of requests, over the whole of the routes.

use std::net::SocketAddr;
use std::sync::Arc;

use doorward::Doorward;
use doorward::app::App;
use doorward::clock::{FakeClock, SystemEntropy};
use doorward::config::Config;
use doorward::crypto::keyring::Keyring;
use doorward::store::Store;
use poem::endpoint::BoxEndpoint;
use poem::http::{Method, header};
use poem::{Endpoint as _, Request, Response};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::common::{ACCESS_TTL, beginning, root};
use crate::target::{Target, Verdict};

/// The operations that take a body, and the statuses that are documented for each.
const OPERATIONS: [(&str, &[u16]); 4] = [
    ("login", &[200, 400, 401, 413, 415, 422]),
    ("register", &[201, 400, 409, 413, 415, 422]),
    ("refresh", &[400, 401, 403, 413, 415, 422]),
    ("logout", &[200, 400, 413, 415, 422]),
];

/// How short a text may be to turn up by chance.
const TELLING: usize = 8;

struct Server {
    routes: BoxEndpoint<'static, Response>,
    runtime: Runtime,
    /// What it says of its own accord.
    vocabulary: String,
    _data: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let data = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let config = Config {
            argon2_memory_kib: 8,
            argon2_iterations: 1,
            throttle: false,
            data_dir: data.path().to_owned(),
            ..Config::default()
        };
        let clock = FakeClock::at(beginning());
        let now = doorward::clock::Clock::now(&clock);
        let store = Store::open(&config.database(), ACCESS_TTL, now).unwrap();
        let keys = Keyring::new(&root(1), &[]).unwrap();
        let bound = SocketAddr::from(([127, 0, 0, 1], 8080));
        let app = App::new(config, bound, store, keys, Arc::new(clock), Arc::new(SystemEntropy));
        let routes = Doorward::from_app(Arc::new(app.unwrap())).routes();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut server = Self { routes, runtime, vocabulary: String::new(), _data: data };
        let short = json!({"email": "x", "password": "x", "delivery": "x", "refreshToken": 1});
        let no_address = json!({"email": "x", "password": "x"}).to_string();
        let long = "x".repeat(400);
        let too_long = json!({"email": format!("{long}@x.example"), "password": long}).to_string();
        for body in ["", "{", "null", "{}", &short.to_string(), &no_address, &too_long] {
            for (operation, _) in OPERATIONS {
                let (_, _, answer) = server.post(operation, body.as_bytes());
                server.vocabulary += &answer;
            }
        }
        server
    }

    /// Status, content type and body of the answer.
    fn post(&self, operation: &str, body: &[u8]) -> (u16, String, String) {
        let request = Request::builder()
            .method(Method::POST)
            .uri_str(format!("/api/auth/{operation}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.to_vec());
        self.runtime.block_on(async {
            let response = self.routes.get_response(request).await;
            let content_type = response.headers().get(header::CONTENT_TYPE).cloned();
            let content_type = content_type.map(|value| value.to_str().unwrap().to_owned());
            let status = response.status().as_u16();
            let body = response.into_body().into_string().await.unwrap();
            (status, content_type.unwrap_or_default(), body)
        })
    }
}

/// The texts in a body that an answer must not repeat: its values, as the names of its members
/// tell where an error is.
fn values(body: &Value, into: &mut Vec<String>) {
    match body {
        Value::String(text) => into.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| values(item, into)),
        Value::Object(members) => members.values().for_each(|value| values(value, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn names(body: &Value, into: &mut String) {
    match body {
        Value::Array(items) => items.iter().for_each(|item| names(item, into)),
        Value::Object(members) => {
            for (name, value) in members {
                *into += name;
                names(value, into);
            }
        }
        _ => {}
    }
}

/// What stands between quotes, where there is no JSON to take apart.
fn quoted(body: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(body).split('"').map(str::to_owned).collect()
}

fn check(server: &Server, body: &[u8]) -> Verdict {
    let (mut secrets, mut said) = (Vec::new(), server.vocabulary.clone());
    match serde_json::from_slice(body) {
        Ok(json) => {
            values(&json, &mut secrets);
            names(&json, &mut said);
        }
        Err(_) => secrets = quoted(body),
    }
    for (operation, statuses) in OPERATIONS {
        let (status, content_type, answer) = server.post(operation, body);
        prop_assert!(statuses.contains(&status), "{}: {} {}", operation, status, answer);
        if status < 400 {
            continue;
        }
        prop_assert_eq!(content_type, "application/problem+json", "{}", operation);
        let problem: Value = serde_json::from_str(&answer).unwrap();
        prop_assert_eq!(&problem["status"], status);
        prop_assert!(problem["code"].is_string() && problem["detail"].is_string());
        for secret in secrets.iter().filter(|text| text.chars().count() >= TELLING) {
            // As JSON writes it.
            let written = json!(secret).to_string();
            let is_repeated = answer.contains(written.trim_matches('"'));
            prop_assert!(!is_repeated || said.contains(secret), "{}: {}", operation, answer);
        }
    }
    Ok(())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        "[a-z]{1,8}@[a-z]{1,8}\\.example".prop_map(Value::from),
        "[ -~]{8,40}".prop_map(Value::from),
        select(vec!["body", "cookie", "correct horse"]).prop_map(Value::from),
        (200_usize..300).prop_map(|length| Value::from("zebra".repeat(length))),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z]{0,6}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

#[test]
fn no_body_upsets_the_server_or_is_repeated_by_it() {
    let server = Server::start();
    let known = vec!["email", "password", "delivery", "refreshToken", "Email", "a/b~c"];
    let member = (prop_oneof![9 => select(known), 1 => Just("")], value());
    let object = prop::collection::vec(member, 0..5).prop_map(|members| {
        // By hand, so that a name can come twice.
        let members: Vec<_> =
            members.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();
        format!("{{{}}}", members.join(","))
    });
    Target::new("bodies", 400)
        .structured(object.prop_map(String::into_bytes))
        .structured(value().prop_map(|value| value.to_string().into_bytes()))
        .words(&[
            "\"email\":",
            "\"password\":",
            "\"\\u0000",
            "[",
            "{",
            "}",
            "\\ud800",
            ",",
            "1e999",
        ])
        .run(|body| check(&server, body));
}
