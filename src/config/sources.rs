//! Collects raw values from file, environment and flags, and applies them in that order.

use std::collections::{HashMap, HashSet};
use std::io::ErrorKind;
use std::path::Path;

use toml::de::DeTable;

use super::error::{ConfigError, Problem};
use super::keys::{KEYS, Key};
use super::raw::Raw;
use super::show::{HIDDEN, Place, Setting, Source};
use super::{Config, Flags, Loaded, rules};

/// What the names of environment variables start with.
const PREFIX: &str = "DOORWARD_";

/// Similar enough (Jaro-Winkler) to be taken for a typing error.
const SIMILAR: f64 = 0.85;

/// A configuration in the making.
#[derive(Default)]
pub(super) struct Draft {
    config: Config,
    /// Where each key that is set came from last.
    places: HashMap<&'static str, Place>,
    /// Keys with a bad value: the rules across keys would only repeat the complaint.
    spoilt: HashSet<&'static str>,
    /// Whether the file could not be understood, so that any key may differ from its default.
    file_lost: bool,
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

impl Draft {
    /// Applies the file that was named, which must exist, or the default one, which need not.
    pub(super) fn read_file(&mut self, named: Option<&Path>, default: &Path) {
        let path = named.unwrap_or(default);
        match std::fs::read_to_string(path) {
            Ok(text) => self.apply_file(path, &text),
            Err(why) if named.is_none() && why.kind() == ErrorKind::NotFound => {}
            Err(why) => {
                let file = path.display();
                let place = if named.is_some() {
                    format!("{file} (flag --config)")
                } else {
                    file.to_string()
                };
                self.file_lost = true;
                self.problems.push(Problem::Unreadable { place, why });
            }
        }
    }

    /// Applies the text of the file at `path`.
    pub(super) fn apply_file(&mut self, path: &Path, text: &str) {
        let place = |offset: usize| Place {
            source: Source::File(path.to_owned()),
            line: Some(line_of(text, offset)),
        };
        let (table, mut errors) = DeTable::parse_recoverable(text);
        errors.sort_by_key(|error| error.span().map(|span| span.start));
        if !errors.is_empty() {
            self.file_lost = true;
            self.problems.extend(errors.iter().map(|error| Problem::Syntax {
                place: place(error.span().map_or(0, |span| span.start)),
                // Without the excerpt that `Display` adds: it could show a secret.
                message: error.message().replace('\n', ", "),
            }));
            return;
        }
        let mut entries: Vec<_> = table.get_ref().iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in entries {
            let place = place(name.span().start);
            let name = name.get_ref().as_ref();
            match KEYS.iter().find(|key| key.name == name) {
                Some(key) => self.apply(key, &Raw::from(value.get_ref()), place),
                None => self.problems.push(Problem::UnknownKey {
                    name: name.escape_debug().to_string(),
                    place,
                    hint: hint(name),
                }),
            }
        }
    }

    /// Applies the variables that start with `DOORWARD_`, in the order of their names.
    pub(super) fn apply_environment(&mut self, env: impl Iterator<Item = (String, String)>) {
        let mut ours: Vec<_> = env.filter(|(variable, _)| variable.starts_with(PREFIX)).collect();
        ours.sort();
        for (variable, value) in ours {
            match KEYS.iter().find(|key| variable_of(key.name) == variable) {
                Some(key) => {
                    let place = Source::Environment(variable).into();
                    self.apply(key, &Raw::Text(value), place);
                }
                None => self.warnings.push(unknown_variable(&variable)),
            }
        }
    }

    /// Applies the flags that stand for a key.
    pub(super) fn apply_flags(&mut self, flags: &Flags) {
        let data = flags.data.clone().map(Raw::Path);
        let listen = flags.listen.clone().map(Raw::Text);
        for (flag, name, raw) in [("--data", "data_dir", data), ("--listen", "listen", listen)] {
            if let (Some(raw), Some(key)) = (raw, KEYS.iter().find(|key| key.name == name)) {
                self.apply(key, &raw, Source::Flag(flag).into());
            }
        }
    }

    /// Applies one raw value; a bad one is noted and changes nothing.
    pub(super) fn apply(&mut self, key: &Key, raw: &Raw, place: Place) {
        match (key.set)(&mut self.config, raw) {
            Ok(()) => {
                self.places.insert(key.name, place);
            }
            Err(refusal) => {
                self.spoilt.insert(key.name);
                self.problems.push(Problem::Value {
                    key: key.name,
                    place: place.to_string(),
                    found: if key.secret { HIDDEN.to_owned() } else { refusal.found },
                    allowed: refusal.allowed,
                });
            }
        }
    }

    /// Applies the rules across keys and gives the result.
    pub(super) fn finish(mut self) -> Result<Loaded, ConfigError> {
        if !self.file_lost {
            self.apply_rules();
        }
        if !self.problems.is_empty() {
            return Err(self.problems.into());
        }
        self.warnings.extend(rules::warnings(&self.config));
        let settings = KEYS
            .iter()
            .map(|key| Setting::new(key, &self.config, self.place(key.name).source))
            .collect();
        Ok(Loaded { config: self.config, warnings: self.warnings, settings })
    }

    fn apply_rules(&mut self) {
        for breach in rules::breaches(&self.config) {
            let mut keys = breach.with.iter().chain([&breach.key]);
            if keys.any(|key| self.spoilt.contains(key)) {
                continue;
            }
            self.problems.push(Problem::Value {
                key: breach.key,
                place: self.place(breach.key).to_string(),
                found: breach.found,
                allowed: breach.allowed,
            });
        }
    }

    fn place(&self, key: &str) -> Place {
        self.places.get(key).cloned().unwrap_or_default()
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.to_ascii_uppercase())
}

/// The key that was probably meant, if any is close.
fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase().replace('-', "_");
    KEYS.iter()
        .map(|key| (strsim::jaro_winkler(key.name, &name), key.name))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

fn hint(name: &str) -> String {
    if let Some(key) = nearest(name) {
        return format!("did you mean {key}?");
    }
    let names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
    format!("allowed: {}", names.join(", "))
}

fn unknown_variable(variable: &str) -> String {
    let name = variable.strip_prefix(PREFIX).unwrap_or(variable);
    let meant = nearest(name).map(variable_of);
    let hint = meant.map_or_else(String::new, |meant| format!("; did you mean {meant}?"));
    format!("environment {}: unknown variable, ignored{hint}", variable.escape_debug())
}
