//! A store on a temporary file, a clock that stands still, and randomness that repeats.

#![allow(dead_code, reason = "each test uses its part")]
#![expect(clippy::unwrap_used, unreachable_pub, reason = "tests may panic, and are no library")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use doorward::clock::{Clock as _, FakeClock};
use doorward::crypto::keyring::{Keyring, Root};
use doorward::domain::account::{Email, User};
use doorward::domain::claims::{AccessClaims, AccessTokenType, Role};
use doorward::domain::id::{Generation, SessionId, UserId};
use doorward::domain::secret::{Salt, Secret};
use doorward::domain::session::{Client, Presented, ReusePolicy, Session, SessionPolicy};
use doorward::domain::time::{Now, Timestamp};
use doorward::store::{NewSession, NewUser, Refused, Rotated, Rotation, Store};
use rusqlite::Connection;

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long an access token lives.
pub const ACCESS_TTL: Duration = Duration::from_secs(900);

/// What stands for the hash of a password, where none is checked.
pub const PASSWORD_HASH: &str = "$argon2id$unused";

pub const POLICY: SessionPolicy = SessionPolicy {
    refresh_token_ttl: Duration::from_secs(30 * 24 * 3600),
    session_max_age: Duration::from_secs(180 * 24 * 3600),
    max_sessions_per_user: 50,
    refresh_grace: Duration::from_secs(10),
    lost_response_window: Duration::from_secs(24 * 3600),
    reuse_policy: ReusePolicy::User,
};

/// The start of time.
pub const fn beginning() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

/// A key for tests.
pub fn root(byte: u8) -> Root {
    Root::from_bytes([byte; 32])
}

/// Bytes that never come twice.
pub fn unique() -> [u8; 32] {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    *blake3::hash(&DRAWN.fetch_add(1, Ordering::Relaxed).to_be_bytes()).as_bytes()
}

/// An id's worth of them.
pub fn unique_id() -> [u8; 10] {
    unique().first_chunk().copied().unwrap()
}

/// A session as its holder knows it.
#[derive(Clone)]
pub struct Held {
    pub session: Session,
    pub user: User,
    pub secret: Secret,
}

impl Held {
    /// The refresh token.
    pub fn token(&self) -> Presented {
        Presented {
            user: self.user.id,
            session: self.session.id,
            generation: self.session.generation,
            secret: self.secret.clone(),
        }
    }

    /// The access token, with the user's claims as they were.
    pub fn claims(&self, now: Now) -> AccessClaims {
        claims(&self.user, self.session.id, self.session.generation, now)
    }
}

impl From<Rotated> for Held {
    fn from(Rotated { session, user, secret }: Rotated) -> Self {
        Self { session, user, secret }
    }
}

/// An access token.
pub fn claims(user: &User, sid: SessionId, generation: Generation, now: Now) -> AccessClaims {
    AccessClaims {
        iss: String::new(),
        aud: String::new(),
        sub: user.id,
        sid,
        generation,
        identity: user.identity(),
        typ: AccessTokenType::Access,
        iat: now.wall,
        nbf: now.wall,
        exp: now.wall.plus(ACCESS_TTL),
    }
}

/// A store with what surrounds it.
pub struct World {
    data: tempfile::TempDir,
    pub clock: Arc<FakeClock>,
    pub keys: Keyring,
    pub policy: SessionPolicy,
    pub store: Store,
}

impl World {
    pub fn new(policy: SessionPolicy) -> Self {
        let data = tempfile::tempdir().unwrap();
        let clock = Arc::new(FakeClock::at(beginning()));
        let store = Store::open(&data.path().join("doorward.db"), ACCESS_TTL, clock.now()).unwrap();
        let keys = Keyring::new(&root(1), &[]).unwrap();
        Self { data, clock, keys, policy, store }
    }

    pub fn path(&self) -> PathBuf {
        self.data.path().join("doorward.db")
    }

    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// The store once more, as another process opens it.
    pub fn second_store(&self) -> Store {
        Store::open(&self.path(), ACCESS_TTL, self.now()).unwrap()
    }

    /// What a restart does, whatever the wall clock shows after it.
    pub fn restart(&mut self) {
        self.store.close();
        self.clock.restart();
        self.store = self.second_store();
    }

    /// The database, past the store.
    #[expect(clippy::disallowed_methods, reason = "looks at the file from outside")]
    pub fn sql(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    /// A number that the database answers `query` with.
    pub fn count(&self, query: &str) -> i64 {
        self.sql().query_row(query, [], |row| row.get(0)).unwrap()
    }

    pub async fn user(&self, email: &str) -> User {
        let new = NewUser {
            id: UserId::new(self.now().wall, &unique_id()),
            email: Email::parse(email).unwrap(),
            password_hash: PASSWORD_HASH.to_owned(),
            role: Role::User,
            is_verified: false,
        };
        self.store.create_user(new, self.now()).await.unwrap().unwrap()
    }

    /// A session to be started, and its secret.
    pub fn new_session(&self) -> (NewSession, Secret) {
        let ratchet = self.keys.ratchets().active();
        let secret = Secret::from_bytes(unique());
        let new = NewSession {
            id: SessionId::new(self.now().wall, &unique_id()),
            secret_hash: ratchet.lookup(&secret),
            salt: Salt(unique()),
            key_id: ratchet.id,
            client: Client::default(),
            replaces: None,
            policy: self.policy,
        };
        (new, secret)
    }

    /// Signs in; `None` for a disabled account.
    pub async fn try_sign_in(&self, user: UserId) -> Option<Held> {
        let (new, secret) = self.new_session();
        let started =
            self.store.start_session(user, PASSWORD_HASH.to_owned(), None, &new, self.now()).await;
        started.unwrap().unwrap().map(|started| Held {
            session: started.session,
            user: started.user,
            secret,
        })
    }

    pub async fn sign_in(&self, user: &User) -> Held {
        self.try_sign_in(user.id).await.unwrap()
    }

    pub fn rotation(&self, presented: Presented) -> Rotation {
        Rotation {
            presented,
            ratchets: self.keys.ratchets().clone(),
            salt: Salt(unique()),
            client: Client::default(),
            policy: self.policy,
            now: self.now(),
        }
    }

    pub async fn rotate(&self, presented: Presented) -> Result<Held, Refused> {
        self.store.rotate(self.rotation(presented)).await.unwrap().map(Held::from)
    }

    /// The ids of the live sessions of a user, the most recently used first.
    pub async fn live(&self, user: UserId) -> Vec<SessionId> {
        let sessions = self.store.list_sessions(Some(user), self.now()).await.unwrap();
        sessions.iter().map(|session| session.id).collect()
    }
}
