//! Bytes to a server, and what comes back, read by rules of our own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::server::PATIENCE;

/// Where attackers come from.
pub const ATTACKER: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// Where the honest come from.
pub const HONEST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Where the operator looks from.
pub const OPERATOR: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// An answer, as it stood on the wire.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// A connection from `source`.
pub async fn connect(source: Ipv4Addr, address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(IpAddr::V4(source), 0))?;
    socket.connect(address).await
}

/// Sends bytes on a connection of their own and returns all answers, once the server has closed it.
/// What it does not want to read any more it need not.
pub async fn exchange(source: Ipv4Addr, address: SocketAddr, bytes: &[u8]) -> Vec<Answer> {
    let mut stream = connect(source, address).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let mut received = Vec::new();
    let talk = async { tokio::join!(writer.write_all(bytes), reader.read_to_end(&mut received)) };
    let talked = tokio::time::timeout(PATIENCE, talk).await;
    let (_, read) = talked.unwrap_or_else(|_| {
        panic!("it stays open after {:?}", String::from_utf8_lossy(bytes).get(..300));
    });
    if let Err(error) = read {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    parse(&String::from_utf8(received).unwrap())
}

fn parse(mut text: &str) -> Vec<Answer> {
    let mut answers = Vec::new();
    while !text.is_empty() {
        let (head, rest) =
            text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {text:?}"));
        let line = head.strip_prefix("HTTP/1.1 ").or_else(|| head.strip_prefix("HTTP/1.0 "));
        let status = line.unwrap_or_else(|| panic!("no answer: {head:?}"))[..3].parse().unwrap();
        let lengths: Vec<usize> = head
            .lines()
            .filter_map(|line| line.strip_prefix("content-length: "))
            .map(|length| length.parse().unwrap())
            .collect();
        let length = match lengths[..] {
            [length] => length,
            [] if status == 100 => 0,
            _ => panic!("no single length: {head:?}"),
        };
        let (body, rest) = rest.split_at(length);
        answers.push(Answer { status, head: head.to_owned(), body: body.to_owned() });
        text = rest;
    }
    answers
}
