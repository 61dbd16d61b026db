//! Who may call from a browser: the origin check of unsafe methods, and CORS.

use poem::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use poem::{Request, Response};

use crate::config::{Origin, PublicUrl};

/// The origins whose pages may call.
pub struct Origins {
    own: Origin,
    allowed: Vec<Origin>,
}

/// What the `Origin` header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// No browser, or a page of our own.
    Own,
    /// A page of an allowed origin, which is told so.
    Allowed(HeaderValue),
    /// Any other page.
    Foreign,
}

const SEC_FETCH_SITE: &str = "sec-fetch-site";
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
const REQUEST_HEADERS: HeaderValue =
    HeaderValue::from_static("authorization, content-type, x-csrf-token");
const RESPONSE_HEADERS: HeaderValue =
    HeaderValue::from_static("retry-after, www-authenticate, x-request-id");

impl Origins {
    /// `public_url` and the configured others.
    pub fn new(public_url: &PublicUrl, allowed: &[Origin]) -> Self {
        Self { own: public_url.origin(), allowed: allowed.to_vec() }
    }

    /// Where a request comes from.
    pub fn source(&self, headers: &HeaderMap) -> Source {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let (origin, more) = (origins.next(), origins.next());
        let Some(value) = origin else {
            let cross_site = headers.get(SEC_FETCH_SITE).is_some_and(|site| site == "cross-site");
            return if cross_site { Source::Foreign } else { Source::Own };
        };
        let origin = value.to_str().ok().and_then(|text| Origin::parse(text).ok());
        match origin {
            Some(origin) if more.is_none() && self.is_own(&origin) => Source::Own,
            Some(origin) if more.is_none() && self.allowed.contains(&origin) => {
                Source::Allowed(value.clone())
            }
            _ => Source::Foreign,
        }
    }

    /// On a developer's machine the loopback names on our port are one.
    fn is_own(&self, origin: &Origin) -> bool {
        let same_machine = self.own.is_loopback()
            && origin.is_loopback()
            && self.own.port() == origin.port()
            && self.own.scheme() == origin.scheme();
        *origin == self.own || same_machine
    }

    /// Whether the method can change anything (RFC 9110 §9.2.1).
    pub fn is_unsafe(method: &Method) -> bool {
        !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
    }

    /// The answer to a CORS preflight of an allowed origin; `None` when it is not one.
    pub fn preflight(request: &Request, source: &Source) -> Option<Response> {
        let is_preflight = *request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !is_preflight || !matches!(source, Source::Allowed(_)) {
            return None;
        }
        let mut response = Response::builder().status(StatusCode::NO_CONTENT).finish();
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        Some(response)
    }

    /// Lets a page of an allowed origin read the answer.
    pub fn decorate(&self, response: &mut Response, source: &Source) {
        let headers = response.headers_mut();
        if !self.allowed.is_empty() {
            headers.append(header::VARY, HeaderValue::from_static("Origin"));
        }
        if let Source::Allowed(origin) = source {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers
                .insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_own_allowed_or_foreign() {
        let local = "http://127.0.0.1:8080";
        let public = "https://id.example.com";
        for (url, origin, site, expected) in [
            (local, None, None, "own"),
            (local, None, Some("cross-site"), "foreign"),
            (local, None, Some("same-origin"), "own"),
            (local, None, Some("none"), "own"),
            (local, Some("http://127.0.0.1:8080"), None, "own"),
            (local, Some("http://localhost:8080"), None, "own"),
            (local, Some("http://[::1]:8080"), Some("cross-site"), "own"),
            (local, Some("http://localhost:8081"), None, "foreign"),
            (local, Some("https://localhost:8080"), None, "foreign"),
            (local, Some("http://localhost.evil.example:8080"), None, "foreign"),
            (local, Some("null"), None, "foreign"),
            (local, Some(""), None, "foreign"),
            (public, Some("https://id.example.com"), None, "own"),
            (public, Some("https://id.example.com:443"), None, "own"),
            (public, Some("HTTPS://ID.example.com"), None, "own"),
            (public, Some("http://id.example.com"), None, "foreign"),
            (public, Some("https://app.example.com"), None, "allowed"),
            (public, Some("https://evil.example.com"), None, "foreign"),
            (public, Some("http://localhost"), None, "foreign"),
        ] {
            let allowed = [Origin::parse("https://app.example.com").unwrap()];
            let origins = Origins::new(&PublicUrl::parse(url).unwrap(), &allowed);
            let mut headers = HeaderMap::new();
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            if let Some(site) = site {
                headers.insert(SEC_FETCH_SITE, site.parse().unwrap());
            }
            let found = match origins.source(&headers) {
                Source::Own => "own",
                Source::Allowed(_) => "allowed",
                Source::Foreign => "foreign",
            };
            assert_eq!(found, expected, "{url} {origin:?} {site:?}");
        }
    }
}
