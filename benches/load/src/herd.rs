//! A database full of sessions, made through Doorward's own store and keys, and the cookies of
//! some of them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use doorward::clock::{Clock as _, SystemClock, SystemEntropy, random};
use doorward::crypto::key_files;
use doorward::crypto::keyring::{Keyring, Root};
use doorward::crypto::refresh::{self, Nonce};
use doorward::domain::account::{Email, User};
use doorward::domain::claims::{AccessClaims, AccessTokenType, RefreshClaims, Role};
use doorward::domain::id::{SessionId, UserId};
use doorward::domain::secret::{Salt, Secret};
use doorward::domain::session::{Client, ReusePolicy, Session, SessionPolicy};
use doorward::domain::time::{Now, Timestamp};
use doorward::store::{NewSession, NewUser, Store};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::Failure;
use crate::traffic::Jar;

/// What the servers are told to be, so that tokens can be made before a port is bound.
pub const PUBLIC_URL: &str = "http://127.0.0.1:1";

const ACCESS_TTL: Duration = Duration::from_secs(900);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// How many sessions a user has.
const PER_USER: usize = 20;

/// How many writes are queued at a time.
const AT_ONCE: usize = 2048;

const POLICY: SessionPolicy = SessionPolicy {
    refresh_token_ttl: Duration::from_secs(30 * 24 * 3600),
    session_max_age: Duration::from_secs(180 * 24 * 3600),
    max_sessions_per_user: 50,
    refresh_grace: Duration::from_secs(10),
    lost_response_window: DAY,
    reuse_policy: ReusePolicy::User,
};

/// A session as its holder knows it.
struct Held {
    session: Session,
    user: User,
    secret: Secret,
}

/// The sessions of a data directory that will be used.
pub struct Herd {
    keys: Keyring,
    held: Vec<Held>,
}

impl Herd {
    /// Makes `total` sessions in a new directory `data`, started over the last 20 days; `hot` of
    /// them, evenly spread, are kept to be used.
    pub fn raise(data: &Path, total: usize, hot: usize) -> Result<Self, Failure> {
        let _ = fs::remove_dir_all(data);
        fs::create_dir_all(data)?;
        let clock = SystemClock::start();
        let root = Root::from_bytes(random(&SystemEntropy)?);
        let keys = key_files::load_dir(&data.join("keys"), true, &root, clock.now().wall)?;
        let store = Store::open(&data.join("doorward.db"), ACCESS_TTL, clock.now())?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let held = runtime.block_on(fill(&store, &keys, clock.now(), total, hot))?;
        store.close_for_good();
        Ok(Self { keys, held })
    }

    /// The cookies of the sessions that are used.
    pub fn jars(&self) -> Result<Vec<Jar>, Failure> {
        let now = SystemClock::start().now().wall;
        self.held
            .iter()
            .map(|held| {
                let claims = RefreshClaims {
                    sub: held.user.id,
                    sid: held.session.id,
                    generation: held.session.generation,
                    sec: held.secret.clone(),
                    iat: now,
                    exp: held.session.expires_at,
                    remember: true,
                };
                Ok(Jar {
                    access: self.access(held, now)?,
                    refresh: refresh::seal(
                        &claims,
                        &self.keys,
                        Nonce::from_bytes(random(&SystemEntropy)?),
                    )?,
                    csrf: self.keys.active().csrf_token(held.session.id),
                })
            })
            .collect()
    }

    /// `count` access tokens, all different also from those made a second before, each with the
    /// index of its session.
    pub fn tokens(&self, count: usize) -> Result<Vec<(usize, String)>, Failure> {
        let now = SystemClock::start().now().wall;
        let sessions = self.held.len();
        (0..count)
            .map(|index| {
                let at = index % sessions;
                let life = ACCESS_TTL
                    .saturating_sub(Duration::from_millis(u64::try_from(index / sessions)?));
                Ok((at, self.access_for(&self.held[at], now, life)?))
            })
            .collect()
    }

    fn access(&self, held: &Held, iat: Timestamp) -> Result<String, Failure> {
        self.access_for(held, iat, ACCESS_TTL)
    }

    fn access_for(&self, held: &Held, iat: Timestamp, life: Duration) -> Result<String, Failure> {
        Ok(self.keys.active().sign(&AccessClaims {
            iss: PUBLIC_URL.to_owned(),
            aud: PUBLIC_URL.to_owned(),
            sub: held.user.id,
            sid: held.session.id,
            generation: held.session.generation,
            identity: held.user.identity(),
            typ: AccessTokenType::Access,
            iat,
            nbf: iat.floor_to_second(),
            exp: iat.plus(life),
        })?)
    }
}

async fn fill(
    store: &Store,
    keys: &Keyring,
    now: Now,
    total: usize,
    hot: usize,
) -> Result<Vec<Held>, Failure> {
    let users = make_users(store, total.div_ceil(PER_USER), now).await?;
    let ratchet = keys.ratchets().active();
    let users = &users;
    let starts = (0..total).map(|index| async move {
        let age = (20 * DAY).mul_f64(1.0 - ratio(index, total));
        let now = Now { wall: now.wall.minus(age), steady: now.steady.minus(age) };
        let secret = Secret::from_bytes(random(&SystemEntropy)?);
        let new = NewSession {
            id: SessionId::new(now.wall, &random(&SystemEntropy)?),
            secret_hash: ratchet.lookup(&secret),
            salt: Salt(random(&SystemEntropy)?),
            key_id: ratchet.id,
            client: Client {
                ip: "198.51.100.7".to_owned(),
                user_agent:
                    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
                        .to_owned(),
            },
            replaces: None,
            policy: POLICY,
        };
        let user = users[index % users.len()];
        let started = store.start_session(user, HASH.to_owned(), None, &new, now).await?;
        let started = started.ok().flatten().ok_or("a session was not started")?;
        let is_hot = index * hot / total != (index + 1) * hot / total;
        let held = Held { session: started.session, user: started.user, secret };
        Ok::<_, Failure>(is_hot.then_some(held))
    });
    let held = stream::iter(starts).buffered(AT_ONCE);
    held.try_filter_map(|held| async { Ok(held) }).try_collect().await
}

/// Stands for the hash of a password that nobody uses.
const HASH: &str = "$argon2id$unused";

async fn make_users(store: &Store, count: usize, now: Now) -> Result<Vec<UserId>, Failure> {
    let users = (0..count).map(|index| async move {
        let new = NewUser {
            id: UserId::new(now.wall, &random(&SystemEntropy)?),
            email: Email::parse(&format!("user{index}@bench.example"))?,
            password_hash: HASH.to_owned(),
            role: Role::User,
            is_verified: true,
        };
        let user = store.create_user(new, now).await?.ok_or("an address is taken")?;
        Ok::<_, Failure>(user.id)
    });
    stream::iter(users).buffered(AT_ONCE).try_collect().await
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn ratio(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}
