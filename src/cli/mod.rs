//! The command line: what an operator does from a shell, also while a server runs on the same
//! data directory.
//!
//! | file | holds |
//! |---|---|
//! | `serve.rs` | the server |
//! | `user/`, `session.rs`, `audit.rs`, `mail.rs`, `keys.rs`, `settings.rs`, `reference.rs` | the other commands |
//! | `import.rs`, `export.rs` | users on their way in and out |
//! | `backup.rs`, `restore.rs`, `check.rs` | the database as a whole |
//! | `data.rs` | opening the data directory for the time of one command |
//! | `password.rs` | asking for a password |
//! | `output.rs`, `views.rs` | tables and JSON |
//! | `failure.rs` | what is said when it did not work, and the exit code |
//! | `harden.rs` | no core dumps |
//!
//! A command answers with the text that it has to say; [`run`] is the only one that prints it.

mod audit;
mod backup;
mod check;
mod data;
mod export;
mod failure;
mod harden;
mod import;
mod keys;
mod mail;
mod output;
mod password;
mod reference;
mod restore;
mod serve;
mod session;
mod settings;
mod user;
mod views;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Config, Flags, Loaded};
use failure::Failure;

const EXAMPLES: &str = "\
Examples:
  doorward serve                                  start here; everything has a default
  doorward user add ana@example.com --role admin  the first administrator
  doorward config                                 what is in force, and who set it

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.";

/// A self-hosted sign-in server: one binary, one SQLite file, refresh tokens that never race.
///
/// Settings come from ./doorward.toml (or the file named by --config), then from environment
/// variables such as `DOORWARD_LISTEN`, then from flags; the last one wins. Every command but `restore` may be
/// run while the server is running: what it changes is in force within a second.
#[derive(Parser)]
#[command(name = "doorward", version, after_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// Which installation is meant.
#[derive(Args)]
struct Place {
    /// Read the settings from FILE, which must exist [default: ./doorward.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    config: Option<PathBuf>,
    /// Use the database and the keys in DIR; overrides the setting `data_dir`
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    data: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Start the server
    ///
    /// On the first start the database and the keys are made in the data directory. SIGTERM and
    /// Ctrl-C let the running requests finish; SIGHUP has the keys read again. One server runs on a data directory at a time.
    Serve {
        /// Serve on this IP:port; overrides the setting `listen`, port 0 takes any free one
        #[arg(long, value_name = "ADDR")]
        listen: Option<String>,
    },
    /// Create, inspect, change and delete accounts
    #[command(subcommand)]
    User(user::Command),
    /// See who is signed in, and sign them out
    #[command(subcommand)]
    Session(session::Command),
    /// See what happened to accounts
    #[command(subcommand)]
    Audit(audit::Command),
    /// See the mail that is not delivered, and try whether mail arrives
    #[command(subcommand)]
    Mail(mail::Command),
    /// Inspect and rotate the signing keys, and make one
    #[command(subcommand)]
    Keys(keys::Command),
    /// Bring users along from elsewhere
    ///
    /// Reads a JSON object a line, as mongoexport and `doorward export` write it: `email`,
    /// `password` (a bcrypt hash, or argon2, scrypt or pbkdf2 as a PHC string), `role`, `isVerified`,
    /// `createdAt`. Users sign in with the password they have. The whole file is checked first; when
    /// a line is refused, nothing is written. It can be run again: who is there already is left alone.
    #[command(after_long_help = import::EXAMPLES)]
    Import(import::Import),
    /// Write all users, a JSON object a line, with the hashes of their passwords
    #[command(after_long_help = export::EXAMPLES)]
    Export {
        /// The file, which is replaced as a whole; - or nothing is standard output
        file: Option<PathBuf>,
    },
    /// Copy the database into one file, while the server runs
    ///
    /// The file holds the database as it was at one moment, with a checksum, and is checked before it
    /// appears under its name. Only its owner may read it. The keys are not in it.
    #[command(after_long_help = backup::EXAMPLES)]
    Backup(backup::Backup),
    /// Put a backup in the place of the database; the server must be stopped
    ///
    /// Everybody signs in again: sessions, links in mails and mail that waits are older than what
    /// users hold, and are ended, voided and dropped. Nobody is accused of anything. The database
    /// that was there is kept beside it as doorward.db.before-restore.
    #[command(after_long_help = restore::EXAMPLES)]
    Restore(restore::Restore),
    /// Check the database, also while the server runs, or a backup
    ///
    /// Asks SQLite whether the file is whole, and looks for what no operation leaves behind. Changes
    /// nothing. The exit code is 1 when something is wrong.
    Check(check::Check),
    /// Print the OpenAPI description of the HTTP interface
    Openapi {
        /// Print YAML instead of JSON
        #[arg(long)]
        yaml: bool,
    },
    /// Show every setting, its value and where that came from
    ///
    /// Checks the configuration the way a start of the server does: a mistake ends this command
    /// with exit code 2 and a line for each thing that is wrong.
    Config {
        /// Print a JSON array of {key, value, source}
        #[arg(long)]
        json: bool,
    },
    /// Print the completion script of a shell
    #[command(after_long_help = reference::COMPLETION_EXAMPLES)]
    Completions {
        /// The shell that is to complete doorward's commands
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for each command
    Man {
        /// Write doorward.1, doorward-user.1, … into DIR, which is made if need be
        dir: Option<PathBuf>,
    },
}

/// Runs the program on its arguments, and says how it went.
pub fn run() -> ExitCode {
    harden::harden();
    let Cli { place, command } = Cli::parse();
    match place.run(command).and_then(|text| output::print(&text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

impl Place {
    /// What the command has to say on standard output.
    fn run(self, command: Command) -> Result<String, Failure> {
        match command {
            Command::Serve { listen } => start(self.load(listen)?),
            Command::User(command) => command.run(self.configuration()?),
            Command::Session(command) => command.run(self.configuration()?),
            Command::Audit(command) => command.run(self.configuration()?),
            Command::Import(import) => import.run(self.configuration()?),
            Command::Export { file } => export::run(self.configuration()?, file),
            Command::Mail(command) => command.run(self.configuration()?),
            Command::Backup(backup) => backup.run(self.configuration()?),
            Command::Restore(restore) => restore.run(&self.configuration()?),
            // A file may be looked at where there is no installation.
            Command::Check(check) => check.run(|| self.configuration()),
            // A key for another machine needs no configuration here.
            Command::Keys(keys::Command::Generate) => keys::generate(),
            Command::Keys(keys::Command::List { json }) => keys::list(&self.configuration()?, json),
            Command::Keys(keys::Command::Rotate { revoke_old }) => {
                keys::rotate(self.configuration()?, revoke_old)
            }
            Command::Openapi { yaml: false } => Ok(crate::http::spec::json()),
            Command::Openapi { yaml: true } => Ok(crate::http::spec::yaml()),
            Command::Config { json } => settings::show(&self.load(None)?, json),
            Command::Completions { shell } => reference::completions(shell),
            Command::Man { dir } => reference::man(dir.as_deref()),
        }
    }

    fn load(self, listen: Option<String>) -> Result<Loaded, Failure> {
        let flags = Flags { config: self.config, data: self.data, listen };
        Ok(config::load(&flags, environment()?.into_iter())?)
    }

    /// The settings, for a command that has nothing to do with serving. What is questionable
    /// about them is said, but stops nothing.
    fn configuration(self) -> Result<Config, Failure> {
        let loaded = self.load(None)?;
        output::warn(&loaded.warnings);
        Ok(loaded.config)
    }
}

fn start(loaded: Loaded) -> Result<String, Failure> {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::failed(format!("cannot start: {error}")))?;
    runtime.block_on(serve::serve(loaded))?;
    Ok(String::new())
}

/// The variables that are Doorward's. Others may hold what they like.
fn environment() -> Result<Vec<(String, String)>, Failure> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with("DOORWARD_"))
        .map(|(name, value)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(Failure::usage(format!("environment {name}: not valid UTF-8"))),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_are_declared_soundly() {
        super::Cli::command().debug_assert();
    }
}
