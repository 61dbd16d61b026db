//! The world around `judge`: every step that is possible, and what must never happen.

use std::time::Duration;

use doorward::domain::id::Generation;
use doorward::domain::session::{ReusePolicy, SessionPolicy, Verdict};
use doorward::domain::time::Timestamp;

use crate::judge::{Row, decide};
use crate::state::{
    ACCESS_LIFE, GRACE, Jar, MAX_AGE, MAX_BEHIND, Message, State, Token, WINDOW, age, age_tokens,
    renew, requests, tick,
};

/// The generation that stands for "current" when `judge` is called.
const CURRENT: u32 = 100;
const NOW: i64 = 1_000_000_000;

/// Which world is explored, and what is broken in it.
#[derive(Clone, Copy)]
pub(crate) struct World {
    pub tabs: usize,
    pub has_thief: bool,
    /// How long a request and its answer may take together, in ticks.
    pub slowest: u8,
    pub flaw: Flaw,
}

/// The controls: each must be caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    StrictMode,
    RetryWithoutRace,
    RaceWithoutRetry,
    SilentRotationConfirms,
    ConfirmationOfAnyGeneration,
    ReuseBeforeInvalid,
    ReuseIsForgiven,
    EndedSessionRotates,
}

impl World {
    pub(crate) fn start(&self) -> State {
        let signed_in =
            Jar { refresh: Token::Behind(0), access: Token::Behind(0), left: ACCESS_LIFE };
        State {
            rotated: 0,
            confirmed: None,
            noted: None,
            ended: false,
            jar: Some(signed_in),
            tabs: vec![None; self.tabs],
            stolen: None,
            thief: None,
        }
    }

    fn policy(&self) -> SessionPolicy {
        let seconds = |ticks: u8| Duration::from_secs(ticks.into());
        SessionPolicy {
            refresh_token_ttl: Duration::from_secs(1_000_000),
            session_max_age: Duration::from_secs(1_000_000),
            max_sessions_per_user: 50,
            refresh_grace: if self.flaw == Flaw::StrictMode {
                Duration::ZERO
            } else {
                seconds(GRACE)
            },
            lost_response_window: seconds(WINDOW),
            reuse_policy: ReusePolicy::User,
        }
    }

    /// The project's own verdict over a token in a state, but for the flaw that is planted.
    fn verdict(&self, state: &State, token: Token) -> Verdict {
        let behind = match token {
            Token::Behind(behind) => behind,
            Token::OfOldSession if self.flaw == Flaw::ReuseBeforeInvalid => return Verdict::Reuse,
            Token::OfOldSession => 0,
        };
        let ended =
            (state.ended || token == Token::OfOldSession) && self.flaw != Flaw::EndedSessionRotates;
        if ended && self.flaw == Flaw::ReuseBeforeInvalid && behind > 0 {
            return Verdict::Reuse;
        }
        let verdict = self.judge(state, behind, ended);
        let is_race = state.rotated <= GRACE;
        match (self.flaw, verdict) {
            (Flaw::RetryWithoutRace, Verdict::Race) => Verdict::Reuse,
            (Flaw::RaceWithoutRetry, Verdict::Retry) if !is_race => Verdict::Reuse,
            (Flaw::ReuseIsForgiven, Verdict::Reuse) => Verdict::Race,
            _ => verdict,
        }
    }

    fn judge(&self, state: &State, behind: u8, ended: bool) -> Verdict {
        let ago = |age: u8| Timestamp::from_millis(NOW - i64::from(age) * 1000);
        let row = Row {
            generation: Generation(CURRENT),
            rotated: ago(state.rotated),
            confirmed: state.confirmed.or(state.noted).map(ago),
            ended,
        };
        decide(&row, Generation(CURRENT - u32::from(behind)), ago(0), &self.policy())
    }

    /// Every step that is possible.
    pub(crate) fn next(&self, state: &State) -> Vec<(String, State, Option<String>)> {
        let mut steps = Vec::new();
        let mut step = |name: String, mut state: State, violation: Option<String>| {
            state.tabs.sort_unstable();
            steps.push((name, state, violation));
        };
        if self.may_wait(state) {
            step("a second passes".to_owned(), tick(state), None);
        }
        if state.noted.is_some() {
            step("crash".to_owned(), State { noted: None, ..state.clone() }, None);
            let written = State { confirmed: state.noted, noted: None, ..state.clone() };
            step("the confirmation is written".to_owned(), written, None);
        }
        // Connections die with the process. In a running one a corrected clock changes no age.
        if state.tabs.iter().all(Option::is_none) && state.thief.is_none() {
            for (way, age) in [("ahead", MAX_AGE), ("back", 0)] {
                let mut restarted = State { rotated: age, noted: None, ..state.clone() };
                restarted.confirmed = restarted.confirmed.map(|_| age);
                step(format!("a restart with the clock set {way}"), restarted, None);
            }
        }
        for tab in 0..state.tabs.len() {
            // Tabs are alike: of those in the same situation one is enough.
            if tab > 0 && state.tabs[tab] == state.tabs[tab - 1] {
                continue;
            }
            match state.tabs[tab] {
                None => {
                    for (name, message) in requests(state) {
                        let mut sent = state.clone();
                        sent.tabs[tab] = Some(message);
                        step(format!("a tab sends {name}"), sent, None);
                    }
                }
                Some(message) => {
                    let mut lost = state.clone();
                    lost.tabs[tab] = None;
                    step(format!("lost: {message:?}"), lost, None);
                    let (name, mut state, answer, violation) = self.arrive(state, message, false);
                    state.tabs[tab] = answer;
                    step(name, state, violation);
                }
            }
        }
        if self.has_thief {
            self.thief_steps(state, &mut step);
        }
        steps
    }

    fn thief_steps(&self, state: &State, step: &mut impl FnMut(String, State, Option<String>)) {
        if let (None, Some(jar)) = (state.stolen, state.jar) {
            step(
                "the thief copies the jar".to_owned(),
                State { stolen: Some(jar), ..state.clone() },
                None,
            );
        }
        match (state.stolen, state.thief) {
            (Some(jar), None) => {
                let sent = Message::Guarded { jar: Jar { left: 0, ..jar }, age: 0 };
                step(
                    "the thief refreshes".to_owned(),
                    State { thief: Some(sent), ..state.clone() },
                    None,
                );
            }
            (Some(_), Some(Message::Answer { sets, .. })) => {
                let mut got = State { thief: None, ..state.clone() };
                got.stolen = sets.or(state.stolen);
                step("the thief gets the answer".to_owned(), got, None);
            }
            (Some(_), Some(message)) => {
                let (name, mut state, answer, violation) = self.arrive(state, message, true);
                state.thief = answer;
                step(format!("thief: {name}"), state, violation);
            }
            (None, _) => {}
        }
    }

    /// A request reaches the server, or an answer the browser.
    fn arrive(
        &self,
        state: &State,
        message: Message,
        is_thief: bool,
    ) -> (String, State, Option<Message>, Option<String>) {
        let mut after = state.clone();
        match message {
            Message::Answer { sets, clears, .. } => {
                after.jar = if clears { None } else { sets.or(state.jar) };
                ("the browser gets the answer".to_owned(), after, None, None)
            }
            Message::Logout { jar, age } => {
                // Any authentic generation of the session ends it.
                if matches!(jar.refresh, Token::Behind(_)) {
                    after.ended = true;
                }
                let answer = Message::Answer { sets: None, clears: true, age };
                ("logout".to_owned(), after, Some(answer), None)
            }
            Message::Login { age, .. } => {
                renew(&mut after);
                let fresh =
                    Jar { refresh: Token::Behind(0), access: Token::Behind(0), left: ACCESS_LIFE };
                let answer = Message::Answer { sets: Some(fresh), clears: false, age };
                ("login".to_owned(), after, Some(answer), None)
            }
            Message::Guarded { jar, age } => {
                let alive = matches!(jar.access, Token::Behind(_)) && !state.ended;
                if jar.left == 0 || !alive {
                    return self.rotate(state, jar, age, is_thief);
                }
                let confirms = jar.access == Token::Behind(0)
                    || self.flaw == Flaw::ConfirmationOfAnyGeneration;
                if confirms && state.confirmed.is_none() && state.noted.is_none() {
                    after.noted = Some(0);
                }
                let answer = Message::Answer { sets: None, clears: false, age };
                ("the guard lets it pass".to_owned(), after, Some(answer), None)
            }
            Message::Refresh { jar, age } => self.rotate(state, jar, age, is_thief),
        }
    }

    /// A refresh token reaches `judge`.
    fn rotate(
        &self,
        state: &State,
        jar: Jar,
        age: u8,
        is_thief: bool,
    ) -> (String, State, Option<Message>, Option<String>) {
        let mut after = state.clone();
        let verdict = self.verdict(state, jar.refresh);
        let violation = self.violation(state, jar.refresh, verdict, is_thief);
        let sets = self.apply(&mut after, verdict);
        let answer = Message::Answer { sets, clears: verdict == Verdict::Reuse, age };
        (format!("{verdict:?} for {:?}", jar.refresh), after, Some(answer), violation)
    }

    /// What a verdict does to the row; the cookies that it sets.
    fn apply(&self, state: &mut State, verdict: Verdict) -> Option<Jar> {
        match verdict {
            Verdict::Rotate => {
                age_tokens(state, |token| match token {
                    Token::Behind(behind) => Token::Behind((behind + 1).min(MAX_BEHIND)),
                    Token::OfOldSession => token,
                });
                (state.rotated, state.confirmed, state.noted) = (0, None, None);
                if self.flaw == Flaw::SilentRotationConfirms {
                    state.noted = Some(0);
                }
            }
            Verdict::Retry | Verdict::Race => {}
            Verdict::Lost | Verdict::Reuse => {
                state.ended = true;
                return None;
            }
            Verdict::Invalid(_) | Verdict::Foreign | Verdict::Late => return None,
        }
        Some(Jar { refresh: Token::Behind(0), access: Token::Behind(0), left: ACCESS_LIFE })
    }

    /// What must never happen.
    fn violation(
        &self,
        state: &State,
        token: Token,
        verdict: Verdict,
        is_thief: bool,
    ) -> Option<String> {
        let accused = matches!(verdict, Verdict::Reuse | Verdict::Foreign);
        if accused && !self.has_thief {
            return Some(format!("an honest client is accused: {verdict:?}"));
        }
        let yields = matches!(verdict, Verdict::Rotate | Verdict::Retry | Verdict::Race);
        if yields && (state.ended || token == Token::OfOldSession) {
            return Some("a session that has ended lives again".to_owned());
        }
        // Written from the promise, not from the code: a superseded token whose successor has
        // been seen in use, after the grace.
        let seen = state.confirmed.or(state.noted);
        let superseded = matches!(token, Token::Behind(behind) if behind > 0);
        let late = state.rotated > GRACE && seen.is_some_and(|age| age > GRACE);
        if superseded && late && !state.ended && verdict != Verdict::Reuse {
            let who = if is_thief { "the thief" } else { "the browser" };
            return Some(format!("{who} replays a superseded token, and it is {verdict:?}"));
        }
        None
    }

    /// Time may pass as long as nothing under way becomes slower than is assumed.
    fn may_wait(&self, state: &State) -> bool {
        let under_way = state.tabs.iter().chain([&state.thief]).flatten();
        under_way.copied().map(age).all(|age| age + 1 < self.slowest)
    }
}
