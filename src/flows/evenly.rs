//! Answers whose time tells nothing.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Such answers come after a whole number of these. Longer by far than what it makes of a difference
/// whether there is an account, and shorter than a person notices.
const STEP: Duration = Duration::from_millis(25);

/// When something began that is to take even time.
pub(super) struct Evenly(Instant);

impl Evenly {
    /// Now.
    #[expect(clippy::disallowed_methods, reason = "how long an answer takes, not what time it is")]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    /// Waits for the next step: a row more to read, or a mail to write, is lost in the rest of it.
    pub(super) async fn finish(self) {
        let steps = self.0.elapsed().as_nanos() / STEP.as_nanos() + 1;
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        sleep_until(self.0 + STEP.saturating_mul(steps)).await;
    }
}

/// Does `work` in even time.
pub(super) async fn evenly<T>(work: impl Future<Output = T>) -> T {
    let started = Evenly::start();
    let outcome = work.await;
    started.finish().await;
    outcome
}
