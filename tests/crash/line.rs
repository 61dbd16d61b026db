//! A client's line to the server: requests, and whether there was an answer.

use doorward::PublicKey;
use doorward::crypto::access;
use doorward::domain::id::{Generation, SessionId};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::ledger::{Breach, Ledger, Write};
use super::server::{self, Server};

const PASSWORD: &str = "correct horse battery";

/// No complete answer came, or one that promises nothing (503): the write may or may not have
/// happened, and the client has to find out.
#[derive(Debug)]
pub struct Unanswered;

/// A complete answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Answer {
    /// What `code` says when it is a problem.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// A refusal of a refresh token that accuses nobody.
    pub fn is_refused_refresh(&self) -> bool {
        self.status == 403 && self.code() == "invalid_refresh_token"
    }
}

/// A pair of tokens, and what its access token says.
#[derive(Clone)]
pub struct Tokens {
    pub session: SessionId,
    pub generation: Generation,
    pub access: String,
    pub refresh: String,
}

/// To one server, for as long as it lives.
pub struct Line<'a> {
    http: reqwest::Client,
    server: &'a Server,
    pub ledger: &'a Ledger,
    keys: Vec<PublicKey>,
}

impl<'a> Line<'a> {
    pub async fn open(server: &'a Server, ledger: &'a Ledger) -> Self {
        let mut line = Self { http: server::http(), server, ledger, keys: Vec::new() };
        let keys = line.send(line.request(Method::GET, "/.well-known/doorward-keys")).await;
        let keys = keys.unwrap().body["keys"].as_array().unwrap().clone();
        let parse = |key: &Value| PublicKey::parse(key["key"].as_str().unwrap()).unwrap();
        line.keys = keys.iter().map(parse).collect();
        line
    }

    pub async fn register(&self, email: &str) -> Result<Answer, Unanswered> {
        let body = json!({ "email": email, "password": PASSWORD, "delivery": "body" });
        self.write(Write::Register, self.post("register").json(&body)).await
    }

    pub async fn login(&self, email: &str) -> Result<Answer, Unanswered> {
        let body = json!({ "email": email, "password": PASSWORD, "delivery": "body" });
        self.write(Write::Login, self.post("login").json(&body)).await
    }

    pub async fn refresh(&self, tokens: &Tokens) -> Result<Answer, Unanswered> {
        let body = json!({ "refreshToken": tokens.refresh });
        self.write(Write::Refresh, self.post("refresh").json(&body)).await
    }

    pub async fn logout(&self, tokens: &Tokens) -> Result<Answer, Unanswered> {
        let body = json!({ "refreshToken": tokens.refresh });
        self.write(Write::Logout, self.post("logout").json(&body)).await
    }

    pub async fn logout_all(&self, by: &Tokens) -> Result<Answer, Unanswered> {
        self.write(Write::LogoutAll, self.post("logout-all").bearer_auth(&by.access)).await
    }

    pub async fn revoke(&self, session: SessionId, by: &Tokens) -> Result<Answer, Unanswered> {
        let path = format!("/api/auth/sessions/{}", session.0);
        let request = self.request(Method::DELETE, &path).bearer_auth(&by.access);
        self.write(Write::Revoke, request).await
    }

    /// Whether the access token passes the guard.
    pub async fn admits(&self, tokens: &Tokens) -> Result<bool, Unanswered> {
        let request = self.request(Method::GET, "/api/auth/me").bearer_auth(&tokens.access);
        let answer = self.send(request).await?;
        self.ledger.count_read();
        if !matches!(answer.status, 200 | 401) {
            self.ledger.report(Breach::Unexpected, format!("getMe: {answer:?}"));
        }
        Ok(answer.status == 200)
    }

    /// The tokens in an answer; `None` when they are not there, or not by this server.
    pub fn tokens(&self, answer: &Answer) -> Option<Tokens> {
        let token = |name: &str| answer.body[name].as_str().map(str::to_owned);
        let (access, refresh) = (token("accessToken")?, token("refreshToken")?);
        let claims = access::open(&access, self.keys.iter())?;
        Some(Tokens { session: claims.sid, generation: claims.generation, access, refresh })
    }

    fn post(&self, operation: &str) -> RequestBuilder {
        self.request(Method::POST, &format!("/api/auth/{operation}"))
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.server.url(path))
    }

    async fn write(&self, write: Write, request: RequestBuilder) -> Result<Answer, Unanswered> {
        let answer = self.send(request).await?;
        if (200..300).contains(&answer.status) {
            self.ledger.acknowledge(write);
            self.server.acknowledged();
        }
        Ok(answer)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, Unanswered> {
        let response = request.send().await.map_err(|_| self.give_up())?;
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(|_| self.give_up())?;
        if status == 503 {
            return Err(self.give_up());
        }
        Ok(Answer { status, body: serde_json::from_slice(&body).unwrap_or_default() })
    }

    fn give_up(&self) -> Unanswered {
        if !self.server.is_killed() {
            self.ledger.count_given_up();
        }
        Unanswered
    }
}
