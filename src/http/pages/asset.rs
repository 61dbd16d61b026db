//! Files from inside the binary, and the policy that names their scripts.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::Bytes;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Endpoint, Request, Response};
use sha2::{Digest as _, Sha256};

/// A file that never changes while the process runs.
pub(in crate::http) struct Asset {
    content_type: &'static str,
    plain: Bytes,
    gzipped: Bytes,
    /// Without one the file is not to be kept.
    etag: Option<String>,
    csp: Option<HeaderValue>,
}

impl Asset {
    /// A file that browsers keep, and ask whether it is still the same.
    pub(super) fn new(content_type: &'static str, text: String) -> Self {
        let plain = text.into_bytes();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Writing to memory cannot fail; were it to, the plain form is served.
        let gzipped = encoder.write_all(&plain).and_then(|()| encoder.finish()).unwrap_or_default();
        let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&Sha256::digest(&plain)[..12]));
        Self {
            content_type,
            plain: plain.into(),
            gzipped: gzipped.into(),
            etag: Some(etag),
            csp: None,
        }
    }

    /// A page under a content security policy.
    pub(super) fn page(html: String, policy: &str) -> Self {
        let csp = HeaderValue::from_str(policy).ok();
        Self { csp, ..Self::new("text/html; charset=utf-8", html) }
    }

    /// The same, to be kept by nobody.
    pub(super) fn not_stored(self) -> Self {
        Self { etag: None, ..self }
    }

    /// What says whether it is still the same.
    #[cfg(test)]
    pub(super) fn etag(&self) -> &str {
        self.etag.as_deref().unwrap_or_default()
    }

    pub(super) fn serve(&self, request: &Request) -> Response {
        let has = |name, wanted: &str| {
            request
                .headers()
                .get_all(name)
                .iter()
                .any(|value| value.to_str().is_ok_and(|value| value.contains(wanted)))
        };
        let mut builder = Response::builder().header(header::VARY, "Accept-Encoding");
        builder = match &self.etag {
            Some(etag) => {
                builder.header(header::ETAG, etag).header(header::CACHE_CONTROL, "no-cache")
            }
            None => builder.header(header::CACHE_CONTROL, "no-store"),
        };
        // A 304 too: its headers replace those the browser kept (RFC 9111 §4.3.4).
        if let Some(csp) = &self.csp {
            builder = builder.header(header::CONTENT_SECURITY_POLICY, csp);
        }
        if self.etag.as_ref().is_some_and(|etag| has(header::IF_NONE_MATCH, etag)) {
            return builder.status(StatusCode::NOT_MODIFIED).finish();
        }
        builder = builder.content_type(self.content_type);
        if !self.gzipped.is_empty() && has(header::ACCEPT_ENCODING, "gzip") {
            builder.header(header::CONTENT_ENCODING, "gzip").body(self.gzipped.clone())
        } else {
            builder.body(self.plain.clone())
        }
    }
}

impl Endpoint for Asset {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        Ok(self.serve(&request))
    }
}

/// The hashes of what stands between the page's tags of this name, as a source list of its policy
/// (CSP Level 3 §2.3.1).
pub(super) fn hashes(page: &str, tag: &str) -> String {
    let hashes: Vec<_> = inline(page, tag)
        .map(|text| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text))))
        .collect();
    hashes.join(" ")
}

/// What stands between the tags. A script ends at the first closing tag and nowhere else: Swagger
/// UI's own code has an opening tag in a string and in a pattern.
fn inline<'a>(page: &'a str, tag: &str) -> impl Iterator<Item = &'a str> {
    let (opening, closing) = (format!("<{tag}"), format!("</{tag}>"));
    let mut rest = page;
    std::iter::from_fn(move || {
        let (_, tag) = rest.split_once(&opening)?;
        let (_, body) = tag.split_once('>')?;
        let (text, after) = body.split_once(&closing)?;
        rest = after;
        Some(text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_may_mention_its_own_tag() {
        let page = "<script async>a('<script>')</script><p></p><script>b</script>";
        assert_eq!(inline(page, "script").collect::<Vec<_>>(), ["a('<script>')", "b"]);
        assert_eq!(inline(page, "style").count(), 0);
    }
}
