//! Background work. It ends when [`Jobs`] is dropped.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::JoinSet;

use crate::app::App;
use crate::fault::Fault;

/// How often it is looked for what the command line has changed; a second is promised.
const FOLLOW: Duration = Duration::from_millis(250);

/// How long a confirmation may wait for a commit to ride on. A crash loses at most these.
const NOTES: Duration = Duration::from_secs(1);

/// How often some of what is old is removed.
const SWEEP: Duration = Duration::from_secs(60);

/// The running jobs.
pub struct Jobs(#[expect(dead_code, reason = "dropping it ends the jobs")] JoinSet<()>);

impl Jobs {
    /// Starts all jobs on the current runtime.
    pub fn start(app: &Arc<App>) -> Self {
        let mut jobs = JoinSet::new();
        jobs.spawn(every(FOLLOW, "follow", Arc::clone(app), |app| async move {
            app.store.follow(app.clock.now()).await
        }));
        jobs.spawn(every(NOTES, "notes", Arc::clone(app), |app| async move {
            app.store.write_notes(app.clock.now()).await
        }));
        jobs.spawn(every(SWEEP, "sweep", Arc::clone(app), |app| async move {
            let (idle, access) = (app.config.refresh_token_ttl, app.config.access_token_ttl);
            // In small steps, so that others get to write in between.
            while app.store.sweep(idle, access, app.clock.now()).await? > 0 {}
            while app.store.sweep_one_time_tokens(app.clock.now()).await? > 0 {}
            Ok(())
        }));
        jobs.spawn(every(SWEEP, "audit sweep", Arc::clone(app), |app| async move {
            let retention = app.config.audit_retention;
            while app.store.sweep_audit(retention, app.clock.now()).await? > 0 {}
            Ok(())
        }));
        Self(jobs)
    }
}

/// Runs `job` once a `period`, the first time when one has passed: a machine may start with a
/// wrong clock, and what a sweep has removed is gone.
async fn every<F>(
    period: Duration,
    name: &'static str,
    app: Arc<App>,
    job: impl Fn(Arc<App>) -> F + Send,
) where
    F: Future<Output = Result<(), Fault>> + Send,
{
    let mut is_failing = false;
    loop {
        tokio::time::sleep(period).await;
        let run = AssertUnwindSafe(job(Arc::clone(&app))).catch_unwind().await;
        let outcome = run.unwrap_or_else(|_| Err(Fault::internal("a background job panicked")));
        match &outcome {
            Err(fault) if !is_failing => {
                tracing::warn!(%fault, job = name, "a background job fails; it is tried again and again");
            }
            Ok(()) if is_failing => tracing::info!(job = name, "a background job works again"),
            Ok(()) | Err(_) => {}
        }
        is_failing = outcome.is_err();
    }
}
