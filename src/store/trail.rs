//! Reading the audit trail, and letting go of what the retention does not keep.

use std::time::Duration;

use rusqlite::{Connection, Row, params};

use super::audit::{By, Detail, Event};
use super::directory::Page;
use super::{Store, audit};
use crate::domain::id::{SessionId, UserId};
use crate::domain::session::Client;
use crate::domain::time::{Now, Timestamp};
use crate::fault::Fault;

/// How many events a transaction of the sweep removes: few, since each is in four trees.
const SWEEP: u32 = 100;

/// Events of less than this age are never removed, whatever is asked for.
const LEAST_RETENTION: Duration = Duration::from_secs(24 * 3600);

/// The place of an event in the trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventSeq(pub i64);

/// Which events are meant.
#[derive(Clone, Copy, Debug, Default)]
pub struct EventFilter {
    /// Those about this user.
    pub user: Option<UserId>,
    /// Those of this kind.
    pub event: Option<Event>,
}

/// An event of the trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// When it was.
    pub at: Timestamp,
    /// What it was: the name of an [`Event`], perhaps of a newer version.
    pub event: String,
    /// Whom it is about.
    pub user: Option<UserId>,
    /// Who did it, when that is somebody else, and not the shell.
    pub actor: Option<UserId>,
    /// The session that it is about.
    pub session: Option<SessionId>,
    /// Where it came from.
    pub client: Client,
    /// What else there is to say, if there is anything.
    pub detail: Option<Detail>,
}

impl Store {
    /// Events, the latest first, from the one before `before`; at most `limit`.
    pub async fn list_events(
        &self,
        filter: EventFilter,
        before: Option<EventSeq>,
        limit: u32,
    ) -> Result<Page<Recorded, EventSeq>, Fault> {
        self.read(move |sql| page(sql, filter, before, limit)).await
    }

    /// Records that a sign-in on an account was refused. It waits for nothing: how long a refused
    /// login takes must not tell whether there is such an account. So a crash may lose it.
    pub fn note_refused_sign_in(
        &self,
        user: UserId,
        client: Client,
        now: Now,
    ) -> Result<(), Fault> {
        let by = By::from(client);
        self.writer
            .post(move |work| work.audit_by(Event::SignInRefused, &by, Some(user), None, now))
    }

    /// Removes some of the events that are older than `retention`. How many went; call it again
    /// while there are any.
    pub async fn sweep_audit(&self, retention: Duration, now: Now) -> Result<usize, Fault> {
        let before = now.wall.minus(retention.max(LEAST_RETENTION)).as_millis();
        let is_due = self
            .read(move |sql| {
                sql.prepare_cached("SELECT EXISTS (SELECT 1 FROM audit WHERE at < ?1)")?
                    .query_row([before], |row| row.get::<_, bool>(0))
            })
            .await?;
        if !is_due {
            return Ok(0);
        }
        self.write(move |work| {
            // Without this the trigger lets nothing go. It is there in this transaction alone.
            work.sql
                .prepare_cached("INSERT INTO meta (name, value) VALUES (?1, ?2)")?
                .execute(params![audit::KEPT_SINCE, before])?;
            let gone = work
                .sql
                .prepare_cached(
                    "DELETE FROM audit WHERE seq IN
                         (SELECT seq FROM audit WHERE at < ?1 ORDER BY at LIMIT ?2)",
                )?
                .execute(params![before, SWEEP])?;
            work.sql
                .prepare_cached("DELETE FROM meta WHERE name = ?1")?
                .execute([audit::KEPT_SINCE])?;
            Ok(gone)
        })
        .await
    }
}

/// A part of the trail, the latest first; one row more tells whether there is another part.
pub(super) fn page(
    sql: &Connection,
    filter: EventFilter,
    before: Option<EventSeq>,
    limit: u32,
) -> rusqlite::Result<Page<Recorded, EventSeq>> {
    let mut query = "SELECT seq, at, event, user_id, actor_id, session_id, ip, user_agent, detail \
                         FROM audit WHERE seq < ?1"
        .to_owned();
    if filter.user.is_some() {
        query.push_str(" AND user_id = ?2");
    }
    if filter.event.is_some() {
        // The index over users is the better one where both are asked for.
        query.push_str(if filter.user.is_some() { " AND +event = ?3" } else { " AND event = ?3" });
    }
    query.push_str(" ORDER BY seq DESC LIMIT ?4");
    let mut rows = sql.prepare_cached(&query)?;
    let rows = rows.query_map(
        params![
            before.map_or(i64::MAX, |seq| seq.0),
            filter.user.map(|id| id.0),
            filter.event.map(Event::as_str),
            // One more tells whether there is another page.
            limit.saturating_add(1),
        ],
        from_row,
    )?;
    Ok(Page::of(rows.collect::<rusqlite::Result<Vec<_>>>()?, limit))
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<(EventSeq, Recorded)> {
    let recorded = Recorded {
        at: Timestamp::from_millis(row.get(1)?),
        event: row.get(2)?,
        user: row.get::<_, Option<_>>(3)?.map(UserId),
        actor: row.get::<_, Option<_>>(4)?.map(UserId),
        session: row.get::<_, Option<_>>(5)?.map(SessionId),
        client: Client { ip: row.get(6)?, user_agent: row.get(7)? },
        detail: Detail::read(&row.get::<_, String>(8)?),
    };
    Ok((EventSeq(row.get(0)?), recorded))
}
