//! A server that is started and stopped as an operator does it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Stdio};

use assert_cmd::cargo::cargo_bin;
use rustix::process::{Pid, Signal, kill_process};

use crate::desk::{ANA, Answer, Desk, PASSWORD};

/// A running `doorward serve`, on a free port; killed when the test is over.
pub(crate) struct Server {
    process: Child,
    address: String,
    log: BufReader<ChildStderr>,
}

impl Server {
    /// Returns once the server has said that it is ready.
    pub(crate) fn start(desk: &Desk, settings: &[(&str, &str)]) -> Self {
        let mut process = std::process::Command::new(cargo_bin!("doorward"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .current_dir(desk.path())
            .env_clear()
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut ready = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let bound = ready.split_once("listening on ").and_then(|(_, rest)| rest.split_once(','));
        let Some((address, _)) = bound else {
            let mut said = String::new();
            log.read_to_string(&mut said).unwrap();
            panic!("not ready: {ready:?} {said}");
        };
        Self { process, address: address.to_owned(), log }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).unwrap()
    }

    /// A session of Ana's, made with the keys of this server.
    pub(crate) fn sign_ana_in(&self) {
        let body = serde_json::json!({"email": ANA, "password": PASSWORD.trim()});
        self.post("/api/auth/login", &body);
    }

    /// What it answers, which is 200.
    pub(crate) fn get(&self, path: &str) -> serde_json::Value {
        let (status, body) = self.ask("GET", path, &[], &serde_json::Value::Null);
        assert_eq!(status, 200, "{body}");
        body
    }

    /// What it answers, which is 200.
    pub(crate) fn post(&self, path: &str, body: &serde_json::Value) -> serde_json::Value {
        let (status, body) = self.ask("POST", path, &[], body);
        assert_eq!(status, 200, "{body}");
        body
    }

    /// The status and the code of a refusal.
    pub(crate) fn refused(&self, path: &str, body: &serde_json::Value) -> (u16, String) {
        let (status, body) = self.ask("POST", path, &[], body);
        (status, body["code"].as_str().unwrap().to_owned())
    }

    /// Status and body of what it answers.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &serde_json::Value,
    ) -> (u16, serde_json::Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let headers = headers.concat();
        let mut stream = self.connect();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{headers}\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let body = serde_json::from_str(body).unwrap_or_default();
        (status.unwrap_or_else(|| panic!("{answer}")), body)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Reads its log as far as a line with `words` in it.
    pub(crate) fn wait_until_it_says(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            assert!(self.log.read_line(&mut line).unwrap() > 0, "it never says {words:?}");
        }
    }

    /// What it says until its end, and how it ends.
    pub(crate) fn end(mut self) -> Answer {
        let mut err = String::new();
        self.log.read_to_string(&mut err).unwrap();
        let status = self.process.wait().unwrap();
        Answer { code: status.code().expect("it ends of itself"), out: String::new(), err }
    }

    /// Stops it.
    pub(crate) fn stop(self) {
        self.signal(Signal::TERM);
        self.end().is(0);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
