//! The metrics, in Prometheus' text format.

use std::sync::OnceLock;
use std::time::Duration;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use poem::{IntoResponse, Request, Response, handler};

use crate::http::client;
use crate::http::problem::{Code, Problem};
use crate::metric;

static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// How often what was timed is taken into its buckets. Until then each sample is kept.
const UPKEEP: Duration = Duration::from_secs(1);

/// The content type of Prometheus' text format.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4";

/// Starts recording, for the whole process. Until then what is counted is dropped.
pub fn install() {
    let times = [0.000_1, 0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];
    let sizes = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &times)
        .and_then(|builder| {
            builder.set_buckets_for_metric(Matcher::Full(metric::BATCH_SIZE.to_owned()), &sizes)
        });
    let Ok(builder) = builder else { return };
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    if ::metrics::set_global_recorder(recorder).is_ok() {
        let _ = RECORDER.set(handle);
        metric::describe();
    }
}

/// Keeps memory bounded, whether anybody asks for the metrics or not.
pub async fn keep_up() {
    while let Some(handle) = RECORDER.get().cloned() {
        tokio::time::sleep(UPKEEP).await;
        let _ = tokio::task::spawn_blocking(move || handle.run_upkeep()).await;
    }
}

/// To a peer on this machine, not through a proxy; to anybody else there is nothing here.
#[handler]
pub(crate) fn metrics(request: &Request) -> Response {
    if client::is_direct_loopback(request) {
        render()
    } else {
        Problem::from(Code::NotFound).into_response()
    }
}

/// For the listener of its own (`metrics_listen`).
#[handler]
pub(crate) fn open_metrics() -> Response {
    render()
}

fn render() -> Response {
    let text = RECORDER.get().map(|handle| {
        handle.run_upkeep();
        handle.render()
    });
    Response::builder().content_type(CONTENT_TYPE).body(text.unwrap_or_default())
}
