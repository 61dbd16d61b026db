//! What was measured, as tables.

use std::time::Duration;

use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use hdrhistogram::Histogram;

use crate::Failure;
use crate::rows::Measured;

/// A row with what was measured, one result a round.
pub struct Results {
    /// Its name.
    pub name: String,
    /// One a round.
    pub rounds: Vec<Measured>,
}

impl Results {
    /// Answers a second, one a round.
    pub fn rates(&self) -> Vec<f64> {
        self.rounds.iter().map(|round| round.seen.rate()).collect()
    }

    /// The median of its rate over that of `other` in the same round: what slows the machine down
    /// for a while slows both.
    pub fn ratio(&self, other: &Self) -> f64 {
        median(self.rates().iter().zip(other.rates()).map(|(own, other)| own / other).collect())
    }

    /// All latencies, in nanoseconds.
    pub fn latency(&self) -> Result<Histogram<u64>, Failure> {
        let mut all = Histogram::new_with_bounds(1, 60_000_000_000, 3)?;
        for round in &self.rounds {
            all.add(&round.seen.latency)?;
        }
        Ok(all)
    }

    /// CPU time of the server for each answer, in microseconds.
    pub fn cpu(&self) -> f64 {
        median(self.rounds.iter().map(|round| round.cpu.as_secs_f64() * 1e6).collect())
    }

    /// The most resident memory, in bytes.
    pub fn memory(&self) -> u64 {
        self.rounds.iter().map(|round| round.memory).max().unwrap_or(0)
    }

    /// The longest write-ahead log, in bytes.
    pub fn log(&self) -> u64 {
        self.rounds.iter().map(|round| round.log).max().unwrap_or(0)
    }
}

/// The one in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// In milliseconds.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

/// In megabytes.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// A table that is still empty.
pub fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(header);
    table
}

/// All rows, with ratios to `base`.
pub fn print(rows: &[Results], base: Option<&Results>) -> Result<(), Failure> {
    let mut out = table([
        "", "req/s", "vs hello", "p50 ms", "p99", "p99.9", "max", "CPU µs", "RSS MB", "log MB",
    ]);
    for row in rows {
        let latency = row.latency()?;
        let at = |quantile| format!("{:.2}", millis(latency.value_at_quantile(quantile)));
        out.add_row([
            row.name.clone(),
            format!("{:.0}", median(row.rates())),
            base.map_or(String::new(), |base| format!("{:.2}", row.ratio(base))),
            at(0.5),
            at(0.99),
            at(0.999),
            format!("{:.2}", millis(latency.max())),
            format!("{:.1}", row.cpu()),
            format!("{:.1}", megabytes(row.memory())),
            format!("{:.1}", megabytes(row.log())),
        ]);
    }
    println!("{out}");
    Ok(())
}

/// What a server is before it has done anything.
pub struct Footprint {
    /// From its start, with a database that exists, to its first answer.
    pub start: Duration,
    /// Resident memory, in bytes.
    pub memory: u64,
    /// The binary, in bytes.
    pub binary: u64,
}
