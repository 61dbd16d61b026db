//! The probes.

use std::sync::Arc;
use std::time::Duration;

use poem::handler;
use poem::web::Data;
use tokio::sync::Mutex;

use crate::app::App;
use crate::domain::time::Timestamp;
use crate::http::Web;
use crate::http::problem::{Code, Problem};

/// A result of the readiness probe is good for this long.
const KEEP: Duration = Duration::from_secs(1);

/// The process is up.
#[handler]
pub(crate) fn healthz() -> &'static str {
    "ok\n"
}

/// The database answers a write.
#[handler]
pub(crate) async fn readyz(web: Data<&Arc<Web>>) -> Result<&'static str, Problem> {
    if web.readiness.is_ready(&web.app).await {
        Ok("ready\n")
    } else {
        Err(Code::Unavailable.into())
    }
}

/// The last result of the readiness probe. One probe at a time: a crowd of them asks once.
#[derive(Default)]
pub struct Readiness(Mutex<Option<(Timestamp, bool)>>);

impl Readiness {
    async fn is_ready(&self, app: &App) -> bool {
        let mut last = self.0.lock().await;
        let now = app.clock.now();
        match *last {
            Some((at, ready)) if now.steady.since(at) < KEEP => ready,
            _ => {
                let outcome = app.store.probe(now).await;
                if let Err(fault) = &outcome {
                    tracing::error!(%fault, "not ready");
                }
                *last = Some((app.clock.now().steady, outcome.is_ok()));
                outcome.is_ok()
            }
        }
    }
}
