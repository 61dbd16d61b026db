//! Links in mails, used twice, late, elsewhere, or by the wrong one: a table over all purposes.

use std::time::Duration;

use doorward::domain::claims::Role;
use doorward::domain::one_time::Purpose;
use doorward::store::UserChange;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Call, DAY, HOUR, PASSWORD, TestApp};
use crate::recovery::{change_email, is_invalid};

const ANA: &str = "ana@example.com";
const ROOT: &str = "root@example.com";
const NEW_ADDRESS: &str = "ana.maria@example.com";
const OTHER_ADDRESS: &str = "other@example.com";
const MILLISECOND: Duration = Duration::from_millis(1);

/// What there is to know of the links for a purpose.
struct Kind {
    /// Where their tokens are sent to, below `/api/auth/`.
    path: &'static str,
    /// What is answered when it was done.
    status: u16,
    /// What the audit trail has once, when it was done.
    event: &'static str,
    /// How long they are good.
    life: Duration,
    /// Whether they outlive that the account (of an invitation: that of the host) is given another
    /// address, or is kept out for a while.
    outlives: bool,
}

/// A new purpose needs a row here, and its way to a link in [`Scene::set`].
const fn kind(purpose: Purpose) -> Kind {
    let (path, event, life, outlives) = match purpose {
        Purpose::VerifyEmail => ("verify-email", "user_verified", DAY, false),
        Purpose::ResetPassword => ("reset-password", "password_changed", HOUR, false),
        Purpose::ChangeEmail => ("confirm-email", "email_changed", HOUR, false),
        Purpose::UndoEmailChange => {
            let week = Duration::from_secs(7 * 24 * 60 * 60);
            ("undo-email-change", "email_change_undone", week, true)
        }
        Purpose::AcceptInvitation => {
            let week = Duration::from_secs(7 * 24 * 60 * 60);
            ("accept-invitation", "registered", week, true)
        }
    };
    let status = if matches!(purpose, Purpose::AcceptInvitation) { 201 } else { 200 };
    Kind { path, status, event, life, outlives }
}

/// Ana, and a link on its way to her.
struct Scene {
    app: TestApp,
    purpose: Purpose,
    token: String,
    /// The address of her account.
    email: &'static str,
    /// How often it was done already, for other reasons.
    before: i64,
}

impl Scene {
    async fn set(purpose: Purpose) -> Self {
        let app = TestApp::start().await;
        let ana = app.signed_in(ANA).await;
        let (token, email) = match purpose {
            Purpose::VerifyEmail => {
                let ask = app.post("/api/auth/resend-verification").json(json!({"email": ANA}));
                ask.await.status(202);
                (app.link(ANA, "verify_email"), ANA)
            }
            Purpose::ResetPassword => {
                app.forgot(ANA).await.status(202);
                (app.link(ANA, "reset_password"), ANA)
            }
            Purpose::ChangeEmail => {
                change_email(&ana, NEW_ADDRESS).await.status(202);
                (app.link(NEW_ADDRESS, "confirm_email_change"), ANA)
            }
            Purpose::UndoEmailChange => {
                change_email(&ana, NEW_ADDRESS).await.status(202);
                let link = app.link(NEW_ADDRESS, "confirm_email_change");
                app.redeem("confirm-email", &link).await.ok();
                (app.link(ANA, "email_changed"), NEW_ADDRESS)
            }
            Purpose::AcceptInvitation => {
                // Ana may go: Root is left.
                app.account(ROOT).await;
                for host in [ROOT, ANA] {
                    app.operator(host, UserChange::Role(Role::Admin)).await;
                }
                let invite = ana.call("POST", "/api/admin/invitations").csrf();
                invite.json(json!({"email": NEW_ADDRESS})).await.status(201);
                (app.link(NEW_ADDRESS, "invitation"), ANA)
            }
        };
        drop(ana);
        let before = app.audited(kind(purpose).event);
        Self { app, purpose, token, email, before }
    }

    /// One for each purpose.
    async fn each() -> Vec<Self> {
        join_all(Purpose::ALL.map(Self::set)).await
    }

    /// Presents a token where those for `purpose` are good.
    fn present(&self, purpose: Purpose, token: &str) -> Call<'_> {
        let body = match purpose {
            Purpose::ResetPassword => json!({"token": token, "newPassword": "staple, upright"}),
            Purpose::AcceptInvitation => json!({"token": token, "password": PASSWORD}),
            _ => json!({ "token": token }),
        };
        self.app.post(&format!("/api/auth/{}", kind(purpose).path)).json(body)
    }

    /// Uses the link.
    fn follow(&self) -> Call<'_> {
        self.present(self.purpose, &self.token)
    }

    /// It was done this often.
    #[track_caller]
    fn was_done(&self, times: i64) {
        let done = self.app.audited(kind(self.purpose).event) - self.before;
        assert_eq!(done, times, "{:?}", self.purpose);
    }

    /// The link does nothing.
    async fn is_dead(&self) {
        let before = self.account();
        is_invalid(&self.follow().await);
        assert_eq!(self.account(), before, "{:?}", self.purpose);
        self.was_done(0);
    }

    /// The link does what it is for, once.
    async fn is_alive(&self) {
        self.follow().await.status(kind(self.purpose).status);
        is_invalid(&self.follow().await);
        self.was_done(1);
    }

    /// The account is given another address, by a link of its own.
    async fn with_address(self, email: &'static str) -> Self {
        let ana = self.app.browser();
        ana.login(self.email).await.ok();
        change_email(&ana, email).await.status(202);
        let link = self.app.link(email, "confirm_email_change");
        self.app.redeem("confirm-email", &link).await.ok();
        drop(ana);
        Self { email, before: self.app.audited(kind(self.purpose).event), ..self }
    }

    /// What the links could change.
    fn account(&self) -> Vec<Value> {
        let sql = self.app.sql();
        let columns = "SELECT json_array(email, is_verified, password_hash) FROM users";
        let mut rows = sql.prepare(columns).unwrap();
        let rows = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
        rows.map(|row| serde_json::from_str(&row.unwrap()).unwrap()).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_at_once_one_succeeds() {
    for scene in Scene::each().await {
        let calls = (0..32).map(|_| scene.follow().into_future());
        let answers = join_all(calls).await;
        let (done, refused): (Vec<_>, Vec<_>) =
            answers.iter().partition(|answer| answer.status == kind(scene.purpose).status);
        assert_eq!((done.len(), refused.len()), (1, 31), "{:?}", scene.purpose);
        refused.into_iter().for_each(is_invalid);
        scene.was_done(1);
    }
}

#[tokio::test]
async fn it_is_good_until_its_time_is_over() {
    for scene in Scene::each().await {
        scene.app.clock.advance(kind(scene.purpose).life - MILLISECOND);
        scene.is_alive().await;
    }
    for scene in Scene::each().await {
        scene.app.clock.advance(kind(scene.purpose).life);
        scene.is_dead().await;
    }
}

#[tokio::test]
async fn it_is_good_for_its_own_purpose_only() {
    for scene in Scene::each().await {
        let before = scene.account();
        for other in Purpose::ALL.into_iter().filter(|it| *it != scene.purpose) {
            is_invalid(&scene.present(other, &scene.token).await);
        }
        assert_eq!(scene.account(), before, "{:?}", scene.purpose);
        // That it was shown around has used nothing up.
        scene.is_alive().await;
    }
}

#[tokio::test]
async fn one_that_was_changed_is_good_for_nothing() {
    for scene in Scene::each().await {
        let token = &scene.token;
        let changed = (0..token.len()).map(|at| {
            // The next letter: of the last one of each part, that changes bits that say nothing.
            let other = if &token[at..=at] == "A" { "B" } else { "A" };
            format!("{}{other}{}", &token[..at], &token[at + 1..])
        });
        let cut = [String::new(), "x".to_owned(), token.replace('.', ""), format!("{token}A")];
        let less = token[..token.len() - 1].to_owned();
        for other in changed.chain(cut).chain([less]) {
            assert_ne!(other, *token);
            is_invalid(&scene.present(scene.purpose, &other).await);
        }
        scene.is_alive().await;
    }
}

#[tokio::test]
async fn the_account_has_another_address_by_now() {
    for scene in Scene::each().await {
        let scene = scene.with_address(OTHER_ADDRESS).await;
        if kind(scene.purpose).outlives {
            scene.is_alive().await;
        } else {
            scene.is_dead().await;
        }
    }
    // Nor does it come back with the address.
    for scene in Scene::each().await {
        if !kind(scene.purpose).outlives {
            let scene = scene.with_address(OTHER_ADDRESS).await.with_address(ANA).await;
            scene.is_dead().await;
        }
    }
}

/// However it came by it: what a link shows is that its reader owns the address that it was sent to.
#[tokio::test]
async fn the_address_was_changed_behind_its_back() {
    for scene in Scene::each().await {
        // The others are about an address that the account does not have.
        if matches!(scene.purpose, Purpose::VerifyEmail | Purpose::ResetPassword) {
            scene.app.sql().execute("UPDATE users SET email = ?1", [OTHER_ADDRESS]).unwrap();
            scene.is_dead().await;
        }
    }
}

#[tokio::test]
async fn the_account_is_disabled() {
    for scene in Scene::each().await {
        scene.app.operator(scene.email, UserChange::Disable).await;
        scene.is_dead().await;
        scene.app.operator(scene.email, UserChange::Enable).await;
        // An invitation does not come back with the administrator who made it.
        if kind(scene.purpose).outlives && scene.purpose != Purpose::AcceptInvitation {
            scene.is_alive().await;
        } else {
            scene.is_dead().await;
        }
    }
}

#[tokio::test]
async fn the_account_is_deleted() {
    for scene in Scene::each().await {
        scene.app.operator(scene.email, UserChange::Delete).await;
        scene.is_dead().await;
        // Somebody else who registers with the address has nothing to do with it.
        scene.app.account(scene.email).await;
        let before = scene.app.audited(kind(scene.purpose).event);
        Scene { before, ..scene }.is_dead().await;
    }
}
