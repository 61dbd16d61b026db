//! A client: an account, the sessions it holds, and what it does with them. One thing at a time,
//! so that at a crash it knows exactly what it does not know.

use std::fmt;

use doorward::domain::id::Generation;

use super::dice::Dice;
use super::ledger::{Breach, Write};
use super::line::{Answer, Line, Tokens, Unanswered};

/// How many sessions a client holds at most.
const SESSIONS: usize = 4;

/// A session as its holder knows it: what the last acknowledgement said.
#[derive(Clone)]
pub struct Session {
    pub tokens: Tokens,
    pub last_refresh: LastRefresh,
}

/// What a holder knows of the refresh that it asked for last.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum LastRefresh {
    Answered,
    Unanswered,
    /// Unanswered, and the files say whether it happened. The holder makes no use of that.
    Examined {
        happened: bool,
    },
}

/// Whether the account is there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Account {
    None,
    /// Its registration got no answer.
    Unanswered,
    Acknowledged,
}

/// One user of the server.
#[derive(Clone)]
pub struct Client {
    pub dice: Dice,
    name: String,
    /// How many accounts it has had.
    accounts: u32,
    account: Account,
    /// Live, as far as acknowledged.
    pub sessions: Vec<Session>,
    /// Of a request to end them that got no answer, and of which kind it was.
    pub ending: (Vec<Session>, Write),
    /// Their end was acknowledged.
    pub ended: Vec<Session>,
}

impl Client {
    pub fn new(seed: u64, name: String) -> Self {
        Self {
            dice: Dice::new(seed, &name),
            name,
            accounts: 0,
            account: Account::None,
            sessions: Vec::new(),
            ending: (Vec::new(), Write::Logout),
            ended: Vec::new(),
        }
    }

    /// First sees what a crash has left of what it holds, then goes on until there is no answer.
    pub async fn live(&mut self, line: &Line<'_>) {
        let mut outcome = self.check(line).await;
        while outcome.is_ok() {
            outcome = self.step(line).await;
        }
    }

    async fn step(&mut self, line: &Line<'_>) -> Result<(), Unanswered> {
        if self.sessions.is_empty() {
            return self.sign_in(line).await;
        }
        let index = self.dice.index(self.sessions.len());
        match self.dice.below(100) {
            0..25 => self.use_access_token(index, line).await,
            25..70 => self.refresh(index, line).await,
            70..80 => self.refresh_in_two_tabs(index, line).await,
            80..90 if self.sessions.len() < SESSIONS => self.sign_in(line).await,
            80..94 => self.log_out(index, line).await,
            94..98 => self.revoke(index, line).await,
            _ => self.log_out_of_all(line).await,
        }
    }

    fn email(&self) -> String {
        format!("{}.{}@example.com", self.name, self.accounts)
    }

    async fn sign_in(&mut self, line: &Line<'_>) -> Result<(), Unanswered> {
        if self.account == Account::Acknowledged {
            return self.log_in(line).await;
        }
        let was_unanswered = self.account == Account::Unanswered;
        self.account = Account::Unanswered;
        let answer = line.register(&self.email()).await?;
        if was_unanswered {
            line.ledger.learn(Write::Register, answer.status == 409);
        }
        self.account = Account::Acknowledged;
        match answer.status {
            201 => self.start_session(&answer, line),
            409 if was_unanswered => return self.log_in(line).await,
            _ => line.ledger.report(Breach::Unexpected, format!("register: {answer:?}")),
        }
        Ok(())
    }

    async fn log_in(&mut self, line: &Line<'_>) -> Result<(), Unanswered> {
        let answer = line.login(&self.email()).await?;
        if answer.status == 200 {
            self.start_session(&answer, line);
        } else {
            let breach = if answer.status == 401 { Breach::LostSignIn } else { Breach::Unexpected };
            line.ledger.report(breach, format!("login of {}: {answer:?}", self.email()));
            self.account = Account::None;
            self.accounts += 1;
        }
        Ok(())
    }

    fn start_session(&mut self, answer: &Answer, line: &Line<'_>) {
        match line.tokens(answer) {
            Some(tokens) if tokens.generation == Generation::FIRST => {
                self.sessions.push(Session::new(tokens));
            }
            _ => line.ledger.report(Breach::Unexpected, format!("sign-in: {answer:?}")),
        }
    }

    async fn use_access_token(&mut self, index: usize, line: &Line<'_>) -> Result<(), Unanswered> {
        if !line.admits(&self.sessions[index].tokens).await? {
            self.lose(index, "its access token is refused", line);
        }
        Ok(())
    }

    async fn refresh(&mut self, index: usize, line: &Line<'_>) -> Result<(), Unanswered> {
        if !self.sessions[index].refresh(line).await? {
            self.lose(index, "its refresh token is refused", line);
        }
        Ok(())
    }

    /// The same token twice at once: both answers bring the one successor.
    async fn refresh_in_two_tabs(
        &mut self,
        index: usize,
        line: &Line<'_>,
    ) -> Result<(), Unanswered> {
        let session = &mut self.sessions[index];
        let mut other = session.clone();
        let (one, two) = tokio::join!(session.refresh(line), other.refresh(line));
        if one.is_err() && two.is_ok() {
            *session = other;
        }
        if matches!(one, Ok(false)) || matches!(two, Ok(false)) {
            self.lose(index, "one of two tabs is refused", line);
        }
        one.and(two).map(drop)
    }

    async fn log_out(&mut self, index: usize, line: &Line<'_>) -> Result<(), Unanswered> {
        let session = self.sessions.swap_remove(index);
        self.ending = (vec![session.clone()], Write::Logout);
        let answer = line.logout(&session.tokens).await?;
        self.end(&answer, line);
        Ok(())
    }

    /// Ends another one of its own sessions, from this one.
    async fn revoke(&mut self, index: usize, line: &Line<'_>) -> Result<(), Unanswered> {
        let session = self.sessions.swap_remove(index);
        let by = self.sessions.first().unwrap_or(&session).tokens.clone();
        self.ending = (vec![session.clone()], Write::Revoke);
        let answer = line.revoke(session.tokens.session, &by).await?;
        self.end(&answer, line);
        Ok(())
    }

    /// And often comes back as somebody else.
    async fn log_out_of_all(&mut self, line: &Line<'_>) -> Result<(), Unanswered> {
        let sessions = std::mem::take(&mut self.sessions);
        let by = sessions[0].tokens.clone();
        self.ending = (sessions, Write::LogoutAll);
        let answer = line.logout_all(&by).await?;
        self.end(&answer, line);
        if self.dice.below(2) == 0 {
            self.account = Account::None;
            self.accounts += 1;
        }
        Ok(())
    }

    /// What was to be ended is ended, says the answer.
    fn end(&mut self, answer: &Answer, line: &Line<'_>) {
        if matches!(answer.status, 200 | 204) {
            self.ended.append(&mut self.ending.0);
        } else {
            line.ledger.report(Breach::Unexpected, format!("{:?}: {answer:?}", self.ending.1));
            self.ending.0.clear();
        }
    }

    /// A session that ought to live is refused.
    pub fn lose(&mut self, index: usize, how: &str, line: &Line<'_>) {
        let session = self.sessions.swap_remove(index);
        let breach = if session.last_refresh != LastRefresh::Answered {
            Breach::SignedOut
        } else if session.is_first() {
            Breach::LostSignIn
        } else {
            Breach::LostRotation
        };
        line.ledger.report(breach, format!("{session}: {how}"));
    }
}

impl Session {
    const fn new(tokens: Tokens) -> Self {
        Self { tokens, last_refresh: LastRefresh::Answered }
    }

    /// Whether it has never been refreshed.
    pub fn is_first(&self) -> bool {
        self.tokens.generation == Generation::FIRST
    }

    /// Trades the refresh token. Whether it was accepted: then this holds the next generation.
    pub async fn refresh(&mut self, line: &Line<'_>) -> Result<bool, Unanswered> {
        let before = std::mem::replace(&mut self.last_refresh, LastRefresh::Unanswered);
        let answer = line.refresh(&self.tokens).await?;
        self.last_refresh = before;
        if answer.is_refused_refresh() {
            return Ok(false);
        }
        let Some(tokens) = line.tokens(&answer) else {
            line.ledger.report(Breach::Unexpected, format!("refresh: {answer:?}"));
            return Ok(false);
        };
        if (tokens.session, tokens.generation)
            != (self.tokens.session, self.tokens.generation.next())
        {
            let evidence = format!("{self} is followed by {}", Self::new(tokens.clone()));
            line.ledger.report(Breach::LostRotation, evidence);
        }
        *self = Self::new(tokens);
        Ok(true)
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tokens { session, generation, .. } = &self.tokens;
        write!(f, "session {} at generation {}", session.0, generation.0)
    }
}
