//! The load generator: one thread, many connections, one request in flight on each.
//!
//! It shares the machine with what it measures, so it does as little as it can: one buffer a
//! connection, no futures, no allocation per request of its own.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::Failure;

/// What is sent, and what is made of the answers.
pub trait Traffic {
    /// Makes ready for one measurement, in time that nobody counts.
    fn prepare(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// Appends the next request of connection `on`.
    fn request(&mut self, on: usize, out: &mut Vec<u8>);

    /// Takes the answer. An error ends the measurement: a server that refuses is not fast.
    fn answer(&mut self, on: usize, answer: &Answer<'_>) -> Result<(), Failure>;
}

/// An answer.
pub struct Answer<'a> {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: &'a [httparse::Header<'a>],
    /// Its body.
    pub body: &'a [u8],
}

impl Answer<'_> {
    /// Fails on any other status.
    pub fn expect(&self, status: u16) -> Result<(), Failure> {
        if self.status == status {
            return Ok(());
        }
        let body = String::from_utf8_lossy(self.body);
        Err(format!("expected {status}, got {}: {body}", self.status).into())
    }
}

/// What one measurement saw.
pub struct Seen {
    /// Answers in the measured time.
    pub answers: u64,
    /// The measured time.
    pub time: Duration,
    /// How long they took, in nanoseconds.
    pub latency: Histogram<u64>,
}

impl Seen {
    /// Answers a second.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub fn rate(&self) -> f64 {
        self.answers as f64 / self.time.as_secs_f64()
    }
}

/// How long is driven before it counts, and how long it counts.
#[derive(Clone, Copy)]
pub struct Span {
    /// Not counted.
    pub warm: Duration,
    /// Counted.
    pub counted: Duration,
}

/// No answer for this long ends the measurement.
const PATIENCE: Duration = Duration::from_secs(20);

struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
    output: Vec<u8>,
    /// When its request was sent; `None` when it is at rest.
    sent: Option<Instant>,
}

/// Drives `address` over `connections` connections and returns what was seen.
/// `at_start` and `at_end` are called at the bounds of the time that counts.
pub fn drive(
    address: SocketAddr,
    connections: usize,
    span: Span,
    traffic: &mut dyn Traffic,
    at_start: &mut dyn FnMut(),
    at_end: &mut dyn FnMut(),
) -> Result<Seen, Failure> {
    let mut poll = Poll::new()?;
    let mut lines = connect(&poll, address, connections)?;
    let mut latency = Histogram::new_with_bounds(1, 60_000_000_000, 3)?;
    let mut events = Events::with_capacity(connections);
    let began = Instant::now();
    let (from, until) = (began + span.warm, began + span.warm + span.counted);
    let (mut answers, mut counting, mut last) = (0, None, began);

    for (on, line) in lines.iter_mut().enumerate() {
        send(line, on, traffic)?;
    }
    let mut open = connections;
    while open > 0 {
        match poll.poll(&mut events, Some(PATIENCE)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            polled => polled?,
        }
        if events.is_empty() {
            return Err("no answer for 20 seconds".into());
        }
        for event in &events {
            let line = &mut lines[event.token().0];
            while receive(line, event.token().0, traffic)? {
                let now = Instant::now();
                if counting.is_none() && now >= from {
                    at_start();
                    counting = Some(now);
                }
                if let Some(sent) = line.sent.take()
                    && counting.is_some_and(|from| sent >= from)
                    && now < until
                {
                    answers += 1;
                    last = now;
                    latency.record(u64::try_from((now - sent).as_nanos())?)?;
                }
                if now < until {
                    send(line, event.token().0, traffic)?;
                } else {
                    // What is under way is waited for, so that every token is accounted for.
                    if open == connections {
                        at_end();
                    }
                    open -= 1;
                    break;
                }
            }
        }
    }
    let from = counting.ok_or("nothing was answered in the measured time")?;
    Ok(Seen { answers, time: last - from, latency })
}

fn connect(poll: &Poll, address: SocketAddr, count: usize) -> io::Result<Vec<Connection>> {
    let mut lines = Vec::with_capacity(count);
    for index in 0..count {
        // Blocking until it is connected, so that nothing is sent too early.
        let stream = std::net::TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry().register(&mut stream, Token(index), Interest::READABLE)?;
        lines.push(Connection {
            stream,
            input: Vec::with_capacity(8192),
            output: Vec::with_capacity(4096),
            sent: None,
        });
    }
    Ok(lines)
}

fn send(line: &mut Connection, on: usize, traffic: &mut dyn Traffic) -> Result<(), Failure> {
    line.output.clear();
    traffic.request(on, &mut line.output);
    line.sent = Some(Instant::now());
    // A request is far smaller than a socket's buffer, which is empty.
    let written = line.stream.write(&line.output)?;
    if written == line.output.len() { Ok(()) } else { Err("a request was cut short".into()) }
}

/// Reads what there is. Whether that completes an answer.
fn receive(line: &mut Connection, on: usize, traffic: &mut dyn Traffic) -> Result<bool, Failure> {
    if line.sent.is_none() {
        return Ok(false);
    }
    loop {
        let old = line.input.len();
        line.input.resize(old + 4096, 0);
        let read = line.stream.read(&mut line.input[old..]);
        line.input.truncate(old + *read.as_ref().unwrap_or(&0));
        match read {
            Ok(0) => return Err("the server closed the connection".into()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let mut headers = [httparse::EMPTY_HEADER; 40];
        let mut head = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(start) = head.parse(&line.input)? else { continue };
        let length = content_length(head.headers)?;
        if line.input.len() < start + length {
            continue;
        }
        let status = head.code.unwrap_or(0);
        let body = &line.input[start..start + length];
        traffic.answer(on, &Answer { status, headers: head.headers, body })?;
        line.input.clear();
        return Ok(true);
    }
}

fn content_length(headers: &[httparse::Header<'_>]) -> Result<usize, Failure> {
    let header = headers.iter().find(|it| it.name.eq_ignore_ascii_case("content-length"));
    let header = header.ok_or("an answer without a Content-Length")?;
    Ok(std::str::from_utf8(header.value)?.parse()?)
}
