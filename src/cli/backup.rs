//! `doorward backup`.

use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::data;
use super::failure::Failure;
use crate::config::Config;
use crate::flows::backup::{BackupError, Parts, back_up};
use crate::store::Part;

pub(super) const EXAMPLES: &str = "\
Examples:
  doorward backup /var/backups/doorward/monday.db --force
  doorward check /var/backups/doorward/monday.db
  doorward restore /var/backups/doorward/monday.db   once the server is stopped";

#[derive(Args)]
pub(super) struct Backup {
    /// The file, which must not be there yet
    file: PathBuf,
    /// Replace FILE, if it is a backup
    #[arg(long)]
    force: bool,
}

impl Backup {
    pub(super) fn run(self, config: Config) -> Result<String, Failure> {
        let Self { file, force } = self;
        data::existing(config, async |data| {
            let bar = Bar::new("copying");
            let parts = Parts { store: &data.store, clock: &data.clock, entropy: &data.entropy };
            let shown = bar.clone();
            let sealed = back_up(&parts, &file, force, move |part| shown.show(part)).await;
            bar.clear();
            let sealed = sealed?;
            let keys = match &data.config.key_file {
                Some(file) => file.clone(),
                None => data.config.keys_dir(),
            };
            Ok(format!(
                "{} bytes backed up to {}, checked\n\
                 The keys are not in it: keep a copy of {}, in another place.\n",
                sealed.bytes,
                file.display(),
                keys.display()
            ))
        })
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        Self::failed(error)
    }
}

/// A bar on standard error, which is seen on a terminal only.
#[derive(Clone)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new(doing: &'static str) -> Self {
        let style =
            ProgressStyle::with_template("{msg} {wide_bar} {binary_bytes} of {binary_total_bytes}");
        let bar = ProgressBar::new(0).with_message(doing);
        Self(style.map_or_else(|_| ProgressBar::hidden(), |style| bar.with_style(style)))
    }

    pub(super) fn show(&self, part: Part) {
        match part {
            Part::Copying(done, total) => {
                self.0.set_length(total);
                self.0.set_position(done);
            }
            Part::Checking => self.0.set_message("checking"),
        }
        self.0.tick();
    }

    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
    }
}
