//! Sets of features of a [`Catalogue`](super::Catalogue), by their numbers there.

use std::ops::{BitAnd, BitOr, Not};

const WORDS: usize = 16;

/// How many features a set can have.
pub const CAPACITY: usize = WORDS * 64;

/// A set of features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bits([u64; WORDS]);

impl Bits {
    /// Whether the feature is in the set.
    pub fn has(&self, feature: usize) -> bool {
        self.0[feature / 64] >> (feature % 64) & 1 == 1
    }

    /// Adds a feature.
    pub fn insert(&mut self, feature: usize) {
        self.0[feature / 64] |= 1 << (feature % 64);
    }

    /// Takes a feature away.
    pub fn remove(&mut self, feature: usize) {
        self.0[feature / 64] &= !(1 << (feature % 64));
    }

    /// The features of this set that `other` has not.
    #[must_use]
    pub fn without(self, other: Bits) -> Bits {
        self & !other
    }

    /// Whether there is no feature in it.
    pub fn is_empty(&self) -> bool {
        self.0 == [0; WORDS]
    }

    /// How many features there are in it.
    pub fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The features, in ascending order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        let words = self.0.into_iter().enumerate();
        words.flat_map(|(at, word)| {
            (0..64)
                .filter(move |bit| word >> bit & 1 == 1)
                .map(move |bit| at * 64 + bit)
        })
    }
}

impl FromIterator<usize> for Bits {
    fn from_iter<I: IntoIterator<Item = usize>>(features: I) -> Bits {
        let mut bits = Bits::default();
        features
            .into_iter()
            .for_each(|feature| bits.insert(feature));
        bits
    }
}

impl BitAnd for Bits {
    type Output = Bits;

    fn bitand(mut self, other: Bits) -> Bits {
        self.0
            .iter_mut()
            .zip(other.0)
            .for_each(|(own, other)| *own &= other);
        self
    }
}

impl BitOr for Bits {
    type Output = Bits;

    fn bitor(mut self, other: Bits) -> Bits {
        self.0
            .iter_mut()
            .zip(other.0)
            .for_each(|(own, other)| *own |= other);
        self
    }
}

impl Not for Bits {
    type Output = Bits;

    fn not(mut self) -> Bits {
        self.0.iter_mut().for_each(|word| *word = !*word);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_has_what_was_put_into_it() {
        let mut bits: Bits = [3, 64, 1023].into_iter().collect();
        assert_eq!(bits.iter().collect::<Vec<_>>(), [3, 64, 1023]);
        bits.remove(64);
        assert!(bits.has(3) && !bits.has(64));
        assert_eq!((bits.count(), Bits::default().is_empty()), (2, true));
        let other: Bits = [3].into_iter().collect();
        assert_eq!(bits.without(other).iter().collect::<Vec<_>>(), [1023]);
        assert_eq!(bits & other, other);
        assert_eq!(other | bits, bits);
    }
}
