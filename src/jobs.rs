//! Background work. It ends when [`Jobs`] is dropped.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::app::App;
use crate::fault::Fault;
use crate::flows::delivery::{Delivery, Progress};
use crate::flows::keys;
use crate::metric;

/// How often it is looked for what the command line has changed; a second is promised.
const FOLLOW: Duration = Duration::from_millis(250);

/// How long a confirmation may wait for a commit to ride on. A crash loses at most these.
const NOTES: Duration = Duration::from_secs(1);

/// How often some of what is old is removed.
const SWEEP: Duration = Duration::from_secs(60);

/// How often it is looked for mail that is due again, or comes from the command line. What this
/// process posts is delivered at once.
const MAIL: Duration = Duration::from_secs(2);

/// How often the outbox is counted.
const TALLY: Duration = Duration::from_secs(15);

/// At the end, a mail that is being delivered has so long to arrive. It is sent again otherwise.
const LAST_MAIL: Duration = Duration::from_secs(5);

/// The running jobs.
pub struct Jobs {
    #[expect(dead_code, reason = "dropping it ends the jobs")]
    periodic: JoinSet<()>,
    mail: JoinSet<()>,
    stopping: watch::Sender<bool>,
}

impl Jobs {
    /// Starts all jobs on the current runtime.
    pub fn start(app: &Arc<App>) -> Self {
        let mut jobs = JoinSet::new();
        jobs.spawn(every(FOLLOW, "follow", Arc::clone(app), |app| async move {
            app.store.follow(app.clock.now()).await
        }));
        jobs.spawn(every(FOLLOW, "keys", Arc::clone(app), |app| async move {
            Ok(keys::follow(&app).await?)
        }));
        jobs.spawn(every(SWEEP, "retired keys", Arc::clone(app), |app| async move {
            Ok(keys::retire(&app).await?)
        }));
        jobs.spawn(every(NOTES, "notes", Arc::clone(app), |app| async move {
            app.store.write_notes(app.clock.now()).await
        }));
        jobs.spawn(every(SWEEP, "sweep", Arc::clone(app), |app| async move {
            let (idle, access) = (app.config.refresh_token_ttl, app.config.access_token_ttl);
            // In small steps, so that others get to write in between.
            while app.store.sweep(idle, access, app.clock.now()).await? > 0 {}
            while app.store.sweep_one_time_tokens(app.clock.now()).await? > 0 {}
            while app.store.sweep_notices(app.clock.now()).await? > 0 {}
            let oldest = app.config.session_max_age;
            while app.store.sweep_devices(oldest, app.clock.now()).await? > 0 {}
            Ok(())
        }));
        jobs.spawn(every(SWEEP, "audit sweep", Arc::clone(app), |app| async move {
            let retention = app.config.audit_retention;
            while app.store.sweep_audit(retention, app.clock.now()).await? > 0 {}
            Ok(())
        }));
        jobs.spawn(every(TALLY, "tally", Arc::clone(app), |app| async move {
            let size = app.store.outbox_size().await?;
            metrics::gauge!(metric::MAIL_WAITING).set(size.waiting);
            metrics::gauge!(metric::MAIL_DEAD).set(size.dead);
            Ok(())
        }));
        let (stopping, stop) = watch::channel(false);
        let mut mail = JoinSet::new();
        mail.spawn(deliver_mail(Arc::clone(app), stop));
        Self { periodic: jobs, mail, stopping }
    }

    /// Ends the jobs. A mail that is being delivered has a moment to arrive.
    pub async fn stop(mut self) {
        let _ = self.stopping.send(true);
        if tokio::time::timeout(LAST_MAIL, self.mail.join_next()).await.is_err() {
            tracing::warn!("a mail was being delivered; it is sent again after the next start");
        }
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
    let mut health = Health::of(name);
    loop {
        tokio::time::sleep(period).await;
        health.note(&caught(job(Arc::clone(&app))).await);
    }
}

/// Delivers mail, one at a time, until it is `stop`ped.
async fn deliver_mail(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut health = Health::of("mail");
    let mut delivery = Delivery::default();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = app.store.mail_posted() => {}
            () = tokio::time::sleep(MAIL) => {}
        }
        loop {
            let outcome = caught(delivery.next(&app)).await;
            health.note(&outcome);
            if !matches!(outcome, Ok(Progress::Next)) || *stop.borrow() {
                break;
            }
        }
    }
}

/// What `run` answers with; a panic is a fault.
async fn caught<T>(run: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let outcome = AssertUnwindSafe(run).catch_unwind().await;
    outcome.unwrap_or_else(|_| Err(Fault::internal("a background job panicked")))
}

/// Whether a job works. It is said once when that changes.
struct Health {
    job: &'static str,
    is_failing: bool,
}

impl Health {
    const fn of(job: &'static str) -> Self {
        Self { job, is_failing: false }
    }

    fn note<T>(&mut self, outcome: &Result<T, Fault>) {
        let job = self.job;
        match outcome {
            Err(fault) if !self.is_failing => {
                tracing::warn!(%fault, job, "a background job fails; it is tried again and again");
            }
            Ok(_) if self.is_failing => tracing::info!(job, "a background job works again"),
            Ok(_) | Err(_) => {}
        }
        self.is_failing = outcome.is_err();
    }
}
