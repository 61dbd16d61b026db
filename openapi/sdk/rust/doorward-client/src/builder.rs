//! How a client is made.

use std::sync::{Arc, Mutex as SyncMutex};
use std::time::Duration;

use reqwest::cookie::Jar;
use reqwest::{ClientBuilder, Url, redirect};
use tokio::sync::Mutex;

use crate::authorization::cookie;
use crate::held::{Credentials, Held};
use crate::session::{Session, SignedOutHook};
use crate::store::DynStore;
use crate::{Doorward, Error, MemoryStore, Problem, Retry, TokenStore};

/// Settings of a [`Doorward`] to be.
#[must_use = "it does nothing before `build`"]
pub struct Builder {
    base_url: String,
    http: ClientBuilder,
    jar: Option<Arc<Jar>>,
    remember: bool,
    store: Box<dyn DynStore>,
    retry: Retry,
    on_signed_out: SignedOutHook,
}

impl Builder {
    pub(crate) fn new(base_url: String) -> Self {
        let http = ClientBuilder::new()
            .user_agent(concat!("doorward-client/", env!("CARGO_PKG_VERSION"), " (Rust)"))
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(30));
        Self {
            base_url,
            http,
            jar: None,
            remember: true,
            store: Box::new(MemoryStore::default()),
            retry: Retry::default(),
            on_signed_out: Box::new(|_| ()),
        }
    }

    /// Keeps tokens in `store`; they are loaded by [`build`](Self::build). Without it they end with
    /// the program.
    pub fn store(mut self, store: impl TokenStore) -> Self {
        self.store = Box::new(store);
        self
    }

    /// Uses cookies from `jar` instead of bearer tokens, as a browser does. The server renews them
    /// silently. The store is not used then.
    pub fn cookies(mut self, jar: Arc<Jar>) -> Self {
        self.jar = Some(jar);
        self
    }

    /// Whether sign-ins are to last; they do by default. With `false` a session ends after a day at
    /// the latest, and its cookies are those of a browser's window.
    pub fn remember(mut self, remember: bool) -> Self {
        self.remember = remember;
        self
    }

    /// How patient a refresh is.
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Calls `hook` once each time a session is over, with the reason; not after a logout. It must
    /// not block, and must not wait for a call of this client: it runs while others wait.
    pub fn on_signed_out(mut self, hook: impl Fn(&Problem) + Send + Sync + 'static) -> Self {
        self.on_signed_out = Box::new(hook);
        self
    }

    /// Sends requests by `http`: for other timeouts, proxies, certificates. Its cookies and
    /// redirects are set here.
    pub fn http(mut self, http: ClientBuilder) -> Self {
        self.http = http;
        self
    }

    /// Makes the client. Fails when the URL is not one, or the store cannot be read.
    pub async fn build(self) -> Result<Doorward, Error> {
        let url = parse(&self.base_url)?;
        // Doorward does not redirect, and whoever does must not be handed a password.
        let mut http = self.http.redirect(redirect::Policy::none());
        let credentials = if let Some(jar) = &self.jar {
            http = http.cookie_provider(Arc::clone(jar));
            let found = cookie(jar, &url, "refreshToken").is_some();
            if found { Credentials::Cookies } else { Credentials::None }
        } else {
            let tokens = self.store.load().await.map_err(|error| Error::Store(error.into()))?;
            tokens.map_or(Credentials::None, |tokens| Credentials::Tokens { tokens, expires: None })
        };
        let session = Session {
            url,
            http: http.build()?,
            jar: self.jar,
            remember: self.remember,
            store: self.store,
            retry: self.retry,
            on_signed_out: self.on_signed_out,
            held: SyncMutex::new(Held { generation: 0, sign_in: 0, refreshes: 0, credentials }),
            changing: Mutex::new(Ok(())),
        };
        Ok(Doorward { session: Arc::new(session) })
    }
}

fn parse(base_url: &str) -> Result<Url, Error> {
    match Url::parse(base_url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.query().is_none() => Ok(url),
        _ => Err(Error::Request("the base URL must be an http or https URL".to_owned())),
    }
}
