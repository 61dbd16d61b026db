//! Many at once, on threads, against a real file: nothing forks, nothing is accused wrongly, and what
//! has ended stays ended.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::{PASSWORD_HASH, POLICY, World};
use doorward::app::App;
use doorward::clock::{Clock as _, FakeClock, SystemEntropy};
use doorward::config::Config;
use doorward::crypto::keyring::Keyring;
use doorward::crypto::refresh::open;
use doorward::domain::account::Email;
use doorward::domain::id::{Generation, SessionId};
use doorward::domain::password::Password;
use doorward::domain::session::{Client, EndReason, SessionPolicy};
use doorward::flows::authenticate::Credentials;
use doorward::flows::login::{self, Visitor};
use doorward::flows::mint::Issued;
use doorward::flows::refresh::{Refusal, refresh};
use doorward::flows::{logout, register};
use doorward::store::{Refused, Standing, Store, UserChange};
use futures_util::future::join_all;

const MANY: usize = 64;

/// An application on a temporary file, whose clock stands still.
struct Running {
    app: Arc<App>,
    _data: tempfile::TempDir,
}

impl Running {
    fn new(config: Config) -> Self {
        let data = tempfile::tempdir().unwrap();
        let clock = FakeClock::at(common::beginning());
        let store =
            Store::open(&data.path().join("doorward.db"), config.access_token_ttl, clock.now())
                .unwrap();
        let keys = Keyring::new(&common::root(1), &[]).unwrap();
        let config =
            Config { argon2_memory_kib: 8, argon2_iterations: 1, throttle: false, ..config };
        let bound = SocketAddr::from(([127, 0, 0, 1], 8080));
        let app =
            App::new(config, bound, store, keys, Arc::new(clock), Arc::new(SystemEntropy)).unwrap();
        Self { app: Arc::new(app), _data: data }
    }

    async fn register(&self) -> Issued {
        let (email, password) = ana();
        match register::register(&self.app, email, password, visitor()).await.unwrap() {
            register::Registered::SignedIn(issued) => *issued,
            register::Registered::Pending(_) => unreachable!("nothing is to be verified"),
        }
    }

    /// Presents `token` `times` times at once.
    async fn refresh_at_once(&self, token: &str, times: usize) -> Vec<Result<Issued, Refusal>> {
        let tasks = (0..times).map(|_| {
            let (app, token) = (Arc::clone(&self.app), token.to_owned());
            tokio::spawn(async move { refresh(&app, &token, Client::default()).await })
        });
        join_all(tasks).await.into_iter().map(Result::unwrap).collect()
    }

    async fn live(&self) -> usize {
        self.app.store.list_sessions(None, self.app.clock.now()).await.unwrap().len()
    }

    /// What the database keeps of the secret in a refresh token.
    fn fingerprint(&self, token: &str) -> [u8; 32] {
        self.app
            .keys
            .current()
            .ratchets()
            .active()
            .lookup(&open(token, &self.app.keys.current()).unwrap().sec)
            .0
    }
}

fn ana() -> (Email, Password) {
    (Email::parse("ana@example.com").unwrap(), Password::present("correct horse").unwrap())
}

fn visitor() -> Visitor {
    Visitor { address: None, client: Client::default(), replaces: None, remember: true }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_refreshes_with_one_token_get_one_successor() {
    let running = Running::new(Config::default());
    let mut token = running.register().await.refresh_token;
    for round in 2..6 {
        let answers = running.refresh_at_once(&token, MANY).await;
        let issued: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        assert!(issued.iter().all(|issued| issued.session.generation == Generation(round)));
        let successor = running.fingerprint(&issued[0].refresh_token);
        assert!(
            issued.iter().all(|issued| running.fingerprint(&issued.refresh_token) == successor)
        );
        token.clone_from(&issued[MANY / 2].refresh_token);
    }
    assert_eq!(running.live().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_strict_mode_one_wins_and_the_session_ends() {
    let running =
        Running::new(Config { refresh_grace: std::time::Duration::ZERO, ..Config::default() });
    let token = running.register().await.refresh_token;
    let answers = running.refresh_at_once(&token, MANY).await;
    let won: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
    assert_eq!(won.len(), 1);
    let refusals = || answers.iter().filter_map(|answer| answer.as_ref().err());
    let count = |is: fn(&Refusal) -> bool| refusals().filter(|refusal| is(refusal)).count();
    assert_eq!(
        count(|refusal| matches!(refusal, Refusal::Reused)),
        1,
        "the first to come too late"
    );
    assert_eq!(count(|refusal| matches!(refusal, Refusal::Invalid)), MANY - 2, "and all after it");
    assert_eq!(running.live().await, 0);
    assert_eq!(running.app.store.standing(&won[0].claims), Standing::Ended);
    let successor = refresh(&running.app, &won[0].refresh_token, Client::default()).await;
    assert!(matches!(successor, Err(Refusal::Invalid)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_logout_is_outlived_by_no_refresh() {
    let running = Running::new(Config::default());
    running.register().await;
    for _ in 0..20 {
        let (email, password) = ana();
        let first = login::login(&running.app, email, password, visitor()).await.unwrap();
        let leave = async {
            let app = Arc::clone(&running.app);
            let token = first.refresh_token.clone();
            tokio::spawn(async move {
                let credentials = Credentials { refresh: Some(&token), ..Credentials::default() };
                logout::logout(&app, None, &credentials, Client::default()).await
            })
            .await
        };
        let (left, answers) = tokio::join!(leave, running.refresh_at_once(&first.refresh_token, 8));
        left.unwrap().unwrap();
        for issued in answers.iter().filter_map(|answer| answer.as_ref().ok()) {
            assert_eq!(running.app.store.standing(&issued.claims), Standing::Ended);
            let next = refresh(&running.app, &issued.refresh_token, Client::default()).await;
            assert!(matches!(next, Err(Refusal::Invalid)));
        }
        assert!(
            answers.iter().all(|answer| matches!(answer, Ok(_) | Err(Refusal::Invalid))),
            "nobody is accused"
        );
        assert_eq!(running.live().await, 1, "the one that registering has started");
    }
}

/// One refresh as its caller saw it. `began` and `ended` are readings of one counter.
struct Seen {
    began: usize,
    ended: usize,
    presented: u32,
    answer: Result<(u32, [u8; 32]), Refusal>,
}

/// A recorded history is as if each refresh happened at one moment between its call and its return.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_history_of_refreshes_is_linearizable() {
    const TABS: usize = 8;
    const ROUNDS: usize = 25;
    let running = Running::new(Config::default());
    let first = running.register().await;
    let jar = Arc::new(Mutex::new((1, first.refresh_token)));
    let ticks = Arc::new(AtomicUsize::new(0));

    let tabs = (0..TABS).map(|_| {
        let (app, jar, ticks) = (Arc::clone(&running.app), Arc::clone(&jar), Arc::clone(&ticks));
        tokio::spawn(async move {
            let mut seen = Vec::new();
            for _ in 0..ROUNDS {
                let (presented, token) = jar.lock().unwrap().clone();
                let began = ticks.fetch_add(1, Ordering::SeqCst);
                let answer = refresh(&app, &token, Client::default()).await;
                let ended = ticks.fetch_add(1, Ordering::SeqCst);
                let answer = answer.map(|issued| {
                    let generation = issued.session.generation.0;
                    let secret = open(&issued.refresh_token, &app.keys.current()).unwrap().sec;
                    // As a browser does: whatever came last is kept, be it older.
                    *jar.lock().unwrap() = (generation, issued.refresh_token);
                    (generation, app.keys.current().ratchets().active().lookup(&secret).0)
                });
                seen.push(Seen { began, ended, presented, answer });
            }
            seen
        })
    });
    let history: Vec<Seen> = join_all(tabs).await.into_iter().flat_map(Result::unwrap).collect();

    let mut secrets = HashMap::new();
    for seen in &history {
        match &seen.answer {
            Ok((generation, secret)) => {
                assert_eq!(*generation, seen.presented + 1);
                assert_eq!(
                    secrets.entry(*generation).or_insert(*secret),
                    secret,
                    "generation {generation} forked"
                );
            }
            Err(refusal) => {
                assert!(matches!(refusal, Refusal::Late), "{refusal:?}");
                let overtook = |other: &Seen| {
                    let reached = other.answer.as_ref().map_or(0, |(generation, _)| *generation);
                    other.began < seen.ended && reached >= seen.presented + 2
                };
                assert!(
                    history.iter().any(overtook),
                    "nobody overtook generation {}",
                    seen.presented
                );
            }
        }
    }
    let newest = secrets.keys().max().copied().unwrap();
    assert_eq!(secrets.len() + 1, newest as usize, "each generation was given to somebody");
    for earlier in &history {
        let Ok((reached, _)) = earlier.answer else { continue };
        for later in history.iter().filter(|later| later.began > earlier.ended) {
            let generation = later.answer.as_ref().map_or(reached, |(generation, _)| *generation);
            assert!(generation >= reached, "{generation} was current after {reached}");
        }
    }
    assert_eq!(running.live().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn however_many_sign_in_at_once_no_more_sessions_live_than_are_allowed() {
    const MOST: u32 = 5;
    let running = Running::new(Config { max_sessions_per_user: MOST, ..Config::default() });
    let registered = running.register().await.claims;
    let sign_ins = (0..MANY).map(|_| {
        let app = Arc::clone(&running.app);
        let (email, password) = ana();
        tokio::spawn(async move {
            login::login(&app, email, password, visitor()).await.map(|issued| issued.claims)
        })
    });
    let mut claims: Vec<_> =
        join_all(sign_ins).await.into_iter().map(|outcome| outcome.unwrap().unwrap()).collect();
    claims.push(registered);
    assert_eq!(running.live().await, MOST as usize);
    let good =
        claims.iter().filter(|claims| running.app.store.standing(claims) == Standing::Good).count();
    assert_eq!(good, MOST as usize);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_address_is_registered_once() {
    let running = Running::new(Config::default());
    let attempts = (0..16).map(|_| {
        let app = Arc::clone(&running.app);
        let (email, password) = ana();
        tokio::spawn(async move {
            register::register(&app, email, password, visitor()).await.map(|_| ())
        })
    });
    let outcomes: Vec<_> = join_all(attempts).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| matches!(outcome, Err(register::Refusal::EmailTaken)))
            .count(),
        15
    );
    assert_eq!(running.live().await, 1);
}

#[tokio::test]
async fn what_another_process_ends_is_refused_as_soon_as_it_is_followed() {
    let world = World::new(POLICY);
    let (ana, ben) = (world.user("ana@example.com").await, world.user("ben@example.com").await);
    let (hers, her_other, his) =
        (world.sign_in(&ana).await, world.sign_in(&ana).await, world.sign_in(&ben).await);
    let command_line = world.second_store();
    let now = world.now();
    command_line
        .end_session(hers.session.id, EndReason::Revoked, Client::default(), now)
        .await
        .unwrap();
    assert_eq!(world.rotate(hers.token()).await.err(), Some(Refused::Invalid), "at once");
    world.store.follow(now).await.unwrap();
    assert_eq!(world.store.standing(&hers.claims(now)), Standing::Ended);
    assert_eq!(world.store.standing(&her_other.claims(now)), Standing::Good);

    command_line.change_user(ben.id, UserChange::Disable, now).await.unwrap();
    assert_eq!(world.rotate(his.token()).await.err(), Some(Refused::UserGone), "at once");
    assert!(world.try_sign_in(ben.id).await.is_none());
    world.store.follow(now).await.unwrap();
    assert_eq!(world.store.standing(&his.claims(now)), Standing::Ended);

    let role = UserChange::Role(doorward::domain::claims::Role::Admin);
    command_line.change_user(ana.id, role, now).await.unwrap();
    world.store.follow(now).await.unwrap();
    assert_eq!(world.store.standing(&her_other.claims(now)), Standing::Stale);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_on_one_file_do_not_fork_a_session() {
    let world = Arc::new(World::new(SessionPolicy { max_sessions_per_user: 4, ..POLICY }));
    let other = Arc::new(world.second_store());
    let ana = world.user("ana@example.com").await;
    let mut token = world.sign_in(&ana).await.token();
    for _ in 0..10 {
        let tasks = (0..16).map(|index| {
            let (world, other, token) = (Arc::clone(&world), Arc::clone(&other), token.clone());
            tokio::spawn(async move {
                let store = if index % 2 == 0 { &world.store } else { &*other };
                store.rotate(world.rotation(token)).await.unwrap().map(common::Held::from)
            })
        });
        let held: Vec<_> =
            join_all(tasks).await.into_iter().map(|outcome| outcome.unwrap().unwrap()).collect();
        let lookup = |held: &common::Held| world.keys.ratchets().active().lookup(&held.secret).0;
        assert!(held.iter().all(|one| lookup(one) == lookup(&held[0])));
        token = held[0].token();
    }
    assert_eq!(world.count("SELECT generation FROM sessions"), 11);

    // And sign-ins from both sides still make room for each other.
    let sign_ins = (0..16).map(|index| {
        let (world, other) = (Arc::clone(&world), Arc::clone(&other));
        tokio::spawn(async move {
            let store = if index % 2 == 0 { &world.store } else { &*other };
            let (new, _) = world.new_session();
            let started = store
                .start_session(ana.id, PASSWORD_HASH.to_owned(), None, &new, world.now())
                .await;
            started.unwrap().unwrap().map(|started| started.session.id)
        })
    });
    let ids: Vec<SessionId> =
        join_all(sign_ins).await.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!((ids.len(), world.live(ana.id).await.len()), (16, 4));
}
