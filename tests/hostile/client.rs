//! An honest client: an account, one session, and a library that speaks HTTP properly.

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::server::{PATIENCE, Server};
use super::wire::HONEST;

pub const PASSWORD: &str = "correct horse battery";

pub struct Client {
    http: reqwest::Client,
    url: String,
    email: String,
    access: String,
    refresh: String,
}

/// What a client may want.
#[derive(Clone, Copy)]
pub enum Wish {
    Me,
    Refresh,
    Login,
}

impl Client {
    /// Registers.
    pub async fn new(server: &Server, email: &str) -> Self {
        let http =
            reqwest::Client::builder().no_proxy().local_address(std::net::IpAddr::V4(HONEST));
        let mut client = Self {
            http: http.timeout(PATIENCE).build().unwrap(),
            url: format!("http://{}/api/auth/", server.address),
            email: email.to_owned(),
            access: String::new(),
            refresh: String::new(),
        };
        let body = client.credentials();
        assert!(client.sign_in("register", &body).await, "{email} cannot register");
        client
    }

    fn credentials(&self) -> Value {
        json!({ "email": self.email, "password": PASSWORD, "delivery": "body" })
    }

    /// Whether it was served as it ought to be.
    pub async fn gets(&mut self, wish: Wish) -> bool {
        match wish {
            Wish::Me => {
                let request = self.request(Method::GET, "me").bearer_auth(&self.access);
                succeeds(request).await.is_some()
            }
            Wish::Refresh => {
                let body = json!({ "refreshToken": self.refresh });
                self.sign_in("refresh", &body).await
            }
            Wish::Login => {
                let body = self.credentials();
                self.sign_in("login", &body).await
            }
        }
    }

    async fn sign_in(&mut self, operation: &str, body: &Value) -> bool {
        let request = self.request(Method::POST, operation).json(body);
        let Some(response) = succeeds(request).await else { return false };
        let Ok(body) = response.json::<Value>().await else { return false };
        let token = |name: &str| body[name].as_str().unwrap().to_owned();
        (self.access, self.refresh) = (token("accessToken"), token("refreshToken"));
        true
    }

    /// A login of its own, that changes nothing here.
    pub async fn login(&self) -> reqwest::Result<Response> {
        self.request(Method::POST, "login").json(&self.credentials()).send().await
    }

    pub async fn logs_out(&self) -> bool {
        let body = json!({ "refreshToken": self.refresh });
        succeeds(self.request(Method::POST, "logout").json(&body)).await.is_some()
    }

    /// Asks for a mail.
    pub async fn forgets_its_password(&self) -> bool {
        let body = json!({ "email": self.email });
        succeeds(self.request(Method::POST, "forgot-password").json(&body)).await.is_some()
    }

    fn request(&self, method: Method, operation: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{operation}", self.url))
    }
}

async fn succeeds(request: RequestBuilder) -> Option<Response> {
    request.send().await.ok().filter(|response| response.status().is_success())
}
