//! Each kind of token at each door that takes one: only the diagonal is let in.

use doorward::domain::id::OneTimeId;
use doorward::store::UserChange;
use serde_json::json;
use uuid::Uuid;

use crate::harness::{Answer, Jar, PASSWORD, TestApp};

const ANA: &str = "ana@example.com";

/// A kind of token, and one that is good.
type Token = (&'static str, String);

/// A scene of its own for each pair, since a door may use a token up.
struct Scene {
    app: TestApp,
    jar: Jar,
    tokens: Vec<Token>,
}

impl Scene {
    async fn set() -> Self {
        let app = TestApp::start().await;
        app.verified(ANA).await;
        let ana = app.signed_in(ANA).await;
        // The address is changed, so that there is a link to undo that; then each other link is asked
        // for.
        let change = |to: &str| json!({"newEmail": to, "password": PASSWORD});
        let ask = |to| ana.call("POST", "/api/auth/change-email").csrf().json(change(to));
        ask("ana.maria@example.com").await.status(202);
        let confirm = Self::link(&app, "change_email");
        app.post("/api/auth/confirm-email").json(json!({"token": confirm})).await.ok();
        app.operator("ana.maria@example.com", UserChange::Verified(false)).await;
        ask(ANA).await.status(202);
        let email = json!({"email": "ana.maria@example.com"});
        app.post("/api/auth/forgot-password").json(email.clone()).await.status(202);
        app.post("/api/auth/resend-verification").json(email).await.status(202);
        ana.refresh().await.ok();
        let (jar, tokens) = (ana.jar(), ana.tokens());
        let mut all = vec![
            ("access", tokens.access),
            ("refresh", tokens.refresh),
            ("csrf", ana.cookie("csrfToken").unwrap()),
        ];
        for purpose in ["verify_email", "reset_password", "change_email", "undo_email_change"] {
            all.push((purpose, Self::link(&app, purpose)));
        }
        Self { app, jar, tokens: all }
    }

    /// The token of the last link for a purpose.
    fn link(app: &TestApp, purpose: &str) -> String {
        let query = "SELECT id FROM one_time_tokens WHERE purpose = ?1 ORDER BY id DESC LIMIT 1";
        let id: Uuid = app.sql().query_row(query, [purpose], |row| row.get(0)).unwrap();
        app.app().keys.current().active().one_time_token(OneTimeId(id)).to_string()
    }

    async fn try_at(&self, door: &str, token: &str) -> Answer {
        let app = &self.app;
        let by_link = |path: &str| app.post(path).json(json!({ "token": token }));
        let ana = app.browser_with(&self.jar);
        match door {
            "access: bearer" => app.me(token).await,
            "access: cookie" => {
                ana.plant("token", token);
                ana.forget("refreshToken");
                ana.me().await
            }
            "refresh: body" => app.refresh_with(token).await,
            "refresh: cookie" => {
                ana.plant("refreshToken", token);
                ana.refresh().await
            }
            "refresh: guard" => {
                ana.forget("token");
                ana.plant("refreshToken", token);
                ana.me().await
            }
            "csrf: header and cookie" => {
                ana.plant("csrfToken", token);
                ana.logout_all().await
            }
            "verify_email: link" => by_link("/api/auth/verify-email").await,
            "reset_password: link" => {
                let body = json!({"token": token, "newPassword": "another horse battery"});
                app.post("/api/auth/reset-password").json(body).await
            }
            "change_email: link" => by_link("/api/auth/confirm-email").await,
            _ => by_link("/api/auth/undo-email-change").await,
        }
    }
}

#[tokio::test]
async fn only_the_diagonal_is_let_in() {
    let doors = [
        "access: bearer",
        "access: cookie",
        "refresh: body",
        "refresh: cookie",
        "refresh: guard",
        "csrf: header and cookie",
        "verify_email: link",
        "reset_password: link",
        "change_email: link",
        "undo_email_change: link",
    ];
    let mut let_in = 0;
    for door in doors {
        let scene = Scene::set().await;
        let kind_of_door = door.split(':').next().unwrap();
        // The wrong ones first: whatever they do, the right one must still be good.
        let mut tokens = scene.tokens.clone();
        tokens.sort_by_key(|(kind, _)| *kind == kind_of_door);
        for (kind, token) in tokens {
            let answer = scene.try_at(door, &token).await;
            assert_eq!(answer.status == 200, kind == kind_of_door, "{kind} at {door}: {answer}");
            assert!([200, 401, 403, 422].contains(&answer.status), "{kind} at {door}: {answer}");
            let_in += usize::from(answer.status == 200);
        }
        for event in ["refresh_token_reused", "refresh_token_foreign"] {
            assert_eq!(scene.app.audited(event), 0, "{door}");
        }
    }
    assert_eq!(let_in, doors.len());
}
