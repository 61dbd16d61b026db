//! How method and path are written to the log: clients put the strangest things there, tokens among
//! them.

use std::borrow::Cow;
use std::collections::HashSet;

use poem::http::Method;
use poem_openapi::OpenApi as _;
use uuid::Uuid;

use super::api::Api;
use super::pages::account;

/// The pages beside the API and those of the account, whose paths have one segment.
const PAGES: [&str; 7] =
    ["docs", "favicon.ico", "healthz", "metrics", "openapi.json", "openapi.yaml", "readyz"];

/// Stands for what is not shown.
const HIDDEN: &str = "…";

/// A method, if it is one of HTTP's (RFC 9110 §9, RFC 5789): any word is allowed.
pub fn method(method: &Method) -> &str {
    const KNOWN: [Method; 9] = [
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
        Method::CONNECT,
        Method::TRACE,
    ];
    if KNOWN.contains(method) { method.as_str() } else { HIDDEN }
}

/// The paths that there are, and the words in them.
pub struct Paths {
    whole: HashSet<String>,
    words: HashSet<String>,
}

impl Paths {
    /// Of the API and the pages.
    pub fn new() -> Self {
        let whole = Api::meta().into_iter().flat_map(|api| api.paths).map(|path| path.path);
        let pages = PAGES.into_iter().map(|page| format!("/{page}"));
        let whole = whole.chain(pages).chain(account::paths().map(str::to_owned));
        let whole: HashSet<_> = whole.collect();
        let segments = whole.iter().flat_map(|path| path.split('/'));
        let words = segments.filter(|segment| !segment.starts_with([':', '{'])).map(str::to_owned);
        Self { words: words.collect(), whole }
    }

    /// A path without what is neither a word of ours nor an id.
    pub fn shown<'a>(&self, path: &'a str) -> Cow<'a, str> {
        if self.whole.contains(path) {
            return path.into();
        }
        let shown = |segment| if self.is_known(segment) { segment } else { HIDDEN };
        path.split('/').map(shown).collect::<Vec<_>>().join("/").into()
    }

    fn is_known(&self, segment: &str) -> bool {
        self.words.contains(segment) || segment.len() == 36 && Uuid::try_parse(segment).is_ok()
    }
}

impl Default for Paths {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_ids_are_shown_and_nothing_else() {
        let id = "0190b8a0-0000-7000-8000-000000000000";
        let paths = Paths::new();
        for (path, shown) in [
            ("/", "/"),
            ("/healthz", "/healthz"),
            ("/api/auth/login", "/api/auth/login"),
            ("/.well-known/doorward-keys", "/.well-known/doorward-keys"),
            (&format!("/api/auth/sessions/{id}"), &format!("/api/auth/sessions/{id}")),
            ("/api/auth/sessions/v4.local.secret", "/api/auth/sessions/…"),
            ("/api/auth/hunter2/login", "/api/auth/…/login"),
            ("/account/verify-email", "/account/verify-email"),
            ("/account/verify-email/AZC4.secret", "/account/verify-email/…"),
            ("/from-mail/AZC4.secret", "/…/…"),
            ("/api/auth/sessions/:sessionId", "/api/auth/sessions/…"),
            (&format!("/{{{id}}}"), "/…"),
            ("*", "…"),
        ] {
            assert_eq!(paths.shown(path), shown, "{path}");
        }
        for (text, shown) in [("PATCH", "PATCH"), ("hunter2", "…"), ("get", "…")] {
            assert_eq!(method(&Method::from_bytes(text.as_bytes()).unwrap()), shown);
        }
    }
}
