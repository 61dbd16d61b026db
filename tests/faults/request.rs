//! What is asked of the store, with all its randomness drawn: it can be asked again, and of
//! another store, and is the same request.

use std::fmt;
use std::sync::Arc;

use doorward::domain::id::{SessionId, UserId};
use doorward::domain::secret::{Ratchets, Salt};
use doorward::domain::session::{Client, EndReason, Presented, SessionPolicy};
use doorward::domain::time::Now;
use doorward::fault::Fault;
use doorward::store::{NewSession, Refused, Rotation, Store};

use crate::common::{Held, PASSWORD_HASH, World, unique};

#[derive(Clone)]
pub enum Request {
    /// A sign-in.
    SignIn(UserId, NewSession),
    /// A refresh, whatever comes of it.
    Refresh { presented: Presented, ratchets: Arc<Ratchets>, salt: Salt, policy: SessionPolicy },
    /// A sign-out.
    Logout(SessionId),
    /// A user ends a session from another device.
    Revoke(UserId, SessionId),
    /// A user signs out everywhere.
    LogoutAll(UserId),
}

/// What the store says to it.
#[derive(Debug, PartialEq)]
pub enum Answer {
    Started(SessionId),
    Refreshed(Box<Token>),
    Refused(Refused),
    Ended(usize),
}

/// A refresh token, and the hash that tells its secret from others.
pub struct Token(pub Held, [u8; 32]);

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        (self.0.session.generation, self.1) == (other.0.session.generation, other.1)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.session.generation)
    }
}

impl Request {
    pub fn refresh(presented: Presented, world: &World) -> Self {
        let ratchets = Arc::clone(world.keys.ratchets());
        Self::Refresh { presented, ratchets, salt: Salt(unique()), policy: world.policy }
    }

    pub async fn send(&self, store: &Store, now: Now) -> Result<Answer, Fault> {
        let client = Client::default();
        match self {
            Self::SignIn(user, new) => {
                let hash = PASSWORD_HASH.to_owned();
                let started = store.start_session(*user, hash, None, new, now).await?;
                Ok(Answer::Started(started.unwrap().unwrap().session.id))
            }
            Self::Refresh { presented, ratchets, salt, policy } => {
                let rotation = Rotation {
                    presented: presented.clone(),
                    ratchets: Arc::clone(ratchets),
                    salt: *salt,
                    client,
                    policy: *policy,
                    now,
                };
                Ok(match store.rotate(rotation).await? {
                    Ok(rotated) => {
                        let hash = ratchets.active().lookup(&rotated.secret).0;
                        Answer::Refreshed(Box::new(Token(rotated.into(), hash)))
                    }
                    Err(refused) => Answer::Refused(refused),
                })
            }
            Self::Logout(id) => {
                let ended = store.end_session(*id, EndReason::Logout, client, now).await?;
                Ok(Answer::Ended(usize::from(ended)))
            }
            Self::Revoke(user, id) => {
                let ended = store.end_session_of(*user, *id, client, now).await?;
                Ok(Answer::Ended(usize::from(ended)))
            }
            Self::LogoutAll(user) => store
                .end_sessions_of(*user, EndReason::LogoutAll, client, now)
                .await
                .map(Answer::Ended),
        }
    }
}
