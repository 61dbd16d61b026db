//! The listener: bounds on connections, slow headers, slow readers and idle peers, and a drain
//! at the end that loses nothing.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::endpoint::BoxEndpoint;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint as _, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_io_timeout::TimeoutStream;

use crate::metric;

/// How many connections are open at a time; the next ones wait in the listener's backlog.
const CONNECTIONS: usize = 4096;

/// How long the headers of a request may take, and how long a connection may lie idle.
const HEADER_TIME: Duration = Duration::from_secs(30);

/// How long a peer may refuse to take what is sent to it.
const WRITE_TIME: Duration = Duration::from_secs(15);

/// How long requests under way may take at the end.
const DRAIN_TIME: Duration = Duration::from_secs(20);

/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 32 * 1024;

/// Serves until `stop` turns true, then lets the requests under way finish.
pub async fn serve(
    listener: TcpListener,
    endpoint: Arc<BoxEndpoint<'static, Response>>,
    mut stop: watch::Receiver<bool>,
) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let local = listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
    loop {
        let slot = tokio::select! {
            () = stopped(&mut stop) => break,
            slot = Arc::clone(&slots).acquire_owned() => slot,
        };
        let Ok(slot) = slot else { break };
        let accepted = tokio::select! {
            () = stopped(&mut stop) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let endpoint = Arc::clone(&endpoint);
                let stop = stop.clone();
                tokio::spawn(async move {
                    metrics::gauge!(metric::CONNECTIONS).increment(1.0);
                    connection(stream, local, peer, endpoint, stop).await;
                    metrics::gauge!(metric::CONNECTIONS).decrement(1.0);
                    drop(slot);
                });
            }
            Err(error) => {
                // Out of descriptors, most likely: give the open connections time to close.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    if tokio::time::timeout(DRAIN_TIME, slots.acquire_many(all)).await.is_err() {
        tracing::warn!("requests were still under way when the time to drain was over");
    }
}

/// Resolves once it is time to stop, also when nobody is left to say so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn connection(
    stream: TcpStream,
    local: SocketAddr,
    peer: SocketAddr,
    endpoint: Arc<BoxEndpoint<'static, Response>>,
    mut stop: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIME));
    let stream = Box::pin(stream);

    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let endpoint = Arc::clone(&endpoint);
        async move {
            let addresses = (LocalAddr(Addr::from(local)), RemoteAddr(Addr::from(peer)));
            let request = Request::from((request, addresses.0, addresses.1, Scheme::HTTP));
            Ok::<_, Infallible>(hyper::Response::from(endpoint.get_response(request).await))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(MAX_HEAD)
        // Answers are small: one buffer is written sooner than two.
        .writev(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection ended early");
    }
}
