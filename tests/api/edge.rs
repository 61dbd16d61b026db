//! What is true of every path: 404, 405, HEAD, trailing slashes, security headers.

use doorward::config::PublicUrl;
use poem::{Endpoint as _, EndpointExt as _};

use crate::harness::{ACCESS_TTL, NOBODY, PASSWORD, TestApp};

#[tokio::test]
async fn what_is_not_there() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    for path in [
        "/",
        "/api",
        "/api/",
        "/api/auth",
        "/api/auth/nowhere",
        "/api/auth/me/more",
        "/api/auth/login/zebra",
        "/API/auth/me",
        "/api/auth/sessions/a/b",
        "/.well-known/nothing",
        "/docs/index.html",
        "/%00",
        "/%ff",
        "/zebra?zebra=zebra",
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let answer = ana.call(method, path).await;
            answer.sets_no_cookies().problem(404, "not_found");
            assert!(!answer.text().contains("zebra"));
        }
    }
    // What is not there is no way to have tokens renewed.
    app.clock.advance(ACCESS_TTL);
    ana.call("GET", "/nowhere").await.sets_no_cookies().problem(404, "not_found");
}

#[tokio::test]
async fn methods_that_a_path_does_not_have() {
    let app = TestApp::start().await;
    let session = format!("/api/auth/sessions/{NOBODY}");
    for (path, allowed) in [
        ("/api/auth/register", &["POST"][..]),
        ("/api/auth/login", &["POST"]),
        ("/api/auth/refresh", &["POST"]),
        ("/api/auth/logout", &["POST"]),
        ("/api/auth/logout-all", &["POST"]),
        ("/api/auth/me", &["GET", "HEAD"]),
        ("/api/auth/sessions", &["GET", "HEAD"]),
        (&session, &["DELETE"]),
        ("/.well-known/doorward-keys", &["GET", "HEAD"]),
        ("/docs", &["GET", "HEAD"]),
        ("/openapi.json", &["GET", "HEAD"]),
        ("/openapi.yaml", &["GET", "HEAD"]),
        ("/healthz", &["GET", "HEAD"]),
        ("/readyz", &["GET", "HEAD"]),
        ("/metrics", &["GET", "HEAD"]),
        ("/account/verify-email", &["GET", "HEAD"]),
        ("/account/reset-password?token=x", &["GET", "HEAD"]),
    ] {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"]
        {
            let answer = app.call(method, path).await;
            if allowed.contains(&method) {
                assert_ne!(answer.status, 405, "{method} {path}");
                continue;
            }
            assert_eq!(answer.status, 405, "{method} {path}: {answer}");
            let mut found: Vec<_> = answer.header("allow").split(", ").collect();
            found.sort_unstable();
            assert_eq!(found, allowed, "{method} {path}");
            if method != "HEAD" {
                answer.problem(405, "method_not_allowed");
            }
        }
    }
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    for path in [
        "/api/auth/me",
        "/api/auth/sessions",
        "/.well-known/doorward-keys",
        "/docs",
        "/openapi.json",
        "/healthz",
        "/readyz",
        "/account/undo-email-change?token=x",
    ] {
        let (get, head) = (ana.call("GET", path).await, ana.call("HEAD", path).await);
        assert_eq!(head.status, 200, "{path}");
        assert!(head.body.is_empty(), "{path}");
        for name in ["content-type", "etag", "cache-control"] {
            assert_eq!(head.header(name), get.header(name), "{path} {name}");
        }
        // It may be left out (RFC 9110 §8.6), but not be another.
        let lengths = [head.header("content-length"), get.header("content-length")];
        assert!(lengths[0].is_empty() || lengths[0] == lengths[1], "{path} {lengths:?}");
    }
    let stranger = app.call("HEAD", "/api/auth/me").await;
    assert_eq!((stranger.status, stranger.body.len()), (401, 0));
    app.clock.advance(ACCESS_TTL);
    ana.call("HEAD", "/api/auth/me").await.sets_cookies(&["refreshToken", "token"]);
    ana.me().await.sets_no_cookies().ok();
}

/// A path with a slash too many is another path, and there is nothing there.
#[tokio::test]
async fn slashes_open_no_back_door() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    for path in [
        "/api/auth/me/",
        "/api/auth/sessions/",
        "/api/auth//me",
        "//api/auth/me",
        "/docs/",
        "/healthz/",
        "/.well-known/doorward-keys/",
    ] {
        ana.call("GET", path).await.problem(404, "not_found");
    }
    app.post("/api/auth/login/").await.problem(404, "not_found");
}

#[tokio::test]
async fn queries_are_ignored() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    ana.call("GET", "/api/auth/me?token=zebra&x").await.ok();
    let access = ana.tokens().access;
    let in_query = format!("/api/auth/me?token={access}&access_token={access}");
    app.get(&in_query).await.problem(401, "no_token");
}

/// The others are checked on every answer; see `harness/answer.rs`.
#[tokio::test]
async fn security_headers() {
    let plain = TestApp::start().await;
    let https = TestApp::with(|config| {
        config.public_url = PublicUrl::parse("https://id.example.com").ok();
    })
    .await;
    for path in ["/healthz", "/docs", "/nowhere", "/api/auth/me"] {
        let answer = plain.get(path).await;
        assert_eq!(answer.header("strict-transport-security"), "", "{path}");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin");
        assert_eq!(answer.header("server"), "", "nobody needs to know");
        let answer = https.get(path).await;
        assert!(answer.header("strict-transport-security").contains("max-age="));
    }
    let answer = plain.login("ana@example.com", PASSWORD).await;
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn each_request_has_an_id_of_its_own() {
    let app = TestApp::start().await;
    let mut ids = Vec::new();
    for _ in 0..10 {
        let answer = app.get("/healthz").header("x-request-id", "planted").await;
        ids.push(answer.header("x-request-id").to_owned());
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 10);
    assert!(!ids.contains(&"planted".to_owned()));
}

/// Targets that only a proxy or an attacker writes (RFC 9112 §3.2).
#[tokio::test]
async fn odd_targets_do_no_harm() {
    let app = TestApp::start().await;
    for (method, target, status, code) in [
        ("OPTIONS", "*", 404, "not_found"),
        ("GET", "*", 404, "not_found"),
        ("CONNECT", "evil.example:443", 404, "not_found"),
        ("GET", "http://evil.example", 404, "not_found"),
        ("GET", "http://evil.example/api/auth/me", 401, "no_token"),
    ] {
        let request = format!("{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = app.raw(method.parse().unwrap(), target, request.into()).await;
        answer.problem(status, code);
    }
}

/// No handler panics on purpose: this one stands behind the same edge.
#[tokio::test]
async fn a_panic_is_a_500_that_tells_nothing() {
    let app = TestApp::start().await;
    let web = std::sync::Arc::new(doorward::http::Web::new(app.app()));
    let handler = poem::endpoint::make_sync(|request: poem::Request| -> poem::Response {
        panic!("hunter2 in {}", request.uri())
    });
    let endpoint = handler.with(doorward::http::edge::Edge::new(web));
    let uri = "/api/auth/me?hunter2".parse().unwrap();
    let request = poem::Request::builder().uri(uri).header("host", "localhost").finish();
    let response = endpoint.get_response(request).await;
    assert_eq!(response.status(), 500);
    let id = response.header("x-request-id").unwrap().to_owned();
    let body: serde_json::Value = response.into_body().into_json().await.unwrap();
    let detail = format!("Something is wrong with the server. (request {id})");
    assert_eq!(
        body,
        serde_json::json!({
            "type": "about:blank", "title": "Internal Server Error", "status": 500,
            "code": "internal_error", "detail": detail,
        })
    );
}
