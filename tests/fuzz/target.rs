//! How a target is run: its corpus first, then what is made of it.

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::Union;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

/// What is wrong with how an input was taken.
pub type Verdict = Result<(), TestCaseError>;

/// An input. Shown as a byte string that can be pasted into a test.
#[derive(Clone)]
pub struct Input(pub Vec<u8>);

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

/// A target: where its corpus is, and what else goes in.
pub struct Target {
    name: &'static str,
    cases: u32,
    seeds: Vec<Vec<u8>>,
    structured: Vec<BoxedStrategy<Vec<u8>>>,
    words: Vec<Vec<u8>>,
}

impl Target {
    /// The corpus in `corpus/NAME`, tried with so many cases unless more are asked for.
    pub fn new(name: &'static str, cases: u32) -> Self {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
        let mut files: Vec<_> =
            std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{} is empty", dir.display());
        let seeds = files.iter().map(|file| std::fs::read(file).unwrap()).collect();
        Self { name, cases, seeds, structured: Vec::new(), words: Vec::new() }
    }

    /// More to begin with than the corpus has.
    pub fn seeds(mut self, seeds: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.seeds.extend(seeds);
        self
    }

    /// Inputs that have the right shape, next to mutated ones.
    pub fn structured(mut self, inputs: impl Strategy<Value = Vec<u8>> + 'static) -> Self {
        self.structured.push(inputs.boxed());
        self
    }

    /// What mutations like to put in.
    pub fn words(mut self, words: &[&str]) -> Self {
        self.words.extend(words.iter().map(|word| word.as_bytes().to_vec()));
        self
    }

    /// Checks the corpus, then generated and mutated inputs. The same ones each time, unless
    /// `DOORWARD_FUZZ_CASES` asks for more: then they are fresh.
    pub fn run(self, check: impl Fn(&[u8]) -> Verdict) {
        for seed in &self.seeds {
            check(seed).unwrap_or_else(|why| {
                panic!("{}: {why} on {:?}", self.name, Input(seed.clone()));
            });
        }
        let asked = std::env::var("DOORWARD_FUZZ_CASES").ok();
        let asked: Option<u32> = asked.map(|cases| cases.parse().unwrap());
        let config = Config {
            cases: asked.unwrap_or(self.cases),
            failure_persistence: None,
            ..Config::default()
        };
        let mut runner = match asked {
            Some(_) => TestRunner::new(config),
            None => {
                TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
            }
        };
        let mut inputs = self.structured.clone();
        inputs.push(mutated(self.seeds, self.words).boxed());
        let outcome = runner.run(&Union::new(inputs).prop_map(Input), |Input(bytes)| check(&bytes));
        outcome.unwrap_or_else(|error| panic!("{}: {error}", self.name));
    }
}

/// One change to some bytes, at places that fit whatever is left of them.
#[derive(Clone, Debug)]
enum Edit {
    Flip(Index, u8),
    Put(Index, Vec<u8>),
    Cut(Index, Index),
    Repeat(Index, Index),
}

impl Edit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let places = bytes.len() + 1;
        let at = |index: &Index| index.index(places);
        let span = |from, to| (at(from).min(at(to)), at(from).max(at(to)));
        match self {
            Self::Flip(index, bit) => {
                let at = at(index);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << bit;
                }
            }
            Self::Put(index, more) => {
                let at = at(index);
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Cut(from, to) => {
                let (from, to) = span(from, to);
                bytes.drain(from..to);
            }
            Self::Repeat(from, to) => {
                let (from, to) = span(from, to);
                let again = bytes[from..to].to_vec();
                bytes.splice(to..to, again);
            }
        }
    }
}

fn mutated(seeds: Vec<Vec<u8>>, words: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let (at, to) = (any::<Index>(), any::<Index>());
    let bytes = prop::collection::vec(any::<u8>(), 1..4).boxed();
    // Any seed may turn up inside any other.
    let known = select([words, seeds.clone()].concat()).boxed();
    let edit = prop_oneof![
        3 => (at.clone(), 0..8_u8).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        3 => (at.clone(), prop_oneof![bytes, known]).prop_map(|(at, more)| Edit::Put(at, more)),
        2 => (at.clone(), to.clone()).prop_map(|(at, to)| Edit::Cut(at, to)),
        1 => (at, to).prop_map(|(at, to)| Edit::Repeat(at, to)),
    ];
    (select(seeds), prop::collection::vec(edit, 0..6)).prop_map(|(mut bytes, edits)| {
        for edit in edits {
            edit.apply(&mut bytes);
        }
        bytes
    })
}

/// Lines of bytes.
pub fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split(|byte| *byte == b'\n')
}
