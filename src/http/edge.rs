//! The outermost layer of every request: request id, origin check, CORS, errors and panics as
//! problems, cookies, security headers, the log line and the counters.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt as _;
use poem::error::{MethodNotAllowedError, NotFoundError};
use poem::http::{HeaderName, HeaderValue, StatusCode, Version, header};
use poem::{Endpoint, IntoResponse, Middleware, Request, Response};

use super::Web;
use super::cookies::CookieChanges;
use super::origins::{Origins, Source};
use super::paths;
use super::problem::{Code, Problem};
use crate::metric::RequestMeter;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Sent with every answer that does not say otherwise.
const SECURITY_HEADERS: [(HeaderName, HeaderValue); 6] = {
    let value = HeaderValue::from_static;
    [
        (header::X_CONTENT_TYPE_OPTIONS, value("nosniff")),
        (header::X_FRAME_OPTIONS, value("DENY")),
        (header::REFERRER_POLICY, value("no-referrer")),
        (header::CONTENT_SECURITY_POLICY, value("default-src 'none'; frame-ancestors 'none'")),
        (HeaderName::from_static("cross-origin-opener-policy"), value("same-origin")),
        (header::CACHE_CONTROL, value("no-store")),
    ]
};

/// One year, for the browser to remember that this host speaks https only.
const STRICT_TRANSPORT: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Makes the outermost layer.
pub struct Edge {
    web: Arc<Web>,
}

impl Edge {
    /// For the given state.
    pub const fn new(web: Arc<Web>) -> Self {
        Self { web }
    }
}

impl<E: Endpoint> Middleware<E> for Edge {
    type Output = EdgeEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        EdgeEndpoint { web: Arc::clone(&self.web), meter: RequestMeter::default(), inner }
    }
}

/// An endpoint behind the edge.
pub struct EdgeEndpoint<E> {
    web: Arc<Web>,
    meter: RequestMeter,
    inner: E,
}

impl<E: Endpoint> Endpoint for EdgeEndpoint<E> {
    type Output = Response;

    #[expect(clippy::disallowed_methods, reason = "a measurement decides nothing")]
    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let started = Instant::now();
        let request_id = self.web.request_ids.next();
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let path = uri.path();
        let source = self.web.origins.source(request.headers());
        let changes = CookieChanges::default();
        request.extensions_mut().insert(changes.clone());

        let mut response = match Origins::preflight(&request, &source) {
            Some(response) => response,
            None if !has_one_host(&request) => {
                let problem = Problem::from(Code::MalformedRequest);
                let problem = problem.detail("A request has one Host header.");
                self.render(problem.into(), path, &request_id)
            }
            None if Origins::is_unsafe(&method) && source == Source::Foreign => {
                self.render(Problem::from(Code::CsrfFailed).into(), path, &request_id)
            }
            None => match AssertUnwindSafe(self.inner.call(request)).catch_unwind().await {
                Ok(Ok(output)) => output.into_response(),
                Ok(Err(error)) => self.render(error, path, &request_id),
                Err(_) => self.render(Problem::from(Code::InternalError).into(), path, &request_id),
            },
        };
        changes.send(&mut response);
        self.web.origins.decorate(&mut response, &source);
        self.finish(&mut response, &request_id);

        let (status, took) = (response.status().as_u16(), started.elapsed());
        self.meter.record(status, took);
        let ms = took.as_millis();
        let (method, path) = (paths::method(&method), self.web.paths.shown(path));
        tracing::info!(method, %path, status, ms, request_id, "request");
        Ok(response)
    }
}

/// RFC 9112 §3.2. Who sends two wants two programs to go by different ones.
fn has_one_host(request: &Request) -> bool {
    request.version() != Version::HTTP_11
        || request.headers().get_all(header::HOST).iter().count() == 1
}

impl<E> EdgeEndpoint<E> {
    /// Whatever went wrong, as a problem. Detail of the server's own faults goes to the log.
    fn render(&self, error: poem::Error, path: &str, request_id: &str) -> Response {
        let problem = match error.downcast::<Problem>() {
            Ok(problem) => problem,
            Err(error) => self.translate(&error, path),
        };
        problem.report(request_id)
    }

    /// The router's and the extractors' own errors.
    fn translate(&self, error: &poem::Error, path: &str) -> Problem {
        use poem_openapi::error::{ParseParamError, ParsePathError};
        if error.is::<MethodNotAllowedError>() {
            return Problem::from(Code::MethodNotAllowed).allow(self.web.methods.of(path));
        }
        if error.is::<NotFoundError>()
            // The router's, of a path that is not UTF-8, and the extractor's.
            || error.is::<poem::error::ParsePathError>()
            || error.is::<ParsePathError>()
            || error.is::<ParseParamError>()
        {
            return Code::NotFound.into();
        }
        match error.status() {
            StatusCode::NOT_FOUND => Code::NotFound.into(),
            StatusCode::BAD_REQUEST => Code::MalformedRequest.into(),
            status => {
                tracing::error!(%status, %error, "an error without a code");
                Code::InternalError.into()
            }
        }
    }

    fn finish(&self, response: &mut Response, request_id: &str) {
        let headers = response.headers_mut();
        // Room for all at once: to grow a map is to fill it anew.
        headers.reserve(2 * SECURITY_HEADERS.len());
        for (name, value) in SECURITY_HEADERS {
            headers.entry(name).or_insert(value);
        }
        if self.web.app.public_url.is_https() {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, STRICT_TRANSPORT);
        }
        if let Ok(id) = HeaderValue::from_str(request_id) {
            headers.insert(REQUEST_ID, id);
        }
    }
}
