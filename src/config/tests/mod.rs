//! What an operator may rely on: each key from each source, who wins, what is refused and how.

mod example;
mod rules;
mod sources;
mod values;

use std::path::Path;

use super::keys::{KEYS, Key};
use super::raw::Raw;
use super::show::Place;
use super::*;

const FILE: &str = "some.toml";

fn load_all(file: &str, env: &[(&str, &str)], flags: &Flags) -> Result<Loaded, ConfigError> {
    let mut draft = Draft::default();
    draft.apply_file(Path::new(FILE), file);
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    draft.apply_environment(env);
    draft.apply_flags(flags);
    draft.finish()
}

fn load_file(file: &str) -> Result<Loaded, ConfigError> {
    load_all(file, &[], &Flags::default())
}

/// The problems as lines; panics when there are none.
fn problems(result: Result<Loaded, ConfigError>) -> Vec<String> {
    let error = result.map(|loaded| loaded.settings).expect_err("it should be refused");
    error.to_string().lines().map(str::to_owned).collect()
}

fn setting<'a>(loaded: &'a Loaded, key: &str) -> &'a Setting {
    loaded.settings.iter().find(|setting| setting.key == key).expect(key)
}
