//! The table of results: every row in turn, several rounds, medians and ratios.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use hdrhistogram::Histogram;

use crate::Failure;
use crate::load::Span;
use crate::rows::{self, CONNECTIONS, Measured, Row};

/// How it is measured.
#[derive(Args)]
pub struct Options {
    /// How often each row is measured; the medians count.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of each measurement, after one second that does not count.
    #[arg(long, default_value_t = 4)]
    seconds: u64,
    /// Only rows whose name contains this.
    #[arg(long)]
    only: Option<String>,
    /// Where the databases are made.
    #[arg(long, default_value = "target/bench")]
    data: PathBuf,
}

/// Measures and prints.
pub fn run(options: &Options) -> Result<(), Failure> {
    let span = Span { warm: Duration::from_secs(1), counted: Duration::from_secs(options.seconds) };
    let data = std::path::absolute(&options.data)?;
    type Maker<'a> = Box<dyn FnOnce() -> Result<Row, Failure> + 'a>;
    let makers: Vec<(&str, Maker)> = vec![
        ("poem hello", Box::new(rows::plain)),
        ("poem-openapi hello", Box::new(rows::greeting)),
        (
            "refresh, 64 sessions",
            Box::new(|| {
                rows::refresh("refresh, 64 sessions", &data.join("hot"), 64, 64, CONNECTIONS)
            }),
        ),
        (
            "refresh, 100,000 of 1,000,000 sessions",
            Box::new(|| {
                rows::refresh(
                    "refresh, 100,000 of 1,000,000 sessions",
                    &data.join("million"),
                    1_000_000,
                    100_000,
                    CONNECTIONS,
                )
            }),
        ),
        ("rotation, one commit each", Box::new(|| rows::one_commit(&data.join("alone")))),
        ("me, tokens seen before", Box::new(|| rows::me_seen(&data.join("seen")))),
        ("me, every token new", Box::new(|| rows::me_new(&data.join("new")))),
        ("login", Box::new(|| rows::login(&data.join("login")))),
    ];
    let mut table = Vec::new();
    for (name, make) in makers {
        if options.only.as_ref().is_none_or(|only| name.contains(only.as_str())) {
            eprintln!("preparing: {name}");
            table.push((make()?, Vec::new()));
        }
    }
    for round in 1..=options.rounds {
        for (row, results) in &mut table {
            let measured = row.measure(CONNECTIONS, span)?;
            eprintln!(
                "round {round}/{}: {} {:.0}/s",
                options.rounds,
                row.name,
                measured.seen.rate()
            );
            results.push(measured);
        }
    }
    print(&table);
    Ok(())
}

fn print(table: &[(Row, Vec<Measured>)]) {
    let base =
        table.iter().find(|(row, _)| row.name == "poem-openapi hello").map(|(_, r)| rates(r));
    let mut out = Table::new();
    out.load_style(UTF8_FULL_CONDENSED);
    out.set_header([
        "", "req/s", "vs hello", "p50 ms", "p99", "p99.9", "max", "CPU µs", "RSS MiB", "log MiB",
    ]);
    for (row, results) in table {
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
            row.name.to_owned(),
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
