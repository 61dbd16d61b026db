//! One parser per type. File and environment share them, so that a number may be written `50` or
//! `"50"`, and a list as an array or separated by commas.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::choices::Choice;
use super::origin::{Origin, PublicUrl};
use super::raw::{Raw, Refusal};
use super::{DAY, HOUR, MINUTE};

/// Longer is a slip of the keyboard, and sums of times must not overflow.
const MAX_DURATION: Duration = Duration::from_secs(10 * 31_557_600);

/// What [`Value::show`] gives where there is none.
pub(super) const UNSET: &str = "(unset)";

/// A type that settings have.
pub(super) trait Value: Sized {
    /// Parses what a source gave.
    fn read(raw: &Raw) -> Result<Self, Refusal>;

    /// The value as a person would write it.
    fn show(&self) -> String;
}

/// Reads a whole number; both bounds are allowed.
pub(super) fn within(bounds: RangeInclusive<u32>) -> impl FnOnce(&Raw) -> Result<u32, Refusal> {
    move |raw| {
        let allowed = format!("{} to {}", bounds.start(), bounds.end());
        let number = match raw {
            Raw::Integer(number) => Some(*number),
            Raw::Text(text) => text.parse::<i64>().ok(),
            _ => None,
        };
        let number = number.ok_or_else(|| raw.refuse(format!("a whole number, {allowed}")))?;
        let number = u32::try_from(number).ok().filter(|number| bounds.contains(number));
        number.ok_or_else(|| raw.refuse(allowed))
    }
}

impl Value for String {
    fn read(raw: &Raw) -> Result<Self, Refusal> {
        match raw {
            Raw::Text(text) if !text.is_empty() => Ok(text.clone()),
            _ => Err(raw.refuse("a text that is not empty")),
        }
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl Value for PathBuf {
    fn read(raw: &Raw) -> Result<Self, Refusal> {
        match raw {
            Raw::Text(text) if !text.is_empty() => Ok(Self::from(text)),
            Raw::Path(path) if !path.as_os_str().is_empty() => Ok(path.clone()),
            _ => Err(raw.refuse("a path")),
        }
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl Value for bool {
    fn read(raw: &Raw) -> Result<Self, Refusal> {
        match raw {
            Raw::Boolean(value) => Ok(*value),
            Raw::Text(text) => text.parse().map_err(|_| raw.refuse("true or false")),
            _ => Err(raw.refuse("true or false")),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for u32 {
    fn read(raw: &Raw) -> Result<Self, Refusal> {
        within(0..=Self::MAX)(raw)
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for Duration {
    fn read(raw: &Raw) -> Result<Self, Refusal> {
        let text = match raw {
            // `humantime` would take a bare "0".
            Raw::Text(text) if !text.chars().all(|c| c.is_ascii_digit()) => text,
            Raw::Text(_) | Raw::Integer(_) => {
                return Err(raw.refuse("a duration with its unit added, such as \"10s\""));
            }
            _ => return Err(raw.refuse("a duration such as \"10s\", \"15m\" or \"30d\"")),
        };
        let duration = humantime::parse_duration(text).map_err(|why| {
            raw.refuse(format!("a duration such as \"10s\", \"15m\" or \"30d\" ({why})"))
        })?;
        if duration > MAX_DURATION {
            return Err(raw.refuse("at most 10 years"));
        }
        Ok(duration)
    }

    /// The largest unit that divides it; a single day stays 24 hours.
    fn show(&self) -> String {
        let seconds = self.as_secs();
        let whole =
            |unit: Duration| seconds >= unit.as_secs() && seconds.is_multiple_of(unit.as_secs());
        if self.subsec_nanos() > 0 {
            humantime::format_duration(*self).to_string()
        } else if whole(DAY) && *self > DAY {
            format!("{}d", seconds / DAY.as_secs())
        } else if whole(HOUR) {
            format!("{}h", seconds / HOUR.as_secs())
        } else if whole(MINUTE) {
            format!("{}m", seconds / MINUTE.as_secs())
        } else {
            format!("{seconds}s")
        }
    }
}

impl Value for SocketAddr {
    fn read(raw: &Raw) -> Result<Self, Refusal> {
        match raw {
            Raw::Text(text) => text.parse().ok(),
            _ => None,
        }
        .ok_or_else(|| {
            raw.refuse(
                "IP:port, such as 127.0.0.1:8080 or [::1]:8080; host names are not looked up",
            )
        })
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for IpNet {
    fn read(raw: &Raw) -> Result<Self, Refusal> {
        match raw {
            Raw::Text(text) => {
                text.parse().or_else(|_| text.parse::<IpAddr>().map(Self::from)).ok()
            }
            _ => None,
        }
        .ok_or_else(|| raw.refuse("an IP address or a CIDR block, such as 10.0.0.0/8"))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for Origin {
    fn read(raw: &Raw) -> Result<Self, Refusal> {
        read_url(raw, Self::parse)
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for PublicUrl {
    fn read(raw: &Raw) -> Result<Self, Refusal> {
        read_url(raw, Self::parse)
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

fn read_url<T>(raw: &Raw, parse: fn(&str) -> Result<T, String>) -> Result<T, Refusal> {
    let parsed = match raw {
        Raw::Text(text) => parse(text),
        _ => Err("a URL such as \"https://auth.example.com\"".to_owned()),
    };
    parsed.map_err(|allowed| {
        let refusal = raw.refuse(allowed);
        if refusal.found.contains('@') {
            // It goes to a terminal and a log; the password must not.
            Refusal { found: "a URL with a user or password (not shown)".to_owned(), ..refusal }
        } else {
            refusal
        }
    })
}

impl<T: Choice> Value for T {
    fn read(raw: &Raw) -> Result<Self, Refusal> {
        T::ALL
            .iter()
            .find(|(word, _)| matches!(raw, Raw::Text(text) if text == word))
            .map(|(_, choice)| *choice)
            .ok_or_else(|| {
                let words: Vec<_> = T::ALL.iter().map(|(word, _)| *word).collect();
                raw.refuse(words.join(" or "))
            })
    }

    fn show(&self) -> String {
        self.word().to_owned()
    }
}

/// An empty text unsets, so that the environment can undo what the file says.
impl<T: Value> Value for Option<T> {
    fn read(raw: &Raw) -> Result<Self, Refusal> {
        match raw {
            Raw::Text(text) if text.is_empty() => Ok(None),
            _ => T::read(raw).map(Some),
        }
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| UNSET.to_owned(), T::show)
    }
}

impl<T: Value> Value for Vec<T> {
    fn read(raw: &Raw) -> Result<Self, Refusal> {
        match raw {
            Raw::List(items) => items.iter().map(T::read).collect(),
            Raw::Text(text) => text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty())
                .map(|item| T::read(&Raw::Text(item.to_owned())))
                .collect(),
            _ => Err(raw.refuse("a list, or one text with commas")),
        }
    }

    fn show(&self) -> String {
        if self.is_empty() {
            return "(none)".to_owned();
        }
        self.iter().map(T::show).collect::<Vec<_>>().join(", ")
    }
}
