//! A disk for tests: it fails when told to, and it loses power.
//!
//! [`install`] puts a layer between SQLite and its unix VFS, as the default of this process: the
//! code under test opens its databases as ever. Each directory with databases in it is a
//! [`Disk`] of its own, so that tests may run side by side.
//!
//! - `shim`: the layer, and all `unsafe`.
//! - `disk`: what it does on the way: count, fail, take notes.
//! - `journal`: those notes, and what a power loss at any point of them would have left.

mod dice;
mod disk;
mod journal;
mod shim;

pub use dice::Dice;
pub use disk::{Disk, Fault, Operation, Report};
pub use journal::Loss;
pub use shim::install;
