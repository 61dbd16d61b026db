//! The names of what is counted and timed, in Prometheus' conventions. They are recorded through
//! the `metrics` facade: `doorward serve` exports them, an embedding program may do as it likes.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use metrics::{Counter, Histogram};

/// Counter: sign-ins, by `how` (`register`, `login`).
pub(crate) const SIGN_INS: &str = "doorward_sign_ins_total";
/// Counter: refused requests, by `code`.
pub(crate) const REFUSALS: &str = "doorward_refusals_total";
/// Counter: verdicts over refresh tokens, by `verdict`.
pub(crate) const VERDICTS: &str = "doorward_refresh_verdicts_total";
/// Counter: sessions ended, by `reason`.
pub(crate) const SESSIONS_ENDED: &str = "doorward_sessions_ended_total";
/// Counter: answers, by `status`.
pub(crate) const RESPONSES: &str = "doorward_http_responses_total";
/// Histogram: how long a request took.
pub(crate) const REQUEST_SECONDS: &str = "doorward_http_request_seconds";
/// Gauge: open connections.
pub(crate) const CONNECTIONS: &str = "doorward_http_connections";
/// Counter: connections that were closed for a newcomer, while their peers said nothing.
pub(crate) const SENT_AWAY: &str = "doorward_http_connections_sent_away_total";
/// Histogram: write jobs in a commit.
pub(crate) const BATCH_SIZE: &str = "doorward_store_batch_jobs";
/// Histogram: how long a commit took.
pub(crate) const COMMIT_SECONDS: &str = "doorward_store_commit_seconds";
/// Counter: batches that failed as a whole.
pub(crate) const BATCH_FAULTS: &str = "doorward_store_batch_faults_total";
/// Gauge: write jobs that wait.
pub(crate) const WRITE_QUEUE: &str = "doorward_store_queue";
/// Histogram: how long a password hash took.
pub(crate) const HASH_SECONDS: &str = "doorward_hash_seconds";
/// Gauge: password hashes that wait.
pub(crate) const HASH_QUEUE: &str = "doorward_hash_queue";
/// Counter: mails tried, by `outcome` (`delivered`, `dropped`, `failed`, `given_up`).
pub(crate) const MAIL: &str = "doorward_mail_total";
/// Gauge: mail that waits to be delivered.
pub(crate) const MAIL_WAITING: &str = "doorward_mail_waiting";
/// Gauge: mail that was given up.
pub(crate) const MAIL_DEAD: &str = "doorward_mail_dead";

/// Runs `task` and records how long it took under `histogram`.
#[expect(clippy::disallowed_methods, reason = "a measurement decides nothing")]
pub(crate) fn timed<T>(histogram: &'static str, task: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let outcome = task();
    metrics::histogram!(histogram).record(started.elapsed());
    outcome
}

/// What is recorded of each request. The series are looked up once, when they are first needed: to
/// look one up takes longer than to count.
pub(crate) struct RequestMeter {
    seconds: OnceLock<Histogram>,
    /// By status, from 100 on.
    responses: [OnceLock<Counter>; 500],
}

impl Default for RequestMeter {
    fn default() -> Self {
        Self { seconds: OnceLock::new(), responses: std::array::from_fn(|_| OnceLock::new()) }
    }
}

impl RequestMeter {
    /// Counts an answer.
    pub(crate) fn record(&self, status: u16, took: Duration) {
        if let Some(responses) = self.responses.get(usize::from(status.wrapping_sub(100))) {
            let made = || metrics::counter!(RESPONSES, "status" => status.to_string());
            responses.get_or_init(made).increment(1);
        }
        self.seconds.get_or_init(|| metrics::histogram!(REQUEST_SECONDS)).record(took);
    }
}

/// Gives every metric its help text.
pub(crate) fn describe() {
    for (counter, help) in [
        (SIGN_INS, "Sign-ins, by how."),
        (REFUSALS, "Refused requests, by problem code."),
        (VERDICTS, "Verdicts over refresh tokens."),
        (SESSIONS_ENDED, "Sessions ended, by reason."),
        (RESPONSES, "HTTP responses, by status."),
        (SENT_AWAY, "Silent connections closed for a newcomer."),
        (BATCH_FAULTS, "Group commits that failed as a whole."),
        (MAIL, "Mails tried or dropped, by outcome."),
    ] {
        metrics::describe_counter!(counter, help);
    }
    for (histogram, help) in [
        (REQUEST_SECONDS, "How long a request took."),
        (BATCH_SIZE, "Write jobs in a group commit."),
        (COMMIT_SECONDS, "How long a commit took, with its sync."),
        (HASH_SECONDS, "How long a password hash took."),
    ] {
        metrics::describe_histogram!(histogram, help);
    }
    for (gauge, help) in [
        (CONNECTIONS, "Open connections."),
        (WRITE_QUEUE, "Write jobs that wait."),
        (HASH_QUEUE, "Password hashes that wait."),
        (MAIL_WAITING, "Mail that waits to be delivered."),
        (MAIL_DEAD, "Mail that was given up."),
    ] {
        metrics::describe_gauge!(gauge, help);
        metrics::gauge!(gauge).set(0.0);
    }
}
