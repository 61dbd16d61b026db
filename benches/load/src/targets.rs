//! What is to be reached, and whether it was.

use crate::Failure;
use crate::report::{Footprint, Results, median, megabytes, millis, table};

/// Memory that Argon2id needs on each thread at the default costs.
const ARGON2: f64 = 19.0 * 1.048_576;

/// One line.
struct Target {
    what: String,
    reached: f64,
    bound: Bound,
}

enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtLeast(bound) => self.reached >= bound,
            Bound::AtMost(bound) => self.reached <= bound,
        }
    }
}

/// Prints those of the targets whose rows were measured.
pub fn print(rows: &[Results], argon2: &[f64], footprint: &Footprint) -> Result<(), Failure> {
    let row = |name: &str| rows.iter().find(|row| row.name == name);
    let mut targets = Vec::new();
    let mut add = |what: &str, reached, bound| {
        targets.push(Target { what: what.to_owned(), reached, bound });
    };
    let (hello, hot) = (row(super::table::HELLO), row(super::table::HOT));
    if let (Some(hello), Some(hot)) = (hello, hot) {
        add("refresh vs hello", hot.ratio(hello), Bound::AtLeast(0.25));
        add("refresh, p99 ms", millis(hot.latency()?.value_at_quantile(0.99)), Bound::AtMost(8.0));
    }
    if let (Some(hot), Some(alone)) = (hot, row(super::table::ALONE)) {
        add("refresh vs one commit each", hot.ratio(alone), Bound::AtLeast(4.5));
    }
    if let (Some(hello), Some(herd)) = (hello, row(super::table::HERD)) {
        let latency = herd.latency()?;
        add("refresh among a million vs hello", herd.ratio(hello), Bound::AtLeast(0.2));
        add("… p99 ms", millis(latency.value_at_quantile(0.99)), Bound::AtMost(10.0));
        add("… longest stall, ms", millis(latency.max()), Bound::AtMost(50.0));
        add("… write-ahead log, MB", megabytes(herd.log()), Bound::AtMost(67.1));
    }
    if let (Some(hello), Some(seen)) = (hello, row(super::table::SEEN)) {
        add("me, tokens seen before, vs hello", seen.ratio(hello), Bound::AtLeast(0.8));
    }
    if let (Some(hello), Some(new)) = (hello, row(super::table::NEW)) {
        add("me, every token new, vs hello", new.ratio(hello), Bound::AtLeast(0.25));
    }
    if let Some(login) = row(super::table::LOGIN) {
        let ratios = login.rates().iter().zip(argon2).map(|(own, raw)| own / raw).collect();
        let threads = std::thread::available_parallelism()?.get();
        #[expect(clippy::cast_precision_loss, reason = "a number of cores")]
        let bound = megabytes(footprint.memory) + threads as f64 * ARGON2 + 16.8;
        add("login vs raw Argon2id", median(ratios), Bound::AtLeast(0.95));
        add("… memory, MB", megabytes(login.memory()), Bound::AtMost(bound));
    }
    if let (Some(hot), Some(both)) = (hot, row(super::table::BOTH)) {
        add("refresh during logins vs alone", both.ratio(hot), Bound::AtLeast(0.5));
    }
    if let Some(loaded) = [hot, row(super::table::HERD), row(super::table::SEEN)]
        .into_iter()
        .flatten()
        .map(Results::memory)
        .max()
    {
        add("memory under load, MB", megabytes(loaded), Bound::AtMost(40.0));
    }
    add("memory idle, MB", megabytes(footprint.memory), Bound::AtMost(12.0));
    add("start to first answer, ms", footprint.start.as_secs_f64() * 1e3, Bound::AtMost(15.0));
    add("binary, MB", megabytes(footprint.binary), Bound::AtMost(14.0));

    let mut out = table(["target", "wanted", "reached", ""]);
    for target in &targets {
        let wanted = match target.bound {
            Bound::AtLeast(bound) => format!("≥ {bound:.2}"),
            Bound::AtMost(bound) => format!("≤ {bound:.1}"),
        };
        let verdict = if target.is_met() { "met" } else { "missed" };
        out.add_row([&target.what, &wanted, &format!("{:.2}", target.reached), verdict]);
    }
    println!("{out}");
    Ok(())
}
