//! Secrets stay where they belong: the built program is used with secrets that occur nowhere else,
//! at the finest log level, and all that it wrote, said and left behind is searched for them.
//!
//! | file | holds |
//! |---|---|
//! | `canary.rs` | a secret, the forms it may hide in, the search |
//! | `table.rs` | who may hold which |
//! | `house.rs` | the program, its directory, all that comes out of it |
//! | `client.rs` | a client, which notes every token that it is given |
//! | `story.rs`, `strays.rs` | what is played: every operation that takes a secret, and secrets where none belong |
//! | `controls.rs` | the search finds what was planted |
//! | `process.rs` | no core dumps, no looks from outside |
//! | `deleted.rs` | what was deleted is gone from the files |
//! | `types.rs` | what is wiped, and what `Debug` shows |

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod canary;
mod client;
mod controls;
mod deleted;
mod house;
#[cfg(target_os = "linux")]
mod process;
mod story;
mod strays;
mod table;
mod types;
