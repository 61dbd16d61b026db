//! Password hashing: Argon2id (RFC 9106) on threads of its own.
//!
//! The threads keep their working memory, so that hashing costs `threads × memory` for good
//! and no more; the queue is bounded, so that a storm of logins is shed before it costs a
//! hash, while everything else goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq as _;
use tokio::sync::oneshot;

use crate::domain::password::Password;
use crate::metric;

/// The costs of Argon2id, as in RFC 9106 §3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
}

/// How many jobs may wait: under two seconds of work on two cores at the default costs.
const QUEUE: usize = 256;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashFault {
    /// The queue is full.
    #[error("too many passwords are being checked at the moment")]
    Overloaded,
    /// A stored hash cannot be read, or the threads are gone.
    #[error("password hashing failed")]
    Broken,
}

/// What checking a password found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// Not the password.
    Wrong,
    /// The password.
    Right,
    /// The password, hashed at costs that are no longer the configured ones.
    RightButOutdated,
}

type Job = Box<dyn FnOnce(&mut Vec<Block>) + Send>;

/// The pool of hashing threads. They end when it is dropped.
pub struct Hasher {
    queue: SyncSender<Job>,
    params: Params,
    dummy: Arc<str>,
}

impl Hasher {
    /// Starts `threads` threads that hash at `costs`.
    pub fn start(costs: Costs, threads: usize) -> Result<Self, HashFault> {
        let Costs { memory_kib, iterations, parallelism } = costs;
        let params = Params::new(memory_kib, iterations, parallelism, Some(32))
            .map_err(|_| HashFault::Broken)?;
        let (queue, jobs) = sync_channel::<Job>(QUEUE);
        let jobs = Arc::new(Mutex::new(jobs));
        for index in 0..threads.max(1) {
            let jobs = Arc::clone(&jobs);
            std::thread::Builder::new()
                .name(format!("hasher-{index}"))
                .spawn(move || work(&jobs))
                .map_err(|_| HashFault::Broken)?;
        }
        // No password has this hash: it only makes a stranger's login cost what a user's does.
        let dummy = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).map_err(|_| HashFault::Broken)?,
            salt: Some(Salt::new(&[0; 16]).map_err(|_| HashFault::Broken)?),
            hash: Some(Output::new(&[0; 32]).map_err(|_| HashFault::Broken)?),
        };
        Ok(Self { queue, params, dummy: dummy.to_string().into() })
    }

    /// Hashes a password into a PHC string.
    pub async fn hash(&self, password: Password, salt: [u8; 16]) -> Result<String, HashFault> {
        let params = self.params.clone();
        self.run(move |memory| {
            let salt = Salt::new(&salt).map_err(|_| HashFault::Broken)?;
            let output =
                compute(&params, Algorithm::Argon2id, Version::V0x13, &password, &salt, memory)?;
            let phc = PasswordHash {
                algorithm: Algorithm::Argon2id.ident(),
                version: Some(Version::V0x13.into()),
                params: ParamsString::try_from(&params).map_err(|_| HashFault::Broken)?,
                salt: Some(salt),
                hash: Some(output),
            };
            Ok(phc.to_string())
        })
        .await
    }

    /// Compares a password with a stored PHC string; with none, does the same work and finds
    /// it wrong, so that a stranger's address takes as long as a user's. An empty string is none:
    /// an account whose password is still to be set.
    pub async fn verify(
        &self,
        password: Password,
        stored: Option<String>,
    ) -> Result<Match, HashFault> {
        let wanted = self.params.clone();
        let stored = stored.filter(|stored| !stored.is_empty());
        let known = stored.is_some();
        let stored: Arc<str> = stored.map_or_else(|| Arc::clone(&self.dummy), Into::into);
        self.run(move |memory| {
            let phc = PasswordHash::new(&stored).map_err(|_| HashFault::Broken)?;
            let (Some(salt), Some(expected)) = (phc.salt, phc.hash) else {
                return Err(HashFault::Broken);
            };
            let params = Params::try_from(&phc).map_err(|_| HashFault::Broken)?;
            let algorithm =
                Algorithm::try_from(phc.algorithm.as_str()).map_err(|_| HashFault::Broken)?;
            let version = phc
                .version
                .map_or(Ok(Version::V0x13), Version::try_from)
                .map_err(|_| HashFault::Broken)?;
            let output = compute(&params, algorithm, version, &password, &salt, memory)?;
            let same: bool = output.as_bytes().ct_eq(expected.as_bytes()).into();
            let outdated = algorithm != Algorithm::Argon2id || !same_costs(&params, &wanted);
            Ok(match (known && same, outdated) {
                (false, _) => Match::Wrong,
                (true, false) => Match::Right,
                (true, true) => Match::RightButOutdated,
            })
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        task: impl FnOnce(&mut Vec<Block>) -> Result<T, HashFault> + Send + 'static,
    ) -> Result<T, HashFault> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |memory| {
            metrics::gauge!(metric::HASH_QUEUE).decrement(1.0);
            // Nobody waits any more: do not spend the work.
            if !reply.is_closed() {
                let _ = reply.send(metric::timed(metric::HASH_SECONDS, || task(memory)));
            }
        });
        metrics::gauge!(metric::HASH_QUEUE).increment(1.0);
        if let Err(error) = self.queue.try_send(job) {
            metrics::gauge!(metric::HASH_QUEUE).decrement(1.0);
            return Err(match error {
                TrySendError::Full(_) => HashFault::Overloaded,
                TrySendError::Disconnected(_) => HashFault::Broken,
            });
        }
        answer.await.map_err(|_| HashFault::Broken)?
    }
}

/// How much these threads stand back (`nice`) for those that answer: a hash takes the processor for
/// milliseconds, a refresh for microseconds.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

fn work(jobs: &Mutex<Receiver<Job>>) {
    // Of this thread alone, on Linux. Where it is not allowed, hashing only gets more than its due.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICENESS);
    let mut memory = Vec::new();
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // A panic costs the job its answer, not the pool its thread.
        let _ = catch_unwind(AssertUnwindSafe(|| job(&mut memory)));
    }
}

fn compute(
    params: &Params,
    algorithm: Algorithm,
    version: Version,
    password: &Password,
    salt: &Salt,
    memory: &mut Vec<Block>,
) -> Result<Output, HashFault> {
    if memory.len() < params.block_count() {
        memory.resize(params.block_count(), Block::new());
    }
    let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let mut buffer = [0; Output::MAX_LENGTH];
    let output = buffer.get_mut(..length).ok_or(HashFault::Broken)?;
    Argon2::new(algorithm, version, params.clone())
        .hash_password_into_with_memory(password.as_bytes(), salt, output, memory.as_mut_slice())
        .map_err(|_| HashFault::Broken)?;
    Output::new(output).map_err(|_| HashFault::Broken)
}

fn same_costs(a: &Params, b: &Params) -> bool {
    (a.m_cost(), a.t_cost(), a.p_cost()) == (b.m_cost(), b.t_cost(), b.p_cost())
}
