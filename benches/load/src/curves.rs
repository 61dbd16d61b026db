//! The curves: rate and latency against the number of connections, and what a rotation costs
//! against the number of sessions.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::Failure;
use crate::herd::Herd;
use crate::load::{Span, Traffic};
use crate::plot::{self, Chart, Series};
use crate::process::{self, Process};
use crate::report::{millis, table};
use crate::rows::{self, ME};
use crate::traffic::{Jar, Read, Refresh};

/// How it is measured.
#[derive(Args)]
pub struct Options {
    /// Seconds of each measurement, after one second that does not count.
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// The most sessions.
    #[arg(long, default_value_t = 5_000_000)]
    sessions: usize,
    /// Where the databases are made.
    #[arg(long, default_value = "target/bench")]
    data: PathBuf,
    /// Where the plots go.
    #[arg(long, default_value = "docs")]
    plots: PathBuf,
}

const CONNECTIONS: [usize; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const SESSIONS: [usize; 4] = [10_000, 100_000, 1_000_000, 5_000_000];

/// How many sessions are used, however many there are.
const USED: usize = 10_000;

/// One point.
struct Point {
    at: usize,
    rate: f64,
    p50: f64,
    p99: f64,
    cpu: f64,
}

/// Measures, prints and plots.
pub fn run(options: &Options) -> Result<(), Failure> {
    let span = Span { warm: Duration::from_secs(1), counted: Duration::from_secs(options.seconds) };
    let data = std::path::absolute(&options.data)?.join("curves");
    let binary = process::doorward()?;
    by_connections(&binary, &data, span, &options.plots)?;
    let sizes = SESSIONS.iter().copied().filter(|size| *size <= options.sessions).collect();
    by_sessions(&binary, &data, span, sizes, &options.plots)
}

fn by_connections(binary: &Path, data: &Path, span: Span, plots: &Path) -> Result<(), Failure> {
    let most = CONNECTIONS[CONNECTIONS.len() - 1];
    let (mut refreshes, mut reads) = (Vec::new(), Vec::new());
    let herd = Herd::raise(data, most, most)?;
    let (mut jars, server) = (herd.jars()?, process::serve(binary, data, &[])?);
    for connections in CONNECTIONS {
        let mut refresh = Refresh::new("/api/auth/refresh", jars, connections);
        refreshes.push(point(&server, connections, connections, span, &mut refresh)?);
        jars = refresh.into_jars();
    }
    for connections in CONNECTIONS {
        let mut read = Read { path: ME, jars: jars.clone() };
        reads.push(point(&server, connections, connections, span, &mut read)?);
    }
    print("connections", &[("refresh", &refreshes), ("me", &reads)]);
    let of = |value: fn(&Point) -> f64| {
        let line = |name, points: &[Point]| Series {
            name,
            points: points.iter().map(|point| (count(point.at), value(point))).collect(),
        };
        vec![line("POST /api/auth/refresh", &refreshes), line("GET /api/auth/me", &reads)]
    };
    plot::draw(
        &plots.join("performance-connections.svg"),
        &[
            Chart { title: "Requests a second", x: "connections", series: of(|it| it.rate) },
            Chart { title: "99th percentile, ms", x: "connections", series: of(|it| it.p99) },
        ],
    )
}

fn by_sessions(
    binary: &Path,
    data: &Path,
    span: Span,
    sizes: Vec<usize>,
    plots: &Path,
) -> Result<(), Failure> {
    let mut points = Vec::new();
    for size in sizes {
        eprintln!("making {size} sessions");
        let herd = Herd::raise(data, size, USED.min(size))?;
        let server = process::serve(binary, data, &[])?;
        let mut jars: Vec<Jar> = herd.jars()?;
        // Warm: each session that is used has been used before.
        for warm in [true, false] {
            let mut refresh = Refresh::new("/api/auth/refresh", jars, 64);
            let point = point(&server, size, 64, span, &mut refresh)?;
            jars = refresh.into_jars();
            if !warm {
                points.push(point);
            }
        }
    }
    print("sessions", &[("refresh", &points)]);
    let cost = points.iter().map(|point| (count(point.at), point.cpu)).collect();
    let series = vec![Series { name: "POST /api/auth/refresh", points: cost }];
    let title = "CPU time of a rotation, µs";
    plot::draw(
        &plots.join("performance-sessions.svg"),
        &[Chart { title, x: "sessions in the database", series }],
    )
}

fn point(
    server: &Process,
    at: usize,
    connections: usize,
    span: Span,
    traffic: &mut dyn Traffic,
) -> Result<Point, Failure> {
    let (seen, cpu) = rows::drive(server, connections, span, traffic)?;
    let point = Point {
        at,
        rate: seen.rate(),
        p50: millis(seen.latency.value_at_quantile(0.5)),
        p99: millis(seen.latency.value_at_quantile(0.99)),
        cpu: cpu.as_secs_f64() * 1e6,
    };
    eprintln!("{at}: {:.0}/s", point.rate);
    Ok(point)
}

fn print(x: &str, lines: &[(&str, &[Point])]) {
    let mut out = table([x, "", "req/s", "p50 ms", "p99 ms", "CPU µs"]);
    for (name, points) in lines {
        for point in *points {
            out.add_row([
                point.at.to_string(),
                (*name).to_owned(),
                format!("{:.0}", point.rate),
                format!("{:.2}", point.p50),
                format!("{:.2}", point.p99),
                format!("{:.1}", point.cpu),
            ]);
        }
    }
    println!("{out}");
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
fn count(of: usize) -> f64 {
    of as f64
}
