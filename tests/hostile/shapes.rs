//! Requests that two programs may read in two ways, and such as nobody ought to send. Each is
//! refused and its connection closed, or served as the standard says; and what a client has put
//! behind or into such a request is never carried out as another one.

use std::net::SocketAddr;

use super::server::{CHEAP, Server};
use super::wire::{ATTACKER, Answer, exchange};

const END: &str = "GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

/// A whole request that registers somebody: carried out, it can be counted.
fn canary() -> String {
    let body = r#"{"email":"canary@example.com","password":"correct horse battery"}"#;
    format!(
        "POST /api/auth/register HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn statuses(address: SocketAddr, bytes: &str) -> Vec<u16> {
    let answers = exchange(ATTACKER, address, bytes.as_bytes()).await;
    for Answer { status, head, .. } in &answers {
        // hyper's own refusals are bare; all others say what they are.
        let is_ours = head.contains("x-request-id: ") || *status == 100;
        assert!(is_ours || matches!(status, 400 | 414 | 431), "{head}");
    }
    answers.iter().map(|answer| answer.status).collect()
}

/// The canary does fly, when it is what it looks like.
#[tokio::test]
async fn control_a_second_request_is_carried_out() {
    let server = Server::start(&CHEAP, None);
    let first = "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n";
    let bytes = format!("{first}{}{END}", canary());
    assert_eq!(statuses(server.address, &bytes).await, [200, 201, 200]);
    assert!(server.registered().await > 0.5);
    server.stop();
}

/// One answer, which is one of these, and the connection is closed: what follows is not read.
#[tokio::test]
async fn what_may_be_read_in_two_ways_ends_the_connection() {
    let server = Server::start(&CHEAP, None);
    let canary = canary();
    let all = 5 + canary.len();
    let post = "POST /api/auth/logout-all HTTP/1.1\r\nhost: a\r\n";
    let chunked = "transfer-encoding: chunked\r\n";
    let json = "POST /api/auth/login HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    for (name, head, refusal) in [
        // RFC 9112 §6.1: answered by the chunks, and closed.
        ("CL, TE", format!("{post}content-length: {all}\r\n{chunked}\r\n0\r\n\r\n"), 401),
        ("TE, CL", format!("{post}{chunked}content-length: {all}\r\n\r\n0\r\n\r\n"), 401),
        ("CL of less, TE", format!("{post}content-length: 0\r\n{chunked}\r\n0\r\n\r\n"), 401),
        ("TE twice", format!("{post}{chunked}{chunked}\r\n0\r\n\r\n"), 401),
        (
            "TE twice in a line",
            format!("{post}transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
            401,
        ),
        (
            "TE gzip, chunked",
            format!("{post}transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
            401,
        ),
        // It cannot be told where it ends.
        ("TE identity", format!("{post}transfer-encoding: identity\r\n\r\n"), 400),
        (
            "TE chunked, identity",
            format!("{post}transfer-encoding: chunked, identity\r\n\r\n"),
            400,
        ),
        ("TE xchunked", format!("{post}transfer-encoding: xchunked\r\n\r\n"), 400),
        ("TE with a tab of its own", format!("{post}transfer-encoding: \x0bchunked\r\n\r\n"), 400),
        ("TE folded", format!("{post}transfer-encoding:\r\n chunked\r\n\r\n0\r\n\r\n"), 400),
        ("TE before a space", format!("{post}transfer-encoding : chunked\r\n\r\n0\r\n\r\n"), 400),
        ("TE in HTTP/1.0", format!("POST / HTTP/1.0\r\n{chunked}\r\n0\r\n\r\n"), 400),
        ("CL with a plus", format!("{post}content-length: +0\r\n\r\n"), 400),
        ("CL with a minus", format!("{post}content-length: -1\r\n\r\n"), 400),
        ("CL in hexadecimal", format!("{post}content-length: 0x0\r\n\r\n"), 400),
        ("CL with a space", format!("{post}content-length: 0 0\r\n\r\n"), 400),
        ("CL of nothing", format!("{post}content-length: \r\n\r\n"), 400),
        ("CL as a list", format!("{post}content-length: 0, 0\r\n\r\n"), 400),
        ("CL twice, unequal", format!("{post}content-length: 0\r\ncontent-length: 5\r\n\r\n"), 400),
        ("CL beyond all", format!("{post}content-length: 99999999999999999999\r\n\r\n"), 400),
        ("CL before a space", format!("{post}content-length : 0\r\n\r\n"), 400),
        ("a chunk beyond all", format!("{json}{chunked}\r\nfffffffffffffffff\r\n\r\n"), 400),
        ("a chunk in hexadecimal", format!("{json}{chunked}\r\n0x0\r\n\r\n"), 400),
        ("a chunk of minus one", format!("{json}{chunked}\r\n-1\r\n\r\n"), 400),
        ("a chunk longer than it says", format!("{json}{chunked}\r\n1\r\nab\r\n0\r\n\r\n"), 400),
        ("a chunk with a bare LF", format!("{json}{chunked}\r\n1\na\r\n0\r\n\r\n"), 400),
        // No request at all.
        ("NUL in a header", format!("{post}a: b\0c\r\n\r\n"), 400),
        ("NUL in a name", format!("{post}a\0b: c\r\n\r\n"), 400),
        ("CR in a header", format!("{post}a: b\rc: d\r\n\r\n"), 400),
        ("a header without a colon", format!("{post}abc\r\n\r\n"), 400),
        ("a header without a name", format!("{post}: abc\r\n\r\n"), 400),
        ("a folded first header", "GET / HTTP/1.1\r\n host: a\r\n\r\n".into(), 400),
        ("two spaces", "GET  / HTTP/1.1\r\nhost: a\r\n\r\n".into(), 400),
        ("more than a request line", "GET / HTTP/1.1 a\r\nhost: a\r\n\r\n".into(), 400),
        ("HTTP/0.9", "GET /healthz\r\n\r\n".into(), 400),
        ("HTTP/9.9", "GET / HTTP/9.9\r\nhost: a\r\n\r\n".into(), 400),
        ("TLS", "\x16\x03\x01\x02\0\x01\0\x01\x7c\x03\x03".into(), 400),
        ("SSH", "SSH-2.0-OpenSSH_10.0\r\n".into(), 400),
        ("a long header", format!("{post}a: {}\r\n\r\n", "b".repeat(64 << 10)), 431),
        (
            "a long request line",
            format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(64 << 10)),
            431,
        ),
        ("101 headers", format!("{post}{}\r\n", "a: b\r\n".repeat(100)), 431),
    ] {
        let found = statuses(server.address, &format!("{head}{canary}{END}")).await;
        assert_eq!(found, [refusal], "{name}");
        assert!(server.registered().await < 0.5, "{name}: what follows was carried out");
    }
    // Of HTTP/2 hyper knows that no HTTP/1.1 answer would be understood.
    let preface = format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{canary}{END}");
    assert!(statuses(server.address, &preface).await.is_empty());
    assert!(server.registered().await < 0.5);
    server.stop();
}

/// Odd, but clear: where each request ends is beyond doubt, so the next one is answered, too.
#[tokio::test]
async fn what_is_odd_but_clear_is_answered() {
    let server = Server::start(&CHEAP, None);
    let canary = canary();
    let inside = |length: usize, line: &str| {
        format!("{line} HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n")
    };
    let in_body = |line| format!("{}\r\n{canary}", inside(canary.len(), line));
    let post = "POST /api/auth/logout-all HTTP/1.1\r\nhost: a\r\n";
    let chunked = "transfer-encoding: chunked\r\n";
    let me = "GET /api/auth/me HTTP/1.1\r\nhost: a\r\n";
    let login = "POST /api/auth/login HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
    for (name, bytes, expected) in [
        ("a request in the body of GET", in_body("GET /api/auth/me"), &[401, 200][..]),
        ("a request in the body of OPTIONS", in_body("OPTIONS /api/auth/me"), &[405, 200]),
        ("a request in a body for nobody", in_body("POST /nowhere"), &[404, 200]),
        ("a request in a body as text", in_body("POST /api/auth/login"), &[415, 200]),
        (
            "CL twice, equal",
            format!("{me}content-length: 0\r\ncontent-length: 0\r\n\r\n"),
            &[401, 200],
        ),
        (
            "a request too large for a body",
            format!(
                "{}\r\n{}{canary}",
                inside(20_000 + canary.len(), "POST /api/auth/login"),
                " ".repeat(20_000)
            ),
            &[413, 200],
        ),
        ("TE", format!("{post}{chunked}\r\n0\r\n\r\n"), &[401, 200]),
        (
            "TE in capitals",
            format!("{post}TRANSFER-ENCODING: CHUNKED\r\n\r\n0\r\n\r\n"),
            &[401, 200],
        ),
        (
            "a request in a chunk",
            format!("{post}{chunked}\r\n{:x}\r\n{canary}\r\n0\r\n\r\n", canary.len()),
            &[401, 200],
        ),
        ("a chunk extension", format!("{post}{chunked}\r\n0;a=\"\r\n\r\n"), &[401, 200]),
        (
            "trailers",
            format!("{post}{chunked}\r\n0\r\ncontent-length: 5\r\nhost: b\r\n\r\n"),
            &[401, 200],
        ),
        ("bare LF", "GET /api/auth/me HTTP/1.1\nhost: a\n\n".into(), &[401, 200]),
        ("empty lines before it", format!("\r\n\r\n{me}\r\n"), &[401, 200]),
        (
            "another host in the line",
            "GET http://b/api/auth/me HTTP/1.1\r\nhost: a\r\n\r\n".into(),
            &[401, 200],
        ),
        ("no host", "GET /healthz HTTP/1.1\r\n\r\n".into(), &[400, 200]),
        ("two hosts", "GET /healthz HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".into(), &[400, 200]),
        (
            "the same host twice",
            "GET /healthz HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n".into(),
            &[400, 200],
        ),
        (
            "HTTP/1.0 that stays",
            "GET /healthz HTTP/1.0\r\nconnection: keep-alive\r\n\r\n".into(),
            &[200, 200],
        ),
        (
            "an upgrade",
            format!("{me}connection: upgrade\r\nupgrade: websocket\r\n\r\n"),
            &[401, 200],
        ),
        (
            "h2c",
            format!(
                "{me}connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AA\r\n\r\n"
            ),
            &[401, 200],
        ),
        ("a method of its own", "BREW / HTTP/1.1\r\nhost: a\r\n\r\n".into(), &[404, 200]),
        ("get in small letters", "get /healthz HTTP/1.1\r\nhost: a\r\n\r\n".into(), &[405, 200]),
        ("100 headers", format!("{me}{}\r\n", "a: b\r\n".repeat(99)), &[401, 200]),
        ("a header of 16 KiB", format!("{me}a: {}\r\n\r\n", "b".repeat(16 << 10)), &[401, 200]),
        ("bytes beyond ASCII", format!("{me}a: \u{e9}\u{1f98a}\r\n\r\n"), &[401, 200]),
        (
            "100-continue",
            format!("{login}expect: 100-continue\r\ncontent-length: 2\r\n\r\n{{}}"),
            &[100, 422, 200],
        ),
    ] {
        let found = statuses(server.address, &format!("{bytes}{END}")).await;
        assert_eq!(found, expected, "{name}");
        assert!(server.registered().await < 0.5, "{name}: what is inside was carried out");
    }
    // HTTP/1.0 closes, unless asked not to.
    let old = format!("GET /healthz HTTP/1.0\r\n\r\n{canary}");
    assert_eq!(statuses(server.address, &old).await, [200]);
    assert!(server.registered().await < 0.5);
    server.stop();
}
