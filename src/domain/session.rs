//! What a session stores, and the one decision over a presented refresh token.

use std::time::Duration;

use super::id::{Generation, SessionId, UserId};
use super::secret::{KeyId, LookupHash, Proof, Salt, Secret};
use super::time::{Now, Timestamp};

/// A session: one row, however often its refresh token rotates.
#[derive(Clone, Debug)]
pub struct Session {
    /// Identifies the session and the device.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// When it was started (wall clock).
    pub created_at: Timestamp,
    /// The turn of the ratchet that the stored hash belongs to.
    pub generation: Generation,
    /// Lookup hash of the current secret.
    pub secret_hash: LookupHash,
    /// Mixed into the last turn.
    pub salt: Salt,
    /// The keys that the current generation was made with.
    pub key_id: KeyId,
    /// When the current generation was made (steady clock).
    pub rotated_at: Timestamp,
    /// When an access token of the current generation was first seen (steady clock).
    pub confirmed_at: Option<Timestamp>,
    /// When it goes idle (wall clock).
    pub expires_at: Timestamp,
    /// When it is over however busy it is (wall clock).
    pub ends_at: Timestamp,
    /// Last sign of life (wall clock).
    pub last_used_at: Timestamp,
    /// The device that it is used from.
    pub client: Client,
    /// When and why it was ended.
    pub ended: Option<(Timestamp, EndReason)>,
}

impl Session {
    /// Whether it can still be used at `wall`.
    pub fn is_live(&self, wall: Timestamp) -> bool {
        self.ended.is_none() && wall < self.expires_at && wall < self.ends_at
    }

    /// The same session, with a confirmation that is known but not written yet. One of
    /// another generation says nothing about this one.
    #[must_use]
    pub fn with_confirmation(mut self, noted: Option<(Generation, Timestamp)>) -> Self {
        if let Some((generation, at)) = noted
            && generation == self.generation
        {
            self.confirmed_at = self.confirmed_at.or(Some(at));
        }
        self
    }
}

/// Who is at the other end, as far as the request tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// The client's address, or empty.
    pub ip: String,
    /// The `User-Agent` header, cut to [`Client::MAX_USER_AGENT`] characters, or empty.
    pub user_agent: String,
}

impl Client {
    /// How many characters of a `User-Agent` are kept.
    pub const MAX_USER_AGENT: usize = 256;
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The user signed out of this device.
    Logout,
    /// The user signed out of all devices.
    LogoutAll,
    /// The user ended it from another device, or an operator from the shell.
    Revoked,
    /// A superseded refresh token was used again.
    Reuse,
    /// Its successor was never used, and the time to ask for it again has passed.
    Lost,
    /// Somebody signed in over it in the same browser.
    Replaced,
    /// The user has as many sessions as are allowed, and this was the least recently used.
    Displaced,
    /// The account was disabled.
    Disabled,
    /// The password was changed.
    PasswordChanged,
    /// The database was restored: what the client holds may be newer than what is known of it.
    Restore,
}

impl EndReason {
    /// All reasons.
    pub const ALL: [Self; 10] = [
        Self::Logout,
        Self::LogoutAll,
        Self::Revoked,
        Self::Reuse,
        Self::Lost,
        Self::Replaced,
        Self::Displaced,
        Self::Disabled,
        Self::PasswordChanged,
        Self::Restore,
    ];

    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::LogoutAll => "logout_all",
            Self::Revoked => "revoked",
            Self::Reuse => "reuse",
            Self::Lost => "lost",
            Self::Replaced => "replaced",
            Self::Displaced => "displaced",
            Self::Disabled => "disabled",
            Self::PasswordChanged => "password_changed",
            Self::Restore => "restore",
        }
    }

    /// Reads a name of the database. `None` when there is no such reason.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// What an authentic refresh token says. Anything else is refused as malformed before the
/// database is asked.
#[derive(Clone, Debug)]
pub struct Presented {
    /// The user that it was made for.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
    /// The turn of the ratchet that its secret belongs to.
    pub generation: Generation,
    /// The secret.
    pub secret: Secret,
}

/// Whose sessions end when a superseded refresh token is used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReusePolicy {
    /// All of the user's: whoever holds the copy may hold more.
    #[default]
    User,
    /// The one that the token belongs to.
    Session,
}

/// The settings of the protocol.
#[derive(Clone, Copy, Debug)]
pub struct SessionPolicy {
    /// How long a session may lie idle.
    pub refresh_token_ttl: Duration,
    /// How long a session lasts however busy it is.
    pub session_max_age: Duration,
    /// How many live sessions a user may have; the least recently used one gives way.
    pub max_sessions_per_user: u32,
    /// How long a superseded token still counts as a race. Zero is strict mode.
    pub refresh_grace: Duration,
    /// How long a client that never saw the successor may ask for it again.
    pub lost_response_window: Duration,
    /// Whose sessions a reuse ends.
    pub reuse_policy: ReusePolicy,
}

impl SessionPolicy {
    /// When a session that ends at `ends_at` goes idle if it is used at `now`.
    pub fn idle_expiry(&self, now: Timestamp, ends_at: Timestamp) -> Timestamp {
        now.plus(self.refresh_token_ttl).min(ends_at)
    }
}

/// All that the decision looks at, besides the policy.
#[derive(Debug)]
pub struct Case<'a> {
    /// The session that the token names, a noted confirmation included; `None` when unknown.
    pub session: Option<&'a Session>,
    /// Whether the user exists and is not disabled.
    pub user_is_active: bool,
    /// The token.
    pub presented: &'a Presented,
    /// What its secret has been found to be.
    pub proof: &'a Proof,
    /// The clocks.
    pub now: Now,
}

/// What is to be done with a presented refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Refuse, end nothing.
    Invalid(Why),
    /// Turn the ratchet.
    Rotate,
    /// Authentic, but not of this session's history. Refuse, audit, end nothing.
    Foreign,
    /// The answer was lost: give the same successor again.
    Retry,
    /// A concurrent request was faster: give the same successor again.
    Race,
    /// The answer was lost too long ago: end the session, accuse nobody.
    Lost,
    /// A slow request of an honest client, overtaken by at least two rotations: try again.
    Late,
    /// A superseded token was used again: end sessions by policy, audit, clear the cookies.
    Reuse,
}

/// Why a session cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No such user, or disabled.
    UserGone,
    /// No such session (any more).
    Unknown,
    /// Ended before.
    Ended,
    /// Past its idle or its absolute expiry.
    Expired,
}

/// Decides over a presented refresh token. Pure; the rows of the table in the protocol, in
/// its order: the first that matches decides.
pub fn judge(case: &Case<'_>, policy: &SessionPolicy) -> Verdict {
    let Case { presented, proof, now, .. } = *case;
    if !case.user_is_active {
        return Verdict::Invalid(Why::UserGone);
    }
    let Some(session) = case.session else {
        return Verdict::Invalid(Why::Unknown);
    };
    if session.ended.is_some() {
        return Verdict::Invalid(Why::Ended);
    }
    if !session.is_live(now.wall) {
        return Verdict::Invalid(Why::Expired);
    }

    let current = session.generation;
    if presented.generation == current && matches!(proof, Proof::Current) {
        return Verdict::Rotate;
    }
    let is_parent = presented.generation.is_parent_of(current);
    let parent_verified = is_parent && matches!(proof, Proof::Parent(_));
    let unproven = (presented.generation == current || is_parent) && !parent_verified;
    if unproven || presented.generation > current || presented.user != session.user_id {
        return Verdict::Foreign;
    }
    if policy.refresh_grace.is_zero() {
        return Verdict::Reuse;
    }

    let since_rotation = now.steady.since(session.rotated_at);
    if parent_verified {
        let last_sign =
            session.confirmed_at.map_or(session.rotated_at, |at| at.max(session.rotated_at));
        let unconfirmed = session.confirmed_at.is_none();
        if unconfirmed && since_rotation <= policy.lost_response_window {
            return Verdict::Retry;
        }
        if now.steady.since(last_sign) <= policy.refresh_grace {
            return Verdict::Race;
        }
        if unconfirmed {
            return Verdict::Lost;
        }
    } else if since_rotation <= policy.refresh_grace {
        return Verdict::Late;
    }
    Verdict::Reuse
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
