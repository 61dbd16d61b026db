//! The protocol once more, as plainly as it can be said: every session keeps its whole history, and
//! knows which secret is whose without hashing anything.

use std::time::Duration;

use doorward::domain::session::{ReusePolicy, SessionPolicy};
use doorward::domain::time::{Now, Timestamp};

/// One generation of a session's refresh token. Times are on the steady clock.
struct Generation {
    made: Timestamp,
    confirmed: Option<Confirmation>,
}

#[derive(Clone, Copy)]
struct Confirmation {
    at: Timestamp,
    /// Whether it would survive a crash.
    written: bool,
}

struct Session {
    user: usize,
    generations: Vec<Generation>,
    expires_at: Timestamp,
    ends_at: Timestamp,
    ended_at: Option<Timestamp>,
}

impl Session {
    fn newest(&self) -> usize {
        self.generations.len()
    }

    fn is_live(&self, now: Now) -> bool {
        self.ended_at.is_none() && now.wall < self.expires_at && now.wall < self.ends_at
    }
}

/// A refresh token: what it says, and whether its secret is the one of that generation.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    pub session: usize,
    /// Counted from 1.
    pub generation: usize,
    pub user: usize,
    pub is_genuine: bool,
}

/// What comes of presenting it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The tokens of this generation.
    Tokens(usize),
    UserGone,
    Invalid,
    Foreign,
    Reused,
    Late,
}

/// A mistake that the model can be told to make, to see that it would be noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    None,
    /// The grace is taken to be zero.
    Strict,
    /// The window is taken to be zero.
    NoWindow,
    /// Retry without Race.
    NoRace,
    /// Race without Retry.
    NoRetry,
    /// The grace is not counted from a confirmation.
    GraceFromRotationAlone,
    /// A rotation confirms the generation that it makes.
    RotationConfirms,
    /// An access token of any generation confirms the newest.
    UnboundConfirmation,
    /// A confirmation that was only noted survives a restart.
    NotesSurvive,
    /// A superseded token of a dead session is reuse.
    ReuseBeforeInvalid,
    /// A token that was never of this session's history is reuse.
    ForeignIsReuse,
    /// A successor that nobody asked for in time is reuse.
    LostIsReuse,
    /// A slow request is reuse.
    LateIsReuse,
    /// A rotation does not move the idle expiry.
    ExpiryStands,
    /// What seems to have happened in the future stays there.
    FrozenTime,
    /// Reuse ends one session under the policy that says all.
    ReuseEndsOne,
}

impl Flaw {
    /// All but [`Flaw::None`].
    pub const ALL: [Self; 15] = [
        Self::Strict,
        Self::NoWindow,
        Self::NoRace,
        Self::NoRetry,
        Self::GraceFromRotationAlone,
        Self::RotationConfirms,
        Self::UnboundConfirmation,
        Self::NotesSurvive,
        Self::ReuseBeforeInvalid,
        Self::ForeignIsReuse,
        Self::LostIsReuse,
        Self::LateIsReuse,
        Self::ExpiryStands,
        Self::FrozenTime,
        Self::ReuseEndsOne,
    ];
}

pub struct Model {
    policy: SessionPolicy,
    flaw: Flaw,
    sessions: Vec<Session>,
    disabled: Vec<bool>,
    /// How many events of each kind the audit trail has.
    pub reuses: i64,
    pub foreigns: i64,
}

impl Model {
    pub fn new(mut policy: SessionPolicy, users: usize, flaw: Flaw) -> Self {
        match flaw {
            Flaw::Strict => policy.refresh_grace = Duration::ZERO,
            Flaw::NoWindow => policy.lost_response_window = Duration::ZERO,
            Flaw::ReuseEndsOne => policy.reuse_policy = ReusePolicy::Session,
            _ => {}
        }
        Self {
            policy,
            flaw,
            sessions: Vec::new(),
            disabled: vec![false; users],
            reuses: 0,
            foreigns: 0,
        }
    }

    /// How many sessions there have ever been.
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    pub fn newest(&self, session: usize) -> usize {
        self.sessions[session].newest()
    }

    pub fn user_of(&self, session: usize) -> usize {
        self.sessions[session].user
    }

    /// When a session was ended, if it was.
    pub fn ended_at(&self, session: usize) -> Option<Timestamp> {
        self.sessions[session].ended_at
    }

    pub fn is_live(&self, session: usize, now: Now) -> bool {
        self.sessions[session].is_live(now)
    }

    /// Whether the account admits a sign-in.
    pub fn sign_in(&mut self, user: usize, now: Now) -> bool {
        self.commit();
        if self.disabled[user] {
            return false;
        }
        let ends_at = now.wall.plus(self.policy.session_max_age);
        self.sessions.push(Session {
            user,
            generations: vec![Generation { made: now.steady, confirmed: None }],
            expires_at: now.wall.plus(self.policy.refresh_token_ttl).min(ends_at),
            ends_at,
            ended_at: None,
        });
        true
    }

    /// An access token of `generation` passes the guard.
    pub fn use_access_token(&mut self, session: usize, generation: usize, now: Now) {
        let session = &mut self.sessions[session];
        if (generation == session.newest() || self.flaw == Flaw::UnboundConfirmation)
            && let Some(newest) = session.generations.last_mut()
        {
            newest.confirmed.get_or_insert(Confirmation { at: now.steady, written: false });
        }
    }

    /// Every commit takes along what was only noted.
    pub fn commit(&mut self) {
        for generation in self.sessions.iter_mut().flat_map(|session| &mut session.generations) {
            if let Some(confirmation) = &mut generation.confirmed {
                confirmation.written = true;
            }
        }
    }

    /// What was only noted is gone.
    pub fn restart(&mut self) {
        if self.flaw == Flaw::NotesSurvive {
            return;
        }
        for generation in self.sessions.iter_mut().flat_map(|session| &mut session.generations) {
            generation.confirmed = generation.confirmed.filter(|confirmation| confirmation.written);
        }
    }

    /// Whether it was still open.
    pub fn end(&mut self, session: usize, now: Now) -> bool {
        self.commit();
        let session = &mut self.sessions[session];
        let was_open = session.ended_at.is_none();
        session.ended_at.get_or_insert(now.wall);
        was_open
    }

    /// How many were still open.
    pub fn end_all_of(&mut self, user: usize, now: Now) -> usize {
        self.commit();
        let own: Vec<_> =
            (0..self.len()).filter(|index| self.sessions[*index].user == user).collect();
        own.into_iter().filter(|session| self.end(*session, now)).count()
    }

    pub fn disable(&mut self, user: usize, now: Now) {
        self.disabled[user] = true;
        self.end_all_of(user, now);
    }

    pub fn enable(&mut self, user: usize) {
        self.commit();
        self.disabled[user] = false;
    }

    pub fn refresh(&mut self, token: Token, now: Now) -> Answer {
        self.commit();
        let session = &self.sessions[token.session];
        let newest = session.newest();
        if self.disabled[session.user] {
            return Answer::UserGone;
        }
        if !session.is_live(now) {
            let superseded = token.generation < newest && self.flaw == Flaw::ReuseBeforeInvalid;
            return if superseded { Answer::Reused } else { Answer::Invalid };
        }
        if token.generation == newest && token.is_genuine {
            return self.rotate(token.session, now);
        }

        let is_recent = token.generation == newest || token.generation + 1 == newest;
        let is_ahead = token.generation > newest;
        if (is_recent && !token.is_genuine) || is_ahead || token.user != session.user {
            if self.flaw == Flaw::ForeignIsReuse {
                return self.reuse(token, now);
            }
            self.foreigns += 1;
            return Answer::Foreign;
        }
        if self.policy.refresh_grace.is_zero() {
            return self.reuse(token, now);
        }
        if token.generation + 1 == newest {
            self.judge_parent(token, now)
        } else if self.age_of_newest(token.session, now) <= self.policy.refresh_grace
            && self.flaw != Flaw::LateIsReuse
        {
            self.thaw(token.session, now);
            Answer::Late
        } else {
            self.reuse(token, now)
        }
    }

    /// The token before the newest, with the right secret.
    fn judge_parent(&mut self, token: Token, now: Now) -> Answer {
        let session = &self.sessions[token.session];
        let newest = &session.generations[session.newest() - 1];
        let since_made = now.steady.since(newest.made);
        let since_seen = match newest.confirmed {
            Some(confirmation) if self.flaw != Flaw::GraceFromRotationAlone => {
                now.steady.since(confirmation.at).min(since_made)
            }
            _ => since_made,
        };
        let is_unseen = newest.confirmed.is_none();
        let retry = is_unseen
            && since_made <= self.policy.lost_response_window
            && self.flaw != Flaw::NoRetry;
        let race = since_seen <= self.policy.refresh_grace && self.flaw != Flaw::NoRace;
        if retry || race {
            self.thaw(token.session, now);
            Answer::Tokens(self.newest(token.session))
        } else if is_unseen && self.flaw != Flaw::LostIsReuse {
            self.end(token.session, now);
            Answer::Invalid
        } else {
            self.reuse(token, now)
        }
    }

    fn rotate(&mut self, session: usize, now: Now) -> Answer {
        let session = &mut self.sessions[session];
        let confirmed = (self.flaw == Flaw::RotationConfirms)
            .then_some(Confirmation { at: now.steady, written: true });
        session.generations.push(Generation { made: now.steady, confirmed });
        if self.flaw != Flaw::ExpiryStands {
            session.expires_at = now.wall.plus(self.policy.refresh_token_ttl).min(session.ends_at);
        }
        Answer::Tokens(session.newest())
    }

    fn reuse(&mut self, token: Token, now: Now) -> Answer {
        self.reuses += 1;
        match self.policy.reuse_policy {
            ReusePolicy::User => {
                self.end_all_of(self.user_of(token.session), now);
            }
            ReusePolicy::Session => {
                self.end(token.session, now);
            }
        }
        Answer::Reused
    }

    fn age_of_newest(&self, session: usize, now: Now) -> Duration {
        self.sessions[session]
            .generations
            .last()
            .map_or(Duration::ZERO, |newest| now.steady.since(newest.made))
    }

    /// What seems to have happened in the future, because the clock was corrected, has happened now.
    fn thaw(&mut self, session: usize, now: Now) {
        if let Some(newest) = self.sessions[session].generations.last_mut()
            && self.flaw != Flaw::FrozenTime
        {
            newest.made = newest.made.min(now.steady);
            if let Some(confirmation) = &mut newest.confirmed {
                confirmation.at = confirmation.at.min(now.steady);
            }
        }
    }
}
