//! What ends when: each event that concerns the credentials, against each kind of token.

use doorward::domain::claims::Role;
use doorward::domain::id::OneTimeId;
use doorward::domain::one_time::Purpose;
use doorward::store::UserChange;
use serde_json::json;
use uuid::Uuid;

use crate::harness::{Answer, GRACE, PASSWORD, Program, SECOND, TestApp, Tokens};

const ANA: &str = "ana@example.com";
const NEW_ADDRESS: &str = "ana.maria@example.com";
const OLD_ADDRESS: &str = "ana@old.example.com";

/// `+` goes on, `~` is stale and renewed, `-` has ended. `here` is the device on which it happens,
/// `there` another one of Ana's; then the links that are on their way to her, the last of them to an
/// address that she had before.
const TABLE: &str = "
                            here            there           links
event                       access refresh  access refresh  reset verify change undo
--------------------------------------------------------------------------------------
nothing                     +      +        +      +        +     +      +      +
signed in on a third device +      +        +      +        +     +      +      +
logout                      -      -        +      +        +     +      +      +
logout of all               -      -        -      -        +     +      +      +
the other device revoked    +      +        -      -        +     +      +      +
refresh token reused        -      -        -      -        +     +      +      +
password changed            -      -        -      -        -     -      -      +
password reset              -      -        -      -        -     -      -      +
password set at the shell   -      -        -      -        -     -      -      +
address changed             ~      +        ~      +        -     -      -      +
former address given back   -      -        -      -        -     -      -      -
address verified            ~      +        ~      +        +     -      +      +
role changed                ~      +        ~      +        +     +      +      +
disabled                    -      -        -      -        -     -      -      -
disabled and enabled again  -      -        -      -        -     -      -      +
deleted                     -      -        -      -        -     -      -      -
";

/// Ana with two devices and four links under way.
struct Scene {
    app: TestApp,
    here: Tokens,
    there: Tokens,
    links: [OneTimeId; 4],
}

impl Scene {
    async fn set() -> Self {
        let app = TestApp::start().await;
        app.verified(OLD_ADDRESS).await;
        app.moves(OLD_ADDRESS, ANA).await;
        app.operator(ANA, UserChange::Verified(false)).await;
        let (here, there) = (app.program(ANA).await.tokens, app.program(ANA).await.tokens);
        app.post("/api/auth/forgot-password").json(json!({"email": ANA})).await.status(202);
        app.post("/api/auth/resend-verification").json(json!({"email": ANA})).await.status(202);
        let change = json!({"newEmail": NEW_ADDRESS, "password": PASSWORD});
        let change = app.post("/api/auth/change-email").bearer(&here.access).json(change);
        change.await.status(202);
        let links = ["reset_password", "verify_email", "confirm_email_change", "email_changed"];
        let links = links.map(|about| {
            let query = "SELECT coalesce(about ->> 'token', about ->> 'undo') FROM outbox
                         WHERE about ->> 'about' = ?1 ORDER BY seq DESC";
            let id: String = app.sql().query_row(query, [about], |row| row.get(0)).unwrap();
            OneTimeId(Uuid::parse_str(&id).unwrap())
        });
        Self { app, here, there, links }
    }

    fn token(&self, which: usize) -> String {
        self.app.app().keys.current().active().one_time_token(self.links[which]).to_string()
    }

    async fn happens(&mut self, event: &str) {
        let app = &self.app;
        let here = Program::new(app, self.here.clone());
        let post = |path: &str| here.call("POST", &format!("/api/auth/{path}"));
        match event {
            "nothing" => {}
            "signed in on a third device" => drop(app.login(ANA, PASSWORD).await.ok()),
            "logout" => drop(post("logout").await.ok()),
            "logout of all" => drop(post("logout-all").await.ok()),
            "the other device revoked" => {
                let list = here.call("GET", "/api/auth/sessions").await.ok();
                let sessions = list["sessions"].as_array().unwrap();
                let other = sessions.iter().find(|session| session["current"] == false).unwrap();
                let path = format!("/api/auth/sessions/{}", other["id"].as_str().unwrap());
                here.call("DELETE", &path).await.status(204);
            }
            "refresh token reused" => {
                let mut owner = Program::new(app, self.here.clone());
                owner.refresh().await;
                owner.me().await.ok();
                app.clock.advance(GRACE + SECOND);
                app.refresh(&self.here).await.problem(403, "refresh_token_reused");
                self.here = owner.tokens;
            }
            "password changed" => {
                let body = json!({"currentPassword": PASSWORD, "newPassword": "another one now"});
                post("password").json(body).await.ok();
            }
            "password reset" => {
                let body = json!({"token": self.token(0), "newPassword": "another one now"});
                app.post("/api/auth/reset-password").json(body).await.ok();
            }
            "address verified" => {
                let body = json!({"token": self.token(1)});
                app.post("/api/auth/verify-email").json(body).await.ok();
            }
            "address changed" => {
                let body = json!({"token": self.token(2)});
                app.post("/api/auth/confirm-email").json(body).await.ok();
            }
            "former address given back" => {
                let body = json!({"token": self.token(3)});
                app.post("/api/auth/undo-email-change").json(body).await.ok();
            }
            "password set at the shell" => {
                let hash =
                    "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA";
                app.operator(ANA, UserChange::PasswordHash(hash.to_owned())).await;
            }
            "role changed" => app.operator(ANA, UserChange::Role(Role::Admin)).await,
            "disabled" => app.operator(ANA, UserChange::Disable).await,
            "disabled and enabled again" => {
                app.operator(ANA, UserChange::Disable).await;
                app.operator(ANA, UserChange::Enable).await;
            }
            "deleted" => {
                post("delete-account").json(json!({"password": PASSWORD})).await.status(204);
            }
            _ => panic!("what is {event:?}?"),
        }
    }

    /// The eight marks of a row.
    async fn marks(&self) -> Vec<&'static str> {
        let mut marks = Vec::new();
        for tokens in [&self.here, &self.there] {
            marks.push(mark(&self.app.me(&tokens.access).await));
            marks.push(mark(&self.app.refresh(tokens).await));
        }
        for (id, purpose) in self.links.iter().zip([
            Purpose::ResetPassword,
            Purpose::VerifyEmail,
            Purpose::ChangeEmail,
            Purpose::UndoEmailChange,
        ]) {
            let is_good = self.app.app().store.is_good(*id, purpose, self.app.now()).await.unwrap();
            marks.push(if is_good { "+" } else { "-" });
        }
        marks
    }
}

fn mark(answer: &Answer) -> &'static str {
    match (answer.status, answer.json()["code"].as_str()) {
        (200, _) => "+",
        (401, Some("access_token_expired")) => "~",
        (401, Some("session_expired")) | (403, Some("invalid_refresh_token")) => "-",
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_ends_when() {
    let rows = TABLE.lines().skip_while(|line| !line.starts_with("---")).skip(1);
    let mut seen = 0;
    for row in rows {
        let (event, expected) = row.split_at(28);
        let mut scene = Scene::set().await;
        scene.happens(event.trim()).await;
        let expected: Vec<_> = expected.split_whitespace().collect();
        assert_eq!(scene.marks().await, expected, "{event}");
        seen += 1;
    }
    assert_eq!(seen, 16);
}
