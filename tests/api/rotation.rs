//! The protocol of ROTATION, as clients meet it.

use std::collections::HashSet;
use std::time::Duration;

use doorward::Config;
use doorward::config::ReusePolicy;
use doorward::store::UserChange;

use crate::harness::{
    ACCESS_TTL, Browser, DAY, GRACE, HOUR, LOST_RESPONSE_WINDOW, MINUTE, REFRESH_TTL, SECOND,
    SESSION_MAX_AGE, TestApp,
};
use crate::tokens::claims;

/// Refreshes, and uses what came of it: the server has seen that the client has the successor.
async fn refresh_and_confirm<'a>(browser: &'a Browser<'a>) {
    browser.refresh().await.ok();
    browser.me().await.sets_no_cookies().ok();
}

fn generation(browser: &Browser<'_>) -> i64 {
    claims(&browser.tokens().access).generation()
}

#[tokio::test]
async fn a_lost_response_can_be_fetched_again_and_again() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let before = ana.jar();
    let mut seen = HashSet::from([ana.tokens().refresh]);
    for hours in [0, 1, 1, 20] {
        app.clock.advance(HOUR * hours);
        ana.restore(&before);
        ana.refresh().await.sets_cookies(&["refreshToken", "token"]).ok();
        assert_eq!(generation(&ana), 2, "the same successor");
        assert!(seen.insert(ana.tokens().refresh), "sealed under a nonce of its own");
    }
    // Every one of the answers holds a token that works.
    ana.refresh().await.ok();
    assert_eq!(generation(&ana), 3);
    assert_eq!(app.audited("refresh_token_reused"), 0);
}

#[tokio::test]
async fn a_lost_response_survives_a_restart_and_a_new_key() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let before = ana.jar();
    ana.refresh().await.ok();

    app.restart().await;
    app.clock.advance(MINUTE);
    ana.restore(&before);
    ana.refresh().await.ok();
    assert_eq!(generation(&ana), 2);

    app.rotate_keys().await;
    ana.restore(&before);
    ana.refresh().await.ok();
    assert_eq!(generation(&ana), 2);
    ana.me().await.ok();
    ana.refresh().await.ok();
    assert_eq!(generation(&ana), 3);
}

#[tokio::test]
async fn a_race_is_no_reuse_within_the_grace() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let tab = app.browser_with(&ana.jar());
    refresh_and_confirm(&ana).await;

    app.clock.advance(GRACE);
    tab.refresh().await.sets_cookies(&["refreshToken", "token"]).ok();
    assert_eq!(generation(&tab), 2);
    tab.me().await.ok();
    ana.refresh().await.ok();
}

/// Counted from the confirmation too: two tabs that wake together after a lost response.
#[tokio::test]
async fn the_grace_begins_anew_with_the_confirmation() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let (lost, tab) = (ana.jar(), app.browser_with(&ana.jar()));
    ana.refresh().await.ok();
    ana.restore(&lost);

    app.clock.advance(2 * HOUR);
    refresh_and_confirm(&ana).await;
    app.clock.advance(GRACE);
    tab.refresh().await.ok();
    assert_eq!(generation(&tab), 2);
}

#[tokio::test]
async fn reuse_ends_all_sessions_at_once() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let phone = app.signed_in("ana@example.com").await;
    let script = app.program("ana@example.com").await;
    let bea = app.signed_in("bea@example.com").await;
    let thief = app.browser_with(&ana.jar());
    refresh_and_confirm(&ana).await;

    app.clock.advance(GRACE + SECOND);
    thief.refresh().await.clears_cookies().problem(403, "refresh_token_reused");

    assert!(thief.jar().is_empty());
    // Only the answer that found it clears; the others keep what they have.
    ana.me().await.sets_no_cookies().problem(401, "session_expired");
    ana.refresh().await.sets_no_cookies().problem(403, "invalid_refresh_token");
    phone.me().await.problem(401, "session_expired");
    phone.refresh().await.problem(403, "invalid_refresh_token");
    script.me().await.problem(401, "session_expired");
    app.refresh(&script.tokens).await.problem(403, "invalid_refresh_token");
    bea.me().await.ok();
    assert_eq!(app.audited("refresh_token_reused"), 1);

    ana.login("ana@example.com").await.ok();
    assert_eq!(ana.sessions().await.len(), 1);
}

#[tokio::test]
async fn reuse_in_the_body() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let old = ana.tokens();
    refresh_and_confirm(&ana).await;
    app.clock.advance(GRACE + SECOND);
    let answer = app.refresh(&old).await;
    answer.sets_no_cookies().problem(403, "refresh_token_reused");
    // An ended session accuses nobody a second time.
    app.refresh(&old).await.problem(403, "invalid_refresh_token");
    assert_eq!(app.audited("refresh_token_reused"), 1);
}

#[tokio::test]
async fn reuse_survives_a_restart() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let old = ana.tokens();
    refresh_and_confirm(&ana).await;
    app.clock.advance(GRACE + SECOND);
    app.restart().await;
    app.refresh(&old).await.problem(403, "refresh_token_reused");
    app.restart().await;
    ana.me().await.problem(401, "session_expired");
}

#[tokio::test]
async fn reuse_can_be_held_against_one_session_only() {
    let app = TestApp::with(|config| config.reuse_policy = ReusePolicy::Session).await;
    let ana = app.signed_in("ana@example.com").await;
    let phone = app.signed_in("ana@example.com").await;
    let old = ana.tokens();
    refresh_and_confirm(&ana).await;
    app.clock.advance(GRACE + SECOND);
    app.refresh(&old).await.problem(403, "refresh_token_reused");
    ana.me().await.problem(401, "session_expired");
    phone.me().await.ok();
    phone.refresh().await.ok();
}

#[tokio::test]
async fn strict_mode_forgives_nothing() {
    let app = TestApp::with(|config| config.refresh_grace = Duration::ZERO).await;
    let ana = app.signed_in("ana@example.com").await;
    let old = ana.jar();
    ana.refresh().await.ok();
    let tab = app.browser_with(&old);
    tab.refresh().await.clears_cookies().problem(403, "refresh_token_reused");
    ana.me().await.problem(401, "session_expired");
}

#[tokio::test]
async fn a_request_that_was_overtaken_twice_is_to_come_again() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let slow = app.browser_with(&ana.jar());
    refresh_and_confirm(&ana).await;
    refresh_and_confirm(&ana).await;

    app.clock.advance(GRACE);
    let late = slow.refresh().await;
    late.sets_no_cookies().problem(503, "unavailable");
    assert_eq!(late.header("retry-after"), "1");
    slow.forget("token");
    let late = slow.me().await;
    late.sets_no_cookies().problem(503, "unavailable");
    assert_eq!(late.header("retry-after"), "1");
    ana.me().await.ok();

    app.clock.advance(SECOND);
    slow.refresh().await.clears_cookies().problem(403, "refresh_token_reused");
}

#[tokio::test]
async fn a_response_that_was_lost_too_long_ago_ends_the_session_quietly() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let phone = app.signed_in("ana@example.com").await;
    let lost = ana.jar();
    ana.refresh().await.ok();
    let never_seen = ana.tokens();
    ana.restore(&lost);

    app.clock.advance(LOST_RESPONSE_WINDOW + SECOND);
    ana.refresh().await.sets_no_cookies().problem(403, "invalid_refresh_token");
    app.refresh(&never_seen).await.problem(403, "invalid_refresh_token");
    assert_eq!(app.audited("refresh_token_reused"), 0);
    phone.refresh().await.ok();
}

#[tokio::test]
async fn up_to_the_window_it_is_only_a_retry() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let lost = ana.jar();
    ana.refresh().await.ok();
    ana.restore(&lost);
    app.clock.advance(LOST_RESPONSE_WINDOW);
    ana.refresh().await.ok();
    assert_eq!(generation(&ana), 2);
}

/// The guard's own rotation shows nobody that the answer has arrived.
#[tokio::test]
async fn a_silent_rotation_confirms_nothing() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    app.clock.advance(HOUR);
    let lost = ana.jar();
    ana.me().await.sets_cookies(&["refreshToken", "token"]).ok();
    assert_eq!(generation(&ana), 2);

    app.clock.advance(HOUR);
    ana.restore(&lost);
    ana.me().await.sets_cookies(&["refreshToken", "token"]).ok();
    assert_eq!(generation(&ana), 2, "a retry, no reuse");
}

/// Nor does an access token of the generation before, which passes until it expires.
#[tokio::test]
async fn an_older_access_token_confirms_nothing() {
    let app = TestApp::start().await;
    let mut ana = app.program("ana@example.com").await;
    let old = ana.tokens.clone();
    ana.refresh().await;
    app.me(&old.access).await.ok();
    app.clock.advance(GRACE + SECOND);
    app.refresh(&old).await.ok();
}

#[tokio::test]
async fn idle_sessions_expire() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    for _ in 0..3 {
        app.clock.advance(REFRESH_TTL - SECOND);
        ana.refresh().await.ok();
    }
    app.clock.advance(REFRESH_TTL);
    ana.refresh().await.sets_no_cookies().problem(403, "invalid_refresh_token");
    ana.me().await.sets_no_cookies().problem(401, "session_expired");
    ana.login("ana@example.com").await.ok();
    assert_eq!(ana.sessions().await.len(), 1);
}

#[tokio::test]
async fn busy_sessions_end_too() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    for _ in 0..17 {
        app.clock.advance(10 * DAY);
        ana.refresh().await.ok();
    }
    app.clock.advance(SESSION_MAX_AGE - 170 * DAY - SECOND);
    ana.refresh().await.ok();
    assert!(claims(&ana.tokens().access).life() <= SECOND);
    app.clock.advance(SECOND);
    ana.me().await.problem(401, "session_expired");
    ana.refresh().await.problem(403, "invalid_refresh_token");
}

#[tokio::test]
async fn the_lives_can_be_set() {
    let short = |config: &mut Config| {
        config.refresh_token_ttl = HOUR;
        config.session_max_age = 3 * HOUR;
    };
    let app = TestApp::with(short).await;
    let ana = app.signed_in("ana@example.com").await;
    app.clock.advance(59 * MINUTE);
    ana.refresh().await.ok();
    app.clock.advance(HOUR);
    ana.refresh().await.problem(403, "invalid_refresh_token");
}

/// A token of a session's future, or of another history: of a database that was rolled back.
#[tokio::test]
async fn a_foreign_token_ends_nothing_and_is_audited() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let row = "SELECT generation, secret_hash, salt, rotated_at FROM sessions";
    let read = |row: &rusqlite::Row<'_>| -> rusqlite::Result<(i64, Vec<u8>, Vec<u8>, i64)> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    };
    let past = app.sql().query_row(row, [], read).unwrap();
    let ours = ana.jar();
    refresh_and_confirm(&ana).await;
    app.sql()
        .execute(
            "UPDATE sessions SET generation = ?1, secret_hash = ?2, salt = ?3, rotated_at = ?4",
            past,
        )
        .unwrap();

    ana.refresh().await.sets_no_cookies().problem(403, "invalid_refresh_token");
    assert_eq!(app.audited("refresh_token_foreign"), 1);
    assert_eq!(app.audited("refresh_token_reused"), 0);
    ana.restore(&ours);
    ana.refresh().await.ok();
}

#[tokio::test]
async fn a_user_who_is_gone_is_not_accused() {
    for change in [UserChange::Disable, UserChange::Delete] {
        let app = TestApp::start().await;
        let ana = app.signed_in("ana@example.com").await;
        let old = ana.tokens();
        refresh_and_confirm(&ana).await;
        app.clock.advance(GRACE + SECOND);
        app.operator("ana@example.com", change).await;
        app.refresh(&old).await.problem(403, "invalid_refresh_token");
        ana.refresh().await.sets_no_cookies().problem(403, "invalid_refresh_token");
        assert_eq!(app.audited("refresh_token_reused"), 0);
    }
}

/// Ages come from the monotonic clock: whatever is done to the other one, nobody is accused.
#[tokio::test]
async fn a_corrected_wall_clock_accuses_nobody() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    for wall in [app.now().wall.plus(DAY), app.now().wall.minus(DAY)] {
        let tab = app.browser_with(&ana.jar());
        refresh_and_confirm(&ana).await;
        app.clock.set_wall(wall);
        tab.refresh().await.ok();
        assert_eq!(generation(&tab), generation(&ana));
        ana.me().await.ok();
    }
    let thief = app.browser_with(&ana.jar());
    refresh_and_confirm(&ana).await;
    app.clock.set_wall(app.now().wall.minus(DAY));
    app.clock.advance(GRACE + SECOND);
    thief.refresh().await.problem(403, "refresh_token_reused");
}

#[tokio::test]
async fn many_at_once_get_one_successor() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    app.clock.advance(ACCESS_TTL);
    let old = ana.tokens();
    let (one, two, three, four) =
        tokio::join!(app.refresh(&old), app.refresh(&old), app.refresh(&old), app.refresh(&old));
    for answer in [one, two, three, four] {
        let token = answer.ok()["accessToken"].as_str().unwrap().to_owned();
        assert_eq!(claims(&token).generation(), 2);
    }
}
