//! Is a history linearizable? The search of Wing and Gong (1993), with the memory that Lowe (2017)
//! gave it: a set of steps that led to a state once is not tried again.

use std::collections::HashSet;
use std::hash::Hash;

/// One atomic step that took effect at some moment between two readings of one counter.
#[derive(Debug)]
pub struct Event<S> {
    pub began: usize,
    pub ended: usize,
    /// The index of the event that comes before this one within the same call.
    pub after: Option<usize>,
    /// What was done, and what came of it.
    pub step: S,
}

/// Indices of events, in the order in which they took effect.
pub type Order = Vec<usize>;

/// Finds an order in which the events explain each other: `apply` says what a step makes of a
/// state, or `None` when what came of it could not have come of it there. Fails with the longest
/// order that could.
pub fn linearize<S, M: Clone + Eq + Hash>(
    events: &[Event<S>],
    start: &M,
    apply: impl Fn(&M, &S) -> Option<M>,
) -> Result<Order, Order> {
    assert!(events.len() <= Taken::BITS as usize, "{} events are too many", events.len());
    let mut search =
        Search { events, apply, seen: HashSet::new(), order: Vec::new(), longest: Vec::new() };
    if search.explain(0, start) { Ok(search.order) } else { Err(search.longest) }
}

/// A set of events, one bit each.
type Taken = u128;

struct Search<'a, S, M, F> {
    events: &'a [Event<S>],
    apply: F,
    seen: HashSet<(Taken, M)>,
    order: Order,
    longest: Order,
}

impl<S, M: Clone + Eq + Hash, F: Fn(&M, &S) -> Option<M>> Search<'_, S, M, F> {
    /// Whether everything that is not `taken` can follow upon `state`.
    fn explain(&mut self, taken: Taken, state: &M) -> bool {
        if self.order.len() > self.longest.len() {
            self.longest.clone_from(&self.order);
        }
        if self.order.len() == self.events.len() {
            return true;
        }
        if !self.seen.insert((taken, state.clone())) {
            return false;
        }
        for next in self.candidates(taken) {
            let Some(state) = (self.apply)(state, &self.events[next].step) else { continue };
            self.order.push(next);
            if self.explain(taken | 1 << next, &state) {
                return true;
            }
            self.order.pop();
        }
        false
    }

    /// The events that may come next: no other one was over before they began.
    fn candidates(&self, taken: Taken) -> Vec<usize> {
        let is_taken = |index: usize| taken >> index & 1 == 1;
        let waiting = || (0..self.events.len()).filter(|index| !is_taken(*index));
        let deadline = waiting().map(|index| self.events[index].ended).min().unwrap_or_default();
        waiting()
            .filter(|index| {
                let event = &self.events[*index];
                event.began < deadline && event.after.is_none_or(is_taken)
            })
            .collect()
    }
}
