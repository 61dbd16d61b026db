//! What a handler sees of a request besides its body: credentials, device, cookies to be set.

use std::net::IpAddr;
use std::sync::Arc;

use poem::http::{HeaderValue, header};
use poem::{FromRequest, Request, RequestBody};

use super::Web;
use super::client;
use super::cookies::{CookieChanges, Cookies, Duplicate, Kind};
use super::origins::Origins;
use super::problem::{Code, Problem};
use crate::crypto::keyring::CsrfMatch;
use crate::domain::session::Client;
use crate::domain::time::Timestamp;
use crate::flows::authenticate::Credentials;
use crate::flows::mint::Issued;

/// A request without its body.
pub struct Envelope {
    /// The HTTP layer's state.
    pub web: Arc<Web>,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// Whether the method can change anything.
    pub is_unsafe: bool,
    user_agent: Option<HeaderValue>,
    bearer: Option<String>,
    csrf_header: Option<HeaderValue>,
    cookies: Result<Cookies, Duplicate>,
    changes: CookieChanges,
}

impl Envelope {
    /// Reads the headers.
    pub fn open(web: &Arc<Web>, request: &Request) -> Self {
        let headers = request.headers();
        let address = client::peer(request)
            .map(|peer| client::address(peer, headers, &web.app.config.trusted_proxies));
        Self {
            web: Arc::clone(web),
            address,
            user_agent: headers.get(header::USER_AGENT).cloned(),
            is_unsafe: Origins::is_unsafe(request.method()),
            bearer: bearer(request),
            csrf_header: headers.get("x-csrf-token").cloned(),
            cookies: web.cookies.read(headers),
            changes: request.extensions().get::<CookieChanges>().cloned().unwrap_or_default(),
        }
    }

    /// What is presented. A request with one of our cookies twice is refused: which one is the
    /// user's cannot be told.
    pub fn credentials(&self) -> Result<Credentials<'_>, Problem> {
        match &self.cookies {
            Ok(cookies) => Ok(self.credentials_with(Some(cookies))),
            Err(_) if self.bearer.is_some() => Ok(self.credentials_with(None)),
            Err(Duplicate(kind)) => Err(Problem::from(Code::MalformedRequest)
                .detail(format!("The cookie {} is there twice.", self.web.cookies.name(*kind)))),
        }
    }

    /// The same for an operation that also helps a client with spoilt cookies: they are ignored.
    pub fn lenient_credentials(&self) -> Credentials<'_> {
        self.credentials_with(self.cookies.as_ref().ok())
    }

    fn credentials_with<'a>(&'a self, cookies: Option<&'a Cookies>) -> Credentials<'a> {
        let get = |kind| cookies.and_then(|cookies| cookies.get(kind));
        Credentials {
            bearer: self.bearer.as_deref(),
            access: get(Kind::Access),
            refresh: get(Kind::Refresh),
            csrf_cookie: get(Kind::Csrf),
            csrf_header: self.csrf_header.as_ref().and_then(|value| value.to_str().ok()),
        }
    }

    /// The client's device.
    pub fn client(&self) -> Client {
        client::device(self.address, self.user_agent.as_ref())
    }

    /// Puts the tokens of a sign-in into the client's jar.
    pub fn sign_in(&self, issued: &Issued) {
        self.renew(issued);
        self.set_csrf(issued);
    }

    /// Puts renewed tokens into the client's jar. The CSRF value stays as it is, unless there is
    /// none that is good or it was made with an old key.
    pub fn refresh(&self, issued: &Issued) {
        self.renew(issued);
        let value = self.cookies.as_ref().ok().and_then(|cookies| cookies.get(Kind::Csrf));
        let found = value.and_then(|value| issued.keys.check_csrf(value, issued.session.id));
        if found != Some(CsrfMatch::Active) {
            self.set_csrf(issued);
        }
    }

    /// Empties the client's jar.
    pub fn clear_cookies(&self) {
        self.changes.clear(&self.web.cookies);
    }

    /// The changes made so far.
    pub const fn changes(&self) -> &CookieChanges {
        &self.changes
    }

    fn renew(&self, issued: &Issued) {
        let style = &self.web.cookies;
        let life = |until: Timestamp| issued.remember.then(|| until.since(issued.at));
        let access_life = life(issued.claims.exp);
        let refresh_life = life(issued.session.expires_at);
        self.changes.set(style, Kind::Access, &issued.access_token, access_life);
        self.changes.set(style, Kind::Refresh, &issued.refresh_token, refresh_life);
    }

    fn set_csrf(&self, issued: &Issued) {
        let value = issued.keys.active().csrf_token(issued.session.id);
        let life = issued.remember.then(|| issued.session.ends_at.since(issued.at));
        self.changes.set(&self.web.cookies, Kind::Csrf, &value, life);
    }
}

/// The token of `Authorization: Bearer` (RFC 6750 §2.1). Other schemes are ignored.
fn bearer(request: &Request) -> Option<String> {
    request.headers().get_all(header::AUTHORIZATION).iter().find_map(|value| {
        let value = String::from_utf8_lossy(value.as_bytes());
        let (scheme, token) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
    })
}

impl<'a> FromRequest<'a> for Envelope {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> poem::Result<Self> {
        Ok(Self::open(Web::of(request)?, request))
    }
}

impl Web {
    /// The state that the router carries along.
    pub fn of(request: &Request) -> Result<&Arc<Self>, Problem> {
        request.data::<Arc<Self>>().ok_or_else(|| Code::InternalError.into())
    }
}
