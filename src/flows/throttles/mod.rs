//! The limits on attempts that are in force, and who is not held to that of an account.

mod attempt;
mod own;

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) use self::attempt::PasswordAttempt;
use self::own::Own;

use crate::app::App;
use crate::domain::account::Email;
use crate::domain::gate::{Admission, Gate, Key, Keys, Limits};
use crate::domain::id::{OneTimeId, SessionId};
use crate::domain::mark::DeviceMark;
use crate::domain::session::Client;
use crate::domain::throttle::{Limit, RetryAfter, Throttle};
use crate::domain::time::Now;
use crate::fault::Fault;

const QUARTER: i64 = 15 * 60_000;
const HOUR: i64 = 60 * 60_000;

/// Failed logins.
const LOGIN: Limits = Limits {
    pair: Limit { attempts: 10, window_ms: QUARTER },
    account: Some(Limit { attempts: 100, window_ms: QUARTER }),
    address: Limit { attempts: 300, window_ms: QUARTER },
};

/// Wrong passwords of somebody who is signed in, per session: whoever has stolen one is not to guess
/// from many addresses. What is counted for the account and the address counts as well.
const CONFIRM: Limit = Limit { attempts: 10, window_ms: QUARTER };

/// Mails that somebody asks for.
const MAIL: Limits = Limits {
    pair: Limit { attempts: 5, window_ms: HOUR },
    account: Some(Limit { attempts: 20, window_ms: HOUR }),
    address: Limit { attempts: 30, window_ms: HOUR },
};

/// Registrations.
const REGISTER: Limits = Limits {
    pair: Limit { attempts: 10, window_ms: HOUR },
    account: None,
    address: Limit { attempts: 20, window_ms: HOUR },
};

/// Links that are tried; each stands for its account. Nobody guesses one: this bounds the work, and
/// leaves room for a link that is sent many times at once, by a person who is told what is wrong with it.
const REDEEM: Limits = Limits {
    pair: Limit { attempts: 50, window_ms: QUARTER },
    account: None,
    address: Limit { attempts: 100, window_ms: QUARTER },
};

/// How many keys each limit remembers.
///
/// There are thirteen limits, of 7.2 MiB each at the most: 94 MiB, whatever is thrown at them.
///
/// It is also what it costs to have a counter forgotten before its time: so many attempts under other
/// keys. For the hundred failed logins of an account these are 28,672 failed logins, each of which
/// has a password hashed here, from at least 96 addresses: 287 for each guess that is gained. For the
/// twenty mails of an account they are as many requests, from at least 956 addresses: 1,434 for each
/// mail. The counter of an address goes only for so many other addresses.
const CAPACITY: usize = 28_672;
const _: () = assert!((11 + Own::COUNT) * Throttle::<Key>::most_bytes(CAPACITY) <= 94 << 20);

/// Counts attempts, in memory.
pub struct Throttles(Option<Mutex<Tables>>);

struct Tables {
    login: Gate,
    confirm: Throttle<Key>,
    mail: Gate,
    register: Gate,
    redeem: Gate,
    own: Own,
}

/// One kind of attempt.
#[derive(Clone, Copy)]
enum Kind {
    Login,
    Mail,
    Register,
    Redeem,
}

impl Tables {
    const fn gate(&mut self, kind: Kind) -> &mut Gate {
        match kind {
            Kind::Login => &mut self.login,
            Kind::Mail => &mut self.mail,
            Kind::Register => &mut self.register,
            Kind::Redeem => &mut self.redeem,
        }
    }
}

/// An attempt that was counted.
#[must_use]
pub(super) struct Counted<'a> {
    throttles: &'a Throttles,
    kind: Kind,
    keys: Keys,
    admission: Admission,
    at: i64,
}

impl Counted<'_> {
    /// Gives back an outcome. A fault of the server's is held against nobody; all else counts, also
    /// for a client that goes away before: what it has asked for may be done by then.
    pub(super) fn unless_fault<T>(self, outcome: Result<T, Fault>) -> Result<T, Fault> {
        outcome.inspect_err(|_| self.take_back())
    }

    /// Gives back an outcome. Neither a fault of the server's nor what `is_good` counts.
    pub(super) fn unless_good<T>(
        self,
        outcome: Result<T, Fault>,
        is_good: impl FnOnce(&T) -> bool,
    ) -> Result<T, Fault> {
        if outcome.as_ref().map_or(true, is_good) {
            self.take_back();
        }
        outcome
    }

    /// It counts for nothing.
    pub(super) fn take_back(self) {
        if let Some(mut tables) = self.throttles.tables() {
            tables.gate(self.kind).refund(&self.keys, self.admission, self.at);
        }
    }

    /// It counts for the address alone.
    fn clear_account(self) {
        if let Some(mut tables) = self.throttles.tables() {
            tables.gate(self.kind).clear_account(&self.keys, self.admission, self.at);
        }
    }
}

impl Throttles {
    /// With `on` false nothing is counted or refused.
    pub fn new(on: bool) -> Self {
        Self(on.then(|| {
            Mutex::new(Tables {
                login: Gate::new(LOGIN, CAPACITY),
                confirm: Throttle::new(CONFIRM, CAPACITY),
                mail: Gate::new(MAIL, CAPACITY),
                register: Gate::new(REGISTER, CAPACITY),
                redeem: Gate::new(REDEEM, CAPACITY),
                own: Own::new(CAPACITY),
            })
        }))
    }

    fn tables(&self) -> Option<MutexGuard<'_, Tables>> {
        self.0.as_ref().map(|tables| tables.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn count(&self, kind: Kind, keys: Keys, now: Now) -> Result<Counted<'_>, RetryAfter> {
        let at = now.steady.as_millis();
        let admission = match self.tables() {
            Some(mut tables) => tables.gate(kind).attempt(&keys, at)?,
            None => Admission::Granted,
        };
        Ok(Counted { throttles: self, kind, keys, admission, at })
    }

    /// Counts a wrong password of somebody who is signed in, before it is known to be one. The limit
    /// that others can reach, that of the account, does not hold for them.
    pub(super) fn confirm(
        &self,
        email: &Email,
        session: SessionId,
        address: Option<IpAddr>,
        now: Now,
    ) -> Result<PasswordAttempt<'_>, RetryAfter> {
        let Some(mut tables) = self.tables() else { return Ok(PasswordAttempt::uncounted()) };
        let at = now.steady.as_millis();
        let session = *session.0.as_bytes();
        let Some(about) = keys(email, address).account else {
            return Ok(PasswordAttempt::uncounted());
        };
        let waits = [tables.login.pair().wait(&about.pair, at), tables.confirm.wait(&session, at)];
        if let Some(longer) = waits.into_iter().flatten().max_by_key(|wait| wait.ms) {
            return Err(longer);
        }
        tables.login.pair().attempt(about.pair, at)?;
        tables.confirm.attempt(session, at)?;
        Ok(PasswordAttempt::to_confirm(self, about.pair, session, at))
    }

    /// Counts the use of a link. One that is made up is of no account.
    pub(super) fn redeem(
        &self,
        link: Option<OneTimeId>,
        address: Option<IpAddr>,
        now: Now,
    ) -> Result<Counted<'_>, RetryAfter> {
        let link = link.map(|id| *id.0.as_bytes());
        self.count(Kind::Redeem, Keys::of(link.as_ref().map(<[u8; 16]>::as_slice), address), now)
    }

    /// Counts a registration.
    pub(super) fn register(
        &self,
        email: &Email,
        address: Option<IpAddr>,
        now: Now,
    ) -> Result<Counted<'_>, RetryAfter> {
        self.count(Kind::Register, keys(email, address), now)
    }
}

/// Counts a login before its outcome is known, so that a burst cannot slip through.
pub(super) async fn login<'a>(
    app: &'a App,
    email: &Email,
    address: Option<IpAddr>,
    client: &Client,
    now: Now,
) -> Result<Result<PasswordAttempt<'a>, RetryAfter>, Fault> {
    let counted = unless_unknown(app, Kind::Login, email, address, client, now).await?;
    Ok(counted.map(PasswordAttempt::to_sign_in))
}

/// Counts a request for a mail, whether or not one is sent.
pub(super) async fn mail<'a>(
    app: &'a App,
    email: &Email,
    address: Option<IpAddr>,
    client: &Client,
    now: Now,
) -> Result<Result<Counted<'a>, RetryAfter>, Fault> {
    unless_unknown(app, Kind::Mail, email, address, client, now).await
}

/// Counts an attempt. When only the limit of the account is reached, which anybody can do from
/// anywhere, it goes on from a device that has signed in on the account before. An account that does
/// not exist has no such devices, and that is all the difference.
async fn unless_unknown<'a>(
    app: &'a App,
    kind: Kind,
    email: &Email,
    address: Option<IpAddr>,
    client: &Client,
    now: Now,
) -> Result<Result<Counted<'a>, RetryAfter>, Fault> {
    let counted = match app.throttles.count(kind, keys(email, address), now) {
        Ok(counted) => counted,
        Err(wait) => return Ok(Err(wait)),
    };
    let Admission::UnlessKnown(wait) = counted.admission else { return Ok(Ok(counted)) };
    // A visitor who goes away meanwhile has been counted: nobody looks without an attempt.
    let known = app.store.knows_device(email.clone(), DeviceMark::of(client)).await;
    match known {
        Ok(true) => Ok(Ok(counted)),
        Ok(false) => {
            counted.take_back();
            Ok(Err(wait))
        }
        Err(fault) => counted.unless_fault(Err(fault)),
    }
}

fn keys(email: &Email, address: Option<IpAddr>) -> Keys {
    Keys::of(Some(email.as_str().as_bytes()), address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::UserId;
    use crate::domain::time::Timestamp;

    impl Tables {
        fn bytes(&self) -> usize {
            let gates = [&self.login, &self.mail, &self.register, &self.redeem];
            let gates = gates.map(Gate::bytes).iter().sum::<usize>();
            gates + self.confirm.bytes() + self.own.bytes()
        }
    }

    /// Half as many keys again as there is room for, in every table.
    #[test]
    fn a_flood_of_invented_keys_takes_94_mebibytes_at_the_most() {
        let throttles = Throttles::new(true);
        let now = Now { wall: Timestamp::from_millis(0), steady: Timestamp::from_millis(0) };
        for number in 0..u32::try_from(CAPACITY * 3 / 2).unwrap() {
            let email = Email::parse(&format!("{number}@example.com")).unwrap();
            let address = Some(IpAddr::from(number.to_be_bytes()));
            let id = uuid::Uuid::from_u128(number.into());
            for kind in [Kind::Login, Kind::Mail] {
                throttles.count(kind, keys(&email, address), now).map(drop).unwrap();
            }
            throttles.register(&email, address, now).map(drop).unwrap();
            throttles.redeem(Some(OneTimeId(id)), address, now).map(drop).unwrap();
            throttles.confirm(&email, SessionId(id), address, now).unwrap().failed();
            throttles.export(UserId(id), now).map(drop).unwrap();
            throttles.edit(UserId(id), now).map(drop).unwrap();
        }
        let bytes = throttles.tables().unwrap().bytes();
        assert!(bytes < 94 << 20, "{bytes}");
        assert!(bytes > 40 << 20, "{bytes}: there is less to fear than is said");
    }

    const NOW: Now = Now { wall: Timestamp::from_millis(0), steady: Timestamp::from_millis(0) };

    /// Nothing else is: that is what `floods` and `throttles` of the stories are about.
    #[test]
    fn what_is_broken_off_counts_where_it_comes_from_and_not_for_the_account() {
        let throttles = Throttles::new(true);
        let (ana, home) = (Email::parse("ana@example.com").unwrap(), Some([192, 0, 2, 1].into()));
        let session = |number| SessionId(uuid::Uuid::from_u128(number));
        let login = |address: Option<IpAddr>| {
            throttles.count(Kind::Login, keys(&ana, address), NOW).map(PasswordAttempt::to_sign_in)
        };
        for _ in 0..300 {
            drop(login(home).unwrap());
        }
        assert!(login(home).is_err());
        assert!(login(Some([192, 0, 2, 2].into())).is_ok());

        let confirm = |number| throttles.confirm(&ana, session(number), home, NOW);
        for _ in 0..10 {
            confirm(1).unwrap().take_back();
            drop(confirm(1).unwrap());
        }
        assert!(confirm(1).is_err());
        assert!(confirm(2).is_ok());
    }
}
