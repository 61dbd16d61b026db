//! Into memory, for tests: what was sent can be read, and the way be closed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Letter, Undelivered};

/// Why a letter is not taken, if it is not.
type Rule = Arc<dyn Fn(&Letter) -> Option<Undelivered> + Send + Sync>;

/// The letters that were taken. A clone sees the same ones.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    letters: Vec<Letter>,
    rule: Option<Rule>,
}

impl Memory {
    /// The letters since the last time, the oldest first.
    pub fn take(&self) -> Vec<Letter> {
        std::mem::take(&mut self.lock().letters)
    }

    /// From now on only letters are taken about which `rule` says nothing.
    pub fn refuse(&self, rule: impl Fn(&Letter) -> Option<Undelivered> + Send + Sync + 'static) {
        self.lock().rule = Some(Arc::new(rule));
    }

    /// From now on all letters are taken.
    pub fn accept(&self) {
        self.lock().rule = None;
    }

    pub(super) fn deliver(&self, letter: Letter) -> Result<(), Undelivered> {
        let mut state = self.lock();
        if let Some(undelivered) = state.rule.as_ref().and_then(|rule| rule(&letter)) {
            return Err(undelivered);
        }
        state.letters.push(letter);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
