//! A server that is killed again and again, the clients that use it, and the books.

use std::net::SocketAddr;
use std::path::Path;

use doorward::clock::{Clock as _, SystemClock};
use doorward::domain::time::Now;
use futures_util::future::join_all;

use super::client::{Client, LastRefresh, Session};
use super::ledger::{Breach, Ledger};
use super::line::Line;
use super::post_mortem;
use super::server::{Server, free_address};

/// How many clients there are.
const CLIENTS: u64 = 16;

/// The whole experiment.
pub struct Trial {
    data: tempfile::TempDir,
    address: SocketAddr,
    clock: SystemClock,
    pub clients: Vec<Client>,
    pub ledger: Ledger,
}

impl Trial {
    pub fn new(seed: u64) -> Self {
        Self {
            data: tempfile::tempdir().unwrap(),
            address: free_address(),
            clock: SystemClock::start(),
            clients: (0..CLIENTS)
                .map(|index| Client::new(seed, format!("client{index}")))
                .collect(),
            ledger: Ledger::default(),
        }
    }

    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// A server's life: the clients check what the last one has left and go on, until it is
    /// killed after so many acknowledgements. Then its database is examined.
    pub async fn run(&mut self, acknowledgements: u64) {
        let server = Server::start(self.data.path(), self.address, acknowledgements).await;
        let began = self.clock.now();
        let line = Line::open(&server, &self.ledger).await;
        join_all(self.clients.iter_mut().map(|client| client.live(&line))).await;
        if server.is_killed() {
            self.ledger.count_kill();
        } else {
            let evidence = "no client gets an answer, and nobody was killed";
            self.ledger.report(Breach::Unexpected, evidence);
        }
        self.bury(server, began);
    }

    /// A last life, in which the clients only check.
    pub async fn check(&mut self) {
        let server = Server::start(self.data.path(), self.address, u64::MAX).await;
        let began = self.clock.now();
        let line = Line::open(&server, &self.ledger).await;
        for checked in join_all(self.clients.iter_mut().map(|client| client.check(&line))).await {
            if checked.is_err() {
                let evidence = "a check got no answer, and nobody was killed";
                self.ledger.report(Breach::Unexpected, evidence);
            }
        }
        self.bury(server, began);
    }

    /// Whether there is something to lose of each kind: a sign-in, a rotation, an end, a refresh
    /// that happened without an answer, and an end that got none.
    pub fn has_one_of_each(&self) -> bool {
        let any = |holds: fn(&Session) -> bool| {
            self.clients.iter().flat_map(|client| &client.sessions).any(holds)
        };
        any(|it| it.is_first() && it.last_refresh == LastRefresh::Answered)
            && any(|it| !it.is_first() && it.last_refresh == LastRefresh::Answered)
            && any(|it| it.last_refresh == LastRefresh::Examined { happened: true })
            && self.clients.iter().any(|client| !client.ended.is_empty())
            && self.clients.iter().any(|client| !client.ending.0.is_empty())
    }

    fn bury(&mut self, server: Server, began: Now) {
        self.ledger.record_life(server.ready_after, self.clock.now().steady.since(began.steady));
        server.bury();
        post_mortem::examine(self.data.path(), &mut self.clients, &self.ledger);
    }
}

impl Drop for Trial {
    /// What a failed test found can be looked at.
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.data.disable_cleanup(true);
            println!("the files are left in {}", self.data.path().display());
        }
    }
}
