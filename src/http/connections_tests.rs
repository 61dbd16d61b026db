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

/// Those who sit, each with the last number of its address.
#[derive(Default)]
struct Seats(Vec<(u8, Seat)>);

#[derive(Clone, Debug)]
enum Step {
    Come(u8),
    Work(usize),
    Wait(usize),
    Leave(usize),
}

impl Seats {
    /// The state of whom a plain search finds: among those who wait, first the largest crowds, then
    /// the longest wait.
    fn next(&self) -> Option<u64> {
        let mut sizes = HashMap::<u8, usize>::new();
        for (peer, _) in &self.0 {
            *sizes.entry(*peer).or_default() += 1;
        }
        let waiting = |(_, seat): &&(u8, Seat)| seat.place.state() != WORKING;
        let largest = self.0.iter().filter(waiting).map(|(peer, _)| sizes[peer]).max()?;
        let crowds = self.0.iter().filter(waiting).filter(|(peer, _)| sizes[peer] == largest);
        crowds.map(|(_, seat)| seat.place.state()).min()
    }

    fn place(&self, index: usize) -> Option<&Place> {
        self.0.get(index % self.0.len().max(1)).map(|(_, seat)| &seat.place)
    }

    /// A newcomer gets a place if there is one. If not, the right one has to go, and goes.
    fn come(&mut self, peer: u8, connections: &Arc<Connections>) {
        let states = |seats: &Self| seats.0.iter().map(|(_, seat)| seat.place.state()).collect();
        let (mut expected, is_full): (Vec<u64>, _) =
            (states(self), self.0.len() == connections.most);
        let next = self.next();
        if let Some(seat) = connections.seat(ip(peer)) {
            assert!(!is_full, "more come than there is room for");
            self.0.push((peer, seat));
            return;
        }
        assert!(is_full, "there was room");
        for state in &mut expected {
            if Some(*state) == next {
                *state = LEAVING;
            }
        }
        assert_eq!(states(self), expected);
        // Another newcomer does not send a second one away.
        assert!(connections.seat(ip(peer)).is_none());
        if next.is_some() {
            assert_eq!(states(self), expected);
        }
        self.0.retain(|(_, seat)| seat.place.state() != LEAVING);
    }
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
    #[test]
    fn the_right_one_goes(most in 1..12_usize, steps in proptest::collection::vec(step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let connections = Connections::new(most);
        let mut seats = Seats::default();
        for step in steps {
            match step {
                Step::Come(peer) => seats.come(peer, &connections),
                Step::Work(index) => {
                    if let Some(place) = seats.place(index) {
                        runtime.block_on(place.works());
                    }
                }
                Step::Wait(index) => {
                    if let Some(place) = seats.place(index) {
                        place.waits();
                    }
                }
                Step::Leave(_) if seats.0.is_empty() => {}
                Step::Leave(index) => drop(seats.0.swap_remove(index % seats.0.len())),
            }
            let open = connections.open();
            assert_eq!((open.count, open.leaving), (seats.0.len(), 0));
            assert_eq!(open.networks.values().map(HashMap::len).sum::<usize>(), seats.0.len());
        }
        drop(seats);
        assert!(runtime.block_on(is_done(connections.emptied())));
        assert!(connections.open().networks.is_empty());
    }
}

#[tokio::test]
async fn a_request_begins_or_its_connection_goes_but_not_both() {
    let connections = Connections::new(1);
    let first = connections.admit(ip(1)).await;
    first.place.works().await;
    assert!(!is_done(connections.admit(ip(2))).await, "a request is under way");
    assert!(!is_done(first.place.sent_away()).await);
    assert!(!first.place.send_away(), "it has begun since it was chosen");

    first.place.waits();
    assert!(!is_done(connections.admit(ip(2))).await, "the first has yet to go");
    assert!(is_done(first.place.sent_away()).await);
    assert!(!is_done(first.place.works()).await, "a request begins that cannot be answered");
    assert!(!is_done(first.place.waiting(async {})).await);
    drop(first);
    assert!(is_done(connections.admit(ip(2))).await);
}

/// Who waits for a place is told when somebody could be sent away, and when somebody is gone.
#[tokio::test]
async fn a_newcomer_is_woken() {
    let connections = Connections::new(1);
    let first = connections.admit(ip(1)).await;
    first.place.works().await;
    let newcomer = tokio::spawn({
        let connections = Arc::clone(&connections);
        async move { drop(connections.admit(ip(2)).await) }
    });
    tokio::task::yield_now().await;
    first.place.waits();
    tokio::task::yield_now().await;
    assert!(is_done(first.place.sent_away()).await, "nobody looks again");
    drop(first);
    let patience = std::time::Duration::from_secs(20);
    tokio::time::timeout(patience, newcomer).await.expect("nobody wakes it").unwrap();
    connections.emptied().await;
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
        let of = |address: &str| address_bucket(address.parse().unwrap());
        assert_eq!(of(one) == of(other), is_same, "{one} {other}");
    }
}
