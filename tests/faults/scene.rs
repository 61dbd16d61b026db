//! A store on a disk that can fail, with some sessions to work on.

use std::path::Path;

use doorward::clock::Clock as _;
use doorward::domain::account::User;
use doorward::domain::session::Presented;
use doorward::store::{Standing, Store};
use doorward_test_vfs::{Disk, Fault, Operation};
use rusqlite::ffi;

use crate::common::{ACCESS_TTL, Held, MINUTE, POLICY, World};
use crate::request::{Answer, Request};
use crate::state::State;

/// More frames of the write-ahead log than make the store move it into the database, and the bytes
/// of each.
const LONG: u64 = 1000;
const FRAME: u64 = 4096 + 24;

/// An empty store, and its disk.
pub fn new_world() -> (World, Disk) {
    doorward_test_vfs::install();
    let world = World::new(POLICY);
    let disk = Disk::of(world.path().parent().unwrap()).unwrap();
    (world, disk)
}

/// The store of another directory.
pub fn open_in(directory: &Path, world: &World) -> Store {
    Store::open(&directory.join("doorward.db"), ACCESS_TTL, world.clock.now()).unwrap()
}

/// What must hold in spite of everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A sign-in over another session.
    SignIn,
    /// The current refresh token is used.
    Rotate,
    /// One is used that was superseded and whose successor was seen.
    Reuse,
    Logout,
    Revoke,
}

/// What the next commit meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    Plain,
    /// After it the log is moved.
    LongLog,
    /// The connection failed, and is to be opened anew.
    Reopening,
}

pub struct Scene {
    pub world: World,
    pub disk: Disk,
    user: User,
    superseded: Held,
    current: Held,
    other: Held,
    bystander: Held,
}

impl Scene {
    pub async fn new() -> Self {
        let (world, disk) = new_world();
        let user = world.user("ana@example.com").await;
        let superseded = world.sign_in(&user).await;
        world.clock.advance(MINUTE);
        let current = world.rotate(superseded.token()).await.unwrap();
        world.store.note_use(&current.claims(world.now()), world.now());
        world.store.write_notes(world.now()).await.unwrap();
        let other = world.sign_in(&user).await;
        let bystander = world.sign_in(&world.user("bea@example.com").await).await;
        world.clock.advance(MINUTE);
        Self { world, disk, user, superseded, current, other, bystander }
    }

    /// The same, in a certain condition.
    pub async fn in_condition(condition: Condition) -> Self {
        let scene = Self::new().await;
        match condition {
            Condition::Plain => {}
            Condition::LongLog => scene.lengthen_log(),
            Condition::Reopening => scene.fail_once().await,
        }
        scene
    }

    /// Many frames of few pages, so that to fold them is not much work.
    fn lengthen_log(&self) {
        let sql = self.world.sql();
        sql.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
        let version: i64 = sql.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        let write = format!(
            "BEGIN IMMEDIATE;
             UPDATE users SET updated_at = updated_at;
             UPDATE sessions SET last_used_at = last_used_at;
             UPDATE sqlite_sequence SET seq = seq;
             PRAGMA user_version = {version};
             COMMIT"
        );
        let log = self.world.path().with_extension("db-wal");
        while log.metadata().unwrap().len() < LONG * FRAME {
            sql.execute_batch(&write).unwrap();
        }
    }

    async fn fail_once(&self) {
        let (operation, code) = (Operation::Write, ffi::SQLITE_FULL);
        self.disk.arm(Fault { operation, nth: 1, lasts: false, code, thread: None });
        assert!(self.world.store.probe(self.world.now()).await.is_err());
        self.disk.disarm();
    }

    pub fn request(&self, act: Act) -> Request {
        match act {
            Act::SignIn => {
                let (mut new, _) = self.world.new_session();
                new.replaces = Some(self.other.session.id);
                Request::SignIn(self.user.id, new)
            }
            Act::Rotate => self.refresh(self.current.token()),
            Act::Reuse => self.refresh(self.superseded.token()),
            Act::Logout => Request::Logout(self.current.session.id),
            Act::Revoke => Request::Revoke(self.user.id, self.other.session.id),
        }
    }

    fn refresh(&self, presented: Presented) -> Request {
        Request::refresh(presented, &self.world)
    }

    pub fn state(&self) -> State {
        State::of(&self.world.path())
    }

    /// What `request` would do now, if nothing failed.
    pub async fn twin(&self, request: &Request) -> (Answer, State) {
        let directory = tempfile::tempdir().unwrap();
        self.disk.copy(self.disk.position(), directory.path()).unwrap();
        let store = open_in(directory.path(), &self.world);
        let answer = request.send(&store, self.world.now()).await.unwrap();
        (answer, State::of(store.path()))
    }

    /// What would be there if the power went now.
    pub fn after_power_loss(&self, seed: u64) -> State {
        let directory = tempfile::tempdir().unwrap();
        let position = self.disk.position();
        self.disk.lose_power(position, seed, directory.path()).unwrap();
        State::of(open_in(directory.path(), &self.world).path())
    }

    /// That lists are answered, and what needs no disk, too.
    pub async fn can_be_read(&self) {
        let now = self.world.now();
        assert_eq!(self.world.live(self.bystander.user.id).await, [self.bystander.session.id]);
        let claims = self.bystander.claims(now);
        assert_eq!(self.world.store.standing(&claims), Standing::Good);
    }

    /// That access tokens are refused of just those sessions that have ended.
    pub async fn refuses_what_has_ended(&self) {
        let now = self.world.now();
        self.world.store.follow(now).await.unwrap();
        let live = self.world.store.list_sessions(None, now).await.unwrap();
        for held in [&self.current, &self.other, &self.bystander] {
            let is_live = live.iter().any(|session| session.id == held.session.id);
            let expected = if is_live { Standing::Good } else { Standing::Ended };
            assert_eq!(self.world.store.standing(&held.claims(now)), expected);
        }
    }
}
