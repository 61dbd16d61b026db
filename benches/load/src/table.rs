//! The table of results: every row in turn, several rounds, medians and ratios.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::Failure;
use crate::load::Span;
use crate::process;
use crate::report::{self, Footprint, Results, median};
use crate::rows::{self, CONNECTIONS, Place, Row};
use crate::targets;

/// How it is measured.
#[derive(Args)]
pub struct Options {
    /// How often each row is measured; the medians count.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of each measurement, after one second that does not count.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Only rows whose name contains one of these.
    #[arg(long)]
    only: Vec<String>,
    /// Another binary of Doorward, measured in turn with this one.
    #[arg(long)]
    also: Vec<PathBuf>,
    /// Where the databases are made.
    #[arg(long, default_value = "target/bench")]
    data: PathBuf,
}

/// Whose row it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Doorward,
    Ceiling,
}

type Make = fn(&Place<'_>) -> Result<Row, Failure>;

pub const HELLO: &str = "poem-openapi hello";
pub const HOT: &str = "refresh, 64 sessions";
pub const HERD: &str = "refresh, 100,000 of 1,000,000 sessions";
pub const ALONE: &str = "rotation, one commit each";
pub const SEEN: &str = "me, tokens seen before";
pub const NEW: &str = "me, every token new";
pub const LOGIN: &str = "login";
pub const BOTH: &str = "refresh, while logins saturate";

const ROWS: [(&str, Of, Make); 9] = [
    ("poem hello", Of::Ceiling, |_| rows::plain()),
    (HELLO, Of::Ceiling, |_| rows::greeting()),
    (HOT, Of::Doorward, |place| rows::refresh(place, CONNECTIONS, CONNECTIONS)),
    (HERD, Of::Doorward, |place| rows::refresh(place, 1_000_000, 100_000)),
    (ALONE, Of::Ceiling, rows::one_commit),
    (SEEN, Of::Doorward, rows::me_seen),
    (NEW, Of::Doorward, rows::me_new),
    (LOGIN, Of::Doorward, rows::login),
    (BOTH, Of::Doorward, rows::refresh_during_logins),
];

/// Measures and prints.
pub fn run(options: &Options) -> Result<(), Failure> {
    let span = Span { warm: Duration::from_secs(1), counted: Duration::from_secs(options.seconds) };
    let data = std::path::absolute(&options.data)?;
    let footprint = footprint(&process::doorward()?, &data)?;
    let (mut rows, mut results) = prepare(options, &data)?;
    let mut argon2 = Vec::new();
    for round in 1..=options.rounds {
        for (row, results) in rows.iter_mut().zip(&mut results) {
            if results.name == LOGIN {
                argon2.push(rows::argon2(span.counted)?);
            }
            let measured = row.measure(CONNECTIONS, span)?;
            let (name, rate) = (&results.name, measured.seen.rate());
            eprintln!("round {round}/{}: {name} {rate:.0}/s", options.rounds);
            results.rounds.push(measured);
        }
    }
    report::print(&results, results.iter().find(|row| row.name == HELLO))?;
    if !argon2.is_empty() {
        println!("raw Argon2id on all cores: {:.1} hashes/s", median(argon2.clone()));
    }
    targets::print(&results, &argon2, &footprint)
}

/// Starts what is to be measured.
fn prepare(options: &Options, data: &Path) -> Result<(Vec<Row>, Vec<Results>), Failure> {
    let mut binaries = vec![(String::new(), process::doorward()?)];
    let also = options.also.iter();
    binaries.extend(also.map(|path| (format!(" [{}]", path.display()), path.clone())));
    let (mut rows, mut results) = (Vec::new(), Vec::new());
    for (index, (name, of, make)) in ROWS.iter().enumerate() {
        let is_wanted = options.only.iter().any(|only| name.contains(only));
        if !options.only.is_empty() && !is_wanted {
            continue;
        }
        let binaries = if *of == Of::Ceiling { &binaries[..1] } else { &binaries };
        for (which, (suffix, binary)) in binaries.iter().enumerate() {
            eprintln!("preparing: {name}{suffix}");
            let data = data.join(format!("{index}-{which}"));
            rows.push(make(&Place { binary, data: &data })?);
            results.push(Results { name: format!("{name}{suffix}"), rounds: Vec::new() });
        }
    }
    Ok((rows, results))
}

/// Starts the server several times on a database that exists.
fn footprint(binary: &Path, data: &Path) -> Result<Footprint, Failure> {
    let data = data.join("start");
    drop(rows::refresh(&Place { binary, data: &data }, CONNECTIONS, CONNECTIONS)?);
    let (mut starts, mut memory) = (Vec::new(), 0);
    for _ in 0..9 {
        let server = process::serve(binary, &data, &[])?;
        starts.push(server.ready_after.as_secs_f64());
        memory = memory.max(server.memory()?);
    }
    let binary = std::fs::metadata(binary)?.len();
    Ok(Footprint { start: Duration::from_secs_f64(median(starts)), memory, binary })
}
