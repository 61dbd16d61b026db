//! Chance that repeats: everything that is drawn follows from one seed.

/// A stream of numbers.
#[derive(Clone)]
pub struct Dice(blake3::OutputReader);

impl Dice {
    /// The stream of this name under `seed`.
    pub fn new(seed: u64, name: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_be_bytes()).update(name.as_bytes());
        Self(hasher.finalize_xof())
    }

    /// A number less than `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_be_bytes(bytes) % limit
    }

    /// A place in a list of this length.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(u64::try_from(length).unwrap())).unwrap()
    }
}
