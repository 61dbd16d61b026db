//! What `doorward config` prints: every key, its value and where that came from.

use std::fmt;
use std::path::PathBuf;

use super::Config;
use super::keys::Key;
use super::parse::UNSET;

/// Stands for a value that must not be printed.
pub(super) const HIDDEN: &str = "(hidden)";

/// One key in force.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The key as in the file.
    pub key: &'static str,
    /// The value as a person would write it; `(unset)`, `(none)` or `(hidden)` where there is
    /// nothing to show.
    pub value: String,
    /// Where the value came from.
    pub source: Source,
    /// One line about the key.
    pub description: &'static str,
}

impl Setting {
    pub(super) fn new(key: &Key, config: &Config, source: Source) -> Self {
        let shown = (key.show)(config);
        let value = if key.secret && shown != UNSET { HIDDEN.to_owned() } else { shown };
        Self { key: key.name, value, source, description: key.description }
    }
}

/// Where a value came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it.
    #[default]
    Default,
    /// The configuration file.
    File(PathBuf),
    /// The environment variable of this name.
    Environment(String),
    /// The command-line flag of this name, with its dashes.
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => path.display().fmt(f),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// A source and, in a file, the line.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub source: Source,
    pub line: Option<usize>,
}

impl From<Source> for Place {
    fn from(source: Source) -> Self {
        Self { source, line: None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)?;
        match self.line {
            Some(line) => write!(f, " line {line}"),
            None => Ok(()),
        }
    }
}
