//! The guard's decision: who is calling, and whether their tokens have to be renewed first.

use std::sync::Arc;

use super::mint::Issued;
use super::{keys, refresh};
use crate::app::App;
use crate::crypto::keyring::Keyring;
use crate::domain::claims::{AccessClaims, Role};
use crate::domain::id::{SessionId, UserId};
use crate::domain::session::Client;
use crate::domain::time::Now;
use crate::fault::Fault;
use crate::store::Standing;

/// What a request presents.
#[derive(Clone, Copy, Default)]
pub struct Credentials<'a> {
    /// The token of `Authorization: Bearer`. When there is one, nothing else counts.
    pub bearer: Option<&'a str>,
    /// The access cookie.
    pub access: Option<&'a str>,
    /// The refresh cookie.
    pub refresh: Option<&'a str>,
    /// The CSRF cookie.
    pub csrf_cookie: Option<&'a str>,
    /// The `X-CSRF-Token` header.
    pub csrf_header: Option<&'a str>,
}

/// Who is calling a guarded operation: an extractor for the handlers behind a
/// [`Guard`](crate::Guard).
///
/// ```
/// use doorward::{Caller, Role};
/// use poem::{handler, http::StatusCode};
///
/// #[handler]
/// fn close_the_shop(caller: Caller) -> StatusCode {
///     if caller.role() != Role::Admin {
///         return StatusCode::FORBIDDEN;
///     }
///     println!("closed by {}", caller.user_id());
///     StatusCode::NO_CONTENT
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Caller {
    /// What the access token says.
    pub claims: Arc<AccessClaims>,
    /// Whether it came as a cookie (and not as a bearer token).
    pub by_cookie: bool,
}

impl Caller {
    /// The user.
    pub fn user_id(&self) -> UserId {
        self.claims.sub
    }

    /// The session.
    pub fn session_id(&self) -> SessionId {
        self.claims.sid
    }

    /// What the user may do.
    pub fn role(&self) -> Role {
        self.claims.identity.role
    }
}

/// A caller who was let in.
pub struct Admitted {
    /// Who it is.
    pub caller: Caller,
    /// The tokens that were made on the way, for the caller's cookie jar.
    pub renewed: Option<Issued>,
}

/// Why a caller was not let in.
#[derive(Debug)]
pub enum Refusal {
    /// Nothing was presented.
    NoToken,
    /// What was presented is no good any more, or never was.
    SessionExpired,
    /// It would be good but for its age; the client is to refresh it itself.
    AccessTokenExpired,
    /// An unsafe method by cookie without the CSRF header, or with a wrong one.
    CsrfFailed,
    /// The silent rotation was refused: the user is gone or disabled.
    InvalidRefreshToken,
    /// The silent rotation found a reused token.
    RefreshTokenReused,
    /// The silent rotation was overtaken; to be sent again.
    Late,
    /// The server's own fault.
    Internal(Fault),
}

/// What is wrong with an access token.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// Expired, or its claims are out of date.
    Aged,
    /// Not one of ours, or of a session that has ended.
    Bad,
    /// From before a restore, as the clocks have it.
    Restored(SessionId),
}

impl Flaw {
    /// What a client is told that renews its tokens itself: to do so, or to sign in.
    async fn told(self, app: &App, now: Now) -> Refusal {
        let is_aged = match self {
            Self::Aged => Ok(true),
            Self::Bad => Ok(false),
            // A restore ends every session. One that is live was started since, under another clock.
            Self::Restored(session) => app.store.is_live(session, now).await,
        };
        match is_aged {
            Ok(true) => Refusal::AccessTokenExpired,
            Ok(false) => Refusal::SessionExpired,
            Err(fault) => Refusal::Internal(fault),
        }
    }
}

/// Lets a caller in, renewing the tokens of a cookie client as needed.
///
/// `is_unsafe` says whether the method can change anything (RFC 9110 §9.2.1): by cookie it
/// then needs the CSRF header, before anything rotates. `client` is asked who it is only then.
pub async fn authenticate(
    app: &App,
    credentials: &Credentials<'_>,
    is_unsafe: bool,
    client: impl FnOnce() -> Client,
) -> Result<Admitted, Refusal> {
    let now = app.clock.now();
    if let Some(token) = credentials.bearer {
        let keys = keys::knowing(app, &[Some(token)]).await.map_err(Refusal::Internal)?;
        let admitted =
            weigh(app, &keys, token, now).and_then(|claims| admit(app, claims, false, now));
        return match admitted {
            Ok(admitted) => Ok(admitted),
            Err(flaw) => Err(flaw.told(app, now).await),
        };
    }
    let tokens = [credentials.access, credentials.refresh];
    let keys = keys::knowing(app, &tokens).await.map_err(Refusal::Internal)?;
    let csrf = |session| {
        if is_unsafe && !csrf_holds(&keys, credentials, session) {
            Err(Refusal::CsrfFailed)
        } else {
            Ok(())
        }
    };
    let flaw = match credentials.access.map(|token| weigh(app, &keys, token, now)) {
        None if credentials.refresh.is_none() => return Err(Refusal::NoToken),
        None => None,
        Some(Err(flaw)) => Some(flaw),
        Some(Ok(claims)) => {
            csrf(claims.sid)?;
            match admit(app, claims, true, now) {
                Ok(admitted) => return Ok(admitted),
                Err(flaw) => Some(flaw),
            }
        }
    };

    let opened = credentials.refresh.and_then(|token| refresh::open(&keys, token));
    if !app.config.auto_refresh {
        // A browser drops the access cookie when it expires: gone is as good as expired.
        let gone = if opened.is_some() { Flaw::Aged } else { Flaw::Bad };
        return Err(flaw.unwrap_or(gone).told(app, now).await);
    }
    let opened = opened.ok_or(Refusal::SessionExpired)?;
    csrf(opened.presented.session)?;
    let issued =
        refresh::rotate(app, keys, opened, client()).await.map_err(|refusal| match refusal {
            refresh::Refusal::Invalid => Refusal::SessionExpired,
            refresh::Refusal::UserGone => Refusal::InvalidRefreshToken,
            refresh::Refusal::Reused => Refusal::RefreshTokenReused,
            refresh::Refusal::Late => Refusal::Late,
            refresh::Refusal::Internal(fault) => Refusal::Internal(fault),
        })?;
    // The rotation confirms nothing: that the client has its answer is seen when it uses it.
    let caller = Caller { claims: Arc::clone(&issued.claims), by_cookie: true };
    Ok(Admitted { caller, renewed: Some(issued) })
}

/// The claims of an access token that nothing speaks against so far.
fn weigh(app: &App, keys: &Keyring, token: &str, now: Now) -> Result<Arc<AccessClaims>, Flaw> {
    let claims = keys.open_access(token).ok_or(Flaw::Bad)?;
    check(app.store.standing(&claims), &claims)?;
    // Ours, but from before the server moved, counts as out of date. And a token outlives
    // neither its own expiry nor the life that is configured now: for no longer is it remembered
    // which sessions have ended.
    let is_ours = claims.iss == app.issuer && claims.aud == app.audience;
    let is_fresh = now.wall < claims.iat.plus(app.config.access_token_ttl);
    if is_ours && is_fresh && claims.is_current(now.wall) { Ok(claims) } else { Err(Flaw::Aged) }
}

/// Lets the token pass, and notes that it was used, unless its session has ended meanwhile.
fn admit(
    app: &App,
    claims: Arc<AccessClaims>,
    by_cookie: bool,
    now: Now,
) -> Result<Admitted, Flaw> {
    check(app.store.note_use(&claims, now), &claims)?;
    Ok(Admitted { caller: Caller { claims, by_cookie }, renewed: None })
}

fn check(standing: Standing, claims: &AccessClaims) -> Result<(), Flaw> {
    match standing {
        Standing::Good => Ok(()),
        Standing::Ended => Err(Flaw::Bad),
        Standing::Stale => Err(Flaw::Aged),
        Standing::Restored => Err(Flaw::Restored(claims.sid)),
    }
}

/// Double submit: header and cookie are equal, and the value is the session's.
fn csrf_holds(keys: &Keyring, credentials: &Credentials<'_>, session: SessionId) -> bool {
    use subtle::ConstantTimeEq as _;
    match (credentials.csrf_cookie, credentials.csrf_header) {
        (Some(cookie), Some(header)) => {
            bool::from(cookie.as_bytes().ct_eq(header.as_bytes()))
                && keys.check_csrf(header, session).is_some()
        }
        _ => false,
    }
}
