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
    /// let me = doorward.call(|client| async move { client.get_me().await }).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The tokens are renewed first when they are known to be expired. When the server says that
    /// they are, or they were replaced meanwhile, `operation` is run again, with a client that
    /// sends the current ones. An error that [ends the session](Problem::ends_session) signs out.
    pub async fn call<T, F, Fut>(&self, operation: F) -> Result<T, Error>
    where
        F: Fn(Client) -> Fut,
        Fut: Future<Output = Answer<T>>,
    {
        let mut held = self.session.fresh().await?;
        let mut may_renew = true;
        loop {
            let result = answer(operation(self.session.client(&held))).await;
            let Err(Error::Problem(problem)) = &result else { return result };
            let Some(now) = self.replacement(&held, problem, may_renew).await? else {
                return result;
            };
            (held, may_renew) = (now, false);
        }
    }

    /// Calls an operation that anybody may call, such as `forgot_password`: without a token, so
    /// that it does not fail because a refresh does.
    pub async fn call_anonymously<T, F, Fut>(&self, operation: F) -> Result<T, Error>
    where
        F: FnOnce(Client) -> Fut,
        Fut: Future<Output = Answer<T>>,
    {
        answer(operation(self.session.anonymous())).await
    }

    /// A call by whoever has taken `changing`, renewed and judged as any other.
    pub(crate) async fn call_alone<T, F, Fut>(&self, operation: F) -> Result<T, Error>
    where
        F: Fn(Client) -> Fut,
        Fut: Future<Output = Answer<T>>,
    {
        let session = &self.session;
        if session.held().is_known_to_be_expired() {
            session.refresh(&session.held()).await?;
        }
        let mut result = answer(operation(session.client(&session.held()))).await;
        if let Err(Error::Problem(problem)) = &result
            && problem.is_expired_access_token()
        {
            session.refresh(&session.held()).await?;
            result = answer(operation(session.client(&session.held()))).await;
        }
        if let Err(Error::Problem(problem)) = &result
            && problem.ends_session()
        {
            session.sign_out(problem).await;
        }
        result
    }

    /// What to repeat a call with that failed with what was `held`; `None` when its error stands.
    async fn replacement(
        &self,
        held: &Held,
        problem: &Problem,
        may_renew: bool,
    ) -> Result<Option<Held>, Error> {
        if problem.ends_session() {
            // Waits for a change of the password, after which it is only the old session's end.
            self.session.end(problem, held.generation).await;
        } else if problem.is_expired_access_token() && may_renew && held.is_signed_in() {
            self.session.renew(held.generation).await?;
        } else {
            return Ok(None);
        }
        let now = self.session.held();
        let is_newer = now.generation != held.generation && now.sign_in == held.sign_in;
        Ok((is_newer && now.is_signed_in()).then_some(now))
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
