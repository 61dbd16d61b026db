//! Many requests at once on one connection, and requests that break off.

use std::fmt::Write as _;

use tokio::io::AsyncWriteExt as _;

use super::server::{CHEAP, Server};
use super::wire::{ATTACKER, connect, exchange};

#[tokio::test]
async fn a_hundred_requests_at_once_are_answered_in_order() {
    let server = Server::start(&CHEAP, None);
    let kinds = [
        ("GET /healthz", 200),
        ("GET /nowhere", 404),
        ("PUT /healthz", 405),
        ("GET /api/auth/me", 401),
        ("POST /api/auth/login", 400),
    ];
    let (mut bytes, mut expected) = (String::new(), Vec::new());
    for index in 0..100_usize {
        // No two rounds of five are alike.
        let (line, status) = kinds[(index * index + index / 5) % kinds.len()];
        let end = if index == 99 { "connection: close\r\n" } else { "" };
        write!(bytes, "{line} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n{end}\r\n").unwrap();
        expected.push(status);
    }
    let answers = exchange(ATTACKER, server.address, bytes.as_bytes()).await;
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), expected);
    server.is_left_alone().await;
    server.stop();
}

/// How a client goes away.
#[derive(Clone, Copy, Debug)]
enum End {
    /// It says nothing more, and would still read.
    HalfClosed,
    Closed,
    Reset,
}

#[tokio::test]
async fn a_request_may_break_off_at_every_byte() {
    let server = Server::start(&CHEAP, None);
    let body = r#"{"email":"early@example.com","password":"correct horse battery"}"#;
    let request = format!(
        "POST /api/auth/register HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    for end in [End::HalfClosed, End::Closed, End::Reset] {
        for length in 0..request.len() {
            let mut stream = connect(ATTACKER, server.address).await.unwrap();
            stream.write_all(&request.as_bytes()[..length]).await.unwrap();
            match end {
                End::HalfClosed => stream.shutdown().await.unwrap(),
                End::Closed => {}
                End::Reset => stream.set_zero_linger().unwrap(),
            }
        }
        server.is_left_alone().await;
        assert!(server.registered().await < 0.5, "{end:?}: half a request was carried out");
    }
    // The whole of it is carried out, also when nobody waits for the answer.
    let mut stream = connect(ATTACKER, server.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    server.has_registered_somebody().await;
    drop(stream);
    server.is_left_alone().await;
    server.stop();
}
