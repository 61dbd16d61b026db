//! All keys are rotated under ten thousand sessions, a thousand of them inside a grace: nobody is
//! signed out, and nobody is accused.

#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use doorward::Config;
use doorward::app::App;
use doorward::clock::{Clock as _, FakeClock, SystemEntropy, random};
use doorward::crypto::key_files;
use doorward::crypto::keyring::Root;
use doorward::domain::account::Email;
use doorward::domain::claims::Role;
use doorward::domain::id::UserId;
use doorward::domain::password::Password;
use doorward::domain::session::Client;
use doorward::domain::time::Timestamp;
use doorward::flows::authenticate::{Credentials, authenticate};
use doorward::flows::keys;
use doorward::flows::login::{Visitor, login};
use doorward::flows::mint::Issued;
use doorward::flows::refresh::refresh;
use doorward::store::{Event, EventFilter, NewUser, Store};
use futures_util::future::join_all;

const USERS: usize = 1000;
const DEVICES: usize = 10;
/// How many sessions are inside a grace when the keys rotate.
const RACING: usize = 1000;
const GRACE: Duration = Duration::from_secs(10);
const PASSWORD: &str = "correct horse battery";

/// How many requests are under way at once.
const CROWD: usize = 250;

struct Site {
    app: Arc<App>,
    clock: Arc<FakeClock>,
    _data: tempfile::TempDir,
}

impl Site {
    fn open() -> Self {
        let data = tempfile::tempdir().unwrap();
        let clock = Arc::new(FakeClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let config = Config {
            data_dir: data.path().to_owned(),
            throttle: false,
            argon2_memory_kib: 8,
            argon2_iterations: 1,
            argon2_parallelism: 1,
            ..Config::default()
        };
        let now = clock.now();
        let store = Store::open(&config.database(), config.access_token_ttl, now).unwrap();
        let first = Root::from_bytes([1; 32]);
        let keyring = key_files::load_dir(&config.keys_dir(), true, &first, now.wall).unwrap();
        let bound = SocketAddr::from(([127, 0, 0, 1], 8080));
        let entropy = Arc::new(SystemEntropy);
        let app = App::new(config, bound, store, keyring, Arc::clone(&clock) as _, entropy);
        Self { app: Arc::new(app.unwrap()), clock, _data: data }
    }

    /// Does `each` for all `items`, a crowd at a time, and keeps the order.
    async fn all<I: Clone + Send + 'static, T: Send + 'static, F>(
        &self,
        items: &[I],
        each: impl Fn(Arc<App>, I) -> F,
    ) -> Vec<T>
    where
        F: Future<Output = T> + Send + 'static,
    {
        let mut done = Vec::with_capacity(items.len());
        for crowd in items.chunks(CROWD) {
            let tasks =
                crowd.iter().map(|item| tokio::spawn(each(Arc::clone(&self.app), item.clone())));
            done.extend(join_all(tasks).await.into_iter().map(Result::unwrap));
        }
        done
    }

    /// Every user on every device.
    async fn sign_everybody_in(&self) -> Vec<Device> {
        let password = Password::present(PASSWORD).unwrap();
        let hash = self.app.hasher.hash(password, [7; 16]).await.unwrap();
        let emails: Vec<_> = (0..USERS).map(|user| format!("user{user}@example.com")).collect();
        self.all(&emails, move |app, email| {
            let new = NewUser {
                id: UserId::new(app.clock.now().wall, &random(&*app.entropy).unwrap()),
                email: Email::parse(&email).unwrap(),
                password_hash: hash.clone(),
                role: Role::User,
                is_verified: true,
            };
            async move { app.store.create_user(new, app.clock.now()).await.unwrap().unwrap() }
        })
        .await;
        let devices: Vec<_> = std::iter::repeat_n(emails, DEVICES).flatten().collect();
        let issued = self.all(&devices, async |app, email: String| {
            let visitor = Visitor {
                address: None,
                client: Client::default(),
                replaces: None,
                remember: true,
            };
            let password = Password::present(PASSWORD).unwrap();
            login(&app, Email::parse(&email).unwrap(), password, visitor).await.unwrap()
        });
        issued.await.iter().map(Device::of).collect()
    }

    /// Everybody refreshes; nobody is refused.
    async fn refresh(&self, devices: &[Device]) -> Vec<Device> {
        let refreshed = self.all(devices, async |app, device: Device| {
            let issued = refresh(&app, &device.refresh, Client::default()).await;
            issued.map(|issued| Device::of(&issued)).map_err(|refusal| format!("{refusal:?}"))
        });
        refreshed.await.into_iter().map(Result::unwrap).collect()
    }

    /// Everybody's access token passes the guard.
    async fn visit(&self, devices: &[Device]) {
        let admitted = self.all(devices, async |app, device: Device| {
            let credentials =
                Credentials { bearer: Some(&device.access), ..Credentials::default() };
            authenticate(&app, &credentials, true, Client::default).await.is_ok()
        });
        assert!(admitted.await.into_iter().all(|is_admitted| is_admitted));
    }

    /// A new key, which the server sees.
    async fn rotate(&self, byte: u8) {
        let (dir, now) = (self.app.config.keys_dir(), self.clock.now());
        key_files::add(&dir, &Root::from_bytes([byte; 32]), now.wall).unwrap();
        keys::follow(&self.app).await.unwrap();
        assert_eq!(self.app.keys.current().ids().len(), usize::from(byte));
    }

    async fn recorded(&self, event: Event) -> usize {
        let filter = EventFilter { user: None, event: Some(event) };
        self.app.store.list_events(filter, None, 100).await.unwrap().items.len()
    }
}

/// What a device holds.
#[derive(Clone)]
struct Device {
    access: String,
    refresh: String,
}

impl Device {
    fn of(issued: &Issued) -> Self {
        Self { access: issued.access_token.clone(), refresh: issued.refresh_token.clone() }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_keys_are_rotated_and_nobody_is_signed_out() {
    let site = Site::open();
    keys::follow(&site.app).await.unwrap();
    let parents = site.sign_everybody_in().await;
    let (racing, calm) = parents.split_at(RACING);
    // Half of those in a grace have their answer and have used it; half have lost it.
    let newest = site.refresh(racing).await;
    site.visit(&newest[..RACING / 2]).await;

    site.rotate(2).await;
    site.visit(&parents).await;
    site.clock.advance(GRACE / 2);
    let tabs = site.refresh(racing).await;
    site.visit(&tabs).await;
    let mut devices = site.refresh(&newest[..RACING / 2]).await;
    devices.extend(site.refresh(&tabs[RACING / 2..]).await);

    // The others come while yet another key does.
    let (refreshed, ()) = tokio::join!(site.refresh(calm), site.rotate(3));
    devices.extend(refreshed);
    assert_eq!(devices.len(), USERS * DEVICES);
    site.clock.advance(2 * GRACE);
    site.visit(&devices).await;
    let devices = site.refresh(&devices).await;
    site.visit(&devices).await;

    let live = site.app.store.list_sessions(None, site.clock.now()).await.unwrap();
    assert_eq!(live.len(), USERS * DEVICES, "sign-outs");
    let newest = site.app.keys.current().active().ratchet.id;
    assert!(live.iter().all(|session| session.key_id == newest));
    for event in [Event::RefreshTokenReused, Event::RefreshTokenForeign, Event::SignedOut] {
        assert_eq!(site.recorded(event).await, 0, "{event:?}");
    }
    assert_eq!(site.recorded(Event::KeyRotated).await, 1 + 1);
}
