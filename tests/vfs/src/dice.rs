//! Chance that repeats.

/// Random numbers from a seed, by `SplitMix64`.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The same seed throws the same numbers.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Any number.
    pub const fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`, or 0 when that is 0.
    #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
    pub const fn below(&mut self, limit: usize) -> usize {
        if limit == 0 { 0 } else { self.number() as usize % limit }
    }

    /// True in `percent` of all throws.
    pub const fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}
