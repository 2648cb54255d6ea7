//! Numbers that look random and come again from the same seed (splitmix64, Steele and others, OOPSLA 2014).

/// A generator.
pub struct Random(u64);

impl Random {
    /// One whose numbers follow from `seed` and from which execution they are for.
    pub fn new(seed: u64, execution: u64) -> Random {
        let mut random = Random(seed);
        let mixed = random.next();
        Random(mixed ^ execution.wrapping_mul(0xD6E8_FEB8_6659_FD93))
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Less than `limit`; 0 where that is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        let limit = limit.max(1) as u64;
        (self.next() % limit) as usize
    }

    /// One of them.
    pub fn choose<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }

    /// True once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// Two places of something that is `length` long, in order and apart at most `apart`.
    pub fn range(&mut self, length: usize, apart: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let end = (start + self.below(apart + 1)).min(length);
        start..end
    }
}
