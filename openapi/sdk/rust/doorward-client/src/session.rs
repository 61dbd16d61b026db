//! What a client and its clones share, and how a session ends. How it is renewed is in `renewal`.
//!
//! Each call looks at what is `held` and remembers its generation. Whoever wants to change it (a
//! refresh, a login, a logout, a change of the password, the end of the session) first takes `changing`, then looks whether
//! the generation is still the one that it saw. So there is one refresh at a time, and a logout
//! waits for it. Futures can be dropped at any point: the lock is then free, and what is held is
//! what was held, because it changes last, after the server and the store have answered.

use std::sync::{Arc, Mutex as SyncMutex, MutexGuard, PoisonError};

use reqwest::Url;
use reqwest::cookie::Jar;
use tokio::sync::Mutex;

use crate::api::Client;
use crate::authorization::clear_cookies;
use crate::held::{Credentials, Held};
use crate::store::DynStore;
use crate::{Answer, Authorization, Error, Problem, Retry, Tokens};

/// Is told why a session is over.
pub(crate) type SignedOutHook = Box<dyn Fn(&Problem) + Send + Sync>;

/// What a client and its clones share.
pub(crate) struct Session {
    pub(crate) url: Url,
    pub(crate) http: reqwest::Client,
    /// `None` for bearer tokens.
    pub(crate) jar: Option<Arc<Jar>>,
    pub(crate) remember: bool,
    pub(crate) store: Box<dyn DynStore>,
    pub(crate) retry: Retry,
    pub(crate) on_signed_out: SignedOutHook,
    pub(crate) held: SyncMutex<Held>,
    /// Holds how the last refresh ended, for those who waited for it.
    pub(crate) changing: Mutex<Result<(), Error>>,
}

impl Session {
    pub(crate) fn held(&self) -> Held {
        self.lock().clone()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A generated client for one try.
    pub(crate) fn client(&self, held: &Held) -> Client {
        let authorization = match (&self.jar, &held.credentials) {
            (Some(jar), _) => Authorization::Cookies(Arc::clone(jar)),
            (None, Credentials::Tokens { tokens, .. }) => {
                Authorization::Bearer(tokens.access_token.clone())
            }
            (None, Credentials::None | Credentials::Cookies) => Authorization::None,
        };
        self.client_with(authorization)
    }

    /// A generated client that sends no access token; cookies are sent all the same.
    pub(crate) fn anonymous(&self) -> Client {
        self.client_with(Authorization::None)
    }

    fn client_with(&self, authorization: Authorization) -> Client {
        let base_url = self.url.as_str().trim_end_matches('/');
        Client::new_with_client(base_url, self.http.clone(), authorization)
    }

    /// Holds nothing any more, by the caller's own wish. Needs `changing`.
    pub(crate) async fn forget(&self) -> Result<(), Error> {
        self.save(None).await?;
        self.drop_credentials();
        Ok(())
    }

    /// Ends the session for `problem`, unless somebody has replaced what was held in `generation`.
    pub(crate) async fn end(&self, problem: &Problem, generation: u64) {
        let _changing = self.changing.lock().await;
        if self.held().generation == generation {
            self.sign_out(problem).await;
        }
    }

    /// Needs `changing`.
    pub(crate) async fn sign_out(&self, problem: &Problem) {
        if !self.held().is_signed_in() {
            return;
        }
        // The tokens are dead. Should the store fail, the next start finds that out.
        let _ = self.save(None).await;
        self.drop_credentials();
        (self.on_signed_out)(problem);
    }

    pub(crate) async fn save(&self, tokens: Option<&Tokens>) -> Result<(), Error> {
        self.store.save(tokens).await.map_err(|error| Error::Store(Arc::from(error)))
    }

    fn drop_credentials(&self) {
        if let Some(jar) = &self.jar {
            clear_cookies(jar, &self.url);
        }
        self.hold(Credentials::None);
    }

    pub(crate) fn hold(&self, credentials: Credentials) {
        let mut held = self.lock();
        held.generation += 1;
        held.credentials = credentials;
    }
}

/// The value of a generated call, or its error in our terms.
pub(crate) async fn answer<T>(call: impl Future<Output = Answer<T>>) -> Result<T, Error> {
    match call.await {
        Ok(value) => Ok(value.into_inner()),
        Err(error) => Err(Error::read(error).await),
    }
}
