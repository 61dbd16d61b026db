//! All that is kept about one user, for that user.

use rusqlite::OptionalExtension as _;

use super::trail::{self, EventFilter, Recorded};
use super::{Store, addresses, profiles, sessions, users};
use crate::domain::account::User;
use crate::domain::address::Address;
use crate::domain::id::UserId;
use crate::domain::profile::Profile;
use crate::domain::session::Session;
use crate::domain::time::Now;
use crate::fault::Fault;

/// What is kept about a user, as it was at one moment.
#[derive(Debug)]
pub struct Dossier {
    /// The account.
    pub user: User,
    /// What they say about themselves.
    pub profile: Profile,
    /// Their postal addresses: the default, then the others in the order in which they were added.
    pub addresses: Vec<Address>,
    /// Their live sessions, the most recently used first.
    pub sessions: Vec<Session>,
    /// What happened to the account, the latest first.
    pub events: Vec<Recorded>,
    /// Whether there are more events, older ones.
    pub events_truncated: bool,
}

impl Store {
    /// What is kept about a user, with at most `most` events. `None` when there is no such user.
    pub async fn everything_about(
        &self,
        id: UserId,
        most: u32,
        now: Now,
    ) -> Result<Option<Dossier>, Fault> {
        let found = self
            .read_snapshot(move |sql| {
                let Some(account) = users::by_id(sql, id).optional()? else { return Ok(None) };
                let Some(profile) = profiles::of(sql, id)? else { return Ok(None) };
                let filter = EventFilter { user: Some(id), event: None };
                let events = trail::page(sql, filter, None, most)?;
                Ok(Some(Dossier {
                    user: account.user,
                    profile,
                    addresses: addresses::of(sql, id)?,
                    sessions: sessions::open_of(sql, Some(id))?,
                    events_truncated: events.next.is_some(),
                    events: events.items,
                }))
            })
            .await?;
        Ok(found.map(|found| Dossier { sessions: self.live(found.sessions, now), ..found }))
    }
}
