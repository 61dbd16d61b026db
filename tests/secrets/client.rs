//! A client that notes every answer, and every token that is in one.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward::crypto::keyring::{Keyring, Root};
use doorward::crypto::refresh;
use serde_json::Value;

use crate::canary::Kind;
use crate::house::House;

/// Who a request is from.
#[derive(Clone, Default)]
pub(crate) struct Holder {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) csrf: String,
    /// Whether they came as cookies.
    pub(crate) by_cookie: bool,
}

impl Holder {
    /// The headers of a request.
    pub(crate) fn headers(&self) -> Vec<String> {
        let Self { access, refresh, csrf, by_cookie } = self;
        if *by_cookie {
            let cookies =
                format!("cookie: token={access}; refreshToken={refresh}; csrfToken={csrf}");
            vec![cookies, format!("x-csrf-token: {csrf}")]
        } else {
            vec![format!("authorization: Bearer {access}")]
        }
    }
}

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    cookies: BTreeMap<String, String>,
}

impl Answer {
    /// The tokens of a sign-in.
    pub(crate) fn holder(&self) -> Holder {
        let from_body = |name: &str| self.body[name].as_str().unwrap_or_default().to_owned();
        let from_jar = |name: &str| self.cookies.get(name).cloned().unwrap_or_default();
        if self.cookies.contains_key("token") {
            let (access, refresh) = (from_jar("token"), from_jar("refreshToken"));
            Holder { access, refresh, csrf: from_jar("csrfToken"), by_cookie: true }
        } else {
            let (access, refresh) = (from_body("accessToken"), from_body("refreshToken"));
            Holder { access, refresh, ..Holder::default() }
        }
    }
}

pub(crate) struct Client<'a> {
    pub(crate) house: &'a mut House,
    address: String,
    pub(crate) keys: Keyring,
    /// What was sent, and the statuses that came back.
    pub(crate) played: BTreeMap<String, BTreeSet<u16>>,
    sent: usize,
    name: &'static str,
    /// Whether a superseded refresh token gets no second chance.
    pub(crate) is_strict: bool,
}

impl<'a> Client<'a> {
    pub(crate) fn new(
        house: &'a mut House,
        address: &str,
        root: &Root,
        name: &'static str,
    ) -> Self {
        let keys = Keyring::new(root, &[]).unwrap();
        let played = BTreeMap::new();
        Self {
            house,
            address: address.to_owned(),
            keys,
            played,
            sent: 0,
            name,
            is_strict: name == "json",
        }
    }

    /// Sends a JSON body, as somebody.
    pub(crate) fn call(&mut self, line: &str, from: &Holder, body: &Value) -> Answer {
        let headers = from.headers();
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        self.raw(line, &headers, body.to_string().as_bytes())
    }

    pub(crate) fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.raw(&format!("POST {path}"), &[], body.to_string().as_bytes())
    }

    /// Sends what may be nonsense. `line` is method and target.
    pub(crate) fn raw(&mut self, line: &str, headers: &[&str], body: &[u8]) -> Answer {
        let mut head = vec![
            format!("{line} HTTP/1.1"),
            format!("host: {}", self.address),
            "connection: close".to_owned(),
        ];
        head.extend(headers.iter().map(|header| (*header).to_owned()));
        if !body.is_empty() {
            head.push("content-type: application/json".to_owned());
            head.push(format!("content-length: {}", body.len()));
        }
        let head = head.join("\r\n") + "\r\n\r\n";
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        self.sent += 1;
        let answer = parse(&bytes);
        let place = format!("answer {} of {}: {line} {}", self.sent, self.name, answer.status);
        self.learn(&place, &answer);
        self.house.note(&place, bytes);
        self.played.entry(line.to_owned()).or_default().insert(answer.status);
        answer
    }

    /// The tokens of an answer are secrets that it alone may hold.
    fn learn(&mut self, place: &str, answer: &Answer) {
        if answer.status >= 400 {
            return;
        }
        let Holder { access, refresh, csrf, .. } = answer.holder();
        for (kind, token) in [(Kind::Access, &access), (Kind::Refresh, &refresh)] {
            let Some(body) = token.split('.').nth(2) else { continue };
            let bytes = URL_SAFE_NO_PAD.decode(body).unwrap();
            // The signature or the tag, without which it is worth nothing; the rest is no secret, or
            // is sealed.
            self.born(kind, &bytes[bytes.len() - 32..], place);
            self.born(kind, &body.as_bytes()[body.len() - 40..], place);
        }
        if let Some(claims) = refresh::open(&refresh, &self.keys) {
            let secret = serde_json::to_value(&claims.sec).unwrap();
            self.both(Kind::Refresh, secret.as_str().unwrap());
        }
        if !csrf.is_empty() {
            self.born(Kind::Csrf, csrf.as_bytes(), place);
            self.born(Kind::Csrf, &URL_SAFE_NO_PAD.decode(&csrf).unwrap(), place);
        }
    }

    fn born(&mut self, kind: Kind, bytes: &[u8], place: &str) {
        self.house.secret(kind, bytes).births.insert(place.to_owned());
    }

    /// A secret in base64url, as it is and as bytes.
    pub(crate) fn both(&mut self, kind: Kind, text: &str) {
        self.house.secret(kind, text.as_bytes());
        self.house.secret(kind, &URL_SAFE_NO_PAD.decode(text).unwrap());
    }
}

fn parse(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = serde_json::from_str(body).unwrap_or_default();
    let cookies = head.lines().filter_map(|line| line.strip_prefix("set-cookie: "));
    let pairs = cookies.filter_map(|cookie| cookie.split(';').next()?.split_once('='));
    let pairs = pairs.filter(|(_, value)| !value.is_empty());
    let cookies = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Answer { status, body, cookies }
}
