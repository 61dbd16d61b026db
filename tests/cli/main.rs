//! The command line, as an operator meets it: the built program, run in an empty directory.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test may panic")]

mod audit;
mod backup;
mod desk;
mod import;
mod keys;
mod mail;
mod newer;
mod place;
mod restore;
mod serve;
mod server;
mod sessions;
mod settings;
mod usage;
mod users;
