//! Names, attributes and lives of the cookies.

use doorward::Config;
use doorward::config::PublicUrl;

use crate::harness::{Answer, DAY, HOUR, MINUTE, REFRESH_TTL, SECOND, SESSION_MAX_AGE, TestApp};
use crate::tokens::claims;

const KINDS: [&str; 3] = ["token", "refreshToken", "csrfToken"];

fn has_attributes(answer: &Answer, prefix: &str, expected: &[&str]) {
    for kind in KINDS {
        let cookie = answer.cookie(&format!("{prefix}{kind}"));
        let mut attributes: Vec<_> = cookie.attributes.iter().map(String::as_str).collect();
        attributes.sort_unstable();
        let mut expected = expected.to_vec();
        if kind != "csrfToken" {
            expected.push("HttpOnly");
        }
        expected.sort_unstable();
        assert_eq!(attributes, expected, "{kind}");
    }
}

#[tokio::test]
async fn public_url_decides_names_and_attributes() {
    type Setup = fn(&mut Config);
    let plain: Setup = |_| {};
    let https: Setup = |config| config.public_url = PublicUrl::parse("https://id.example.com").ok();
    let domain: Setup = |config| {
        config.public_url = PublicUrl::parse("https://id.example.com").ok();
        config.cookie_domain = Some("example.com".to_owned());
    };
    for (setup, prefix, expected) in [
        (plain, "", &["Path=/", "SameSite=Lax"][..]),
        (https, "__Host-", &["Path=/", "SameSite=Lax", "Secure"]),
        (domain, "__Secure-", &["Path=/", "SameSite=Lax", "Secure", "Domain=example.com"]),
    ] {
        let app = TestApp::with(setup).await;
        app.account("ana@example.com").await;
        let ana = app.browser();
        has_attributes(&ana.login("ana@example.com").await, prefix, expected);
        ana.me().await.ok();
        ana.refresh().await.ok();

        let out = ana.logout().await;
        out.clears_cookies().ok();
        has_attributes(&out, prefix, expected);
        assert!(ana.jar().is_empty());
    }
}

#[tokio::test]
async fn names_without_the_prefix_count_for_nothing() {
    let app = TestApp::with(|config| {
        config.public_url = PublicUrl::parse("https://id.example.com").ok();
    })
    .await;
    let ana = app.signed_in("ana@example.com").await;
    let tokens = ana.tokens();
    for prefix in ["", "__Secure-", "__host-", "__%48ost-"] {
        let cookies =
            format!("{prefix}token={}; {prefix}refreshToken={}", tokens.access, tokens.refresh);
        let me = app.get("/api/auth/me").header("cookie", cookies);
        me.await.problem(401, "no_token");
    }
    let beside = format!("__Host-token={}; token=planted", tokens.access);
    app.get("/api/auth/me").header("cookie", beside).await.ok();
}

#[tokio::test]
async fn each_lives_as_long_as_what_it_holds_rounded_up() {
    let app = TestApp::start().await;
    app.account("ana@example.com").await;
    for _ in 0..20 {
        let answer = app.browser().login("ana@example.com").await;
        let token = answer.cookie("token");
        let life = claims(&token.value).life();
        let rounded_up = life.as_millis().div_ceil(1000);
        assert_eq!(token.max_age.map(u128::from), Some(rounded_up), "{life:?}");
        assert_eq!(answer.cookie("refreshToken").max_age, Some(REFRESH_TTL.as_secs()));
        assert_eq!(answer.cookie("csrfToken").max_age, Some(SESSION_MAX_AGE.as_secs()));
    }
}

#[tokio::test]
async fn a_refresh_leaves_the_csrf_value_alone() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let csrf = ana.cookie("csrfToken");
    let explicit = ana.refresh().await;
    explicit.sets_cookies(&["refreshToken", "token"]).ok();
    app.clock.advance(HOUR);
    let silent = ana.me().await;
    silent.sets_cookies(&["refreshToken", "token"]).ok();
    assert_eq!(ana.cookie("csrfToken"), csrf);
    ana.logout_all().await.ok();
}

#[tokio::test]
async fn a_refresh_sets_a_missing_or_wrong_csrf_value_again() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let csrf = ana.cookie("csrfToken");
    app.clock.advance(10 * DAY + MINUTE + SECOND / 2);
    let left = SESSION_MAX_AGE - 10 * DAY - MINUTE;

    ana.forget("csrfToken");
    let answer = ana.refresh().await;
    answer.sets_cookies(&["csrfToken", "refreshToken", "token"]).ok();
    assert_eq!(answer.cookie("csrfToken").max_age, Some(left.as_secs()));
    assert_eq!(ana.cookie("csrfToken"), csrf);

    ana.plant("csrfToken", "planted");
    ana.refresh().await.sets_cookies(&["csrfToken", "refreshToken", "token"]).ok();
    assert_eq!(ana.cookie("csrfToken"), csrf);

    app.clock.advance(HOUR);
    ana.forget("csrfToken");
    ana.me().await.sets_cookies(&["csrfToken", "refreshToken", "token"]).ok();
    assert_eq!(ana.cookie("csrfToken"), csrf);
}

#[tokio::test]
async fn a_csrf_value_of_an_old_key_works_and_is_replaced_by_a_refresh() {
    let app = TestApp::start().await;
    let ana = app.signed_in("ana@example.com").await;
    let old = ana.cookie("csrfToken").unwrap();
    app.rotate_keys().await;

    ana.revoke(crate::harness::NOBODY).await.problem(404, "not_found");
    ana.refresh().await.sets_cookies(&["csrfToken", "refreshToken", "token"]).ok();
    assert_ne!(ana.cookie("csrfToken"), Some(old));
    ana.refresh().await.sets_cookies(&["refreshToken", "token"]).ok();
    ana.logout_all().await.ok();
}

/// Towards its absolute end a session lasts no longer than that.
#[tokio::test]
async fn no_cookie_outlives_its_session() {
    let app = TestApp::with(|config| config.session_max_age = 40 * DAY).await;
    let ana = app.signed_in("ana@example.com").await;
    app.clock.advance(29 * DAY);
    let answer = ana.refresh().await;
    assert_eq!(answer.cookie("refreshToken").max_age, Some((11 * DAY).as_secs()));
    app.clock.advance(11 * DAY - MINUTE);
    ana.forget("csrfToken");
    let answer = ana.refresh().await;
    for kind in KINDS {
        assert_eq!(answer.cookie(kind).max_age, Some(60), "{kind}");
    }
}
