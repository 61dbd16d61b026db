//! `doorward check`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::backup::Bar;
use super::data;
use super::failure::Failure;
use super::output::{self, count};
use crate::config::Config;
use crate::store::{self, CheckError, Checked};

#[derive(Args)]
pub(super) struct Check {
    /// A backup, instead of the database
    file: Option<PathBuf>,
    /// FILE is a database without the checksum of `doorward backup`
    #[arg(long, requires = "file")]
    unsealed: bool,
    /// Print a JSON array of {check, ok, found, notes}
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct CheckView<'a> {
    check: &'static str,
    ok: bool,
    found: &'a [String],
    notes: &'a [String],
}

impl<'a> From<&'a Checked> for CheckView<'a> {
    fn from(checked: &'a Checked) -> Self {
        let Checked { name, found, notes, .. } = checked;
        Self { check: name, ok: found.is_empty(), found, notes }
    }
}

impl Check {
    pub(super) fn run(
        self,
        configuration: impl FnOnce() -> Result<Config, Failure>,
    ) -> Result<String, Failure> {
        let checks = if let Some(file) = &self.file {
            let bar = Bar::new("reading");
            let checks = store::check_file(file, !self.unsealed, &mut |part| bar.show(part));
            bar.clear();
            checks?
        } else {
            let config = configuration()?;
            data::require(&config.database(), "database", &config.data_dir)?;
            store::check_database(&config.database())?
        };
        let views: Vec<_> = checks.iter().map(CheckView::from).collect();
        let report = if self.json { output::json(&views)? } else { table(&views) };
        match views.iter().filter(|view| !view.ok).count() {
            0 => Ok(report),
            wrong => {
                let failed = format!("{} failed", count(wrong, "check"));
                Err(Failure::failed(failed).after(report))
            }
        }
    }
}

fn table(views: &[CheckView<'_>]) -> String {
    let rows = views.iter().map(|view| {
        let result = if view.ok { "ok" } else { "WRONG" };
        let found = [view.found, view.notes].concat();
        [view.check.to_owned(), result.to_owned(), found.join("\n")]
    });
    output::table(["Check", "Result", "Found"], rows)
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Self {
        Self::failed(error)
    }
}
