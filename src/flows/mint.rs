//! Making the tokens of a session.

use std::sync::Arc;
use std::time::Duration;

use super::keys;
use crate::app::App;
use crate::clock::random;
use crate::crypto::keyring::Keyring;
use crate::crypto::refresh::{self, Nonce};
use crate::domain::account::User;
use crate::domain::claims::{AccessClaims, AccessTokenType, RefreshClaims};
use crate::domain::id::SessionId;
use crate::domain::secret::{Salt, Secret};
use crate::domain::session::{Client, Session};
use crate::domain::time::{Now, Timestamp};
use crate::fault::Fault;
use crate::store::{NewSession, RetiredKey, Rotated, Started};

/// A session with the tokens that were just made for it.
pub struct Issued {
    /// The session.
    pub session: Session,
    /// Its user.
    pub user: User,
    /// The claims of the access token.
    pub claims: Arc<AccessClaims>,
    /// PASETO `v4.public`.
    pub access_token: String,
    /// PASETO `v4.local`.
    pub refresh_token: String,
    /// Whether the sign-in outlives the browser's window.
    pub remember: bool,
    /// The keys that they were made with.
    pub keys: Arc<Keyring>,
    /// When it was made.
    pub at: Timestamp,
}

impl Issued {
    /// How long the access token lives, in whole seconds, at least one.
    pub fn access_token_expires_in(&self) -> u64 {
        self.claims.exp.since(self.at).as_secs().max(1)
    }
}

/// Randomness for one set of tokens, drawn before the write is queued.
pub(super) struct Draw {
    salt: Salt,
    nonce: Nonce,
    jitter: u32,
}

impl Draw {
    pub(super) fn new(app: &App) -> Result<Self, Fault> {
        // In one draw: each is a call of the system.
        let bytes: [u8; 68] = random(&*app.entropy)?;
        let (mut salt, mut nonce, mut jitter) = ([0; 32], [0; 32], [0; 4]);
        salt.copy_from_slice(&bytes[..32]);
        nonce.copy_from_slice(&bytes[32..64]);
        jitter.copy_from_slice(&bytes[64..]);
        let (salt, nonce) = (Salt(salt), Nonce::from_bytes(nonce));
        Ok(Self { salt, nonce, jitter: u32::from_be_bytes(jitter) })
    }

    pub(super) const fn salt(&self) -> Salt {
        self.salt
    }

    /// The life of an access token, shortened by up to a tenth, so that clients that signed
    /// in together do not refresh together for ever.
    fn access_life(&self, ttl: Duration) -> Duration {
        let tenth = u64::try_from(ttl.as_millis() / 10).unwrap_or(u64::MAX);
        let random = u64::from(self.jitter);
        ttl.saturating_sub(Duration::from_millis(random % tenth.saturating_add(1)))
    }
}

/// What a sign-in needs besides the account: a session to store, and the secret that only its
/// first refresh token will hold.
pub(super) struct Opening {
    pub(super) new: NewSession,
    secret: Secret,
    remember: bool,
    keys: Arc<Keyring>,
    draw: Draw,
}

/// How old a session gets that the user does not want to be remembered by.
const UNREMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

impl Opening {
    pub(super) fn new(
        app: &App,
        client: Client,
        replaces: Option<SessionId>,
        remember: bool,
        now: Now,
    ) -> Result<Self, Fault> {
        let mut policy = app.policy;
        if !remember {
            policy.session_max_age = policy.session_max_age.min(UNREMEMBERED);
        }
        let draw = Draw::new(app)?;
        let secret = Secret::from_bytes(random(&*app.entropy)?);
        let keys = app.keys.current();
        let ratchet = keys.ratchets().active();
        let new = NewSession {
            id: SessionId::new(now.wall, &random(&*app.entropy)?),
            secret_hash: ratchet.lookup(&secret),
            salt: draw.salt(),
            key_id: ratchet.id,
            client,
            replaces,
            policy,
        };
        Ok(Self { new, secret, remember, keys, draw })
    }

    /// Has `start` store the session. When its key was revoked meanwhile, which a request that hashed
    /// a password may learn late, another time with the key that has come in its place.
    pub(super) async fn store<T, F>(
        &mut self,
        app: &App,
        start: impl Fn(NewSession) -> F + Send,
    ) -> Result<T, Fault>
    where
        F: Future<Output = Result<Result<T, RetiredKey>, Fault>> + Send,
    {
        if let Ok(done) = start(self.new.clone()).await? {
            return Ok(done);
        }
        self.keys = keys::instead_of(app, self.new.key_id).await?;
        let ratchet = self.keys.ratchets().active();
        self.new.secret_hash = ratchet.lookup(&self.secret);
        self.new.key_id = ratchet.id;
        let done = start(self.new.clone()).await?;
        done.map_err(|RetiredKey| Fault::unavailable("the key was revoked once more"))
    }

    /// Makes the tokens of the session, which was started.
    pub(super) fn mint(self, app: &App, started: Started, now: Now) -> Result<Issued, Fault> {
        let Started { session, user } = started;
        let Self { secret, remember, keys, draw, .. } = self;
        mint(app, keys, Rotated { session, user, secret }, remember, draw, now)
    }
}

/// Makes the tokens of the current generation of a session, with the keys that the request began with.
pub(super) fn mint(
    app: &App,
    keys: Arc<Keyring>,
    rotated: Rotated,
    remember: bool,
    draw: Draw,
    now: Now,
) -> Result<Issued, Fault> {
    let Rotated { session, user, secret } = rotated;
    let life = draw.access_life(app.config.access_token_ttl);
    let claims = AccessClaims {
        iss: app.issuer.clone(),
        aud: app.audience.clone(),
        sub: user.id,
        sid: session.id,
        generation: session.generation,
        identity: user.identity(),
        typ: AccessTokenType::Access,
        iat: now.wall,
        // Verifiers that count in whole seconds must not find it to begin in their future.
        nbf: now.wall.floor_to_second(),
        exp: now.wall.plus(life).min(session.expires_at),
    };
    let access_token = keys.active().sign(&claims)?;
    app.store.note_made(&claims, now);
    let refresh_claims = RefreshClaims {
        sub: user.id,
        sid: session.id,
        generation: session.generation,
        sec: secret,
        iat: now.wall,
        exp: session.expires_at,
        remember,
    };
    let refresh_token = refresh::seal(&refresh_claims, &keys, draw.nonce)?;
    Ok(Issued {
        session,
        user,
        claims: Arc::new(claims),
        access_token,
        refresh_token,
        remember,
        keys,
        at: now.wall,
    })
}
