//! What a process knows of the keys that lie about: when it has looked, what it saw, and how it went.

use std::collections::HashSet;
use std::ffi::OsString;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::MutexGuard;

use super::Refusal;
use crate::clock::Clock;
use crate::crypto::ending;
use crate::crypto::key_files::Place;
use crate::domain::time::Timestamp;
use crate::fault::Fault;
use crate::store::KeyName;

/// What a process knows of the place where the keys are, and of those that are retired.
pub struct Watch {
    place: Place,
    /// The names of the files that were read.
    seen: Mutex<Option<Vec<OsString>>>,
    /// How many looks were begun, and the last that came to its end. One at a time.
    begun: AtomicU64,
    ended: AtomicU64,
    turn: tokio::sync::Mutex<()>,
    /// When the last look failed, by the steady clock. `None` if it did not.
    failed_at: Mutex<Option<Timestamp>>,
    /// How tokens end that retired keys have made.
    retired: Mutex<HashSet<String>>,
}

/// For so long a look that failed is not repeated for a token that anybody can make up.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

impl Watch {
    /// Nothing has been read yet.
    pub fn new(place: Place) -> Self {
        Self {
            place,
            seen: Mutex::default(),
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            turn: tokio::sync::Mutex::default(),
            failed_at: Mutex::default(),
            retired: Mutex::default(),
        }
    }

    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    /// The names of the files that were read.
    pub(super) fn saw(&self) -> Option<Vec<OsString>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Files of these names were read.
    pub(super) fn has_seen(&self, names: Option<Vec<OsString>>) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = names;
    }

    /// Waits until nobody looks.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Runs a look, whose turn it is, and keeps in mind how it ended; one that is given up half way has
    /// not. Whether a failure is news.
    pub(super) async fn run(
        &self,
        _turn: &MutexGuard<'_, ()>,
        clock: &dyn Clock,
        look: impl Future<Output = Result<(), Refusal>> + Send,
    ) -> Result<(), (Refusal, bool)> {
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let outcome = look.await;
        let failed_at = outcome.is_err().then(|| clock.now().steady);
        let before = self.failed_at.lock().map(|mut at| std::mem::replace(&mut *at, failed_at));
        self.ended.store(number, Ordering::SeqCst);
        outcome.map_err(|refusal| (refusal, before.is_ok_and(|at| at.is_none())))
    }

    /// Waits for a look that is begun from now on, and runs it if nobody else has.
    pub(super) async fn share(
        &self,
        clock: &dyn Clock,
        look: impl Future<Output = Result<(), Refusal>> + Send,
    ) -> Result<(), Fault> {
        let asked = self.begun.load(Ordering::SeqCst);
        self.check_failure(clock)?;
        let turn = self.turn.lock().await;
        self.check_failure(clock)?;
        if self.ended.load(Ordering::SeqCst) > asked {
            return Ok(());
        }
        let looked = self.run(&turn, clock, look).await;
        looked.map_err(|(refusal, is_news)| {
            let fault = Fault::from(refusal);
            if is_news { fault } else { fault.told() }
        })
    }

    /// Fails when the last look has failed a moment ago. It was written down then.
    fn check_failure(&self, clock: &dyn Clock) -> Result<(), Fault> {
        let failed_at = *self.failed_at.lock().unwrap_or_else(PoisonError::into_inner);
        if failed_at.is_some_and(|at| clock.now().steady.since(at) < AFTER_FAILURE) {
            return Err(Fault::unavailable("the keys stay as they are").told());
        }
        Ok(())
    }

    /// Keys are retired for good: there never are fewer.
    pub(super) fn know_retired(&self, keys: &[KeyName]) {
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        if retired.len() < 2 * keys.len() {
            let endings = |key: &KeyName| [ending(&key.kid), ending(&key.id.to_string())];
            retired.extend(keys.iter().flat_map(endings));
        }
    }

    /// Whether `token` says that it was made with a key that is known to be retired.
    pub(super) fn has_retired_the_key_of(&self, token: &str) -> bool {
        let retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        token.rsplit_once('.').is_some_and(|(_, ending)| retired.contains(ending))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::{join, join_all};
    use tokio::sync::oneshot;

    use super::*;
    use crate::clock::FakeClock;

    const BEGINNING: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    struct Bench {
        watch: Watch,
        clock: FakeClock,
        looks: AtomicU64,
    }

    impl Bench {
        fn new() -> Self {
            let place = Place::Directory("nowhere".into());
            let (clock, looks) = (FakeClock::at(BEGINNING), AtomicU64::new(0));
            Self { watch: Watch::new(place), clock, looks }
        }

        async fn ask(&self, outcome: Result<(), Refusal>) -> Result<(), Fault> {
            let look = async {
                self.looks.fetch_add(1, Ordering::SeqCst);
                outcome
            };
            self.watch.share(&self.clock, look).await
        }

        fn looks(&self) -> u64 {
            self.looks.load(Ordering::SeqCst)
        }
    }

    fn refusal() -> Result<(), Refusal> {
        Err(Fault::unavailable("a test").into())
    }

    /// It may have been too early for them; one more is enough for all.
    #[tokio::test]
    async fn those_who_come_during_a_look_share_the_next_one() {
        let bench = Bench::new();
        let (go_on, wait) = oneshot::channel();
        let first = bench.watch.share(&bench.clock, async {
            let _ = wait.await;
            Ok(())
        });
        let others = async {
            let asked = join_all((0..8).map(|_| bench.ask(Ok(()))));
            let release = async { go_on.send(()).unwrap() };
            join(asked, release).await.0
        };
        let (first, others) = join(first, others).await;
        first.unwrap();
        others.into_iter().for_each(Result::unwrap);
        assert_eq!(bench.looks(), 1);
        bench.ask(Ok(())).await.unwrap();
        assert_eq!(bench.looks(), 2, "whoever comes later wants another one");
    }

    /// A client that hangs up takes its look with it.
    #[tokio::test]
    async fn a_look_that_is_given_up_counts_for_nobody() {
        let bench = Bench::new();
        let (go_on, wait) = oneshot::channel();
        let mut first = Box::pin(bench.watch.share(&bench.clock, async {
            let _ = wait.await;
            Ok(())
        }));
        assert!(futures_util::poll!(&mut first).is_pending());
        let mut second = Box::pin(bench.watch.share(&bench.clock, std::future::pending()));
        let mut third = Box::pin(bench.ask(Ok(())));
        assert!(futures_util::poll!(&mut second).is_pending());
        assert!(futures_util::poll!(&mut third).is_pending());
        go_on.send(()).unwrap();
        first.await.unwrap();
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(second);
        third.await.unwrap();
        assert_eq!(bench.looks(), 1);
    }

    #[tokio::test]
    async fn a_look_that_failed_is_told_once_and_not_repeated_at_once() {
        let bench = Bench::new();
        assert!(!bench.ask(refusal()).await.unwrap_err().is_told());
        for _ in 0..3 {
            assert!(bench.ask(Ok(())).await.unwrap_err().is_told());
        }
        assert_eq!(bench.looks(), 1);
        bench.clock.advance(AFTER_FAILURE);
        assert!(bench.ask(refusal()).await.unwrap_err().is_told());
        bench.clock.advance(AFTER_FAILURE);
        bench.ask(Ok(())).await.unwrap();
        assert_eq!(bench.looks(), 3);
        assert!(!bench.ask(refusal()).await.unwrap_err().is_told(), "it is news again");
    }
}
