//! Breadth-first search through every reachable state.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;

/// What a search looked at.
pub(crate) struct Report<S> {
    /// Distinct states that were reached.
    pub states: usize,
    /// Steps between them.
    pub steps: usize,
    /// The length of the longest shortest path.
    pub depth: usize,
    /// The first violation, with a shortest way to it; empty when there is none.
    pub violation: Option<(String, Vec<(String, S)>)>,
}

/// Explores all states that `next` reaches from `start`, stopping at the first violation or at
/// `most` states. A step is its name, the state that it leads to, and what it violates, if
/// anything.
pub(crate) fn explore<S: Clone + Eq + Hash>(
    start: S,
    most: usize,
    next: impl Fn(&S) -> Vec<(String, S, Option<String>)>,
) -> Report<S> {
    // Each state with the number of the state and the step that it was first reached by.
    let mut seen: HashMap<S, usize> = HashMap::from([(start.clone(), 0)]);
    let mut reached: Vec<(S, usize, String)> = vec![(start, 0, "start".to_owned())];
    let mut levels = vec![1];
    let mut steps = 0;
    let mut index = 0;
    while index < reached.len() && reached.len() < most {
        let from = reached[index].0.clone();
        for (name, state, violation) in next(&from) {
            steps += 1;
            if let Some(violation) = violation {
                let mut path = vec![(name, state)];
                path.extend(way_to(&reached, index));
                path.reverse();
                let report = Some((violation, path));
                return Report {
                    states: reached.len(),
                    steps,
                    depth: levels.len(),
                    violation: report,
                };
            }
            if let Entry::Vacant(entry) = seen.entry(state) {
                reached.push((entry.key().clone(), index, name));
                entry.insert(reached.len() - 1);
            }
        }
        index += 1;
        if levels.iter().sum::<usize>() == index && index < reached.len() {
            levels.push(reached.len() - index);
        }
    }
    Report { states: reached.len(), steps, depth: levels.len(), violation: None }
}

/// The steps to a state, the last one first.
fn way_to<S: Clone>(reached: &[(S, usize, String)], mut index: usize) -> Vec<(String, S)> {
    let mut way = Vec::new();
    while index != 0 {
        let (state, from, name) = &reached[index];
        way.push((name.clone(), state.clone()));
        index = *from;
    }
    way
}
