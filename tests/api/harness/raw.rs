//! Requests that no well-behaved client library sends.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::{Answer, TestApp};

impl TestApp {
    /// Sends bytes as they are, on a connection of their own that the request asks to be closed
    /// (`Connection: close`), and reads the answer to its end. For a `path` that is in the bytes.
    pub async fn raw(&self, method: Method, path: &str, request: Vec<u8>) -> Answer {
        let address = self.address();
        let received = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream.write_all(&request).unwrap();
            let mut received = Vec::new();
            stream.read_to_end(&mut received).unwrap();
            received
        });
        parse(&method, path, &received.await.unwrap())
    }
}

fn parse(method: &Method, path: &str, received: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(received);
    let (head, body) = text.split_once("\r\n\r\n").expect("a whole head");
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    Answer::new(method, path, status.parse().unwrap(), headers, body.into())
}
