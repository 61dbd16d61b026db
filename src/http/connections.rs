//! Who is connected, and who goes when all places are taken.
//!
//! A newcomer never waits behind peers that say nothing. While a connection waits for its peer (for
//! a head, for the rest of a body, for the next request) it can be sent away; while a request is
//! being answered it cannot. Somebody who was sent away has lost nothing: no request of theirs has
//! begun, and clients are used to connections that close (RFC 9112 §9.6).

use std::cmp::Reverse;
use std::collections::HashMap;
use std::future::pending;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

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
            pending().await
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
            if let Some(seat) = self.seat(network(peer)) {
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

/// Who a peer is: an address, and of IPv6 the /64 that one household has.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::future::poll_fn;
    use std::pin::pin;
    use std::task::Poll;

    use proptest::prelude::*;

    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    /// Whether it is done at once.
    async fn is_done(future: impl Future) -> bool {
        let mut future = pin!(future);
        poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
    }

    /// What it would take to look through, without the table.
    fn expected(seats: &[(u8, Seat)]) -> Option<u64> {
        let mut sizes = HashMap::<u8, usize>::new();
        for (peer, _) in seats {
            *sizes.entry(*peer).or_default() += 1;
        }
        let mut waiting: Vec<_> =
            seats.iter().filter(|(_, seat)| is_waiting(&seat.place)).collect();
        let largest = waiting.iter().map(|(peer, _)| sizes[peer]).max()?;
        waiting.retain(|(peer, _)| sizes[peer] == largest);
        waiting.iter().map(|(_, seat)| seat.place.state()).min()
    }

    fn is_waiting(place: &Place) -> bool {
        ![WORKING, LEAVING].contains(&place.state())
    }

    #[derive(Clone, Debug)]
    enum Step {
        Come(u8),
        Work(usize),
        Wait(usize),
        Leave(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let seat = 0..100_usize;
        prop_oneof![
            3 => (0..4_u8).prop_map(Step::Come),
            2 => seat.clone().prop_map(Step::Work),
            2 => seat.clone().prop_map(Step::Wait),
            1 => seat.prop_map(Step::Leave),
        ]
    }

    proptest! {
        /// Whatever happens: never more than there is room for, nobody who works is sent away, and
        /// who is sent away is who a plain search finds.
        #[test]
        fn the_right_one_goes(most in 1..12_usize, steps in proptest::collection::vec(step(), 1..80)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let connections = Connections::new(most);
                let mut seats: Vec<(u8, Seat)> = Vec::new();
                for step in steps {
                    match step {
                        Step::Come(peer) => {
                            let next = expected(&seats);
                            let is_full = seats.len() == most;
                            let seat = connections.seat(ip(peer));
                            assert_eq!(seat.is_none(), is_full);
                            seats.extend(seat.map(|seat| (peer, seat)));
                            let mut gone = seats.extract_if(.., |(_, seat)| seat.place.state() == LEAVING);
                            let is_somebody_gone = gone.next().inspect(|(_, seat)| {
                                assert!(!is_waiting(&seat.place));
                            }).is_some();
                            assert!(gone.next().is_none(), "more than one goes");
                            drop(gone);
                            assert_eq!(is_somebody_gone, is_full && next.is_some());
                            if is_somebody_gone {
                                assert!(seats.iter().all(|(_, seat)| Some(seat.place.state()) != next));
                            }
                        }
                        Step::Work(_) | Step::Wait(_) | Step::Leave(_) if seats.is_empty() => {}
                        Step::Work(index) => seats[index % seats.len()].1.place.works().await,
                        Step::Wait(index) => seats[index % seats.len()].1.place.waits(),
                        Step::Leave(index) => drop(seats.swap_remove(index % seats.len())),
                    }
                    let open = connections.open();
                    assert_eq!(open.count, seats.len());
                    assert_eq!(open.leaving, 0);
                    assert_eq!(open.networks.values().map(HashMap::len).sum::<usize>(), seats.len());
                }
                drop(seats);
                assert!(is_done(connections.emptied()).await);
                assert!(connections.open().networks.is_empty());
            });
        }
    }

    #[tokio::test]
    async fn a_request_begins_or_its_connection_goes_but_not_both() {
        let connections = Connections::new(1);
        let first = connections.admit(ip(1)).await;
        first.place.works().await;
        assert!(!is_done(connections.admit(ip(2))).await, "a request is under way");
        assert!(!is_done(first.place.sent_away()).await);

        first.place.waits();
        assert!(!is_done(connections.admit(ip(2))).await, "the first has yet to go");
        assert!(is_done(first.place.sent_away()).await);
        assert!(!is_done(first.place.works()).await, "a request begins that cannot be answered");
        assert!(!is_done(first.place.waiting(async {})).await);
        drop(first);
        assert!(is_done(connections.admit(ip(2))).await);
    }

    #[test]
    fn a_household_is_one_peer() {
        for (one, other, is_same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8::1", "2001:db8::2", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
        ] {
            let of = |address: &str| network(address.parse().unwrap());
            assert_eq!(of(one) == of(other), is_same, "{one} {other}");
        }
    }
}
