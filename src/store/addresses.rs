//! The postal addresses of users. Whoever has some has exactly one default: each operation keeps
//! that within its transaction, and an index refuses a second one.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::Store;
use super::audit::Event;
use super::profiles::Author;
use super::writer::Work;
use crate::domain::address::{
    Address, AddressChange, Country, DefaultIsNeeded, MAX_ADDRESSES, Place,
};
use crate::domain::id::{AddressId, UserId};
use crate::domain::phone::Phone;
use crate::domain::text::Text;
use crate::domain::time::Now;
use crate::fault::Fault;

/// A query for addresses, whose rows [`from_row`] reads.
macro_rules! select {
    ($condition:literal) => {
        concat!(
            "SELECT id, is_default, label, recipient, line1, line2, postal_code, city, region, ",
            "country, phone FROM addresses ",
            $condition
        )
    };
}

/// An address to be added.
pub struct NewAddress {
    /// Its id.
    pub id: AddressId,
    /// The address itself.
    pub place: Place,
    /// Whether it is to be the default. The first one is, in any case.
    pub is_default: bool,
}

/// Why an address was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAdded {
    /// The user has as many as one may have.
    TooMany,
    /// No such user.
    NoSuchUser,
}

/// Why an address was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotChanged {
    /// The user has no such address.
    NoSuchAddress,
    /// It is the default, and no other was to become it.
    DefaultIsNeeded,
}

impl Store {
    /// A user's addresses: the default, then the others in the order in which they were added.
    pub async fn list_addresses(&self, user: UserId) -> Result<Vec<Address>, Fault> {
        self.read(move |sql| of(sql, user)).await
    }

    /// Adds an address, unless the user has [`MAX_ADDRESSES`].
    pub async fn add_address(
        &self,
        author: Author,
        new: NewAddress,
        now: Now,
    ) -> Result<Result<Address, NotAdded>, Fault> {
        self.write(move |work| {
            let NewAddress { id, place, is_default } = new;
            let Some(count) = count(work.sql, author.user)? else {
                return Ok(Err(NotAdded::NoSuchUser));
            };
            if count >= MAX_ADDRESSES {
                return Ok(Err(NotAdded::TooMany));
            }
            let address = Address { id, place, is_default: is_default || count == 0 };
            if address.is_default {
                withdraw_default(work.sql, author.user)?;
            }
            insert(work, author.user, &address)?;
            author.audit(work, Event::AddressAdded, now)?;
            Ok(Ok(address))
        })
        .await
    }

    /// Changes an address of the user's, field by field.
    pub async fn change_address(
        &self,
        author: Author,
        id: AddressId,
        change: AddressChange,
        now: Now,
    ) -> Result<Result<Address, NotChanged>, Fault> {
        self.write(move |work| {
            let Some(before) = by_id(work.sql, author.user, id)? else {
                return Ok(Err(NotChanged::NoSuchAddress));
            };
            let mut address = before.clone();
            if let Err(DefaultIsNeeded) = change.apply(&mut address) {
                return Ok(Err(NotChanged::DefaultIsNeeded));
            }
            if address != before {
                if address.is_default && !before.is_default {
                    withdraw_default(work.sql, author.user)?;
                }
                update(work, author.user, &address)?;
                author.audit(work, Event::AddressChanged, now)?;
            }
            Ok(Ok(address))
        })
        .await
    }

    /// Removes an address of the user's; when it was the default, the oldest of the others becomes
    /// it. Whether there was one.
    pub async fn remove_address(
        &self,
        author: Author,
        id: AddressId,
        now: Now,
    ) -> Result<bool, Fault> {
        self.write(move |work| {
            let removed = work
                .sql
                .prepare_cached(
                    "DELETE FROM addresses WHERE id = ?1 AND user_id = ?2 RETURNING is_default",
                )?
                .query_row([id.0, author.user.0], |row| row.get::<_, bool>(0))
                .optional()?;
            let Some(was_default) = removed else {
                return Ok(false);
            };
            if was_default {
                let heir = "UPDATE addresses SET is_default = 1 WHERE seq =
                                (SELECT min(seq) FROM addresses WHERE user_id = ?1)";
                work.sql.prepare_cached(heir)?.execute([author.user.0])?;
            }
            author.audit(work, Event::AddressRemoved, now)?;
            Ok(true)
        })
        .await
    }
}

/// The addresses of a user: the default, then the others in the order in which they were added.
pub(super) fn of(sql: &Connection, user: UserId) -> rusqlite::Result<Vec<Address>> {
    sql.prepare_cached(select!("WHERE user_id = ?1 ORDER BY is_default DESC, seq"))?
        .query_map([user.0], from_row)?
        .collect()
}

/// How many addresses the user has. `None` when there is no such user.
fn count(sql: &Connection, user: UserId) -> rusqlite::Result<Option<u32>> {
    sql.prepare_cached(
        "SELECT (SELECT count(*) FROM addresses WHERE user_id = ?1) FROM users WHERE id = ?1",
    )?
    .query_row([user.0], |row| row.get(0))
    .optional()
}

fn by_id(sql: &Connection, user: UserId, id: AddressId) -> rusqlite::Result<Option<Address>> {
    sql.prepare_cached(select!("WHERE id = ?1 AND user_id = ?2"))?
        .query_row([id.0, user.0], from_row)
        .optional()
}

/// Makes room for another default.
fn withdraw_default(sql: &Connection, user: UserId) -> rusqlite::Result<()> {
    sql.prepare_cached("UPDATE addresses SET is_default = 0 WHERE user_id = ?1 AND is_default = 1")?
        .execute([user.0])
        .map(|_| ())
}

fn insert(work: &Work<'_>, user: UserId, address: &Address) -> rusqlite::Result<()> {
    write(
        work.sql,
        "INSERT INTO addresses (id, user_id, is_default, label, recipient, line1, line2,
                                postal_code, city, region, country, phone)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        user,
        address,
    )
}

fn update(work: &Work<'_>, user: UserId, address: &Address) -> rusqlite::Result<()> {
    write(
        work.sql,
        "UPDATE addresses SET is_default = ?3, label = ?4, recipient = ?5, line1 = ?6, line2 = ?7,
                              postal_code = ?8, city = ?9, region = ?10, country = ?11, phone = ?12
         WHERE id = ?1 AND user_id = ?2",
        user,
        address,
    )
}

/// Runs a statement that writes the one row of the address.
fn write(
    sql: &Connection,
    statement: &str,
    user: UserId,
    address: &Address,
) -> rusqlite::Result<()> {
    let Address { id, place, is_default } = address;
    let rows = sql.prepare_cached(statement)?.execute(params![
        id.0,
        user.0,
        is_default,
        place.label.as_ref().map(Text::as_str),
        place.recipient.as_str(),
        place.line1.as_str(),
        place.line2.as_ref().map(Text::as_str),
        place.postal_code.as_ref().map(Text::as_str),
        place.city.as_str(),
        place.region.as_ref().map(Text::as_str),
        place.country.as_str(),
        place.phone.as_ref().map(Phone::as_str),
    ])?;
    // It was there in this very transaction.
    if rows == 1 { Ok(()) } else { Err(rusqlite::Error::StatementChangedRows(rows)) }
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Address> {
    let text = |column: usize| row.get::<_, Option<String>>(column);
    Ok(Address {
        id: AddressId(row.get(0)?),
        is_default: row.get(1)?,
        place: Place {
            label: text(2)?.map(Text::from_stored),
            recipient: Text::from_stored(row.get(3)?),
            line1: Text::from_stored(row.get(4)?),
            line2: text(5)?.map(Text::from_stored),
            postal_code: text(6)?.map(Text::from_stored),
            city: Text::from_stored(row.get(7)?),
            region: text(8)?.map(Text::from_stored),
            country: Country::from_stored(row.get(9)?),
            phone: text(10)?.map(Phone::from_stored),
        },
    })
}
