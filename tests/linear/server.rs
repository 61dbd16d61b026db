//! A real server on a loopback socket and a file, and what a client sees of it.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward::app::App;
use doorward::clock::{Clock as _, FakeClock, SystemEntropy};
use doorward::crypto::keyring::{Keyring, Root};
use doorward::crypto::refresh;
use doorward::domain::session::ReusePolicy;
use doorward::domain::time::Timestamp;
use doorward::http::server;
use doorward::jobs::Jobs;
use doorward::store::Store;
use doorward::{Config, Doorward};
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::model::{Blast, Rules, Seconds, Token};

/// A server whose clock stands still unless it is told to wait.
pub struct Server {
    app: Arc<App>,
    clock: Arc<FakeClock>,
    url: String,
    http: reqwest::Client,
    jobs: Jobs,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    _data: tempfile::TempDir,
}

impl Server {
    pub async fn start(rules: &Rules) -> Self {
        let data = tempfile::tempdir().unwrap();
        let config = Config {
            data_dir: data.path().to_owned(),
            throttle: false,
            argon2_memory_kib: 8,
            argon2_iterations: 1,
            argon2_parallelism: 1,
            refresh_grace: Duration::from_secs(rules.grace),
            lost_response_window: Duration::from_secs(rules.lost_response_window),
            reuse_policy: match rules.reuse {
                Blast::User => ReusePolicy::User,
                Blast::Session => ReusePolicy::Session,
            },
            ..Config::default()
        };
        let clock = Arc::new(FakeClock::at(Timestamp::from_millis(1_800_000_000_000)));
        let store = Store::open(&config.database(), config.access_token_ttl, clock.now()).unwrap();
        let keys = Keyring::new(&Root::from_bytes([1; 32]), &[]).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::clone(&clock) as _;
        let app = App::new(config, address, store, keys, shared, Arc::new(SystemEntropy)).unwrap();
        let app = Arc::new(app);
        let routes = Doorward::from_app(Arc::clone(&app)).routes();
        let (stop, stopped) = watch::channel(false);
        Self {
            clock,
            url: format!("http://{address}"),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            jobs: Jobs::start(&app),
            serving: tokio::spawn(server::serve(listener, Arc::new(routes), stopped)),
            stop,
            app,
            _data: data,
        }
    }

    pub async fn stop(self) {
        drop(self.jobs);
        self.stop.send(true).unwrap();
        self.serving.await.unwrap();
        Doorward::from_app(self.app).close().await;
    }

    pub fn wait(&self, seconds: Seconds) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// A request to the API.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}/api/auth/{path}", self.url))
    }

    /// Sends it, and waits until all of the answer is there.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = response.bytes().await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let access = text("accessToken").or_else(|| cookie(&headers, "token"));
        let refresh = text("refreshToken").or_else(|| cookie(&headers, "refreshToken"));
        let pair = access.zip(refresh).map(|(access, refresh)| self.pair(access, refresh));
        Answer { status, code: text("code").unwrap_or_default(), pair }
    }

    fn pair(&self, access: String, refresh: String) -> Pair {
        let claims = AccessClaims::read(&access);
        let opened = refresh::open(&refresh, &self.app.keys.current()).unwrap();
        assert_eq!(
            (claims.sid, claims.generation),
            (opened.sid.0, opened.generation.0),
            "the tokens of a pair are of one generation"
        );
        let secret = self.app.keys.current().ratchets().active().lookup(&opened.sec).0;
        let secret = u64::from_le_bytes(*secret.first_chunk().unwrap());
        Pair {
            token: Token { session: claims.sid, generation: claims.generation, secret },
            access,
            refresh,
        }
    }
}

/// What came back.
pub struct Answer {
    pub status: u16,
    /// That of the problem, or empty.
    pub code: String,
    /// The tokens, if it brought some.
    pub pair: Option<Pair>,
}

/// Tokens that were issued together.
#[derive(Clone, Debug)]
pub struct Pair {
    pub token: Token,
    pub access: String,
    pub refresh: String,
}

/// The cookie of this name, if it is set and not cleared.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get_all("set-cookie").iter().find_map(|line| {
        let value = line.to_str().unwrap().strip_prefix(name)?.strip_prefix('=')?;
        value.split(';').next().filter(|value| !value.is_empty()).map(str::to_owned)
    })
}

/// The payload of a `v4.public` token: base64 of JSON and a signature of 64 bytes.
#[derive(Deserialize)]
struct AccessClaims {
    sid: Uuid,
    #[serde(rename = "gen")]
    generation: u32,
}

impl AccessClaims {
    fn read(token: &str) -> Self {
        let payload = token.strip_prefix("v4.public.").unwrap().split('.').next().unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(payload).unwrap();
        serde_json::from_slice(&bytes[..bytes.len() - 64]).unwrap()
    }
}
