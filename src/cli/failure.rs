//! Why a command did not do what it was asked.

use std::fmt::Display;
use std::process::ExitCode;

use super::output;
use crate::clock::NoEntropy;
use crate::config::ConfigError;
use crate::crypto::hasher::HashFault;
use crate::crypto::key_files::KeyError;
use crate::fault::Fault;
use crate::store::{HoldError, OpenError};

/// A message for the person at the terminal, and the exit code.
#[derive(Debug)]
pub(super) struct Failure {
    message: String,
    code: u8,
    /// What there is to say on standard output all the same.
    report: String,
}

impl Failure {
    /// It could not be done (exit code 1).
    pub(super) fn failed(message: impl Display) -> Self {
        Self { message: message.to_string(), code: 1, report: String::new() }
    }

    /// It was asked for wrongly, or the configuration is wrong (exit code 2, as clap's own).
    pub(super) fn usage(message: impl Display) -> Self {
        Self { message: message.to_string(), code: 2, report: String::new() }
    }

    /// After `report` on standard output.
    #[must_use]
    pub(super) fn after(mut self, report: String) -> Self {
        self.report = report;
        self
    }

    /// Says it on standard error.
    pub(super) fn report(&self) -> ExitCode {
        if let Err(more) = output::print(&self.report) {
            output::complain(&more.message);
        }
        self.message.lines().for_each(output::complain);
        ExitCode::from(self.code)
    }
}

macro_rules! failures {
    ($($error:ty => $kind:ident,)+) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::$kind(error)
            }
        }
    )+};
}

failures! {
    ConfigError => usage,
    KeyError => usage,
    OpenError => failed,
    HoldError => failed,
    Fault => failed,
    HashFault => failed,
    NoEntropy => failed,
}
