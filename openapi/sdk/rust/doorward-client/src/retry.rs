//! How patient a refresh is.

use std::time::Duration;

use crate::Error;

/// When a refresh that got no answer, or a 5xx or 429, is repeated. That is safe: the server
/// answers a repeated refresh token with the same successor.
#[derive(Clone, Debug)]
pub struct Retry {
    /// How often to try in all, at least 1.
    pub attempts: u32,
    /// The longest pause before the second try. It doubles from try to try.
    pub first_pause: Duration,
    /// The longest pause ever, also when the server asks for a longer one.
    pub longest_pause: Duration,
}

impl Default for Retry {
    /// Five tries within some seconds.
    fn default() -> Self {
        Self {
            attempts: 5,
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(5),
        }
    }
}

impl Retry {
    /// How long to pause after the `attempt`th try (from 1) failed with `error`, or `None` to give
    /// up. `chance` is from 0 to 1: clients that failed together must not come back together.
    pub(crate) fn pause(&self, attempt: u32, error: &Error, chance: f64) -> Option<Duration> {
        if attempt >= self.attempts || !passes(error) {
            return None;
        }
        let doubled = self.first_pause.saturating_mul(2_u32.saturating_pow(attempt - 1));
        let jittered = doubled.min(self.longest_pause).mul_f64(0.5 + chance / 2.0);
        Some(jittered.max(asked_for(error)).min(self.longest_pause))
    }
}

/// Whether the failure may pass by itself.
fn passes(error: &Error) -> bool {
    let status = match error {
        // A success that is not Doorward's is a network's sign-in page, or a truncated answer.
        Error::Transport(_) | Error::UnexpectedAnswer { status: None, .. } => return true,
        Error::Problem(problem) => problem.status,
        Error::UnexpectedAnswer { status: Some(status), .. } => *status,
        Error::Store(_) | Error::Request(_) => return false,
    };
    status == 429 || status >= 500
}

fn asked_for(error: &Error) -> Duration {
    match error {
        Error::Problem(problem) => problem.retry_after,
        Error::UnexpectedAnswer { retry_after, .. } => *retry_after,
        _ => None,
    }
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Retry = Retry {
        attempts: 4,
        first_pause: Duration::from_millis(100),
        longest_pause: Duration::from_secs(1),
    };

    fn answer(status: u16, retry_after: u64) -> Error {
        let retry_after = Some(Duration::from_secs(retry_after));
        Error::UnexpectedAnswer { status: Some(status), retry_after }
    }

    #[test]
    fn pauses_double_up_to_a_limit_and_end() {
        let pause = |attempt| RETRY.pause(attempt, &answer(503, 0), 1.0).map(|p| p.as_millis());
        assert_eq!([1, 2, 3, 4].map(pause), [Some(100), Some(200), Some(400), None]);
        let hasty = Retry { first_pause: Duration::from_secs(9), ..RETRY };
        assert_eq!(hasty.pause(1, &answer(503, 0), 1.0), Some(RETRY.longest_pause));
    }

    #[test]
    fn chance_takes_away_up_to_half() {
        assert_eq!(RETRY.pause(1, &answer(500, 0), 0.0), Some(Duration::from_millis(50)));
    }

    #[test]
    fn retry_after_is_honoured_up_to_the_limit() {
        assert_eq!(RETRY.pause(1, &answer(429, 1), 0.0), Some(Duration::from_secs(1)));
        assert_eq!(RETRY.pause(1, &answer(503, 3600), 0.0), Some(Duration::from_secs(1)));
    }

    #[test]
    fn refusals_are_final() {
        for status in [400, 401, 403, 404, 422] {
            assert_eq!(RETRY.pause(1, &answer(status, 0), 0.0), None, "{status}");
        }
    }
}
