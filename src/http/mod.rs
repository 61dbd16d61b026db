//! The HTTP face. Handlers translate, they do not decide.
//!
//! A request passes [`edge`] (request id, origin check, CORS, errors, cookies, headers, log),
//! then the router, then for a protected operation the [`guard`], and only then is its body
//! read ([`body`]). Whatever goes wrong becomes a [`problem`] in one place.

pub mod api;
pub mod body;
pub mod client;
mod connections;
pub mod cookies;
pub mod edge;
pub mod envelope;
pub mod guard;
mod json;
pub mod origins;
pub mod pages;
mod patch;
pub mod paths;
pub mod problem;
pub mod query;
pub mod request_ids;
pub mod server;
pub mod spec;

use std::sync::Arc;

use poem::endpoint::BoxEndpoint;
use poem::{Endpoint, EndpointExt as _, IntoEndpoint as _, Request, Response, Route, get};

use crate::app::App;
use cookies::CookieStyle;
use origins::Origins;
use request_ids::RequestIds;

/// What the HTTP layer needs besides the application.
pub struct Web {
    /// The application.
    pub app: Arc<App>,
    /// Names and attributes of the cookies.
    pub cookies: CookieStyle,
    /// Who may call from a browser.
    pub origins: Origins,
    /// Which methods a path has.
    pub methods: spec::Methods,
    /// How a path is written to the log.
    pub paths: paths::Paths,
    /// Names the requests for the log.
    pub request_ids: RequestIds,
    /// The last result of the readiness probe.
    pub readiness: pages::health::Readiness,
}

impl Web {
    /// Reads what the configuration says about HTTP.
    pub fn new(app: Arc<App>) -> Self {
        Self {
            cookies: CookieStyle::new(&app.public_url, app.config.cookie_domain.as_deref()),
            origins: Origins::new(&app.public_url, &app.config.allowed_origins),
            methods: spec::Methods::new(),
            paths: paths::Paths::new(),
            request_ids: RequestIds::new(&*app.entropy),
            readiness: pages::health::Readiness::default(),
            app,
        }
    }
}

/// All routes, behind the edge.
pub fn routes(web: Arc<Web>) -> BoxEndpoint<'static, Response> {
    let pages = Route::new()
        .at("/docs", get(pages::docs::swagger))
        .at("/favicon.ico", get(pages::docs::favicon))
        .at("/openapi.json", get(pages::docs::spec_json))
        .at("/openapi.yaml", get(pages::docs::spec_yaml))
        .at("/healthz", get(pages::health::healthz))
        .at("/readyz", get(pages::health::readyz))
        .at("/metrics", get(pages::metrics::metrics));
    let account = pages::account::all(web.app.config.password_rules());
    let pages = account.fold(pages, |pages, (path, page)| pages.at(path, get(page)));
    Site { api: api::service().into_endpoint(), pages }
        .with(edge::Edge::new(Arc::clone(&web)))
        .data(web)
        .map_to_response()
        .boxed()
}

/// The API and the pages beside it. poem's own `nest` would parse the path of each request anew.
struct Site {
    api: BoxEndpoint<'static>,
    pages: Route,
}

impl Endpoint for Site {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        if api::PREFIXES.iter().any(|prefix| request.uri().path().starts_with(prefix)) {
            self.api.call(request).await
        } else {
            self.pages.call(request).await
        }
    }
}
