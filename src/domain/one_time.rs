//! One-time tokens: what they are good for, and for how long.

use std::time::Duration;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// What a one-time token does, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Shows that the address of the account is the user's.
    VerifyEmail,
    /// Sets another password.
    ResetPassword,
    /// Makes the address that it was sent to that of the account.
    ChangeEmail,
    /// Gives the account its former address back.
    UndoEmailChange,
    /// Makes an account for somebody who was invited.
    AcceptInvitation,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::VerifyEmail,
        Self::ResetPassword,
        Self::ChangeEmail,
        Self::UndoEmailChange,
        Self::AcceptInvitation,
    ];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::ChangeEmail => "change_email",
            Self::UndoEmailChange => "undo_email_change",
            Self::AcceptInvitation => "accept_invitation",
        }
    }

    /// How long it is good for: the more it can do, the shorter; but who lost the address to a thief
    /// may be away for a while.
    pub const fn life(self) -> Duration {
        match self {
            Self::ResetPassword | Self::ChangeEmail => HOUR,
            Self::VerifyEmail => DAY,
            Self::UndoEmailChange | Self::AcceptInvitation => WEEK,
        }
    }

    /// Whether it outlives a change of password or address: a thief who has made one must not keep the
    /// owner from undoing it.
    pub const fn outlives_changes(self) -> bool {
        matches!(self, Self::UndoEmailChange)
    }
}
