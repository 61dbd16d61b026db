//! What goes with each request.

use std::fmt;
use std::sync::Arc;

use progenitor_client::{ClientHooks, Error, OperationInfo};
use reqwest::cookie::{CookieStore, Jar};
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::{Request, Url};

use crate::Secret;
use crate::api::Client;

const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrf-token");

/// What over https stands before the names of Doorward's cookies, and over http does not.
const PREFIXES: [&str; 3] = ["", "__Host-", "__Secure-"];

/// What a generated client authorizes its requests by.
#[derive(Clone, Default)]
pub enum Authorization {
    /// Nothing.
    #[default]
    None,
    /// An access token, in the `Authorization` header.
    Bearer(Secret),
    /// Cookies, which reqwest sends from this jar. Unsafe methods need the value of one of them
    /// in a header besides.
    Cookies(Arc<Jar>),
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Bearer(_) => "Bearer([redacted])",
            Self::Cookies(_) => "Cookies([redacted])",
        })
    }
}

impl ClientHooks<Authorization> for Client {
    async fn pre<E>(&self, request: &mut Request, _: &OperationInfo) -> Result<(), Error<E>> {
        let (name, mut value) = match &self.inner {
            Authorization::Bearer(token) => {
                (AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {}", token.reveal()))?)
            }
            Authorization::Cookies(jar) if !request.method().is_safe() => {
                let Some(token) = cookie(jar, request.url(), "csrfToken") else { return Ok(()) };
                (CSRF_HEADER, HeaderValue::from_str(&token)?)
            }
            Authorization::None | Authorization::Cookies(_) => return Ok(()),
        };
        value.set_sensitive(true);
        request.headers_mut().insert(name, value);
        Ok(())
    }
}

/// The value of one of Doorward's cookies, whatever prefix it has.
pub(crate) fn cookie(jar: &Jar, url: &Url, name: &str) -> Option<String> {
    let header = jar.cookies(url)?;
    header.to_str().ok()?.split("; ").find_map(|cookie| {
        let (full_name, value) = cookie.split_once('=')?;
        let bare_name = PREFIXES.iter().rev().find_map(|prefix| full_name.strip_prefix(prefix))?;
        (bare_name == name).then(|| value.to_owned())
    })
}

/// Removes Doorward's cookies. Those of a `cookie_domain` stay, but are worth nothing any more.
pub(crate) fn clear_cookies(jar: &Jar, url: &Url) {
    for prefix in PREFIXES {
        let secure = if prefix.is_empty() { "" } else { "; Secure" };
        for name in ["token", "refreshToken", "csrfToken"] {
            jar.add_cookie_str(&format!("{prefix}{name}=; Path=/; Max-Age=0{secure}"), url);
        }
    }
}
