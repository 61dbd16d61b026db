//! The audit trail: what is recorded, who sees it, and for how long.

use doorward::domain::claims::Role;
use doorward::store::UserChange;
use serde_json::{Value, json};

use crate::harness::{DAY, NOBODY, PASSWORD, Program, SECOND, TestApp};

const ALL: &str = "/api/admin/events";
const OWN: &str = "/api/auth/events";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

async fn admin(app: &TestApp) -> Program<'_> {
    app.account("root@example.com").await;
    app.operator("root@example.com", UserChange::Role(Role::Admin)).await;
    app.program("root@example.com").await
}

fn column(list: &Value, name: &str) -> Vec<Value> {
    list["events"].as_array().unwrap().iter().map(|it| it[name].clone()).collect()
}

fn names(list: &Value) -> Vec<String> {
    column(list, "event").iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

/// What was queued before is written after it.
async fn settle(app: &TestApp) {
    app.app().store.probe(app.now()).await.unwrap();
}

#[tokio::test]
async fn a_user_sees_what_happened_to_their_account() {
    let app = TestApp::start().await;
    let root = admin(&app).await;
    app.account("ana@example.com").await;
    app.clock.advance(SECOND);
    let wrong = app.login("ana@example.com", "wrong horse").header("user-agent", FIREFOX);
    wrong.await.problem(401, "invalid_credentials");
    app.clock.advance(SECOND);
    let ana = app.browser().named(FIREFOX);
    ana.login("ana@example.com").await.ok();
    app.signed_in("ben@example.com").await;
    let id = app.user("ana@example.com").await.id;
    root.call("PATCH", &format!("/api/admin/users/{id}")).json(json!({"role": "admin"})).await.ok();

    let list = ana.call("GET", OWN).await.ok();
    assert_eq!(names(&list), ["role_changed", "signed_in", "sign_in_refused", "registered"]);
    let now = app.now().wall;
    assert_eq!(
        column(&list, "at"),
        [now, now, now.minus(SECOND), now.minus(2 * SECOND)].map(|at| at.to_string().into())
            as [Value; 4]
    );
    assert_eq!(column(&list, "device")[1..3], ["Firefox on Linux", "Firefox on Linux"]);
    assert_eq!(column(&list, "ip")[1..3], ["127.0.0.1", "127.0.0.1"]);
    assert_eq!(list["events"][1]["sessionId"], ana.session_id().await);
    // Where the administrator sat is not the user's business.
    assert_eq!(column(&list, "byAdmin"), [true, false, false, false]);
    assert_eq!(
        (&list["events"][0]["ip"], &list["events"][0]["userAgent"]),
        (&"".into(), &"".into())
    );
    assert!(!list.to_string().contains(&app.user("root@example.com").await.id.to_string()));
}

#[tokio::test]
async fn an_administrator_sees_everything_and_can_narrow_it_down() {
    let app = TestApp::start().await;
    let root = admin(&app).await;
    app.signed_in("ana@example.com").await.logout().await.ok();
    app.signed_in("ben@example.com").await;
    let (ana, ben) = (app.user("ana@example.com").await.id, app.user("ben@example.com").await.id);
    let root_id = app.user("root@example.com").await.id;
    let delete = root.call("DELETE", &format!("/api/admin/users/{ben}"));
    delete.await.status(204);

    let list = root.call("GET", ALL).await.ok();
    assert_eq!(
        names(&list),
        [
            "user_deleted",
            "signed_in",
            "registered",
            "signed_out",
            "signed_in",
            "registered",
            "signed_in",
            "role_changed",
            "registered"
        ]
    );
    let deletion = &list["events"][0];
    assert_eq!(deletion["userId"], ben.to_string());
    assert_eq!(deletion["actorId"], root_id.to_string());
    assert_eq!(deletion["ip"], "127.0.0.1");
    assert!(list["events"].as_array().unwrap()[1..].iter().all(|it| it.get("actorId").is_none()));

    for (query, found) in [
        (format!("?userId={ana}"), &["signed_out", "signed_in", "registered"][..]),
        (format!("?userId={ben}"), &["user_deleted", "signed_in", "registered"]),
        (format!("?userId={ben}&event=signed_in"), &["signed_in"]),
        ("?event=signed_out".to_owned(), &["signed_out"]),
        ("?event=signed_in&limit=2".to_owned(), &["signed_in", "signed_in"]),
        ("?event=refresh_token_reused".to_owned(), &[]),
        (format!("?userId={NOBODY}"), &[]),
    ] {
        assert_eq!(names(&root.call("GET", &format!("{ALL}{query}")).await.ok()), found, "{query}");
    }
}

#[tokio::test]
async fn a_trail_is_read_page_by_page() {
    let app = TestApp::start().await;
    let root = admin(&app).await;
    let mut anas = app.program("ana@example.com").await;
    for _ in 0..4 {
        app.signed_in("ben@example.com").await;
        anas = app.program("ana@example.com").await;
    }
    let own = "signed_in ".repeat(5) + "registered";
    for (program, path, expected) in [(&anas, OWN, own), (&root, ALL, String::new())] {
        settle(&app).await;
        let whole = names(&program.call("GET", path).await.ok());
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let list = program.call("GET", &format!("{path}?limit=2{cursor}")).await.ok();
            seen.extend(names(&list));
            // What comes later does not move the rest.
            app.login("ana@example.com", "wrong horse").await.problem(401, "invalid_credentials");
            let Some(next) = list["nextCursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen, whole);
        assert!(expected.is_empty() || seen.join(" ") == expected, "{seen:?}");
    }
}

#[tokio::test]
async fn refused_sign_ins_are_on_record_but_not_of_strangers() {
    let app = TestApp::start().await;
    app.account("ana@example.com").await;
    app.account("off@example.com").await;
    app.operator("off@example.com", UserChange::Disable).await;
    app.login("ana@example.com", "wrong horse").await.problem(401, "invalid_credentials");
    app.login("off@example.com", PASSWORD).await.problem(403, "account_disabled");
    app.login("off@example.com", "wrong horse").await.problem(401, "invalid_credentials");
    app.login("nobody@example.com", PASSWORD).await.problem(401, "invalid_credentials");
    settle(&app).await;
    assert_eq!(app.audited("sign_in_refused"), 3);
    let strangers = "SELECT count(*) FROM audit WHERE user_id IS NULL OR session_id IS NOT NULL";
    let strangers: i64 = app.sql().query_row(strangers, [], |row| row.get(0)).unwrap();
    assert_eq!(strangers, 0);
}

/// No more of them than the limits let through, however many are tried.
#[tokio::test]
async fn refused_sign_ins_do_not_flood_the_trail() {
    let app = TestApp::with(|config| config.throttle = true).await;
    for (email, password) in [("ana@example.com", "wrong horse"), ("off@example.com", PASSWORD)] {
        app.account(email).await;
        if password == PASSWORD {
            app.operator(email, UserChange::Disable).await;
        }
        for _ in 0..30 {
            app.login(email, password).await;
        }
        app.login(email, password).await.problem(429, "too_many_attempts");
    }
    settle(&app).await;
    assert_eq!(app.audited("sign_in_refused"), 20);
}

#[tokio::test]
async fn what_was_done_at_the_shell_has_no_actor() {
    let app = TestApp::start().await;
    let root = admin(&app).await;
    app.account("ana@example.com").await;
    for change in [UserChange::Verified(true), UserChange::Verified(false), UserChange::Disable] {
        app.operator("ana@example.com", change).await;
    }
    let list = root.call("GET", &format!("{ALL}?limit=3")).await.ok();
    assert_eq!(names(&list), ["user_disabled", "user_unverified", "user_verified"]);
    assert_eq!(column(&list, "actorId"), [Value::Null, Value::Null, Value::Null]);
    assert_eq!(column(&list, "ip"), ["", "", ""]);
}

#[tokio::test]
async fn it_is_told_which_role_somebody_was_given() {
    let app = TestApp::start().await;
    let root = admin(&app).await;
    app.signed_in("ana@example.com").await;
    let id = app.user("ana@example.com").await.id;
    for role in ["admin", "user"] {
        let change = root.call("PATCH", &format!("/api/admin/users/{id}"));
        change.json(json!({"role": role})).await.ok();
    }
    for (email, role) in [("ben@example.com", "admin"), ("eve@example.com", "user")] {
        let new = json!({"email": email, "role": role});
        root.call("POST", "/api/admin/users").json(new).await.status(201);
    }
    let expected = [
        ("registered", Value::Null),
        ("registered", json!({"role": "admin"})),
        ("role_changed", json!({"role": "user"})),
        ("role_changed", json!({"role": "admin"})),
        ("signed_in", Value::Null),
    ];
    let told = |list: &Value| -> Vec<(String, Value)> {
        names(list).into_iter().zip(column(list, "detail")).collect()
    };
    let expected = expected.map(|(name, detail)| (name.to_owned(), detail));
    assert_eq!(told(&root.call("GET", &format!("{ALL}?limit=5")).await.ok()), expected);
    // The one whom it is about is told, too; and absent is not null.
    let ana = app.program("ana@example.com").await;
    let own = ana.call("GET", &format!("{OWN}?limit=4")).await.ok();
    assert_eq!(told(&own)[1..3], expected[2..4]);
    assert!(own["events"][0].get("detail").is_none());
    // The database keeps it as it keeps the rest.
    let error = app.sql().execute("UPDATE audit SET detail = '{}'", []).unwrap_err().to_string();
    assert!(error.contains("append-only"), "{error}");
}

/// An administrator's own sessions and changes are theirs, like anybody's.
#[tokio::test]
async fn who_does_it_to_themselves_is_no_actor() {
    let app = TestApp::start().await;
    let root = admin(&app).await;
    let id = app.user("root@example.com").await.id;
    let change = root.call("PATCH", &format!("/api/admin/users/{id}"));
    change.json(json!({"isVerified": true})).await.ok();
    let root = app.program("root@example.com").await;
    let list = root.call("GET", &format!("{OWN}?limit=2")).await.ok();
    assert_eq!(names(&list), ["signed_in", "user_verified"]);
    assert_eq!(column(&list, "byAdmin"), [false, false]);
    assert_eq!(list["events"][1]["ip"], "127.0.0.1");
}

#[tokio::test]
async fn events_go_when_the_retention_is_over_and_no_sooner() {
    const KEEP: std::time::Duration = std::time::Duration::from_secs(90 * 24 * 3600);
    let app = TestApp::start().await;
    app.account("ana@example.com").await;
    app.clock.advance(DAY);
    app.account("ben@example.com").await;
    let sweep = || async { app.app().store.sweep_audit(KEEP, app.now()).await.unwrap() };

    app.clock.advance(KEEP - DAY);
    assert_eq!(sweep().await, 0, "exactly as old as is kept");
    app.clock.advance(SECOND);
    assert_eq!(sweep().await, 1);
    assert_eq!(sweep().await, 0);
    let ids = "SELECT count(*) FROM audit JOIN users ON users.id = user_id WHERE email = ?1";
    let count =
        |email: &str| -> i64 { app.sql().query_row(ids, [email], |row| row.get(0)).unwrap() };
    assert_eq!((count("ana@example.com"), count("ben@example.com")), (0, 1));

    // Between the sweeps the trail is as append-only as ever, for old rows too.
    app.clock.advance(10 * DAY);
    for statement in ["DELETE FROM audit", "UPDATE audit SET at = 0"] {
        let error = app.sql().execute(statement, []).unwrap_err().to_string();
        assert!(error.contains("append-only"), "{error}");
    }
    // A day is kept, whatever is asked for.
    app.account("eve@example.com").await;
    app.clock.advance(SECOND);
    let store = &app.app().store;
    assert_eq!(store.sweep_audit(std::time::Duration::ZERO, app.now()).await.unwrap(), 1);
    assert_eq!(count("eve@example.com"), 1);
}

/// The writer is never held for long: a few rows at a time, and it is told whether there are more.
#[tokio::test]
async fn a_sweep_goes_by_small_steps() {
    let app = TestApp::start().await;
    let insert = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250)
        INSERT INTO audit (at, event, ip, user_agent) SELECT i, 'signed_in', '', '' FROM n";
    app.sql().execute(insert, []).unwrap();
    let mut steps = Vec::new();
    while steps.last() != Some(&0) {
        steps.push(app.app().store.sweep_audit(DAY, app.now()).await.unwrap());
    }
    assert_eq!(steps, [100, 100, 50, 0]);
    assert_eq!(app.audited("signed_in"), 0);
}
