//! The server as a process, and what the system says of it.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process, setrlimit};
use tempfile::TempDir;

use super::wire;

/// No test waits for longer than this. It only bounds a server that hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Hashes that cost next to nothing.
pub const CHEAP: [(&str, &str); 2] =
    [("DOORWARD_ARGON2_MEMORY_KIB", "8"), ("DOORWARD_ARGON2_ITERATIONS", "1")];

/// A running `doorward serve`, on a free port and a database of its own.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    pub data: TempDir,
}

impl Server {
    /// Returns once it has said that it is ready. With `files`, that many may be open.
    pub fn start(settings: &[(&str, &str)], files: Option<u64>) -> Self {
        allow_many_files();
        let data = tempfile::tempdir().unwrap();
        let built = env!("CARGO_BIN_EXE_doorward");
        let program = std::env::var_os("DOORWARD_BIN").unwrap_or_else(|| built.into());
        let limit = files.map(|files| format!("ulimit -n {files} && ")).unwrap_or_default();
        let mut child = Command::new("/bin/sh")
            // The shell turns into the server, so that the one's id is the other's.
            .args(["-c", &format!("{limit}exec \"$0\" serve --listen 127.0.0.1:0 --data data")])
            .arg(std::path::absolute(program).unwrap())
            .current_dir(data.path())
            .env_clear()
            .envs([("DOORWARD_THROTTLE", "false"), ("DOORWARD_LOG_LEVEL", "warn")])
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(data.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let address = ready.split(' ').find_map(|word| word.strip_prefix("http://"));
        let Some(address) = address.and_then(|address| address.parse().ok()) else {
            panic!("not ready: {ready:?} {:?}", fs::read_to_string(data.path().join("log")));
        };
        Self { child, address, data }
    }

    /// What it has written to its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.data.path().join("log")).unwrap()
    }

    /// The sum of a metric's series whose name and labels start so.
    pub async fn metric(&self, name: &str) -> f64 {
        let ask = b"GET /metrics HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        let answers = wire::exchange(wire::OPERATOR, self.address, ask).await;
        assert_eq!(answers[0].status, 200);
        let lines = answers[0].body.lines().filter(|line| line.starts_with(name));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    /// How many accounts were registered.
    pub async fn registered(&self) -> f64 {
        self.metric("doorward_sign_ins_total{how=\"register\"}").await
    }

    /// Returns once an account was registered.
    pub async fn has_registered_somebody(&self) {
        let registered = async {
            while self.registered().await < 0.5 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let ended = tokio::time::timeout(PATIENCE, registered).await;
        assert!(ended.is_ok(), "nobody is registered");
    }

    /// Returns once no connection is open but the one that asks.
    pub async fn is_left_alone(&self) {
        let alone = async {
            while self.metric("doorward_http_connections ").await > 1.0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let ended = tokio::time::timeout(PATIENCE, alone).await;
        assert!(ended.is_ok(), "some connections stay open for ever");
    }

    /// A line of `/proc/PID/status` in KiB, such as `VmRSS`.
    pub fn memory_kib(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// How many files it has open. It keeps that to itself: only root is told, to others it is none.
    pub fn files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).map_or(0, Iterator::count)
    }

    /// How long its write-ahead log is.
    pub fn log_length(&self) -> u64 {
        fs::metadata(self.data.path().join("data/doorward.db-wal")).map_or(0, |file| file.len())
    }

    /// Stops it as an operator does.
    pub fn stop(mut self) {
        assert_eq!(self.child.try_wait().unwrap(), None, "it ended by itself: {}", self.log());
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        let log = self.log();
        assert!(status.success(), "{status}: {log}");
        assert!(!log.contains("panicked"), "{log}");
        assert!(!log.contains("time to drain was over"), "{log}");
    }
}

impl Drop for Server {
    /// A test that fails leaves no server behind.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Of this process, which holds the other ends of all connections.
fn allow_many_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}
