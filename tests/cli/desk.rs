//! Where an operator sits, and what the program answers.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assert_cmd::cargo::cargo_bin;
use doorward::clock::{Clock as _, SystemClock};
use doorward::config::ReusePolicy;
use doorward::domain::account::Email;
use doorward::domain::id::SessionId;
use doorward::domain::secret::{KeyId, LookupHash, Salt};
use doorward::domain::session::{Client, SessionPolicy};
use doorward::store::{NewSession, Store};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const PASSWORD: &str = "correct horse battery\n";
pub(crate) const ANA: &str = "ana@example.com";
pub(crate) const STRANGER: &str = "01a2096f-0c25-7f5f-a209-5af50e47ec61";
pub(crate) const FIREFOX: &str =
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// An empty working directory of its own.
pub(crate) struct Desk {
    dir: TempDir,
    program: PathBuf,
    /// The user who runs the program, where it is another than that of the test.
    user: Option<u32>,
}

/// `nobody`, whom permissions keep out.
const NOBODY: u32 = 65534;

/// What a run said, and how it ended.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Desk {
    pub(crate) fn new() -> Self {
        let (dir, program) = (tempfile::tempdir().unwrap(), cargo_bin!("doorward").to_owned());
        Self { dir, program, user: None }
    }

    /// Of a user whom permissions keep out: `root` is above them.
    pub(crate) fn unprivileged() -> Self {
        let mut desk = Self::new();
        if rustix::process::geteuid().is_root() {
            // The target directory may be out of their reach.
            let program = desk.path().join("doorward");
            fs::copy(&desk.program, &program).unwrap();
            chown(desk.path(), Some(NOBODY), Some(NOBODY)).unwrap();
            desk.program = program;
            desk.user = Some(NOBODY);
        }
        desk
    }

    /// With Ana, an administrator.
    pub(crate) fn with_ana() -> Self {
        let desk = Self::new();
        desk.type_in("user add ana@example.com --role admin --password-stdin", PASSWORD).is(0);
        desk
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn command(&self, line: &str) -> assert_cmd::Command {
        let mut command = std::process::Command::new(&self.program);
        command.current_dir(self.path()).env_clear().args(line.split_whitespace());
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        let mut command = assert_cmd::Command::from_std(command);
        // A server that should have refused to start must not hold up the tests for ever.
        command.timeout(Duration::from_secs(60));
        command
    }

    pub(crate) fn run(&self, line: &str) -> Answer {
        Answer::of(&mut self.command(line))
    }

    pub(crate) fn run_in(&self, line: &str, variable: &str, value: &str) -> Answer {
        Answer::of(self.command(line).env(variable, value))
    }

    pub(crate) fn type_in(&self, line: &str, stdin: impl Into<Vec<u8>>) -> Answer {
        Answer::of(self.command(line).write_stdin(stdin))
    }

    pub(crate) fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.run(line).is(0).out).unwrap()
    }

    pub(crate) fn is_empty(&self) -> bool {
        fs::read_dir(self.path()).unwrap().next().is_none()
    }

    /// What a sign-in leaves behind: a session of Ana's, and its id.
    pub(crate) fn sign_ana_in(&self) -> SessionId {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let now = SystemClock::start().now();
        let store =
            Store::open(&self.path().join("data/doorward.db"), Duration::ZERO, now).unwrap();
        let id = SessionId::new(now.wall, &[7; 10]);
        let session = NewSession {
            id,
            secret_hash: LookupHash([0; 32]),
            salt: Salt([0; 32]),
            key_id: KeyId([0; 33]),
            client: Client { ip: "192.0.2.7".to_owned(), user_agent: FIREFOX.to_owned() },
            replaces: None,
            policy: SessionPolicy {
                refresh_token_ttl: Duration::from_secs(3600),
                session_max_age: Duration::from_secs(7200),
                max_sessions_per_user: 9,
                refresh_grace: Duration::ZERO,
                lost_response_window: Duration::ZERO,
                reuse_policy: ReusePolicy::User,
            },
        };
        runtime.block_on(async {
            let email = Email::parse(ANA).unwrap();
            let ana = store.find_account_by_email(email).await.unwrap().unwrap();
            let started = store.start_session(ana.user.id, ana.password_hash, None, &session, now);
            assert!(started.await.unwrap().unwrap().is_some());
        });
        store.close();
        id
    }
}

impl Answer {
    pub(crate) fn of(command: &mut assert_cmd::Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn is(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn out(self, part: &str) -> Self {
        assert!(self.out.contains(part), "no {part:?} in {self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn err(self, part: &str) -> Self {
        assert!(self.err.contains(part), "no {part:?} in {self:?}");
        self
    }
}

/// The first field of that name in the first object of a JSON array.
pub(crate) fn first<'a>(list: &'a Value, field: &str) -> &'a str {
    list.pointer(&format!("/0/{field}")).and_then(Value::as_str).unwrap()
}

/// What there is, once it is there; another process is at work on it.
#[track_caller]
pub(crate) fn until<T>(found: impl Fn() -> Option<T>) -> T {
    for _ in 0..1500 {
        if let Some(found) = found() {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("it never comes");
}
