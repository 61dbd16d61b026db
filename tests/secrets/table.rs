//! Who may hold which secret.

use std::collections::BTreeSet;

use crate::canary::{Canary, Kind, Search};

/// The places that may hold a kind of secret, by the beginning of their name, and why. Besides, an
/// answer may hold the tokens that it hands out.
const MAY_HOLD: [(Kind, &str, &str); 9] = [
    (Kind::Key, "file data/keys/", "where keys are kept"),
    (Kind::OneTime, "file data/mail/", "the letter with the link"),
    (Kind::OneTime, "output of user invite dan@example.com --print-link", "asked for"),
    (Kind::SmtpPassword, "file doorward.toml", "the operator's own"),
    (
        Kind::Password,
        "output of user add carl@example.com --password-stdin=",
        "an argument, which everybody on the machine can read",
    ),
    (Kind::Hash, "file data/doorward.db", "what passwords are checked with"),
    (Kind::Hash, "file backup.", "a backup"),
    (Kind::Hash, "file users.jsonl", "the import"),
    (Kind::Hash, "file export.jsonl", "the export"),
];

/// What came out somewhere.
pub(crate) struct Evidence {
    pub(crate) place: String,
    pub(crate) content: Vec<u8>,
}

/// What is where it must not be, and the rows of the table that were needed.
pub(crate) fn judge(canaries: &[Canary], evidence: &[Evidence]) -> (Vec<String>, BTreeSet<usize>) {
    let search = Search::new(canaries);
    let (mut complaints, mut used) = (Vec::new(), BTreeSet::new());
    for Evidence { place, content } in evidence {
        for (index, form) in search.hits(content) {
            let canary = &canaries[index];
            let row = MAY_HOLD
                .iter()
                .position(|(kind, prefix, _)| *kind == canary.kind && place.starts_with(prefix));
            match row {
                Some(row) => drop(used.insert(row)),
                None if canary.births.contains(place) => {}
                None => complaints.push(format!("{place}: {canary:?}, {form}")),
            }
        }
    }
    (complaints, used)
}

/// The rows of the table that are not among those `used`.
pub(crate) fn unused(used: &BTreeSet<usize>) -> Vec<String> {
    let rows = MAY_HOLD.iter().enumerate().filter(|(row, _)| !used.contains(row));
    rows.map(|(_, (kind, place, why))| format!("{kind:?} in {place}: {why}")).collect()
}
