//! The one source of chance: SplitMix64, so that a seed means the same on every machine and in every version.
//!
//! The generator is `SplitMix64` of Guy L. Steele Jr., Doug Lea and Christine H. Flood, "Fast splittable pseudorandom
//! number generators" (OOPSLA 2014), with the constants of Sebastiano Vigna's public-domain `splitmix64.c`. It is
//! written out here, and not taken from a crate, because a seed that somebody noted down must never change its
//! meaning with an update.

use std::time::Duration;

/// A stream of chance.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// A stream of its own, so that what one part draws does not change what another part gets.
    pub(crate) fn split(&mut self) -> Self {
        Random(self.draw())
    }

    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `bound - 1`, and 0 for a bound of 0. By multiplication, not remainder: one instruction, and
    /// uneven by no more than `bound` in 2^64.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.draw()) * u128::from(bound)) >> 64) as u64
    }

    /// Whether something of this probability happens. What is switched off draws nothing.
    pub(crate) fn happens(&mut self, chance: Chance) -> bool {
        chance.0 != 0 && self.draw() < chance.0
    }

    /// `whole`, or by chance a part of it: at least one.
    pub(crate) fn part(&mut self, chance: Chance, whole: usize) -> usize {
        if self.happens(chance) { 1 + self.below(whole as u64) as usize } else { whole }
    }

    /// A time from 1 ns to `longest`; nothing when `longest` is nothing.
    pub(crate) fn time_up_to(&mut self, longest: Duration) -> u64 {
        match nanos(longest) {
            0 => 0,
            longest => 1 + self.below(longest),
        }
    }
}

/// A probability, as the part of all 64-bit numbers that are below it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(probability: f64) -> Self {
        Chance((probability.clamp(0.0, 1.0) * 2f64.powi(64)) as u64)
    }
}

/// A duration in the simulation's unit. The clock ends after 584 years.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // The first three outputs of the reference implementation for the seed 1234567.
        let mut random = Random::new(1_234_567);
        let drawn = [random.draw(), random.draw(), random.draw()];
        assert_eq!(drawn, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn numbers_below_a_bound_reach_every_number_and_never_the_bound() {
        let mut random = Random::new(1);
        let mut seen = [0; 5];
        (0..5_000).for_each(|_| seen[random.below(5) as usize] += 1);
        assert!(seen.iter().all(|&times| (800..1_200).contains(&times)), "{seen:?}");
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn a_chance_of_none_never_happens_and_a_chance_of_one_does() {
        let mut random = Random::new(2);
        assert!((0..1_000).all(|_| !random.happens(Chance::new(0.0))));
        assert!((0..1_000).all(|_| random.happens(Chance::new(1.0))));
    }
}
