//! The power goes at any point of a history: what was acknowledged is there, the one request that
//! was under way has happened or has not, and nothing that had ended lives.

use std::collections::HashSet;
use std::ffi::c_int;
use std::path::Path;

use doorward::domain::account::User;
use doorward::domain::id::{Generation, SessionId};
use doorward::domain::time::Now;
use doorward::store::{Refused, Standing, Store};
use doorward_test_vfs::{Dice, Disk, Fault, Loss, Operation};
use rusqlite::ffi;

use crate::common::{Held, SECOND, World};
use crate::request::{Answer, Request};
use crate::scene::{new_world, open_in};
use crate::state::State;

const STEPS: usize = 40;
const LOSSES_PER_HISTORY: usize = 25;
const USERS: usize = 2;

/// What fails in a storm, for everybody.
const FAULTS: [(Operation, c_int); 4] = [
    (Operation::Write, ffi::SQLITE_FULL),
    (Operation::Write, ffi::SQLITE_IOERR_WRITE),
    (Operation::Sync, ffi::SQLITE_IOERR_FSYNC),
    (Operation::Truncate, ffi::SQLITE_IOERR_TRUNCATE),
];

/// What was acknowledged up to a point.
struct Mark {
    position: usize,
    now: Now,
    state: State,
    live: HashSet<(SessionId, Generation)>,
    /// The newest tokens of all sessions, live or not.
    tokens: Vec<Held>,
}

/// Whether disks fail every now and then while a history is made.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Weather {
    Fair,
    Stormy,
}

struct History {
    world: World,
    disk: Disk,
    dice: Dice,
    weather: Weather,
    users: Vec<User>,
    /// The tokens of each session, by generation.
    sessions: Vec<Vec<Held>>,
    marks: Vec<Mark>,
    /// Requests that were refused, and then sent again.
    refused: usize,
}

impl History {
    async fn new(seed: u64, weather: Weather, prepare: impl FnOnce(&Disk)) -> Self {
        let (world, disk) = new_world();
        prepare(&disk);
        let (users, sessions, marks) = (Vec::new(), Vec::new(), Vec::new());
        let dice = Dice::new(seed);
        let mut history = Self { world, disk, dice, weather, users, sessions, marks, refused: 0 };
        history.mark().await;
        for index in 0..USERS {
            let user = history.world.user(&format!("user{index}@example.com")).await;
            history.users.push(user);
            history.mark().await;
        }
        for _ in 0..STEPS {
            history.step().await;
            history.mark().await;
        }
        history
    }

    async fn mark(&mut self) {
        let (position, now) = (self.disk.position(), self.world.now());
        let live = self.world.store.list_sessions(None, now).await.unwrap();
        self.marks.push(Mark {
            position,
            now,
            state: State::of(&self.world.path()),
            live: live.iter().map(|session| (session.id, session.generation)).collect(),
            tokens: self.sessions.iter().filter_map(|tokens| tokens.last().cloned()).collect(),
        });
    }

    async fn step(&mut self) {
        self.world.clock.advance(SECOND * u32::try_from(self.dice.below(30)).unwrap());
        if self.sessions.is_empty() {
            return self.sign_in().await;
        }
        let session = self.dice.below(self.sessions.len());
        let (id, user) = (self.newest(session).session.id, self.newest(session).user.id);
        match self.dice.below(16) {
            0..=2 => self.sign_in().await,
            3..=6 => self.refresh(session, 0).await,
            7 => self.refresh(session, 1).await,
            8 => self.refresh(session, 2).await,
            9 => drop(self.send(Request::Logout(id)).await),
            10 => drop(self.send(Request::Revoke(user, id)).await),
            11 => drop(self.send(Request::LogoutAll(user)).await),
            12 => self.use_access_token(session).await,
            13 | 14 => self.checkpoint(),
            _ => self.restart(),
        }
    }

    fn newest(&self, session: usize) -> &Held {
        self.sessions[session].last().unwrap()
    }

    async fn sign_in(&mut self) {
        let user = self.users[self.dice.below(USERS)].clone();
        let (new, secret) = self.world.new_session();
        let id = new.id;
        self.send(Request::SignIn(user.id, new)).await;
        let live = self.world.store.list_sessions(Some(user.id), self.world.now()).await.unwrap();
        let session = live.into_iter().find(|session| session.id == id).unwrap();
        self.sessions.push(vec![Held { session, user, secret }]);
    }

    /// Presents the newest token of a session, or one that is `back` generations older.
    async fn refresh(&mut self, session: usize, back: usize) {
        let tokens = &self.sessions[session];
        let held = tokens[tokens.len().saturating_sub(1 + back)].clone();
        let answer = self.send(Request::refresh(held.token(), &self.world)).await;
        if let Some(Answer::Refreshed(token)) = answer
            && token.0.session.generation > self.newest(session).session.generation
        {
            self.sessions[session].push(token.0);
        }
    }

    async fn use_access_token(&mut self, session: usize) {
        let now = self.world.now();
        self.world.store.note_use(&self.newest(session).claims(now), now);
        self.world.store.write_notes(now).await.unwrap();
    }

    fn checkpoint(&mut self) {
        let mode = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"][self.dice.below(4)];
        let sql = self.world.sql();
        sql.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(())).unwrap();
    }

    fn restart(&mut self) {
        if self.dice.chance(50) {
            self.world.store.close_for_good();
        }
        self.world.restart();
    }

    /// Sends a request until it is acknowledged; `None` when it had happened in spite of an error.
    async fn send(&mut self, request: Request) -> Option<Answer> {
        let now = self.world.now();
        if self.weather == Weather::Stormy && self.dice.chance(60) {
            let (operation, code) = FAULTS[self.dice.below(FAULTS.len())];
            let nth = 1 + self.dice.below(if operation == Operation::Write { 12 } else { 2 });
            let lasts = self.dice.chance(50);
            self.disk.arm(Fault { operation, nth, lasts, code, thread: None });
            let answer = request.send(&self.world.store, now).await;
            self.disk.disarm();
            if answer.is_ok() {
                return answer.ok();
            }
            self.refused += 1;
            if State::of(&self.world.path()) != self.marks.last().unwrap().state {
                return None;
            }
        }
        Some(request.send(&self.world.store, now).await.unwrap())
    }

    /// Loses power at some point, half of the time as soon as something was acknowledged.
    fn lose_power(&mut self, seed: u64, into: &Path) -> (usize, Loss) {
        let position = if self.dice.chance(50) {
            self.marks[self.dice.below(self.marks.len())].position
        } else {
            self.dice.below(self.disk.position() + 1)
        };
        (position, self.disk.lose_power(position, seed, into).unwrap())
    }

    /// The last mark that was acknowledged at `position`, and the one that was under way.
    fn around(&self, position: usize) -> (usize, Option<usize>) {
        let after = self.marks.partition_point(|mark| mark.position <= position);
        let Some(last) = after.checked_sub(1) else { return (0, None) };
        let under_way = self.marks[last].position < position && after < self.marks.len();
        (last, under_way.then_some(after))
    }

    /// What of it `store` has found, which must be all, after a power loss at `position`.
    fn found_in(&self, store: &Store, position: usize, case: &str) -> &Mark {
        let (last, under_way) = self.around(position);
        let state = State::of(store.path());
        let mut possible = [Some(last), under_way].into_iter().flatten();
        let found = possible.find(|mark| self.marks[*mark].state == state);
        let difference = || self.marks[last].state.difference(&state);
        &self.marks[found.unwrap_or_else(|| panic!("{case}:\n{}", difference()))]
    }
}

/// Has a store say what it knows, and go on from there.
async fn serves(store: &Store, world: &World, mark: &Mark) {
    let live = store.list_sessions(None, mark.now).await.unwrap();
    let live: HashSet<_> = live.iter().map(|session| (session.id, session.generation)).collect();
    assert_eq!(live, mark.live);
    for held in &mark.tokens {
        let is_live = live.iter().any(|(id, _)| *id == held.session.id);
        let standing = store.standing(&held.claims(mark.now));
        assert_eq!(standing, if is_live { Standing::Good } else { Standing::Ended });
        let answer = Request::refresh(held.token(), world).send(store, mark.now).await.unwrap();
        match answer {
            Answer::Refreshed(..) => assert!(is_live, "an ended session lives"),
            refused => {
                assert_eq!(refused, Answer::Refused(Refused::Invalid));
                assert!(!is_live, "an acknowledged token is refused");
            }
        }
    }
}

/// How many power losses there are to be in each weather.
fn times() -> usize {
    let asked = std::env::var("DOORWARD_POWER_LOSSES");
    asked.map_or(400, |number| number.parse().unwrap()) / 2
}

async fn nothing_acknowledged_is_lost(weather: Weather, times: usize) {
    let (mut writes, mut refused) = (Loss::default(), 0);
    for seed in 0..times.div_ceil(LOSSES_PER_HISTORY) as u64 {
        let mut history = History::new(seed, weather, |_| {}).await;
        refused += history.refused;
        for loss in 0..LOSSES_PER_HISTORY as u64 {
            let directory = tempfile::tempdir().unwrap();
            let (position, lost) = history.lose_power(loss, directory.path());
            writes.kept += lost.kept;
            writes.torn += lost.torn;
            writes.dropped += lost.dropped;
            let case = format!("history {seed}, loss {loss} at {position}");
            let store = open_in(directory.path(), &history.world);
            let mark = history.found_in(&store, position, &case);
            serves(&store, &history.world, mark).await;
        }
    }
    println!("{weather:?}: {times} power losses; {refused} requests refused; writes: {writes:?}");
    for fate in [writes.kept, writes.torn, writes.dropped] {
        assert!(fate > times / 4, "{writes:?}");
    }
    assert_eq!(refused > 0, weather == Weather::Stormy);
}

#[tokio::test]
async fn in_fair_weather() {
    nothing_acknowledged_is_lost(Weather::Fair, times()).await;
}

#[tokio::test]
async fn in_stormy_weather() {
    nothing_acknowledged_is_lost(Weather::Stormy, times()).await;
}

/// The control: with `synchronous = NORMAL` the file is sound, and acknowledged requests are gone.
#[tokio::test]
async fn commits_that_do_not_wait_are_lost() {
    let (mut losses, mut requests) = (0, 0);
    for seed in 0..4 {
        let mut history = History::new(seed, Weather::Fair, Disk::commit_without_sync).await;
        for loss in 0..LOSSES_PER_HISTORY as u64 {
            let directory = tempfile::tempdir().unwrap();
            let (position, _) = history.lose_power(loss, directory.path());
            let (last, under_way) = history.around(position);
            let state = State::of(open_in(directory.path(), &history.world).path());
            let mut marks = history.marks[..=under_way.unwrap_or(last)].iter();
            let found = marks.rposition(|mark| mark.state == state).unwrap();
            losses += usize::from(found < last);
            requests += last.saturating_sub(found);
        }
    }
    println!("without syncs: {requests} acknowledged steps lost in {losses} of 100 power losses");
    assert!(losses > 10, "{losses}");
}
