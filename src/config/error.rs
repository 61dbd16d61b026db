//! What is wrong with a configuration, in the words of the person who has to fix it.

use std::fmt;

use thiserror::Error;

use super::show::Place;

/// Everything that is wrong with a configuration. Its `Display` has one problem per line.
#[derive(Debug)]
pub struct ConfigError {
    problems: Vec<Problem>,
}

impl From<Vec<Problem>> for ConfigError {
    fn from(problems: Vec<Problem>) -> Self {
        Self { problems }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.problems.iter().map(Problem::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for ConfigError {}

/// One thing that is wrong.
#[derive(Debug, Error)]
pub(super) enum Problem {
    #[error("{key} ({place}): found {found}; allowed: {allowed}")]
    Value { key: &'static str, place: String, found: String, allowed: String },
    #[error("{name} ({place}): unknown key; {hint}")]
    UnknownKey { name: String, place: Place, hint: String },
    #[error("{place}: not valid TOML: {message}")]
    Syntax { place: Place, message: String },
    #[error("{place}: cannot be read: {why}; allowed: a readable TOML file in UTF-8")]
    Unreadable { place: String, why: std::io::Error },
}
