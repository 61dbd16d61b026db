//! Each field of each request of the spec, spoilt in each way: told by its pointer, never with its
//! value, and nothing is changed. An operation that is added is covered by itself.

use std::collections::BTreeSet;

use doorward::domain::claims::Role;
use doorward::store::UserChange;
use rusqlite::types::ValueRef;
use serde_json::{Map, Value, json};

use crate::harness::spec::{Operation, SPEC, operations};
use crate::harness::{Answer, NOBODY, TestApp, Tokens};

/// Turns up nowhere but in what is sent.
const SECRET: &str = "zebra-in-the-kitchen";

/// Root, who may call everything, and Ben and Eve, whose things are not Root's.
struct Scene {
    app: TestApp,
    root: Tokens,
    ben: String,
    address: String,
    bens_address: String,
    bens_session: String,
    eves_session: String,
}

impl Scene {
    async fn set() -> Self {
        let app = TestApp::start().await;
        app.account("root@example.com").await;
        app.operator("root@example.com", UserChange::Role(Role::Admin)).await;
        let root = app.program("root@example.com").await;
        let ben = app.program("ben@example.com").await;
        let bens_session = app.signed_in("ben@example.com").await.session_id().await;
        let eves_session = app.signed_in("eve@example.com").await.session_id().await;
        let home = json!({"recipient": "A", "line1": "1", "city": "Madrid", "country": "ES"});
        let mut addresses = Vec::new();
        for program in [&root, &ben] {
            let added = program.call("POST", "/api/profile/addresses").json(home.clone()).await;
            addresses.push(added.status(201)["id"].as_str().unwrap().to_owned());
        }
        let ben = app.user("ben@example.com").await.id.to_string();
        let (bens_address, address) = (addresses.pop().unwrap(), addresses.pop().unwrap());
        let root = root.tokens;
        Self { app, root, ben, address, bens_address, bens_session, eves_session }
    }

    /// An id that is there, for a parameter of a path.
    fn own(&self, parameter: &str) -> &str {
        match parameter {
            "userId" => &self.ben,
            "addressId" => &self.address,
            // Not Root's, but Ben's: it is named together with him.
            "sessionId" => &self.bens_session,
            // Named together with nothing else.
            "invitationId" => NOBODY,
            other => panic!("{other}: say what to put there"),
        }
    }

    /// An id that is there, but is not that of the one who is meant.
    fn other(&self, parameter: &str) -> Option<&str> {
        match parameter {
            // Root looks after everybody.
            "userId" | "invitationId" => None,
            "addressId" => Some(&self.bens_address),
            "sessionId" => Some(&self.eves_session),
            other => panic!("{other}: say what to put there"),
        }
    }

    /// Sends it as Root, where somebody has to be signed in. Nothing is changed by it.
    async fn send(&self, operation: &Operation, path: &str, body: Option<&Value>) -> Answer {
        let before = self.dump();
        let call = self.app.call(operation.method.as_str(), path);
        let call = if operation.is_protected() { call.bearer(&self.root.access) } else { call };
        let answer = match body {
            Some(body) => call.json(body.clone()).await,
            None => call.await,
        };
        let sent = format!("{} {path} {body:?}", operation.id());
        assert!(!answer.text().contains("zebra-in"), "{sent}: {answer}");
        answer.sets_no_cookies();
        assert!(self.dump() == before, "{sent} has changed something: {answer}");
        answer
    }

    /// All that is in the database.
    fn dump(&self) -> Vec<String> {
        let sql = self.app.sql();
        let mut tables = sql
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
            .unwrap();
        let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let mut dump = Vec::new();
        for table in tables.map(Result::unwrap) {
            let mut query = sql.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
            let columns = query.column_count();
            let mut rows = query.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let values: Vec<ValueRef<'_>> =
                    (0..columns).map(|column| row.get_ref(column).unwrap()).collect();
                dump.push(format!("{table} {values:?}"));
            }
        }
        dump
    }
}

/// A path, with something for each of its parameters.
fn fill<'a>(path: &str, value: impl Fn(&str) -> &'a str) -> String {
    let (mut filled, mut rest) = (String::new(), path);
    while let Some((before, (name, after))) =
        rest.split_once('{').map(|(before, rest)| (before, rest.split_once('}').unwrap()))
    {
        filled = filled + before + value(name);
        rest = after;
    }
    filled + rest
}

/// The names of the parameters of a path.
fn parameters(path: &str) -> Vec<&str> {
    path.split('{').skip(1).map(|rest| rest.split_once('}').unwrap().0).collect()
}

fn resolve(schema: &'static Value) -> &'static Value {
    match schema["$ref"].as_str() {
        Some(name) => SPEC.pointer(name.trim_start_matches('#')).unwrap(),
        None => schema,
    }
}

/// The schema of the body.
fn schema(operation: &Operation) -> &'static Value {
    resolve(&operation.spec["requestBody"]["content"]["application/json"]["schema"])
}

/// Values that the field must not have.
fn wrong(property: &'static Value) -> Vec<Value> {
    let property = resolve(property);
    let mut wrong = match property["type"].as_str().unwrap() {
        "string" => vec![json!(7), json!(1.5), json!(true), json!([SECRET]), json!({"is": SECRET})],
        "boolean" => vec![json!("true"), json!(SECRET), json!(0), json!([true]), json!({})],
        other => panic!("{other}: say what is wrong there"),
    };
    if let Some(most) = property["maxLength"].as_u64() {
        let most = usize::try_from(most).unwrap();
        wrong.push(json!("x".repeat(most + 1)));
        // Characters are counted, not bytes.
        wrong.push(json!("ñ".repeat(most + 1)));
    }
    if property.get("enum").is_some() {
        wrong.extend([json!(SECRET), json!("")]);
    }
    wrong
}

/// What is sent, and the field that it is refused for.
fn spoilt(schema: &'static Value) -> Vec<(Value, String)> {
    let good = schema["example"].as_object().unwrap();
    let properties = schema["properties"].as_object().unwrap();
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body.insert(name.to_owned(), value);
        Value::Object(body)
    };
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().collect();
    // Where null empties a field, it is not taken for one that is left out.
    let null_says_something = properties.values().any(|property| property["nullable"] == true);
    let mut spoilt = Vec::new();
    for (name, property) in properties {
        let at = format!("/{name}");
        for value in wrong(property) {
            spoilt.push((with(name, value), at.clone()));
        }
        let is_required = required.iter().any(|it| *it == name);
        if is_required || (null_says_something && property["nullable"] != true) {
            spoilt.push((with(name, Value::Null), at.clone()));
        }
        if is_required {
            let mut body = good.clone();
            body.remove(name);
            spoilt.push((Value::Object(body), at));
        }
    }
    for (unknown, at) in
        [("zebra", "/zebra"), ("", "/"), ("a/b~", "/a~1b~0"), ("__proto__", "/__proto__")]
    {
        spoilt.push((with(unknown, json!(SECRET)), at.to_owned()));
    }
    spoilt.extend(
        [json!(null), json!([good]), json!(SECRET), json!(7), json!(false)]
            .map(|body| (body, String::new())),
    );
    spoilt
}

fn fields(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().unwrap();
    errors.iter().map(|it| it["field"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_spoilt_field_is_named_and_changes_nothing() {
    let scene = Scene::set().await;
    let (mut bodies, mut sent) = (0, 0);
    for operation in operations().iter().filter(|it| it.has_body()) {
        let path = fill(operation.path, |name| scene.own(name));
        for (body, field) in spoilt(schema(operation)) {
            let answer = scene.send(operation, &path, Some(&body)).await;
            let problem = answer.problem(422, "validation_failed");
            assert_eq!(fields(&problem), [field], "{}: {body}", operation.id());
            sent += 1;
        }
        bodies += 1;
    }
    assert!(bodies >= 16 && sent >= 20 * bodies, "{bodies} operations, {sent} bodies");
}

/// Several at once are told at once, and in no case the value.
#[tokio::test]
async fn all_spoilt_fields_are_named_at_once() {
    let scene = Scene::set().await;
    for operation in operations().iter().filter(|it| it.has_body()) {
        let path = fill(operation.path, |name| scene.own(name));
        let properties = schema(operation)["properties"].as_object().unwrap();
        let body: Map<_, _> =
            properties.keys().map(|name| (name.clone(), json!([SECRET]))).collect();
        let answer = scene.send(operation, &path, Some(&body.into())).await;
        let problem = answer.problem(422, "validation_failed");
        let named: BTreeSet<_> = fields(&problem).into_iter().map(str::to_owned).collect();
        assert_eq!(named, properties.keys().map(|name| format!("/{name}")).collect());
    }
}

/// An id that is none, that nobody has, and that somebody else has: one answer for all.
#[tokio::test]
async fn an_id_that_is_not_ones_own_is_like_none() {
    let scene = Scene::set().await;
    let mut tried = 0;
    for operation in operations() {
        let body = operation.has_body().then(|| schema(&operation)["example"].clone());
        for wrong in parameters(operation.path) {
            let mut values = vec![
                NOBODY,
                "nonsense",
                "0",
                "%00",
                "-1",
                "..%2F",
                "0190b8a0-0000-7000-8000-00000000000g",
            ];
            values.extend(scene.other(wrong));
            let mut answers = BTreeSet::new();
            for value in values {
                let path =
                    fill(
                        operation.path,
                        |name| if name == wrong { value } else { scene.own(name) },
                    );
                let answer = scene.send(&operation, &path, body.as_ref()).await;
                answer.problem(404, "not_found");
                answers.insert(answer.text().to_owned());
                tried += 1;
            }
            assert_eq!(answers.len(), 1, "{}: {answers:?}", operation.id());
        }
    }
    assert!(tried >= 50, "{tried}");
}
