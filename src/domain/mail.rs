//! What Doorward writes to its users, and how long it tries to deliver it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::account::Email;
#[cfg(doc)]
use super::device::known_device_name;
use super::id::OneTimeId;
use super::time::Timestamp;

/// A mail to be sent. It holds no secret: the link of a one-time token is made from the token's id
/// and the keys when the mail is delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// Who is written to.
    pub to: Email,
    /// What about.
    pub about: About,
}

/// What a mail is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum About {
    /// A link that shows that the address is theirs.
    VerifyEmail {
        /// What the link holds.
        token: OneTimeId,
    },
    /// Somebody has tried to register with an address that has an account.
    AlreadyRegistered,
    /// A link to choose another password.
    ResetPassword {
        /// What the link holds.
        token: OneTimeId,
    },
    /// The password was changed.
    PasswordChanged,
    /// A link to register with.
    Invitation {
        /// What the link holds.
        token: OneTimeId,
    },
    /// A link, sent to the new address, that makes it the address of the account.
    ConfirmEmailChange {
        /// What the link holds.
        token: OneTimeId,
    },
    /// To the old address: the account has another one now, and a link that undoes it.
    EmailChanged {
        /// The new address.
        to: String,
        /// What the link holds.
        undo: OneTimeId,
    },
    /// A sign-in from a device, or a place, that was not seen before.
    NewDevice {
        /// As [`known_device_name`] gives it, or empty.
        device: String,
        /// The address, or empty.
        ip: String,
        /// When.
        at: Timestamp,
    },
    /// A refresh token was used twice: sessions were ended.
    RefreshTokenReused {
        /// As [`known_device_name`] gives it, or empty.
        device: String,
        /// The address, or empty.
        ip: String,
        /// When.
        at: Timestamp,
    },
    /// The account was deleted.
    AccountDeleted,
    /// Nothing: an operator tries whether mail arrives.
    Test,
}

impl About {
    /// Whether it only goes to an address that is known to be the owner's: it costs whoever brings it
    /// about no more than a sign-in, and on an account that they have made they may do that for ever.
    pub const fn is_for_owners_only(&self) -> bool {
        matches!(self, Self::NewDevice { .. } | Self::RefreshTokenReused { .. })
    }

    /// The token of the one-time link without which the mail is of no use.
    pub const fn link(&self) -> Option<OneTimeId> {
        match self {
            Self::VerifyEmail { token }
            | Self::ResetPassword { token }
            | Self::Invitation { token }
            | Self::ConfirmEmailChange { token }
            | Self::EmailChanged { undo: token, .. } => Some(*token),
            Self::AlreadyRegistered
            | Self::PasswordChanged
            | Self::NewDevice { .. }
            | Self::RefreshTokenReused { .. }
            | Self::AccountDeleted
            | Self::Test => None,
        }
    }
}

/// Identifies a mail in the outbox; a later one has a higher number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct MailId(pub i64);

impl fmt::Display for MailId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How long the first wait is after a failure. Each next one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(60);

/// No wait is longer.
pub const LONGEST_WAIT: Duration = Duration::from_secs(4 * 60 * 60);

/// A mail that could not be delivered for so long is given up.
pub const PATIENCE: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// What happens to a mail that could not be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterFailure {
    /// It is tried again, not before this.
    Retry(Timestamp),
    /// It stays as it is, until somebody does something about it.
    GiveUp,
}

/// Decides it for a mail that has failed `attempts` times since `since`. `chance` shortens the wait
/// by up to a quarter, so that what failed together does not come back together.
pub fn after_failure(attempts: u32, since: Timestamp, now: Timestamp, chance: u16) -> AfterFailure {
    if now.since(since) >= PATIENCE {
        return AfterFailure::GiveUp;
    }
    let doubled = 2_u32.saturating_pow(attempts.saturating_sub(1));
    let wait = FIRST_WAIT.saturating_mul(doubled).min(LONGEST_WAIT);
    let sooner = wait / 4 * u32::from(chance) / u32::from(u16::MAX);
    AfterFailure::Retry(now.plus(wait.saturating_sub(sooner)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = FIRST_WAIT;
    const POSTED: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    #[test]
    fn waits_double_up_to_four_hours() {
        for (attempts, minutes) in [
            (0, 1),
            (1, 1),
            (2, 2),
            (3, 4),
            (8, 128),
            (9, 240),
            (10, 240),
            (40, 240),
            (u32::MAX, 240),
        ] {
            let retry = AfterFailure::Retry(POSTED.plus(MINUTE * minutes));
            assert_eq!(after_failure(attempts, POSTED, POSTED, 0), retry, "{attempts}");
            let soonest = AfterFailure::Retry(POSTED.plus(MINUTE * minutes * 3 / 4));
            assert_eq!(after_failure(attempts, POSTED, POSTED, u16::MAX), soonest, "{attempts}");
        }
    }

    #[test]
    fn it_is_given_up_after_three_days() {
        for (minutes, given_up) in [(0, false), (3 * 24 * 60 - 1, false), (3 * 24 * 60, true)] {
            let now = POSTED.plus(MINUTE * minutes);
            let next = after_failure(25, POSTED, now, 0);
            assert_eq!(next == AfterFailure::GiveUp, given_up, "{minutes}");
        }
        // The clock was set back.
        let next = after_failure(1, POSTED, POSTED.minus(PATIENCE), 0);
        assert!(matches!(next, AfterFailure::Retry(_)));
    }

    /// What is written to the outbox names a one-time token by its id, which is no secret.
    #[test]
    fn what_it_is_about_is_kept_as_json() {
        let token = OneTimeId(uuid::Uuid::from_u128(7));
        let at = POSTED;
        let (device, ip) = ("Firefox on Linux".to_owned(), "192.0.2.7".to_owned());
        for (about, json) in [
            (About::Test, r#"{"about":"test"}"#.to_owned()),
            (About::AccountDeleted, r#"{"about":"account_deleted"}"#.to_owned()),
            (
                About::VerifyEmail { token },
                format!(r#"{{"about":"verify_email","token":"{token}"}}"#),
            ),
            (
                About::NewDevice { device, ip, at },
                format!(
                    r#"{{"about":"new_device","device":"Firefox on Linux","ip":"192.0.2.7","at":"{at}"}}"#
                ),
            ),
        ] {
            assert_eq!(serde_json::to_string(&about).unwrap(), json);
            assert_eq!(serde_json::from_str::<About>(&json).unwrap(), about);
        }
    }
}
