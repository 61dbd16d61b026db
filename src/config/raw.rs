//! What a source gave, before its key says what it must be.

use std::fmt;
use std::path::PathBuf;

use toml::de::DeValue;

/// A value as a source gave it. Its `Display` quotes what was found, escaped, on one line.
#[derive(Clone, Debug)]
pub(super) enum Raw {
    Text(String),
    Integer(i64),
    Boolean(bool),
    List(Vec<Raw>),
    Path(PathBuf),
    /// A kind of value that no key takes, by its name in the file's language.
    Other(&'static str),
}

impl Raw {
    /// Turns this value down, saying what is allowed in its place.
    pub(super) fn refuse(&self, allowed: impl Into<String>) -> Refusal {
        Refusal { found: self.to_string(), allowed: allowed.into() }
    }
}

impl From<&DeValue<'_>> for Raw {
    fn from(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.clone().into_owned()),
            DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix())
                .map_or(Self::Other("an integer beyond 64 bits"), Self::Integer),
            DeValue::Boolean(value) => Self::Boolean(*value),
            DeValue::Array(items) => {
                Self::List(items.iter().map(|item| item.get_ref().into()).collect())
            }
            DeValue::Float(_) => Self::Other("a floating-point number"),
            DeValue::Datetime(_) => Self::Other("a date or time"),
            DeValue::Table(_) => Self::Other("a table"),
        }
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Integer(number) => number.fmt(f),
            Self::Boolean(value) => value.fmt(f),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(Self::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Self::Path(path) => write!(f, "{:?}", path.to_string_lossy()),
            Self::Other(kind) => f.write_str(kind),
        }
    }
}

/// Why a value was turned down: what was found, and what is allowed.
#[derive(Debug)]
pub(super) struct Refusal {
    pub found: String,
    pub allowed: String,
}
