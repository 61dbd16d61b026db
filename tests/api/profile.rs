//! What users say about themselves.

use doorward::store::UserChange;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{ACCESS_TTL, Answer, Browser, Program, TestApp};

const PATH: &str = "/api/profile";

async fn get(ana: &Program<'_>) -> Value {
    ana.call("GET", PATH).await.ok()
}

async fn patch(ana: &Program<'_>, changes: Value) -> Answer {
    ana.call("PATCH", PATH).json(changes).await
}

/// The `field` of each error.
fn fields(answer: &Answer) -> Vec<String> {
    let problem = answer.problem(422, "validation_failed");
    let errors = problem["errors"].as_array().unwrap();
    errors.iter().map(|it| it["field"].as_str().unwrap().to_owned()).collect()
}

fn everything() -> Value {
    json!({
        "displayName": "Ana",
        "givenName": "Ana María",
        "familyName": "García",
        "phone": "+34910000000",
        "locale": "es-ES",
        "timeZone": "Europe/Madrid",
        "avatarUrl": "https://example.com/ana.png",
    })
}

#[tokio::test]
async fn begins_empty_and_is_filled_in_by_parts() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    let bea = app.program("bea@example.com").await;
    assert_eq!(get(&ana).await, json!({}));

    let first = json!({"displayName": "Ana", "locale": "es-ES"});
    assert_eq!(patch(&ana, first.clone()).await.ok(), first);
    assert_eq!(get(&ana).await, first);
    let both = json!({"displayName": "Anita", "locale": "es-ES", "timeZone": "Europe/Madrid"});
    let second = json!({"displayName": "Anita", "timeZone": "Europe/Madrid"});
    assert_eq!(patch(&ana, second).await.ok(), both);
    assert_eq!(patch(&ana, everything()).await.ok(), everything());
    assert_eq!(patch(&ana, json!({})).await.ok(), everything());

    app.restart().await;
    assert_eq!(get(&ana).await, everything());
    assert_eq!(get(&bea).await, json!({}));
}

#[tokio::test]
async fn null_empties_and_nothing_leaves_alone() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    let names = everything().as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names.len(), 7);
    for name in &names {
        patch(&ana, everything()).await.ok();
        let mut left = everything();
        left.as_object_mut().unwrap().remove(name);
        assert_eq!(patch(&ana, json!({ name: null })).await.ok(), left, "{name}");
        assert_eq!(get(&ana).await, left, "{name}");
        // What is empty already stays so.
        assert_eq!(patch(&ana, json!({ name: null })).await.ok(), left, "{name}");
    }
    let all = names.iter().map(|name| (name.clone(), Value::Null)).collect();
    assert_eq!(patch(&ana, Value::Object(all)).await.ok(), json!({}));
}

/// Elsewhere null is what many generated clients write for what they leave out.
#[tokio::test]
async fn null_is_nothing_where_it_empties_nothing() {
    let app = TestApp::start().await;
    app.account("ana@example.com").await;
    let body = json!({"email": "ana@example.com", "password": "correct horse battery"});
    for null in ["delivery", "password", "email"] {
        let mut body = body.clone();
        body[null] = Value::Null;
        let answer = app.post("/api/auth/login").json(body).await;
        if null == "delivery" {
            answer.ok();
        } else {
            assert_eq!(fields(&answer), [format!("/{null}")]);
        }
    }
}

#[tokio::test]
async fn is_kept_in_one_form() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    let typed = json!({
        "displayName": "  Bu\u{308}ndner\u{a0}",
        "givenName": "u\u{308}".repeat(100),
        "familyName": "🦀".repeat(100),
        "phone": "(+34) 910-000-000",
        "locale": "ES-es",
        "timeZone": "europe/madrid",
        "avatarUrl": "HTTPS://Example.com",
    });
    let kept = json!({
        "displayName": "B\u{fc}ndner",
        "givenName": "\u{fc}".repeat(100),
        "familyName": "🦀".repeat(100),
        "phone": "+34910000000",
        "locale": "es-ES",
        "timeZone": "Europe/Madrid",
        "avatarUrl": "https://example.com/",
    });
    assert_eq!(patch(&ana, typed).await.ok(), kept);
    assert_eq!(get(&ana).await, kept);
}

#[tokio::test]
async fn bad_values_are_told_and_change_nothing() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    patch(&ana, everything()).await.ok();
    for (name, bad) in [
        ("displayName", json!("")),
        ("displayName", json!(" \u{200b} ")),
        ("displayName", json!("zebra\nzebra")),
        ("displayName", json!("zebra\u{202e}")),
        ("displayName", json!("z\u{0}")),
        ("displayName", json!("z".repeat(101))),
        ("displayName", json!("z".repeat(401))),
        ("givenName", json!("🦀".repeat(101))),
        ("familyName", json!(7)),
        ("familyName", json!(["zebra"])),
        ("familyName", json!({"is": "zebra"})),
        ("familyName", json!(true)),
        ("phone", json!("0910 000 000")),
        ("phone", json!("+34 (0)910 000 000")),
        ("phone", json!("+1234567890123456")),
        ("phone", json!("zebra")),
        ("phone", json!(34_910_000_000_u64)),
        ("locale", json!("es_ES")),
        ("locale", json!("zebra-in-the-kitchen-and-in-the-garden")),
        ("timeZone", json!("Europe/Zebra")),
        ("timeZone", json!("")),
        ("avatarUrl", json!("http://zebra.example/")),
        ("avatarUrl", json!("javascript:zebra")),
        ("avatarUrl", json!("https://zebra:zebra@example.com/")),
        ("avatarUrl", json!(format!("https://example.com/{}", "z".repeat(2048)))),
        ("avatarUrl", json!(format!("https://example.com/{}", "ä".repeat(400)))),
        ("email", json!("zebra@example.com")),
        ("isVerified", json!(true)),
        ("DisplayName", json!("zebra")),
    ] {
        // The good change beside it is not made either.
        let mut changes = json!({"locale": "de", "timeZone": null});
        changes[name] = bad.clone();
        let answer = patch(&ana, changes).await;
        assert_eq!(fields(&answer), [format!("/{name}")], "{bad}");
        assert!(!answer.text().contains("zebra"), "{answer}");
    }
    let several = json!({"displayName": "", "phone": "zebra", "timeZone": "zebra", "locale": "de"});
    assert_eq!(fields(&patch(&ana, several).await), ["/displayName", "/phone", "/timeZone"]);
    for body in [json!(null), json!([]), json!("zebra"), json!(7)] {
        assert_eq!(fields(&patch(&ana, body).await), [""]);
    }
    for body in ["", "{", r#"{"locale":"de","locale":null}"#] {
        let call = ana.call("PATCH", PATH).header("content-type", "application/json");
        call.body(body).await.problem(400, "malformed_request");
    }
    let merge_patch =
        ana.call("PATCH", PATH).header("content-type", "application/merge-patch+json");
    merge_patch.body("{}").await.problem(415, "unsupported_media_type");
    assert_eq!(get(&ana).await, everything());
}

#[tokio::test]
async fn by_cookie_a_change_needs_the_header() {
    let app = TestApp::start().await;
    let ana: Browser<'_> = app.signed_in("ana@example.com").await;
    let change = || ana.call("PATCH", PATH).json(json!({"displayName": "Ana"}));
    change().await.problem(403, "csrf_failed");
    change().header("x-csrf-token", "zebra").await.problem(403, "csrf_failed");
    assert_eq!(ana.call("GET", PATH).await.ok(), json!({}));
    change().csrf().await.sets_no_cookies().ok();
    // Renewed silently on the way, whatever comes of the change.
    app.clock.advance(ACCESS_TTL);
    let bad = ana.call("PATCH", PATH).json(json!({"displayName": 7})).csrf().await;
    bad.sets_cookies(&["refreshToken", "token"]).problem(422, "validation_failed");
    assert_eq!(ana.call("GET", PATH).await.ok(), json!({"displayName": "Ana"}));
}

#[tokio::test]
async fn changes_at_the_same_time_do_not_undo_each_other() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    let all = everything();
    let one = |(name, value): (&String, &Value)| patch(&ana, json!({ name: value }));
    for answer in join_all(all.as_object().unwrap().iter().map(one)).await {
        answer.ok();
    }
    assert_eq!(get(&ana).await, all);
}

#[tokio::test]
async fn a_change_is_recorded_and_none_is_not() {
    let app = TestApp::start().await;
    let ana = app.program("ana@example.com").await;
    patch(&ana, json!({})).await.ok();
    patch(&ana, json!({"phone": null})).await.ok();
    patch(&ana, json!({"phone": "zebra"})).await.status(422);
    assert_eq!(app.audited("profile_changed"), 0);
    patch(&ana, json!({"phone": "+34 910 000 000"})).await.ok();
    patch(&ana, json!({"phone": "+34910000000"})).await.ok();
    assert_eq!(app.audited("profile_changed"), 1);
}

#[tokio::test]
async fn goes_with_the_user() {
    let app = TestApp::start().await;
    for email in ["ana@example.com", "bea@example.com"] {
        patch(&app.program(email).await, everything()).await.ok();
    }
    let ana = app.program("ana@example.com").await;
    app.operator("ana@example.com", UserChange::Delete).await;
    for method in ["GET", "PATCH"] {
        let call = ana.call(method, PATH).json(json!({"displayName": "Ana"}));
        call.await.problem(401, "session_expired");
    }
    let left = app.sql().query_row("SELECT count(*) FROM profiles", [], |row| row.get(0));
    assert_eq!(left, Ok(1));
    // Whoever comes after her at the address starts anew.
    assert_eq!(get(&app.program("ana@example.com").await).await, json!({}));
}
