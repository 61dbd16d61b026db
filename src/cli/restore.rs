//! `doorward restore`.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use super::backup::Bar;
use super::failure::Failure;
use super::output::{self, count};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::store::{self, Hold, HoldError, RestoreError, Restored, Source};

pub(super) const EXAMPLES: &str = "\
Examples:
  systemctl stop doorward
  sudo -u doorward doorward restore --data /var/lib/doorward /var/backups/doorward/monday.db
  systemctl start doorward

  litestream restore -o copy.db file:///var/backups/litestream
  doorward restore --unsealed copy.db   a database that another program has brought back";

#[derive(Args)]
pub(super) struct Restore {
    /// The backup
    file: PathBuf,
    /// Take a database without the checksum of `doorward backup`, such as Litestream restores
    #[arg(long)]
    unsealed: bool,
    /// Replace the doorward.db.before-restore of an earlier restore; or leave it where it is, if there
    /// is no database
    #[arg(long)]
    force: bool,
}

impl Restore {
    pub(super) fn run(&self, config: &Config) -> Result<String, Failure> {
        // Before a directory is made for it.
        if let Err(error) = fs::metadata(&self.file) {
            return Err(Failure::failed(format!("cannot read {}: {error}", self.file.display())));
        }
        store::check_place(&config.database()).map_err(Failure::failed)?;
        let hold = Hold::take(&config.data_dir).map_err(|error| match error {
            HoldError::Taken(directory) => Failure::failed(format!(
                "{} is in use by a running doorward: stop that first",
                directory.display()
            )),
            error => error.into(),
        })?;
        let source =
            Source { file: &self.file, is_sealed: !self.unsealed, may_replace_aside: self.force };
        let bar = Bar::new("reading");
        let now = SystemClock::start().now();
        let restored =
            store::restore(&hold, &config.database(), source, now, &mut |part| bar.show(part));
        bar.clear();
        let restored = restored.map_err(|error| self.refused(&error))?;
        output::warn(&warnings(config, &restored));
        Ok(self.report(config, &restored))
    }

    fn refused(&self, error: &RestoreError) -> Failure {
        let hint = match error {
            RestoreError::Backup { source: store::SealError::Missing, .. } if !self.unsealed => {
                "\na database that Litestream or SQLite has copied is taken with --unsealed"
            }
            _ => "",
        };
        Failure::failed(format!("{error}{hint}"))
    }

    fn report(&self, config: &Config, restored: &Restored) -> String {
        let Restored { users, sessions, one_time_tokens, mails, migrated_from, aside, .. } =
            restored;
        let migrated = migrated_from
            .map(|schema| format!("Its schema was {schema}, and is now that of this doorward.\n"));
        let kept = aside.as_ref().map(|aside| {
            let aside = aside.display();
            format!("What was there before is kept in {aside}: remove it when all is well.\n")
        });
        format!(
            "{} restored from {} to {}\n\
             Everybody signs in again: {} ended, {} voided, {} dropped.\n{}{}",
            count(*users, "user"),
            self.file.display(),
            config.database().display(),
            count(*sessions, "session"),
            count(*one_time_tokens, "link"),
            count(*mails, "mail"),
            migrated.unwrap_or_default(),
            kept.unwrap_or_default(),
        )
    }
}

fn warnings(config: &Config, restored: &Restored) -> Vec<String> {
    let flaws = restored.flaws.iter();
    let mut warnings: Vec<_> = flaws
        .flat_map(|flaw| {
            [&flaw.found[..], &flaw.notes].concat().into_iter().map(|it| (flaw.name, it))
        })
        .map(|(check, found)| format!("{check}: {found}"))
        .collect();
    let keys = config.keys_dir();
    if config.key_file.is_none() && !keys.exists() {
        warnings.push(format!(
            "there is no {}: put the keys back before the start, or fresh ones are made, and services \
             that verify access tokens offline have to fetch those",
            keys.display()
        ));
    }
    warnings.extend(restored.strays.iter().map(|stray| {
        format!(
            "there was a log without its database: it is now {}, and of no use without that",
            stray.display()
        )
    }));
    warnings
}
