//! A server on a temporary directory and a fake clock, and the clients that tell the stories.

mod answer;
mod browser;
mod call;
mod jar;
pub mod raw;
pub mod spec;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use doorward::app::App;
use doorward::clock::{Clock as _, FakeClock, SystemEntropy, random};
use doorward::crypto::keyring::{Keyring, Root};
use doorward::domain::account::{Email, User};
use doorward::domain::claims::Role;
use doorward::domain::id::UserId;
use doorward::domain::mail::{About, Mail};
use doorward::domain::password::Password;
use doorward::domain::time::{Now, Timestamp};
use doorward::flows::delivery::{Delivery, Progress};
use doorward::http::server;
use doorward::mail::{Letter, Mailer, Memory};
use doorward::store::{Hold, NewUser, Source, Store, UserChange, restore};
use doorward::{Config, Doorward};
use reqwest::Method;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use answer::Answer;
pub use browser::{Browser, Program, Tokens};
pub use call::Call;
pub use jar::{Cookie, Jar};

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(60 * 60);
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The documented defaults, said once more: a changed default must fail a test.
pub const ACCESS_TTL: Duration = Duration::from_secs(15 * 60);
pub const REFRESH_TTL: Duration = Duration::from_secs(30 * 24 * 60 * 60);
pub const SESSION_MAX_AGE: Duration = Duration::from_secs(180 * 24 * 60 * 60);
pub const GRACE: Duration = Duration::from_secs(10);
pub const LOST_RESPONSE_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

pub const PASSWORD: &str = "correct horse battery";

/// When the stories begin.
pub const BEGINNING: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// An id that nothing has.
pub const NOBODY: &str = "0190b8a0-0000-7000-8000-000000000000";

/// A server, and everything that a story may want to turn.
pub struct TestApp {
    pub clock: Arc<FakeClock>,
    /// Where mail goes.
    pub post_office: Memory,
    address: SocketAddr,
    config: Mutex<Config>,
    roots: Mutex<Vec<Root>>,
    running: Mutex<Option<Running>>,
    http: reqwest::Client,
    data: tempfile::TempDir,
}

struct Running {
    app: Arc<App>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl TestApp {
    /// With the documented defaults, but cheap hashing and no throttle.
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// The same with other settings.
    pub async fn with(configure: impl FnOnce(&mut Config)) -> Self {
        Self::furnished(|_| {}, BEGINNING, configure).await
    }

    /// The same at a time, in a directory where something is already.
    pub async fn furnished(
        furnish: impl FnOnce(&Path),
        at: Timestamp,
        configure: impl FnOnce(&mut Config),
    ) -> Self {
        let data = tempfile::tempdir().unwrap();
        furnish(data.path());
        let mut config = Config {
            data_dir: data.path().to_owned(),
            throttle: false,
            argon2_memory_kib: 8,
            argon2_iterations: 1,
            argon2_parallelism: 1,
            ..Config::default()
        };
        configure(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build();
        let app = Self {
            clock: Arc::new(FakeClock::at(at)),
            post_office: Memory::default(),
            address: listener.local_addr().unwrap(),
            config: Mutex::new(config),
            roots: Mutex::new(vec![Root::from_bytes([1; 32])]),
            running: Mutex::default(),
            http: http.unwrap(),
            data,
        };
        app.serve(listener);
        app
    }

    fn serve(&self, listener: TcpListener) {
        let config = self.config.lock().unwrap().clone();
        let store = Store::open(&self.path(), config.access_token_ttl, self.now()).unwrap();
        let roots = self.roots.lock().unwrap().clone();
        let (active, older) = roots.split_first().unwrap();
        let keys = Keyring::new(active, older).unwrap();
        let clock = Arc::clone(&self.clock) as _;
        let app = App::new(config, self.address, store, keys, clock, Arc::new(SystemEntropy));
        let mailer = Mailer::Memory(self.post_office.clone());
        let app = Arc::new(app.unwrap().with_mailer(mailer));
        let routes = Doorward::from_app(Arc::clone(&app)).routes();
        let (stop, stopped) = watch::channel(false);
        let serving = tokio::spawn(server::serve(listener, Arc::new(routes), stopped));
        *self.running.lock().unwrap() = Some(Running { app, stop, serving });
    }

    /// Stops and starts on the same files and the same address.
    pub async fn restart(&self) {
        self.reconfigure(|_| {}).await;
    }

    /// Restarts with other settings.
    pub async fn reconfigure(&self, change: impl FnOnce(&mut Config)) {
        self.stop().await;
        change(&mut self.config.lock().unwrap());
        self.clock.restart();
        self.serve(TcpListener::bind(self.address).await.unwrap());
    }

    async fn stop(&self) {
        let Running { app, stop, serving } = self.running.lock().unwrap().take().unwrap();
        stop.send(true).unwrap();
        serving.await.unwrap();
        Doorward::from_app(app).close().await;
    }

    /// Puts back what a copy of the database is, by a clock that shows `at`, and starts again.
    pub async fn restore(&self, copy: &Path, at: Timestamp) {
        self.stop().await;
        let hold = Hold::take(self.data.path()).unwrap();
        let source = Source { file: copy, is_sealed: false, may_replace_aside: false };
        let at = Now { wall: at, ..self.now() };
        restore(&hold, &self.path(), source, at, &mut |_| {}).unwrap();
        drop(hold);
        self.clock.restart();
        self.serve(TcpListener::bind(self.address).await.unwrap());
    }

    /// Restarts with a new key that makes tokens; the older ones still verify.
    pub async fn rotate_keys(&self) {
        let fresh = {
            let mut roots = self.roots.lock().unwrap();
            let byte = u8::try_from(roots.len() + 1).unwrap();
            roots.insert(0, Root::from_bytes([byte; 32]));
            byte
        };
        assert!(fresh > 1);
        self.restart().await;
    }

    /// The application behind the sockets.
    pub fn app(&self) -> Arc<App> {
        Arc::clone(&self.running.lock().unwrap().as_ref().unwrap().app)
    }

    pub fn now(&self) -> Now {
        self.clock.now()
    }

    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL that requests go to, whatever `public_url` says.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What goes in front of the names of the cookies.
    pub fn prefix(&self) -> &'static str {
        let config = self.config.lock().unwrap();
        match (&config.public_url, &config.cookie_domain) {
            (Some(url), None) if url.is_https() => "__Host-",
            (Some(url), Some(_)) if url.is_https() => "__Secure-",
            _ => "",
        }
    }

    fn path(&self) -> PathBuf {
        self.data.path().join("doorward.db")
    }

    /// The database, past the store.
    #[expect(clippy::disallowed_methods, reason = "looks at the file from outside")]
    pub fn sql(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path()).unwrap()
    }

    /// How often something was recorded.
    pub fn audited(&self, event: &str) -> i64 {
        let count = "SELECT count(*) FROM audit WHERE event = ?1";
        self.sql().query_row(count, [event], |row| row.get(0)).unwrap()
    }

    /// The account with this address.
    pub async fn user(&self, email: &str) -> User {
        let email = Email::parse(email).unwrap();
        let account = self.app().store.find_account_by_email(email).await.unwrap();
        account.unwrap().user
    }

    /// What an operator does from the shell: another process on the same file, which the server
    /// follows.
    pub async fn operator(&self, email: &str, change: UserChange) {
        let store = Store::open(&self.path(), ACCESS_TTL, self.now()).unwrap();
        let id = self.user(email).await.id;
        store.change_user(id, change, self.now()).await.unwrap();
        store.close();
        self.app().store.follow(self.now()).await.unwrap();
    }

    /// Writes a mail that announces nothing. If there is a link in it, it is good for a year.
    pub async fn post_mail(&self, to: &str, about: About) {
        if let Some(link) = about.link() {
            let until = self.now().wall.plus(365 * DAY).as_millis();
            let token = "INSERT OR REPLACE INTO one_time_tokens (id, purpose, email, expires_at)
                VALUES (?1, 'of a test', ?2, ?3)";
            self.sql().execute(token, rusqlite::params![link.0, to, until]).unwrap();
        }
        let mail = Mail { to: Email::parse(to).unwrap(), about };
        self.app().store.post_mail(mail, self.now()).await.unwrap();
    }

    /// Does what the background job does, until nothing is due any more, and gives the letters that
    /// were delivered since the last time, the oldest first.
    pub async fn mail(&self) -> Vec<Letter> {
        let app = self.app();
        let mut delivery = Delivery::default();
        for _ in 0..100 {
            if delivery.next(&app).await.unwrap() != Progress::Next {
                return self.post_office.take();
            }
        }
        panic!("there is no end to it");
    }

    /// A request of no client in particular.
    pub fn call(&self, method: &str, path: &str) -> Call<'_> {
        Call::new(self, Method::from_bytes(method.as_bytes()).unwrap(), path)
    }

    pub fn get(&self, path: &str) -> Call<'_> {
        self.call("GET", path)
    }

    pub fn post(&self, path: &str) -> Call<'_> {
        self.call("POST", path)
    }

    /// A browser with an empty jar.
    pub fn browser(&self) -> Browser<'_> {
        Browser::new(self, Jar::default())
    }

    /// A browser that holds these cookies.
    pub fn browser_with(&self, jar: &Jar) -> Browser<'_> {
        Browser::new(self, jar.clone())
    }

    /// A browser that is signed in, on a new account if need be.
    pub async fn signed_in(&self, email: &str) -> Browser<'_> {
        let browser = self.browser();
        self.account(email).await;
        browser.login(email).await.ok();
        browser
    }

    /// A client without a cookie jar that is signed in, on a new account if need be.
    pub async fn program(&self, email: &str) -> Program<'_> {
        self.account(email).await;
        let signed_in = self
            .post("/api/auth/login")
            .json(json!({"email": email, "password": PASSWORD, "delivery": "body"}));
        Program::new(self, Tokens::of(&signed_in.await.ok()))
    }

    /// Makes sure that there is an account, without signing in on it.
    pub async fn account(&self, email: &str) {
        let app = self.app();
        let password = Password::present(PASSWORD).unwrap();
        let new = NewUser {
            id: UserId::new(self.now().wall, &random(&SystemEntropy).unwrap()),
            email: Email::parse(email).unwrap(),
            password_hash: app.hasher.hash(password, [7; 16]).await.unwrap(),
            role: Role::User,
            is_verified: false,
        };
        app.store.create_user(new, self.now()).await.unwrap();
    }

    /// Registers with an empty jar.
    pub fn register(&self, email: &str, password: &str) -> Call<'_> {
        self.post("/api/auth/register").json(json!({"email": email, "password": password}))
    }

    /// Signs in with an empty jar.
    pub fn login(&self, email: &str, password: &str) -> Call<'_> {
        self.post("/api/auth/login").json(json!({"email": email, "password": password}))
    }

    /// Trades a refresh token in the body.
    pub fn refresh(&self, tokens: &Tokens) -> Call<'_> {
        self.refresh_with(&tokens.refresh)
    }

    /// Trades whatever it is.
    pub fn refresh_with(&self, token: &str) -> Call<'_> {
        self.post("/api/auth/refresh").json(json!({ "refreshToken": token }))
    }

    /// Asks who a bearer is.
    pub fn me(&self, access_token: &str) -> Call<'_> {
        self.get("/api/auth/me").bearer(access_token)
    }
}
