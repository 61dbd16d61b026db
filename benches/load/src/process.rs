//! A server under measurement: a process of its own, looked at from outside.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;

/// A running server. It is stopped by its process id when dropped.
pub struct Process {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// From its start to its first answer.
    pub ready_after: Duration,
}

/// An address on the loopback that nobody listens on.
pub fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

impl Process {
    /// Starts `command` and waits until it prints a line with its address in it and answers
    /// `path` with 200.
    pub fn start(mut command: Command, address: SocketAddr, path: &str) -> Result<Self, Failure> {
        let started = Instant::now();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut says = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let mut process = Self { child, address, ready_after: Duration::ZERO };
        let mut line = String::new();
        while !line.contains(&address.to_string()) {
            line.clear();
            if says.read_line(&mut line)? == 0 {
                return Err(format!("{command:?} did not start").into());
            }
        }
        ask(address, path)?;
        process.ready_after = started.elapsed();
        // It is let talk, so that it never waits for a reader.
        std::thread::spawn(move || std::io::copy(&mut says, &mut std::io::sink()));
        Ok(process)
    }

    /// CPU time used so far, of all its threads.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub fn cpu(&self) -> Result<Duration, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name, in brackets, may hold blanks; utime and stime are fields 14 and 15.
        let fields: Vec<_> =
            stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks =
            |at: usize| -> Result<u64, Failure> { Ok(fields.get(at).ok_or("stat")?.parse()?) };
        Ok(Duration::from_secs_f64((ticks(11)? + ticks(12)?) as f64 / 100.0))
    }

    /// Resident memory, in bytes.
    pub fn memory(&self) -> Result<u64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: u64 = line.unwrap_or_default().trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A GET over a connection of its own; fails unless it is answered with 200.
fn ask(address: SocketAddr, path: &str) -> Result<(), Failure> {
    exchange(address, &format!("GET {path} HTTP/1.1\r\n"), "", " 200 ").map(drop)
}

/// A POST of JSON; fails unless it is answered with 201.
pub fn post(address: SocketAddr, path: &str, body: &str) -> Result<(), Failure> {
    let head = format!("POST {path} HTTP/1.1\r\nContent-Type: application/json\r\n");
    exchange(address, &head, body, " 201 ").map(drop)
}

/// A request over a connection of its own, and the body of its answer; fails unless the first line
/// of the answer has `wanted` in it.
pub fn exchange(
    address: SocketAddr,
    head: &str,
    body: &str,
    wanted: &str,
) -> Result<String, Failure> {
    let mut stream = TcpStream::connect(address)?;
    let length = body.len();
    write!(
        stream,
        "{head}Host: 127.0.0.1\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let first = answer.lines().next().unwrap_or_default();
    if !first.contains(wanted) {
        return Err(format!("{head}: {first}").into());
    }
    Ok(answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
}

/// Doorward's binary: the one beside this program.
pub fn doorward() -> Result<PathBuf, Failure> {
    let path = std::env::current_exe()?.with_file_name("doorward");
    if path.exists() {
        return Ok(path);
    }
    Err(format!("{} is not there: build it with `make release`", path.display()).into())
}

/// `doorward serve` on `data`, with nothing set but what a measurement needs.
pub fn serve(binary: &Path, data: &Path, more: &[(&str, &str)]) -> Result<Process, Failure> {
    let address = free_address()?;
    let mut command = Command::new(binary);
    command
        .args(["serve", "--listen", &address.to_string(), "--data"])
        .arg(data)
        .env_clear()
        .envs([
            // Tokens are made before the port is known.
            ("DOORWARD_PUBLIC_URL", crate::herd::PUBLIC_URL),
            ("DOORWARD_THROTTLE", "false"),
            ("DOORWARD_LOG_LEVEL", "warn"),
        ])
        .envs(more.iter().copied());
    Process::start(command, address, "/healthz")
}
