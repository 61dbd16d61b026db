//! Postal addresses: at most 20, and one of them the default.

use std::collections::BTreeSet;

use doorward::store::UserChange;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Answer, DAY, NOBODY, Program, TestApp};

const PATH: &str = "/api/profile/addresses";

fn place(label: &str) -> Value {
    json!({
        "label": label, "recipient": "Ana", "line1": "Calle Mayor 1", "city": "Madrid",
        "country": "ES",
    })
}

fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

async fn add(ana: &Program<'_>, body: Value) -> Answer {
    ana.call("POST", PATH).json(body).await
}

/// Adds an address with a label; its id.
async fn added(ana: &Program<'_>, label: &str) -> String {
    let address = add(ana, place(label)).await.status(201);
    address["id"].as_str().unwrap().to_owned()
}

async fn edit(ana: &Program<'_>, id: &str, changes: Value) -> Answer {
    ana.call("PATCH", &format!("{PATH}/{id}")).json(changes).await
}

async fn remove(ana: &Program<'_>, id: &str) -> Answer {
    ana.call("DELETE", &format!("{PATH}/{id}")).await
}

async fn list(ana: &Program<'_>) -> Vec<Value> {
    let list = ana.call("GET", PATH).await.ok()["addresses"].as_array().unwrap().clone();
    // Whoever has addresses has one default, and it comes first.
    for (at, address) in list.iter().enumerate() {
        assert_eq!(address["isDefault"], at == 0, "{list:#?}");
    }
    list
}

async fn labels(ana: &Program<'_>) -> Vec<String> {
    let list = list(ana).await;
    list.iter().map(|it| it["label"].as_str().unwrap().to_owned()).collect()
}

/// The `field` of each error.
fn fields(answer: &Answer) -> Vec<String> {
    let problem = answer.problem(422, "validation_failed");
    let errors = problem["errors"].as_array().unwrap();
    errors.iter().map(|it| it["field"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn are_added_changed_and_removed() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    assert_eq!(list(&ana).await, [] as [Value; 0]);
    let body = json!({
        "label": " Home ", "recipient": "Ana Mari\u{301}a", "line1": "Calle Mayor 1", "line2": "2º B",
        "postalCode": "28013", "city": "Madrid", "region": "Madrid", "country": "es",
        "phone": "+34 910 000 000", "isDefault": null,
    });
    let address = add(&ana, body).await.sets_no_cookies().status(201);
    let id = address["id"].as_str().unwrap();
    let mut kept = json!({
        "id": id, "label": "Home", "recipient": "Ana María", "line1": "Calle Mayor 1",
        "line2": "2º B", "postalCode": "28013", "city": "Madrid", "region": "Madrid",
        "country": "ES", "phone": "+34910000000", "isDefault": true,
    });
    assert_eq!(address, kept);

    let changes = json!({"recipient": "Bea", "line2": null, "country": "PT", "city": "Lisboa"});
    kept.as_object_mut().unwrap().remove("line2");
    for (name, value) in [("recipient", "Bea"), ("country", "PT"), ("city", "Lisboa")] {
        kept[name] = json!(value);
    }
    assert_eq!(edit(&ana, id, changes).await.ok(), kept);
    assert_eq!(edit(&ana, id, json!({})).await.ok(), kept);
    assert_eq!(list(&ana).await, [kept.clone()]);
    for name in ["label", "postalCode", "region", "phone"] {
        kept.as_object_mut().unwrap().remove(name);
        assert_eq!(edit(&ana, id, json!({ name: null })).await.ok(), kept);
    }
    app.restart().await;
    assert_eq!(list(&ana).await, [kept]);

    let answer = remove(&ana, id).await;
    answer.status(204);
    assert!(answer.body.is_empty());
    assert_eq!(list(&ana).await, [] as [Value; 0]);
    remove(&ana, id).await.problem(404, "not_found");
    edit(&ana, id, json!({})).await.problem(404, "not_found");
}

#[tokio::test]
async fn the_first_is_the_default_until_another_becomes_it() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    let first = add(&ana, with(place("a"), "isDefault", json!(false))).await.status(201);
    assert_eq!(first["isDefault"], true);
    let b = added(&ana, "b").await;
    added(&ana, "c").await;
    assert_eq!(labels(&ana).await, ["a", "b", "c"]);

    let d = add(&ana, with(place("d"), "isDefault", json!(true))).await.status(201);
    assert_eq!(d["isDefault"], true);
    assert_eq!(labels(&ana).await, ["d", "a", "b", "c"]);
    assert_eq!(edit(&ana, &b, json!({"isDefault": true})).await.ok()["isDefault"], true);
    assert_eq!(labels(&ana).await, ["b", "a", "c", "d"]);
    edit(&ana, &b, json!({"isDefault": true})).await.ok();
    assert_eq!(labels(&ana).await, ["b", "a", "c", "d"]);
}

#[tokio::test]
async fn the_default_is_not_just_given_up() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    let (a, b) = (added(&ana, "a").await, added(&ana, "b").await);
    let answer = edit(&ana, &a, json!({"isDefault": false, "label": "z"})).await;
    assert_eq!(fields(&answer), ["/isDefault"]);
    let answer = edit(&ana, &b, json!({"isDefault": false, "label": "y"})).await;
    assert_eq!(answer.ok()["isDefault"], false);
    assert_eq!(labels(&ana).await, ["a", "y"]);
}

#[tokio::test]
async fn the_oldest_of_the_others_inherits() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    let a = added(&ana, "a").await;
    // Older is what was added before, also by a clock that was set back.
    app.clock.set_wall(app.now().wall.minus(DAY));
    let ana = app.program("ana@example.com").await;
    let (b, c) = (added(&ana, "b").await, added(&ana, "c").await);
    let d = added(&ana, "d").await;
    edit(&ana, &c, json!({"isDefault": true})).await.ok();
    remove(&ana, &b).await.status(204);
    assert_eq!(labels(&ana).await, ["c", "a", "d"]);
    remove(&ana, &c).await.status(204);
    assert_eq!(labels(&ana).await, ["a", "d"]);
    remove(&ana, &a).await.status(204);
    assert_eq!(labels(&ana).await, ["d"]);
    remove(&ana, &d).await.status(204);
    assert_eq!(labels(&ana).await, [] as [&str; 0]);
}

#[tokio::test]
async fn there_can_be_twenty() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    let bea = app.program("bea@example.com").await;
    let mut last = String::new();
    for at in 0..20 {
        last = added(&ana, &at.to_string()).await;
    }
    for body in [place("one more"), with(place("one more"), "isDefault", json!(true))] {
        add(&ana, body).await.problem(409, "too_many_addresses");
    }
    assert_eq!(labels(&ana).await.len(), 20);
    added(&bea, "hers").await;
    remove(&ana, &last).await.status(204);
    added(&ana, "again").await;
    add(&ana, place("one more")).await.problem(409, "too_many_addresses");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn there_can_be_twenty_also_at_once() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    // Each wants to be the default.
    let body = |at: usize| with(place(&at.to_string()), "isDefault", json!(true));
    let requests = (0..25).map(|at| add(&ana, body(at)));
    let answers = join_all(requests).await;
    let (done, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it.status == 201);
    assert_eq!((done.len(), refused.len()), (20, 5));
    for answer in refused {
        answer.problem(409, "too_many_addresses");
    }
    let ids = |list: &[Value]| -> BTreeSet<String> {
        list.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    };
    let acknowledged = ids(&done.iter().map(|answer| answer.json()).collect::<Vec<_>>());
    assert_eq!(ids(&list(&ana).await), acknowledged);

    // All at once they become the default, and vanish.
    let changes = acknowledged.iter().map(|id| edit(&ana, id, json!({"isDefault": true})));
    for answer in join_all(changes).await {
        answer.ok();
    }
    assert_eq!(list(&ana).await.len(), 20);
    let some = acknowledged.iter().take(15).map(|id| remove(&ana, id));
    for answer in join_all(some).await {
        answer.status(204);
    }
    assert_eq!(list(&ana).await.len(), 5);
}

#[tokio::test]
async fn what_is_not_the_callers_is_not_there() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    let bea = app.program("bea@example.com").await;
    let theirs = added(&bea, "hers").await;
    added(&ana, "mine").await;
    let odd = ["nonsense", "%F0%9F%A6%80", "%ff", "1", "-", "%00", "..%2f.."];
    let mut answers = Vec::new();
    for id in [theirs.as_str(), NOBODY].into_iter().chain(odd) {
        for changes in [json!({"label": "z"}), json!({"isDefault": false}), json!({})] {
            answers.push(edit(&ana, id, changes).await);
        }
        answers.push(remove(&ana, id).await);
    }
    for answer in &answers {
        assert_eq!(answer.problem(404, "not_found"), answers[0].json());
    }
    assert_eq!(labels(&bea).await, ["hers"]);
    assert_eq!(labels(&ana).await, ["mine"]);
    assert_eq!(app.audited("address_changed") + app.audited("address_removed"), 0);
}

#[tokio::test]
async fn bad_values_are_told_and_change_nothing() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    let id = added(&ana, "a").await;
    let before = list(&ana).await;
    let long = |most: usize| json!("🦀".repeat(most + 1));
    for (name, bad) in [
        ("label", json!("")),
        ("label", long(50)),
        ("recipient", json!(" ")),
        ("recipient", long(100)),
        ("recipient", json!("zebra\nzebra")),
        ("line1", json!("")),
        ("line1", long(200)),
        ("line2", json!("\u{7}zebra")),
        ("line2", long(200)),
        ("postalCode", long(20)),
        ("postalCode", json!(28013)),
        ("city", long(100)),
        ("city", json!(["zebra"])),
        ("region", long(100)),
        ("country", json!("")),
        ("country", json!("XX")),
        ("country", json!("UK")),
        ("country", json!("DEU")),
        ("country", json!("Zebra")),
        ("phone", json!("910000000")),
        ("isDefault", json!("true")),
        ("isDefault", json!(1)),
        ("id", json!(NOBODY)),
        ("zebra", json!(1)),
    ] {
        let answer = add(&ana, with(place("b"), name, bad.clone())).await;
        assert_eq!(fields(&answer), [format!("/{name}")], "{bad}");
        // The good change beside it is not made either.
        let edited = edit(&ana, &id, with(json!({"label": "b"}), name, bad.clone())).await;
        assert_eq!(fields(&edited), [format!("/{name}")], "{bad}");
        for answer in [answer, edited] {
            let told = answer.text().replace("/zebra", "");
            assert!(!told.contains("zebra") && !told.contains("🦀"), "{answer}");
        }
    }
    // What cannot be empty cannot be null, neither in a new one nor in a change.
    for name in ["recipient", "line1", "city", "country"] {
        let field = [format!("/{name}")];
        let mut without = place("b");
        without.as_object_mut().unwrap().remove(name);
        assert_eq!(fields(&add(&ana, without).await), field);
        assert_eq!(fields(&add(&ana, with(place("b"), name, Value::Null)).await), field);
        assert_eq!(fields(&edit(&ana, &id, json!({ name: null })).await), field);
    }
    assert_eq!(fields(&edit(&ana, &id, json!({"isDefault": null})).await), ["/isDefault"]);
    let several = json!({"recipient": "", "line1": "", "city": "M", "country": "XX", "phone": "1"});
    let expected = ["/recipient", "/line1", "/country", "/phone"];
    assert_eq!(fields(&add(&ana, several.clone()).await), expected);
    assert_eq!(fields(&edit(&ana, &id, several).await), expected);
    assert_eq!(list(&ana).await, before);
    // The longest of each, also when it is typed in pieces.
    for (name, most) in [
        ("label", 50),
        ("recipient", 100),
        ("line1", 200),
        ("line2", 200),
        ("postalCode", 20),
        ("city", 100),
        ("region", 100),
    ] {
        let kept = edit(&ana, &id, json!({ name: "u\u{308}".repeat(most) })).await.ok();
        assert_eq!(kept[name], "\u{fc}".repeat(most));
    }
}

#[tokio::test]
async fn by_cookie_a_change_needs_the_header() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let post = || ana.call("POST", PATH).json(place("a"));
    post().await.problem(403, "csrf_failed");
    let id = post().csrf().await.status(201)["id"].as_str().unwrap().to_owned();
    let one = format!("{PATH}/{id}");
    ana.call("PATCH", &one).json(json!({"label": "b"})).await.problem(403, "csrf_failed");
    ana.call("DELETE", &one).await.problem(403, "csrf_failed");
    let list = ana.call("GET", PATH).await.ok();
    assert_eq!(list["addresses"][0]["label"], "a");
    ana.call("PATCH", &one).json(json!({"label": "b"})).csrf().await.ok();
    ana.call("DELETE", &one).csrf().await.status(204);
}

#[tokio::test]
async fn what_was_done_is_recorded() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    let id = added(&ana, "a").await;
    edit(&ana, &id, json!({"label": "a"})).await.ok();
    edit(&ana, &id, json!({"label": "b"})).await.ok();
    remove(&ana, &id).await.status(204);
    for event in ["address_added", "address_changed", "address_removed"] {
        assert_eq!(app.audited(event), 1, "{event}");
    }
}

#[tokio::test]
async fn go_with_the_user() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    added(&ana, "a").await;
    added(&ana, "b").await;
    added(&app.program("bea@example.com").await, "hers").await;
    app.operator("ana@example.com", UserChange::Delete).await;
    add(&ana, place("c")).await.problem(401, "session_expired");
    let left = app.sql().query_row("SELECT count(*) FROM addresses", [], |row| row.get(0));
    assert_eq!(left, Ok(1));
}
