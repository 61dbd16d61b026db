//! The program in a directory of its own, and all that comes out of it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use assert_cmd::cargo::cargo_bin;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::canary::{Canary, Kind};
use crate::table::Evidence;

/// Cheap to hash, never throttled, and everything is logged.
const SETTINGS: &str = "\
throttle = false
argon2_memory_kib = 8
argon2_iterations = 1
log_level = \"trace\"
";

/// Where everything happens.
pub(crate) struct House {
    dir: TempDir,
    pub(crate) canaries: Vec<Canary>,
    pub(crate) evidence: Vec<Evidence>,
}

impl House {
    pub(crate) fn new() -> Self {
        let house = Self { dir: tempfile::tempdir().unwrap(), canaries: vec![], evidence: vec![] };
        house.set("");
        house
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Writes the configuration.
    pub(crate) fn set(&self, more: &str) {
        fs::write(self.path().join("doorward.toml"), format!("{SETTINGS}{more}")).unwrap();
    }

    pub(crate) fn note(&mut self, place: &str, content: impl Into<Vec<u8>>) {
        self.evidence.push(Evidence { place: place.to_owned(), content: content.into() });
    }

    /// A secret of this kind, unless it is known already.
    pub(crate) fn secret(&mut self, kind: Kind, bytes: &[u8]) -> &mut Canary {
        let known = self.canaries.iter().position(|canary| canary.is(bytes));
        let index = known.unwrap_or_else(|| {
            self.canaries.push(Canary::new(kind, bytes));
            self.canaries.len() - 1
        });
        &mut self.canaries[index]
    }

    /// All files that there are now.
    pub(crate) fn note_files(&mut self) {
        let root = self.path().to_owned();
        let mut rest: Vec<PathBuf> = vec![root.clone()];
        while let Some(path) = rest.pop() {
            if path.is_dir() {
                rest.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            // A log that is folded, a draft that is renamed: gone while we look.
            } else if let Ok(content) = fs::read(&path) {
                let place = path.strip_prefix(&root).unwrap().display().to_string();
                self.note(&format!("file {place}"), content);
            }
        }
    }

    /// What other programs see of a process. Of one that keeps its memory to itself only root may see
    /// all.
    fn note_process(&mut self, name: &str, id: u32) {
        // A program that has only just begun has no command line yet.
        let is_new = || fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| line.is_empty());
        (0..10_000).take_while(|_| is_new()).for_each(|_| std::thread::yield_now());
        for file in ["cmdline", "environ"] {
            let content = fs::read(format!("/proc/{id}/{file}")).unwrap_or_default();
            self.note(&format!("process of {name}: {file}"), content);
        }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(cargo_bin!("doorward"));
        command.current_dir(self.path()).env_clear().args(line.split_whitespace());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end, and notes what it says, and what is seen of it while it waits for
    /// `stdin`. Gives its standard output.
    pub(crate) fn run(&mut self, line: &str, stdin: Option<&str>) -> String {
        let mut command = self.command(line);
        command.stdin(if stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = command.spawn().unwrap();
        if let Some(text) = stdin {
            self.note_process(line, child.id());
            // One that refuses its arguments does not read.
            let _ = writeln!(child.stdin.take().unwrap(), "{text}");
        }
        let output = child.wait_with_output().unwrap();
        let said = [output.stdout.as_slice(), &output.stderr].concat();
        self.note(&format!("output of {line}"), said);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts a server.
    pub(crate) fn serve(&mut self, name: &str) -> Server {
        let mut child = self.command("serve --listen 127.0.0.1:0").spawn().unwrap();
        let log = Arc::new(Log::default());
        let (stderr, theirs) = (child.stderr.take().unwrap(), Arc::clone(&log));
        let reader = std::thread::spawn(move || theirs.follow(stderr));
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut ready = String::new();
        out.read_line(&mut ready).unwrap();
        let Some(url) = ready.split(' ').find_map(|word| word.strip_prefix("http://")) else {
            panic!("not ready: {}", String::from_utf8_lossy(&log.lines.lock().unwrap()));
        };
        let address = url.to_owned();
        self.note_process(name, child.id());
        let (name, reader) = (name.to_owned(), Some(reader));
        Server { name, address, child, log, reader, out: Box::new(out) }
    }
}

#[derive(Default)]
struct Log {
    lines: Mutex<Vec<u8>>,
    grown: Condvar,
}

impl Log {
    fn follow(&self, stderr: impl Read) {
        let mut stderr = BufReader::new(stderr);
        let mut line = Vec::new();
        while stderr.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            self.lines.lock().unwrap().append(&mut line);
            self.grown.notify_all();
        }
    }
}

/// A server that runs; killed when the test is over.
pub(crate) struct Server {
    name: String,
    pub(crate) address: String,
    child: Child,
    log: Arc<Log>,
    reader: Option<JoinHandle<()>>,
    out: Box<dyn Read>,
}

impl Server {
    /// Returns once its log has a line with `words`.
    pub(crate) fn wait_until_it_says(&self, words: &str) {
        let says = |log: &mut Vec<u8>| String::from_utf8_lossy(log).contains(words);
        let patience = Duration::from_secs(60);
        let lines = self.log.lines.lock().unwrap();
        let (lines, waited) =
            self.log.grown.wait_timeout_while(lines, patience, |log| !says(log)).unwrap();
        let log = String::from_utf8_lossy(&lines);
        assert!(!waited.timed_out(), "it does not say {words:?}:\n{log}");
    }

    /// Ends it by `signal`, and notes what it has said.
    pub(crate) fn end(mut self, signal: Signal, house: &mut House) {
        house.note_process(&self.name, self.child.id());
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        let mut out = Vec::new();
        self.out.read_to_end(&mut out).unwrap();
        let log = std::mem::take(&mut *self.log.lines.lock().unwrap());
        assert!(log.len() > 1000, "it has logged nothing");
        house.note(&format!("log of {}", self.name), [log, out].concat());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A mail server that takes no password, and says which one, and the line that it came in. Its port.
pub(crate) fn talkative_mail_server(password: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let _ = stream.write_all(b"220 mail.example.com ESMTP\r\n");
            for line in lines.map_while(Result::ok) {
                let answer = match line.split(' ').next() {
                    Some("EHLO") => "250-mail.example.com\r\n250 AUTH PLAIN".to_owned(),
                    Some("AUTH") => format!("535 5.7.8 {line}: {password} is wrong"),
                    _ => "221 2.0.0 Bye".to_owned(),
                };
                if stream.write_all(format!("{answer}\r\n").as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    port
}
