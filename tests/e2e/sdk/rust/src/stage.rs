//! Where a story is played: a server, the proxy in front of it, and Ana's clients.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use doorward_client::reqwest::cookie::{CookieStore, Jar};
use doorward_client::reqwest::{Client, Url};
use doorward_client::{Builder, Doorward, Retry};

use crate::{Proxy, Server, TestStore};

/// Ana's address.
pub const EMAIL: &str = "ana@example.com";
/// Ana's password.
pub const PASSWORD: &str = "correct horse battery";

/// A server and a proxy.
pub struct Stage {
    /// The way that clients take.
    pub proxy: Proxy,
    /// Asked directly only about the state of the world.
    pub server: Server,
}

/// The codes that the signed-out hook was called with.
#[derive(Clone, Default)]
pub struct SignedOut(Arc<Mutex<Vec<String>>>);

impl SignedOut {
    /// All so far.
    pub fn codes(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl Stage {
    /// A server with these configuration keys, and a proxy before it.
    pub async fn new(settings: &[(&str, &str)]) -> Self {
        let server = Server::start(settings).await;
        Self { proxy: Proxy::start(&server.url).await, server }
    }

    /// A client through the proxy, to be built. It is less patient than usual.
    pub fn client(&self) -> Builder {
        Doorward::builder(&self.proxy.url).retry(Retry {
            attempts: 3,
            first_pause: Duration::from_millis(20),
            longest_pause: Duration::from_millis(50),
        })
    }

    /// Ana, registered and signed in with bearer tokens in `store`, and what her hook was told.
    pub async fn ana(&self, store: &TestStore) -> (Doorward, SignedOut) {
        let (ana, signed_out) = self.client_with(store).await;
        ana.register(EMAIL, PASSWORD).await.unwrap();
        self.proxy.take_log();
        (ana, signed_out)
    }

    /// A client that starts with what is in `store`.
    pub async fn client_with(&self, store: &TestStore) -> (Doorward, SignedOut) {
        build(self.client().store(store.clone())).await
    }

    /// Ana, registered and signed in with cookies in `jar`.
    pub async fn ana_by_cookie(&self, jar: &Arc<Jar>) -> (Doorward, SignedOut) {
        let (ana, signed_out) = self.client_with_jar(jar).await;
        ana.register(EMAIL, PASSWORD).await.unwrap();
        self.proxy.take_log();
        (ana, signed_out)
    }

    /// A client that starts with the cookies in `jar`.
    pub async fn client_with_jar(&self, jar: &Arc<Jar>) -> (Doorward, SignedOut) {
        build(self.client().cookies(Arc::clone(jar))).await
    }

    /// Waits until the server calls this access token expired.
    pub async fn expired(&self, access_token: &str) {
        self.refused(access_token, "access_token_expired").await;
    }

    /// Makes the server call all of Ana's access tokens expired, this one among them, by giving
    /// her another role. New ones last: what follows may take its time.
    pub async fn make_stale(&self, access_token: &str) {
        self.server.run(&["user", "set-role", EMAIL, "admin"]).await;
        self.expired(access_token).await;
    }

    /// Waits until the server refuses this access token with this code.
    pub async fn refused(&self, access_token: &str, code: &str) {
        let (http, url) = (Client::new(), format!("{}/api/auth/me", self.server.url));
        until(code, async || {
            let answer = http.get(&url).bearer_auth(access_token).send().await.unwrap();
            answer.text().await.unwrap().contains(code)
        })
        .await;
    }

    /// Waits until the jar has dropped the access cookie.
    pub async fn cookie_expired(&self, jar: &Jar) {
        until("the access cookie to expire", async || !self.has_cookie(jar, "token")).await;
    }

    /// The value of a cookie in the jar.
    pub fn cookie(&self, jar: &Jar, name: &str) -> Option<String> {
        let header = jar.cookies(&Url::parse(&self.proxy.url).unwrap())?;
        let mut cookies = header.to_str().unwrap().split("; ").filter_map(|c| c.split_once('='));
        cookies.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned())
    }

    /// Whether the jar has a cookie of this name.
    pub fn has_cookie(&self, jar: &Jar, name: &str) -> bool {
        self.cookie(jar, name).is_some()
    }

    /// Stops the server, which must end well.
    pub async fn end(self) {
        self.server.stop().await;
    }
}

async fn build(client: Builder) -> (Doorward, SignedOut) {
    let signed_out = SignedOut::default();
    let codes = Arc::clone(&signed_out.0);
    let client = client
        .on_signed_out(move |problem| codes.lock().unwrap().push(problem.code.clone()))
        .build()
        .await
        .unwrap();
    (client, signed_out)
}

/// Asks until the answer is yes.
pub async fn until(what: &str, ask: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !ask().await {
        assert!(start.elapsed() < Duration::from_secs(60), "waited for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
