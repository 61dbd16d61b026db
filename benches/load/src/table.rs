//! The table of results: every row in turn, several rounds, medians and ratios.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use hdrhistogram::Histogram;

use crate::Failure;
use crate::load::Span;
use crate::process;
use crate::rows::{self, CONNECTIONS, Measured, Place, Row};

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
enum Of {
    Doorward,
    Ceiling,
}

type Make = fn(&Place<'_>) -> Result<Row, Failure>;

const HELLO: &str = "poem-openapi hello";

const ROWS: [(&str, Of, Make); 8] = [
    ("poem hello", Of::Ceiling, |_| rows::plain()),
    (HELLO, Of::Ceiling, |_| rows::greeting()),
    ("refresh, 64 sessions", Of::Doorward, |place| rows::refresh(place, 64, 64, CONNECTIONS)),
    ("refresh, 100,000 of 1,000,000 sessions", Of::Doorward, |place| {
        rows::refresh(place, 1_000_000, 100_000, CONNECTIONS)
    }),
    ("rotation, one commit each", Of::Ceiling, rows::one_commit),
    ("me, tokens seen before", Of::Doorward, rows::me_seen),
    ("me, every token new", Of::Doorward, rows::me_new),
    ("login", Of::Doorward, rows::login),
];

/// A row with what was measured.
struct Line {
    name: String,
    row: Row,
    results: Vec<Measured>,
}

/// Measures and prints.
pub fn run(options: &Options) -> Result<(), Failure> {
    let span = Span { warm: Duration::from_secs(1), counted: Duration::from_secs(options.seconds) };
    let data = std::path::absolute(&options.data)?;
    let mut binaries = vec![(String::new(), process::doorward()?)];
    binaries
        .extend(options.also.iter().map(|path| (format!(" [{}]", path.display()), path.clone())));
    let mut table = Vec::new();
    for (index, (name, kind, make)) in ROWS.iter().enumerate() {
        if !options.only.is_empty() && !options.only.iter().any(|only| name.contains(only)) {
            continue;
        }
        for (which, (suffix, binary)) in binaries.iter().enumerate() {
            if which > 0 && matches!(kind, Of::Ceiling) {
                continue;
            }
            eprintln!("preparing: {name}{suffix}");
            let place = Place { binary, data: &data.join(format!("{index}-{which}")) };
            let row = make(&place)?;
            table.push(Line { name: format!("{name}{suffix}"), row, results: Vec::new() });
        }
    }
    for round in 1..=options.rounds {
        for line in &mut table {
            let measured = line.row.measure(CONNECTIONS, span)?;
            let (name, rate) = (&line.name, measured.seen.rate());
            eprintln!("round {round}/{}: {name} {rate:.0}/s", options.rounds);
            line.results.push(measured);
        }
    }
    print(&table);
    Ok(())
}

fn print(table: &[Line]) {
    let base = table.iter().find(|line| line.name == HELLO).map(|line| rates(&line.results));
    let mut out = Table::new();
    out.load_style(UTF8_FULL_CONDENSED);
    out.set_header([
        "", "req/s", "vs hello", "p50 ms", "p99", "p99.9", "max", "CPU µs", "RSS MiB", "log MiB",
    ]);
    for Line { name, results, .. } in table {
        let mut all = Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).expect("bounds");
        for measured in results {
            let _ = all.add(&measured.seen.latency);
        }
        let rates = rates(results);
        let ratio = base.as_ref().map_or(String::new(), |base| {
            format!("{:.2}", median(rates.iter().zip(base).map(|(a, b)| a / b).collect()))
        });
        let ms = |nanos: u64| format!("{:.2}", Duration::from_nanos(nanos).as_secs_f64() * 1e3);
        let cpu = results.iter().map(|m| m.cpu.as_secs_f64() * 1e6).collect();
        let mib = |of: &dyn Fn(&Measured) -> u64| {
            let most = results.iter().map(of).max().unwrap_or(0);
            format!("{:.1}", most as f64 / 1_048_576.0)
        };
        out.add_row([
            name.clone(),
            format!("{:.0}", median(rates)),
            ratio,
            ms(all.value_at_quantile(0.5)),
            ms(all.value_at_quantile(0.99)),
            ms(all.value_at_quantile(0.999)),
            ms(all.max()),
            format!("{:.1}", median(cpu)),
            mib(&|m| m.memory),
            mib(&|m| m.log),
        ]);
    }
    println!("{out}");
}

fn rates(results: &[Measured]) -> Vec<f64> {
    results.iter().map(|measured| measured.seen.rate()).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
