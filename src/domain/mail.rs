//! What Doorward writes to its users.

use serde::{Deserialize, Serialize};

use super::account::Email;
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
    /// A sign-in from a device that was not seen before.
    NewDevice {
        /// Such as `Firefox on Linux`, or empty.
        device: String,
        /// The address, or empty.
        ip: String,
        /// When.
        at: Timestamp,
    },
    /// A refresh token was used twice: sessions were ended.
    RefreshTokenReused {
        /// Such as `Firefox on Linux`, or empty.
        device: String,
        /// The address, or empty.
        ip: String,
        /// When.
        at: Timestamp,
    },
    /// The account was deleted.
    AccountDeleted,
}
