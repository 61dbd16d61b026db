//! `examples/embed.rs` as its users run it: another program's route behind Doorward's guard.

#![expect(clippy::expect_used, reason = "a test may panic")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use reqwest::StatusCode;

/// The example, stopped when the test is over.
struct Example {
    process: Child,
    url: String,
    _data: tempfile::TempDir,
}

impl Example {
    fn start() -> Self {
        let data = tempfile::tempdir().expect("a directory");
        // `cargo run` turns into the example, so that stopping it stops the example.
        let mut process = Command::new(env!("CARGO"))
            .args(["run", "--quiet", "--locked", "--example", "embed", "--", "127.0.0.1:0"])
            .arg(data.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the example starts");
        let mut line = String::new();
        let output = process.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut line).expect("its first line");
        let url = line.trim().strip_prefix("listening on ").expect("where it listens").to_owned();
        Self { process, url, _data: data }
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
    let example = Example::start();
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
