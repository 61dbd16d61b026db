//! Doorward beside other servers: the same load on each in turn, several rounds, medians and ratios.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::Args;

use crate::load::{Span, Traffic};
use crate::process::{self, Process};
use crate::report::{Results, median, megabytes, millis, table};
use crate::rows::{self, CONNECTIONS, Place, Row};
use crate::traffic::{Jar, Read, Refresh};
use crate::{Failure, pocketbase};

/// Where the peers are and how all are measured.
#[derive(Args)]
pub struct Options {
    /// PocketBase's binary.
    pocketbase: PathBuf,
    /// The directory of the Express server, with its packages installed.
    express: PathBuf,
    /// How often each row is measured; the medians count.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of each measurement, after one second that does not count.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Where the databases are made.
    #[arg(long, default_value = "target/bench-peers/data")]
    data: PathBuf,
}

type Make = fn(&Options, &Path) -> Result<Row, Failure>;

/// What is compared. The first of each group is Doorward's.
const GROUPS: [[(&str, Make); 3]; 2] = [
    [
        ("Doorward, refresh", |_, data| {
            doorward(data, |place| rows::refresh(place, CONNECTIONS, CONNECTIONS))
        }),
        ("PocketBase, auth-refresh", |options, data| {
            pocketbase::refresh(&options.pocketbase, data)
        }),
        ("Express classic, refresh", |options, data| {
            express(&options.express, data, |jars| {
                Box::new(Refresh::new("/api/auth/refresh", jars, CONNECTIONS))
            })
        }),
    ],
    [
        ("Doorward, me", |_, data| doorward(data, rows::me_seen)),
        ("PocketBase, own record", |options, data| {
            pocketbase::own_record(&options.pocketbase, data)
        }),
        ("Express classic, me", |options, data| {
            express(&options.express, data, |jars| Box::new(Read { path: rows::ME, jars }))
        }),
    ],
];

/// Measures and prints.
pub fn run(options: &Options) -> Result<(), Failure> {
    let span = Span { warm: Duration::from_secs(1), counted: Duration::from_secs(options.seconds) };
    let data = std::path::absolute(&options.data)?;
    let (mut rows, mut results) = (Vec::new(), Vec::new());
    for (index, (name, make)) in GROUPS.iter().flatten().enumerate() {
        eprintln!("preparing: {name}");
        rows.push(make(options, &data.join(index.to_string()))?);
        results.push(Results { name: (*name).to_owned(), rounds: Vec::new() });
    }
    for round in 1..=options.rounds {
        for (row, results) in rows.iter_mut().zip(&mut results) {
            let measured = row.measure(CONNECTIONS, span)?;
            let (name, rate) = (&results.name, measured.seen.rate());
            eprintln!("round {round}/{}: {name} {rate:.0}/s", options.rounds);
            results.rounds.push(measured);
        }
    }
    print(&results)
}

/// All rows; each peer's with the ratio of Doorward's rate to its own.
fn print(results: &[Results]) -> Result<(), Failure> {
    let mut out = table(["", "req/s", "Doorward/it", "p50 ms", "p99", "max", "CPU µs", "RSS MB"]);
    for group in results.chunks(GROUPS[0].len()) {
        for row in group {
            let latency = row.latency()?;
            out.add_row([
                row.name.clone(),
                format!("{:.0}", median(row.rates())),
                format!("{:.2}", group[0].ratio(row)),
                format!("{:.2}", millis(latency.value_at_quantile(0.5))),
                format!("{:.2}", millis(latency.value_at_quantile(0.99))),
                format!("{:.2}", millis(latency.max())),
                format!("{:.1}", row.cpu()),
                format!("{:.1}", megabytes(row.memory())),
            ]);
        }
    }
    println!("{out}");
    println!(
        "A refresh of Doorward and of Express is on the disk when it is answered; PocketBase's \
         stores nothing.\nExpress runs on one core; CPU µs is what an answer costs on all of them."
    );
    Ok(())
}

fn doorward(
    data: &Path,
    row: impl FnOnce(&Place<'_>) -> Result<Row, Failure>,
) -> Result<Row, Failure> {
    row(&Place { binary: &process::doorward()?, data })
}

/// The Express server, new, with a signed-in user for each connection.
fn express(
    directory: &Path,
    data: &Path,
    traffic: impl FnOnce(Vec<Jar>) -> Box<dyn Traffic + Send>,
) -> Result<Row, Failure> {
    let _ = fs::remove_dir_all(data);
    fs::create_dir_all(data)?;
    let address = process::free_address()?;
    let mut command = Command::new("node");
    command
        .arg(directory.join("server.mjs"))
        .arg(address.to_string())
        .arg(data.join("express.db"))
        .env("NODE_ENV", "production");
    let server = Process::start(command, address, "/healthz")?;
    let head = format!("POST /seed/{CONNECTIONS} HTTP/1.1\r\n");
    let users: Vec<[String; 2]> =
        serde_json::from_str(&process::exchange(address, &head, "", " 200 ")?)?;
    let jars = users.into_iter().map(|[access, refresh]| Jar { access, refresh, ..Jar::default() });
    Ok(Row { server, traffic: traffic(jars.collect()), data: None, beside: None })
}
