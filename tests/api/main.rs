//! The HTTP contract, told as stories: in process, over loopback sockets, on a fake clock.
//! Every answer is also held against the published spec (`harness/spec.rs`).
#![expect(
    clippy::expect_used,
    clippy::unchecked_time_subtraction,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "tests may panic, and are no library"
)]

mod harness;

mod account;
mod addresses;
mod admin;
mod advisories;
mod cookies;
mod csrf;
mod dead_links;
mod devices;
mod edge;
mod endings;
mod enumeration;
mod events;
mod export;
mod fields;
mod floods;
mod guard;
mod import;
mod input;
mod invitations;
mod keys;
mod kinds;
mod login;
mod logout;
mod mail;
mod notices;
mod origins;
mod outage;
mod pages;
mod profile;
mod recovery;
mod refresh;
mod register;
mod remember;
mod replay;
mod restored;
mod review;
mod rotation;
mod sessions;
mod throttles;
mod tokens;
mod undo;
mod upgrade;
mod walk;
