//! `doorward import`.

mod report;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use self::report::Report;
use super::data;
use super::failure::Failure;
use super::output::{self, count};
use crate::clock::Clock as _;
use crate::config::Config;
use crate::crypto::hasher::Costs;
use crate::flows::import::{self, Outcome, Parts, Plan};

pub(super) const EXAMPLES: &str = "\
Examples:
  mongoexport --uri mongodb://localhost/shop --collection users --out users.jsonl
  doorward import users.jsonl --dry-run
  doorward import users.jsonl";

#[derive(Args)]
pub(super) struct Import {
    /// The file, a JSON object a line; - is standard input
    file: PathBuf,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Bring in the other users when lines are refused
    #[arg(long)]
    skip_bad: bool,
    /// Print the report as a JSON object
    #[arg(long)]
    json: bool,
}

impl Import {
    pub(super) fn run(self, config: Config) -> Result<String, Failure> {
        let costs = Costs::from(&config);
        let plan = self.read(costs)?;
        let blocked = !plan.refused.is_empty() && !self.skip_bad;
        let outcome = if self.dry_run {
            rehearse(config, costs, &plan)?
        } else if blocked {
            Outcome::default()
        } else {
            bring_in(config, costs, &plan)?
        };
        let written = !self.dry_run && !blocked;
        let report = Report::new(&plan, &outcome, written, blocked && !self.dry_run);
        let text = if self.json { output::json(&report)? } else { report.to_text() };
        if plan.refused.is_empty() {
            return Ok(text);
        }
        let refused = count(plan.refused.len(), "refused line");
        Err(Failure::failed(if self.dry_run {
            format!("{refused}: nothing is written, unless with --skip-bad")
        } else if blocked {
            format!("{refused}: nothing was written. Mend them, or leave them out with --skip-bad")
        } else {
            format!("{refused}; the other users were brought in")
        })
        .after(text))
    }

    fn read(&self, costs: Costs) -> Result<Plan, Failure> {
        let name = self.file.display();
        let failed =
            |error: &dyn std::fmt::Display| Failure::failed(format!("cannot read {name}: {error}"));
        let (source, size): (Box<dyn BufRead>, _) = if self.file.as_os_str() == "-" {
            (Box::new(io::stdin().lock()), None)
        } else {
            let file = File::open(&self.file).map_err(|error| failed(&error))?;
            let size = file.metadata().map_err(|error| failed(&error))?.len();
            (Box::new(BufReader::with_capacity(1 << 16, file)), Some(size))
        };
        let bar = bar("checking", size, "{binary_bytes} of {binary_total_bytes}");
        let plan = import::read(source, costs, |bytes| bar.set_position(bytes));
        bar.finish_and_clear();
        plan.map_err(|error| failed(&error))
    }
}

fn rehearse(config: Config, costs: Costs, plan: &Plan) -> Result<Outcome, Failure> {
    if data::is_there(&config)? {
        return data::existing(config, async |data| {
            let bar = users_bar("comparing", plan);
            let store = Some((&data.store, data.clock.now()));
            let outcome =
                import::rehearse(store, costs, plan, |done| bar.set_position(done as u64));
            let outcome = outcome.await;
            bar.finish_and_clear();
            Ok(outcome?)
        });
    }
    let runtime = data::runtime()?;
    Ok(runtime.block_on(import::rehearse(None, costs, plan, |_| {}))?)
}

fn bring_in(config: Config, costs: Costs, plan: &Plan) -> Result<Outcome, Failure> {
    data::existing_or_new(config, async |data| {
        let bar = users_bar("importing", plan);
        let parts = Parts { store: &data.store, clock: &data.clock, entropy: &data.entropy, costs };
        let outcome = import::bring_in(&parts, plan, |done| bar.set_position(done as u64)).await;
        let done = bar.position();
        bar.finish_and_clear();
        outcome.map_err(|fault| {
            let total = plan.candidates.len();
            Failure::failed(format!(
                "stopped after {done} of {total} users: {fault}. What was written stays; run the same \
                 command again for the rest"
            ))
        })
    })
}

fn users_bar(doing: &'static str, plan: &Plan) -> ProgressBar {
    bar(doing, Some(plan.candidates.len() as u64), "{human_pos} of {human_len} users")
}

/// A bar on standard error, which is seen on a terminal only.
fn bar(doing: &'static str, total: Option<u64>, figures: &str) -> ProgressBar {
    let Some(total) = total else { return ProgressBar::hidden() };
    let style = ProgressStyle::with_template(&format!("{{msg}} {{wide_bar}} {figures}"));
    let bar = ProgressBar::new(total).with_message(doing);
    style.map_or_else(|_| ProgressBar::hidden(), |style| bar.with_style(style))
}
