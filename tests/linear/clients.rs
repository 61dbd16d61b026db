//! Clients of one user, at once, on real sockets; everything they do is recorded.

use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use uuid::Uuid;

use super::history::{History, Recorder};
use super::model::{Answer, Step, Token};
use super::plan::{Carrier, Choice, Pick, Plan};
use super::server::{self, Pair, Server};

/// What all clients of a history share.
struct Crowd {
    server: Arc<Server>,
    email: String,
    recorder: Recorder,
    /// All tokens that have been issued, in the order in which they arrived.
    wallet: Mutex<Vec<Pair>>,
}

const PASSWORD: &str = "correct horse battery";

/// Has a new user's clients do what `plan` says.
pub async fn play(server: &Arc<Server>, name: &str, plan: &Plan) -> History {
    let crowd = Arc::new(Crowd {
        server: Arc::clone(server),
        email: format!("{name}@example.com"),
        recorder: Recorder::default(),
        wallet: Mutex::default(),
    });
    crowd.sign_in("register", None).await;
    for _ in 1..plan.sessions {
        crowd.sign_in("login", None).await;
    }
    for round in &plan.rounds {
        let began = crowd.recorder.begin();
        server.wait(round.wait);
        crowd.recorder.end(began, &[Step::Wait(round.wait)]);
        let clients = round.clients.iter().cloned().map(|choices| {
            let crowd = Arc::clone(&crowd);
            tokio::spawn(async move {
                for choice in choices {
                    crowd.act(choice).await;
                }
            })
        });
        // All are started before the first is waited for.
        let clients: Vec<_> = clients.collect();
        join_all(clients).await.into_iter().for_each(Result::unwrap);
    }
    Arc::into_inner(crowd).unwrap().recorder.finish()
}

impl Crowd {
    async fn act(&self, choice: Choice) {
        match choice {
            Choice::Refresh(pick, carrier) => self.refresh(&self.pick(pick), carrier).await,
            Choice::RefreshTwice(pick, carrier) => {
                let pair = self.pick(pick);
                tokio::join!(self.refresh(&pair, carrier), self.refresh(&pair, carrier));
            }
            Choice::Use(pick) => self.see_me(&self.pick(pick)).await,
            Choice::Login { over: None } => self.sign_in("login", None).await,
            Choice::Login { over: Some(pick) } => {
                self.sign_in("login", Some(&self.pick(pick))).await;
            }
            Choice::Logout(pick) => self.logout(&self.pick(pick)).await,
            Choice::Revoke { by, target } => {
                self.revoke(&self.pick(by), self.pick(target).token.session).await;
            }
            Choice::LogoutAll(pick) => self.logout_all(&self.pick(pick)).await,
        }
    }

    /// By registering or by logging in; with the cookies of another session, over that one.
    async fn sign_in(&self, operation: &str, over: Option<&Pair>) {
        let delivery = if over.is_some() { "cookie" } else { "body" };
        let body = json!({"email": self.email, "password": PASSWORD, "delivery": delivery});
        let mut request = self.request(Method::POST, operation).json(&body);
        if let Some(pair) = over {
            request = with_cookie(request, pair);
        }
        self.call(request, |answer| match answer {
            server::Answer { status: 200 | 201, pair: Some(pair), .. } => {
                let replaces = over.map(|pair| pair.token.session);
                Some(vec![Step::SignIn { replaces, issued: pair.token }])
            }
            _ => None,
        })
        .await;
    }

    async fn refresh(&self, pair: &Pair, carrier: Carrier) {
        let request = match carrier {
            Carrier::Body => {
                self.request(Method::POST, "refresh").json(&json!({ "refreshToken": pair.refresh }))
            }
            Carrier::Cookie => with_cookie(self.request(Method::POST, "refresh"), pair),
            Carrier::Guard => with_cookie(self.request(Method::GET, "me"), pair),
        };
        self.call(request, |answer| {
            let answer = match (answer.status, answer.code.as_str(), &answer.pair) {
                (200, _, Some(issued)) => Answer::Issued(issued.token),
                (403, "invalid_refresh_token", _) | (401, "session_expired", _) => Answer::Invalid,
                (403, "refresh_token_reused", _) => Answer::Reused,
                (503, "unavailable", _) => Answer::Late,
                _ => return None,
            };
            Some(vec![Step::Refresh { presented: pair.token, answer }])
        })
        .await;
    }

    async fn see_me(&self, pair: &Pair) {
        let request = self.request(Method::GET, "me").bearer_auth(&pair.access);
        self.call(request, |answer| match answer.status {
            200 => Some(vec![admitted(pair.token)]),
            _ => turned_away(pair.token, answer),
        })
        .await;
    }

    /// With any token that names the session, were it superseded or of a session that has ended.
    async fn logout(&self, pair: &Pair) {
        let request =
            self.request(Method::POST, "logout").json(&json!({ "refreshToken": pair.refresh }));
        self.call(request, |answer| {
            (answer.status == 200).then(|| vec![Step::Logout { session: pair.token.session }])
        })
        .await;
    }

    async fn revoke(&self, pair: &Pair, session: Uuid) {
        let path = format!("sessions/{session}");
        let request = self.request(Method::DELETE, &path).bearer_auth(&pair.access);
        self.call(request, |answer| match answer.status {
            204 => Some(vec![admitted(pair.token), Step::Revoke { session, found: true }]),
            404 => Some(vec![admitted(pair.token), Step::Revoke { session, found: false }]),
            _ => turned_away(pair.token, answer),
        })
        .await;
    }

    async fn logout_all(&self, pair: &Pair) {
        let request = self.request(Method::POST, "logout-all").bearer_auth(&pair.access);
        self.call(request, |answer| match answer.status {
            200 => Some(vec![admitted(pair.token), Step::LogoutAll]),
            _ => turned_away(pair.token, answer),
        })
        .await;
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.server.request(method, path)
    }

    /// Sends a request and records what it was seen to do. `None` is an answer that the contract
    /// does not know.
    async fn call(
        &self,
        request: RequestBuilder,
        seen: impl FnOnce(&server::Answer) -> Option<Vec<Step>>,
    ) {
        let began = self.recorder.begin();
        let answer = self.server.send(request).await;
        let Some(steps) = seen(&answer) else {
            panic!("unexpected: {} {}", answer.status, answer.code)
        };
        self.recorder.end(began, &steps);
        self.wallet.lock().unwrap().extend(answer.pair);
    }

    fn pick(&self, pick: Pick) -> Pair {
        let wallet = self.wallet.lock().unwrap();
        let mut sessions: Vec<Uuid> = Vec::new();
        for pair in &*wallet {
            if !sessions.contains(&pair.token.session) {
                sessions.push(pair.token.session);
            }
        }
        let session = *back(&sessions, pick.session);
        let mut pairs: Vec<&Pair> =
            wallet.iter().filter(|pair| pair.token.session == session).collect();
        pairs.sort_by_key(|pair| pair.token.generation);
        pairs.dedup_by_key(|pair| pair.token);
        (*back(&pairs, pick.generation)).clone()
    }
}

/// So many back from the last, or the first.
fn back<T>(items: &[T], by: usize) -> &T {
    &items[items.len().saturating_sub(1 + by)]
}

fn with_cookie(request: RequestBuilder, pair: &Pair) -> RequestBuilder {
    request.header("cookie", format!("refreshToken={}", pair.refresh))
}

const fn admitted(shown: Token) -> Step {
    Step::Guard { shown, admitted: true }
}

fn turned_away(shown: Token, answer: &server::Answer) -> Option<Vec<Step>> {
    let is_refusal = (answer.status, answer.code.as_str()) == (401, "session_expired");
    is_refusal.then(|| vec![Step::Guard { shown, admitted: false }])
}
