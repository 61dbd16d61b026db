//! Peers that say nothing, or say it slowly, or do not listen; and somebody honest among them.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::client::{Client, Wish};
use super::server::{CHEAP, PATIENCE, Server};
use super::variable;
use super::wire::{ATTACKER, connect};

/// How many there are of each kind.
const IDLE: usize = 2_000;
const SLOW: usize = 200;

/// An attacker says the next byte after so long, and comes back after so long when it was sent away.
const BEAT: Duration = Duration::from_millis(500);

#[derive(Clone, Copy, Debug)]
enum Attacker {
    Idle,
    SlowHead,
    SlowBody,
    /// Asks for much, and takes none of it.
    SlowReader,
}

impl Attacker {
    /// What it says at once, and what it says byte by byte.
    fn says(self) -> (String, &'static [u8]) {
        let login =
            "POST /api/auth/login HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n";
        match self {
            Self::Idle => (String::new(), b""),
            Self::SlowHead => ("GET /healthz HTTP/1.1\r\nhost: a\r\nslow: ".into(), &[b'a'; 1000]),
            Self::SlowBody => (format!("{login}content-length: 1000\r\n\r\n"), &[b' '; 999]),
            Self::SlowReader => ("GET /openapi.json HTTP/1.1\r\nhost: a\r\n\r\n".repeat(100), b""),
        }
    }

    /// Takes a place and is known to be there: in the middle of a body, or of an answer.
    async fn settle(self, server: SocketAddr) -> TcpStream {
        let mut stream = connect(ATTACKER, server).await.unwrap();
        let (mut at_once, _) = self.says();
        if matches!(self, Self::SlowBody) {
            at_once = at_once.replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n");
        }
        stream.write_all(at_once.as_bytes()).await.unwrap();
        if matches!(self, Self::SlowBody | Self::SlowReader) {
            stream.read_exact(&mut [0; 9]).await.unwrap();
        }
        stream
    }

    async fn attack(self, server: SocketAddr) {
        loop {
            if let Ok(stream) = connect(ATTACKER, server).await {
                let _ = self.hold(stream).await;
            }
            tokio::time::sleep(BEAT).await;
        }
    }

    /// Until the server closes it.
    async fn hold(self, mut stream: TcpStream) -> std::io::Result<()> {
        let (at_once, slowly) = self.says();
        stream.write_all(at_once.as_bytes()).await?;
        for byte in slowly {
            tokio::time::sleep(BEAT).await;
            stream.write_all(&[*byte]).await?;
        }
        if matches!(self, Self::SlowReader) {
            return std::future::pending().await;
        }
        stream.read_to_end(&mut Vec::new()).await.map(drop)
    }
}

/// Sends the honest client's requests among all attackers; how many were served.
async fn served_among_attackers(door: &Server, requests: u64) -> u64 {
    let mut client = Client::new(door, "ana@example.com").await;
    let mut attackers = JoinSet::new();
    for index in 0..IDLE + 3 * SLOW {
        let attacker = match index.checked_sub(IDLE).map(|index| index % 3) {
            None => Attacker::Idle,
            Some(0) => Attacker::SlowHead,
            Some(1) => Attacker::SlowBody,
            Some(_) => Attacker::SlowReader,
        };
        attackers.spawn(attacker.attack(door.address));
    }
    // Once they are there: as many as there is room for, or all of them.
    let there = async {
        let expected = f64::from(u32::try_from(IDLE + 3 * SLOW).unwrap());
        while door.metric("doorward_http_connections ").await < expected
            && door.metric("doorward_http_connections_sent_away_total").await < expected
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let are_there = tokio::time::timeout(PATIENCE, there).await;
    assert!(are_there.is_ok(), "the attackers do not get through");
    let mut served = 0;
    for request in 0..requests {
        let wish = match request % 10 {
            0..6 => Wish::Me,
            6..9 => Wish::Refresh,
            _ => Wish::Login,
        };
        served += u64::from(client.gets(wish).await);
    }
    attackers.shutdown().await;
    served
}

fn enough(served: u64, requests: u64) {
    println!("{served} of {requests} honest requests served");
    assert!((requests - served) * 1000 <= requests, "{served} of {requests}");
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_and_silent_peers_do_not_keep_others_out() {
    let requests = variable("DOORWARD_HONEST", 2_000);
    let server = Server::start(&CHEAP, None);
    assert!(!server.log().contains("may be open"), "no room for this test: {}", server.log());
    enough(served_among_attackers(&server, requests).await, requests);
    assert!(server.metric("doorward_http_connections_sent_away_total").await < 0.5);
    server.is_left_alone().await;
    server.stop();
}

/// There is room for 128, and 2,600 come, again and again.
#[tokio::test(flavor = "multi_thread")]
async fn when_all_places_are_taken_the_silent_go() {
    let requests = variable("DOORWARD_HONEST", 2_000);
    let server = Server::start(&CHEAP, Some(256));
    let warning = "128 connections are served at a time, because only 256 files may be open";
    assert!(server.log().contains(warning), "{}", server.log());
    enough(served_among_attackers(&server, requests).await, requests);
    assert!(server.files() < 256);
    server.is_left_alone().await;
    server.stop();
}

/// Whatever it is that they do not say: a newcomer does not wait until their time is over.
#[tokio::test]
async fn no_kind_of_silence_keeps_a_place() {
    for attacker in [Attacker::Idle, Attacker::SlowHead, Attacker::SlowBody, Attacker::SlowReader] {
        let server = Server::start(&CHEAP, Some(64));
        let mut places = Vec::new();
        for _ in 0..32 {
            places.push(attacker.settle(server.address).await);
        }
        let mut client = Client::new(&server, "ana@example.com").await;
        assert!(client.gets(Wish::Me).await);
        let sent_away = server.metric("doorward_http_connections_sent_away_total").await;
        assert!(sent_away > 0.5, "{attacker:?}: the newcomer has waited");
        let late = server.metric("doorward_http_responses_total{status=\"400\"}").await;
        assert!(late < 0.5, "{attacker:?}: the newcomer has waited until a body was late");
        drop(places);
        server.stop();
    }
}
