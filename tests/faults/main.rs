//! Disks that fail and power that goes, under the store: nobody is told a yes that does not hold,
//! nothing is half done, and service returns by itself.
//!
//! `DOORWARD_POWER_LOSSES` says how many power losses are tried.

#![expect(clippy::unwrap_used, unreachable_pub, reason = "tests may panic, and are no library")]

#[path = "../common/mod.rs"]
mod common;
mod opening;
mod power;
mod request;
mod scene;
mod state;
mod upgrade;
mod writing;
