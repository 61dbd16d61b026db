//! How often one may try.

use crate::harness::{Answer, HOUR, MINUTE, PASSWORD, SECOND, TestApp};

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

async fn fail(app: &TestApp, address: &str, email: &str, times: usize) {
    for _ in 0..times {
        from(app, address, email, "wrong horse battery").await.problem(401, "invalid_credentials");
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
    app.account("ana@example.com").await;
    for _ in 0..20 {
        app.register("ana@example.com", PASSWORD).await.problem(409, "email_taken");
    }
    app.register("ana@example.com", PASSWORD).await.problem(429, "too_many_attempts");
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
