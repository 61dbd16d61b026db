//! Keys rotate while the server runs: nobody is signed out, nobody is accused, and what is over goes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use doorward::app::App;
use doorward::crypto::key_files::{self, Place};
use doorward::crypto::keyring::Root;
use doorward::domain::secret::KeyId;
use doorward::domain::session::Client;
use doorward::flows::keys::{self, Older, Refusal};
use doorward::flows::refresh::refresh;
use doorward::store::Store;
use serde_json::json;

use crate::harness::{ACCESS_TTL, DAY, GRACE, HOUR, PASSWORD, Program, SECOND, TestApp, Tokens};
use crate::tokens::claims;

fn root(byte: u8) -> Root {
    Root::from_bytes([byte; 32])
}

fn dir(app: &TestApp) -> PathBuf {
    app.app().config.keys_dir()
}

/// A server whose key is in its directory.
async fn start() -> TestApp {
    let app = TestApp::start().await;
    key_files::load_dir(&dir(&app), true, &root(1), app.now().wall).unwrap();
    keys::follow(&app.app()).await.unwrap();
    app
}

/// Another process adds a key. The server has not looked yet.
fn add(app: &TestApp, byte: u8) {
    key_files::add(&dir(app), &root(byte), app.now().wall).unwrap();
}

/// The same, and the job that looks has run.
async fn rotate(app: &TestApp, byte: u8) {
    add(app, byte);
    keys::follow(&app.app()).await.unwrap();
}

fn ids(app: &TestApp) -> Vec<KeyId> {
    app.app().keys.current().ids()
}

/// Which keys the directory has.
fn there(app: &TestApp) -> Vec<KeyId> {
    Place::Directory(dir(app)).load().unwrap().0.ids()
}

/// Another process on the same database and the same directory.
struct Other(Arc<App>);

impl Other {
    fn beside(here: &TestApp) -> Self {
        let running = here.app();
        let store = Store::open(running.store.path(), ACCESS_TTL, here.now()).unwrap();
        let (keyring, _) = Place::Directory(dir(here)).load().unwrap();
        let (config, clock) = (running.config.clone(), Arc::clone(&running.clock));
        let entropy = Arc::clone(&running.entropy);
        let app = App::new(config, here.address(), store, keyring, clock, entropy);
        Self(Arc::new(app.unwrap()))
    }

    /// Adds a key, and has looked.
    async fn rotate(&self, byte: u8) {
        key_files::add(&self.0.config.keys_dir(), &root(byte), self.0.clock.now().wall).unwrap();
        keys::follow(&self.0).await.unwrap();
    }

    async fn refresh(&self, tokens: &Tokens) -> Tokens {
        let issued = refresh(&self.0, &tokens.refresh, Client::default()).await.unwrap();
        Tokens { access: issued.access_token, refresh: issued.refresh_token }
    }
}

/// Lets days pass, and the job run in each of them.
async fn days(app: &TestApp, days: u32) {
    for _ in 0..days {
        app.clock.advance(DAY);
        keys::retire(&app.app()).await.unwrap();
    }
}

#[tokio::test]
async fn a_running_server_takes_a_key_up_and_nobody_notices() {
    let app = start().await;
    let ana = app.signed_in("ana@example.com").await;
    let mut script = app.program("ben@example.com").await;
    let (csrf, before) = (ana.cookie("csrfToken"), claims(&script.tokens.access).footer);
    rotate(&app, 2).await;

    // What was made before is good.
    ana.me().await.sets_no_cookies().ok();
    script.me().await.ok();
    ana.call("DELETE", "/api/auth/sessions/0190b8a0-0000-7000-8000-000000000000")
        .csrf()
        .await
        .problem(404, "not_found");
    // What is made now is made with the new key, the CSRF value as well.
    script.refresh().await;
    assert_ne!(claims(&script.tokens.access).footer, before);
    script.me().await.ok();
    ana.refresh().await.sets_cookies(&["csrfToken", "refreshToken", "token"]).ok();
    assert_ne!(ana.cookie("csrfToken"), csrf);
    ana.refresh().await.sets_cookies(&["refreshToken", "token"]).ok();
    app.signed_in("cleo@example.com").await.me().await.ok();

    let published = app.get("/.well-known/doorward-keys").await.ok();
    assert_eq!(published["keys"][1]["kid"], before["kid"]);
    assert_eq!((app.audited("key_rotated"), app.audited("key_retired")), (1, 0));
    keys::reload(&app.app()).await.unwrap();
    assert_eq!(app.audited("key_rotated"), 1, "once");
}

/// The old token of a tab that raced, and of an answer that was lost, opens with the old key.
#[tokio::test]
async fn a_grace_and_a_lost_answer_go_on_across_a_rotation() {
    let app = start().await;
    let ana = app.signed_in("ana@example.com").await;
    let mut script = app.program("ben@example.com").await;
    let (jar, lost) = (ana.jar(), script.tokens.clone());
    ana.refresh().await.ok();
    ana.me().await.ok();
    script.refresh().await;
    rotate(&app, 2).await;

    // The other tab is given the same generation, which the old key made.
    let tab = app.browser_with(&jar);
    tab.refresh().await.sets_cookies(&["csrfToken", "refreshToken", "token"]).ok();
    tab.me().await.ok();
    ana.refresh().await.ok();
    // And again, now that the new key has made the generation, and the parent is of the old one.
    app.browser_with(&tab.jar()).refresh().await.ok();
    app.clock.advance(20 * HOUR);
    app.refresh(&lost).await.ok();
    assert_eq!((app.audited("refresh_token_reused"), app.audited("refresh_token_foreign")), (0, 0));
}

/// Another process has made a token with a key that this one has not seen.
#[tokio::test]
async fn a_token_of_an_unknown_key_has_the_server_look_before_it_refuses() {
    let here = start().await;
    let mut ana = here.program("ana@example.com").await;
    let ben = here.signed_in("ben@example.com").await;
    let lost = here.program("cleo@example.com").await;
    let leaving = here.program("dora@example.com").await;

    let there = Other::beside(&here);
    there.rotate(2).await;
    ana.tokens = there.refresh(&ana.tokens).await;
    let made = claims(&ana.tokens.access).footer;
    assert_ne!(made["kid"], here.app().keys.current().active().public.id());
    ana.me().await.ok();
    assert_eq!(ids(&here).len(), 2, "it has looked");

    there.rotate(3).await;
    ana.tokens = there.refresh(&ana.tokens).await;
    ana.refresh().await;
    assert_eq!(ids(&here).len(), 3, "it has looked");

    // The session was turned there; the answer was lost, and the parent, of a key that is known, comes
    // here.
    there.rotate(4).await;
    there.refresh(&lost.tokens).await;
    here.refresh(&lost.tokens).await.ok();
    assert_eq!(ids(&here).len(), 4, "it has looked");

    there.rotate(5).await;
    let tokens = there.refresh(&leaving.tokens).await;
    let body = json!({ "refreshToken": tokens.refresh });
    here.post("/api/auth/logout").json(body).await.ok();
    here.refresh(&tokens).await.problem(403, "invalid_refresh_token");
    assert_eq!(ids(&here).len(), 5, "it has looked");

    ben.refresh().await.ok();
    for event in ["refresh_token_reused", "refresh_token_foreign"] {
        assert_eq!(here.audited(event), 0, "{event}");
    }
    assert_eq!(here.audited("key_rotated"), 4, "each once, whoever sees it first");

    // A made-up one changes nothing, and costs a look at a list of names: no database is asked.
    here.sql().execute("ALTER TABLE keys RENAME TO mislaid", []).unwrap();
    let forged = ana.tokens.access.rsplit_once('.').unwrap().0.to_owned() + ".eyJraWQiOiJ4In0";
    here.me(&forged).await.problem(401, "session_expired");
}

#[tokio::test]
async fn a_link_that_another_process_has_sent_is_good_here() {
    let here = start().await;
    here.account("ana@example.com").await;
    let email = json!({"email": "ana@example.com"});
    here.post("/api/auth/forgot-password").json(email).await.status(202);
    add(&here, 2);
    let id: uuid::Uuid =
        here.sql().query_row("SELECT id FROM one_time_tokens", [], |row| row.get(0)).unwrap();
    let (keyring, _) = Place::Directory(dir(&here)).load().unwrap();
    let token = keyring.active().one_time_token(doorward::domain::id::OneTimeId(id)).to_string();
    here.post("/api/auth/reset-password")
        .json(json!({"token": token, "newPassword": "another horse battery"}))
        .await
        .ok();
    assert_eq!(ids(&here).len(), 2);
}

#[tokio::test]
async fn keys_that_cannot_be_used_leave_the_old_ones_in_force() {
    let app = start().await;
    let ana = app.program("ana@example.com").await;
    let (dir, before) = (dir(&app), ids(&app));
    let file = dir.join("9.key");
    for (text, mode, said) in [
        ("k4.local.c2hvcnQ\n", 0o600, "9.key line 1: not a key"),
        ("", 0o600, "no key in"),
        (root(2).to_paserk().as_str(), 0o644, "chmod 600"),
    ] {
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let refusal = keys::follow(&app.app()).await.unwrap_err().to_string();
        assert!(refusal.contains(said) && !refusal.contains("c2hvcnQ"), "{refusal}");
        assert_eq!(ids(&app), before);
        ana.me().await.ok();
        // Whether a token of an unknown key is good cannot be told: that is nobody's fault but ours.
        let unknown = ana.tokens.access.rsplit_once('.').unwrap().0.to_owned() + ".eyJraWQiOiJ4In0";
        app.me(&unknown).await.problem(503, "unavailable");
    }
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    // Not for every token that anybody makes up: once in a while.
    let unknown = ana.tokens.access.rsplit_once('.').unwrap().0.to_owned() + ".eyJraWQiOiJ4In0";
    app.me(&unknown).await.problem(503, "unavailable");
    assert_eq!(ids(&app), before);
    app.clock.advance(SECOND);
    app.me(&unknown).await.problem(401, "session_expired");
    assert_eq!(ids(&app).len(), 2);
    keys::follow(&app.app()).await.unwrap();
    assert_eq!(ids(&app).len(), 2);
    ana.me().await.ok();
}

#[tokio::test]
async fn a_key_that_vanishes_while_it_is_needed_stays_in_force() {
    let app = start().await;
    let mut ana = app.program("ana@example.com").await;
    let aside = app.app().config.data_dir.join("aside");
    fs::rename(dir(&app), &aside).unwrap();
    keys::follow(&app.app()).await.unwrap();
    ana.me().await.ok();
    fs::rename(&aside, dir(&app)).unwrap();

    let first = fs::read_dir(dir(&app)).unwrap().next().unwrap().unwrap().path();
    rotate(&app, 2).await;
    fs::rename(&first, &aside).unwrap();
    for attempt in [keys::follow(&app.app()).await, keys::reload(&app.app()).await] {
        let refusal = attempt.unwrap_err();
        assert!(matches!(refusal, Refusal::Needed { .. }), "{refusal}");
    }
    // Also when no session was made with it any more: a lost answer may be asked for again.
    ana.refresh().await;
    keys::follow(&app.app()).await.unwrap_err();
    ana.me().await.ok();
    // At last nothing can need it, and it is not missed.
    for _ in 0..12 {
        days(&app, 1).await;
        ana.refresh().await;
    }
    keys::follow(&app.app()).await.unwrap();
    assert_eq!(ids(&app).len(), 1);
    ana.me().await.ok();
}

#[tokio::test]
async fn a_key_is_retired_when_nothing_can_need_it_any_more() {
    let app = start().await;
    let mut ana = app.program("ana@example.com").await;
    let idle = app.program("ben@example.com").await;
    let old = ana.tokens.clone();
    rotate(&app, 2).await;
    let both = ids(&app);

    // Ben comes back on the last day, with what the old key made; then his answer is lost.
    for _ in 0..29 {
        days(&app, 1).await;
        ana.refresh().await;
    }
    app.clock.advance(23 * HOUR);
    app.refresh(&idle.tokens).await.ok();
    assert_eq!(ids(&app), both);
    for _ in 0..2 {
        app.clock.advance(11 * HOUR);
        keys::retire(&app.app()).await.unwrap();
        app.refresh(&idle.tokens).await.ok();
    }
    assert_eq!((ids(&app), there(&app)), (both.clone(), both.clone()));

    // Nothing names it now, and what it made is over a week and two days later.
    for _ in 0..7 {
        days(&app, 1).await;
        ana.refresh().await;
    }
    assert_eq!(ids(&app), both);
    for _ in 0..3 {
        days(&app, 1).await;
        ana.refresh().await;
    }
    assert_eq!((ids(&app), there(&app)), (vec![both[0]], vec![both[0]]));
    assert_eq!((app.audited("key_rotated"), app.audited("key_retired")), (1, 1));
    ana.me().await.ok();
    // What it made is refused before the database is asked, and accuses nobody.
    app.refresh(&old).await.problem(403, "invalid_refresh_token");
    app.me(&old.access).await.problem(401, "session_expired");
    assert_eq!(app.audited("refresh_token_reused"), 0);
    days(&app, 2).await;
    assert_eq!(app.audited("key_retired"), 1, "once");
}

/// The server was off for longer than a superseded key is kept: what it made may have been needed until
/// a moment ago.
#[tokio::test]
async fn an_outage_does_not_age_a_key() {
    let app = start().await;
    let idle = app.program("ben@example.com").await;
    rotate(&app, 2).await;
    let both = ids(&app);
    app.clock.advance(20 * DAY);
    app.refresh(&idle.tokens).await.ok();
    keys::retire(&app.app()).await.unwrap();
    assert_eq!((ids(&app), there(&app)), (both.clone(), both.clone()));
    // His answer was lost, and he asks again with what the old key has made.
    app.clock.advance(HOUR);
    let tokens = Tokens::of(&app.refresh(&idle.tokens).await.ok());
    let mut ben = Program::new(&app, tokens);
    for _ in 0..8 {
        days(&app, 1).await;
        ben.refresh().await;
    }
    assert_eq!(ids(&app), both);
    days(&app, 1).await;
    assert_eq!(ids(&app), [both[0]]);
}

/// The cache of verified tokens goes with the keyring.
#[tokio::test]
async fn what_a_revoked_key_has_signed_is_refused_at_once() {
    let app = start().await;
    let ana = app.program("ana@example.com").await;
    let ben = app.signed_in("ben@example.com").await;
    ana.me().await.ok();
    let running = app.app();
    let rotated = keys::rotate(
        &running.store,
        &running.config,
        Older::Revoke,
        true,
        &*running.clock,
        &*running.entropy,
    );
    let rotated = rotated.await.unwrap();
    assert_eq!((rotated.ended, rotated.keyring.ids().len()), (2, 2));
    keys::follow(&running).await.unwrap();
    assert_eq!((ids(&app).len(), there(&app).len()), (1, 1));

    ana.me().await.problem(401, "session_expired");
    app.refresh(&ana.tokens).await.problem(403, "invalid_refresh_token");
    ben.me().await.problem(401, "session_expired");
    ben.refresh().await.problem(403, "invalid_refresh_token");
    app.clock.advance(GRACE + SECOND);
    app.refresh(&ana.tokens).await.problem(403, "invalid_refresh_token");
    ben.login("ben@example.com").await.ok();
    ben.me().await.ok();
    for (event, times) in [
        ("refresh_token_reused", 0),
        ("refresh_token_foreign", 0),
        ("session_revoked", 1),
        ("key_rotated", 1),
        ("key_retired", 1),
    ] {
        assert_eq!(app.audited(event), times, "{event}");
    }
}

/// Another process revokes all keys but a new one. The server has not looked yet.
async fn revoke(app: &TestApp) {
    let running = app.app();
    let store = Store::open(running.store.path(), ACCESS_TTL, app.now()).unwrap();
    let (clock, entropy) = (&*running.clock, &*running.entropy);
    let rotated =
        keys::rotate(&store, &running.config, Older::Revoke, true, clock, entropy).await.unwrap();
    assert!(rotated.left.is_none());
    store.close();
}

/// The server makes nothing with a revoked key, also before it has looked.
#[tokio::test]
async fn a_session_that_begins_right_after_a_revocation_is_made_with_the_new_key() {
    let app = start().await;
    app.account("ana@example.com").await;
    let made_with = |app: &TestApp| -> Vec<u8> {
        let newest = "SELECT key_id FROM sessions WHERE ended_at IS NULL ORDER BY created_at DESC";
        app.sql().query_row(newest, [], |row| row.get(0)).unwrap()
    };
    let sign_in = |path, email| {
        let body = json!({"email": email, "password": PASSWORD, "delivery": "body"});
        app.post(path).json(body)
    };
    for (path, email) in
        [("/api/auth/login", "ana@example.com"), ("/api/auth/register", "ben@example.com")]
    {
        let before = ids(&app);
        revoke(&app).await;
        assert_eq!(ids(&app), before, "it has not looked");
        let signed_in = sign_in(path, email).await;
        let tokens = Tokens::of(&signed_in.json());
        assert_eq!(ids(&app), there(&app), "{path}");
        assert_eq!(made_with(&app), ids(&app)[0].0, "{path}");
        app.app().store.follow(app.now()).await.unwrap();
        app.me(&tokens.access).await.ok();
        app.refresh(&tokens).await.ok();
        app.clock.advance(SECOND);
    }
}

/// Also in a rotation: the session is of an older key, and the active one is retired elsewhere.
#[tokio::test]
async fn a_rotation_right_after_a_revocation_is_made_with_the_new_key() {
    let app = start().await;
    rotate(&app, 2).await;
    let both = ids(&app);
    let mut ana = app.program("ana@example.com").await;
    rotate(&app, 3).await;
    let retired = "UPDATE keys SET retired_at = 1 WHERE id = ?1";
    assert_eq!(app.sql().execute(retired, [ids(&app)[0].0]).unwrap(), 1);
    add(&app, 4);
    ana.refresh().await;
    assert_eq!(ids(&app), [there(&app)[0], both[1], both[0]]);
    ana.me().await.ok();
}

/// What is revoked is refused at once, although nothing new can be read: the files count for nothing.
#[tokio::test]
async fn a_revocation_needs_no_files() {
    let app = start().await;
    let ana = app.program("ana@example.com").await;
    let first = fs::read_dir(dir(&app)).unwrap().next().unwrap().unwrap().path();
    let leaked = fs::read(&first).unwrap();
    // Another one than the active key.
    rotate(&app, 2).await;
    let [active, old] = ids(&app)[..] else { panic!() };
    app.app().store.revoke_keys(active, app.now()).await.unwrap();
    ana.me().await.problem(401, "session_expired");
    assert_eq!(ids(&app), [active, old]);
    keys::follow(&app.app()).await.unwrap();
    assert_eq!((ids(&app), there(&app)), (vec![active], vec![active, old]));

    // The active one, while its successor cannot be read.
    let bad = dir(&app).join("9.key");
    let ben = app.program("ben@example.com").await;
    revoke(&app).await;
    fs::write(&bad, "k4.local.c2hvcnQ\n").unwrap();
    keys::follow(&app.app()).await.unwrap_err();
    assert_eq!(ids(&app), []);
    let published = app.get("/.well-known/doorward-keys").await.ok();
    assert_eq!(published["keys"], json!([]));
    app.login("ana@example.com", PASSWORD).await.problem(503, "unavailable");
    // What is known to be retired is told from what may be new.
    ben.me().await.problem(401, "session_expired");
    app.refresh(&ben.tokens).await.problem(403, "invalid_refresh_token");
    fs::remove_file(&bad).unwrap();
    keys::follow(&app.app()).await.unwrap();
    let ana = app.program("ana@example.com").await;
    ana.me().await.ok();

    // And it does not come back, alone or in front of the others.
    let before = ids(&app);
    assert_eq!((before.len(), there(&app)), (1, before.clone()));
    fs::write(&bad, leaked).unwrap();
    fs::set_permissions(&bad, fs::Permissions::from_mode(0o600)).unwrap();
    let refusal = keys::follow(&app.app()).await.unwrap_err().to_string();
    assert!(refusal.contains("retired or revoked on 2027"), "{refusal}");
    assert!(refusal.contains("Run `doorward keys rotate`"), "{refusal}");
    assert_eq!(ids(&app), before);
    ana.me().await.ok();

    // Nor is one that has no successor passed over in silence.
    fs::remove_file(&bad).unwrap();
    keys::follow(&app.app()).await.unwrap();
    app.sql().execute("UPDATE keys SET retired_at = 1", []).unwrap();
    for _ in 0..2 {
        let refusal = keys::follow(&app.app()).await.unwrap_err().to_string();
        assert!(refusal.contains("retired or revoked on 1970"), "{refusal}");
        assert_eq!(ids(&app), []);
    }
}

/// A crash between the two steps of a revocation: the job removes what is marked.
#[tokio::test]
async fn a_key_that_is_marked_as_retired_is_removed_after_a_crash() {
    let app = start().await;
    let running = app.app();
    rotate(&app, 2).await;
    let active = ids(&app)[0];
    running.store.revoke_keys(active, app.now()).await.unwrap();
    assert_eq!(there(&app).len(), 2);
    keys::retire(&running).await.unwrap();
    keys::follow(&running).await.unwrap();
    assert_eq!((ids(&app), there(&app)), (vec![active], vec![active]));
}

/// What the operator keeps in a file of their own is read when they say so.
#[tokio::test]
async fn a_key_file_is_read_again_when_it_is_asked_for() {
    let data = tempfile::tempdir().unwrap();
    let path = data.path().join("keys.txt");
    let line = |byte| format!("{}\n", *root(byte).to_paserk());
    fs::write(&path, line(1)).unwrap();
    let app = TestApp::with(|config| config.key_file = Some(path.clone())).await;
    keys::reload(&app.app()).await.unwrap();
    let mut ana = app.program("ana@example.com").await;

    fs::write(&path, line(1) + &line(2)).unwrap();
    keys::follow(&app.app()).await.unwrap();
    assert_eq!(ids(&app).len(), 1, "nobody has said so");
    keys::reload(&app.app()).await.unwrap();
    assert_eq!(ids(&app).len(), 2);
    ana.me().await.ok();
    ana.refresh().await;

    for (text, said) in [
        (line(1) + "k4.local.c2hvcnQ\n", "keys.txt line 2: not a key"),
        (String::new(), "no key in"),
        (line(2), "is gone from"),
    ] {
        fs::write(&path, text).unwrap();
        let refusal = keys::reload(&app.app()).await.unwrap_err().to_string();
        assert!(refusal.contains(said) && !refusal.contains("c2hvcnQ"), "{refusal}");
        assert_eq!(ids(&app).len(), 2);
    }
    // A retired key counts no more, although its line is there.
    fs::write(&path, line(1) + &line(2)).unwrap();
    for _ in 0..10 {
        days(&app, 1).await;
        ana.refresh().await;
    }
    assert_eq!(ids(&app).len(), 1);
    assert_eq!(app.audited("key_retired"), 1);
    fs::write(&path, line(2)).unwrap();
    keys::reload(&app.app()).await.unwrap();
    ana.me().await.ok();
}
