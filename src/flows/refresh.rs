//! Trading a refresh token for its successor.

use std::sync::Arc;

use super::keys;
use super::mint::{self, Draw, Issued};
use crate::app::App;
use crate::crypto::keyring::Keyring;
use crate::crypto::refresh;
use crate::domain::session::{Client, Presented};
use crate::fault::Fault;
use crate::store::{Refused, Rotation};

/// Why no successor was given.
#[derive(Debug)]
pub enum Refusal {
    /// Not a refresh token of this server, or of no live session.
    Invalid,
    /// The user does not exist any more or is disabled.
    UserGone,
    /// It was used before; sessions were ended for it.
    Reused,
    /// An honest but overtaken request, to be sent again.
    Late,
    /// The server's own fault.
    Internal(Fault),
}

impl<F: Into<Fault>> From<F> for Refusal {
    fn from(fault: F) -> Self {
        Self::Internal(fault.into())
    }
}

/// What a refresh token says.
pub(super) struct Opened {
    pub(super) presented: Presented,
    /// Whether the sign-in outlives the browser's window.
    pub(super) remember: bool,
}

/// Opens a refresh token. A made-up one is refused here, before the database is asked.
pub(super) fn open(keys: &Keyring, token: &str) -> Option<Opened> {
    let claims = refresh::open(token, keys)?;
    let presented = Presented {
        user: claims.sub,
        session: claims.sid,
        generation: claims.generation,
        secret: claims.sec,
    };
    Some(Opened { presented, remember: claims.remember })
}

/// Whether the sign-in that a refresh token comes from outlives the browser's window.
pub fn is_remembered(app: &App, token: &str) -> bool {
    open(&app.keys.current(), token).is_none_or(|opened| opened.remember)
}

/// Trades a refresh token for a new pair, or for the same one again where the protocol says so.
pub async fn refresh(app: &App, token: &str, client: Client) -> Result<Issued, Refusal> {
    let keys = keys::knowing(app, &[Some(token)]).await?;
    let opened = open(&keys, token).ok_or(Refusal::Invalid)?;
    rotate(app, keys, opened, client).await
}

/// Trades what was opened with `keys`.
pub(super) async fn rotate(
    app: &App,
    mut keys: Arc<Keyring>,
    opened: Opened,
    client: Client,
) -> Result<Issued, Refusal> {
    let Opened { presented, remember } = opened;
    let now = app.clock.now();
    let draw = Draw::new(app)?;
    let (user, session, ip) = (presented.user, presented.session, client.ip.clone());
    let rotation = |keys: &Keyring| Rotation {
        presented: presented.clone(),
        ratchets: Arc::clone(keys.ratchets()),
        salt: draw.salt(),
        client: client.clone(),
        policy: app.policy,
        now,
    };
    let mut outcome = app.store.rotate(rotation(&keys)).await?;
    if matches!(outcome, Err(Refused::UnknownKey)) {
        // Another request, or another process, has turned it with a key that came meanwhile.
        keys = keys::look_again(app).await?;
        outcome = app.store.rotate(rotation(&keys)).await?;
    }
    if matches!(outcome, Err(Refused::RetiredKey)) {
        keys = keys::instead_of(app, keys.active().ratchet.id).await?;
        outcome = app.store.rotate(rotation(&keys)).await?;
    }
    let refusal = match outcome {
        Ok(rotated) => return Ok(mint::mint(app, keys, rotated, remember, draw, now)?),
        Err(refused) => refused,
    };
    Err(match refusal {
        Refused::UnknownKey => {
            tracing::error!(%user, %session, "the key that a session was made with is not there");
            Refusal::Invalid
        }
        Refused::RetiredKey => Fault::unavailable("the key was revoked once more").into(),
        Refused::UserGone => Refusal::UserGone,
        Refused::Invalid => Refusal::Invalid,
        Refused::Late => Refusal::Late,
        Refused::Foreign => {
            tracing::warn!(%user, %session, ip, "a refresh token is not of its session's history");
            Refusal::Invalid
        }
        Refused::Reused => {
            tracing::warn!(%user, %session, ip, "refresh token reuse: sessions were ended");
            Refusal::Reused
        }
    })
}
