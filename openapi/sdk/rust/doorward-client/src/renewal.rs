//! Renewing: one refresh at a time, patient, and shared by all who wait for it.

use std::time::{Duration, Instant};

use crate::held::{Credentials, Held};
use crate::session::{Session, answer};
use crate::{Error, Secret, Tokens};

impl Session {
    /// What is held, renewed first if it is known to be expired.
    pub(crate) async fn fresh(&self) -> Result<Held, Error> {
        let held = self.held();
        if !held.is_known_to_be_expired() {
            return Ok(held);
        }
        self.renew(held.generation).await?;
        Ok(self.held())
    }

    /// Renews what is held, unless somebody has replaced what was held in `generation`.
    pub(crate) async fn renew(&self, generation: u64) -> Result<(), Error> {
        let refreshes_before = self.held().refreshes;
        let mut last = self.changing.lock().await;
        let held = self.held();
        if held.generation != generation && held.is_signed_in() {
            return Ok(());
        }
        if held.refreshes != refreshes_before && last.is_err() {
            return last.clone();
        }
        if !held.is_signed_in() {
            return Ok(());
        }
        let outcome = self.refresh(&held).await;
        last.clone_from(&outcome);
        self.lock().refreshes += 1;
        outcome
    }

    /// Trades the refresh token, patiently. Needs `changing`.
    pub(crate) async fn refresh(&self, held: &Held) -> Result<(), Error> {
        let body = held.refresh_token();
        let client = self.anonymous();
        let mut attempt = 1;
        loop {
            let asked = Instant::now();
            let error = match answer(client.refresh(&body)).await {
                Ok(refreshed) => {
                    let pair = (refreshed.access_token, refreshed.refresh_token);
                    return self.adopt(pair, refreshed.access_token_expires_in, asked).await;
                }
                Err(error) => error,
            };
            if let Some(pause) = self.retry.pause(attempt, &error, fastrand::f64()) {
                tokio::time::sleep(pause).await;
                attempt += 1;
                continue;
            }
            if let Error::Problem(problem) = &error
                && problem.ends_session()
            {
                self.sign_out(problem).await;
            }
            return Err(error);
        }
    }

    /// Holds the pair of a sign-in, whoever signed in. Needs `changing`.
    pub(crate) async fn begin(
        &self,
        pair: (Option<Secret>, Option<Secret>),
        expires_in: i64,
        asked: Instant,
    ) -> Result<(), Error> {
        // First, so that no call of somebody else's is ever repeated with it.
        self.lock().sign_in += 1;
        self.adopt(pair, expires_in, asked).await
    }

    /// Holds a pair that the server has sent: saved first, used then. Needs `changing`.
    pub(crate) async fn adopt(
        &self,
        pair: (Option<Secret>, Option<Secret>),
        expires_in: i64,
        asked: Instant,
    ) -> Result<(), Error> {
        let credentials = match (&self.jar, pair) {
            (Some(_), _) => Credentials::Cookies,
            (None, (Some(access_token), Some(refresh_token))) => {
                let tokens = Tokens { access_token, refresh_token };
                self.save(Some(&tokens)).await?;
                let life = Duration::from_secs(u64::try_from(expires_in).unwrap_or(0));
                Credentials::Tokens { tokens, expires: asked.checked_add(life) }
            }
            (None, _) => return Err(Error::unexpected_success()),
        };
        self.hold(credentials);
        Ok(())
    }
}
