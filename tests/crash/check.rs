//! What a client checks after a crash.

use super::client::{Client, Session};
use super::ledger::Breach;
use super::line::{Line, Unanswered};

/// How many sessions that ended before the last crash but one are tried again.
const OLD: usize = 6;

impl Client {
    /// Tries everything it holds. When the server is gone before the end, the rest is for the
    /// next one.
    pub async fn check(&mut self, line: &Line<'_>) -> Result<(), Unanswered> {
        self.check_ending(line).await?;
        self.check_ended(line).await?;
        self.check_live(line).await
    }

    /// A request to end sessions that got no answer has ended all of them, or none.
    async fn check_ending(&mut self, line: &Line<'_>) -> Result<(), Unanswered> {
        let mut proofs = Vec::new();
        for session in &mut self.ending.0 {
            proofs.push(session.prove(line).await?);
        }
        let Some(&(access, refresh)) = proofs.first() else {
            return Ok(());
        };
        let sessions = std::mem::take(&mut self.ending.0);
        if proofs.iter().any(|&proof| proof != (access, access)) {
            let evidence: Vec<_> = proofs.into_iter().map(describe).collect();
            let evidence = format!("{:?}: {}", self.ending.1, evidence.join("; "));
            line.ledger.report(Breach::HalfAnEnd, evidence);
            return Ok(());
        }
        line.ledger.learn(self.ending.1, !refresh);
        if refresh { &mut self.sessions } else { &mut self.ended }.extend(sessions);
        Ok(())
    }

    /// What has ended stays ended.
    async fn check_ended(&mut self, line: &Line<'_>) -> Result<(), Unanswered> {
        let mut back = Vec::new();
        for (index, session) in self.ended.iter_mut().enumerate() {
            let (access, refresh) = session.prove(line).await?;
            if access || refresh {
                let evidence = format!("{session}: {}", describe((access, refresh)));
                line.ledger.report(Breach::UndoneEnd, evidence);
                back.push(index);
            }
        }
        for index in back.into_iter().rev() {
            self.ended.remove(index);
        }
        while self.ended.len() > OLD {
            let forgotten = self.dice.index(self.ended.len());
            self.ended.swap_remove(forgotten);
        }
        Ok(())
    }

    /// The tokens of the last acknowledgement work. Where a refresh got no answer, so does the
    /// token that it was sent with.
    async fn check_live(&mut self, line: &Line<'_>) -> Result<(), Unanswered> {
        for index in (0..self.sessions.len()).rev() {
            let proof = self.sessions[index].prove(line).await?;
            if proof != (true, true) {
                self.lose(index, &describe(proof), line);
            }
        }
        Ok(())
    }
}

impl Session {
    /// Whether the access token and the refresh token are accepted.
    async fn prove(&mut self, line: &Line<'_>) -> Result<(bool, bool), Unanswered> {
        Ok((line.admits(&self.tokens).await?, self.refresh(line).await?))
    }
}

fn describe((access, refresh): (bool, bool)) -> String {
    let word = |is_accepted| if is_accepted { "accepted" } else { "refused" };
    format!("access token {}, refresh token {}", word(access), word(refresh))
}
