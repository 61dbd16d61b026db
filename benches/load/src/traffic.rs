//! The kinds of requests.

use std::collections::VecDeque;
use std::io::Write as _;

use crate::Failure;
use crate::herd::Herd;
use crate::load::{Answer, Traffic};

/// What a browser holds of a session.
#[derive(Clone, Default)]
pub struct Jar {
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
    /// The double-submit value.
    pub csrf: String,
}

impl Jar {
    /// Takes the cookies that an answer sets.
    fn take(&mut self, answer: &Answer<'_>) -> Result<(), Failure> {
        for header in answer.headers {
            if !header.name.eq_ignore_ascii_case("set-cookie") {
                continue;
            }
            let pair = std::str::from_utf8(header.value)?.split(';').next().unwrap_or_default();
            match pair.split_once('=') {
                Some(("token", value)) => value.clone_into(&mut self.access),
                Some(("refreshToken", value)) => value.clone_into(&mut self.refresh),
                Some(("csrfToken", value)) => value.clone_into(&mut self.csrf),
                _ => return Err(format!("an unknown cookie: {pair}").into()),
            }
        }
        Ok(())
    }

    fn write(&self, out: &mut Vec<u8>) {
        let Self { access, refresh, csrf } = self;
        let _ = write!(out, "Cookie: token={access}; refreshToken={refresh}; csrfToken={csrf}\r\n");
    }
}

/// What a browser sends with every request; the ceilings and the peers get the same.
pub const COMMON: &str = "Host: 127.0.0.1\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    Accept: */*\r\nAccept-Encoding: gzip, deflate, br\r\n";

/// A request without a session.
pub struct Plain(pub &'static str);

impl Traffic for Plain {
    fn request(&mut self, _on: usize, out: &mut Vec<u8>) {
        let _ = write!(out, "GET {} HTTP/1.1\r\n{COMMON}\r\n", self.0);
    }

    fn answer(&mut self, _on: usize, answer: &Answer<'_>) -> Result<(), Failure> {
        answer.expect(200)
    }
}

/// Browsers that refresh: each connection takes its sessions in turn, and carries the cookies of
/// each forward.
pub struct Refresh {
    path: &'static str,
    lines: Vec<VecDeque<Jar>>,
}

impl Refresh {
    /// Deals `jars` out to `connections`.
    pub fn new(path: &'static str, jars: Vec<Jar>, connections: usize) -> Self {
        let mut lines = vec![VecDeque::new(); connections];
        for (index, jar) in jars.into_iter().enumerate() {
            lines[index % connections].push_back(jar);
        }
        Self { path, lines }
    }

    /// All sessions as they are now.
    pub fn into_jars(self) -> Vec<Jar> {
        self.lines.into_iter().flatten().collect()
    }
}

impl Traffic for Refresh {
    fn request(&mut self, on: usize, out: &mut Vec<u8>) {
        let _ = write!(out, "POST {} HTTP/1.1\r\n{COMMON}", self.path);
        if let Some(jar) = self.lines[on].front() {
            jar.write(out);
        }
        out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    }

    fn answer(&mut self, on: usize, answer: &Answer<'_>) -> Result<(), Failure> {
        answer.expect(200)?;
        let line = &mut self.lines[on];
        let Some(mut jar) = line.pop_front() else { return Ok(()) };
        let before = jar.refresh.len();
        jar.refresh.clear();
        jar.take(answer)?;
        if jar.refresh.len() + 8 < before {
            return Err("a refresh that set no new refresh token".into());
        }
        line.push_back(jar);
        Ok(())
    }
}

/// Guarded reads, always with the same access tokens.
pub struct Read {
    /// The path.
    pub path: &'static str,
    /// One for each connection.
    pub jars: Vec<Jar>,
}

impl Read {
    fn write(&self, with: &Jar, out: &mut Vec<u8>) {
        let _ = write!(out, "GET {} HTTP/1.1\r\n{COMMON}", self.path);
        with.write(out);
        out.extend_from_slice(b"\r\n");
    }
}

impl Traffic for Read {
    fn request(&mut self, on: usize, out: &mut Vec<u8>) {
        self.write(&self.jars[on % self.jars.len()], out);
    }

    fn answer(&mut self, _on: usize, answer: &Answer<'_>) -> Result<(), Failure> {
        answer.expect(200)
    }
}

/// Guarded reads, each with an access token that was never seen before.
pub struct FreshRead {
    /// What is read.
    pub read: Read,
    /// Whose tokens they are.
    pub herd: Herd,
    /// Those that are left for this measurement, with the jars that they belong to.
    pub tokens: std::vec::IntoIter<(usize, String)>,
}

/// How many access tokens are made for a measurement.
const FRESH: usize = 300_000;

impl Traffic for FreshRead {
    fn prepare(&mut self) -> Result<(), Failure> {
        self.tokens = self.herd.tokens(FRESH)?.into_iter();
        Ok(())
    }

    fn request(&mut self, _on: usize, out: &mut Vec<u8>) {
        // Without one the server refuses, and the measurement ends.
        let (holder, access) = self.tokens.next().unwrap_or_default();
        let jar = Jar { access, ..self.read.jars[holder].clone() };
        self.read.write(&jar, out);
    }

    fn answer(&mut self, _on: usize, answer: &Answer<'_>) -> Result<(), Failure> {
        answer.expect(200)
    }
}

/// Logins, each connection as a user of its own.
pub struct Login {
    /// The path.
    pub path: &'static str,
    /// The bodies, one a user.
    pub bodies: Vec<String>,
}

impl Traffic for Login {
    fn request(&mut self, on: usize, out: &mut Vec<u8>) {
        let body = &self.bodies[on % self.bodies.len()];
        let _ = write!(
            out,
            "POST {} HTTP/1.1\r\n{COMMON}Content-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.path,
            body.len()
        );
    }

    fn answer(&mut self, _on: usize, answer: &Answer<'_>) -> Result<(), Failure> {
        answer.expect(200)
    }
}
