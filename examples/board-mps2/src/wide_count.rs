//! A 32-bit hardware counter, widened to 64 bits by looking at it often enough.

/// Widens the readings of a counter that goes up and wraps at 2^32.
///
/// It stays right as long as it is given a reading at least once per 2^32 counts; whoever owns it sees to that.
pub(crate) struct WideCount(u64);

impl WideCount {
    pub(crate) const fn new() -> Self {
        WideCount(0)
    }

    /// The count when the counter shows `reading`: never less than before.
    pub(crate) fn at(&mut self, reading: u32) -> u64 {
        let passed = reading.wrapping_sub(self.0 as u32); // the low half is the last reading
        self.0 += u64::from(passed);
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_the_counter_over_many_wraps_and_never_goes_back() {
        let (mut wide, mut exact) = (WideCount::new(), 0u64);
        for step in [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0, 3].into_iter().cycle().take(7_000) {
            exact += step;
            assert_eq!(wide.at(exact as u32), exact);
        }
        assert!(exact > 1_000 << 32);
    }

    #[test]
    fn a_reading_just_before_and_just_after_the_wrap_are_one_apart() {
        let mut wide = WideCount::new();
        assert_eq!(wide.at(u32::MAX), u64::from(u32::MAX));
        assert_eq!(wide.at(0), 1 << 32);
        assert_eq!(wide.at(0), 1 << 32);
    }
}
