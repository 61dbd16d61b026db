//! The listener: bounds on connections, slow headers, slow readers and idle peers, and a drain
//! at the end that loses nothing. Who is connected, and who goes, is in `connections`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::endpoint::BoxEndpoint;
use poem::http::uri::Scheme;
use poem::http::{HeaderMap, HeaderValue, header};
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint as _, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_io_timeout::TimeoutStream;

use super::connections::{Connections, Place};

/// How many connections are open at a time, where nothing else bounds them.
pub const CONNECTIONS: usize = 4096;

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
    stop: watch::Receiver<bool>,
) {
    serve_at_most(CONNECTIONS, listener, endpoint, stop).await;
}

/// Like [`serve`], to so many connections at a time.
pub async fn serve_at_most(
    most: usize,
    listener: TcpListener,
    endpoint: Arc<BoxEndpoint<'static, Response>>,
    mut stop: watch::Receiver<bool>,
) {
    let connections = Connections::new(most);
    let local = listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
    loop {
        let accepted = tokio::select! {
            () = stopped(&mut stop) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let seat = tokio::select! {
                    () = stopped(&mut stop) => break,
                    seat = connections.admit(peer.ip()) => seat,
                };
                let endpoint = Arc::clone(&endpoint);
                let stop = stop.clone();
                tokio::spawn(async move {
                    connection(stream, local, peer, endpoint, stop, &seat.place).await;
                    drop(seat);
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
    if tokio::time::timeout(DRAIN_TIME, connections.emptied()).await.is_err() {
        tracing::warn!("requests were still under way when the time to drain was over");
    }
}

/// Resolves once it is time to stop, also when nobody is left to say so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Whether nobody can think that the body ends elsewhere. A proxy may read `chunked, chunked` in
/// another way than hyper: what comes behind such a body is not read. Where a `Content-Length` stands
/// beside it, hyper itself closes (RFC 9112 §6.1).
fn is_framed_clearly(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    codings.next().is_none_or(is_chunked) && codings.next().is_none()
}

async fn connection(
    stream: TcpStream,
    local: SocketAddr,
    peer: SocketAddr,
    endpoint: Arc<BoxEndpoint<'static, Response>>,
    mut stop: watch::Receiver<bool>,
    place: &Place,
) {
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIME));
    let stream = Box::pin(stream);

    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let endpoint = Arc::clone(&endpoint);
        async move {
            place.works().await;
            let is_clear = is_framed_clearly(request.headers());
            let addresses = (LocalAddr(Addr::from(local)), RemoteAddr(Addr::from(peer)));
            let mut request = Request::from((request, addresses.0, addresses.1, Scheme::HTTP));
            request.extensions_mut().insert(place.clone());
            let mut response = endpoint.get_response(request).await;
            if !is_clear {
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            // It is small, and goes out before the connection looks whether it has to go.
            place.waits();
            Ok::<_, Infallible>(hyper::Response::from(response))
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
    let mut is_stopping = false;
    let ended = loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => break ended,
            () = place.sent_away() => {
                tracing::debug!(%peer, "a silent connection made room for another one");
                return;
            }
            () = stopped(&mut stop), if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection ended early");
    }
}
