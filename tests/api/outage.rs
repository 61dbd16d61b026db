//! A database that takes no writes: 503, and nobody is signed out for it.

use doorward::domain::password::Password;
use futures_util::future::join_all;
use rusqlite::Connection;

use crate::harness::{ACCESS_TTL, Answer, Browser, PASSWORD, SECOND, TestApp};

/// Somebody else holds the database until this is dropped.
struct Locked(Connection);

impl Locked {
    fn new(app: &TestApp) -> Self {
        let sql = app.sql();
        sql.execute_batch("BEGIN EXCLUSIVE").unwrap();
        Self(sql)
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        let _ = self.0.execute_batch("ROLLBACK");
    }
}

#[track_caller]
fn is_unavailable(answer: &Answer) {
    answer.sets_no_cookies().problem(503, "unavailable");
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn a_locked_database_signs_nobody_out() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let quiet = app.signed_in("ana@example.com").await;
    let gone = app.signed_in("ana@example.com").await;
    quiet.forget("token");
    let script = app.program("ana@example.com").await;
    let jars = [&ana, &quiet, &gone].map(Browser::jar);

    let lock = Locked::new(&app);
    // What needs no write goes on.
    script.me().await.ok();
    ana.me().await.ok();
    ana.sessions().await;
    app.get("/healthz").await.ok();
    app.login("ana@example.com", "wrong horse battery").await.problem(401, "invalid_credentials");
    app.refresh_with("nonsense").await.problem(403, "invalid_refresh_token");

    // What does is refused, once the time to wait for the lock is over.
    let refused = [
        ana.refresh(),
        quiet.me(),
        gone.logout(),
        ana.logout_all(),
        app.refresh(&script.tokens),
        app.login("ana@example.com", PASSWORD),
        app.register("bea@example.com", PASSWORD),
        app.get("/readyz"),
    ];
    for answer in join_all(refused.map(IntoFuture::into_future)).await {
        is_unavailable(&answer);
    }
    drop(lock);

    assert_eq!([&ana, &quiet, &gone].map(Browser::jar), jars);
    app.clock.advance(SECOND);
    app.get("/readyz").await.ok();
    ana.refresh().await.ok();
    quiet.me().await.sets_cookies(&["refreshToken", "token"]).ok();
    gone.me().await.ok();
    gone.logout().await.clears_cookies().ok();
    app.refresh(&script.tokens).await.ok();
    app.login("ana@example.com", PASSWORD).await.ok();
    app.register("bea@example.com", PASSWORD).await.status(201);
    assert_eq!(app.audited("refresh_token_reused"), 0);
}

#[tokio::test]
async fn a_stopping_server_signs_nobody_out() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    app.app().store.close();
    ana.me().await.ok();
    is_unavailable(&ana.refresh().await);
    app.clock.advance(ACCESS_TTL);
    is_unavailable(&ana.me().await);
    is_unavailable(&app.login("ana@example.com", PASSWORD).await);
    app.restart().await;
    ana.me().await.sets_cookies(&["refreshToken", "token"]).ok();
}

/// How many hashes may wait.
const HASH_QUEUE: usize = 256;

/// Hashing is the dear part, so that is where a storm is shed; all else goes on.
#[tokio::test]
async fn a_storm_of_logins_is_shed() {
    let app = TestApp::with(|config| config.throttle = true).await;
    let ana = app.signed_in("ana@example.com").await;
    let cheap: String =
        app.sql().query_row("SELECT password_hash FROM users", [], |row| row.get(0)).unwrap();
    let dear = cheap.replace("m=8,t=1", "m=19456,t=100");
    let hash = |stored: String| {
        let app = app.app();
        let password = Password::present("wrong horse battery").unwrap();
        tokio::spawn(async move { app.hasher.verify(password, Some(stored)).await })
    };
    // All threads are busy for a good while, and nobody else fits into the queue: it takes as many
    // more as its length only once each thread has taken one of the first.
    let threads = std::thread::available_parallelism().unwrap().get();
    let mut storm: Vec<_> = (0..threads).map(|_| hash(dear.clone())).collect();
    while storm.len() < threads + HASH_QUEUE {
        let next = hash(cheap.clone());
        tokio::task::yield_now().await;
        if next.is_finished() {
            assert!(next.await.unwrap().is_err(), "the threads are busy");
        } else {
            storm.push(next);
        }
    }

    for _ in 0..12 {
        for answer in [
            app.login("ana@example.com", PASSWORD).await,
            app.register("bea@example.com", PASSWORD).await,
        ] {
            answer.sets_no_cookies().problem(503, "overloaded");
            assert_eq!(answer.header("retry-after"), "1");
        }
        ana.me().await.ok();
        ana.refresh().await.ok();
    }

    for waiting in storm {
        waiting.await.unwrap().unwrap();
    }
    // What was shed is not held against anybody.
    app.login("ana@example.com", PASSWORD).await.ok();
    app.register("bea@example.com", PASSWORD).await.status(201);
}
