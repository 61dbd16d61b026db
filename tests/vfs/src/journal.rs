//! What was done to the files of a disk, in order, and what of it would have survived.
//!
//! The model is a write-back cache. What was synced is on the disk. Of what was not, each write
//! is there, or is not, or in part, in whole sectors; and since each is decided by itself, a
//! later one may be there without an earlier one. The length of a file may have grown without
//! the data. A sync that failed is the last that was heard of the writes before it: the kernel
//! takes them for written, and no later sync brings them back.

use crate::dice::Dice;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// The number of a file.
pub(crate) type File = usize;

/// Something that was done.
pub(crate) enum Entry {
    /// It was there before anybody looked, and is taken to be on the disk.
    Found(File, Vec<u8>),
    /// It was made.
    Created(File),
    Wrote(File, usize, Vec<u8>),
    Resized(File, usize),
    Synced(File),
    SyncFailed(File),
    Removed(File),
    /// What was created and removed so far is safe.
    DirectorySynced,
}

/// What a power loss did to the writes that were not safe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// They reached the disk all the same.
    pub kept: usize,
    /// Some of their sectors did.
    pub torn: usize,
    /// They are gone.
    pub dropped: usize,
}

/// What becomes of writes that are not safe.
pub(crate) enum Fate {
    /// All reach the disk: there is no power loss.
    Spared,
    /// Each reaches it in `percent` of all cases.
    Lost { dice: Dice, percent: usize, loss: Loss },
}

impl Fate {
    pub(crate) fn of_seed(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let percent = [0, 10, 50, 90, 100][dice.below(5)];
        Self::Lost { dice, percent, loss: Loss::default() }
    }

    /// Whether a change is there.
    const fn keeps(&mut self) -> bool {
        match self {
            Self::Spared => true,
            Self::Lost { dice, percent, .. } => dice.chance(*percent),
        }
    }

    fn write(&mut self, content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
        let Self::Lost { dice, percent, loss } = self else {
            return put(content, offset, bytes);
        };
        let is_tearing = !matches!(percent, 0 | 100);
        if is_tearing && dice.chance(25) {
            loss.torn += 1;
            let mut at = offset;
            for sector in sectors(offset, bytes) {
                if dice.chance(50) {
                    put(content, at, sector);
                }
                at += sector.len();
            }
        } else if dice.chance(*percent) {
            loss.kept += 1;
            return put(content, offset, bytes);
        } else {
            loss.dropped += 1;
        }
        let end = offset + bytes.len();
        if content.len() < end && dice.chance(50) {
            // The length without the data: zeros, or what the blocks held before.
            let left_over = if dice.chance(50) { 0 } else { 0xa5 };
            content.resize(end, left_over);
        }
    }
}

fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

/// `bytes`, cut where one sector of the file ends and the next begins.
fn sectors(offset: usize, bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (first, rest) = bytes.split_at(bytes.len().min(SECTOR - offset % SECTOR));
    std::iter::once(first).chain(rest.chunks(SECTOR))
}

/// A file: what is safe of it, if it exists, and what is not.
#[derive(Default)]
struct Cached<'a> {
    safe: Option<Vec<u8>>,
    unsafe_yet: Vec<&'a Entry>,
}

impl Cached<'_> {
    /// Some writes will never reach the disk, and nobody will hear of it.
    fn forget(&mut self, fate: &mut Fate) {
        self.unsafe_yet.retain(|entry| !matches!(entry, Entry::Wrote(..)) || fate.keeps());
    }

    /// It is safe whether the file exists.
    fn settle_name(&mut self) {
        let is_of_name = |entry: &&Entry| matches!(entry, Entry::Created(_) | Entry::Removed(_));
        if let Some(last) = self.unsafe_yet.iter().rposition(is_of_name) {
            let exists = matches!(self.unsafe_yet[last], Entry::Created(_));
            self.unsafe_yet.drain(..=last);
            self.safe = exists.then(Vec::new);
        }
    }

    /// Decides over what is not safe.
    fn settle(&mut self, fate: &mut Fate) {
        for entry in self.unsafe_yet.drain(..) {
            match (entry, &mut self.safe) {
                (Entry::Created(_), safe @ None) if fate.keeps() => *safe = Some(Vec::new()),
                (Entry::Wrote(_, offset, bytes), Some(content)) => {
                    fate.write(content, *offset, bytes);
                }
                (Entry::Resized(_, length), Some(content)) if fate.keeps() => {
                    content.resize(*length, 0);
                }
                (Entry::Removed(_), safe) if fate.keeps() => *safe = None,
                _ => {}
            }
        }
    }
}

/// What is in the first `files` files after `entries`.
pub(crate) fn replay(entries: &[Entry], files: usize, fate: &mut Fate) -> Vec<Option<Vec<u8>>> {
    let mut cached: Vec<Cached<'_>> = (0..files).map(|_| Cached::default()).collect();
    for entry in entries {
        match entry {
            Entry::Found(file, content) => cached[*file].safe = Some(content.clone()),
            Entry::Synced(file) => cached[*file].settle(&mut Fate::Spared),
            Entry::SyncFailed(file) => cached[*file].forget(fate),
            Entry::DirectorySynced => cached.iter_mut().for_each(Cached::settle_name),
            Entry::Created(file)
            | Entry::Wrote(file, ..)
            | Entry::Resized(file, _)
            | Entry::Removed(file) => cached[*file].unsafe_yet.push(entry),
        }
    }
    let settled = |mut file: Cached<'_>| {
        file.settle(fate);
        file.safe
    };
    cached.into_iter().map(settled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEDS: std::ops::Range<u64> = 0..500;

    /// Every content that a loss may leave of one file.
    fn outcomes(entries: &[Entry]) -> Vec<Option<Vec<u8>>> {
        let lose = |seed| replay(entries, 1, &mut Fate::of_seed(seed)).remove(0);
        let mut all: Vec<_> = SEEDS.map(lose).collect();
        all.sort();
        all.dedup();
        all
    }

    #[test]
    fn what_was_synced_is_there_whatever_the_seed() {
        let entries = [Entry::Created(0), Entry::Wrote(0, 2, b"abc".to_vec()), Entry::Synced(0)];
        assert_eq!(outcomes(&entries), [Some(b"\0\0abc".to_vec())]);
    }

    #[test]
    fn what_was_not_may_be_there_or_not_or_in_part_and_in_any_order() {
        let entries = [
            Entry::Found(0, vec![b'-'; 1024]),
            Entry::Wrote(0, 0, vec![b'a'; 1024]),
            Entry::Wrote(0, 512, vec![b'b'; 512]),
        ];
        let halves = |content: &Option<Vec<u8>>| {
            let content = content.as_ref().expect("it was found");
            let is_whole = |half: &[u8]| half.iter().all(|byte| *byte == half[0]);
            assert!(content.chunks(512).all(is_whole), "a sector is never torn");
            (char::from(content[0]), char::from(content[512]))
        };
        let all: Vec<_> = outcomes(&entries).iter().map(halves).collect();
        let expected = [('-', '-'), ('-', 'a'), ('-', 'b'), ('a', '-'), ('a', 'a'), ('a', 'b')];
        assert_eq!(all, expected);
    }

    #[test]
    fn a_sync_after_one_that_failed_brings_nothing_back() {
        let entries = [
            Entry::Found(0, b"old".to_vec()),
            Entry::Wrote(0, 0, b"new".to_vec()),
            Entry::SyncFailed(0),
            Entry::Synced(0),
        ];
        assert_eq!(outcomes(&entries), [Some(b"new".to_vec()), Some(b"old".to_vec())]);
    }

    #[test]
    fn a_removed_file_may_come_back_until_its_directory_was_synced() {
        let mut entries = vec![Entry::Found(0, b"x".to_vec()), Entry::Removed(0)];
        assert_eq!(outcomes(&entries), [None, Some(b"x".to_vec())]);
        entries.push(Entry::DirectorySynced);
        assert_eq!(outcomes(&entries), [None]);
    }

    #[test]
    fn without_a_loss_everything_is_there() {
        let entries =
            [Entry::Created(0), Entry::Wrote(0, 0, b"abc".to_vec()), Entry::Resized(0, 2)];
        assert_eq!(replay(&entries, 1, &mut Fate::Spared), [Some(b"ab".to_vec())]);
    }
}
