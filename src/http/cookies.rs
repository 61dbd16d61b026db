//! The three cookies (RFC 6265bis): their names and attributes, reading and writing them.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use poem::Response;
use poem::http::{HeaderMap, HeaderValue, header};

use crate::config::PublicUrl;

/// One of the three.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The access token.
    Access,
    /// The refresh token.
    Refresh,
    /// The double-submit value, which the page may read.
    Csrf,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Access, Self::Refresh, Self::Csrf];

    const fn plain_name(self) -> &'static str {
        match self {
            Self::Access => "token",
            Self::Refresh => "refreshToken",
            Self::Csrf => "csrfToken",
        }
    }
}

/// Names and attributes, as `public_url` and `cookie_domain` decide.
#[derive(Clone, Debug)]
pub struct CookieStyle {
    prefix: &'static str,
    attributes: String,
}

/// The cookies of a request. Their values are tokens, and never printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Cookies([Option<String>; 3]);

/// A cookie of ours came twice: somebody on a sibling domain may have planted one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicate(pub Kind);

impl CookieStyle {
    /// Over https the names get a prefix that browsers enforce, and `Secure`.
    pub fn new(public_url: &PublicUrl, domain: Option<&str>) -> Self {
        let (prefix, secure) = match (public_url.is_https(), domain) {
            (false, _) => ("", ""),
            (true, None) => ("__Host-", "; Secure"),
            (true, Some(_)) => ("__Secure-", "; Secure"),
        };
        let domain = domain.map(|domain| format!("; Domain={domain}")).unwrap_or_default();
        Self { prefix, attributes: format!("; Path=/; SameSite=Lax{secure}{domain}") }
    }

    /// The name of a cookie.
    pub fn name(&self, kind: Kind) -> String {
        format!("{}{}", self.prefix, kind.plain_name())
    }

    /// Our cookies in the raw `Cookie` headers. Names are compared as they are, not decoded:
    /// an encoded name must not shadow a `__Host-` one.
    pub fn read(&self, headers: &HeaderMap) -> Result<Cookies, Duplicate> {
        let mut cookies = Cookies::default();
        for header in headers.get_all(header::COOKIE) {
            // Bytes that are not text make a value that is no token.
            let text = str::from_utf8(header.as_bytes())
                .map_or_else(|_| String::from_utf8_lossy(header.as_bytes()), Cow::Borrowed);
            for pair in text.split(';') {
                let Some((name, value)) = pair.split_once('=') else {
                    continue;
                };
                let Some(kind) = self.kind_of(name.trim_ascii()) else {
                    continue;
                };
                let value = value.trim_ascii().to_owned();
                if cookies.0[kind as usize].replace(value).is_some() {
                    return Err(Duplicate(kind));
                }
            }
        }
        Ok(cookies)
    }

    fn kind_of(&self, name: &str) -> Option<Kind> {
        let plain = name.strip_prefix(self.prefix)?;
        Kind::ALL.into_iter().find(|kind| kind.plain_name() == plain)
    }

    /// Without `max_age` the cookie goes with the browser's window.
    fn header(&self, kind: Kind, value: &str, max_age: Option<u64>) -> Option<HeaderValue> {
        let http_only = if kind == Kind::Csrf { "" } else { "; HttpOnly" };
        let name = self.name(kind);
        let attributes = &self.attributes;
        let text = match max_age {
            Some(seconds) => format!("{name}={value}; Max-Age={seconds}{attributes}{http_only}"),
            None => format!("{name}={value}{attributes}{http_only}"),
        };
        HeaderValue::from_str(&text).ok()
    }
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(Kind::ALL.iter().filter(|kind| self.get(**kind).is_some())).finish()
    }
}

impl Cookies {
    /// The value of a cookie.
    pub fn get(&self, kind: Kind) -> Option<&str> {
        self.0[kind as usize].as_deref()
    }
}

/// What a request changes of its client's cookies: at most one `Set-Cookie` a name, the last
/// word counts. Shared by the guard, the operation and the edge, which sends it.
#[derive(Clone, Default)]
pub struct CookieChanges(Arc<Mutex<[Option<HeaderValue>; 3]>>);

impl CookieChanges {
    /// Sets a cookie for as long as it is good for, in whole seconds rounded up, or until the
    /// browser's window is closed.
    pub fn set(&self, style: &CookieStyle, kind: Kind, value: &str, life: Option<Duration>) {
        let seconds = life.map(|life| life.as_secs() + u64::from(life.subsec_nanos() > 0));
        self.lock()[kind as usize] = style.header(kind, value, seconds);
    }

    /// Clears all three.
    pub fn clear(&self, style: &CookieStyle) {
        *self.lock() = Kind::ALL.map(|kind| style.header(kind, "", Some(0)));
    }

    /// Writes the changes into a response and forgets them.
    pub fn send(&self, response: &mut Response) {
        let changes = std::mem::take(&mut *self.lock());
        for cookie in changes.into_iter().flatten() {
            response.headers_mut().append(header::SET_COOKIE, cookie);
            response
                .headers_mut()
                .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, [Option<HeaderValue>; 3]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn style(url: &str, domain: Option<&str>) -> CookieStyle {
        CookieStyle::new(&PublicUrl::parse(url).unwrap(), domain)
    }

    fn read(style: &CookieStyle, lines: &[&str]) -> Result<Cookies, Duplicate> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        style.read(&headers)
    }

    #[test]
    fn public_url_decides_names_and_attributes() {
        for (url, domain, expected) in [
            ("http://127.0.0.1:8080", None, "token=x; Max-Age=3; Path=/; SameSite=Lax; HttpOnly"),
            (
                "https://id.example.com",
                None,
                "__Host-token=x; Max-Age=3; Path=/; SameSite=Lax; Secure; HttpOnly",
            ),
            (
                "https://id.example.com",
                Some("example.com"),
                "__Secure-token=x; Max-Age=3; Path=/; SameSite=Lax; Secure; Domain=example.com; HttpOnly",
            ),
        ] {
            let style = style(url, domain);
            let changes = CookieChanges::default();
            changes.set(&style, Kind::Access, "x", Some(Duration::from_millis(2001)));
            let mut response = Response::default();
            changes.send(&mut response);
            assert_eq!(response.headers()[header::SET_COOKIE], expected);
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
        }
    }

    #[test]
    fn clearing_replaces_what_was_set_and_each_name_goes_once() {
        let style = style("https://id.example.com", None);
        let changes = CookieChanges::default();
        changes.set(&style, Kind::Refresh, "x", Some(Duration::from_secs(1)));
        changes.clear(&style);
        let mut response = Response::default();
        changes.send(&mut response);
        let sent: Vec<_> = response.headers().get_all(header::SET_COOKIE).iter().collect();
        assert_eq!(sent.len(), 3);
        assert!(sent.iter().all(|value| value.to_str().unwrap().contains("=; Max-Age=0; Path=/")));
        changes.send(&mut response);
        assert_eq!(response.headers().get_all(header::SET_COOKIE).iter().count(), 3, "sent once");
    }

    #[test]
    fn cookies_are_read_raw() {
        let plain = style("http://localhost", None);
        let host = style("https://id.example.com", None);
        let access = |cookies: Cookies| cookies.get(Kind::Access).map(str::to_owned);
        for (style, lines, expected) in [
            (&plain, &["token=a"][..], Ok(Some("a"))),
            (&plain, &["x=1; token=a; y=2"], Ok(Some("a"))),
            (&plain, &["x=1", "token=a"], Ok(Some("a"))),
            (&plain, &["token=a=b"], Ok(Some("a=b"))),
            (&plain, &["token="], Ok(Some(""))),
            (&plain, &["token"], Ok(None)),
            (&plain, &["Token=a"], Ok(None)),
            (&plain, &["%74oken=a; token=b"], Ok(Some("b"))),
            (&plain, &["token=a; token=b"], Err(Duplicate(Kind::Access))),
            (&plain, &["token=a", "token=a"], Err(Duplicate(Kind::Access))),
            (&plain, &[";;=;token=a;"], Ok(Some("a"))),
            (&host, &["token=a"], Ok(None)),
            (&host, &["__Host-token=a; token=b"], Ok(Some("a"))),
            (&host, &["__%48ost-token=evil; __Host-token=a"], Ok(Some("a"))),
        ] {
            let found = read(style, lines).map(access);
            assert_eq!(found, expected.map(|value| value.map(str::to_owned)), "{lines:?}");
        }
    }
}
