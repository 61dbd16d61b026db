//! How often one may try.

use serde_json::json;

use crate::harness::{Answer, Browser, Call, HOUR, MINUTE, PASSWORD, SECOND, TestApp};

const ANA: &str = "ana@example.com";
const NOBODY: &str = "nobody@example.com";
const WRONG: &str = "wrong horse battery";
const HOME: &str = "203.0.113.7";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
const NEWER_FIREFOX: &str =
    "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0";

async fn throttled() -> TestApp {
    TestApp::with(|config| {
        config.throttle = true;
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await
}

/// A login from an address of its own.
async fn from(app: &TestApp, address: &str, email: &str, password: &str) -> Answer {
    app.login(email, password).header("x-forwarded-for", address).await
}

/// A login from a device of its own.
async fn on(app: &TestApp, address: &str, agent: &str, email: &str, password: &str) -> Answer {
    app.login(email, password).header("x-forwarded-for", address).header("user-agent", agent).await
}

/// More than a hundred failures, from thirty addresses.
async fn attack(app: &TestApp, email: &str) {
    for host in 0..30 {
        for attempt in 0..4 {
            let answer = from(app, &format!("192.0.2.{host}"), email, WRONG).await;
            if host * 4 + attempt < 100 {
                answer.problem(401, "invalid_credentials");
            } else {
                is_limited(&answer, 900);
            }
        }
    }
}

#[track_caller]
fn is_limited(answer: &Answer, seconds: u32) {
    answer.sets_no_cookies().problem(429, "too_many_attempts");
    assert_eq!(answer.header("retry-after"), seconds.to_string());
}

fn change_password<'a>(ana: &'a Browser<'a>, address: &str, current: &str) -> Call<'a> {
    let body = json!({"currentPassword": current, "newPassword": PASSWORD});
    let call = ana.call("POST", "/api/auth/password").csrf().json(body);
    call.header("x-forwarded-for", address)
}

async fn fail(app: &TestApp, address: &str, email: &str, times: usize) {
    for _ in 0..times {
        from(app, address, email, WRONG).await.problem(401, "invalid_credentials");
    }
}

#[tokio::test]
async fn ten_failures_for_one_account_from_one_address() {
    let app = throttled().await;
    app.account("ana@example.com").await;
    app.account("bea@example.com").await;
    fail(&app, "192.0.2.1", "ana@example.com", 10).await;

    let answer = from(&app, "192.0.2.1", "ana@example.com", PASSWORD).await;
    answer.sets_no_cookies().problem(429, "too_many_attempts");
    assert_eq!(answer.header("retry-after"), "900");

    // Another account, another address: not affected.
    from(&app, "192.0.2.1", "bea@example.com", PASSWORD).await.ok();
    from(&app, "192.0.2.2", "ana@example.com", PASSWORD).await.ok();

    app.clock.advance(15 * MINUTE - SECOND);
    let answer = from(&app, "192.0.2.1", "ana@example.com", PASSWORD).await;
    answer.problem(429, "too_many_attempts");
    assert_eq!(answer.header("retry-after"), "1");
    app.clock.advance(SECOND);
    from(&app, "192.0.2.1", "ana@example.com", PASSWORD).await.ok();
}

#[tokio::test]
async fn an_unknown_account_is_limited_alike() {
    let app = throttled().await;
    fail(&app, "192.0.2.1", "nobody@example.com", 10).await;
    from(&app, "192.0.2.1", "nobody@example.com", PASSWORD).await.problem(429, "too_many_attempts");
}

#[tokio::test]
async fn the_form_of_the_address_is_no_way_around() {
    let app = throttled().await;
    app.account("ana@example.com").await;
    fail(&app, "192.0.2.1", "ana@example.com", 5).await;
    fail(&app, "192.0.2.1", "ANA@Example.com", 5).await;
    from(&app, "192.0.2.1", "ana@EXAMPLE.com", PASSWORD).await.problem(429, "too_many_attempts");
    // Nor is another address of the same IPv6 network.
    fail(&app, "2001:db8::1", "ana@example.com", 5).await;
    fail(&app, "2001:db8::2", "ana@example.com", 5).await;
    from(&app, "2001:db8::3", "ana@example.com", PASSWORD).await.problem(429, "too_many_attempts");
    from(&app, "2001:db8:0:1::1", "ana@example.com", PASSWORD).await.ok();
}

#[tokio::test]
async fn a_hundred_failures_for_one_account_from_anywhere() {
    let app = throttled().await;
    app.account("ana@example.com").await;
    for host in 0..10 {
        fail(&app, &format!("192.0.2.{host}"), "ana@example.com", 10).await;
    }
    from(&app, "198.51.100.1", "ana@example.com", PASSWORD).await.problem(429, "too_many_attempts");
    app.clock.advance(15 * MINUTE);
    from(&app, "198.51.100.1", "ana@example.com", PASSWORD).await.ok();
}

/// The point of it all: who guesses elsewhere does not lock the owner out.
#[tokio::test]
async fn an_attacker_elsewhere_does_not_lock_out_a_known_device() {
    let app = throttled().await;
    app.account(ANA).await;
    on(&app, HOME, FIREFOX, ANA, PASSWORD).await.ok();
    app.clock.advance(SECOND);
    attack(&app, ANA).await;

    is_limited(&from(&app, "198.51.100.1", ANA, PASSWORD).await, 900);
    is_limited(&on(&app, "198.51.100.1", FIREFOX, ANA, PASSWORD).await, 900);
    is_limited(&on(&app, HOME, "curl/8.8.0", ANA, PASSWORD).await, 900);
    on(&app, HOME, NEWER_FIREFOX, ANA, PASSWORD).await.ok();

    // She has ten attempts of her own. Those of strangers at her address, who were not let in, are
    // none of them; nor do hers prolong the wait of others.
    app.clock.advance(MINUTE);
    for _ in 0..10 {
        on(&app, HOME, FIREFOX, ANA, WRONG).await.problem(401, "invalid_credentials");
    }
    is_limited(&on(&app, HOME, FIREFOX, ANA, PASSWORD).await, 900);
    is_limited(&from(&app, "198.51.100.1", ANA, PASSWORD).await, 840);
    app.clock.advance(14 * MINUTE);
    from(&app, "198.51.100.1", ANA, PASSWORD).await.ok();
    is_limited(&on(&app, HOME, FIREFOX, ANA, PASSWORD).await, 60);
}

#[tokio::test]
async fn a_known_device_has_ten_failures_like_everybody() {
    let app = throttled().await;
    app.account(ANA).await;
    on(&app, HOME, FIREFOX, ANA, PASSWORD).await.ok();
    for _ in 0..10 {
        on(&app, HOME, FIREFOX, ANA, WRONG).await.problem(401, "invalid_credentials");
    }
    is_limited(&on(&app, HOME, FIREFOX, ANA, PASSWORD).await, 900);
}

/// From outside it looks like one that is there.
#[tokio::test]
async fn an_account_that_is_not_there_is_attacked_alike() {
    let app = throttled().await;
    app.account(ANA).await;
    on(&app, HOME, FIREFOX, ANA, PASSWORD).await.ok();
    attack(&app, NOBODY).await;
    for agent in [FIREFOX, "curl/8.8.0"] {
        // Her device is known, but not for that account.
        is_limited(&on(&app, HOME, agent, NOBODY, PASSWORD).await, 900);
    }
    on(&app, HOME, FIREFOX, ANA, PASSWORD).await.ok();
}

#[tokio::test]
async fn three_hundred_failures_from_one_address() {
    let app = throttled().await;
    app.account(ANA).await;
    for number in 0..100 {
        fail(&app, "2001:db8::1", &format!("user{number}@example.com"), 3).await;
        app.clock.advance(SECOND);
    }
    is_limited(&from(&app, "2001:db8::2", ANA, PASSWORD).await, 800);
    from(&app, "2001:db8:0:1::1", ANA, PASSWORD).await.ok();
    app.clock.advance(800 * SECOND);
    from(&app, "2001:db8::2", ANA, PASSWORD).await.ok();
}

/// Whoever is signed in has shown who they are: only their own failures stand in the way.
#[tokio::test]
async fn who_is_signed_in_confirms_the_password_whoever_else_guesses() {
    let app = throttled().await;
    let ana = app.signed_in(ANA).await;
    attack(&app, ANA).await;
    for _ in 0..9 {
        change_password(&ana, HOME, WRONG).await.problem(403, "wrong_password");
    }
    change_password(&ana, HOME, PASSWORD).await.ok();
    change_password(&ana, HOME, WRONG).await.problem(403, "wrong_password");
    is_limited(&change_password(&ana, HOME, PASSWORD).await, 900);
}

/// Or whoever has stolen a session could guess from everywhere, past the limit of the account.
#[tokio::test]
async fn ten_wrong_passwords_in_one_session() {
    let app = throttled().await;
    let (stolen, other) = (app.signed_in(ANA).await, app.signed_in(ANA).await);
    for host in 0..10 {
        let there = format!("192.0.2.{host}");
        change_password(&stolen, &there, WRONG).await.problem(403, "wrong_password");
    }
    is_limited(&change_password(&stolen, "198.51.100.1", PASSWORD).await, 900);
    from(&app, "192.0.2.1", ANA, PASSWORD).await.ok();
    change_password(&other, HOME, PASSWORD).await.ok();
}

#[tokio::test]
async fn a_success_is_not_counted() {
    let app = throttled().await;
    app.account("ana@example.com").await;
    for _ in 0..12 {
        from(&app, "192.0.2.1", "ana@example.com", PASSWORD).await.ok();
    }
    fail(&app, "192.0.2.1", "ana@example.com", 9).await;
    from(&app, "192.0.2.1", "ana@example.com", PASSWORD).await.ok();
    fail(&app, "192.0.2.1", "ana@example.com", 1).await;
    from(&app, "192.0.2.1", "ana@example.com", PASSWORD).await.problem(429, "too_many_attempts");
}

#[tokio::test]
async fn who_is_signed_in_is_not_slowed_down() {
    let app = throttled().await;
    let ana = app.signed_in("ana@example.com").await;
    fail(&app, "127.0.0.1", "ana@example.com", 10).await;
    ana.login("ana@example.com").await.problem(429, "too_many_attempts");
    ana.me().await.ok();
    ana.refresh().await.ok();
}

#[tokio::test]
async fn nobody_who_is_signed_in_notices_an_attack() {
    let app = throttled().await;
    let ana = app.signed_in(ANA).await;
    let mut script = app.program(ANA).await;
    attack(&app, ANA).await;
    fail_everywhere(&app).await;
    for _ in 0..120 {
        ana.me().await.ok();
        script.me().await.ok();
        ana.refresh().await.ok();
    }
    script.refresh().await;
    ana.logout().await.ok();
}

/// The limit of the address, as far as logins go.
async fn fail_everywhere(app: &TestApp) {
    for number in 0..30 {
        fail(app, "127.0.0.1", &format!("user{number}@example.com"), 10).await;
    }
    app.login(NOBODY, PASSWORD).await.problem(429, "too_many_attempts");
}

/// What the server owes is held against nobody. (`outage` has the same of logins that are shed.)
#[tokio::test]
async fn a_fault_of_the_servers_is_not_counted() {
    let app = throttled().await;
    app.account(ANA).await;
    let resend = || app.post("/api/auth/resend-verification").json(json!({"email": ANA}));
    resend().await.status(202);
    let link = app.link(ANA, "verify_email");
    app.sql().execute_batch("ALTER TABLE users RENAME TO lost").unwrap();
    let verify = || app.post("/api/auth/verify-email").json(json!({"token": link}));
    for _ in 0..110 {
        let register = app.register("bea@example.com", PASSWORD);
        for call in [app.login(ANA, WRONG), app.forgot(ANA), resend(), register, verify()] {
            assert!(call.await.status >= 500);
        }
    }
    app.sql().execute_batch("ALTER TABLE lost RENAME TO users").unwrap();
    app.login(ANA, PASSWORD).await.ok();
    app.register("bea@example.com", PASSWORD).await.status(201);
    app.forgot(ANA).await.status(202);
    verify().await.ok();
}

#[tokio::test]
async fn an_attacker_elsewhere_does_not_keep_a_reset_link_from_a_known_device() {
    let app = throttled().await;
    app.account(ANA).await;
    on(&app, HOME, FIREFOX, ANA, PASSWORD).await.ok();
    for email in [ANA, NOBODY] {
        for host in 0..4 {
            let there = format!("192.0.2.{host}");
            for _ in 0..5 {
                app.forgot(email).header("x-forwarded-for", &there).await.status(202);
            }
            is_limited(&app.forgot(email).header("x-forwarded-for", &there).await, 3600);
        }
        let stranger = app.forgot(email).header("x-forwarded-for", "198.51.100.1");
        is_limited(&stranger.await, 3600);
    }
    let known = |email| {
        app.forgot(email).header("x-forwarded-for", HOME).header("user-agent", NEWER_FIREFOX)
    };
    is_limited(&known(NOBODY).await, 3600);
    for _ in 0..5 {
        known(ANA).await.status(202);
    }
    is_limited(&known(ANA).await, 3600);
    app.clock.advance(HOUR);
    let stranger = app.forgot(ANA).header("x-forwarded-for", "198.51.100.1");
    stranger.await.status(202);
}

#[tokio::test]
async fn thirty_mails_from_one_address() {
    let app = throttled().await;
    for number in 0..15 {
        let body = json!({"email": format!("user{number}@example.com")});
        app.post("/api/auth/resend-verification").json(body).await.status(202);
        app.forgot(&format!("user{number}@example.com")).await.status(202);
    }
    is_limited(&app.forgot(ANA).await, 3600);
    app.forgot(ANA).header("x-forwarded-for", HOME).await.status(202);
}

#[tokio::test]
async fn links_are_limited_each_and_together() {
    let app = throttled().await;
    app.account(ANA).await;
    app.forgot(ANA).await.status(202);
    let link = app.link(ANA, "reset_password");
    let verify = |token: &str| app.post("/api/auth/verify-email").json(json!({"token": token}));
    for _ in 0..50 {
        verify(&link).await.problem(403, "invalid_token");
    }
    is_limited(&verify(&link).await, 900);
    for _ in 0..50 {
        verify("made-up").await.problem(403, "invalid_token");
    }
    is_limited(&verify("made-up").await, 900);
    // The owner is elsewhere.
    let body = json!({"token": link, "newPassword": "staple, upright and shiny"});
    let reset = app.post("/api/auth/reset-password").json(body);
    reset.header("x-forwarded-for", HOME).await.ok();
}

/// Without a trusted proxy the header is anybody's invention.
#[tokio::test]
async fn a_made_up_address_is_no_way_around() {
    let app = TestApp::with(|config| config.throttle = true).await;
    app.account("ana@example.com").await;
    for host in 0..10 {
        fail(&app, &format!("192.0.2.{host}"), "ana@example.com", 1).await;
    }
    from(&app, "192.0.2.99", "ana@example.com", PASSWORD).await.problem(429, "too_many_attempts");
}

#[tokio::test]
async fn twenty_registrations_from_one_address_and_hour() {
    let app = throttled().await;
    let register = |number: u32, address: &'static str| {
        app.register(&format!("user{number}@example.com"), PASSWORD)
            .header("x-forwarded-for", address)
    };
    for number in 0..20 {
        register(number, "192.0.2.1").await.status(201);
    }
    let answer = register(20, "192.0.2.1").await;
    answer.sets_no_cookies().problem(429, "too_many_attempts");
    assert_eq!(answer.header("retry-after"), "3600");
    register(21, "192.0.2.2").await.status(201);

    app.clock.advance(HOUR - SECOND);
    register(20, "192.0.2.1").await.problem(429, "too_many_attempts");
    app.clock.advance(SECOND);
    register(20, "192.0.2.1").await.status(201);
}

/// Or the limit would not keep anybody from asking which addresses have accounts.
#[tokio::test]
async fn a_taken_address_counts_as_a_registration() {
    let app = throttled().await;
    for number in 0..20 {
        let email = format!("user{number}@example.com");
        app.account(&email).await;
        app.register(&email, PASSWORD).await.problem(409, "email_taken");
    }
    app.register(ANA, PASSWORD).await.problem(429, "too_many_attempts");
}

#[tokio::test]
async fn ten_registrations_of_one_account_from_one_address() {
    let app = throttled().await;
    app.account(ANA).await;
    for spelling in ["ana@example.com", "ANA@example.COM"] {
        for _ in 0..5 {
            app.register(spelling, PASSWORD).await.problem(409, "email_taken");
        }
    }
    is_limited(&app.register(ANA, PASSWORD).await, 3600);
    let elsewhere = app.register(ANA, PASSWORD).header("x-forwarded-for", HOME);
    elsewhere.await.problem(409, "email_taken");
    app.register("bea@example.com", PASSWORD).await.status(201);
}

#[tokio::test]
async fn nothing_is_counted_with_the_throttle_off() {
    let app = TestApp::start().await;
    app.account("ana@example.com").await;
    fail(&app, "192.0.2.1", "ana@example.com", 30).await;
    app.login("ana@example.com", PASSWORD).await.ok();
    for number in 0..25 {
        app.register(&format!("user{number}@example.com"), PASSWORD).await.status(201);
    }
}
