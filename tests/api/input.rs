//! Bad input: told what and where, and never the value.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, PASSWORD, TestApp};

/// Turns up nowhere but in what is sent.
const SECRET: &str = "zebra-in-the-kitchen";

async fn post(app: &TestApp, path: &str, body: impl Into<Vec<u8>>) -> Answer {
    let call = app.post(path).header("content-type", "application/json");
    let answer = call.body(body).await;
    assert!(!answer.text().contains("zebra"), "{answer}");
    answer.sets_no_cookies();
    answer
}

/// The `field` of each error.
fn fields(problem: &Value) -> Vec<&str> {
    let errors = problem["errors"].as_array().unwrap();
    errors.iter().map(|it| it["field"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_is_no_json() {
    let app = TestApp::start().await;
    let open = format!(r#"{{"email":"{SECRET}"#);
    let single = format!("{{'password':'{SECRET}'}}");
    let bare = SECRET.to_owned();
    let twice = format!(r#"{{}}"{SECRET}""#);
    let comma = format!(r#"{{"password":"{SECRET}",}}"#);
    let deep = "[".repeat(8000);
    for body in [
        open.as_bytes(),
        single.as_bytes(),
        bare.as_bytes(),
        twice.as_bytes(),
        comma.as_bytes(),
        deep.as_bytes(),
        b"{",
        b" ",
        b"\x00",
        b"{\"email\":\"zebra\xff\"}",
        b"\xef\xbb\xbf{}",
        b"{\"email\":\"\\ud800zebra\"}",
        b"{\"email\":\"zebra\n\"}",
        b"email=zebra&password=zebra",
    ] {
        for path in ["login", "register", "refresh", "logout"] {
            let answer = post(&app, &format!("/api/auth/{path}"), body).await;
            let problem = answer.problem(400, "malformed_request");
            assert!(problem["detail"].as_str().unwrap().contains("line"), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_missing_body() {
    let app = TestApp::start().await;
    for path in ["/api/auth/login", "/api/auth/register"] {
        app.post(path).await.problem(400, "malformed_request");
        post(&app, path, "").await.problem(400, "malformed_request");
    }
    // Where it is optional, an empty one is none, whatever its type.
    post(&app, "/api/auth/refresh", "").await.problem(401, "no_refresh_token");
    let typed = app.post("/api/auth/refresh").header("content-type", "text/plain");
    typed.body("").await.problem(401, "no_refresh_token");
}

#[tokio::test]
async fn the_wrong_shape() {
    let app = TestApp::start().await;
    let email = "zebra@example.com";
    for (body, expected) in [
        (json!(null), &[""][..]),
        (json!([]), &[""]),
        (json!([{"email": email, "password": SECRET}]), &[""]),
        (json!(SECRET), &[""]),
        (json!(7), &[""]),
        (json!(true), &[""]),
        (json!({}), &["/email", "/password"]),
        (json!({"email": email}), &["/password"]),
        (json!({"password": SECRET}), &["/email"]),
        (json!({"Email": email, "password": SECRET}), &["/Email", "/email"]),
        (json!({"email": email, "password": 12_345_678}), &["/password"]),
        (json!({"email": email, "password": 1.5}), &["/password"]),
        (json!({"email": email, "password": true}), &["/password"]),
        (json!({"email": email, "password": null}), &["/password"]),
        (json!({"email": email, "password": [SECRET]}), &["/password"]),
        (json!({"email": email, "password": {"is": SECRET}}), &["/password"]),
        (json!({"email": {"is": email}, "password": [SECRET]}), &["/email", "/password"]),
        (json!({"email": email, "password": SECRET, "admin": true}), &["/admin"]),
        (json!({"email": email, "password": SECRET, "a/b~c": 1}), &["/a~1b~0c"]),
        (json!({"email": email, "password": SECRET, "": 1}), &["/"]),
        (json!({"email": email, "password": SECRET, "delivery": "zebra"}), &["/delivery"]),
        (json!({"email": email, "password": SECRET, "delivery": "Body"}), &["/delivery"]),
        (json!({"email": email, "password": SECRET, "delivery": 1}), &["/delivery"]),
        (json!({"email": "no zebra", "password": SECRET}), &["/email"]),
        (json!({"email": "a".repeat(255), "password": SECRET}), &["/email"]),
        (
            json!({"email": email, "password": format!("{SECRET}{}", "a".repeat(256))}),
            &["/password"],
        ),
        (
            json!({"email": email, "password": format!("{SECRET}{}", "a".repeat(9000))}),
            &["/password"],
        ),
        (json!({"email": "no zebra", "password": "zebra".repeat(60)}), &["/email", "/password"]),
    ] {
        for path in ["/api/auth/login", "/api/auth/register"] {
            let answer = post(&app, path, body.to_string()).await;
            let problem = answer.problem(422, "validation_failed");
            let mut found = fields(&problem);
            found.sort_unstable();
            assert_eq!(found, expected, "{body}");
        }
    }
    let short = json!({"email": "no zebra", "password": "zebra"}).to_string();
    let answer = post(&app, "/api/auth/register", short).await;
    assert_eq!(fields(&answer.problem(422, "validation_failed")), ["/email", "/password"]);
}

#[tokio::test]
async fn the_wrong_shape_of_a_refresh_token() {
    let app = TestApp::start().await;
    for (body, field) in [
        (json!(null), ""),
        (json!([]), ""),
        (json!({"refreshToken": 7}), "/refreshToken"),
        (json!({"refreshToken": [SECRET]}), "/refreshToken"),
        (json!({"refreshToken": SECRET.repeat(250)}), "/refreshToken"),
        (json!({"refresh_token": SECRET}), "/refresh_token"),
        (json!({"token": SECRET}), "/token"),
    ] {
        for path in ["/api/auth/refresh", "/api/auth/logout"] {
            let answer = post(&app, path, body.to_string()).await;
            let problem = answer.problem(422, "validation_failed");
            assert_eq!(fields(&problem), [field], "{body}");
        }
    }
}

#[tokio::test]
async fn the_wrong_media_type() {
    let app = TestApp::start().await;
    let body = json!({"email": "ana@example.com", "password": SECRET}).to_string();
    let send = |media_type: Option<&str>, path: &str| {
        let call = app.post(path).body(body.clone());
        match media_type {
            Some(media_type) => call.header("content-type", media_type),
            None => call,
        }
    };
    for media_type in [
        None,
        Some(""),
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data; boundary=x"),
        Some("application/xml"),
        Some("application/jsonx"),
        Some("text/plain; application/json"),
        Some("json"),
    ] {
        for path in ["login", "register", "refresh", "logout"] {
            let answer = send(media_type, &format!("/api/auth/{path}")).await;
            answer.sets_no_cookies().problem(415, "unsupported_media_type");
        }
    }
    for media_type in
        ["application/json; charset=utf-8", "Application/JSON", "application/json;x=y"]
    {
        let answer = send(Some(media_type), "/api/auth/login").await;
        answer.problem(401, "invalid_credentials");
    }
}

/// An answer that comes while the client still sends would be lost with the connection.
#[tokio::test]
async fn an_oversized_body_gets_an_answer_that_the_client_sees() {
    let app = TestApp::start().await;
    let most = 16 * 1024;
    let body = |size: usize| {
        let frame = json!({"email": "ana@example.com", "password": ""}).to_string();
        let fill = "z".repeat(size - frame.len());
        json!({"email": "ana@example.com", "password": fill}).to_string()
    };
    let at_the_bound = post(&app, "/api/auth/login", body(most)).await;
    at_the_bound.problem(422, "validation_failed");
    for size in [most + 1, 17 * 1024, 3_000_000] {
        for path in ["login", "register", "refresh", "logout"] {
            let answer = post(&app, &format!("/api/auth/{path}"), body(size)).await;
            answer.problem(413, "payload_too_large");
        }
        let path = "/api/auth/login";
        let answer = app.raw(Method::POST, path, chunked(path, body(size).as_bytes())).await;
        answer.problem(413, "payload_too_large");
    }
    let path = "/api/auth/login";
    let fits = json!({"email": "ana@example.com", "password": SECRET}).to_string();
    let answer = app.raw(Method::POST, path, chunked(path, fits.as_bytes())).await;
    answer.problem(401, "invalid_credentials");
}

#[tokio::test]
async fn a_body_that_breaks_off() {
    let app = TestApp::start().await;
    let path = "/api/auth/login";
    let mut request = chunked(path, b"{}");
    let end = request.len() - b"2\r\n{}\r\n0\r\n\r\n".len();
    request.truncate(end);
    request.extend(b"no length\r\n");
    let answer = app.raw(Method::POST, path, request).await;
    answer.problem(400, "malformed_request");
}

/// A request whose body comes in pieces and does not say how long it is.
fn chunked(path: &str, body: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    for piece in body.chunks(4000) {
        request.extend(format!("{:x}\r\n", piece.len()).into_bytes());
        request.extend(piece);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    request
}

#[tokio::test]
async fn a_body_where_none_belongs_is_not_looked_at() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    ana.me().body("{").await.ok();
    ana.logout_all().body("zebra".repeat(10_000)).await.ok();
}

#[tokio::test]
async fn a_cookie_that_is_there_twice() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let tokens = ana.tokens();
    for name in ["token", "refreshToken", "csrfToken"] {
        let twice = format!("{}; {name}=zebra", ana.jar().header());
        for call in [
            app.get("/api/auth/me"),
            app.get("/api/auth/sessions"),
            app.post("/api/auth/refresh"),
            app.post("/api/auth/logout-all"),
            app.call("DELETE", "/api/auth/sessions/nonsense"),
        ] {
            let answer = call.header("cookie", &twice).await;
            let problem = answer.sets_no_cookies().problem(400, "malformed_request");
            assert!(problem["detail"].as_str().unwrap().contains(name), "{answer}");
            assert!(!answer.text().contains("zebra"));
        }
        // Also in two lines; but not for a bearer, whose cookies are ignored.
        let lines = app.get("/api/auth/me").header("cookie", ana.jar().header());
        let lines = lines.header("cookie", format!("{name}=zebra"));
        lines.await.problem(400, "malformed_request");
        app.me(&tokens.access).header("cookie", &twice).await.ok();
        let body = app.refresh_with("nonsense").header("cookie", &twice);
        body.await.problem(403, "invalid_refresh_token");
    }
    let others = format!("{}; theme=dark; theme=light", ana.jar().header());
    app.get("/api/auth/me").header("cookie", others).await.ok();
}

#[tokio::test]
async fn malformed_cookies() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let good = ana.jar().header();
    for (cookies, status) in [
        (&b"token"[..], 401),
        (b"token=", 401),
        (b"token=\"\"", 401),
        (b"token=\xff\xfe", 401),
        (b"=token; ;;; =", 401),
        (b"token=a,b; refreshToken=%00", 401),
        (b"%74oken=x", 401),
    ] {
        let answer = app.get("/api/auth/me").header("cookie", cookies).await;
        answer.sets_no_cookies().status(status);
        let odd = [cookies, b"; theme=dark"].concat();
        let answer = app.get("/api/auth/me").header("cookie", odd).await;
        answer.sets_no_cookies().status(status);
    }
    for odd in [";;;", "=", "x", "\u{1f980}=1", " token =1"] {
        let beside = format!("{odd}; {good}");
        let answer = app.get("/api/auth/me").header("cookie", beside).await;
        assert!(answer.status == 200 || odd.contains("token"), "{odd}: {answer}");
    }
    let long = format!("{good}; theme={}", "x".repeat(8000));
    app.get("/api/auth/me").header("cookie", long).await.ok();
}

#[tokio::test]
async fn a_header_that_is_no_text() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let bytes = b"\xff\xfe";
    let bearer = app.get("/api/auth/me").header("authorization", b"Bearer \xff\xfe");
    bearer.await.problem(401, "session_expired");
    let csrf = ana.call("POST", "/api/auth/logout-all").header("x-csrf-token", bytes);
    csrf.await.sets_no_cookies().problem(403, "csrf_failed");
    app.login("ana@example.com", PASSWORD)
        .header("origin", bytes)
        .await
        .problem(403, "csrf_failed");
    let access = ana.tokens().access;
    let by_bearer = app.post("/api/auth/logout-all").bearer(&access);
    by_bearer.header("x-csrf-token", bytes).await.ok();
}
