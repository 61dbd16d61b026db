//! That nobody learns who has an account: not from an answer, nor from the time that it takes.
//!
//! The time is judged by ranks: of two kinds of requests, sent in turns, how often does one of the one
//! kind take longer than one of the other? A half is a coin; the worth of a guess is the distance from
//! it (the area under the ROC curve, Mann and Whitney's U over the number of pairs). `make prove`
//! sends 10,000 pairs and prints what came of it; here a few show that the bench works.

#![expect(clippy::cast_precision_loss, reason = "there are not that many requests")]

use std::time::{Duration, Instant};

use doorward::store::UserChange;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Answer, PASSWORD, TestApp};

const WRONG: &str = "wrong horse battery";

/// Two kinds of requests that are to be alike, as what is sent for the `n`th of each.
struct Pair {
    name: &'static str,
    path: &'static str,
    one: fn(usize) -> Value,
    other: fn(usize) -> Value,
}

fn login(email: &str, password: &str) -> Value {
    json!({ "email": email, "password": password })
}

const PAIRS: [Pair; 7] = [
    Pair {
        name: "login: wrong password, unknown address",
        path: "/api/auth/login",
        one: |_| login("ana@example.com", WRONG),
        other: |_| login("nobody@example.com", WRONG),
    },
    Pair {
        name: "login: wrong password, the same of a disabled account",
        path: "/api/auth/login",
        one: |_| login("ana@example.com", WRONG),
        other: |_| login("off@example.com", WRONG),
    },
    Pair {
        name: "login: wrong password, an account without one",
        path: "/api/auth/login",
        one: |_| login("ana@example.com", WRONG),
        other: |_| login("blank@example.com", WRONG),
    },
    Pair {
        name: "forgotPassword: an account, none",
        path: "/api/auth/forgot-password",
        one: |_| json!({ "email": "ana@example.com" }),
        other: |_| json!({ "email": "nobody@example.com" }),
    },
    Pair {
        name: "resendVerification: an account, none",
        path: "/api/auth/resend-verification",
        one: |_| json!({ "email": "new@example.com" }),
        other: |_| json!({ "email": "nobody@example.com" }),
    },
    Pair {
        name: "resendVerification: a verified account, none",
        path: "/api/auth/resend-verification",
        one: |_| json!({ "email": "ana@example.com" }),
        other: |_| json!({ "email": "nobody@example.com" }),
    },
    Pair {
        name: "register: a known address, a new one",
        path: "/api/auth/register",
        one: |_| login("ana@example.com", PASSWORD),
        other: |n| login(&format!("guest{n}@example.com"), PASSWORD),
    },
];

/// What must be told apart, or the bench is blind: no password is hashed for the second.
const CONTROL: Pair = Pair {
    name: "control: with and without a hash",
    path: "/api/auth/login",
    one: |_| login("ana@example.com", WRONG),
    other: |_| login("no address", WRONG),
};

async fn stage() -> TestApp {
    // Every address has to be verified: `register` answers a known one like a new one then.
    let app = TestApp::with(|config| config.require_verified_email = true).await;
    for email in ["ana@example.com", "off@example.com", "new@example.com", "blank@example.com"] {
        app.account(email).await;
    }
    app.operator("ana@example.com", UserChange::Verified(true)).await;
    app.operator("new@example.com", UserChange::Verified(false)).await;
    app.operator("off@example.com", UserChange::Disable).await;
    app.operator("blank@example.com", UserChange::PasswordHash(String::new())).await;
    app
}

#[expect(clippy::disallowed_methods, reason = "what a stranger with a stopwatch would see")]
async fn send(app: &TestApp, path: &str, body: Value) -> (Answer, Duration) {
    let call = app.post(path).json(body);
    let started = Instant::now();
    let answer = call.await;
    (answer, started.elapsed())
}

/// The times of both kinds, sent in turns, now the one first and now the other.
async fn measure(app: &TestApp, pair: &Pair, count: usize) -> [Vec<Duration>; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for n in 0..count {
        // By the bits of the turn: neither kind always follows the other.
        let first = (n.count_ones() % 2) as usize;
        for kind in [first, 1 - first] {
            let body = if kind == 0 { (pair.one)(n) } else { (pair.other)(n) };
            times[kind].push(send(app, pair.path, body).await.1);
        }
    }
    times
}

/// How often the one takes longer than the other, by ranks; ties count half.
fn worth(times: &[Vec<Duration>; 2]) -> f64 {
    let mut all: Vec<_> = times[0].iter().map(|time| (time, 0)).collect();
    all.extend(times[1].iter().map(|time| (time, 1)));
    all.sort_unstable();
    let (mut below, mut won) = (0.0, 0.0);
    for group in all.chunk_by(|a, b| a.0 == b.0) {
        let others = group.iter().filter(|(_, kind)| *kind == 1).count() as f64;
        won += (group.len() as f64 - others) * (below + others / 2.0);
        below += others;
    }
    won / (times[0].len() as f64 * times[1].len() as f64)
}

fn median(times: &mut [Duration]) -> u128 {
    let middle = times.len() / 2;
    times.select_nth_unstable(middle).1.as_micros()
}

#[test]
fn the_worth_of_a_guess() {
    let ms = |times: &[u64]| times.iter().map(|ms| Duration::from_millis(*ms)).collect();
    for (one, other, expected) in [
        (&[1, 2, 3][..], &[1, 2, 3][..], 0.5),
        (&[4, 5, 6], &[1, 2, 3], 1.0),
        (&[1, 2, 3], &[4, 5, 6], 0.0),
        (&[1, 3], &[2, 2], 0.5),
        (&[7, 7], &[7, 7], 0.5),
        (&[2, 3], &[1, 2], 0.875),
    ] {
        let found = worth(&[ms(one), ms(other)]);
        assert!((found - expected).abs() < 1e-9, "{one:?} {other:?}: {found}");
    }
}

#[tokio::test]
async fn the_answers_are_alike() {
    let app = stage().await;
    for pair in &PAIRS {
        let mut seen = Vec::new();
        for body in [(pair.one)(0), (pair.other)(0)] {
            let (answer, _) = send(&app, pair.path, body).await;
            let mut headers = answer.headers.clone();
            for name in ["x-request-id", "date", "content-length"] {
                headers.remove(name);
            }
            let text = answer.text().to_owned();
            // An account to be has an id and the address that was sent.
            let is_new = pair.path.ends_with("register");
            seen.push((answer.status, headers, if is_new { shape(&text) } else { text }));
        }
        assert_eq!(seen[0], seen[1], "{}", pair.name);
    }
}

/// The names of the fields, and the types of their values.
fn shape(text: &str) -> String {
    fn blank(value: &mut Value) {
        match value {
            Value::Object(fields) => fields.values_mut().for_each(blank),
            Value::String(text) => "…".clone_into(text),
            _ => {}
        }
    }
    let mut value: Value = serde_json::from_str(text).unwrap();
    blank(&mut value);
    value.to_string()
}

#[tokio::test]
async fn the_times_tell_nothing() {
    let wanted = std::env::var("DOORWARD_PAIRS").ok().map(|pairs| pairs.parse().unwrap());
    let count = wanted.unwrap_or(20);
    let app = stage().await;
    println!(
        "{count} pairs each, in turns: the median of both, and the worth of a guess (0.5 is none)"
    );
    // Side by side: most of the time is waiting.
    let pairs = || PAIRS.iter().chain([&CONTROL]);
    let measured = join_all(pairs().map(|pair| measure(&app, pair, count))).await;
    for (pair, mut times) in pairs().zip(measured) {
        let worth = worth(&times);
        let [one, other] = times.each_mut().map(|times| median(times));
        println!("{:<55} {one:>6} µs {other:>6} µs   {worth:.3}", pair.name);
        // Only where a machine was set aside for it: see `make prove`.
        if wanted.is_some() {
            let is_control = pair.name == CONTROL.name;
            assert_eq!((worth - 0.5).abs() > 0.05, is_control, "{}: {worth:.3}", pair.name);
        }
    }
}
