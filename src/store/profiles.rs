//! What users say about themselves.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::Store;
use super::audit::Event;
use super::writer::Work;
use crate::domain::avatar::AvatarUrl;
use crate::domain::id::{SessionId, UserId};
use crate::domain::phone::Phone;
use crate::domain::profile::{Locale, Profile, ProfileChange, TimeZone};
use crate::domain::session::Client;
use crate::domain::text::Text;
use crate::domain::time::Now;
use crate::fault::Fault;

/// Whose profile and addresses are changed, from which device: for the audit trail.
#[derive(Clone, Debug)]
pub struct Author {
    /// The user. Nothing of anybody else is seen or changed.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
    /// The device.
    pub client: Client,
}

impl Author {
    /// Records what they did.
    pub(super) fn audit(&self, work: &Work<'_>, event: Event, now: Now) -> rusqlite::Result<()> {
        work.audit(event, Some(self.user), Some(self.session), &self.client, now)
    }
}

impl Store {
    /// A user's profile; empty until it is first changed. `None` when there is no such user.
    pub async fn find_profile(&self, user: UserId) -> Result<Option<Profile>, Fault> {
        self.read(move |sql| of(sql, user)).await
    }

    /// Changes a profile, field by field. `None` when there is no such user, otherwise the profile
    /// as it now is.
    pub async fn change_profile(
        &self,
        author: Author,
        change: ProfileChange,
        now: Now,
    ) -> Result<Option<Profile>, Fault> {
        self.write(move |work| {
            let Some(before) = of(work.sql, author.user)? else {
                return Ok(None);
            };
            let mut profile = before.clone();
            change.apply(&mut profile);
            if profile != before {
                put(work.sql, author.user, &profile)?;
                author.audit(work, Event::ProfileChanged, now)?;
            }
            Ok(Some(profile))
        })
        .await
    }
}

/// The profile of a user. `None` when there is no such user.
pub(super) fn of(sql: &Connection, user: UserId) -> rusqlite::Result<Option<Profile>> {
    sql.prepare_cached(
        "SELECT display_name, given_name, family_name, phone, locale, time_zone, avatar_url
         FROM users LEFT JOIN profiles ON user_id = id WHERE id = ?1",
    )?
    .query_row([user.0], from_row)
    .optional()
}

fn put(sql: &Connection, user: UserId, profile: &Profile) -> rusqlite::Result<()> {
    sql.prepare_cached(
        "INSERT INTO profiles (user_id, display_name, given_name, family_name, phone, locale,
                               time_zone, avatar_url)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (user_id) DO UPDATE SET
             display_name = excluded.display_name, given_name = excluded.given_name,
             family_name = excluded.family_name, phone = excluded.phone,
             locale = excluded.locale, time_zone = excluded.time_zone,
             avatar_url = excluded.avatar_url",
    )?
    .execute(params![
        user.0,
        profile.display_name.as_ref().map(Text::as_str),
        profile.given_name.as_ref().map(Text::as_str),
        profile.family_name.as_ref().map(Text::as_str),
        profile.phone.as_ref().map(Phone::as_str),
        profile.locale.as_ref().map(Locale::as_str),
        profile.time_zone.as_ref().map(TimeZone::as_str),
        profile.avatar_url.as_ref().map(AvatarUrl::as_str),
    ])
    .map(|_| ())
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Profile> {
    let text = |column: usize| row.get::<_, Option<String>>(column);
    Ok(Profile {
        display_name: text(0)?.map(Text::from_stored),
        given_name: text(1)?.map(Text::from_stored),
        family_name: text(2)?.map(Text::from_stored),
        phone: text(3)?.map(Phone::from_stored),
        locale: text(4)?.map(Locale::from_stored),
        time_zone: text(5)?.map(TimeZone::from_stored),
        avatar_url: text(6)?.map(AvatarUrl::from_stored),
    })
}
