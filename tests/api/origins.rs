//! Which pages may call: the origin check, and CORS.

use doorward::config::{Origin, PublicUrl};

use crate::harness::{Answer, PASSWORD, TestApp};

const SHOP: &str = "http://localhost:5173";

async fn login(app: &TestApp, headers: &[(&str, &str)]) -> Answer {
    let mut call = app.login("ana@example.com", PASSWORD);
    for (name, value) in headers {
        call = call.header(name, value);
    }
    call.await
}

#[tokio::test]
async fn foreign_pages_are_refused_before_anything_else() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let port = app.address().port();
    let same_host = format!("http://127.0.0.1:{}", port ^ 1);
    let other_scheme = format!("https://127.0.0.1:{port}");
    let alike = format!("http://127.0.0.1.evil.example:{port}");
    for headers in [
        &[("origin", "https://evil.example")][..],
        &[("origin", "null")],
        &[("origin", "")],
        &[("origin", "nonsense")],
        &[("origin", &same_host)],
        &[("origin", &other_scheme)],
        &[("origin", &alike)],
        &[("origin", &app.url("")), ("origin", "https://evil.example")],
        &[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "cross-site")],
    ] {
        let answer = login(&app, headers).await;
        answer.sets_no_cookies().problem(403, "csrf_failed");
        assert_eq!(answer.header("access-control-allow-origin"), "");

        // On every unsafe method, whatever the credentials, the body and the path.
        for mut call in [
            app.login("ana@example.com", "wrong horse battery"),
            app.post("/api/auth/login").body("{"),
            ana.refresh(),
            ana.logout(),
            ana.logout_all(),
            ana.revoke("nonsense"),
            app.post("/api/auth/logout-all"),
            app.call("PUT", "/api/auth/me"),
            app.call("PATCH", "/nowhere"),
        ] {
            for (name, value) in headers {
                call = call.header(name, value);
            }
            call.await.sets_no_cookies().problem(403, "csrf_failed");
        }
    }
    ana.me().await.ok();
}

#[tokio::test]
async fn own_pages_and_no_pages_pass() {
    let app = TestApp::start().await;
    app.account("ana@example.com").await;
    let port = app.address().port();
    let origin = |host| format!("http://{host}:{port}");
    let (name, v4, v6) = (origin("localhost"), origin("127.0.0.1"), origin("[::1]"));
    for headers in [
        &[][..],
        &[("origin", name.as_str())],
        &[("origin", v4.as_str())],
        &[("origin", v6.as_str())],
        &[("origin", v4.as_str()), ("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
    ] {
        let answer = login(&app, headers).await;
        answer.ok();
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
}

#[tokio::test]
async fn away_from_loopback_only_the_public_origin_is_ours() {
    let app = TestApp::with(|config| {
        config.public_url = PublicUrl::parse("https://id.example.com").ok();
    })
    .await;
    app.account("ana@example.com").await;
    login(&app, &[("origin", "https://id.example.com")]).await.ok();
    for origin in [
        app.url("").as_str(),
        "http://localhost",
        "http://id.example.com",
        "https://example.com",
        "https://www.id.example.com",
        "https://id.example.com:8443",
    ] {
        login(&app, &[("origin", origin)]).await.problem(403, "csrf_failed");
    }
}

#[tokio::test]
async fn safe_methods_are_not_refused_but_not_to_be_read_either() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let answer = ana.me().header("origin", "https://evil.example").await;
    answer.ok();
    assert_eq!(answer.header("access-control-allow-origin"), "");
    assert_eq!(answer.header("access-control-allow-credentials"), "");
}

#[tokio::test]
async fn allowed_origins_may_call_with_credentials() {
    let app =
        TestApp::with(|config| config.allowed_origins = vec![Origin::parse(SHOP).unwrap()]).await;
    let ana = app.signed_in("ana@example.com").await;
    for call in [
        app.login("ana@example.com", PASSWORD),
        app.login("ana@example.com", "wrong horse battery"),
        app.get("/api/auth/me"),
        app.get("/nowhere"),
        ana.me(),
        ana.refresh(),
        ana.logout_all(),
    ] {
        let answer = call.header("origin", SHOP).await;
        assert_eq!(answer.header("access-control-allow-origin"), SHOP);
        assert_eq!(answer.header("access-control-allow-credentials"), "true");
        assert_eq!(answer.header("vary"), "Origin");
        let readable = answer.header("access-control-expose-headers");
        assert!(readable.contains("retry-after"), "{answer}");
    }
    // The cache must not mix the answers up; others are told nothing.
    let answer = app.get("/api/auth/me").header("origin", "https://evil.example").await;
    assert_eq!(answer.header("vary"), "Origin");
    assert_eq!(answer.header("access-control-allow-origin"), "");
    login(&app, &[("origin", "http://localhost:5174")]).await.problem(403, "csrf_failed");
}

#[tokio::test]
async fn a_preflight_of_an_allowed_origin_is_answered() {
    let app =
        TestApp::with(|config| config.allowed_origins = vec![Origin::parse(SHOP).unwrap()]).await;
    let ask = |origin: &str| {
        app.call("OPTIONS", "/api/auth/logout-all")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,x-csrf-token")
    };
    let answer = ask(SHOP).await;
    answer.status(204);
    assert_eq!(answer.header("access-control-allow-origin"), SHOP);
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    for method in ["GET", "POST", "DELETE"] {
        assert!(answer.header("access-control-allow-methods").contains(method));
    }
    for header in ["authorization", "content-type", "x-csrf-token"] {
        assert!(answer.header("access-control-allow-headers").contains(header));
    }

    for origin in ["https://evil.example", &app.url("")] {
        let answer = ask(origin).await;
        answer.problem(405, "method_not_allowed");
        assert_eq!(answer.header("access-control-allow-origin"), "");
    }
}
