//! The store against a reference model, over long random histories on a real file.
//!
//! `PROPTEST_CASES` says how many histories are tried (64 otherwise), `DOORWARD_MODEL_STEPS` how
//! many steps each of them has (40 to 80 otherwise), and `--nocapture` shows what came up. The long
//! run, with its databases in memory, as every step waits for a disk otherwise:
//!
//! ```text
//! TMPDIR=/dev/shm PROPTEST_CASES=50000 DOORWARD_MODEL_STEPS=100 \
//!     cargo test --test model the_store_agrees_with_the_model -- --nocapture
//! ```

#![expect(clippy::unwrap_used, unreachable_pub, reason = "tests may panic, and are no library")]

#[path = "../common/mod.rs"]
mod common;
mod history;
mod reference;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;

use common::{ACCESS_TTL, Held, POLICY, World, claims, root, unique};
use doorward::crypto::keyring::Keyring;
use doorward::domain::account::User;
use doorward::domain::id::{Generation, SessionId};
use doorward::domain::secret::Secret;
use doorward::domain::session::{Client, EndReason, Presented, SessionPolicy};
use doorward::domain::time::Timestamp;
use doorward::store::{Refused, Standing, UserChange};
use history::{Step, USERS, Which};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use reference::{Answer, Flaw, Model, Token};

/// Both, side by side.
struct Comparison {
    world: World,
    model: Model,
    users: Vec<User>,
    /// Each session's id and the secrets of its generations.
    sessions: Vec<(SessionId, Vec<Secret>)>,
    keys: u8,
    tally: Tally,
}

/// What came up: refresh tokens by what was done with them, and more.
type Tally = BTreeMap<&'static str, u64>;

/// Where the two disagree.
type Difference = String;

fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    store: &T,
    model: &T,
) -> Result<(), Difference> {
    if store == model {
        Ok(())
    } else {
        Err(format!("{what}: the store says {store:?}, the model {model:?}"))
    }
}

impl Comparison {
    async fn new(policy: SessionPolicy, flaw: Flaw) -> Self {
        let world = World::new(policy);
        let mut users = Vec::new();
        for index in 0..USERS {
            users.push(world.user(&format!("user{index}@example.com")).await);
        }
        let model = Model::new(policy, USERS, flaw);
        Self { world, model, users, sessions: Vec::new(), keys: 1, tally: Tally::new() }
    }

    async fn run(mut self, steps: &[Step]) -> Result<Tally, Difference> {
        for (index, step) in steps.iter().enumerate() {
            let at = |difference| format!("step {index}, {step:?}: {difference}");
            self.step(*step).await.map_err(at)?;
            self.compare_sessions().await.map_err(at)?;
            self.count("steps");
        }
        self.compare_tables()?;
        self.count("histories");
        Ok(self.tally)
    }

    fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    async fn step(&mut self, step: Step) -> Result<(), Difference> {
        let now = self.world.now();
        let store = &self.world.store;
        match step {
            Step::SignIn { user } => return self.sign_in(user).await,
            Step::Wait(time) => self.world.clock.advance(time),
            Step::Restart { correction, rekey } => self.restart(correction, rekey),
            Step::Follow => store.follow(now).await.unwrap(),
            Step::WriteNotes => {
                store.write_notes(now).await.unwrap();
                self.model.commit();
            }
            Step::EndAllOf { user } => {
                let (id, client) = (self.users[user].id, Client::default());
                let ended =
                    store.end_sessions_of(id, EndReason::LogoutAll, client, now).await.unwrap();
                return same("sessions that were open", &ended, &self.model.end_all_of(user, now));
            }
            Step::ChangePassword { user } => {
                let change = UserChange::PasswordHash(common::PASSWORD_HASH.to_owned());
                store.change_user(self.users[user].id, change, now).await.unwrap();
                self.model.end_all_of(user, now);
            }
            Step::Disable { user } => {
                store.change_user(self.users[user].id, UserChange::Disable, now).await.unwrap();
                self.model.disable(user, now);
            }
            Step::Enable { user } => {
                store.change_user(self.users[user].id, UserChange::Enable, now).await.unwrap();
                self.model.enable(user);
            }
            Step::Refresh { session, .. }
            | Step::Stranger { session, .. }
            | Step::Forged { session, .. }
            | Step::Use { session, .. }
            | Step::End { session } => {
                if let Some(session) = self.find(session) {
                    return self.step_of(session, step).await;
                }
            }
        }
        Ok(())
    }

    fn find(&self, which: Which) -> Option<usize> {
        let now = self.world.now();
        let mut latest_first = (0..self.model.len()).rev();
        match which {
            Which::Live(index) => {
                latest_first.filter(|session| self.model.is_live(*session, now)).nth(index)
            }
            Which::Dead => latest_first.find(|session| !self.model.is_live(*session, now)),
        }
    }

    /// A step of a session that there is.
    async fn step_of(&mut self, session: usize, step: Step) -> Result<(), Difference> {
        let now = self.world.now();
        let newest = self.model.newest(session);
        let user = self.model.user_of(session);
        let id = self.sessions[session].0;
        match step {
            Step::Refresh { back, .. } if back < newest => {
                self.refresh(Token { session, generation: newest - back, user, is_genuine: true })
                    .await
            }
            Step::Stranger { back, .. } if back < newest => {
                let user = (user + 1) % USERS;
                self.refresh(Token { session, generation: newest - back, user, is_genuine: true })
                    .await
            }
            Step::Forged { ahead, .. } => {
                let generation = (newest + ahead).saturating_sub(2);
                self.refresh(Token { session, generation, user, is_genuine: false }).await
            }
            Step::Use { back, .. } if back < newest => {
                let generation = newest - back;
                let claims = claims(&self.users[user], id, number(generation), now);
                self.world.store.note_use(&claims, now);
                self.model.use_access_token(session, generation, now);
                Ok(())
            }
            Step::End { .. } => {
                let ended = self
                    .world
                    .store
                    .end_session(id, EndReason::Logout, Client::default(), now)
                    .await;
                same("whether it was open", &ended.unwrap(), &self.model.end(session, now))
            }
            _ => Ok(()),
        }
    }

    async fn sign_in(&mut self, user: usize) -> Result<(), Difference> {
        let held = self.world.try_sign_in(self.users[user].id).await;
        let admitted = held.is_some();
        self.sessions.extend(held.map(|held| (held.session.id, vec![held.secret])));
        same(
            "whether the sign-in is admitted",
            &admitted,
            &self.model.sign_in(user, self.world.now()),
        )
    }

    async fn refresh(&mut self, token: Token) -> Result<(), Difference> {
        let (id, secrets) = &self.sessions[token.session];
        let genuine = token.is_genuine.then(|| secrets[token.generation - 1].clone());
        let presented = Presented {
            user: self.users[token.user].id,
            session: *id,
            generation: number(token.generation),
            secret: genuine.unwrap_or_else(|| Secret::from_bytes(unique())),
        };
        let outcome = self.world.rotate(presented).await;
        let answer = match &outcome {
            Ok(held) => Answer::Tokens(usize::try_from(held.session.generation.0).unwrap()),
            Err(Refused::UserGone) => Answer::UserGone,
            Err(Refused::Invalid) => Answer::Invalid,
            Err(Refused::Foreign) => Answer::Foreign,
            Err(Refused::Reused) => Answer::Reused,
            Err(Refused::Late) => Answer::Late,
            Err(Refused::UnknownKey | Refused::RetiredKey) => unreachable!("no key is ever lost"),
        };
        let now = self.world.now();
        let (newest, was_live) =
            (self.model.newest(token.session), self.model.is_live(token.session, now));
        same("answer", &answer, &self.model.refresh(token, now))?;
        self.count(match answer {
            Answer::Tokens(generation) if generation > newest => "rotated",
            Answer::Tokens(_) => "reissued",
            Answer::Invalid if was_live => "lost",
            Answer::Invalid => "invalid",
            Answer::UserGone => "user gone",
            Answer::Foreign => "foreign",
            Answer::Reused => "reused",
            Answer::Late => "late",
        });
        match outcome {
            Ok(held) => self.keep_secret(token.session, held),
            Err(_) => Ok(()),
        }
    }

    /// A generation has one secret, however often it is given out.
    fn keep_secret(&mut self, session: usize, held: Held) -> Result<(), Difference> {
        let lookup = |secret| self.world.keys.ratchets().active().lookup(secret);
        let (id, secrets) = &mut self.sessions[session];
        same("session", &held.session.id, id)?;
        let index = usize::try_from(held.session.generation.0).unwrap() - 1;
        match secrets.get(index) {
            Some(known) if lookup(known) == lookup(&held.secret) => Ok(()),
            Some(_) => Err("a generation has two secrets".to_owned()),
            None => {
                secrets.push(held.secret);
                same("generations", &secrets.len(), &(index + 1))
            }
        }
    }

    fn restart(&mut self, correction: i64, rekey: bool) {
        let wall = self.world.now().wall.as_millis() + correction * 1_000;
        self.world.clock.set_wall(Timestamp::from_millis(wall));
        self.world.restart();
        self.model.restart();
        if rekey {
            self.keys += 1;
            let older: Vec<_> = (1..self.keys).map(root).collect();
            self.world.keys = Keyring::new(&root(self.keys), &older).unwrap();
        }
    }

    /// Which sessions live, and what is said of their access tokens.
    async fn compare_sessions(&self) -> Result<(), Difference> {
        let now = self.world.now();
        for (index, user) in self.users.iter().enumerate() {
            let live: HashSet<_> = self.world.live(user.id).await.into_iter().collect();
            let expected = (0..self.sessions.len())
                .filter(|session| {
                    self.model.user_of(*session) == index && self.model.is_live(*session, now)
                })
                .map(|session| self.sessions[session].0);
            same("live sessions", &live, &expected.collect())?;
        }
        for (session, (id, _)) in self.sessions.iter().enumerate() {
            let user = &self.users[self.model.user_of(session)];
            let standing = self.world.store.standing(&claims(user, *id, Generation::FIRST, now));
            match self.model.ended_at(session) {
                None => same("standing", &standing, &Standing::Good)?,
                Some(at) if now.wall.since(at) <= ACCESS_TTL => {
                    same("standing", &standing, &Standing::Ended)?;
                }
                // No access token of it is about any more.
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// What is in the database when all is done.
    fn compare_tables(&self) -> Result<(), Difference> {
        let count = |query: &str| self.world.count(query);
        let events = |event| count(&format!("SELECT count(*) FROM audit WHERE event = '{event}'"));
        let sessions = i64::try_from(self.sessions.len()).unwrap();
        same("rows", &count("SELECT count(*) FROM sessions"), &sessions)?;
        same("events of reuse", &events("refresh_token_reused"), &self.model.reuses)?;
        same("events of foreign tokens", &events("refresh_token_foreign"), &self.model.foreigns)
    }
}

fn number(generation: usize) -> Generation {
    Generation(u32::try_from(generation).unwrap())
}

fn compare(policy: SessionPolicy, flaw: Flaw, steps: &[Step]) -> Result<Tally, TestCaseError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime
        .block_on(async { Comparison::new(policy, flaw).await.run(steps).await })
        .map_err(TestCaseError::fail)
}

/// How many steps a history has.
const STEPS: RangeInclusive<usize> = 40..=80;

#[test]
fn the_store_agrees_with_the_model() {
    let mut config =
        Config { failure_persistence: None, max_shrink_iters: 2_000, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = 64;
    }
    let asked = std::env::var("DOORWARD_MODEL_STEPS").ok();
    let asked = asked.map(|steps| steps.parse::<usize>().unwrap());
    let steps = history::steps(asked.map_or(STEPS, |steps| steps..=steps));
    let total = RefCell::new(Tally::new());
    let outcome = TestRunner::new(config).run(&(history::policy(), steps), |(policy, steps)| {
        for (what, count) in compare(policy, Flaw::None, &steps)? {
            *total.borrow_mut().entry(what).or_default() += count;
        }
        Ok(())
    });
    println!("{:#?}", total.into_inner());
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

/// The controls: a comparison that notices nothing would also agree with these.
#[test]
fn the_comparison_notices_every_flaw() {
    for flaw in Flaw::ALL {
        let config = Config {
            cases: 400,
            failure_persistence: None,
            max_shrink_iters: 0,
            ..Config::default()
        };
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let outcome = TestRunner::new_with_rng(config, rng)
            .run(&history::steps(STEPS), |steps| compare(POLICY, flaw, &steps).map(drop));
        assert!(
            matches!(outcome, Err(TestError::Fail(..))),
            "{flaw:?} goes unnoticed: {outcome:?}"
        );
    }
}
