//! The caller's postal addresses.

use super::authenticate::Caller;
use super::profile::author;
use crate::app::App;
use crate::clock::random;
use crate::domain::address::{Address, AddressChange, Place};
use crate::domain::id::AddressId;
use crate::domain::session::Client;
use crate::domain::throttle::RetryAfter;
use crate::fault::Fault;
use crate::store::{NewAddress, NotAdded, NotChanged};

/// Why an address was not added, changed or removed.
#[derive(Debug)]
pub enum Refusal {
    /// Too many changes of this user's profile and addresses.
    TooManyAttempts(RetryAfter),
    /// The caller has as many as one may have.
    TooMany,
    /// The caller has no such address: another user's is like none.
    NotFound,
    /// It is the default, and stays it until another one becomes it.
    DefaultIsNeeded,
    /// The account was deleted this very moment.
    UserGone,
    /// The server's own fault.
    Internal(Fault),
}

impl<F: Into<Fault>> From<F> for Refusal {
    fn from(fault: F) -> Self {
        Self::Internal(fault.into())
    }
}

/// The caller's addresses: the default, then the others in the order in which they were added.
pub async fn list(app: &App, caller: &Caller) -> Result<Vec<Address>, Fault> {
    app.store.list_addresses(caller.user_id()).await
}

/// Adds an address; the first one becomes the default whether that is asked or not.
pub async fn add(
    app: &App,
    caller: &Caller,
    place: Place,
    is_default: bool,
    client: Client,
) -> Result<Address, Refusal> {
    let now = app.clock.now();
    let id = AddressId::new(now.wall, &random(&*app.entropy)?);
    let new = NewAddress { id, place, is_default };
    let counted = app.throttles.edit(caller.user_id(), now).map_err(Refusal::TooManyAttempts)?;
    let added = app.store.add_address(author(caller, client), new, now).await;
    counted.unless_fault(added)?.map_err(|refused| match refused {
        NotAdded::TooMany => Refusal::TooMany,
        NotAdded::NoSuchUser => Refusal::UserGone,
    })
}

/// Changes one of the caller's addresses, and answers with it.
pub async fn update(
    app: &App,
    caller: &Caller,
    id: AddressId,
    change: AddressChange,
    client: Client,
) -> Result<Address, Refusal> {
    let now = app.clock.now();
    let counted = app.throttles.edit(caller.user_id(), now).map_err(Refusal::TooManyAttempts)?;
    let changed = app.store.change_address(author(caller, client), id, change, now).await;
    counted.unless_fault(changed)?.map_err(|refused| match refused {
        NotChanged::NoSuchAddress => Refusal::NotFound,
        NotChanged::DefaultIsNeeded => Refusal::DefaultIsNeeded,
    })
}

/// Removes one of the caller's addresses.
pub async fn remove(
    app: &App,
    caller: &Caller,
    id: AddressId,
    client: Client,
) -> Result<(), Refusal> {
    let now = app.clock.now();
    let counted = app.throttles.edit(caller.user_id(), now).map_err(Refusal::TooManyAttempts)?;
    let removed = app.store.remove_address(author(caller, client), id, now).await;
    if counted.unless_fault(removed)? { Ok(()) } else { Err(Refusal::NotFound) }
}
