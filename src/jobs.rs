//! Background work. It ends when [`Jobs`] is dropped.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::app::App;
use crate::fault::Fault;

/// How often it is looked for what the command line has changed; a second is promised.
const FOLLOW: Duration = Duration::from_millis(250);

/// How long a confirmation may wait for a commit to ride on. A crash loses at most these.
const NOTES: Duration = Duration::from_secs(1);

/// How often what is old is removed.
const SWEEP: Duration = Duration::from_secs(600);

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
            Ok(())
        }));
        Self(jobs)
    }
}

async fn every<F>(
    period: Duration,
    name: &'static str,
    app: Arc<App>,
    job: impl Fn(Arc<App>) -> F + Send,
) where
    F: Future<Output = Result<(), Fault>> + Send,
{
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(fault) = job(Arc::clone(&app)).await {
            tracing::warn!(%fault, job = name, "a background job failed and will be tried again");
        }
    }
}
