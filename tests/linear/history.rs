//! A history: what clients did, when, and what came of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

use uuid::Uuid;

use super::checker::{Event, Order, linearize};
use super::model::{Answer, Rules, State, Step, Token};

/// How often a model's verdict, or another step, was met.
pub type Mix = BTreeMap<String, usize>;

/// A finished history.
#[derive(Debug, Default)]
pub struct History {
    events: Vec<Event<Step>>,
}

impl History {
    /// Adds a call with its steps, in their order. A call that is guarded has two: it is admitted
    /// at one moment and takes effect at a later one, and both are within its time.
    pub fn add(&mut self, began: usize, ended: usize, steps: &[Step]) {
        let mut after = None;
        for step in steps {
            self.events.push(Event { began, ended, after, step: *step });
            after = Some(self.events.len() - 1);
        }
    }

    /// How many calls there are.
    pub fn len(&self) -> usize {
        self.events.iter().filter(|event| event.after.is_none()).count()
    }

    /// Looks for an order that the protocol allows.
    pub fn check(&self, rules: &Rules) -> Result<Mix, NotLinearizable<'_>> {
        let order =
            linearize(&self.events, &State::default(), |state, step| state.after(step, rules))
                .map_err(|longest| NotLinearizable { history: self, longest })?;
        Ok(self.mix(&order, rules))
    }

    fn mix(&self, order: &Order, rules: &Rules) -> Mix {
        let mut mix = Mix::new();
        let mut state = State::default();
        for step in order.iter().map(|index| &self.events[*index].step) {
            *mix.entry(name(&state, step, rules)).or_default() += 1;
            state = state.after(step, rules).unwrap_or(state);
        }
        mix
    }
}

fn name(state: &State, step: &Step, rules: &Rules) -> String {
    match step {
        Step::Refresh { presented, .. } => format!("{:?}", state.judge(*presented, rules)),
        Step::Guard { admitted: true, .. } => "admitted".to_owned(),
        Step::Guard { admitted: false, .. } => "turned away".to_owned(),
        Step::SignIn { replaces: None, .. } => "sign-in".to_owned(),
        Step::SignIn { replaces: Some(_), .. } => "sign-in over another".to_owned(),
        Step::Logout { .. } => "logout".to_owned(),
        Step::Revoke { found: true, .. } => "revocation".to_owned(),
        Step::Revoke { found: false, .. } => "revocation of nothing".to_owned(),
        Step::LogoutAll => "logout of all".to_owned(),
        Step::Wait(_) => "wait".to_owned(),
    }
}

/// A history that no order explains.
pub struct NotLinearizable<'a> {
    history: &'a History,
    longest: Order,
}

impl fmt::Display for NotLinearizable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events = &self.history.events;
        let line = |f: &mut fmt::Formatter<'_>, event: &Event<Step>| {
            writeln!(f, "  {:4}..{:<4} {}", event.began, event.ended, Shown(&event.step))
        };
        writeln!(f, "this much of it can be explained, in this order:")?;
        for index in &self.longest {
            line(f, &events[*index])?;
        }
        writeln!(f, "and then none of this can come next:")?;
        let mut rest: Vec<_> =
            (0..events.len()).filter(|index| !self.longest.contains(index)).collect();
        rest.sort_by_key(|index| events[*index].began);
        rest.into_iter().try_for_each(|index| line(f, &events[index]))
    }
}

/// A step in short: a token is `session/generation/secret`, the first digits of each id.
struct Shown<'a>(&'a Step);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The end of an id: they begin with the time, which stands still.
        let session = |id: &Uuid| format!("{:04x}", id.as_u128() & 0xffff);
        let token = |it: &Token| {
            format!("{}/{}/{:04x}", session(&it.session), it.generation, it.secret & 0xffff)
        };
        match self.0 {
            Step::Refresh { presented, answer: Answer::Issued(child) } => {
                write!(f, "refresh {} -> {}", token(presented), token(child))
            }
            Step::Refresh { presented, answer } => {
                write!(f, "refresh {} -> {answer:?}", token(presented))
            }
            Step::Guard { shown, admitted } => {
                let outcome = if *admitted { "admitted" } else { "turned away" };
                write!(f, "guard {} -> {outcome}", token(shown))
            }
            Step::SignIn { replaces, issued } => {
                let over = replaces.as_ref().map(session).unwrap_or_default();
                write!(f, "sign in over [{over}] -> {}", token(issued))
            }
            Step::Logout { session: id } => write!(f, "log out {}", session(id)),
            Step::Revoke { session: id, found } => {
                write!(f, "revoke {} -> {}", session(id), if *found { "done" } else { "not found" })
            }
            Step::LogoutAll => write!(f, "log out all"),
            Step::Wait(seconds) => write!(f, "wait {seconds} s"),
        }
    }
}

/// A history in the making: one counter for all clients.
#[derive(Debug, Default)]
pub struct Recorder(Mutex<(usize, History)>);

impl Recorder {
    /// Takes a reading for the beginning of a call.
    pub fn begin(&self) -> usize {
        let mut inner = self.0.lock().unwrap();
        inner.0 += 1;
        inner.0
    }

    /// Takes another for its end, and keeps the call.
    pub fn end(&self, began: usize, steps: &[Step]) {
        let mut inner = self.0.lock().unwrap();
        inner.0 += 1;
        let ended = inner.0;
        inner.1.add(began, ended, steps);
    }

    /// The history so far.
    pub fn finish(self) -> History {
        self.0.into_inner().unwrap().1
    }
}
