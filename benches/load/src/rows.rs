//! The rows of the table: what is started and how it is driven.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::herd::Herd;
use crate::load::{self, Seen, Span, Traffic};
use crate::process::{self, Process};
use crate::traffic::{FreshRead, Login, Plain, Read, Refresh};

/// Connections, unless a row says otherwise.
pub const CONNECTIONS: usize = 64;

/// Which Doorward a row measures, and where its database is.
pub struct Place<'a> {
    /// The binary.
    pub binary: &'a Path,
    /// A directory of its own, made anew.
    pub data: &'a Path,
}

/// What drives a row.
pub struct Row {
    /// The server.
    pub server: Process,
    /// What it is sent.
    pub traffic: Box<dyn Traffic + Send>,
    /// Where its database is, to watch the log beside it.
    pub data: Option<PathBuf>,
    /// What it is sent besides, without being measured.
    pub beside: Option<Box<dyn Traffic + Send>>,
}

/// One measurement of a row.
pub struct Measured {
    /// Rate and latency.
    pub seen: Seen,
    /// CPU time of the server for each answer.
    pub cpu: Duration,
    /// The server's resident memory at the end, in bytes.
    pub memory: u64,
    /// The largest that the write-ahead log was, in bytes.
    pub log: u64,
}

impl Row {
    /// Drives it once.
    pub fn measure(&mut self, connections: usize, span: Span) -> Result<Measured, Failure> {
        let (server, traffic) = (&self.server, &mut *self.traffic);
        traffic.prepare()?;
        let (driven, log) = watching(self.data.as_deref(), || {
            alongside(server.address, span, self.beside.as_mut(), || {
                drive(server, connections, span, traffic)
            })
        });
        let (seen, cpu) = driven?;
        Ok(Measured { seen, cpu, memory: server.memory()?, log })
    }
}

/// Drives `server`: what was seen, and its CPU time for each answer.
pub fn drive(
    server: &Process,
    connections: usize,
    span: Span,
    traffic: &mut dyn Traffic,
) -> Result<(Seen, Duration), Failure> {
    let (mut before, mut after) = (Ok(Duration::ZERO), Ok(Duration::ZERO));
    let seen = load::drive(
        server.address,
        connections,
        span,
        traffic,
        &mut || before = server.cpu(),
        &mut || after = server.cpu(),
    )?;
    let answers = u32::try_from(seen.answers.max(1))?;
    let cpu = after?.saturating_sub(before?) / answers;
    Ok((seen, cpu))
}

/// Runs `task` while another thread drives `beside`.
fn alongside<T>(
    address: SocketAddr,
    span: Span,
    beside: Option<&mut Box<dyn Traffic + Send>>,
    task: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, Failure> {
    std::thread::scope(|scope| {
        let other = beside.map(|traffic| {
            scope.spawn(move || {
                load::drive(address, CONNECTIONS, span, &mut **traffic, &mut || {}, &mut || {})
            })
        });
        let outcome = task();
        match other.map(std::thread::ScopedJoinHandle::join) {
            Some(Ok(Err(failure))) => Err(failure),
            Some(Err(_)) => Err("the thread beside it panicked".into()),
            Some(Ok(Ok(_))) | None => outcome,
        }
    })
}

/// Runs `task` and tells the largest that the log beside the database in `data` was meanwhile.
fn watching<T>(data: Option<&Path>, task: impl FnOnce() -> T) -> (T, u64) {
    let (done, largest) = (AtomicBool::new(false), AtomicU64::new(0));
    let log = data.map(|data| data.join("doorward.db-wal"));
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            while let Some(log) = &log
                && !done.load(Ordering::Relaxed)
            {
                let size = std::fs::metadata(log).map_or(0, |file| file.len());
                largest.fetch_max(size, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let outcome = task();
        done.store(true, Ordering::Relaxed);
        outcome
    });
    (outcome, largest.into_inner())
}

impl Place<'_> {
    /// A row of the server in this place.
    fn row(&self, traffic: Box<dyn Traffic + Send>) -> Result<Row, Failure> {
        let server = process::serve(self.binary, self.data, &[])?;
        Ok(Row { server, traffic, data: Some(self.data.to_owned()), beside: None })
    }
}

fn own(arguments: &[&str]) -> Result<Command, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments);
    Ok(command)
}

fn hello() -> Result<Process, Failure> {
    let address = process::free_address()?;
    Process::start(own(&["hello", &address.to_string()])?, address, "/hello")
}

/// poem-openapi with nothing to do.
pub fn greeting() -> Result<Row, Failure> {
    let traffic = Box::new(Plain("/api/hello"));
    Ok(Row { server: hello()?, traffic, data: None, beside: None })
}

/// poem with nothing to do.
pub fn plain() -> Result<Row, Failure> {
    let traffic = Box::new(Plain("/hello"));
    Ok(Row { server: hello()?, traffic, data: None, beside: None })
}

/// Rotations by cookie: `hot` sessions among `total`.
pub fn refresh(place: &Place<'_>, total: usize, hot: usize) -> Result<Row, Failure> {
    let herd = Herd::raise(place.data, total, hot)?;
    let traffic = Box::new(Refresh::new("/api/auth/refresh", herd.jars()?, CONNECTIONS));
    place.row(traffic)
}

/// The same, each rotation committed alone.
pub fn one_commit(place: &Place<'_>) -> Result<Row, Failure> {
    let data = place.data;
    let herd = Herd::raise(data, CONNECTIONS, CONNECTIONS)?;
    let address = process::free_address()?;
    let mut command = own(&["one-commit", &address.to_string()])?;
    command.arg(data);
    Ok(Row {
        server: Process::start(command, address, "/hello")?,
        traffic: Box::new(Refresh::new("/refresh", herd.jars()?, CONNECTIONS)),
        data: Some(data.to_owned()),
        beside: None,
    })
}

pub const ME: &str = "/api/auth/me";

/// Guarded reads, always with the same access tokens.
pub fn me_seen(place: &Place<'_>) -> Result<Row, Failure> {
    let herd = Herd::raise(place.data, CONNECTIONS, CONNECTIONS)?;
    let traffic = Box::new(Read { path: ME, jars: herd.jars()? });
    place.row(traffic)
}

/// Guarded reads, each with an access token that was never seen before.
pub fn me_new(place: &Place<'_>) -> Result<Row, Failure> {
    let herd = Herd::raise(place.data, CONNECTIONS, CONNECTIONS)?;
    let read = Read { path: ME, jars: herd.jars()? };
    place.row(Box::new(FreshRead { read, herd, tokens: Vec::new().into_iter() }))
}

/// Logins of as many users as there are connections.
pub fn login(place: &Place<'_>) -> Result<Row, Failure> {
    let data = place.data;
    let _ = std::fs::remove_dir_all(data);
    std::fs::create_dir_all(data)?;
    let server = process::serve(place.binary, data, &[])?;
    let bodies = register(&server)?;
    let traffic = Box::new(Login { path: "/api/auth/login", bodies });
    Ok(Row { server, traffic, data: Some(data.to_owned()), beside: None })
}

/// Rotations, while as many others sign in as the hashing pool can take and more.
pub fn refresh_during_logins(place: &Place<'_>) -> Result<Row, Failure> {
    let mut row = refresh(place, CONNECTIONS, CONNECTIONS)?;
    let bodies = register(&row.server)?;
    row.beside = Some(Box::new(Login { path: "/api/auth/login", bodies }));
    Ok(row)
}

/// Registers a user for each connection; the bodies of their logins.
pub fn register(server: &Process) -> Result<Vec<String>, Failure> {
    let bodies: Vec<_> = (0..CONNECTIONS)
        .map(|n| {
            format!(r#"{{"email":"login{n}@bench.example","password":"correct horse battery"}}"#)
        })
        .collect();
    for body in &bodies {
        process::post(server.address, "/api/auth/register", body)?;
    }
    Ok(bodies)
}

/// Argon2id at the default costs on as many threads as there are cores: hashes a second.
pub fn argon2(span: Duration) -> Result<f64, Failure> {
    let threads = std::thread::available_parallelism()?.get();
    let params = argon2::Params::new(19_456, 2, 1, Some(32)).map_err(|error| error.to_string())?;
    let (until, hashes) = (Instant::now() + span, AtomicU64::new(0));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut memory = vec![argon2::Block::new(); params.block_count()];
                let context = argon2::Argon2::new(
                    argon2::Algorithm::Argon2id,
                    argon2::Version::V0x13,
                    params.clone(),
                );
                while Instant::now() < until {
                    let mut out = [0; 32];
                    let salt = [7; 16];
                    let done = context.hash_password_into_with_memory(
                        b"correct horse battery",
                        &salt,
                        &mut out,
                        memory.as_mut_slice(),
                    );
                    hashes.fetch_add(u64::from(done.is_ok()), Ordering::Relaxed);
                }
            });
        }
    });
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let rate = hashes.into_inner() as f64 / began.elapsed().as_secs_f64();
    Ok(rate)
}
