//! The two kinds of clients: one with a cookie jar, one that keeps its tokens itself.

use std::sync::Mutex;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Call, Cookie, Jar, PASSWORD, TestApp};

/// A pair of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

impl Tokens {
    /// Those of an answer with `"delivery": "body"`.
    pub fn of(answer: &Value) -> Self {
        let token = |name: &str| answer[name].as_str().expect(name).to_owned();
        Self { access: token("accessToken"), refresh: token("refreshToken") }
    }
}

/// A client with a cookie jar.
pub struct Browser<'a> {
    app: &'a TestApp,
    jar: Mutex<Jar>,
    agent: Option<String>,
}

impl<'a> Browser<'a> {
    pub fn new(app: &'a TestApp, jar: Jar) -> Self {
        Self { app, jar: Mutex::new(jar), agent: None }
    }

    /// With a `User-Agent`.
    pub fn named(self, agent: &str) -> Self {
        Self { agent: Some(agent.to_owned()), ..self }
    }

    pub fn agent(&self) -> Option<&str> {
        self.agent.as_deref()
    }

    /// A copy of the jar as it is now.
    pub fn jar(&self) -> Jar {
        self.jar.lock().unwrap().clone()
    }

    /// Goes back to an earlier copy.
    pub fn restore(&self, jar: &Jar) {
        *self.jar.lock().unwrap() = jar.clone();
    }

    /// Keeps what an answer sets.
    pub fn keep(&self, cookies: &[Cookie]) {
        self.jar.lock().unwrap().keep(cookies);
    }

    /// The value of a cookie, by its plain name.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let name = format!("{}{name}", self.app.prefix());
        self.jar.lock().unwrap().get(&name).map(str::to_owned)
    }

    /// Loses a cookie, as a browser does when its time is over.
    pub fn forget(&self, name: &str) {
        let name = format!("{}{name}", self.app.prefix());
        self.jar.lock().unwrap().forget(&name);
    }

    /// Tampers with a cookie.
    pub fn plant(&self, name: &str, value: &str) {
        let name = format!("{}{name}", self.app.prefix());
        self.jar.lock().unwrap().plant(&name, value);
    }

    /// The tokens in the jar.
    pub fn tokens(&self) -> Tokens {
        Tokens {
            access: self.cookie("token").expect("a token cookie"),
            refresh: self.cookie("refreshToken").expect("a refreshToken cookie"),
        }
    }

    /// A request from this browser.
    pub fn call(&'a self, method: &str, path: &str) -> Call<'a> {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        Call::new(self.app, method, path).from(self)
    }

    pub fn login(&'a self, email: &str) -> Call<'a> {
        self.call("POST", "/api/auth/login").json(json!({"email": email, "password": PASSWORD}))
    }

    pub fn refresh(&'a self) -> Call<'a> {
        self.call("POST", "/api/auth/refresh")
    }

    pub fn logout(&'a self) -> Call<'a> {
        self.call("POST", "/api/auth/logout")
    }

    pub fn logout_all(&'a self) -> Call<'a> {
        self.call("POST", "/api/auth/logout-all").csrf()
    }

    pub fn me(&'a self) -> Call<'a> {
        self.call("GET", "/api/auth/me")
    }

    pub fn revoke(&'a self, session: &str) -> Call<'a> {
        self.call("DELETE", &format!("/api/auth/sessions/{session}")).csrf()
    }

    /// The list of sessions.
    pub async fn sessions(&'a self) -> Vec<Value> {
        let list = self.call("GET", "/api/auth/sessions").await.ok();
        list["sessions"].as_array().unwrap().clone()
    }

    /// The id of this browser's session.
    pub async fn session_id(&'a self) -> String {
        let sessions = self.sessions().await;
        let own = sessions.iter().find(|session| session["current"] == true);
        own.expect("a current session")["id"].as_str().unwrap().to_owned()
    }
}

/// A client without a cookie jar.
pub struct Program<'a> {
    app: &'a TestApp,
    pub tokens: Tokens,
}

impl<'a> Program<'a> {
    pub const fn new(app: &'a TestApp, tokens: Tokens) -> Self {
        Self { app, tokens }
    }

    pub fn call(&self, method: &str, path: &str) -> Call<'a> {
        self.app.call(method, path).bearer(&self.tokens.access)
    }

    pub fn me(&self) -> Call<'a> {
        self.call("GET", "/api/auth/me")
    }

    /// Trades the refresh token and keeps the new pair.
    pub async fn refresh(&mut self) {
        let answer = self.app.refresh(&self.tokens).await;
        answer.sets_no_cookies();
        self.tokens = Tokens::of(&answer.ok());
    }
}
