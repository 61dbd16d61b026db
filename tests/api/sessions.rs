//! The caller's devices.

use serde_json::Value;

use crate::harness::{ACCESS_TTL, DAY, HOUR, MINUTE, NOBODY, REFRESH_TTL, SECOND, TestApp};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 \
                      (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1";

fn column<'a>(sessions: &'a [Value], name: &str) -> Vec<&'a str> {
    sessions.iter().map(|it| it[name].as_str().unwrap()).collect()
}

#[tokio::test]
async fn are_listed_newest_use_first() {
    let app = TestApp::start().await;
    app.account("ana@example.com").await;
    let laptop = app.browser().named(FIREFOX);
    laptop.login("ana@example.com").await.ok();
    app.clock.advance(MINUTE);
    let phone = app.browser().named(IPHONE);
    phone.login("ana@example.com").await.ok();
    app.clock.advance(MINUTE);
    let script = app.program("ana@example.com").await;
    app.signed_in("bea@example.com").await;

    app.clock.advance(MINUTE);
    let sessions = phone.sessions().await;
    assert_eq!(column(&sessions, "device"), ["Safari on iPhone", "", "Firefox on Linux"]);
    assert_eq!(column(&sessions, "userAgent"), [IPHONE, "", FIREFOX]);
    let current: Vec<_> = sessions.iter().map(|it| it["current"] == true).collect();
    assert_eq!(current, [true, false, false]);
    let now = app.now().wall;
    assert_eq!(sessions[0]["lastUsedAt"], now.to_string());
    assert_eq!(sessions[0]["createdAt"], now.minus(2 * MINUTE).to_string());
    let expires = now.minus(2 * MINUTE).plus(REFRESH_TTL);
    assert_eq!(sessions[0]["expiresAt"], expires.to_string());
    assert_eq!(column(&sessions, "ip"), ["127.0.0.1"; 3]);

    // Any use counts, also one that writes nothing.
    app.clock.advance(MINUTE);
    laptop.me().await.ok();
    app.clock.advance(MINUTE);
    let list = script.call("GET", "/api/auth/sessions").await.ok();
    let sessions = list["sessions"].as_array().unwrap();
    assert_eq!(column(sessions, "device"), ["", "Firefox on Linux", "Safari on iPhone"]);
    assert_eq!(sessions[0]["current"], true);
}

#[tokio::test]
async fn a_refresh_moves_the_expiry() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    app.clock.advance(DAY);
    ana.refresh().await.ok();
    let session = &ana.sessions().await[0];
    assert_eq!(session["expiresAt"], app.now().wall.plus(REFRESH_TTL).to_string());
    assert_eq!(session["createdAt"], app.now().wall.minus(DAY).to_string());
}

#[tokio::test]
async fn dead_ones_are_not_listed() {
    let app = TestApp::start().await;
    app.signed_in("ana@example.com").await.logout().await.ok();
    app.signed_in("ana@example.com").await;
    app.clock.advance(REFRESH_TTL);
    let ana = app.signed_in("ana@example.com").await;
    assert_eq!(ana.sessions().await.len(), 1);
}

#[tokio::test]
async fn another_device_is_signed_out_at_once() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let phone = app.signed_in("ana@example.com").await;
    let id = phone.session_id().await;

    let answer = ana.revoke(&id).await;
    answer.sets_no_cookies().status(204);
    assert!(answer.body.is_empty());

    phone.me().await.sets_no_cookies().problem(401, "session_expired");
    phone.refresh().await.sets_no_cookies().problem(403, "invalid_refresh_token");
    ana.me().await.ok();
    ana.revoke(&id).await.problem(404, "not_found");
}

#[tokio::test]
async fn this_device_can_sign_itself_out() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let (id, access) = (ana.session_id().await, ana.tokens().access);
    ana.revoke(&id).await.clears_cookies().status(204);
    assert!(ana.jar().is_empty());
    app.me(&access).await.problem(401, "session_expired");

    // Also right after a silent refresh: one Set-Cookie a name, and it clears.
    let ana = app.signed_in("ana@example.com").await;
    let id = ana.session_id().await;
    app.clock.advance(ACCESS_TTL);
    ana.revoke(&id).await.clears_cookies().status(204);

    let script = app.program("ana@example.com").await;
    let list = script.call("GET", "/api/auth/sessions").await.ok();
    let id = list["sessions"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/auth/sessions/{id}");
    script.call("DELETE", &path).await.sets_no_cookies().status(204);
    script.me().await.problem(401, "session_expired");
}

#[tokio::test]
async fn what_is_not_the_callers_is_not_there() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let bea = app.signed_in("bea@example.com").await;
    let theirs = bea.session_id().await;
    let expired = app.signed_in("ana@example.com").await.session_id().await;
    app.clock.advance(REFRESH_TTL - SECOND);
    ana.refresh().await.ok();
    bea.refresh().await.ok();
    app.clock.advance(SECOND);
    for id in [
        theirs.as_str(),
        &expired,
        NOBODY,
        "00000000-0000-0000-0000-000000000000",
        "nonsense",
        "%F0%9F%A6%80",
        "%ff",
        "1",
        "-",
        "%00",
        "..%2f..",
    ] {
        let answer = ana.revoke(id).await;
        answer.sets_no_cookies().problem(404, "not_found");
    }
    bea.me().await.ok();
}

#[tokio::test]
async fn a_stranger_learns_nothing_of_ids() {
    let app = TestApp::start().await;
    for id in [NOBODY, "nonsense"] {
        let path = format!("/api/auth/sessions/{id}");
        app.call("DELETE", &path).await.problem(401, "no_token");
    }
}

#[tokio::test]
async fn the_least_recently_used_gives_way() {
    let app = TestApp::with(|config| config.max_sessions_per_user = 2).await;
    let bea = app.signed_in("bea@example.com").await;
    let first = app.signed_in("ana@example.com").await;
    app.clock.advance(MINUTE);
    let second = app.signed_in("ana@example.com").await;
    app.clock.advance(MINUTE);
    first.me().await.ok();
    app.clock.advance(MINUTE);

    let third = app.signed_in("ana@example.com").await;
    second.me().await.sets_no_cookies().problem(401, "session_expired");
    first.me().await.ok();
    assert_eq!(third.sessions().await.len(), 2);
    bea.me().await.ok();
}

/// A login in the same browser replaces its own session, and nobody has to give way.
#[tokio::test]
async fn a_replaced_session_makes_room() {
    let app = TestApp::with(|config| config.max_sessions_per_user = 2).await;
    let laptop = app.signed_in("ana@example.com").await;
    let phone = app.signed_in("ana@example.com").await;
    app.clock.advance(HOUR);
    phone.login("ana@example.com").await.ok();
    laptop.me().await.ok();
    phone.me().await.ok();
}

#[tokio::test]
async fn the_address_is_that_of_the_peer() {
    let app = TestApp::start().await;
    app.account("ana@example.com").await;
    let ana = app.browser();
    let spoofed = ana.login("ana@example.com").header("x-forwarded-for", "203.0.113.9");
    assert_eq!(spoofed.await.ok()["session"]["ip"], "127.0.0.1");
}

#[tokio::test]
async fn behind_a_trusted_proxy_it_is_what_the_proxy_says() {
    let networks = ["127.0.0.0/8", "10.0.0.0/8"];
    let app = TestApp::with(|config| {
        config.trusted_proxies = networks.iter().map(|net| net.parse().unwrap()).collect();
    })
    .await;
    app.account("ana@example.com").await;
    for (forwarded, expected) in [
        (&["203.0.113.9"][..], "203.0.113.9"),
        (&["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        (&["198.51.100.1, 203.0.113.9, 10.1.2.3"], "203.0.113.9"),
        (&["198.51.100.1", "203.0.113.9"], "203.0.113.9"),
        (&["203.0.113.9, nonsense"], "127.0.0.1"),
        (&["[2001:db8::1]:4711"], "2001:db8::1"),
        (&[], "127.0.0.1"),
    ] {
        let ana = app.browser();
        let mut login = ana.login("ana@example.com");
        for line in forwarded {
            login = login.header("x-forwarded-for", line);
        }
        assert_eq!(login.await.ok()["session"]["ip"], expected, "{forwarded:?}");
    }
    app.clock.advance(MINUTE);
    let ana = app.signed_in("ana@example.com").await;
    ana.refresh().header("x-forwarded-for", "203.0.113.77").await.ok();
    assert_eq!(ana.sessions().await[0]["ip"], "203.0.113.77");
}

#[tokio::test]
async fn odd_user_agents_do_no_harm() {
    let app = TestApp::start().await;
    app.account("ana@example.com").await;
    let long = "x".repeat(5000);
    for agent in ["", " ", "\u{1f980}/1", "<script>alert(1)</script>", &long] {
        let ana = app.browser().named(agent);
        let session = ana.login("ana@example.com").await.ok()["session"].clone();
        assert!(session["userAgent"].as_str().unwrap().chars().count() <= 256);
    }
    let bytes = app.login("ana@example.com", crate::harness::PASSWORD);
    bytes.header("user-agent", b"\xff\xfe").await.ok();
}
