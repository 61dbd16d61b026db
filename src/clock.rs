//! Time and chance, as arguments: the one place that asks the system for either.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::domain::time::{Now, Timestamp};

/// Tells the time. Read once per flow and passed down.
pub trait Clock: Send + Sync {
    /// Both clocks, at one moment.
    fn now(&self) -> Now;
}

/// Yields unpredictable bytes.
pub trait Entropy: Send + Sync {
    /// Fills `bytes`. Fails when the system has no randomness to give.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy>;
}

/// The system's random number generator failed.
#[derive(Debug, thiserror::Error)]
#[error("the system's random number generator failed: {0}")]
pub struct NoEntropy(#[from] getrandom::Error);

/// `N` random bytes.
pub fn random<const N: usize>(entropy: &dyn Entropy) -> Result<[u8; N], NoEntropy> {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes)?;
    Ok(bytes)
}

/// The clocks of the machine.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
    wall_at_start: Timestamp,
}

#[expect(clippy::disallowed_methods, reason = "this is the clock that everything else asks")]
impl SystemClock {
    /// Starts the steady clock from the wall clock.
    pub fn start() -> Self {
        Self { started: Instant::now(), wall_at_start: Self::wall() }
    }

    fn wall() -> Timestamp {
        std::time::SystemTime::now().into()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Now {
        Now { wall: Self::wall(), steady: self.wall_at_start.plus(self.started.elapsed()) }
    }
}

/// The randomness of the machine.
#[derive(Debug)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the source that everything else asks")]
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        Ok(getrandom::fill(bytes)?)
    }
}

/// A clock that stands still until it is told to move. For tests, also of programs that embed
/// Doorward.
#[derive(Debug)]
pub struct FakeClock(Mutex<Now>);

impl FakeClock {
    /// Both clocks stand at `at`.
    pub const fn at(at: Timestamp) -> Self {
        Self(Mutex::new(Now { wall: at, steady: at }))
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.update(|now| Now { wall: now.wall.plus(by), steady: now.steady.plus(by) });
    }

    /// Corrects the wall clock; no time passes.
    pub fn set_wall(&self, wall: Timestamp) {
        self.update(|now| Now { wall, ..now });
    }

    /// What a restart does: the steady clock starts from the wall clock again.
    pub fn restart(&self) {
        self.update(|now| Now { steady: now.wall, ..now });
    }

    fn update(&self, change: impl FnOnce(Now) -> Now) {
        let mut now = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *now = change(*now);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Now {
        *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
