//! The protocol as one client after the other would meet it, written from its description and
//! not from the code: what each step may answer, and what it leaves behind.

use std::collections::BTreeMap;

use uuid::Uuid;

/// Seconds. All steps between two waits happen at one time.
pub type Seconds = u64;

/// A refresh token, or the access token that came with it, as the model knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    pub session: Uuid,
    pub generation: u32,
    /// Tells two successors of one token apart.
    pub secret: u64,
}

/// Something that happens at one moment, with what was seen of it.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// A refresh token is presented.
    Refresh { presented: Token, answer: Answer },
    /// An access token is shown to the guard.
    Guard { shown: Token, admitted: bool },
    /// A session starts, perhaps over another one.
    SignIn { replaces: Option<Uuid>, issued: Token },
    /// A session ends, whether there was one or not.
    Logout { session: Uuid },
    /// A session ends, if there is one.
    Revoke { session: Uuid, found: bool },
    /// All sessions end.
    LogoutAll,
    /// Time passes.
    Wait(Seconds),
}

/// What came of a presented refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Issued(Token),
    Invalid,
    Reused,
    Late,
}

/// Whose sessions a reuse ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blast {
    User,
    Session,
}

/// The settings of the protocol.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Zero is strict mode.
    pub grace: Seconds,
    pub lost_response_window: Seconds,
    pub reuse: Blast,
}

/// The rows of the protocol's table that an authentic token can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Invalid,
    Rotate,
    Foreign,
    Retry,
    Race,
    Lost,
    Late,
    Reuse,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Session {
    generation: u32,
    secret: u64,
    /// The secret of the generation before.
    parent: Option<u64>,
    rotated_at: Seconds,
    confirmed_at: Option<Seconds>,
}

/// One user's sessions. One that has ended is not there, and nothing ever tells it from one that
/// never was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct State {
    now: Seconds,
    live: BTreeMap<Uuid, Session>,
}

impl State {
    /// What is left after `step`; `None` when it could not have gone so.
    pub fn after(&self, step: &Step, rules: &Rules) -> Option<Self> {
        let mut next = self.clone();
        match *step {
            Step::Refresh { presented, answer } => return next.refresh(presented, answer, rules),
            Step::Guard { shown, admitted } => {
                let session = next.live.get_mut(&shown.session);
                if session.is_some() != admitted {
                    return None;
                }
                // Only the current generation's access token shows that its answer has arrived.
                let is_seen = |it: &&mut Session| it.generation == shown.generation;
                if let Some(session) = session.filter(is_seen) {
                    session.confirmed_at.get_or_insert(self.now);
                }
            }
            Step::SignIn { replaces, issued } => {
                if issued.generation != 1 || self.live.contains_key(&issued.session) {
                    return None;
                }
                if let Some(replaced) = replaces {
                    next.live.remove(&replaced);
                }
                let Token { session, generation, secret } = issued;
                next.live.insert(session, Session::new(generation, secret, None, self.now));
            }
            Step::Logout { session } => {
                next.live.remove(&session);
            }
            Step::Revoke { session, found } => {
                let removed = next.live.remove(&session);
                if removed.is_some() != found {
                    return None;
                }
            }
            Step::LogoutAll => next.live.clear(),
            Step::Wait(seconds) => next.now += seconds,
        }
        Some(next)
    }

    fn refresh(mut self, presented: Token, answer: Answer, rules: &Rules) -> Option<Self> {
        let verdict = self.judge(presented, rules);
        let current = self.live.get(&presented.session);
        match (verdict, answer) {
            (Verdict::Rotate, Answer::Issued(child)) => {
                let is_next = child.generation == presented.generation + 1
                    && child.session == presented.session;
                let session =
                    Session::new(child.generation, child.secret, Some(presented.secret), self.now);
                self.live.insert(presented.session, session);
                is_next.then_some(self)
            }
            (Verdict::Retry | Verdict::Race, Answer::Issued(child)) => {
                let is_same = child.session == presented.session
                    && current.is_some_and(|it| {
                        (it.generation, it.secret) == (child.generation, child.secret)
                    });
                is_same.then_some(self)
            }
            (Verdict::Invalid | Verdict::Foreign, Answer::Invalid)
            | (Verdict::Late, Answer::Late) => Some(self),
            (Verdict::Lost, Answer::Invalid) => {
                self.live.remove(&presented.session);
                Some(self)
            }
            (Verdict::Reuse, Answer::Reused) => {
                match rules.reuse {
                    Blast::User => self.live.clear(),
                    Blast::Session => drop(self.live.remove(&presented.session)),
                }
                Some(self)
            }
            _ => None,
        }
    }

    /// What the protocol says of a refresh token.
    pub fn judge(&self, presented: Token, rules: &Rules) -> Verdict {
        let Some(session) = self.live.get(&presented.session) else { return Verdict::Invalid };
        let age = |at: Seconds| self.now - at;
        if presented.generation == session.generation {
            let is_current = presented.secret == session.secret;
            return if is_current { Verdict::Rotate } else { Verdict::Foreign };
        }
        let is_parent = presented.generation + 1 == session.generation;
        if presented.generation > session.generation
            || (is_parent && session.parent != Some(presented.secret))
        {
            return Verdict::Foreign;
        }
        if rules.grace == 0 {
            return Verdict::Reuse;
        }
        if !is_parent {
            let is_late = age(session.rotated_at) <= rules.grace;
            return if is_late { Verdict::Late } else { Verdict::Reuse };
        }
        match session.confirmed_at {
            None if age(session.rotated_at) <= rules.lost_response_window => Verdict::Retry,
            None if age(session.rotated_at) <= rules.grace => Verdict::Race,
            None => Verdict::Lost,
            Some(at) if age(at.max(session.rotated_at)) <= rules.grace => Verdict::Race,
            Some(_) => Verdict::Reuse,
        }
    }
}

impl Session {
    const fn new(generation: u32, secret: u64, parent: Option<u64>, now: Seconds) -> Self {
        Self { generation, secret, parent, rotated_at: now, confirmed_at: None }
    }
}
