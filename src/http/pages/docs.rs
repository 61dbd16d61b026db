//! Swagger UI and the spec. Everything comes from inside the binary; nothing is fetched from
//! anywhere else.

use std::io::Write as _;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::write::GzEncoder;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Request, Response, handler};
use sha2::{Digest as _, Sha256};

use crate::http::spec;

/// Where poem-openapi's page configures Swagger UI.
const HOOK: &str = "dom_id: '#ui',";

/// Copies the CSRF cookie into the header, so that a person who signed in by cookie can try
/// every operation.
const SETTINGS: &str = r"dom_id: '#ui',
        tryItOutEnabled: true,
        displayOperationId: true,
        defaultModelsExpandDepth: 0,
        withCredentials: true,
        requestInterceptor: (request) => {
            const csrf = document.cookie.match(/(?:^|; )(?:__Host-|__Secure-)?csrfToken=([^;]*)/);
            if (csrf && request.method !== 'GET') request.headers['X-CSRF-Token'] = csrf[1];
            return request;
        },";

/// The title, and what keeps the operation ids on one line.
const HEAD: &str = "<title>Doorward</title>
    <style>.swagger-ui .opblock .opblock-summary .opblock-summary-operation-id { flex: none; }</style>";

/// A door in its frame.
const FAVICON: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#1f6f5c" d="M2 15V1h12v14z"/><path fill="#fff" d="M4 3h8v12H4z"/><path fill="#1f6f5c" d="M5 4l6 1v10H5z"/><circle cx="9.5" cy="9.5" r=".8" fill="#fff"/></svg>"##;

/// A file that never changes while the process runs.
struct Asset {
    content_type: &'static str,
    plain: Vec<u8>,
    gzipped: Vec<u8>,
    etag: String,
    csp: Option<String>,
}

static PAGE: LazyLock<Asset> = LazyLock::new(|| {
    let page = swagger_ui();
    let csp = content_security_policy(&page);
    Asset { csp: Some(csp), ..Asset::new("text/html; charset=utf-8", page) }
});
static JSON: LazyLock<Asset> = LazyLock::new(|| Asset::new("application/json", spec::json()));
static YAML: LazyLock<Asset> = LazyLock::new(|| Asset::new("application/yaml", spec::yaml()));
static ICON: LazyLock<Asset> = LazyLock::new(|| Asset::new("image/svg+xml", FAVICON.to_owned()));

/// Swagger UI.
#[handler]
pub(crate) fn swagger(request: &Request) -> Response {
    PAGE.serve(request)
}

/// The spec as JSON.
#[handler]
pub(crate) fn spec_json(request: &Request) -> Response {
    JSON.serve(request)
}

/// The spec as YAML.
#[handler]
pub(crate) fn spec_yaml(request: &Request) -> Response {
    YAML.serve(request)
}

/// The icon of the page.
#[handler]
pub(crate) fn favicon(request: &Request) -> Response {
    ICON.serve(request)
}

fn swagger_ui() -> String {
    let page = crate::http::api::service().swagger_ui_html();
    let document = crate::http::api::service().spec();
    page.replacen(&document, &spec::json(), 1)
        .replacen(HOOK, SETTINGS, 1)
        .replacen("<title>Swagger UI</title>", HEAD, 1)
        .trim_start()
        .replacen("<html", "<!doctype html>\n<html lang=\"en\"", 1)
}

/// Only the page's own scripts run: each is named by its hash (CSP Level 3 §2.3.1). Swagger UI
/// sets style attributes and draws its icons from data URLs.
fn content_security_policy(page: &str) -> String {
    let hashes: Vec<_> = scripts(page)
        .map(|script| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script))))
        .collect();
    format!(
        "default-src 'none'; script-src {}; style-src 'unsafe-inline'; img-src 'self' data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hashes.join(" ")
    )
}

/// What stands between the script tags. A script ends at the first closing tag and nowhere
/// else: Swagger UI's own code has an opening tag in a string and in a pattern.
fn scripts(page: &str) -> impl Iterator<Item = &str> {
    let mut rest = page;
    std::iter::from_fn(move || {
        let (_, tag) = rest.split_once("<script")?;
        let (_, body) = tag.split_once('>')?;
        let (script, after) = body.split_once("</script>")?;
        rest = after;
        Some(script)
    })
}

impl Asset {
    fn new(content_type: &'static str, text: String) -> Self {
        let plain = text.into_bytes();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        // Writing to memory cannot fail; were it to, the plain form is served.
        let gzipped = encoder.write_all(&plain).and_then(|()| encoder.finish()).unwrap_or_default();
        let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&Sha256::digest(&plain)[..12]));
        Self { content_type, plain, gzipped, etag, csp: None }
    }

    fn serve(&'static self, request: &Request) -> Response {
        let has = |name, wanted: &str| {
            request
                .headers()
                .get_all(name)
                .iter()
                .any(|value| value.to_str().is_ok_and(|value| value.contains(wanted)))
        };
        let mut builder = Response::builder()
            .header(header::ETAG, &self.etag)
            .header(header::CACHE_CONTROL, "no-cache")
            .header(header::VARY, "Accept-Encoding");
        // A 304 too: its headers replace those the browser kept (RFC 9111 §4.3.4).
        if let Some(csp) = self.csp.as_ref().and_then(|csp| HeaderValue::from_str(csp).ok()) {
            builder = builder.header(header::CONTENT_SECURITY_POLICY, csp);
        }
        if has(header::IF_NONE_MATCH, &self.etag) {
            return builder.status(StatusCode::NOT_MODIFIED).finish();
        }
        builder = builder.content_type(self.content_type);
        if !self.gzipped.is_empty() && has(header::ACCEPT_ENCODING, "gzip") {
            builder.header(header::CONTENT_ENCODING, "gzip").body(self.gzipped.as_slice())
        } else {
            builder.body(self.plain.as_slice())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_and_the_tidied_spec_are_in_the_page() {
        let page = swagger_ui();
        assert_eq!(page.matches("requestInterceptor: (request) =>").count(), 1);
        assert!(page.contains(r#""openapi": "3.0.3""#));
        assert!(page.contains("<title>Doorward</title>"));
        assert_eq!(content_security_policy(&page).matches("'sha256-").count(), 2);
    }

    #[test]
    fn a_revalidated_page_keeps_its_policy() {
        let request = Request::builder().header(header::IF_NONE_MATCH, &PAGE.etag).finish();
        let response = PAGE.serve(&request);
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        let policy = response.header(header::CONTENT_SECURITY_POLICY);
        assert_eq!(policy, PAGE.csp.as_deref());
    }

    #[test]
    fn a_script_may_mention_its_own_tag() {
        let page = "<script async>a('<script>')</script><p></p><script>b</script>";
        assert_eq!(scripts(page).collect::<Vec<_>>(), ["a('<script>')", "b"]);
    }
}
