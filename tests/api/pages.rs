//! Probes, metrics, the spec and its page.

use doorward::http::{pages::metrics, spec};

use crate::harness::{PASSWORD, SECOND, TestApp};

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
