//! Users who were brought along sign in as they always did.

use std::slice::from_ref;

use doorward::clock::SystemEntropy;
use doorward::crypto::hasher::Costs;
use doorward::domain::password::Password;
use doorward::flows::import::{self, Outcome, Parts};
use doorward::store::{Store, UserChange};
use serde_json::json;

use crate::harness::{ACCESS_TTL, PASSWORD, TestApp};

/// Of [`PASSWORD`], as other programs have hashed it.
const BCRYPT: &str = "$2b$10$abcdefghijklmnopqrstuuCj7fyLDJytXL.TfOiOeiv0fQvSOK1/2";
const OTHERS: [&str; 3] = [
    "$2y$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS",
    "$scrypt$ln=10,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$xXt6EAFzAOlee5Hgl8R5+kLA6sDARjRcMGtm6fZJsa8",
    "$pbkdf2-sha256$i=1000$MDEyMzQ1Njc4OWFiY2RlZg$BVALGMmC/K/8ELErc5VgJxyPFApArIZRCQsqjEgZWJ4",
];

/// What `doorward import` does while the server runs.
async fn bring_in(app: &TestApp, lines: &[serde_json::Value]) -> Outcome {
    let costs = Costs::from(&app.app().config);
    let store = Store::open(app.app().store.path(), ACCESS_TTL, app.now()).unwrap();
    let lines: Vec<_> = lines.iter().map(ToString::to_string).collect();
    let plan = import::read(lines.join("\n").as_bytes(), costs, |_| {}).unwrap();
    assert_eq!(plan.refused, []);
    let parts = Parts { store: &store, clock: &*app.clock, entropy: &SystemEntropy, costs };
    let outcome = import::bring_in(&parts, &plan, |_| {}).await.unwrap();
    store.close();
    outcome
}

fn stored(app: &TestApp, email: &str) -> String {
    let query = "SELECT password_hash FROM users WHERE email = ?1";
    app.sql().query_row(query, [email], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn the_old_password_signs_in_and_is_hashed_anew_at_that_moment() {
    let app = TestApp::start().await;
    let ana = json!({
        "_id": {"$oid": "65f0c0ffee0123456789abcd"}, "email": "Ana@Example.com", "password": BCRYPT,
        "role": "admin", "isVerified": true, "createdAt": {"$date": "2024-02-29T00:00:00.007Z"},
    });
    assert_eq!(bring_in(&app, from_ref(&ana)).await.added.users, 1);
    assert_eq!((app.audited("imported"), app.audited("registered")), (1, 0));

    let wrong = app.login("ana@example.com", "Correct horse battery").await;
    wrong.problem(401, "invalid_credentials");
    assert_eq!(stored(&app, "ana@example.com"), BCRYPT);

    let first = app.login("ana@example.com", PASSWORD).await.ok();
    let user = &first["user"];
    assert_eq!((&user["role"], &user["isVerified"]), (&"admin".into(), &true.into()));
    assert_eq!(user["createdAt"], "2024-02-29T00:00:00.007Z");
    let hash = stored(&app, "ana@example.com");
    assert!(hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{hash}");

    app.login("ana@example.com", PASSWORD).await.ok();
    app.login("ana@example.com", "Correct horse battery").await.problem(401, "invalid_credentials");
    assert_eq!(stored(&app, "ana@example.com"), hash);

    // The file once more, for those who came meanwhile: Ana is left with what she has.
    let again = bring_in(&app, &[ana, json!({"email": "ben@example.com"})]).await;
    assert_eq!((again.added.users, again.already_there, again.conflicts.len()), (1, 1, 0));
    assert_eq!(stored(&app, "ana@example.com"), hash);
}

/// It is taken for one that is there already, and reported as that.
#[tokio::test]
async fn an_address_that_can_be_taken_back_is_left_to_its_owner() {
    let app = TestApp::start().await;
    app.verified("ana@example.com").await;
    app.moves("ana@example.com", "ben@example.com").await;
    let ana = json!({"email": "ana@example.com", "password": BCRYPT});
    let outcome = bring_in(&app, &[ana, json!({"email": "cy@example.com"})]).await;
    assert_eq!((outcome.added.users, outcome.already_there), (1, 0));
    assert_eq!(outcome.conflicts[0].line, 1);
    assert!(outcome.conflicts[0].differs.contains(&"email"));
    app.redeem("undo-email-change", &app.link("ana@example.com", "email_changed")).await.ok();
}

#[tokio::test]
async fn every_kind_of_hash_signs_in() {
    let app = TestApp::start().await;
    for (index, hash) in OTHERS.into_iter().enumerate() {
        let email = format!("user{index}@example.com");
        bring_in(&app, &[json!({"email": email, "password_hash": hash})]).await;
        app.login(&email, "wrong horse battery").await.problem(401, "invalid_credentials");
        app.login(&email, PASSWORD).await.ok();
        assert!(stored(&app, &email).starts_with("$argon2id$"), "{hash}");
        app.login(&email, PASSWORD).await.ok();
    }
}

#[tokio::test]
async fn nobody_signs_in_on_an_account_without_a_password_until_it_has_one() {
    let app = TestApp::start().await;
    bring_in(&app, &[json!({"email": "ana@example.com"})]).await;
    for guess in ["", PASSWORD, "null", "a\u{308}"] {
        app.login("ana@example.com", guess).await.problem(401, "invalid_credentials");
    }
    app.register("ana@example.com", PASSWORD).await.problem(409, "email_taken");

    let password = Password::present(PASSWORD).unwrap();
    let hash = app.app().hasher.hash(password, [7; 16]).await.unwrap();
    let change = UserChange::PasswordHash(hash);
    app.operator("ana@example.com", change).await;
    app.login("ana@example.com", PASSWORD).await.ok();
}

#[tokio::test]
async fn a_disabled_user_stays_out() {
    let app = TestApp::start().await;
    let ana = json!({"email": "ana@example.com", "password": BCRYPT, "disabledAt": {"$date": 7}});
    bring_in(&app, &[ana]).await;
    app.login("ana@example.com", PASSWORD).await.problem(403, "account_disabled");
    assert_eq!(stored(&app, "ana@example.com"), BCRYPT);
}
