//! Hashes of an address's levels, eight bytes at a time: how long a level is decides no branch, unless it is longer than that.

/// Odd numbers without a pattern: the fractional parts of the square roots of 2, 3, 5 and 7.
const K: [u64; 4] = [0x6a09_e667_f3bc_c909, 0xbb67_ae85_84ca_a73b, 0x3c6e_f372_fe94_f82b, 0xa54f_f53a_5f1d_36f1];

/// One byte of each of a word's eight.
pub(super) const EACH: u64 = 0x0101_0101_0101_0101;

/// A text as words of eight bytes, wherever they begin.
#[derive(Clone, Copy)]
struct Words<'a> {
    text: &'a [u8],
    /// Where the last eight bytes begin.
    last: usize,
    /// The whole text, when it is shorter than a word.
    short: u64,
}

impl<'a> Words<'a> {
    #[inline]
    fn of(text: &'a str) -> Self {
        let text = text.as_bytes();
        let short = if text.len() < 8 { text.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte)) } else { 0 };
        Words { text, last: text.len().saturating_sub(8), short }
    }

    /// The eight bytes that begin `at`, or what is left of the text and zeros: from a word that ends where the text does,
    /// as there is none that goes on behind it.
    #[inline]
    fn at(&self, at: usize) -> u64 {
        let from = at.min(self.last);
        let word =
            self.text.get(from..).and_then(<[u8]>::first_chunk).map_or(self.short, |word| u64::from_le_bytes(*word));
        word.unbounded_shr(8 * u32::try_from(at - from).unwrap_or(8))
    }
}

/// The hash of a whole address, and how many levels it has. It takes a third of what the hashes of the levels take.
#[inline]
pub(super) fn whole(address: &str) -> (u64, u32) {
    let words = Words::of(address);
    let (chunks, tail) = words.text.as_chunks();
    let (mut hash, mut levels) = (K[0], 1);
    let mut add = |word| {
        hash = fold(hash ^ word, K[1]);
        levels += (slashes(word) >> 7).wrapping_mul(EACH) >> 56;
    };
    chunks.iter().for_each(|chunk| add(u64::from_le_bytes(*chunk)));
    add(words.at(words.text.len() - tail.len()));
    (hash, u32::try_from(levels).unwrap_or(u32::MAX))
}

/// The levels of an address, one after the other, each as a hash that knows the level's place: levels cannot change places.
pub(super) struct Terms<'a> {
    words: Words<'a>,
    /// Where the next level begins: behind the text when there is none.
    next: usize,
    seed: u64,
}

impl<'a> Terms<'a> {
    #[inline]
    pub(super) fn of(address: &'a str) -> Self {
        Terms { words: Words::of(address), next: 0, seed: K[0] }
    }
}

impl Iterator for Terms<'_> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        let (mut at, end) = (self.next, self.words.text.len());
        if at > end {
            return None;
        }
        let mut hash = self.seed;
        self.seed = self.seed.wrapping_add(K[2]);
        let mut word = self.words.at(at);
        let mut ends = slashes(word);
        while ends == 0 && at + 8 <= end {
            hash = fold(hash ^ word, K[1]);
            at += 8;
            word = self.words.at(at);
            ends = slashes(word);
        }
        // the bytes before the first slash; all of them if there is none, and then this was the last level
        let level = word & ((ends & ends.wrapping_neg()) >> 7).wrapping_sub(1);
        self.next = at + ends.trailing_zeros() as usize / 8 + 1;
        Some(fold(hash ^ level, K[3]))
    }
}

/// The hash of several levels, of their sum.
#[inline]
pub(super) fn finish(sum: u64) -> u64 {
    fold(sum ^ K[3], K[0])
}

/// Marks the slashes among eight bytes, each by its highest bit.
#[inline]
fn slashes(word: u64) -> u64 {
    zeros(word ^ (EACH * b'/' as u64))
}

/// Marks the zeros among eight bytes, each by its highest bit.
#[inline]
pub(super) fn zeros(word: u64) -> u64 {
    const LOW: u64 = EACH * 0x7f;
    !((word & LOW).wrapping_add(LOW) | word | LOW)
}

/// Both halves of a product: each bit of `a` reaches all of it.
#[inline]
fn fold(a: u64, k: u64) -> u64 {
    let product = u128::from(a) * u128::from(k);
    #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
    let (low, high) = (product as u64, (product >> 64) as u64);
    low ^ high
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    /// The hash of one level that stands at `place`.
    fn term(place: u32, level: &str) -> u64 {
        let seed = K[0].wrapping_add(K[2].wrapping_mul(place.into()));
        Terms { seed, ..Terms::of(level) }.next().unwrap_or(0)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn a_level_has_the_hash_that_it_has_alone(levels in proptest::collection::vec("[a-cä]{0,18}", 1..9)) {
            let alone: Vec<u64> = (0..).zip(&levels).map(|(place, level)| term(place, level)).collect();
            let address = levels.join("/");
            prop_assert_eq!(Terms::of(&address).collect::<Vec<_>>(), alone);
            prop_assert_eq!(whole(&address).1 as usize, levels.len());
        }
    }

    #[test]
    fn every_byte_counts_and_so_does_the_place() {
        let long = "0123456789abcdef01234";
        for end in 0..long.len() {
            let hash = |text: &str| (Terms::of(text).next(), whole(text).0);
            let differ = |a, b| assert!(hash(a).0 != hash(b).0 && hash(a).1 != hash(b).1);
            differ(&long[..end], &long[..=end]);
            let mut other = long.as_bytes().to_vec();
            other[end] ^= 1;
            differ(long, core::str::from_utf8(&other).unwrap());
        }
        assert_ne!(term(0, "a"), term(1, "a"));
        for (text, levels) in
            [("", 1), ("//", 3), ("a/b", 2), ("0123456/", 2), ("01234567/9", 2), (&"/".repeat(9_000), 9_001)]
        {
            assert_eq!((Terms::of(text).count(), whole(text).1), (levels, levels as u32), "{text}");
        }
    }
}
