//! Measures Doorward's release binary against what this machine can do at all: a poem-openapi
//! greeting, a loop that commits each rotation alone, and Argon2id on every core. All run in
//! turn, in several rounds, under one load generator, and what counts are the ratios.
//!
//! | file | holds |
//! |---|---|
//! | `load.rs`, `traffic.rs` | the load generator, and what it sends |
//! | `process.rs` | starting a server and looking at it from outside |
//! | `herd.rs` | databases full of sessions |
//! | `ceilings/` | what Doorward is compared with |
//! | `curves.rs`, `plot.rs` | plots |
//! | `peers.rs`, `pocketbase.rs` | other servers, measured in the same way |
//! | `rows.rs`, `table.rs`, `report.rs`, `targets.rs` | the table of results, and what it is to show |

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

mod ceilings;
mod curves;
mod herd;
mod load;
mod peers;
mod plot;
mod pocketbase;
mod process;
mod report;
mod rows;
mod table;
mod targets;
mod traffic;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Whatever ends a measurement.
type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
#[command(name = "doorward-bench", about = "Measures Doorward's release binary.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The table of results, with the targets.
    Table(table::Options),
    /// Plots against the number of connections and of sessions.
    Curves(curves::Options),
    /// The same measurements of other servers, in turn with Doorward's.
    Peers(peers::Options),
    /// A ceiling: poem and poem-openapi, with nothing to do.
    #[command(hide = true)]
    Hello { address: String },
    /// A ceiling: a transaction for each rotation.
    #[command(hide = true)]
    OneCommit { address: String, data: PathBuf },
}

fn main() -> Result<(), Failure> {
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match Cli::parse().command {
        Command::Table(options) => table::run(&options),
        Command::Curves(options) => curves::run(&options),
        Command::Peers(options) => peers::run(&options),
        Command::Hello { address } => runtime()?.block_on(ceilings::hello::serve(&address)),
        Command::OneCommit { address, data } => {
            runtime()?.block_on(ceilings::one_commit::serve(&address, data))
        }
    }
}
