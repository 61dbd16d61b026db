//! A client that follows the protocol, the server that it talks to, and what it may expect of it
//! whatever the wall clock does.

use std::sync::Arc;
use std::time::Duration;

use doorward::app::App;
use doorward::clock::{Clock as _, FakeClock};
use doorward::domain::account::Email;
use doorward::domain::password::Password;
use doorward::domain::session::Client;
use doorward::domain::time::{Now, Timestamp};
use doorward::flows::authenticate::{self, Credentials, authenticate};
use doorward::flows::login::{self, Visitor};
use doorward::flows::mint::Issued;
use doorward::flows::refresh::{Refusal, refresh};
use doorward::flows::{logout, register};

use crate::common::{DAY, MINUTE, POLICY};
use crate::server::{Ages, Clocks, serve};

/// Something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Signs in over whatever session there was.
    SignIn,
    /// Sends a guarded request, and refreshes for it if need be.
    Use,
    Refresh,
    /// The server rotates, its answer never arrives.
    RefreshUnanswered,
    /// Another tab sends the refresh token from before, or from two before, if the grace since
    /// this client got a newer one is not over.
    OtherTab {
        back: usize,
    },
    LogOut,
    Wait(Duration),
    /// The wall clock is corrected by so many seconds, and no time passes.
    Correct(i64),
    Restart,
}

/// A refresh token that the client has a newer one for.
struct Superseded {
    refresh_token: String,
    /// When the newer one arrived, in time that really passed.
    at: Duration,
    /// How long the server had been waiting by then for a sign that it had.
    unconfirmed_for: Duration,
    /// How often the server had been restarted by then.
    restarts: usize,
}

/// A session that is over, with its last tokens.
struct Ended {
    issued: Issued,
    /// When its access tokens were revoked, by the wall clock.
    at: Timestamp,
    /// The revocation is no longer kept: a day and the life of an access token have passed by the
    /// wall clock, and a sweep has seen it. Its refresh tokens stay dead all the same.
    is_forgotten: bool,
}

/// What the client holds, and what is known of it from the server's side.
struct Held {
    issued: Issued,
    /// When the server rotated away from it without an answer, and after how many restarts.
    unanswered: Option<(Duration, usize)>,
    earlier: Vec<Superseded>,
    /// Its expiry has passed by so much, for a while, that the row may have been swept.
    is_swept: bool,
}

/// What is wrong, in words.
pub type Complaint = String;

/// One honest client and its server.
pub struct Story {
    data: tempfile::TempDir,
    clock: Arc<Clocks>,
    app: Arc<App>,
    /// Time that really passed.
    elapsed: Duration,
    restarts: usize,
    /// A restart has taken the steady clock further ahead than time had passed.
    has_leapt: bool,
    held: Option<Held>,
    ended: Vec<Ended>,
    /// How often a token was accepted.
    pub accepted: usize,
    /// How often it was accused, where the protocol does not promise that it is not.
    pub excused: usize,
}

fn ana() -> (Email, Password) {
    (Email::parse("ana@example.com").unwrap(), Password::present("correct horse").unwrap())
}

fn visitor() -> Visitor {
    Visitor { address: None, client: Client::default(), replaces: None, remember: true }
}

fn bearer(token: &str) -> Credentials<'_> {
    Credentials { bearer: Some(token), ..Credentials::default() }
}

impl Story {
    /// A server that has just been started, and an account.
    pub async fn begin(at: Timestamp, ages: Ages) -> Self {
        // In memory where there is such a place: no power fails here, and a sync takes its time.
        let data = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let clock = Arc::new(Clocks { fake: FakeClock::at(at), ages });
        let app = serve(data.path().to_owned(), &clock);
        let (email, password) = ana();
        register::register(&app, email, password, visitor()).await.unwrap();
        Self {
            data,
            clock,
            app,
            elapsed: Duration::ZERO,
            restarts: 0,
            has_leapt: false,
            held: None,
            ended: Vec::new(),
            accepted: 0,
            excused: 0,
        }
    }

    pub fn now(&self) -> Now {
        self.clock.now()
    }

    fn since(&self, at: Duration) -> Duration {
        self.elapsed.saturating_sub(at)
    }

    /// The refresh token before the one that is held.
    pub fn parent(&self) -> &str {
        &self.held.as_ref().unwrap().earlier.last().unwrap().refresh_token
    }

    /// Presents a refresh token as somebody who need not be honest.
    pub async fn present(&self, token: &str) -> &'static str {
        match refresh(&self.app, token, Client::default()).await {
            Ok(_) => "accepted",
            Err(Refusal::Reused) => "reused",
            Err(_) => "refused",
        }
    }

    /// Lets it all happen; says what is wrong as soon as something is.
    pub async fn tell(&mut self, acts: &[Act]) -> Result<(), Complaint> {
        for (index, act) in acts.iter().enumerate() {
            let at = |complaint| format!("act {index}, {act:?}: {complaint}");
            self.act(*act).await.map_err(at)?;
            self.work_in_the_background(false).await;
            self.check_ended_access_tokens().await.map_err(at)?;
        }
        self.check_ended_refresh_tokens().await?;
        self.check_audit()
    }

    async fn act(&mut self, act: Act) -> Result<(), Complaint> {
        match act {
            Act::SignIn => self.sign_in().await,
            Act::Use => return self.use_access_token().await,
            Act::Refresh => return self.refresh(true).await,
            Act::RefreshUnanswered => return self.refresh(false).await,
            Act::OtherTab { back } => return self.other_tab(back).await,
            Act::LogOut => self.log_out().await,
            Act::Wait(time) => {
                self.clock.fake.advance(time);
                self.elapsed += time;
                self.work_in_the_background(time >= 10 * MINUTE).await;
            }
            Act::Correct(seconds) => {
                let wall = self.now().wall.as_millis() + seconds * 1_000;
                self.clock.fake.set_wall(Timestamp::from_millis(wall));
            }
            Act::Restart => {
                self.app.store.close();
                let before = self.clock.fake.now().steady;
                self.clock.fake.restart();
                self.has_leapt |= self.clock.fake.now().steady > before;
                self.restarts += 1;
                self.app = serve(self.data.path().to_owned(), &self.clock);
            }
        }
        Ok(())
    }

    /// What the jobs do all the time, and every ten minutes.
    async fn work_in_the_background(&mut self, sweeps: bool) {
        let (store, config, now) = (&self.app.store, &self.app.config, self.now());
        store.write_notes(now).await.unwrap();
        store.follow(now).await.unwrap();
        if sweeps {
            let idle = config.refresh_token_ttl;
            while store.sweep(idle, config.access_token_ttl, now).await.unwrap() > 0 {}
            if let Some(held) = &mut self.held {
                held.is_swept |= now.wall.minus(idle) > held.issued.session.expires_at;
            }
            for ended in &mut self.ended {
                ended.is_forgotten |= now.wall.minus(DAY + config.access_token_ttl) > ended.at;
            }
        }
    }

    async fn sign_in(&mut self) {
        let (email, password) = ana();
        let before = self.held.take();
        let replaces = before.as_ref().map(|held| held.issued.session.id);
        let issued = login::login(&self.app, email, password, Visitor { replaces, ..visitor() });
        let issued = issued.await.unwrap();
        if let Some(before) = before {
            self.bury(before);
        }
        self.held = Some(Held { issued, unanswered: None, earlier: Vec::new(), is_swept: false });
    }

    async fn log_out(&mut self) {
        if let Some(held) = self.held.take() {
            let token = Some(held.issued.refresh_token.as_str());
            let credentials = Credentials::default();
            logout::logout(&self.app, token, &credentials, Client::default()).await.unwrap();
            self.bury(held);
        }
    }

    /// The session is over.
    fn bury(&mut self, held: Held) {
        let at = self.now().wall.max(held.issued.session.last_used_at);
        self.ended.push(Ended { issued: held.issued, at, is_forgotten: false });
    }

    async fn guard(&self, access_token: &str) -> bool {
        let credentials = bearer(access_token);
        match authenticate(&self.app, &credentials, false, Client::default).await {
            Ok(_) => true,
            Err(
                authenticate::Refusal::AccessTokenExpired | authenticate::Refusal::SessionExpired,
            ) => false,
            Err(refusal) => panic!("{refusal:?}"),
        }
    }

    async fn use_access_token(&mut self) -> Result<(), Complaint> {
        let Some(Held { issued, .. }) = &self.held else { return Ok(()) };
        let (is_expired, exp) = (self.now().wall >= issued.claims.exp, issued.claims.exp);
        match (self.guard(&issued.access_token).await, is_expired) {
            (true, true) => Err(format!("an access token is accepted that expired at {exp}")),
            (true, false) => {
                self.accepted += 1;
                Ok(())
            }
            (false, _) => self.refresh(true).await,
        }
    }

    async fn refresh(&mut self, is_answered: bool) -> Result<(), Complaint> {
        let Some(mut held) = self.held.take() else { return Ok(()) };
        let wall = self.now().wall;
        let expires_at = held.issued.session.expires_at;
        let is_expired = wall >= expires_at || wall >= held.issued.session.ends_at;
        let answer = refresh(&self.app, &held.issued.refresh_token, Client::default()).await;
        match answer {
            Ok(_) if is_expired => Err(format!("a session goes on that expired at {expires_at}")),
            Ok(next) if is_answered => {
                self.accepted += 1;
                let rotated = held.unanswered.map_or(self.elapsed, |(at, _)| at);
                held.earlier.push(Superseded {
                    refresh_token: held.issued.refresh_token,
                    at: self.elapsed,
                    unconfirmed_for: self.since(rotated),
                    restarts: self.restarts,
                });
                self.held = Some(Held { issued: next, unanswered: None, ..held });
                Ok(())
            }
            Ok(next) => {
                self.accepted += 1;
                held.unanswered.get_or_insert((self.elapsed, self.restarts));
                held.issued.session.expires_at = next.session.expires_at;
                self.held = Some(held);
                Ok(())
            }
            Err(Refusal::Invalid) if is_expired || held.is_swept => Ok(()),
            Err(Refusal::Invalid) if self.may_be_lost(&held) => {
                self.bury(held);
                Ok(())
            }
            Err(refusal) => Err(format!("the client is refused: {refusal:?}")),
        }
    }

    /// Whether the time to ask for a lost answer again may be over.
    fn may_be_lost(&self, held: &Held) -> bool {
        held.unanswered.is_some_and(|(at, restarts)| {
            let is_over = self.since(at) > POLICY.lost_response_window;
            is_over || (restarts < self.restarts && self.has_leapt)
        })
    }

    async fn other_tab(&mut self, back: usize) -> Result<(), Complaint> {
        let Some(mut held) = self.held.take() else { return Ok(()) };
        let index = held.earlier.len().checked_sub(back);
        let earlier = index.and_then(|index| held.earlier.get(index));
        let Some(earlier) = earlier.filter(|it| self.since(it.at) <= POLICY.refresh_grace) else {
            self.held = Some(held);
            return Ok(());
        };
        let is_expired = self.now().wall >= held.issued.session.expires_at;
        let is_excused = earlier.restarts < self.restarts && self.has_leapt;
        let waited = earlier.unconfirmed_for + self.since(earlier.at);
        let may_be_lost = is_excused || waited > POLICY.lost_response_window;
        match refresh(&self.app, &earlier.refresh_token, Client::default()).await {
            Ok(_) if is_expired => return Err("an expired session goes on".to_owned()),
            Ok(same) => {
                self.accepted += 1;
                // One jar: the tab that is answered last has the last word, unless this client has
                // missed an answer: then the tab has brought it.
                let unanswered = held
                    .unanswered
                    .filter(|_| same.session.generation == held.issued.session.generation);
                held = Held { issued: same, unanswered, ..held };
                self.held = Some(held);
            }
            Err(Refusal::Invalid) if is_expired || held.is_swept => {}
            Err(Refusal::Late) => self.held = Some(held),
            Err(Refusal::Invalid) if may_be_lost => self.bury(held),
            Err(Refusal::Reused) if is_excused => {
                self.excused += 1;
                self.bury(held);
            }
            Err(refusal) => return Err(format!("the client is refused: {refusal:?}")),
        }
        Ok(())
    }

    async fn check_ended_access_tokens(&self) -> Result<(), Complaint> {
        for Ended { issued, .. } in self.ended.iter().filter(|ended| !ended.is_forgotten) {
            if self.guard(&issued.access_token).await {
                return Err(format!(
                    "an access token of an ended session lives, at {}",
                    self.now().wall
                ));
            }
        }
        Ok(())
    }

    async fn check_ended_refresh_tokens(&self) -> Result<(), Complaint> {
        for Ended { issued, .. } in &self.ended {
            let answer = refresh(&self.app, &issued.refresh_token, Client::default()).await;
            match answer.map(|next| next.session.generation) {
                Err(Refusal::Invalid) => {}
                other => return Err(format!("an ended session answers {other:?}")),
            }
        }
        Ok(())
    }

    /// Whoever was accused is in the audit trail, foreign tokens among them.
    #[expect(clippy::disallowed_methods, reason = "looks at the file from outside")]
    fn check_audit(&self) -> Result<(), Complaint> {
        let sql = rusqlite::Connection::open(self.app.config.database()).unwrap();
        let accused = "SELECT count(*) FROM audit
                       WHERE event IN ('refresh_token_reused', 'refresh_token_foreign')";
        let accused: u32 = sql.query_row(accused, [], |row| row.get(0)).unwrap();
        if accused as usize == self.excused {
            Ok(())
        } else {
            Err(format!("{accused} accusations, {} of them excused", self.excused))
        }
    }
}
