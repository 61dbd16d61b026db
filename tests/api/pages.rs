//! Probes, metrics, the spec and its page.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use doorward::domain::mail::About;
use doorward::http::{pages::metrics, spec};
use doorward::mail::pages;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::harness::{Answer, PASSWORD, SECOND, TestApp};

const ANA: &str = "ana@example.com";
const NEW: &str = "staple, upright and shiny";

/// The pages that links in mails lead to.
const LINKED: [&str; 5] = [
    pages::VERIFY_EMAIL,
    pages::RESET_PASSWORD,
    pages::CONFIRM_EMAIL,
    pages::UNDO_EMAIL_CHANGE,
    pages::ACCEPT_INVITATION,
];

impl TestApp {
    /// The path of the link in the newest letter, and its token.
    async fn linked(&self) -> (String, String) {
        let letter = self.mail().await.pop().unwrap();
        let url = letter.text.lines().find(|line| line.contains("?token=")).unwrap();
        let path = url.strip_prefix(&self.url("")).unwrap();
        (path.to_owned(), url.split_once("?token=").unwrap().1.to_owned())
    }
}

/// What stands between two pieces of a page.
fn between<'a>(page: &'a str, opening: &str, closing: &str) -> &'a str {
    let (_, rest) = page.split_once(opening).unwrap_or_else(|| panic!("no {opening}"));
    rest.split_once(closing).unwrap_or_else(|| panic!("no {closing}")).0
}

#[tokio::test]
async fn probes() {
    let app = TestApp::start().await;
    for path in ["/healthz", "/readyz"] {
        let answer = app.get(path).await;
        answer.ok();
        assert!(answer.header("content-type").starts_with("text/plain"));
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn the_readiness_is_kept_for_a_second() {
    let app = TestApp::start().await;
    app.get("/readyz").await.ok();
    app.app().store.close();
    app.get("/readyz").await.ok();
    app.clock.advance(SECOND);
    let answer = app.get("/readyz").await;
    answer.problem(503, "unavailable");
    app.get("/healthz").await.ok();
}

#[tokio::test]
async fn metrics_for_this_machine_only() {
    metrics::install();
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    app.login("ana@example.com", "wrong horse battery").await;
    ana.refresh().await.ok();

    let answer = app.get("/metrics").await;
    answer.ok();
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    let text = answer.text();
    for name in [
        "doorward_sign_ins_total",
        "doorward_refusals_total",
        "doorward_refresh_verdicts_total",
        "doorward_http_responses_total",
        "doorward_store_commit_seconds",
    ] {
        assert!(text.contains(name), "{name}");
    }
    for secret in ["ana@example.com", "127.0.0.1", "v4.", PASSWORD] {
        assert!(!text.contains(secret), "{secret}");
    }
    for header in ["x-forwarded-for", "forwarded", "via", "x-real-ip"] {
        let proxied = app.get("/metrics").header(header, "127.0.0.1");
        proxied.await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn the_spec_is_served_as_it_is_committed() {
    let app = TestApp::start().await;
    let json = app.get("/openapi.json").await;
    assert_eq!(json.header("content-type"), "application/json");
    assert_eq!(json.text(), spec::json());
    let yaml = app.get("/openapi.yaml").await;
    assert_eq!(yaml.header("content-type"), "application/yaml");
    let parsed: serde_json::Value = serde_yaml::from_str(yaml.text()).unwrap();
    assert_eq!(parsed, json.json());
}

#[tokio::test]
async fn pages_are_cached_and_compressed() {
    let app = TestApp::start().await;
    for path in ["/docs", "/openapi.json", "/openapi.yaml", "/favicon.ico"] {
        let plain = app.get(path).await;
        let etag = plain.header("etag").to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"'), "{path}: {etag}");
        assert_eq!(plain.header("vary"), "Accept-Encoding");
        assert_eq!(plain.header("content-encoding"), "");

        for known in [etag.as_str(), &format!("\"x\", {etag}"), &format!("W/{etag}")] {
            let again = app.get(path).header("if-none-match", known).await;
            assert_eq!(again.status, 304, "{path}");
            assert!(again.body.is_empty());
            assert_eq!(again.header("etag"), etag);
        }
        let other = app.get(path).header("if-none-match", "\"x\"").await;
        assert_eq!(other.status, 200);

        let packed = app.get(path).header("accept-encoding", "gzip, br").await;
        assert_eq!(packed.header("content-encoding"), "gzip");
        assert!(packed.body.len() < plain.body.len(), "{path}");
        let mut unpacked = Vec::new();
        let mut decoder = flate2::read::GzDecoder::new(&packed.body[..]);
        std::io::copy(&mut decoder, &mut unpacked).unwrap();
        assert_eq!(unpacked, plain.body, "{path}");
    }
}

/// The page works without any other host, and runs only its own scripts.
#[tokio::test]
async fn the_page_is_closed_to_the_outside() {
    let app = TestApp::start().await;
    let page = app.get("/docs").await;
    page.ok();
    assert!(page.header("content-type").starts_with("text/html"));
    let csp = page.header("content-security-policy");
    assert!(csp.contains("default-src 'none'") && csp.contains("connect-src 'self'"), "{csp}");
    let scripts = csp.split(';').find(|part| part.trim().starts_with("script-src"));
    let scripts = scripts.unwrap();
    assert!(scripts.contains("'sha256-") && !scripts.contains("unsafe"), "{scripts}");
    let html = page.text();
    assert!(html.contains("X-CSRF-Token"));
    assert!(!html.contains("<script src") && !html.contains("<link rel=\"stylesheet\""));
}

/// A browser runs and draws what has these hashes, and nothing else.
#[tokio::test]
async fn the_pages_of_links_are_closed_to_the_outside_and_kept_by_nobody() {
    let app = TestApp::start().await;
    for path in LINKED {
        let page = app.get(path).await;
        page.sets_no_cookies().ok();
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!((page.header("etag"), page.header("last-modified")), ("", ""));
        let html = page.text();
        let hash = |opening, closing| {
            let hash = Sha256::digest(between(html, opening, closing));
            format!("'sha256-{}'", STANDARD.encode(hash))
        };
        let policy: Vec<_> = page.header("content-security-policy").split("; ").collect();
        for part in [
            "default-src 'none'",
            &format!("script-src {}", hash("<script>", "</script>")),
            &format!("style-src {}", hash("<style>", "</style>")),
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(&part), "{path}: {part} is not in {policy:?}");
        }
        for outside in ["src=", "href=", "http:", "https:", "style=", "onclick", "@import"] {
            assert!(!html.contains(outside), "{path}: {outside}");
        }
        let packed = app.get(path).header("accept-encoding", "gzip").await;
        assert_eq!(packed.header("content-encoding"), "gzip");
        assert!(packed.body.len() < 4096, "{path}: {} bytes", packed.body.len());
    }
}

#[tokio::test]
async fn nothing_of_a_request_is_in_the_page_of_a_link() {
    let app = TestApp::start().await;
    let ana = app.signed_in(ANA).await;
    for path in LINKED {
        let plain = app.get(path).await;
        plain.ok();
        for query in ["token=v1.abc", "token=%3Cscript%3Ealert(1)%3C/script%3E", "token=<script>"] {
            let path = format!("{path}?{query}");
            let hostile = ana.call("GET", &path).header("host", "evil.example").await;
            hostile.sets_no_cookies().ok();
            let same = |answer: &Answer| {
                let policy = answer.header("content-security-policy").to_owned();
                (policy, answer.body.clone())
            };
            assert!(same(&hostile) == same(&plain), "{path}");
        }
        app.get(&format!("{path}/")).await.problem(404, "not_found");
    }
}

#[tokio::test]
async fn a_page_calls_the_operation_that_its_link_is_for() {
    let app = TestApp::start().await;
    let spec: serde_json::Value = serde_json::from_str(&spec::json()).unwrap();
    for path in LINKED {
        let page = app.get(path).await;
        let operation = between(page.text(), "data-operation=\"", "\"");
        assert_eq!(operation, path.replace("/account/", "/api/auth/"));
        let spec = &spec["paths"][operation]["post"];
        if spec.is_null() {
            // The page of invitations was there first.
            assert_eq!(path, pages::ACCEPT_INVITATION);
            continue;
        }
        let field = between(page.text(), "data-field=\"", "\"");
        let mut body = json!({"token": "x"});
        if !field.is_empty() {
            body[field] = json!(NEW);
        }
        // No field is unknown or missing: it is the token that is refused.
        let answer = app.post(operation).json(body).await;
        answer.problem(403, "invalid_token");
        let can_be_taken = spec["responses"].get("409").is_some();
        let says_so = page.text().contains("<section id=\"email_taken\"");
        assert_eq!(says_so, can_be_taken, "{path}");
        assert!(page.text().contains("<section id=\"invalid_token\""), "{path}");
    }
}

#[tokio::test]
async fn opening_a_link_uses_nothing_up() {
    let app = TestApp::start().await;
    app.account(ANA).await;
    app.post("/api/auth/resend-verification").json(json!({"email": ANA})).await.status(202);
    let (verify, token) = app.linked().await;
    for method in ["HEAD", "GET", "GET"] {
        app.call(method, &verify).await.ok();
    }
    app.call("POST", &verify).await.problem(405, "method_not_allowed");
    assert!(!app.user(ANA).await.is_verified);
    let verified = app.post("/api/auth/verify-email").json(json!({"token": token})).await;
    verified.ok();
    assert!(app.user(ANA).await.is_verified);

    app.post("/api/auth/forgot-password").json(json!({"email": ANA})).await.status(202);
    let (reset, token) = app.linked().await;
    let page = app.get(&reset).await;
    page.ok();
    assert!(!page.text().contains(&token));
    let body = json!({"token": token, "newPassword": NEW});
    app.post("/api/auth/reset-password").json(body).await.ok();
    app.login(ANA, NEW).await.ok();
}

#[tokio::test]
async fn every_letter_with_a_link_has_its_page() {
    let app = TestApp::start().await;
    let token = doorward::domain::id::OneTimeId(uuid::Uuid::nil());
    let to = "ana.maria@example.com".to_owned();
    for (about, page) in [
        (About::VerifyEmail { token }, pages::VERIFY_EMAIL),
        (About::ResetPassword { token }, pages::RESET_PASSWORD),
        (About::ConfirmEmailChange { token }, pages::CONFIRM_EMAIL),
        (About::EmailChanged { to, undo: Some(token), account: None }, pages::UNDO_EMAIL_CHANGE),
        (About::Invitation { token }, pages::ACCEPT_INVITATION),
    ] {
        app.post_mail(ANA, about).await;
        let (link, _) = app.linked().await;
        assert!(link.starts_with(&format!("{page}?token=")), "{link}");
        app.get(&link).await.ok();
    }
}

#[tokio::test]
async fn a_page_says_what_a_password_has_to_be() {
    for (least, score, said) in [
        (8, 0, "At least 8 characters."),
        (15, 3, "At least 15 characters, and hard to guess."),
        (1, 0, "At least 1 character."),
    ] {
        let app = TestApp::with(|config| {
            config.password_min_length = least;
            config.password_min_score = score;
        })
        .await;
        for path in [pages::RESET_PASSWORD, pages::ACCEPT_INVITATION] {
            let page = app.get(path).await;
            assert!(page.text().contains(said), "{path}: {said}");
        }
        assert!(!app.get(pages::VERIFY_EMAIL).await.text().contains("<input"));
    }
}
