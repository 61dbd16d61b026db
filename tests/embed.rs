//! The examples as their users run them: another program's route behind Doorward's guard, and a
//! service that verifies access tokens by itself.

#![expect(clippy::expect_used, reason = "a test may panic")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use reqwest::StatusCode;
use tempfile::TempDir;

/// An example, stopped when the test is over.
struct Example {
    process: Child,
    url: String,
}

impl Example {
    fn embed(data: &TempDir) -> Self {
        let data = data.path().to_str().expect("a path in UTF-8");
        Self::start(&["--example", "embed"], &["127.0.0.1:0", data])
    }

    fn offline(issuer: &str) -> Self {
        Self::start(&["--package", "doorward-example-offline"], &[issuer, "127.0.0.1:0"])
    }

    fn start(which: &[&str], arguments: &[&str]) -> Self {
        // `cargo run` turns into the example, so that stopping it stops the example.
        let mut process = Command::new(env!("CARGO"))
            .args(["run", "--quiet", "--locked"])
            .args(which)
            .arg("--")
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let mut line = String::new();
        let output = process.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut line).expect("its first line");
        let url = line.trim().strip_prefix("listening on ").expect("where it listens").to_owned();
        Self { process, url }
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn another_program_mounts_doorward_and_guards_its_own_route() {
    let data = tempfile::tempdir().expect("a directory");
    let example = Example::embed(&data);
    let browser = reqwest::Client::builder().cookie_store(true).build().expect("a client");

    let stranger = browser.get(example.at("/orders")).send().await.expect("an answer");
    assert_eq!(stranger.status(), StatusCode::UNAUTHORIZED);
    let problem: serde_json::Value = stranger.json().await.expect("a problem");
    assert_eq!(problem["code"], "no_token");

    let ana = serde_json::json!({ "email": "ana@example.com", "password": "correct horse" });
    let registered =
        browser.post(example.at("/api/auth/register")).json(&ana).send().await.expect("an answer");
    assert_eq!(registered.status(), StatusCode::CREATED);
    let refresh_cookie = registered
        .cookies()
        .find(|cookie| cookie.name() == "refreshToken")
        .map(|cookie| format!("refreshToken={}", cookie.value()))
        .expect("a refresh cookie");

    let orders = browser.get(example.at("/orders")).send().await.expect("an answer");
    assert_eq!(orders.status(), StatusCode::OK);
    assert_eq!(orders.text().await.expect("text"), "The orders of ana@example.com (user)\n");

    // A browser whose access cookie has expired: the guard renews it on the other program's route.
    let late = reqwest::Client::new();
    let renewed = late
        .get(example.at("/orders"))
        .header("cookie", &refresh_cookie)
        .send()
        .await
        .expect("an answer");
    assert_eq!(renewed.status(), StatusCode::OK);
    let names: Vec<_> = renewed.cookies().map(|cookie| cookie.name().to_owned()).collect();
    assert_eq!(names, ["token", "refreshToken", "csrfToken"]);

    let foreign = late
        .post(example.at("/orders"))
        .header("origin", "https://evil.example")
        .send()
        .await
        .expect("an answer");
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn another_service_verifies_access_tokens_by_itself() {
    let data = tempfile::tempdir().expect("a directory");
    let doorward = Example::embed(&data);
    let service = Example::offline(&doorward.url);
    let client = reqwest::Client::new();

    let ana = serde_json::json!({
        "email": "ana@example.com", "password": "correct horse", "delivery": "body"
    });
    let registered = client.post(doorward.at("/api/auth/register")).json(&ana).send().await;
    let tokens: serde_json::Value =
        registered.expect("an answer").json().await.expect("tokens in the body");
    let access = tokens["accessToken"].as_str().expect("an access token");
    let refresh = tokens["refreshToken"].as_str().expect("a refresh token");
    let orders = async |token: &str| {
        let request = client.get(service.at("/orders")).bearer_auth(token);
        let answer = request.send().await.expect("an answer");
        (answer.status(), answer.text().await.expect("text"))
    };

    assert_eq!(
        orders(access).await,
        (StatusCode::OK, "The orders of ana@example.com\n".to_owned())
    );
    let flipped = access.replacen("v4.public.e", "v4.public.f", 1);
    for token in ["", "v4.public.x", &flipped, refresh] {
        assert_eq!(orders(token).await.0, StatusCode::UNAUTHORIZED, "{token}");
    }
    let elsewhere = tempfile::tempdir().expect("a directory");
    let other = Example::embed(&elsewhere);
    let stranger = client.post(other.at("/api/auth/register")).json(&ana).send().await;
    let tokens: serde_json::Value =
        stranger.expect("an answer").json().await.expect("tokens in the body");
    let foreign = tokens["accessToken"].as_str().expect("an access token");
    assert_eq!(orders(foreign).await.0, StatusCode::UNAUTHORIZED, "of another server");
}

#[test]
fn who_only_verifies_builds_neither_the_store_nor_the_hasher() {
    let tree = |package: &str| {
        let output = Command::new(env!("CARGO"))
            .args(["tree", "--locked", "--prefix", "none", "--edges", "normal,build"])
            .args(["--package", package])
            .output()
            .expect("cargo tree runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let (service, server) = (tree("doorward-example-offline"), tree("doorward"));
    for heavy in ["rusqlite ", "libsqlite3-sys ", "r2d2 ", "argon2 ", "aws-lc-rs "] {
        assert!(server.contains(heavy), "{heavy}is in the server");
        assert!(!service.contains(heavy), "{heavy}is in the service");
    }
}
