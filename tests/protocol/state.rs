//! What the world consists of: a row, cookies, messages on their way.
//!
//! Ages and generations are relative (how long ago, how many generations behind) and capped
//! where nothing depends on more, so that the search is complete without a horizon. One tick
//! is a second; the settings below are small but keep the order of the real ones: the life of
//! an access token is more than twice the grace, the lost-response window longer than that.

pub(crate) const GRACE: u8 = 2;
pub(crate) const WINDOW: u8 = 7;
pub(crate) const ACCESS_LIFE: u8 = 5;

/// Nothing depends on an age beyond this, or on being more generations behind.
pub(crate) const MAX_AGE: u8 = WINDOW + 1;
pub(crate) const MAX_BEHIND: u8 = 3;

/// A refresh or access token: how many generations behind, or of a session that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Token {
    Behind(u8),
    OfOldSession,
}

/// The cookies: the refresh token, and the access token with the time that it has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Jar {
    pub refresh: Token,
    pub access: Token,
    pub left: u8,
}

/// What is on its way. Its age runs from the moment the request was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Message {
    Guarded {
        jar: Jar,
        age: u8,
    },
    /// To the refresh operation, before the access token has expired.
    Refresh {
        jar: Jar,
        age: u8,
    },
    Logout {
        jar: Jar,
        age: u8,
    },
    Login {
        jar: Option<Jar>,
        age: u8,
    },
    Answer {
        sets: Option<Jar>,
        clears: bool,
        age: u8,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub rotated: u8,
    pub confirmed: Option<u8>,
    /// A confirmation that is not written yet; a crash loses it.
    pub noted: Option<u8>,
    pub ended: bool,
    pub jar: Option<Jar>,
    /// One message a tab at most; sorted, since tabs are alike.
    pub tabs: Vec<Option<Message>>,
    /// What the thief holds and has under way.
    pub stolen: Option<Jar>,
    pub thief: Option<Message>,
}

/// What a tab can send with the jar as it is.
pub(crate) fn requests(state: &State) -> Vec<(&'static str, Message)> {
    let login = ("a login", Message::Login { jar: state.jar, age: 0 });
    match state.jar {
        None => vec![login],
        Some(jar) => {
            let mut requests = vec![
                ("a guarded request", Message::Guarded { jar, age: 0 }),
                ("a logout", Message::Logout { jar, age: 0 }),
                login,
            ];
            // A page that renews ahead of time, but not as often as the grace.
            if jar.left < ACCESS_LIFE - GRACE {
                requests.push(("a refresh", Message::Refresh { jar, age: 0 }));
            }
            requests
        }
    }
}

pub(crate) const fn age(message: Message) -> u8 {
    match message {
        Message::Guarded { age, .. }
        | Message::Refresh { age, .. }
        | Message::Logout { age, .. }
        | Message::Login { age, .. }
        | Message::Answer { age, .. } => age,
    }
}

pub(crate) fn tick(state: &State) -> State {
    let older = |age: u8| (age + 1).min(MAX_AGE);
    let mut state = state.clone();
    state.rotated = older(state.rotated);
    state.confirmed = state.confirmed.map(older);
    state.noted = state.noted.map(older);
    let jar = |jar: &mut Jar| jar.left = jar.left.saturating_sub(1);
    state.jar.as_mut().map(jar);
    state.stolen.as_mut().map(jar);
    for message in state.tabs.iter_mut().chain([&mut state.thief]).flatten() {
        match message {
            Message::Guarded { jar: it, age }
            | Message::Refresh { jar: it, age }
            | Message::Logout { jar: it, age } => {
                jar(it);
                *age += 1;
            }
            Message::Login { jar: it, age } | Message::Answer { sets: it, age, .. } => {
                it.as_mut().map(jar);
                *age += 1;
            }
        }
    }
    state
}

/// A new session in the place of the old one, whose tokens are all of an old session now.
pub(crate) fn renew(state: &mut State) {
    age_tokens(state, |_| Token::OfOldSession);
    (state.rotated, state.confirmed, state.noted, state.ended) = (0, None, None, false);
}

pub(crate) fn age_tokens(state: &mut State, change: impl Fn(Token) -> Token) {
    let jar = |jar: &mut Jar| {
        jar.refresh = change(jar.refresh);
        jar.access = change(jar.access);
    };
    state.jar.as_mut().map(jar);
    state.stolen.as_mut().map(jar);
    for message in state.tabs.iter_mut().chain([&mut state.thief]).flatten() {
        match message {
            Message::Guarded { jar: it, .. }
            | Message::Refresh { jar: it, .. }
            | Message::Logout { jar: it, .. } => jar(it),
            Message::Login { jar: it, .. } | Message::Answer { sets: it, .. } => {
                it.as_mut().map(jar);
            }
        }
    }
}
