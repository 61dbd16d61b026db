//! The memory of the program, which holds keys and passwords, does not get out of it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use assert_cmd::cargo::cargo_bin;
use rustix::process::geteuid;
use tempfile::TempDir;

/// `nobody`.
const NOBODY: u32 = 65534;

/// A program that waits for its input, of a user who is not `root`, and where it is.
struct Waiting {
    child: Child,
    _dir: TempDir,
}

impl Waiting {
    fn start(program: &std::path::Path, arguments: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let copy = dir.path().join("program");
        fs::copy(program, &copy).unwrap();
        let mut command = Command::new(copy);
        command.current_dir(dir.path()).env_clear().args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        if geteuid().is_root() {
            chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
            command.uid(NOBODY).gid(NOBODY);
        }
        Self { child: command.spawn().unwrap(), _dir: dir }
    }

    /// The soft and the hard limit of a core dump, and whether the kernel has taken what is secret of
    /// the process from its user.
    fn facts(&self) -> (String, bool) {
        let proc = format!("/proc/{}", self.child.id());
        let limits = fs::read_to_string(format!("{proc}/limits")).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        let core = core.split_whitespace().skip(4).take(2).collect::<Vec<_>>().join(" ");
        // proc(5): what is in /proc of a process that is not dumpable belongs to root.
        let owner = fs::metadata(format!("{proc}/environ")).unwrap().uid();
        (core, owner == 0)
    }

    /// Asks until it is so: there is nothing else to wait for.
    fn is_closed(&self) -> bool {
        (0..500).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            self.facts() == ("0 0".to_owned(), true)
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn there_is_no_core_dump_and_no_look_at_memory_or_environment() {
    let commands: [&[&str]; 2] = [
        &["serve", "--listen", "127.0.0.1:0"],
        &["user", "add", "ana@example.com", "--password-stdin"],
    ];
    for arguments in commands {
        let process = Waiting::start(cargo_bin!("doorward"), arguments);
        assert!(process.is_closed(), "{arguments:?}: {:?}", process.facts());
    }
}

/// Another program has neither.
#[test]
fn the_facts_tell_a_program_that_is_open() {
    let process = Waiting::start(std::path::Path::new("/bin/cat"), &[]);
    assert!(!process.facts().1, "{:?}", process.facts());
}
