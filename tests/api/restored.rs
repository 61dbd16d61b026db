//! After a restore, by clocks that are right and by others.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::harness::{BEGINNING, DAY, HOUR, MINUTE, SECOND, TestApp, Tokens};

const ANA: &str = "ana@example.com";

/// A copy of the database as it is now.
fn copy(app: &TestApp, place: &TempDir) -> PathBuf {
    let copy = place.path().join("copy.db");
    app.sql().execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
    copy
}

async fn follow(app: &TestApp) {
    app.app().store.follow(app.now()).await.unwrap();
}

/// Refused, and accused of nothing: the client signs in again.
async fn is_over(app: &TestApp, tokens: &Tokens) {
    app.me(&tokens.access).await.problem(401, "session_expired");
    app.refresh(tokens).await.problem(403, "invalid_refresh_token");
    assert_eq!(app.audited("refresh_token_reused") + app.audited("refresh_token_foreign"), 0);
}

/// A machine that starts before it knows the time, for as long as a client can use a token.
#[tokio::test]
async fn a_clock_that_is_behind_for_a_moment_lets_no_old_token_in() {
    let (app, place) = (TestApp::start().await, tempfile::tempdir().unwrap());
    let in_it = app.program(ANA).await.tokens;
    let copy = copy(&app, &place);
    let not_in_it = app.program(ANA).await.tokens;
    app.clock.advance(MINUTE);
    let at = app.now().wall;
    app.clock.set_wall(BEGINNING.minus(HOUR));
    app.restore(&copy, at).await;
    follow(&app).await;
    app.clock.set_wall(at.plus(SECOND));
    follow(&app).await;
    is_over(&app, &in_it).await;
    is_over(&app, &not_in_it).await;
}

/// And one that was ahead at the restore keeps nobody out, until it is reached in a year.
#[tokio::test]
async fn a_clock_that_was_far_ahead_at_the_restore_signs_nobody_out() {
    let (app, place) = (TestApp::start().await, tempfile::tempdir().unwrap());
    let old = app.program(ANA).await.tokens;
    let copy = copy(&app, &place);
    app.clock.advance(SECOND);
    app.restore(&copy, app.now().wall.plus(365 * DAY)).await;
    is_over(&app, &old).await;
    let mut ana = app.program(ANA).await;
    for _ in 0..3 {
        app.clock.advance(MINUTE);
        follow(&app).await;
        ana.me().await.ok();
    }
    // It is not known any more who made her token. Her client does what it does every quarter of an
    // hour.
    app.restart().await;
    ana.me().await.problem(401, "access_token_expired");
    ana.refresh().await;
    for _ in 0..3 {
        app.clock.advance(MINUTE);
        follow(&app).await;
        ana.me().await.ok();
    }
    is_over(&app, &old).await;
}

/// A token that was made while a clock was ahead tells a time after the restore. Its session does not.
#[tokio::test]
async fn a_clock_that_was_ahead_before_lets_no_old_token_in() {
    let (app, place) = (TestApp::start().await, tempfile::tempdir().unwrap());
    let mut in_it = app.program(ANA).await;
    let copy = copy(&app, &place);
    let mut not_in_it = app.program(ANA).await;
    app.clock.set_wall(BEGINNING.plus(HOUR));
    in_it.refresh().await;
    not_in_it.refresh().await;
    app.restore(&copy, BEGINNING.plus(MINUTE)).await;
    is_over(&app, &in_it.tokens).await;
    is_over(&app, &not_in_it.tokens).await;
}
