//! What came back, and what a story says about it.

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::{Cookie, spec};

/// The details that clients may compare with.
const DETAILS: [(&str, &str); 7] = [
    ("no_token", "No token provided"),
    ("session_expired", "Session expired. Please log in again."),
    ("access_token_expired", "Access token expired. Refresh it."),
    ("invalid_credentials", "Invalid credentials"),
    ("no_refresh_token", "No refresh token provided"),
    ("invalid_refresh_token", "Invalid or expired refresh token"),
    ("refresh_token_reused", "Refresh token reuse detected. Session revoked."),
];

/// An answer that keeps the rules that all answers keep.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub cookies: Vec<Cookie>,
}

impl Answer {
    pub fn new(
        method: &Method,
        path: &str,
        status: u16,
        headers: HeaderMap,
        body: Vec<u8>,
    ) -> Self {
        let lines = headers.get_all("set-cookie").iter();
        let cookies = lines.map(|line| Cookie::parse(line.to_str().unwrap()));
        let answer = Self { status, cookies: cookies.collect(), headers, body };
        answer.check_headers();
        if status >= 400 && method != Method::HEAD {
            answer.check_problem();
        }
        spec::check(method, path, &answer);
        answer
    }

    fn check_headers(&self) {
        let mut names: Vec<_> = self.cookies.iter().map(|cookie| &cookie.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), self.cookies.len(), "a cookie is set twice: {self}");
        if !names.is_empty() {
            assert_eq!(self.header("cache-control"), "no-store", "{self}");
        }
        assert!(!self.header("x-request-id").is_empty(), "{self}");
        assert_eq!(self.header("x-content-type-options"), "nosniff", "{self}");
        assert_eq!(self.header("x-frame-options"), "DENY", "{self}");
        assert_eq!(self.header("referrer-policy"), "no-referrer", "{self}");
        let csp = self.header("content-security-policy");
        assert!(self.status == 304 || csp.contains("frame-ancestors 'none'"), "{self}");
    }

    fn check_problem(&self) {
        let problem = self.json();
        let text = |name: &str| problem[name].as_str().unwrap_or_default();
        let code = text("code");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self}");
        assert_eq!(problem["status"], self.status, "{self}");
        assert_eq!(text("type"), "about:blank", "{self}");
        assert!(!text("title").is_empty() && !text("detail").is_empty(), "{self}");
        if let Some((_, detail)) = DETAILS.iter().find(|(known, _)| *known == code) {
            assert_eq!(text("detail"), *detail, "{self}");
        }
        assert_eq!(problem.get("errors").is_some(), self.status == 422, "{self}");
        for (header, statuses) in
            [("www-authenticate", &[401][..]), ("allow", &[405]), ("retry-after", &[429, 503])]
        {
            let is_there = self.headers.contains_key(header);
            assert_eq!(is_there, statuses.contains(&self.status), "{header}: {self}");
        }
        if self.headers.contains_key("retry-after") {
            let seconds: u64 = self.header("retry-after").parse().expect("whole seconds");
            assert!(seconds > 0, "{self}");
        }
        if self.status >= 500 {
            let id = self.header("x-request-id");
            assert!(text("detail").contains(id), "{self}");
        }
        assert_ne!(self.status, 500, "{self}");
    }

    /// The value of a header, or an empty one.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|value| value.to_str().unwrap());
        value.unwrap_or_default()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// It has this status; its JSON, if it has any.
    #[track_caller]
    pub fn status(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self}");
        if self.header("content-type").contains("json") { self.json() } else { Value::Null }
    }

    /// It is 200; its JSON.
    #[track_caller]
    pub fn ok(&self) -> Value {
        self.status(200)
    }

    /// It is this problem; its members. That the form is right is checked in every answer.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.status(status);
        assert_eq!(problem["code"], code, "{self}");
        problem
    }

    /// A cookie that is set or cleared, by its full name.
    #[track_caller]
    pub fn cookie(&self, name: &str) -> &Cookie {
        let found = self.cookies.iter().find(|cookie| cookie.name == name);
        found.unwrap_or_else(|| panic!("no Set-Cookie for {name}: {self}"))
    }

    /// It leaves the jar alone.
    #[track_caller]
    pub fn sets_no_cookies(&self) -> &Self {
        assert_eq!(self.cookies, [], "{self}");
        self
    }

    /// It sets the cookies with these plain names, in any order, and clears none.
    #[track_caller]
    pub fn sets_cookies(&self, names: &[&str]) -> &Self {
        let mut set: Vec<_> = self.cookies.iter().map(|it| it.name.as_str()).collect();
        set.sort_unstable();
        assert_eq!(set, names, "{self}");
        assert!(!self.cookies.iter().any(Cookie::is_cleared), "{self}");
        self
    }

    /// It empties the jar.
    #[track_caller]
    pub fn clears_cookies(&self) -> &Self {
        assert_eq!(self.cookies.len(), 3, "{self}");
        assert!(self.cookies.iter().all(Cookie::is_cleared), "{self}");
        self
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body: String = String::from_utf8_lossy(&self.body).chars().take(2000).collect();
        write!(f, "{} {:#?}\n{body}", self.status, self.headers)
    }
}
