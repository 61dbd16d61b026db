//! Who is connected, and who goes when all places are taken.
//!
//! A newcomer never waits behind peers that say nothing. While a connection waits for its peer (for
//! a head, for the rest of a body, for the next request) it can be sent away; while a request is
//! being answered it cannot. Somebody who was sent away has lost nothing: no request of theirs has
//! begun, and clients are used to connections that close (RFC 9112 §9.6).

use std::cmp::Reverse;
use std::collections::HashMap;
use std::future::pending;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::domain::throttle::address_bucket;
use crate::metric;

/// The open connections.
pub(super) struct Connections {
    most: usize,
    open: Mutex<Open>,
    turns: Arc<Turns>,
}

#[derive(Default)]
struct Open {
    /// By the network of the peer, then by the turn in which they came.
    networks: HashMap<IpAddr, HashMap<u64, Place>>,
    count: usize,
    /// Those of them that were told to go and have not gone yet.
    leaving: usize,
}

/// What connections count the time in, and how they say that somebody could be sent away or is gone.
#[derive(Default)]
struct Turns {
    last: AtomicU64,
    changed: Notify,
}

impl Turns {
    /// The first one is 1.
    fn next(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// A connection, as its requests know it.
#[derive(Clone)]
pub(super) struct Place(Arc<Inner>);

struct Inner {
    /// The turn since when it waits for its peer, or one of the two below.
    state: AtomicU64,
    go: Notify,
    turns: Arc<Turns>,
}

/// A request is being answered.
const WORKING: u64 = 0;
/// It was told to go.
const LEAVING: u64 = u64::MAX;

impl Place {
    fn new(turn: u64, turns: &Arc<Turns>) -> Self {
        let state = AtomicU64::new(turn);
        Self(Arc::new(Inner { state, go: Notify::new(), turns: Arc::clone(turns) }))
    }

    /// It is its peer's turn. Until it [works](Self::works) again it can be sent away.
    pub(super) fn waits(&self) {
        let turn = self.0.turns.next();
        self.set(|state| (state == WORKING).then_some(turn));
        self.0.turns.changed.notify_one();
    }

    /// Its peer has said what there was to say. Never resolves when it was sent away before: what
    /// would begin now could not be answered.
    pub(super) async fn works(&self) {
        if !self.set(|state| (state != LEAVING).then_some(WORKING)) {
            pending::<()>().await;
        }
    }

    /// Waits for what is up to the peer, in the middle of a request.
    pub(super) async fn waiting<T>(&self, peer: impl Future<Output = T>) -> T {
        self.waits();
        let outcome = peer.await;
        self.works().await;
        outcome
    }

    /// Resolves once it has to go.
    pub(super) async fn sent_away(&self) {
        self.0.go.notified().await;
    }

    /// Tells it to go, unless it works.
    fn send_away(&self) -> bool {
        let told = self.set(|state| (state != WORKING && state != LEAVING).then_some(LEAVING));
        if told {
            self.0.go.notify_one();
        }
        told
    }

    fn set(&self, change: impl FnMut(u64) -> Option<u64>) -> bool {
        self.0.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, change).is_ok()
    }

    fn state(&self) -> u64 {
        self.0.state.load(Ordering::Acquire)
    }
}

impl Open {
    /// Who goes next: of those who wait for their peer, one of the network with the most
    /// connections, so that nobody takes the places of others; of these the one who has waited
    /// longest.
    fn choose(&self) -> Option<&Place> {
        let waiting = self.networks.values().flat_map(|places| {
            let of_network = places.values().map(|place| (places.len(), place.state(), place));
            of_network.filter(|(_, state, _)| *state != WORKING && *state != LEAVING)
        });
        let next = waiting.max_by_key(|(size, since, _)| (*size, Reverse(*since)));
        next.map(|(_, _, place)| place)
    }

    /// Unless somebody is about to go already.
    fn make_room(&mut self) {
        while self.leaving == 0 {
            let Some(place) = self.choose() else { return };
            // It may have begun to work meanwhile.
            self.leaving += usize::from(place.send_away());
        }
    }
}

impl Connections {
    /// Room for so many.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most: most.max(1), open: Mutex::default(), turns: Arc::default() })
    }

    /// A place for a newcomer. When there is none, somebody who says nothing goes for it; while all
    /// have requests under way, it waits.
    pub(super) async fn admit(self: &Arc<Self>, peer: IpAddr) -> Seat {
        loop {
            if let Some(seat) = self.seat(address_bucket(peer)) {
                return seat;
            }
            self.turns.changed.notified().await;
        }
    }

    fn seat(self: &Arc<Self>, network: IpAddr) -> Option<Seat> {
        let mut open = self.open();
        if open.count >= self.most {
            open.make_room();
            return None;
        }
        let turn = self.turns.next();
        let place = Place::new(turn, &self.turns);
        open.networks.entry(network).or_default().insert(turn, place.clone());
        open.count += 1;
        metrics::gauge!(metric::CONNECTIONS).increment(1.0);
        Some(Seat { connections: Arc::clone(self), network, turn, place })
    }

    /// Resolves once all are gone.
    pub(super) async fn emptied(&self) {
        while self.open().count > 0 {
            self.turns.changed.notified().await;
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that is taken. It is free again once this is dropped, however that comes.
pub(super) struct Seat {
    connections: Arc<Connections>,
    network: IpAddr,
    turn: u64,
    pub(super) place: Place,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        if let Some(places) = open.networks.get_mut(&self.network) {
            places.remove(&self.turn);
            if places.is_empty() {
                open.networks.remove(&self.network);
            }
        }
        open.count -= 1;
        if self.place.state() == LEAVING {
            open.leaving -= 1;
            metrics::counter!(metric::SENT_AWAY).increment(1);
        }
        drop(open);
        metrics::gauge!(metric::CONNECTIONS).decrement(1.0);
        self.connections.turns.changed.notify_one();
    }
}

#[cfg(test)]
#[path = "connections_tests.rs"]
mod tests;
