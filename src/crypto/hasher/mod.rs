//! Password hashing: Argon2id (RFC 9106) on threads of its own.
//!
//! The threads keep their working memory, so that hashing costs `threads × memory` for good
//! and no more; the queue is bounded, so that a storm of logins is shed before it costs a
//! hash, while everything else goes on.
//!
//! `argon` is what passwords are hashed with. `stored` reads that and what other programs have
//! left (`bcrypt`, scrypt, PBKDF2), which is checked in the same threads and replaced at the first
//! sign-in.

mod argon;
mod bcrypt;
mod stored;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use argon2::Block;
use argon2::password_hash::phc::{Output, Salt};
use tokio::sync::oneshot;
use zeroize::Zeroize as _;

use self::argon::Recipe;
use self::stored::Stored;
pub use self::stored::{HashRefused, admit, is_current};

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

/// What is stored in place of a hash when an account has no password: nobody can sign in with one
/// until one is set.
pub const NO_PASSWORD: &str = "";

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
    /// The password, hashed otherwise than it would be now: at other costs, by another function,
    /// or in another Unicode form.
    RightButOutdated,
}

type Job = Box<dyn FnOnce(&mut Vec<Block>) + Send>;

/// The pool of hashing threads. They end when it is dropped.
pub struct Hasher {
    queue: SyncSender<Job>,
    costs: Costs,
    dummy: Arc<str>,
}

impl Hasher {
    /// Starts `threads` threads that hash at `costs`.
    pub fn start(costs: Costs, threads: usize) -> Result<Self, HashFault> {
        let recipe = Recipe::ours(costs)?;
        let (queue, jobs) = sync_channel::<Job>(QUEUE);
        let jobs = Arc::new(Mutex::new(jobs));
        for index in 0..threads.max(1) {
            let jobs = Arc::clone(&jobs);
            let keep = recipe.params.block_count();
            std::thread::Builder::new()
                .name(format!("hasher-{index}"))
                .spawn(move || work(&jobs, keep))
                .map_err(|_| HashFault::Broken)?;
        }
        // No password has this hash: it only makes a stranger's login cost what a user's does.
        let salt = Salt::new(&[0; 16]).map_err(|_| HashFault::Broken)?;
        let dummy = recipe.write(salt, Output::new(&[0; 32]).map_err(|_| HashFault::Broken)?)?;
        Ok(Self { queue, costs, dummy: dummy.into() })
    }

    /// Hashes a password into a PHC string.
    pub async fn hash(&self, password: Password, salt: [u8; 16]) -> Result<String, HashFault> {
        let costs = self.costs;
        self.run(move |memory| {
            let recipe = Recipe::ours(costs)?;
            let salt = Salt::new(&salt).map_err(|_| HashFault::Broken)?;
            let output = recipe.compute(password.as_bytes(), &salt, memory)?;
            recipe.write(salt, output)
        })
        .await
    }

    /// Compares a password with a stored hash. With none, or with [`NO_PASSWORD`], does the same
    /// work and finds it wrong, so that a stranger's address takes as long as a user's.
    pub async fn verify(
        &self,
        password: Password,
        stored: Option<String>,
    ) -> Result<Match, HashFault> {
        let costs = self.costs;
        let stored = stored.filter(|stored| stored != NO_PASSWORD);
        let known = stored.is_some();
        let stored: Arc<str> = stored.map_or_else(|| Arc::clone(&self.dummy), Into::into);
        self.run(move |memory| {
            let stored = Stored::read(&stored).ok_or(HashFault::Broken)?;
            let mut outdated = !stored.is_ours(costs);
            let mut same = stored.matches(password.as_bytes(), memory)?;
            // Another program may have hashed what was typed as it came.
            if !same && let Some(typed) = password.as_typed() {
                same = stored.matches(typed, memory)?;
                outdated = true;
            }
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

/// Works on `jobs`, and keeps the memory of `keep` blocks between them.
fn work(jobs: &Mutex<Receiver<Job>>, keep: usize) {
    // Of this thread alone, on Linux. Where it is not allowed, hashing only gets more than its due.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, NICENESS);
    let mut memory = Vec::new();
    while let Some(job) = next(jobs, &mut memory) {
        // A panic costs the job its answer, not the pool its thread.
        let _ = catch_unwind(AssertUnwindSafe(|| job(&mut memory)));
        // A hash from elsewhere, or from before, may have taken more.
        if memory.len() > keep {
            memory.zeroize();
            memory.shrink_to(keep);
        }
    }
}

/// The next job. Before it waits for one it wipes the memory, which helps to guess the password that
/// was hashed in it: when there is time, so that it costs nobody's sign-in any.
fn next(jobs: &Mutex<Receiver<Job>>, memory: &mut [Block]) -> Option<Job> {
    // Where another thread has the lock, it waits, too.
    if let Ok(jobs) = jobs.try_lock()
        && let Ok(job) = jobs.try_recv()
    {
        return Some(job);
    }
    memory.iter_mut().zeroize();
    jobs.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_blank(memory: &[Block]) -> bool {
        memory.iter().all(|block| block.as_ref().iter().all(|word| *word == 0))
    }

    #[test]
    fn the_memory_is_wiped_before_a_thread_waits_and_not_while_there_is_work() {
        let (queue, jobs) = sync_channel::<Job>(2);
        let jobs = Mutex::new(jobs);
        let mut memory = Vec::new();
        for _ in 0..2 {
            let job = |memory: &mut Vec<Block>| {
                let salt = Salt::new(&[0; 16]).unwrap();
                let costs = Costs { memory_kib: 8, iterations: 1, parallelism: 1 };
                Recipe::ours(costs).unwrap().compute(b"password", &salt, memory).unwrap();
            };
            queue.send(Box::new(job)).unwrap();
        }
        drop(queue);
        for _ in 0..2 {
            next(&jobs, &mut memory).unwrap()(&mut memory);
            assert!(!is_blank(&memory));
        }
        assert_eq!(memory.len(), 8);
        assert!(next(&jobs, &mut memory).is_none());
        assert!(is_blank(&memory));
    }
}
