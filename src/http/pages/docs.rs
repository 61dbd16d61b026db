//! Swagger UI and the spec. Everything comes from inside the binary; nothing is fetched from
//! anywhere else.

use std::sync::LazyLock;

use poem::{Request, Response, handler};

use super::asset::{Asset, hashes};
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

static PAGE: LazyLock<Asset> = LazyLock::new(|| {
    let page = swagger_ui();
    let policy = content_security_policy(&page);
    Asset::page(page, &policy)
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

/// Only the page's own scripts run. Swagger UI sets style attributes and draws its icons from data
/// URLs.
fn content_security_policy(page: &str) -> String {
    format!(
        "default-src 'none'; script-src {}; style-src 'unsafe-inline'; img-src 'self' data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hashes(page, "script")
    )
}

#[cfg(test)]
mod tests {
    use poem::http::{StatusCode, header};

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
        let request = Request::builder().header(header::IF_NONE_MATCH, PAGE.etag()).finish();
        let response = PAGE.serve(&request);
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        let policy = response.header(header::CONTENT_SECURITY_POLICY);
        assert_eq!(policy, Some(content_security_policy(&swagger_ui()).as_str()));
    }
}
