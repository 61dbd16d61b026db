//! A proxy that loses answers, gives its own, or holds them back, on demand.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

/// What happens to the next matching request.
#[derive(Clone)]
pub enum Fault {
    /// The server gets the request; its answer is lost and the connection closed.
    Swallow,
    /// The server never sees it. The answer is this status line and headers, and this body.
    Answer(&'static str, &'static str),
    /// The server answers at once; the answer goes on when the semaphore has a permit.
    Hold(Arc<Semaphore>),
}

/// Forwards requests to a server and keeps a log of them.
pub struct Proxy {
    /// Without a slash at the end.
    pub url: String,
    address: SocketAddr,
    state: Arc<State>,
    accepting: Option<JoinHandle<()>>,
}

struct State {
    upstream: String,
    faults: Mutex<VecDeque<(String, Fault)>>,
    log: Mutex<Vec<Arc<Entry>>>,
}

struct Entry {
    request: String,
    /// Set when the answer is passed on.
    status: OnceLock<String>,
}

impl Proxy {
    /// A proxy in front of the server at `url`.
    pub async fn start(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let upstream = url.strip_prefix("http://").unwrap().to_owned();
        let (faults, log) = (Mutex::default(), Mutex::default());
        let state = Arc::new(State { upstream, faults, log });
        let accepting = Some(tokio::spawn(accept(listener, Arc::clone(&state))));
        Self { url: format!("http://{address}"), address, state, accepting }
    }

    /// Makes the next `times` requests such as `POST /api/auth/refresh` fail.
    pub fn fail(&self, request: &str, fault: &Fault, times: usize) {
        let faults = (0..times).map(|_| (request.to_owned(), fault.clone()));
        self.state.faults.lock().unwrap().extend(faults);
    }

    /// Forgets faults that have not happened.
    pub fn heal(&self) {
        self.state.faults.lock().unwrap().clear();
    }

    /// Refuses connections, and cuts those that are open.
    pub async fn down(&mut self) {
        let accepting = self.accepting.take().expect("it is up");
        accepting.abort();
        let _ = accepting.await;
    }

    /// Accepts connections again.
    pub async fn up(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.accepting = Some(tokio::spawn(accept(listener, Arc::clone(&self.state))));
    }

    /// How many requests such as `GET /api/auth/me` there were.
    pub fn count(&self, request: &str) -> usize {
        self.state.log.lock().unwrap().iter().filter(|entry| entry.request == request).count()
    }

    /// Whether a request such as `GET /api/auth/me` was answered with this status.
    pub fn has_answered(&self, request: &str, status: &str) -> bool {
        self.answers(request, status) > 0
    }

    /// How many requests such as `GET /api/auth/me` were answered with this status.
    pub fn answers(&self, request: &str, status: &str) -> usize {
        let log = self.state.log.lock().unwrap();
        let is_it = |e: &&Arc<Entry>| {
            e.request == request && e.status.get().is_some_and(|answered| answered == status)
        };
        log.iter().filter(is_it).count()
    }

    /// Takes the log: lines such as `GET /api/auth/me 200`, without a status where no answer
    /// was passed on.
    pub fn take_log(&self) -> Vec<String> {
        let log = std::mem::take(&mut *self.state.log.lock().unwrap());
        let line = |entry: Arc<Entry>| match entry.status.get() {
            Some(status) => format!("{} {status}", entry.request),
            None => entry.request.clone(),
        };
        log.into_iter().map(line).collect()
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    // Dropped with this task, and the connections with it.
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(serve(client, Arc::clone(&state)));
    }
}

async fn serve(client: TcpStream, state: Arc<State>) -> io::Result<()> {
    let (mut from_client, mut to_client) = split(client);
    while let Some(request) = Message::read(&mut from_client).await? {
        let entry = state.enter(&request.start);
        let fault = state.next_fault(&request.start);
        if let Some(Fault::Answer(head, body)) = fault {
            let length = body.len();
            let answer = format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\n\r\n{body}");
            to_client.write_all(answer.as_bytes()).await?;
            continue;
        }
        // A connection for each request: none is cut because it was idle.
        let (mut from_server, mut to_server) = split(TcpStream::connect(&state.upstream).await?);
        to_server.write_all(&request.bytes).await?;
        let Some(answer) = Message::read(&mut from_server).await? else { break };
        match fault {
            Some(Fault::Swallow) => break,
            Some(Fault::Hold(gate)) => gate.acquire().await.unwrap().forget(),
            _ => {}
        }
        // The client can act on the answer as soon as it is written.
        let _ = entry.status.set(answer.start);
        to_client.write_all(&answer.bytes).await?;
    }
    Ok(())
}

fn split(stream: TcpStream) -> (BufReader<OwnedReadHalf>, OwnedWriteHalf) {
    let (reader, writer) = stream.into_split();
    (BufReader::new(reader), writer)
}

impl State {
    fn enter(&self, request: &str) -> Arc<Entry> {
        let entry = Arc::new(Entry { request: request.to_owned(), status: OnceLock::new() });
        self.log.lock().unwrap().push(Arc::clone(&entry));
        entry
    }

    fn next_fault(&self, request: &str) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap();
        let position = faults.iter().position(|(line, _)| line == request)?;
        faults.remove(position).map(|(_, fault)| fault)
    }
}

/// A request or an answer.
struct Message {
    /// Method and path, or the status.
    start: String,
    bytes: Vec<u8>,
}

impl Message {
    /// Reads one, or `None` at the end. A length or nothing: Doorward sends nothing in chunks.
    async fn read(from: &mut BufReader<OwnedReadHalf>) -> io::Result<Option<Self>> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if from.read_line(&mut head).await? == 0 {
                return Ok(None);
            }
        }
        let lower = head.to_lowercase();
        assert!(!lower.contains("transfer-encoding"), "{head}");
        let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        from.read_exact(&mut body).await?;
        let words: Vec<_> = head.split_whitespace().take(3).collect();
        let start =
            if words[0].starts_with("HTTP/") { words[1].into() } else { words[..2].join(" ") };
        Ok(Some(Self { start, bytes: [head.into_bytes(), body].concat() }))
    }
}
