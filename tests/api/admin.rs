//! Administration: who may call what, users and their sessions, and that an administrator stays.

use doorward::domain::claims::Role;
use doorward::store::UserChange;
use serde_json::{Value, json};

use crate::harness::spec::{Operation, operations};
use crate::harness::{
    ACCESS_TTL, Answer, Browser, Call, NOBODY, PASSWORD, Program, SECOND, TestApp,
};

const ROOT: &str = "root@example.com";
const USERS: &str = "/api/admin/users";

/// Makes an administrator, and signs in.
async fn admin<'a>(app: &'a TestApp, email: &str) -> Program<'a> {
    appoint(app, email).await;
    app.program(email).await
}

async fn appoint(app: &TestApp, email: &str) {
    app.account(email).await;
    app.operator(email, UserChange::Role(Role::Admin)).await;
}

async fn id(app: &TestApp, email: &str) -> String {
    app.user(email).await.id.to_string()
}

fn path(id: &str) -> String {
    format!("{USERS}/{id}")
}

fn patch<'a>(root: &Program<'a>, id: &str, body: Value) -> Call<'a> {
    root.call("PATCH", &path(id)).json(body)
}

async fn as_json(body: &str, call: Call<'_>) -> Answer {
    call.header("content-type", "application/json").body(body).await
}

/// Changes another account, or deletes it.
async fn unseat(by: &Program<'_>, id: &str, body: &Value) -> Answer {
    if body.is_null() {
        by.call("DELETE", &path(id)).await
    } else {
        patch(by, id, body.clone()).await
    }
}

fn emails(list: &Value) -> Vec<&str> {
    list["users"].as_array().unwrap().iter().map(|it| it["email"].as_str().unwrap()).collect()
}

/// What happened last, as the trail has it: event, subject, actor.
async fn last_event(root: &Program<'_>) -> (String, Value, Value) {
    let list = root.call("GET", "/api/admin/events?limit=1").await.ok();
    let event = &list["events"][0];
    (event["event"].as_str().unwrap().to_owned(), event["userId"].clone(), event["actorId"].clone())
}

/// Every operation below `/api/admin`, whatever is added there.
fn administration() -> Vec<Operation> {
    operations().into_iter().filter(|it| it.path.starts_with("/api/admin/")).collect()
}

#[test]
fn the_administration_is_one_group() {
    for operation in operations() {
        let is_tagged = operation.spec["tags"][0] == "Administration";
        assert_eq!(is_tagged, operation.path.starts_with("/api/admin/"), "{}", operation.id());
        assert!(!is_tagged || operation.spec["responses"]["403"].is_object());
    }
    assert!(administration().len() >= 9);
}

#[tokio::test]
async fn nobody_but_an_administrator_comes_in() {
    let app = TestApp::start().await;
    let root = admin(&app, ROOT).await;
    let ana = app.program("ana@example.com").await;
    let browser = app.signed_in("ana@example.com").await;
    for operation in administration() {
        let method = operation.method.as_str();
        for (parameter, body) in [(NOBODY, "{}"), ("nonsense", "{"), (NOBODY, "[]")] {
            let path = operation.path.replace("{userId}", parameter);
            let path = path.replace("{sessionId}", parameter);
            let path = path.replace("{invitationId}", parameter);
            assert!(!path.contains('{'), "{path}: say what to put there");
            as_json(body, app.call(method, &path)).await.problem(401, "no_token");
            as_json(body, ana.call(method, &path)).await.problem(403, "forbidden");
            as_json(body, browser.call(method, &path).csrf()).await.problem(403, "forbidden");
            let answer = as_json(body, root.call(method, &path)).await;
            assert!(![401, 403].contains(&answer.status), "{}: {answer}", operation.id());
        }
    }
    assert_eq!(app.audited("user_deleted"), 0);
}

#[tokio::test]
async fn an_unsafe_operation_by_cookie_needs_the_csrf_header() {
    let app = TestApp::start().await;
    appoint(&app, ROOT).await;
    let root = app.signed_in(ROOT).await;
    let ana = app.signed_in("ana@example.com").await;
    let (id, session) = (id(&app, "ana@example.com").await, ana.session_id().await);
    for operation in administration().iter().filter(|it| it.method != reqwest::Method::GET) {
        let path = operation.path.replace("{userId}", &id).replace("{sessionId}", &session);
        let path = path.replace("{invitationId}", NOBODY);
        let call = root.call(operation.method.as_str(), &path).json(json!({"isDisabled": true}));
        call.await.problem(403, "csrf_failed");
    }
    ana.me().await.ok();
    let patch = root.call("PATCH", &path(&id)).csrf().json(json!({"isDisabled": true}));
    patch.await.sets_no_cookies().ok();
    ana.me().await.problem(403, "invalid_refresh_token");
}

#[tokio::test]
async fn a_role_is_in_force_on_the_next_request() {
    let app = TestApp::start().await;
    let root = admin(&app, ROOT).await;
    let mut ben = app.program("ben@example.com").await;
    let browser = app.signed_in("ben@example.com").await;
    let id = id(&app, "ben@example.com").await;

    let user = patch(&root, &id, json!({"role": "admin"})).await.ok();
    assert_eq!((&user["role"], &user["id"]), (&"admin".into(), &id.clone().into()));
    // What the old token says is out of date; a browser is renewed on the way.
    ben.call("GET", USERS).await.problem(401, "access_token_expired");
    browser.call("GET", USERS).await.sets_cookies(&["refreshToken", "token"]).ok();
    ben.refresh().await;
    ben.call("GET", USERS).await.ok();

    patch(&root, &id, json!({"role": "user"})).await.ok();
    ben.call("GET", USERS).await.problem(401, "access_token_expired");
    ben.refresh().await;
    ben.call("GET", USERS).await.problem(403, "forbidden");
    browser.call("GET", USERS).await.problem(403, "forbidden");
    assert_eq!(browser.me().await.ok()["role"], "user");

    // The shell's too, once it is followed.
    app.operator("ben@example.com", UserChange::Role(Role::Admin)).await;
    browser.call("GET", USERS).await.ok();
    app.operator("ben@example.com", UserChange::Role(Role::User)).await;
    browser.call("GET", USERS).await.problem(403, "forbidden");
}

#[tokio::test]
async fn a_disabled_user_is_out_at_once_and_may_come_back() {
    let app = TestApp::start().await;
    let root = admin(&app, ROOT).await;
    let ana = app.signed_in("ana@example.com").await;
    let id = id(&app, "ana@example.com").await;
    app.clock.advance(SECOND);

    let now = app.now().wall.to_string();
    let user = patch(&root, &id, json!({"isDisabled": true})).await.ok();
    assert_eq!((&user["disabledAt"], &user["updatedAt"]), (&now.clone().into(), &now.into()));
    ana.me().await.problem(403, "invalid_refresh_token");
    ana.refresh().await.problem(403, "invalid_refresh_token");
    app.login("ana@example.com", PASSWORD).await.problem(403, "account_disabled");

    // Once more changes nothing.
    app.clock.advance(SECOND);
    assert_eq!(patch(&root, &id, json!({"isDisabled": true})).await.ok(), user);
    assert_eq!(patch(&root, &id, json!({})).await.ok(), user);
    assert_eq!(root.call("GET", &path(&id)).await.ok(), user);
    assert_eq!(app.audited("user_disabled"), 1);

    let user = patch(&root, &id, json!({"isDisabled": false, "isVerified": true})).await.ok();
    assert_eq!((user.get("disabledAt"), &user["isVerified"]), (None, &true.into()));
    ana.me().await.problem(401, "session_expired");
    assert_eq!(ana.login("ana@example.com").await.ok()["user"]["isVerified"], true);
}

#[tokio::test]
async fn a_verification_reaches_the_tokens() {
    let app = TestApp::start().await;
    let root = admin(&app, ROOT).await;
    let mut ana = app.program("ana@example.com").await;
    let browser = app.signed_in("ana@example.com").await;
    let id = id(&app, "ana@example.com").await;
    for is_verified in [true, false] {
        patch(&root, &id, json!({"isVerified": is_verified})).await.ok();
        ana.me().await.problem(401, "access_token_expired");
        assert_eq!(browser.me().await.ok()["isVerified"], is_verified);
        ana.refresh().await;
        ana.me().await.ok();
    }
}

#[tokio::test]
async fn an_account_is_made_for_somebody() {
    let app = TestApp::with(|config| {
        config.registration = doorward::config::Registration::Closed;
    })
    .await;
    let root = admin(&app, ROOT).await;
    let body = json!({"email": "Ben@EXAMPLE.com", "password": PASSWORD, "role": "admin", "isVerified": true});
    let answer = root.call("POST", USERS).json(body.clone()).await;
    let ben = answer.sets_no_cookies().status(201);
    assert_eq!(ben["email"], "ben@example.com");
    assert_eq!((&ben["role"], &ben["isVerified"]), (&"admin".into(), &true.into()));
    assert_eq!(ben.get("disabledAt"), None);
    root.call("POST", USERS).json(body).await.problem(409, "email_taken");
    assert_eq!(
        last_event(&root).await,
        ("registered".to_owned(), ben["id"].clone(), id(&app, ROOT).await.into())
    );

    let signed_in = app.login("ben@example.com", PASSWORD).await.ok();
    assert_eq!(signed_in["user"]["role"], "admin");
    assert_eq!(root.call("GET", &path(ben["id"].as_str().unwrap())).await.ok(), ben);
}

#[tokio::test]
async fn an_account_without_a_password_takes_none() {
    let app = TestApp::start().await;
    let root = admin(&app, ROOT).await;
    let ben = root.call("POST", USERS).json(json!({"email": "ben@example.com"})).await.status(201);
    assert_eq!((&ben["role"], &ben["isVerified"]), (&"user".into(), &false.into()));
    for password in ["", " ", PASSWORD, "\0"] {
        app.login("ben@example.com", password).await.problem(401, "invalid_credentials");
    }
    let password = doorward::domain::password::Password::present(PASSWORD).unwrap();
    let hash = app.app().hasher.hash(password, [7; 16]).await.unwrap();
    app.operator("ben@example.com", UserChange::PasswordHash(hash)).await;
    app.login("ben@example.com", PASSWORD).await.ok();
}

#[tokio::test]
async fn an_account_is_deleted() {
    let app = TestApp::start().await;
    let root = admin(&app, ROOT).await;
    let ana = app.signed_in("ana@example.com").await;
    let id = id(&app, "ana@example.com").await;
    let answer = root.call("DELETE", &path(&id)).await;
    answer.status(204);
    assert!(answer.body.is_empty());
    ana.me().await.problem(403, "invalid_refresh_token");
    app.login("ana@example.com", PASSWORD).await.problem(401, "invalid_credentials");
    let event = ("user_deleted".to_owned(), id.clone().into(), self::id(&app, ROOT).await.into());
    assert_eq!(last_event(&root).await, event);

    for (method, path) in [
        ("GET", path(&id)),
        ("DELETE", path(&id)),
        ("GET", path(&id) + "/sessions"),
        ("DELETE", path(&id) + "/sessions"),
        ("GET", path("nonsense")),
        ("DELETE", path("%ff")),
    ] {
        root.call(method, &path).await.problem(404, "not_found");
    }
    patch(&root, &id, json!({"role": "admin"})).await.problem(404, "not_found");
    app.account("ana@example.com").await;
    assert_ne!(self::id(&app, "ana@example.com").await, id);
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let app = TestApp::start().await;
    let root = admin(&app, ROOT).await;
    app.account("ana@example.com").await;
    let root_id = id(&app, ROOT).await;
    let stays = || async {
        for body in [
            json!({"role": "user"}),
            json!({"isDisabled": true}),
            json!({"role": "user", "isVerified": true}),
            json!({"role": "user", "isDisabled": true, "isVerified": true}),
        ] {
            patch(&root, &root_id, body).await.problem(409, "last_admin");
        }
        root.call("DELETE", &path(&root_id)).await.problem(409, "last_admin");
    };
    stays().await;
    let user = app.user(ROOT).await;
    assert_eq!((user.role, user.disabled_at), (Role::Admin, None));
    assert!(!user.is_verified, "all or nothing");
    root.me().await.ok();

    // One who cannot sign in does not count.
    let ben = admin(&app, "ben@example.com").await;
    let ben_id = id(&app, "ben@example.com").await;
    patch(&root, &ben_id, json!({"isDisabled": true})).await.ok();
    stays().await;
    // Nor is one missed who is no administrator any more.
    patch(&root, &ben_id, json!({"role": "user", "isDisabled": false})).await.ok();
    stays().await;
    ben.me().await.problem(401, "session_expired");

    // With another one they may go.
    patch(&root, &ben_id, json!({"role": "admin"})).await.ok();
    root.call("DELETE", &path(&root_id)).await.status(204);
    root.me().await.problem(401, "session_expired");
}

#[tokio::test]
async fn one_who_locks_themselves_out_loses_the_cookies() {
    let app = TestApp::start().await;
    appoint(&app, ROOT).await;
    appoint(&app, "ben@example.com").await;
    let ben_id = id(&app, "ben@example.com").await;
    for (method, end, body) in [
        ("PATCH", "", json!({"isDisabled": true})),
        ("DELETE", "/sessions", json!({})),
        ("DELETE", "/sessions/{own}", json!({})),
        ("DELETE", "", json!({})),
    ] {
        app.operator("ben@example.com", UserChange::Enable).await;
        let ben = app.signed_in("ben@example.com").await;
        let end = end.replace("{own}", &ben.session_id().await);
        // After a silent refresh too: what clears comes last.
        app.clock.advance(ACCESS_TTL);
        let call = ben.call(method, &(path(&ben_id) + &end)).csrf();
        let call = if method == "PATCH" { call.json(body) } else { call };
        let answer = call.await;
        assert!(answer.clears_cookies().status < 300, "{answer}");
        assert!(ben.jar().is_empty());
    }
}

/// Whoever comes second finds that they are the last.
#[tokio::test]
async fn of_two_who_unseat_each_other_at_once_one_stays() {
    for body in [json!({"role": "user"}), json!({"isDisabled": true}), Value::Null] {
        for _ in 0..8 {
            let app = TestApp::start().await;
            let (one, two) = (admin(&app, ROOT).await, admin(&app, "ben@example.com").await);
            let (one_id, two_id) = (id(&app, ROOT).await, id(&app, "ben@example.com").await);
            let (first, second) =
                tokio::join!(unseat(&one, &two_id, &body), unseat(&two, &one_id, &body));
            let statuses = [first.status, second.status];
            let done = statuses.iter().filter(|status| **status < 300).count();
            assert_eq!(done, 1, "{statuses:?}");
            // The other one came too late for the guard, or for the store.
            assert!(statuses.iter().any(|status| [401, 403, 409].contains(status)), "{statuses:?}");
            let left = "SELECT count(*) FROM users WHERE role = 'admin' AND disabled_at IS NULL";
            let left: i64 = app.sql().query_row(left, [], |row| row.get(0)).unwrap();
            assert_eq!(left, 1);
        }
    }
}

#[tokio::test]
async fn users_are_found() {
    let app = TestApp::start().await;
    let root = admin(&app, ROOT).await;
    for email in ["ana@example.com", "ben@example.org", "añ_a%@example.com"] {
        app.clock.advance(SECOND);
        app.account(email).await;
    }
    app.operator("ben@example.org", UserChange::Disable).await;
    app.operator("ana@example.com", UserChange::Verified(true)).await;
    for (query, found) in [
        ("", &["añ_a%@example.com", "ben@example.org", "ana@example.com", ROOT][..]),
        ("?search=", &["añ_a%@example.com", "ben@example.org", "ana@example.com", ROOT]),
        ("?search=EXAMPLE.ORG", &["ben@example.org"]),
        ("?search=A%C3%91", &["añ_a%@example.com"]),
        ("?search=an%CC%83", &["añ_a%@example.com"]),
        ("?search=_", &["añ_a%@example.com"]),
        ("?search=%25", &["añ_a%@example.com"]),
        ("?search=%27%20OR%201%3D1", &[]),
        ("?role=admin", &[ROOT]),
        ("?role=user&isDisabled=false", &["añ_a%@example.com", "ana@example.com"]),
        ("?isDisabled=true", &["ben@example.org"]),
        ("?isVerified=true", &["ana@example.com"]),
        ("?isVerified=false&role=admin", &[ROOT]),
        ("?role=admin&search=ana", &[]),
    ] {
        let list = root.call("GET", &format!("{USERS}{query}")).await.ok();
        assert_eq!(emails(&list), found, "{query}");
        assert_eq!(list.get("nextCursor"), None, "{query}");
    }
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let app = TestApp::start().await;
    let root = admin(&app, ROOT).await;
    for number in 0..6 {
        app.clock.advance(SECOND);
        app.account(&format!("user-{number}@example.com")).await;
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let list = root.call("GET", &format!("{USERS}?limit=3{cursor}")).await.ok();
        seen.extend(emails(&list).into_iter().map(str::to_owned));
        // Who comes later does not move the rest.
        app.clock.advance(SECOND);
        app.account(&format!("late-{}@example.com", seen.len())).await;
        let Some(next) = list["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    let expected: Vec<_> = (0..6).rev().map(|it| format!("user-{it}@example.com")).collect();
    assert_eq!(seen[..6], expected);
    assert_eq!(seen[6..], [ROOT]);
    // A full last page says that it is the last.
    let list = root.call("GET", &format!("{USERS}?limit=100&role=admin")).await.ok();
    assert_eq!((emails(&list).len(), list.get("nextCursor")), (1, None));
    let list = root.call("GET", &format!("{USERS}?limit=1&role=admin")).await.ok();
    assert_eq!((emails(&list).len(), list.get("nextCursor")), (1, None));
}

#[tokio::test]
async fn a_bad_query_is_told_by_its_parameter() {
    let app = TestApp::start().await;
    let root = admin(&app, ROOT).await;
    let long = format!("search={}", "x".repeat(255));
    for (path, query, field) in [
        (USERS, "limit=0", "/limit"),
        (USERS, "limit=101", "/limit"),
        (USERS, "limit=secret", "/limit"),
        (USERS, "limit=1&limit=2", "/limit"),
        (USERS, "role=owner", "/role"),
        (USERS, "role=", "/role"),
        (USERS, "isVerified=1", "/isVerified"),
        (USERS, "isDisabled=secret", "/isDisabled"),
        (USERS, "cursor=secret", "/cursor"),
        (USERS, "cursor=", "/cursor"),
        (USERS, &long, "/search"),
        (USERS, "role=admin&isdisabled=true", "/isdisabled"),
        (USERS, "=", "/"),
        (USERS, "a/b~c", "/a~1b~0c"),
        ("/api/auth/events", "userId=1", "/userId"),
        ("/api/admin/events", "userId=secret", "/userId"),
        ("/api/admin/events", "event=secret", "/event"),
        ("/api/admin/events", "limit=1e9", "/limit"),
        ("/api/admin/events", "cursor=%00", "/cursor"),
        ("/api/auth/events", "limit=-1", "/limit"),
        ("/api/auth/events", "cursor=AAAA", "/cursor"),
    ] {
        let answer = root.call("GET", &format!("{path}?{query}")).await;
        let problem = answer.problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["field"], field, "{query}");
        assert!(!answer.text().contains("secret"), "never the value: {answer}");
    }
}

/// Each field of each body, with what it cannot be.
#[tokio::test]
async fn a_bad_body_is_told_by_its_field() {
    let app = TestApp::start().await;
    let root = admin(&app, ROOT).await;
    let root_id = id(&app, ROOT).await;
    for (field, value) in [
        ("/email", json!("ben")),
        ("/email", json!(5)),
        ("/email", json!("x".repeat(300))),
        ("/password", json!("short")),
        ("/password", json!("x".repeat(257))),
        ("/password", json!("x".repeat(2000))),
        ("/role", json!("owner")),
        ("/role", json!(["admin"])),
        ("/isVerified", json!("yes")),
        ("/isVerified", json!(1)),
        ("/isDisabled", json!(true)),
        ("/id", json!(NOBODY)),
        ("/createdAt", json!("2020-01-01T00:00:00.000Z")),
        ("/passwordHash", json!("$argon2id$")),
    ] {
        let mut body = json!({"email": "ben@example.com"});
        body[&field[1..]] = value;
        let problem = root.call("POST", USERS).json(body).await.problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    root.call("POST", USERS).json(json!({})).await.problem(422, "validation_failed");
    for (field, value) in [
        ("/role", json!("owner")),
        ("/role", json!(true)),
        ("/isVerified", json!("true")),
        ("/isDisabled", json!(0)),
        ("/isDisabled", json!({})),
        ("/email", json!("ben@example.com")),
        ("/password", json!(PASSWORD)),
        ("/disabledAt", json!("2020-01-01T00:00:00.000Z")),
        ("/id", json!(NOBODY)),
    ] {
        let body = json!({ &field[1..]: value });
        let problem = patch(&root, &root_id, body).await.problem(422, "validation_failed");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    assert_eq!(app.audited("registered"), 1);
}

/// Nothing that a user can send raises their role.
#[tokio::test]
async fn nobody_appoints_themselves() {
    let app = TestApp::start().await;
    let more = [
        ("role", json!("admin")),
        ("isVerified", json!(true)),
        ("id", json!(NOBODY)),
        ("user", json!({"role": "admin"})),
    ];
    for (name, value) in &more {
        for path in ["/api/auth/register", "/api/auth/login", "/api/auth/refresh"] {
            let mut body = json!({"email": "eve@example.com", "password": PASSWORD});
            body[*name] = value.clone();
            app.post(path).json(body).await.problem(422, "validation_failed");
        }
    }
    let eve = app.register("eve@example.com", PASSWORD);
    assert_eq!(eve.await.status(201)["user"]["role"], "user");
    // Nor in the query, nor a header; nor with any body that a user's operations take.
    let call = app.post("/api/auth/register?role=admin").header("x-role", "admin");
    let made = call.json(json!({"email": "eva@example.com", "password": PASSWORD})).await;
    assert_eq!(made.status(201)["user"]["role"], "user");
    let eve = app.program("eve@example.com").await;
    for operation in operations().iter().filter(|it| it.is_protected() && it.has_body()) {
        let path = operation.path.replace("{userId}", &id(&app, "eve@example.com").await);
        let path = path.replace("{addressId}", NOBODY);
        for (name, value) in &more {
            let call = eve.call(operation.method.as_str(), &path).json(json!({ *name: value }));
            let answer = call.await;
            assert!([403, 422].contains(&answer.status), "{}: {answer}", operation.id());
        }
    }
    assert_eq!(app.user("eve@example.com").await.role, Role::User);
    assert!(!app.user("eve@example.com").await.is_verified);
}

#[tokio::test]
async fn the_sessions_of_a_user_are_seen_and_ended() {
    let app = TestApp::start().await;
    let root = admin(&app, ROOT).await;
    let laptop: Browser<'_> = app.signed_in("ana@example.com").await;
    app.clock.advance(SECOND);
    let phone = app.signed_in("ana@example.com").await;
    let ben = app.signed_in("ben@example.com").await;
    let sessions_of = path(&id(&app, "ana@example.com").await) + "/sessions";

    let list = root.call("GET", &sessions_of).await.ok();
    let ids: Vec<_> =
        list["sessions"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
    let (laptop_id, phone_id) = (laptop.session_id().await, phone.session_id().await);
    assert_eq!(ids, [Value::from(phone_id), Value::from(laptop_id.clone())]);
    assert!(list["sessions"].as_array().unwrap().iter().all(|it| it["current"] == false));

    let revoke = |id: &str| root.call("DELETE", &format!("{sessions_of}/{id}"));
    // The session must be that user's.
    for id in [ben.session_id().await.as_str(), NOBODY, "nonsense"] {
        revoke(id).await.problem(404, "not_found");
    }
    let answer = revoke(&laptop_id).await;
    answer.sets_no_cookies().status(204);
    laptop.me().await.problem(401, "session_expired");
    phone.me().await.ok();
    revoke(&laptop_id).await.problem(404, "not_found");
    let (event, _, actor) = last_event(&root).await;
    assert_eq!((event.as_str(), actor), ("session_revoked", id(&app, ROOT).await.into()));

    root.call("DELETE", &sessions_of).await.status(204);
    phone.me().await.problem(401, "session_expired");
    assert_eq!(root.call("GET", &sessions_of).await.ok()["sessions"], json!([]));
    root.call("DELETE", &sessions_of).await.status(204);
    ben.me().await.ok();
}
