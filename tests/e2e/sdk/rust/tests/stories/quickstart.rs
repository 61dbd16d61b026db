//! The program that the README shows does what it says.

use doorward_client_stories::{EMAIL, Server};
use tokio::process::Command;

#[tokio::test]
async fn the_quickstart_registers_and_later_signs_in() {
    let server = Server::start(&[]).await;
    let directory = tempfile::tempdir().unwrap();
    for expected in [&["registered"][..], &[]] {
        let output = run(&server.url, directory.path()).await;
        assert!(output.status.success(), "{output:?}");
        let lines = String::from_utf8(output.stdout).unwrap();
        let mut lines: Vec<_> = lines.lines().collect();
        let session = lines.pop().unwrap();
        assert!(session.starts_with("doorward-client since 2"), "{session}");
        assert_eq!(lines, [expected, &[&format!("signed in as {EMAIL}")]].concat());
        assert_eq!(directory.path().read_dir().unwrap().count(), 0, "signed out");
    }
    let url = server.url.clone();
    server.stop().await;
    let output = run(&url, directory.path()).await;
    assert!(!output.status.success());
}

async fn run(url: &str, directory: &std::path::Path) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_quickstart"))
        .arg(url)
        .current_dir(directory)
        .output()
        .await
        .unwrap()
}
