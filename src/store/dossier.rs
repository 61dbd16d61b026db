//! All that is kept about one user, for that user.

use rusqlite::{Connection, OptionalExtension as _};

use super::trail::{self, EventFilter, Recorded};
use super::{Store, addresses, profiles, sessions, users};
use crate::domain::account::User;
use crate::domain::address::Address;
use crate::domain::id::UserId;
use crate::domain::profile::Profile;
use crate::domain::session::Session;
use crate::domain::time::{Now, Timestamp};
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
    /// Those that are over and not swept yet, the latest first.
    pub ended_sessions: Vec<Session>,
    /// Whether there are more of them, older ones.
    pub ended_sessions_truncated: bool,
    /// The devices that they have signed in from, the one seen last first.
    pub devices: Vec<SeenDevice>,
    /// What happened to the account, the latest first.
    pub events: Vec<Recorded>,
    /// Whether there are more events, older ones.
    pub events_truncated: bool,
}

/// What is kept about a device that a user has signed in from. The mark, by which it is known again,
/// tells nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenDevice {
    /// When it was seen first.
    pub first_seen: Timestamp,
    /// When it was seen last, to the day.
    pub last_seen: Timestamp,
}

impl Store {
    /// What is kept about a user, with at most `most` events and `most` ended sessions. `None` when there is no such user.
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
                let (ended_sessions, ended_sessions_truncated) =
                    sessions::ended_of(sql, id, most, now)?;
                Ok(Some(Dossier {
                    user: account.user,
                    profile,
                    addresses: addresses::of(sql, id)?,
                    sessions: sessions::open_of(sql, Some(id))?,
                    ended_sessions,
                    ended_sessions_truncated,
                    devices: devices_of(sql, id)?,
                    events_truncated: events.next.is_some(),
                    events: events.items,
                }))
            })
            .await?;
        Ok(found.map(|found| Dossier { sessions: self.live(found.sessions, now), ..found }))
    }
}

fn devices_of(sql: &Connection, user: UserId) -> rusqlite::Result<Vec<SeenDevice>> {
    sql.prepare_cached(
        "SELECT first_seen, last_seen FROM devices WHERE user_id = ?1
         ORDER BY last_seen DESC, first_seen DESC",
    )?
    .query_map([user.0], |row| {
        let time = |column: usize| row.get(column).map(Timestamp::from_millis);
        Ok(SeenDevice { first_seen: time(0)?, last_seen: time(1)? })
    })?
    .collect()
}
