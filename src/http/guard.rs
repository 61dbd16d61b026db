//! The guard: an auto-refresh middleware.
//!
//! A valid access token passes. Otherwise the refresh cookie is rotated silently, the request
//! goes on as that user, and the new cookies travel on the response whatever its status. As
//! [`Guard`] it protects any poem endpoint; as [`Guarded`] an operation of the API, before its
//! body is read.

use std::sync::Arc;

use poem::{Endpoint, FromRequest, IntoResponse, Middleware, Request, RequestBody, Response};
use poem_openapi::registry::{
    MetaParamIn, MetaSchema, MetaSchemaRef, MetaSecurityScheme, Registry,
};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};

use super::Web;
use super::cookies::CookieChanges;
use super::envelope::Envelope;
use super::origins::{Origins, Source};
use super::problem::{Code, Problem};
use crate::app::App;
use crate::domain::claims::Role;
use crate::flows::authenticate::{Caller, Refusal, authenticate};

/// Who is calling, or why they may not.
async fn admit(envelope: &Envelope) -> Result<Caller, Problem> {
    let credentials = envelope.credentials()?;
    let app = &envelope.web.app;
    match authenticate(app, &credentials, envelope.is_unsafe, || envelope.client()).await {
        Ok(admitted) => {
            if let Some(issued) = &admitted.renewed {
                envelope.refresh(issued);
            }
            Ok(admitted.caller)
        }
        Err(refusal) => {
            // Only reuse clears: whoever lost a race must not wipe what the winner set.
            if matches!(refusal, Refusal::RefreshTokenReused) {
                envelope.clear_cookies();
            }
            Err(refusal.into())
        }
    }
}

/// Protects poem endpoints. Get it from [`Doorward::guard`](crate::Doorward::guard); the handler
/// reads who is calling from the [`Caller`] extractor.
///
/// It protects a single route as well as all below a path:
///
/// ```
/// use doorward::Doorward;
/// use poem::{EndpointExt as _, IntoEndpoint as _, Route, endpoint::make_sync};
///
/// fn shop(doorward: &Doorward) -> Route {
///     let orders = Route::new()
///         .at("/", make_sync(|_| "all orders"))
///         .at("/:id", make_sync(|_| "one order"));
///     Route::new()
///         .nest("/orders", orders.with(doorward.guard()))
///         .at("/opening-hours", make_sync(|_| "for everybody"))
/// }
/// ```
#[derive(Clone)]
pub struct Guard {
    web: Arc<Web>,
}

impl Guard {
    pub(crate) const fn new(web: Arc<Web>) -> Self {
        Self { web }
    }
}

impl<E: Endpoint> Middleware<E> for Guard {
    type Output = GuardEndpoint<E>;

    fn transform(&self, inner: E) -> Self::Output {
        GuardEndpoint { web: Arc::clone(&self.web), inner }
    }
}

/// An endpoint behind a [`Guard`].
pub struct GuardEndpoint<E> {
    web: Arc<Web>,
    inner: E,
}

impl<E: Endpoint> Endpoint for GuardEndpoint<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let is_unsafe = Origins::is_unsafe(request.method());
        if is_unsafe && self.web.origins.source(request.headers()) == Source::Foreign {
            return Ok(Problem::from(Code::CsrfFailed).report(&self.web.request_ids.next()));
        }
        if request.extensions().get::<CookieChanges>().is_none() {
            request.extensions_mut().insert(CookieChanges::default());
        }
        let envelope = Envelope::open(&self.web, &request);
        let mut response = match admit(&envelope).await {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
                match self.inner.call(request).await {
                    Ok(output) => output.into_response(),
                    Err(error) => error.into_response(),
                }
            }
            Err(problem) => problem.report(&self.web.request_ids.next()),
        };
        envelope.changes().send(&mut response);
        Ok(response)
    }
}

impl<'a> FromRequest<'a> for Caller {
    async fn from_request(request: &'a Request, _body: &mut RequestBody) -> poem::Result<Self> {
        let caller = request.extensions().get::<Self>().cloned();
        Ok(caller.ok_or_else(|| {
            Problem::from(Code::InternalError)
                .detail("This route asks for its caller but is not guarded.")
        })?)
    }
}

/// The caller of a protected operation of the API. Put it first in the signature: what comes
/// after it is not even read for a stranger.
pub struct Guarded {
    /// Who is calling.
    pub caller: Caller,
    /// The request without its body.
    pub envelope: Envelope,
}

impl Guarded {
    /// The application.
    pub fn app(&self) -> &App {
        &self.envelope.web.app
    }
}

/// The caller of an operation that only administrators may call: a [`Guarded`] that has let in
/// nobody else. Put it first in the signature.
///
/// The role is that of the account as it is now: a changed one makes older access tokens stale.
pub struct Admin {
    /// Who is calling.
    pub caller: Caller,
    /// The request without its body.
    pub envelope: Envelope,
}

impl Admin {
    /// The application.
    pub fn app(&self) -> &App {
        &self.envelope.web.app
    }

    /// The session of this request is over: a client with cookies is to lose them.
    pub fn clear_cookies(&self) {
        if self.caller.by_cookie {
            self.envelope.clear_cookies();
        }
    }
}

impl<'a> ApiExtractor<'a> for Admin {
    const TYPES: &'static [ApiExtractorType] = Guarded::TYPES;
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        Guarded::register(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        Guarded::security_schemes()
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let Guarded { caller, envelope } = Guarded::from_request(request, body, options).await?;
        match caller.role() {
            Role::Admin => Ok(Self { caller, envelope }),
            Role::User => Err(Problem::from(Code::Forbidden).into()),
        }
    }
}

const BEARER: &str = "bearerAuth";
const COOKIE: &str = "cookieAuth";

impl<'a> ApiExtractor<'a> for Guarded {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        let scheme = |ty, description| MetaSecurityScheme {
            ty,
            description: Some(description),
            name: None,
            key_in: None,
            scheme: None,
            bearer_format: None,
            flows: None,
            openid_connect_url: None,
        };
        registry.create_security_scheme(
            BEARER,
            MetaSecurityScheme {
                scheme: Some("bearer"),
                bearer_format: Some("PASETO v4.public"),
                ..scheme(
                    "http",
                    "The access token of a client without a cookie jar (`\"delivery\": \"body\"`).",
                )
            },
        );
        registry.create_security_scheme(
            COOKIE,
            MetaSecurityScheme {
                key_in: Some("cookie"),
                name: Some("token"),
                ..scheme(
                    "apiKey",
                    "The access token as a cookie, renewed silently by the refresh cookie. Unsafe \
                     methods need the `X-CSRF-Token` header besides. Over https the name is \
                     `__Host-token`.",
                )
            },
        );
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![BEARER, COOKIE]
    }

    async fn from_request(
        request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let envelope = Envelope::open(Web::of(request)?, request);
        Ok(Self { caller: admit(&envelope).await?, envelope })
    }
}

/// The `X-CSRF-Token` header, for the spec: the guard has checked it before the handler runs.
pub struct CsrfHeader;

impl<'a> ApiExtractor<'a> for CsrfHeader {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::Parameter];
    type ParamType = String;
    type ParamRawType = String;

    fn param_in() -> Option<MetaParamIn> {
        Some(MetaParamIn::Header)
    }

    fn param_schema_ref() -> Option<MetaSchemaRef> {
        let schema = MetaSchema { max_length: Some(128), ..MetaSchema::new("string") };
        Some(MetaSchemaRef::Inline(Box::new(schema)))
    }

    async fn from_request(
        _request: &'a Request,
        _body: &mut RequestBody,
        _options: ExtractParamOptions<String>,
    ) -> poem::Result<Self> {
        Ok(Self)
    }
}
