//! Breadth-first search through every reachable state.

use std::hash::Hash;

use indexmap::IndexSet;

/// A step: its name, the state that it leads to, and what it violates, if anything.
pub(crate) type Step<S> = (String, S, Option<String>);

/// What a search looked at.
pub(crate) struct Report {
    /// Distinct states that were reached.
    pub(crate) states: usize,
    /// Steps between them.
    pub(crate) steps: usize,
    /// The length of the longest shortest path.
    pub(crate) depth: usize,
    /// The first violation, with the names of the steps of a shortest way to it.
    pub(crate) violation: Option<(String, Vec<String>)>,
}

/// Explores all states that `next` reaches from `start`, stopping at the first violation.
pub(crate) fn explore<S: Clone + Eq + Hash>(start: S, next: impl Fn(&S) -> Vec<Step<S>>) -> Report {
    let mut seen = IndexSet::from([start]);
    // By the number of a state: the number of the state that it was first reached from.
    let mut parents = vec![0];
    let (mut index, mut level_end, mut depth, mut steps) = (0, 1, 0, 0);
    while let Some(from) = seen.get_index(index).cloned() {
        for (name, state, violation) in next(&from) {
            steps += 1;
            if let Some(violation) = violation {
                let mut way = way_to(&seen, &parents, index, &next);
                way.push(name);
                let violation = Some((violation, way));
                return Report { states: seen.len(), steps, depth, violation };
            }
            if seen.insert(state) {
                parents.push(index);
            }
        }
        index += 1;
        if index == level_end && index < seen.len() {
            level_end = seen.len();
            depth += 1;
        }
    }
    Report { states: seen.len(), steps, depth, violation: None }
}

/// The names of the steps to a state. They are not kept, but found again.
fn way_to<S: Clone + Eq + Hash>(
    seen: &IndexSet<S>,
    parents: &[usize],
    mut index: usize,
    next: impl Fn(&S) -> Vec<Step<S>>,
) -> Vec<String> {
    let mut way = Vec::new();
    while index != 0 {
        let parent = parents[index];
        let step = next(&seen[parent]).into_iter().find(|(_, state, _)| *state == seen[index]);
        way.extend(step.map(|(name, ..)| name));
        index = parent;
    }
    way.reverse();
    way
}
