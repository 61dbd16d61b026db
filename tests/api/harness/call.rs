//! A request in the making; awaiting it sends it.

use std::pin::Pin;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::{Answer, Browser, TestApp};

/// A request.
#[must_use = "a call is sent when it is awaited"]
pub struct Call<'a> {
    app: &'a TestApp,
    browser: Option<&'a Browser<'a>>,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
}

impl<'a> Call<'a> {
    pub fn new(app: &'a TestApp, method: Method, path: &str) -> Self {
        Self {
            app,
            browser: None,
            method,
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: None,
        }
    }

    /// From this browser: with its cookies, and what the answer sets goes into its jar.
    pub fn from(self, browser: &'a Browser<'a>) -> Self {
        let call = Self { browser: Some(browser), ..self };
        match browser.agent() {
            Some(agent) => call.header("user-agent", agent),
            None => call,
        }
    }

    /// With one more header line; earlier ones of the same name stay.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
        self.headers.append(name, value);
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// With the header that a page makes of its `csrfToken` cookie.
    pub fn csrf(self) -> Self {
        let value = self.browser.and_then(|browser| browser.cookie("csrfToken"));
        self.header("x-csrf-token", value.expect("a csrfToken cookie"))
    }

    #[expect(clippy::needless_pass_by_value, reason = "json!(…) reads better")]
    pub fn json(self, body: Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    async fn send(mut self) -> Answer {
        if let Some(browser) = self.browser {
            let cookies = browser.jar().header();
            if !cookies.is_empty() {
                self = self.header("cookie", cookies);
            }
        }
        let url = self.app.url(&self.path);
        let mut request = self.app.http.request(self.method.clone(), url);
        request = request.headers(self.headers);
        if let Some(body) = self.body {
            request = request.body(body);
        }
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.expect("a whole answer");
        let answer = Answer::new(&self.method, &self.path, status.as_u16(), headers, body.to_vec());
        if let Some(browser) = self.browser {
            browser.keep(&answer.cookies);
        }
        answer
    }
}

impl<'a> IntoFuture for Call<'a> {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
