//! The server under test.

use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Generous: what is waited for does come, unless something is broken.
const LIMIT: Duration = Duration::from_secs(60);

/// A server on a free port, with a new data directory.
pub struct Server {
    /// Without a slash at the end.
    pub url: String,
    child: Child,
    data: TempDir,
}

impl Server {
    /// Starts `DOORWARD_BIN` with configuration keys such as `("access_token_ttl", "2s")`. Hashing is
    /// cheap and nothing is throttled unless they say otherwise.
    pub async fn start(settings: &[(&str, &str)]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let mut command = Command::new(binary());
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data.path()).env_clear();
        let cheap = [("throttle", "false"), ("argon2_memory_kib", "8"), ("argon2_iterations", "1")];
        for (key, value) in cheap.iter().chain(settings) {
            command.env(format!("DOORWARD_{}", key.to_uppercase()), value);
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("DOORWARD_BIN can be started");
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        timeout(LIMIT, output.read_line(&mut line)).await.expect("it becomes ready").unwrap();
        let url = line
            .strip_prefix("Doorward is ready on ")
            .and_then(|rest| rest.split(' ').next())
            .unwrap_or_else(|| panic!("it said: {line:?}"));
        Self { url: url.to_owned(), child, data }
    }

    /// Runs another command of the server's, such as `user list`, which must succeed.
    pub async fn run(&self, arguments: &[&str]) {
        let mut command = Command::new(binary());
        command.args(arguments).arg("--data").arg(self.data.path()).env_clear();
        let output = command.stdin(Stdio::null()).output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// Stops it by SIGTERM, to which the answer must be exit code 0.
    pub async fn stop(mut self) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        kill_process(pid.expect("it is running"), Signal::TERM).unwrap();
        let status = timeout(LIMIT, self.child.wait()).await.expect("it stops").unwrap();
        assert!(status.success(), "the server answered SIGTERM with {status}");
    }
}

fn binary() -> OsString {
    std::env::var_os("DOORWARD_BIN").expect("DOORWARD_BIN names the server")
}
