//! `doorward serve`.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;

use poem::{EndpointExt as _, Route, get};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use super::Failure;
use crate::app::App;
use crate::config::{Config, Loaded, LogFormat};
use crate::doorward::{Doorward, StartError};
use crate::flows::keys;
use crate::http::pages::metrics;
use crate::http::server;
use crate::store::Hold;

/// Runs the server until it is told to stop, then drains it.
pub(super) async fn serve(loaded: Loaded) -> Result<(), Failure> {
    let Loaded { config, warnings, .. } = loaded;
    log_to_stderr(&config);
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    metrics::install();
    let most = connections();

    let mut signals = Signals::listen()?;
    let hangup = signal(SignalKind::hangup()).map_err(no_signals)?;
    let hold = Hold::take(&config.data_dir)?;
    // Bound first, for the port of the public URL; listening only when all else is open.
    let (socket, bound) = LISTEN.bind(config.listen)?;
    let metrics_listen = config.metrics_listen;
    let doorward = Doorward::open_held(hold, config, bound).await.map_err(start_failure)?;
    let mut listeners = vec![(most, LISTEN.listen(socket, bound)?, Arc::new(doorward.routes()))];
    if let Some(address) = metrics_listen {
        let (socket, bound) = METRICS.bind(address)?;
        let routes =
            Route::new().at("/metrics", get(metrics::open_metrics)).map_to_response().boxed();
        listeners.push((SCRAPERS, METRICS.listen(socket, bound)?, Arc::new(routes)));
    }

    tokio::spawn(metrics::keep_up());
    tokio::spawn(read_keys_again(Arc::clone(doorward.app()), hangup));
    let (stop, stopped) = watch::channel(false);
    let servers: Vec<_> = listeners
        .into_iter()
        .map(|(most, listener, endpoint)| {
            tokio::spawn(server::serve_at_most(most, listener, endpoint, stopped.clone()))
        })
        .collect();
    let url = &doorward.app().public_url;
    let _ = writeln!(
        std::io::stdout(),
        "Doorward is ready on {url} (listening on {bound}, Swagger UI at {url}/docs)"
    );

    signals.next().await;
    tracing::info!("stopping: finishing the requests under way; a second signal ends them");
    let _ = stop.send(true);
    tokio::select! {
        () = signals.next() => tracing::warn!("stopping at once"),
        () = async { for server in servers { let _ = server.await; } } => {}
    }
    doorward.close().await;
    tracing::info!("stopped");
    Ok(())
}

fn start_failure(error: StartError) -> Failure {
    match error {
        StartError::Config(_) | StartError::Keys(_) | StartError::Mail(_) => Failure::usage(error),
        StartError::Held(_)
        | StartError::Database(_)
        | StartError::Fault(_)
        | StartError::Entropy(_)
        | StartError::Hashing(_) => Failure::failed(error),
    }
}

/// A setting that names an address, and how to name another.
struct Port {
    setting: &'static str,
    choice: &'static str,
}

const LISTEN: Port = Port { setting: "listen", choice: "--listen" };
const METRICS: Port = Port { setting: "metrics_listen", choice: "DOORWARD_METRICS_LISTEN" };

impl Port {
    fn bind(&self, address: SocketAddr) -> Result<(TcpSocket, SocketAddr), Failure> {
        let bind = || {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            let bound = socket.local_addr()?;
            Ok((socket, bound))
        };
        bind().map_err(|error| self.refused(address, &error))
    }

    fn listen(&self, socket: TcpSocket, bound: SocketAddr) -> Result<TcpListener, Failure> {
        socket.listen(1024).map_err(|error| self.refused(bound, &error))
    }

    fn refused(&self, address: SocketAddr, error: &io::Error) -> Failure {
        let Self { setting, choice } = self;
        let reason = match error.kind() {
            io::ErrorKind::AddrInUse => {
                format!("another program uses it. Stop that, or choose another with {choice}")
            }
            _ => error.to_string(),
        };
        Failure::failed(format!("cannot listen on {address} ({setting}): {reason}"))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn no_signals(error: io::Error) -> Failure {
    Failure::failed(format!("cannot wait for signals: {error}"))
}

/// Reads the keys with every SIGHUP.
async fn read_keys_again(app: Arc<App>, mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        match keys::reload(&app).await {
            Ok(()) => tracing::info!("the keys were read again"),
            Err(refusal) => tracing::error!(%refusal, "the keys stay as they are"),
        }
    }
}

/// SIGTERM and SIGINT, from before the server says that it is ready.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let terminate = signal(SignalKind::terminate()).map_err(no_signals)?;
        let interrupt = signal(SignalKind::interrupt()).map_err(no_signals)?;
        Ok(Self { terminate, interrupt })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn log_to_stderr(config: &Config) {
    // What the libraries below say at finer levels is theirs to know.
    let filter = format!("warn,doorward={}", config.log_level);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    let _ = match config.log_format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}

/// Open files that are not clients' connections: the database's, those to mail servers, the
/// scrapers'.
const OTHER_FILES: usize = 128;

/// How many connections there are at a time for `metrics_listen`.
const SCRAPERS: usize = 32;

/// How many connections can be served at a time. Each is an open file, of which the soft limit often
/// allows 1024: it is raised as far as it goes.
fn connections() -> usize {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
    let files = getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok());
    let Some(files) = files else { return server::CONNECTIONS };
    let most = server::CONNECTIONS.min(files - OTHER_FILES.min(files / 2));
    if most < server::CONNECTIONS {
        tracing::warn!(
            "{most} connections are served at a time, because only {files} files may be open: {} \
             would do for {} (`LimitNOFILE=` of systemd, `ulimit -Hn`)",
            server::CONNECTIONS + OTHER_FILES,
            server::CONNECTIONS,
        );
    }
    most
}
