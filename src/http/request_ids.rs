//! Request ids: unique, short, and no secret.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::{Entropy, random};

/// A random number that tells processes apart, and a count.
pub struct RequestIds {
    process: u32,
    count: AtomicU64,
}

impl RequestIds {
    /// Starts counting. Without randomness the ids of two processes look alike; nothing depends
    /// on them but the reader of the log.
    pub fn new(entropy: &dyn Entropy) -> Self {
        let process = random(entropy).map_or(0, u32::from_be_bytes);
        Self { process, count: AtomicU64::new(1) }
    }

    /// The next id, such as `fb805cdb-2`.
    pub fn next(&self) -> String {
        format!("{:08x}-{:x}", self.process, self.count.fetch_add(1, Ordering::Relaxed))
    }
}
