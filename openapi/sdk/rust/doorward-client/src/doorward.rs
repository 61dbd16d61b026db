//! The client: its calls, each repeated where that helps.

use std::fmt;
use std::sync::Arc;

use progenitor_client::ResponseValue;

use crate::api::Client;
use crate::held::Held;
use crate::session::{Session, answer};
use crate::{Builder, Error, Problem};

/// What the generated operations return.
pub type Answer<T> = Result<ResponseValue<T>, progenitor_client::Error>;

/// A client that stays signed in. Clones share the session.
#[derive(Clone)]
pub struct Doorward {
    pub(crate) session: Arc<Session>,
}

impl Doorward {
    /// Begins a client of the server at `base_url`, such as `https://auth.example.com`.
    pub fn builder(base_url: impl Into<String>) -> Builder {
        Builder::new(base_url.into())
    }

    /// Whether somebody is signed in, as far as is known here.
    pub fn is_signed_in(&self) -> bool {
        self.session.held().is_signed_in()
    }

    /// Calls any operation of the generated client:
    ///
    /// ```no_run
    /// # async fn example(doorward: doorward_client::Doorward) -> Result<(), doorward_client::Error> {
    /// let keys = doorward.call(|client| async move { client.get_keys().await }).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The tokens are renewed first when they are known to be expired. When the server says that
    /// they are, or they were replaced meanwhile, `operation` is run a second time, with a client
    /// that sends the current ones. An error that
    /// [ends the session](Problem::ends_session) signs out.
    pub async fn call<T, F, Fut>(&self, operation: F) -> Result<T, Error>
    where
        F: Fn(Client) -> Fut,
        Fut: Future<Output = Answer<T>>,
    {
        let session = &self.session;
        let mut held = session.fresh().await?;
        let mut result = answer(operation(session.client(&held))).await;
        if let Err(Error::Problem(problem)) = &result
            && self.can_be_repeated(&held, problem).await?
        {
            held = session.held();
            result = answer(operation(session.client(&held))).await;
        }
        if let Err(Error::Problem(problem)) = &result
            && problem.ends_session()
        {
            session.end(problem, held.generation).await;
        }
        result
    }

    /// Whether a call that failed with what was `held` may succeed with what is held now, after
    /// a refresh if need be.
    async fn can_be_repeated(&self, held: &Held, problem: &Problem) -> Result<bool, Error> {
        if problem.is_expired_access_token() && held.is_signed_in() {
            self.session.renew(held.generation).await?;
            return Ok(true);
        }
        let now = self.session.held();
        Ok(problem.ends_session() && now.is_signed_in() && now.generation != held.generation)
    }
}

impl fmt::Debug for Doorward {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doorward")
            .field("url", &self.session.url.as_str())
            .field("is_signed_in", &self.is_signed_in())
            .finish_non_exhaustive()
    }
}
