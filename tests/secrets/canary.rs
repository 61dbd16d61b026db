//! A secret that occurs nowhere else, the forms that it may hide in, and the search for them.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// What a secret is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Password,
    /// What is stored of a password.
    Hash,
    Access,
    Refresh,
    Csrf,
    /// The second half of what a link holds.
    OneTime,
    /// A root, or what is derived from it.
    Key,
    SmtpPassword,
    /// What a client took for a token.
    Forged,
}

/// A secret.
pub(crate) struct Canary {
    pub(crate) kind: Kind,
    /// What the search looks for. Of text only letters and digits, which no escaping changes.
    bytes: Vec<u8>,
    /// The answers that have handed it out.
    pub(crate) births: BTreeSet<String>,
}

impl Canary {
    pub(crate) fn new(kind: Kind, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        assert!(bytes.len() >= 2 * PREFIX, "too short to be told from chance");
        Self { kind, bytes, births: BTreeSet::new() }
    }

    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        self.bytes == bytes
    }

    /// The forms that it is searched for in.
    fn forms(&self) -> Vec<(&'static str, Vec<u8>)> {
        let bytes = &self.bytes;
        let hex = hex(bytes);
        let mut forms = vec![
            ("raw", bytes.clone()),
            ("HEX", hex.to_uppercase().into()),
            ("hex", hex.into()),
            ("bytes", inner(&format!("{bytes:?}"))),
            ("hex bytes", inner(&format!("{bytes:02x?}"))),
            ("JSON bytes", inner(&serde_json::to_string(bytes).unwrap())),
        ];
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            for before in 0..3 {
                let text = engine.encode([vec![0; before], bytes.clone()].concat());
                // Without the characters that its neighbours have a say in.
                let (start, end) = ((before * 8).div_ceil(6), (before + bytes.len()) * 8 / 6);
                forms.push(("base64", text[start..end].into()));
            }
        }
        forms
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from_digit(digit.into(), 16).unwrap())
        .collect()
}

fn inner(list: &str) -> Vec<u8> {
    list.trim_matches(['[', ']']).into()
}

impl fmt::Debug for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.kind, String::from_utf8_lossy(&self.bytes))
    }
}

/// Small letters and digits that were never seen before.
pub(crate) fn unseen() -> String {
    static DRAWN: AtomicU64 = AtomicU64::new(0);
    let number = DRAWN.fetch_add(1, Ordering::Relaxed);
    let process = u64::from(std::process::id());
    let hash = blake3::hash(&[number.to_be_bytes(), process.to_be_bytes()].concat());
    format!("kz{}", &hash.to_hex()[..22])
}

/// A password around letters and digits, with what is escaped in JSON, in URLs, in HTML.
pub(crate) fn password_around(core: &str) -> String {
    format!("é\"\\/ {core}<%&+\u{1f511}")
}

/// So many bytes of a needle are looked up at once.
const PREFIX: usize = 8;

/// What was found: which canary, by its index, and in which form.
pub(crate) type Hit = (usize, &'static str);

/// All forms of some canaries, by their beginnings.
pub(crate) struct Search(HashMap<[u8; PREFIX], Vec<(Hit, Vec<u8>)>>);

impl Search {
    pub(crate) fn new(canaries: &[Canary]) -> Self {
        let mut needles = HashMap::<_, Vec<_>>::new();
        for (index, canary) in canaries.iter().enumerate() {
            for (form, needle) in canary.forms() {
                let prefix = *needle.first_chunk().unwrap();
                needles.entry(prefix).or_default().push(((index, form), needle));
            }
        }
        Self(needles)
    }

    pub(crate) fn hits(&self, haystack: &[u8]) -> BTreeSet<Hit> {
        let windows = haystack.windows(PREFIX).enumerate();
        let found = windows.filter_map(|(at, window)| {
            let candidates = self.0.get(window.first_chunk::<PREFIX>()?)?;
            Some(candidates.iter().filter(move |(_, needle)| haystack[at..].starts_with(needle)))
        });
        found.flatten().map(|(hit, _)| *hit).collect()
    }
}
