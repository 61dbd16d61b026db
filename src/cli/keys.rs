//! `doorward keys`. Shows ids and public keys; the one secret that is ever printed is a fresh one.

use std::collections::HashMap;

use clap::Subcommand;
use serde::Serialize;

use super::data::{self, Data};
use super::failure::Failure;
use super::output::{self, count, or_dash};
use crate::clock::{SystemEntropy, random};
use crate::config::Config;
use crate::crypto::key_files::{KeyError, Place};
use crate::crypto::keyring::{KeySet, Keyring, Root};
use crate::domain::time::Timestamp;
use crate::flows::keys::{self, Older, Refusal, Rotated};
use crate::store::{Hold, HoldError, KeyRecord};

const GENERATE_EXAMPLES: &str = "\
Examples:
  (umask 077 && doorward keys generate > doorward.key)
  DOORWARD_KEY_FILE=doorward.key doorward serve

  (umask 077 && doorward keys generate >> doorward.key)   # a newer one
  kill -HUP PID                                            # of the server, which then uses it";

const ROTATE_EXAMPLES: &str = "\
Examples:
  doorward keys rotate
  doorward keys rotate --revoke-old   # somebody has read the key files, or may have";

#[derive(Subcommand)]
pub(super) enum Command {
    /// List the keys, the active one first
    ///
    /// Shows what is public: the id of the key that access tokens name (kid), and the id that
    /// refresh tokens name. The active key makes tokens. One that is verifying makes none, but what it
    /// made is still good; it is retired when nothing that is about can need it, not before the time
    /// that is shown. A missing one is on record, not retired, and its file is not there. After a
    /// restore that is harmless: it was retired since the backup was made.
    List {
        /// Print a JSON array of {kid, key, state, since, until, refreshKeyId}
        #[arg(long)]
        json: bool,
    },
    /// Make a new key that signs from now on
    ///
    /// Nobody is signed out: older keys verify what they have made until nothing that is about can
    /// need them, and are then removed. A running server takes the new key up within a second. With
    /// the setting `key_file`, add a line to that file instead.
    #[command(after_long_help = ROTATE_EXAMPLES)]
    Rotate {
        /// Also end all that older keys have made, at once: everybody signs in again
        #[arg(long)]
        revoke_old: bool,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
    refresh_key_id: String,
}

/// A line for a `key_file`. Behind something else in a file it begins with a line break, in case what
/// is there does not end with one; empty lines are passed over.
pub(super) fn generate() -> Result<String, Failure> {
    let root = Root::from_bytes(random(&SystemEntropy)?);
    let line_break = if output::is_appended() { "\n" } else { "" };
    Ok(format!("{line_break}{}\n", *root.to_paserk()))
}

/// All keys, and since when they are what they are.
pub(super) fn list(config: &Config, json: bool) -> Result<String, Failure> {
    let keyring = load(config)?;
    let records = if data::is_there(config)? {
        data::existing(config.clone(), async |data| Ok(data.store.key_records().await?))?
    } else {
        Vec::new()
    };
    let views = views(&keyring, &records, config);
    if json {
        return output::json(&views);
    }
    let rows = views.into_iter().map(|view| {
        let (since, until) = (or_dash(view.since), or_dash(view.until));
        [view.kid, view.state.to_owned(), since, until, view.refresh_key_id]
    });
    let headings = ["Key id (kid)", "State", "Since", "Not retired before", "Refresh key id"];
    Ok(output::table(headings, rows))
}

/// Those that are there, the latest first, and then those that are only on record.
fn views(keyring: &Keyring, records: &[KeyRecord], config: &Config) -> Vec<KeyView> {
    let known: HashMap<_, _> = records.iter().map(|record| (record.name.id, record)).collect();
    let active = keyring.active().ratchet.id;
    let mut sets: Vec<&KeySet> = keyring.sets().collect();
    // The active one comes first, then the oldest.
    sets[1..].reverse();
    let here = sets.into_iter().map(|set| {
        let record = known.get(&set.ratchet.id);
        let retired_at = record.and_then(|record| record.retired_at);
        let (state, since, until) = match (set.ratchet.id == active, retired_at) {
            (true, _) => ("active", record.map(|record| record.active_at), None),
            (false, Some(at)) => ("retired", Some(at), None),
            (false, None) => (
                "verifying",
                record.and_then(|record| record.superseded_at),
                record.map(|record| keys::needed_until(record, config)),
            ),
        };
        let key = Some(set.public.to_paserk());
        let refresh_key_id = set.ratchet.id.to_string();
        KeyView { kid: set.public.id().to_owned(), key, state, since, until, refresh_key_id }
    });
    let ids = keyring.ids();
    let gone = records.iter().filter(|record| !ids.contains(&record.name.id)).map(|record| {
        let state = if record.retired_at.is_some() { "retired" } else { "missing" };
        let since = record.retired_at.or(record.superseded_at);
        let refresh_key_id = record.name.id.to_string();
        KeyView {
            kid: record.name.kid.clone(),
            key: None,
            state,
            since,
            until: None,
            refresh_key_id,
        }
    });
    here.chain(gone).collect()
}

/// Loads the keys as the server does, but makes nothing that is not there.
pub(super) fn load(config: &Config) -> Result<Keyring, Failure> {
    let place = Place::from(config);
    if let Place::Directory(dir) = &place {
        data::require(dir, "keys", &config.data_dir)?;
    }
    match place.load() {
        Err(KeyError::Missing(_)) => Err(data::absent("keys", &config.data_dir)),
        loaded => {
            let (keyring, warning) = loaded?;
            output::warn(warning.as_slice());
            Ok(keyring)
        }
    }
}

/// A new key in the directory.
pub(super) fn rotate(config: Config, revoke_old: bool) -> Result<String, Failure> {
    if let Some(file) = &config.key_file {
        return Err(Failure::usage(by_hand(&file.display().to_string(), revoke_old)));
    }
    data::require(&config.keys_dir(), "keys", &config.data_dir)?;
    let is_served = match Hold::take(&config.data_dir) {
        Err(HoldError::Taken(_)) => true,
        held => held.map(|_| false)?,
    };
    data::existing(config, async |data| {
        let Data { store, clock, entropy, config, .. } = data;
        let older = if revoke_old { Older::Revoke } else { Older::Verify };
        let rotated = keys::rotate(store, config, older, is_served, clock, entropy).await?;
        let Rotated { keyring, ended, left } = rotated;
        let kid = keyring.active().public.id();
        let older = count(keyring.sets().count() - 1, "older key");
        if revoke_old {
            if let Some(left) = left {
                let left = format!("the files of revoked keys, which count no more, stay: {left}");
                output::warn(&[left]);
            }
            let ended = count(ended, "session");
            return Ok(format!("{kid} signs from now on; {older} revoked, {ended} ended\n"));
        }
        Ok(format!(
            "{kid} signs from now on; {older} verifying until what was made with them is over\n"
        ))
    })
}

/// What to do where the keys are somebody else's to keep.
fn by_hand(file: &str, revoke_old: bool) -> String {
    if revoke_old {
        format!(
            "the keys are in {file} (setting key_file), which is yours to write. Stop the server, put \
             one line of `doorward keys generate` in the place of all, run `doorward session revoke \
             --all`, and start again"
        )
    } else {
        format!(
            "the keys are in {file} (setting key_file), which is yours to write. Add a line to its \
             end: `doorward keys generate >> {file}`; then have the server read it: `kill -HUP PID`"
        )
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unreadable(error) => error.into(),
            Refusal::Internal(fault) => fault.into(),
            Refusal::Elsewhere { .. } => Self::usage(refusal),
            Refusal::Needed { .. } | Refusal::Missing { .. } | Refusal::NotRevoked { .. } => {
                Self::failed(refusal)
            }
        }
    }
}
