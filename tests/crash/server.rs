//! The server as a process: started, killed, and started again on the same files and port.

use std::cell::{Cell, RefCell};
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use doorward::clock::{Clock as _, SystemClock};

/// No test waits for longer than this. It only bounds a server that hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A server that is up.
pub struct Server {
    address: SocketAddr,
    child: RefCell<Child>,
    /// How many more acknowledgements it lives to give.
    fuse: Cell<u64>,
    is_killed: Cell<bool>,
    /// From its start to its first answer.
    pub ready_after: Duration,
}

/// An address on the loopback that nobody listens on.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A client with connections of its own.
pub fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap()
}

/// `doorward serve`, not started yet. Nothing is set in its environment but what is named here.
pub fn command(data: &Path, address: SocketAddr) -> Command {
    let built = env!("CARGO_BIN_EXE_doorward");
    let program = std::env::var_os("DOORWARD_BIN").unwrap_or_else(|| built.into());
    let mut command = Command::new(std::path::absolute(program).unwrap());
    command
        .args(["serve", "--listen", &address.to_string(), "--data"])
        .arg(data)
        .current_dir(data)
        .env_clear()
        .envs([
            ("DOORWARD_ARGON2_MEMORY_KIB", "8"),
            ("DOORWARD_ARGON2_ITERATIONS", "1"),
            ("DOORWARD_THROTTLE", "false"),
            ("DOORWARD_MAX_SESSIONS_PER_USER", "10000"),
            ("DOORWARD_LOG_LEVEL", "error"),
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

impl Server {
    /// Starts it and returns when it is healthy. It is killed after `acknowledgements`.
    pub async fn start(data: &Path, address: SocketAddr, acknowledgements: u64) -> Self {
        let clock = SystemClock::start();
        let started = clock.now();
        let mut child = command(data, address).spawn().unwrap();
        let mut says = BufReader::new(child.stdout.take().unwrap());
        let line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            says.read_line(&mut line).map(|_| line)
        });
        let mut server = Self {
            address,
            child: RefCell::new(child),
            fuse: Cell::new(acknowledgements),
            is_killed: Cell::new(false),
            ready_after: Duration::ZERO,
        };
        let line = tokio::time::timeout(PATIENCE, line).await;
        let line = line.unwrap().unwrap().unwrap();
        assert!(line.contains("ready"), "the server did not start: {line:?}");
        let health = http().get(server.url("/healthz")).send().await;
        assert_eq!(health.unwrap().status(), 200);
        server.ready_after = clock.now().steady.since(started.steady);
        server
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A write was acknowledged. The one that burns the fuse down kills the server.
    pub fn acknowledged(&self) {
        self.fuse.set(self.fuse.get().saturating_sub(1));
        if self.fuse.get() == 0 {
            self.kill();
        }
    }

    pub fn is_killed(&self) -> bool {
        self.is_killed.get()
    }

    /// SIGKILL, once. It must have been alive until then.
    pub fn kill(&self) {
        if !self.is_killed.replace(true) {
            let mut child = self.child.borrow_mut();
            assert_eq!(child.try_wait().unwrap(), None, "the server ended by itself");
            child.kill().unwrap();
        }
    }

    /// Kills it, if that is still to be done, and waits until it is gone.
    pub fn bury(self) {
        self.kill();
        self.child.borrow_mut().wait().unwrap();
    }
}

impl Drop for Server {
    /// A test that fails leaves no server behind.
    fn drop(&mut self) {
        let child = self.child.get_mut();
        let _ = child.kill();
        let _ = child.wait();
    }
}
