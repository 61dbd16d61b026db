//! The limits on attempts that are in force.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, PoisonError};

use crate::domain::account::Email;
use crate::domain::throttle::{Limit, RetryAfter, Throttle, address_bucket};
use crate::domain::time::Now;

const MINUTE: i64 = 60_000;

/// Failed logins for one account from one address.
const LOGIN_PAIR: Limit = Limit { attempts: 10, window_ms: 15 * MINUTE };
/// Failed logins for one account from anywhere.
const LOGIN_ACCOUNT: Limit = Limit { attempts: 100, window_ms: 15 * MINUTE };
/// Registrations from one address.
const REGISTER: Limit = Limit { attempts: 20, window_ms: 60 * MINUTE };

/// Mails to one address, and those that are asked for from one.
const MAIL_ACCOUNT: Limit = Limit { attempts: 5, window_ms: 60 * MINUTE };
const MAIL: Limit = Limit { attempts: 30, window_ms: 60 * MINUTE };
/// Links that are tried from one address.
const REDEEM: Limit = Limit { attempts: 100, window_ms: 15 * MINUTE };

/// How many keys each limit remembers: tens of MiB at the very most, whatever is thrown at it.
const CAPACITY: usize = 50_000;

/// An account, as a key of fixed size.
type AccountKey = [u8; 32];

/// Counts attempts, in memory.
pub struct Throttles(Option<Mutex<Tables>>);

struct Tables {
    login_pair: Throttle<(AccountKey, IpAddr)>,
    login_account: Throttle<AccountKey>,
    register: Throttle<IpAddr>,
    mail_account: Throttle<AccountKey>,
    mail: Throttle<IpAddr>,
    redeem: Throttle<IpAddr>,
}

/// A counted login. It is taken back when it is dropped, unless it [failed](Self::failed): a
/// success is none, nor is a fault of the server's or a client that went away.
pub(super) struct LoginAttempt<'a> {
    throttles: &'a Throttles,
    pair: (AccountKey, IpAddr),
    at: i64,
    has_failed: bool,
}

impl LoginAttempt<'_> {
    /// The password was wrong.
    pub(super) fn failed(mut self) {
        self.has_failed = true;
    }
}

impl Drop for LoginAttempt<'_> {
    fn drop(&mut self) {
        if !self.has_failed {
            self.throttles.with((), |tables| {
                tables.login_pair.refund(&self.pair, self.at);
                tables.login_account.refund(&self.pair.0, self.at);
            });
        }
    }
}

impl Throttles {
    /// With `on` false nothing is counted or refused.
    pub fn new(on: bool) -> Self {
        Self(on.then(|| {
            Mutex::new(Tables {
                login_pair: Throttle::new(LOGIN_PAIR, CAPACITY),
                login_account: Throttle::new(LOGIN_ACCOUNT, CAPACITY),
                register: Throttle::new(REGISTER, CAPACITY),
                mail_account: Throttle::new(MAIL_ACCOUNT, CAPACITY),
                mail: Throttle::new(MAIL, CAPACITY),
                redeem: Throttle::new(REDEEM, CAPACITY),
            })
        }))
    }

    fn with<T>(&self, unlimited: T, count: impl FnOnce(&mut Tables) -> T) -> T {
        match &self.0 {
            None => unlimited,
            Some(tables) => count(&mut tables.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// Counts a login before its outcome is known, so that a burst cannot slip through.
    pub(super) fn login(
        &self,
        email: &Email,
        address: Option<IpAddr>,
        now: Now,
    ) -> Result<LoginAttempt<'_>, RetryAfter> {
        let account = account_key(email);
        let pair = (account, bucket(address));
        let at = now.steady.as_millis();
        self.with(Ok(()), |tables| {
            tables.login_pair.attempt(pair, at)?;
            tables
                .login_account
                .attempt(account, at)
                .inspect_err(|_| tables.login_pair.refund(&pair, at))
        })?;
        Ok(LoginAttempt { throttles: self, pair, at, has_failed: false })
    }

    /// Counts a request for a mail, whether or not one is sent.
    pub(super) fn mail(
        &self,
        email: &Email,
        address: Option<IpAddr>,
        now: Now,
    ) -> Result<(), RetryAfter> {
        let (account, from) = (account_key(email), bucket(address));
        let at = now.steady.as_millis();
        self.with(Ok(()), |tables| {
            tables.mail.attempt(from, at)?;
            tables.mail_account.attempt(account, at).inspect_err(|_| {
                tables.mail.refund(&from, at);
            })
        })
    }

    /// Counts the use of a link.
    pub(super) fn redeem(&self, address: Option<IpAddr>, now: Now) -> Result<(), RetryAfter> {
        self.with(Ok(()), |tables| tables.redeem.attempt(bucket(address), now.steady.as_millis()))
    }

    /// Counts a registration.
    pub(super) fn register(&self, address: Option<IpAddr>, now: Now) -> Result<(), RetryAfter> {
        self.with(Ok(()), |tables| tables.register.attempt(bucket(address), now.steady.as_millis()))
    }

    /// Takes a counted registration back.
    pub(super) fn refund_register(&self, address: Option<IpAddr>, now: Now) {
        self.with((), |tables| {
            tables.register.refund(&bucket(address), now.steady.as_millis());
        });
    }
}

fn account_key(email: &Email) -> AccountKey {
    *blake3::hash(email.as_str().as_bytes()).as_bytes()
}

/// Strangers without an address share one bucket.
fn bucket(address: Option<IpAddr>) -> IpAddr {
    address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address_bucket)
}
