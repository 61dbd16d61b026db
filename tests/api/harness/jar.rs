//! A cookie jar that a test can look into, copy, and tamper with.

use std::collections::BTreeMap;

/// One `Set-Cookie` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    pub name: String,
    pub value: String,
    /// As they were sent, in order, without `Max-Age`.
    pub attributes: Vec<String>,
    /// In seconds. `None`: it goes with the browser's window.
    pub max_age: Option<u64>,
}

impl Cookie {
    /// Takes a line apart.
    pub fn parse(line: &str) -> Self {
        let mut parts = line.split("; ");
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let (ages, attributes): (Vec<_>, Vec<_>) =
            parts.map(str::to_owned).partition(|part| part.starts_with("Max-Age="));
        assert!(ages.len() <= 1, "one Max-Age: {line}");
        Self {
            name: name.to_owned(),
            value: value.to_owned(),
            attributes,
            max_age: ages.first().map(|age| age["Max-Age=".len()..].parse().unwrap()),
        }
    }

    pub fn is_cleared(&self) -> bool {
        self.max_age == Some(0) && self.value.is_empty()
    }
}

/// The cookies of one browser.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jar(BTreeMap<String, Cookie>);

impl Jar {
    /// Keeps what a response sets and drops what it clears.
    pub fn keep(&mut self, cookies: &[Cookie]) {
        for cookie in cookies {
            if cookie.max_age == Some(0) {
                self.0.remove(&cookie.name);
            } else {
                self.0.insert(cookie.name.clone(), cookie.clone());
            }
        }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|cookie| cookie.value.as_str())
    }

    pub fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Puts a value there, as somebody who tampers does.
    pub fn plant(&mut self, name: &str, value: &str) {
        self.keep(&[Cookie {
            name: name.to_owned(),
            value: value.to_owned(),
            attributes: Vec::new(),
            max_age: Some(1),
        }]);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The `Cookie` header.
    pub fn header(&self) -> String {
        let pairs: Vec<_> =
            self.0.values().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        pairs.join("; ")
    }
}
