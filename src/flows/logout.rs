//! Signing out: of this device, or of all.

use super::authenticate::{Caller, Credentials};
use super::{keys, refresh};
use crate::app::App;
use crate::domain::id::SessionId;
use crate::domain::session::{Client, EndReason};
use crate::fault::Fault;

/// Where the session to be ended was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundBy {
    /// In the body or in `Authorization: Bearer`: the client has no cookies to clear.
    Token,
    /// In a cookie, or nowhere: whatever cookies there are, they are to be cleared.
    Cookie,
}

/// The session that a request belongs to: by the refresh token of the body, the bearer token,
/// the refresh cookie or the access cookie, in this order. Authenticity is all that counts: an
/// expired or superseded token still names its session, or a refresh in another tab would
/// outlive the logout.
pub async fn find_session(
    app: &App,
    body: Option<&str>,
    credentials: &Credentials<'_>,
) -> Result<(Option<SessionId>, FoundBy), Fault> {
    let Credentials { bearer, access, refresh, .. } = *credentials;
    let keys = keys::knowing(app, &[body, bearer, access, refresh]).await?;
    let by_refresh =
        |token: &str| refresh::open(&keys, token).map(|opened| opened.presented.session);
    let by_access = |token: &str| keys.open_access(token).map(|claims| claims.sid);
    if let Some(session) = body.and_then(by_refresh) {
        return Ok((Some(session), FoundBy::Token));
    }
    if let Some(token) = credentials.bearer {
        return Ok((by_access(token), FoundBy::Token));
    }
    let session =
        credentials.refresh.and_then(by_refresh).or_else(|| credentials.access.and_then(by_access));
    let has_cookies = credentials.refresh.is_some() || credentials.access.is_some();
    let found_by = if body.is_some() && !has_cookies { FoundBy::Token } else { FoundBy::Cookie };
    Ok((session, found_by))
}

/// Ends the session that the request belongs to, if there is one.
pub async fn logout(
    app: &App,
    body: Option<&str>,
    credentials: &Credentials<'_>,
    client: Client,
) -> Result<FoundBy, Fault> {
    let now = app.clock.now();
    let (session, found_by) = find_session(app, body, credentials).await?;
    if let Some(session) = session {
        app.store.end_session(session, EndReason::Logout, client, now).await?;
    }
    Ok(found_by)
}

/// Ends all of the caller's sessions, this one included.
pub async fn logout_all(app: &App, caller: &Caller, client: Client) -> Result<(), Fault> {
    let now = app.clock.now();
    app.store.end_sessions_of(caller.user_id(), EndReason::LogoutAll, client, now).await?;
    Ok(())
}
