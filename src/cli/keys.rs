//! `doorward keys`. Shows ids and public keys; the one secret that is ever printed is a fresh one.

use clap::Subcommand;
use serde::Serialize;

use super::data;
use super::failure::Failure;
use super::output;
use crate::clock::{Clock as _, SystemClock, SystemEntropy, random};
use crate::config::Config;
use crate::crypto::key_files::{self, KeyError};
use crate::crypto::keyring::{Keyring, Root};

const GENERATE_EXAMPLES: &str = "\
Examples:
  (umask 077 && doorward keys generate > doorward.key)
  DOORWARD_KEY_FILE=doorward.key doorward serve";

#[derive(Subcommand)]
pub(super) enum Command {
    /// List the keys, the active one first
    ///
    /// Shows what is public: the id of the key that access tokens name (kid), and the id that
    /// refresh tokens name. Older keys make no new tokens but still verify what they made.
    List {
        /// Print a JSON array of {kid, key, state, refreshKeyId}
        #[arg(long)]
        json: bool,
    },
    /// Print a fresh secret key, a line for a `key_file`
    ///
    /// For installations that mount their secrets. Without the setting `key_file` this is not
    /// needed: the server makes its own key on the first start. Whoever has this line can sign
    /// in as anybody: keep it out of logs and shell histories.
    #[command(after_long_help = GENERATE_EXAMPLES)]
    Generate,
}

/// A set of keys as `--json` shows it; `key` is the public one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct KeyView {
    kid: String,
    key: String,
    state: &'static str,
    refresh_key_id: String,
}

/// A line for a `key_file`.
pub(super) fn generate() -> Result<String, Failure> {
    let root = Root::from_bytes(random(&SystemEntropy)?);
    Ok(format!("{}\n", *root.to_paserk()))
}

/// The ids of all keys.
pub(super) fn list(config: &Config, json: bool) -> Result<String, Failure> {
    let keys = load(config)?;
    let views = keys.sets().enumerate().map(|(index, set)| KeyView {
        kid: set.public.id().to_owned(),
        key: set.public.to_paserk(),
        state: if index == 0 { "active" } else { "older" },
        refresh_key_id: set.ratchet.id.to_string(),
    });
    if json {
        return output::json(&views.collect::<Vec<_>>());
    }
    let rows = views.map(|view| [view.kid, view.state.to_owned(), view.refresh_key_id]);
    Ok(output::table(["Key id (kid)", "State", "Refresh key id"], rows))
}

/// Loads the keys as the server does, but makes nothing that is not there.
pub(super) fn load(config: &Config) -> Result<Keyring, Failure> {
    if let Some(file) = &config.key_file {
        let (keys, warning) = key_files::load_file(file)?;
        output::warn(warning.as_slice());
        return Ok(keys);
    }
    let dir = config.keys_dir();
    data::require(&dir, "keys", &config.data_dir)?;
    let unused = Root::from_bytes(random(&SystemEntropy)?);
    match key_files::load_dir(&dir, false, &unused, SystemClock::start().now().wall) {
        Err(KeyError::Missing(_)) => Err(data::absent("keys", &config.data_dir)),
        loaded => Ok(loaded?),
    }
}
