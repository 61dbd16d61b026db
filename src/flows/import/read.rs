//! Reading a file of users, whole, before any of them is brought in.

use std::collections::HashMap;
use std::collections::btree_map::BTreeMap;
use std::io::{self, BufRead, Read as _};

use crate::crypto::hasher::{self, Costs, HashRefused};
use crate::domain::account::Email;
use crate::domain::id::UserId;
use crate::domain::record::{Flaw, Record};

/// The longest line: well over what a MongoDB document can hold.
const LINE: u64 = 64 << 20;

/// How many names of ignored fields are kept.
const NAMES: usize = 100;

/// What is in a file.
#[derive(Default)]
pub struct Plan {
    /// How many lines there are that are not empty.
    pub lines: usize,
    /// The users, in the order of their lines.
    pub candidates: Vec<Candidate>,
    /// How many lines say once more what another line says.
    pub repeated: usize,
    /// The lines that are no users.
    pub refused: Vec<Refused>,
    /// The fields that mean nothing here, and in how many lines they are.
    pub ignored: BTreeMap<String, usize>,
}

/// A user, and where.
pub struct Candidate {
    /// The number of the line, from 1.
    pub line: usize,
    /// What it says.
    pub record: Record,
}

/// A line that is no user.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// The number of the line, from 1.
    pub line: usize,
    /// Why.
    pub why: Why,
}

/// Why a line is refused. Never repeats what is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// Not text.
    #[error("is not UTF-8")]
    NotText,
    /// It does not describe a user.
    #[error(transparent)]
    Flaw(#[from] Flaw),
    /// The password's hash cannot be taken.
    #[error("password {0}")]
    Hash(#[from] HashRefused),
    /// Another line says something else about the same address.
    #[error("email is that of line {0}, which says something else")]
    SameEmail(usize),
    /// Another line has the same id.
    #[error("id is that of line {0}")]
    SameId(usize),
}

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system says no.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// One array, not lines.
    #[error(
        "it is a JSON array; one document a line is wanted: leave out --jsonArray of mongoexport, or \
         run it through `jq -c .[]`"
    )]
    Array,
    /// Not lines.
    #[error("line {0} is longer than {size} MiB", size = LINE >> 20)]
    TooLong(usize),
}

/// Reads a file of users and refuses the lines that are none. `own` is what a password hash costs
/// that is made now. `progress` is told how many bytes have been read.
pub fn read(
    mut source: impl BufRead,
    own: Costs,
    mut progress: impl FnMut(u64),
) -> Result<Plan, ReadError> {
    let mut reader =
        Reader { own, plan: Plan::default(), emails: HashMap::new(), ids: HashMap::new() };
    let (mut bytes, mut line, mut number) = (0, Vec::new(), 0);
    loop {
        line.clear();
        let length = source.by_ref().take(LINE).read_until(b'\n', &mut line)? as u64;
        if length == 0 {
            return Ok(reader.plan);
        }
        number += 1;
        if length == LINE && !line.ends_with(b"\n") {
            return Err(ReadError::TooLong(number));
        }
        bytes += length;
        progress(bytes);
        // Some programs begin a text with a mark of its byte order.
        let text = line.strip_prefix(b"\xef\xbb\xbf").filter(|_| number == 1).unwrap_or(&line);
        let text = text.trim_ascii();
        if reader.plan.lines == 0 && text.starts_with(b"[") {
            return Err(ReadError::Array);
        }
        if !text.is_empty() {
            reader.take(number, text);
        }
    }
}

struct Reader {
    own: Costs,
    plan: Plan,
    /// Which candidates have which address.
    emails: HashMap<Email, usize>,
    ids: HashMap<UserId, usize>,
}

impl Reader {
    fn take(&mut self, line: usize, text: &[u8]) {
        self.plan.lines += 1;
        let parsed = self.parse(text).and_then(|record| self.check_unique(record));
        match parsed {
            Ok(Some(record)) => {
                let index = self.plan.candidates.len();
                self.emails.insert(record.email.clone(), index);
                self.ids.extend(record.id.map(|id| (id, index)));
                self.plan.candidates.push(Candidate { line, record });
            }
            Ok(None) => self.plan.repeated += 1,
            Err(why) => self.plan.refused.push(Refused { line, why }),
        }
    }

    fn parse(&mut self, text: &[u8]) -> Result<Record, Why> {
        let text = std::str::from_utf8(text).map_err(|_| Why::NotText)?;
        let (record, ignored) = Record::parse(text)?;
        if let Some(hash) = &record.password {
            hasher::admit(hash, self.own)?;
        }
        for name in ignored {
            if let Some(count) = self.plan.ignored.get_mut(&name) {
                *count += 1;
            } else if self.plan.ignored.len() < NAMES {
                self.plan.ignored.insert(name, 1);
            }
        }
        Ok(record)
    }

    /// `None` when another line has said the same.
    fn check_unique(&self, record: Record) -> Result<Option<Record>, Why> {
        if let Some(other) =
            self.emails.get(&record.email).and_then(|at| self.plan.candidates.get(*at))
        {
            return if other.record == record { Ok(None) } else { Err(Why::SameEmail(other.line)) };
        }
        let same_id = record.id.and_then(|id| self.ids.get(&id));
        match same_id.and_then(|at| self.plan.candidates.get(*at)) {
            Some(other) => Err(Why::SameId(other.line)),
            None => Ok(Some(record)),
        }
    }
}
