//! How long a connector waits before it tries to connect again.

use core::time::Duration;

/// Pauses between attempts: the first is short, each next one twice as long, up to a limit, and none exactly so: were a
/// thousand devices to lose their peer at once, they should not come back at once.
///
/// While an outage is young (less than five seconds) a pause is two seconds at most, so that what was only restarted is
/// found again soon.
///
/// ```
/// use anabranch_core::Backoff;
/// use core::time::Duration;
///
/// let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(60), 7);
/// let first = backoff.pause();
/// assert!(first >= Duration::from_millis(50) && first <= Duration::from_millis(100));
/// backoff.succeeded();
/// ```
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
    /// The sum of the pauses since the last success: an outage is at least this old.
    waited: Duration,
    random: u64,
}

/// How long an outage is young, and the longest pause meanwhile.
const YOUNG: Duration = Duration::from_secs(5);
const LONGEST_WHILE_YOUNG: Duration = Duration::from_secs(2);

impl Backoff {
    /// Pauses from `first` to `longest`. `seed` should differ between devices, and between connections of one: a hash of a
    /// name, the time.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration, seed: u64) -> Self {
        Backoff { first, longest, next: first, waited: Duration::ZERO, random: seed }
    }

    /// The next pause: between a half and the whole of what the doubling gives.
    pub fn pause(&mut self) -> Duration {
        let limit = if self.waited < YOUNG { self.longest.min(LONGEST_WHILE_YOUNG) } else { self.longest };
        let whole = self.next.min(limit);
        self.next = whole.saturating_mul(2).min(self.longest);
        // SplitMix64 (Steele, Lea, Flood, 2014)
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let part = u32::try_from((bits ^ (bits >> 31)) >> 40).unwrap_or(0); // 24 bits
        let half = whole / 2;
        let pause = half.saturating_add(half.saturating_mul(part >> 14) / 1024);
        self.waited = self.waited.saturating_add(pause);
        pause
    }

    /// There is a connection: the next outage begins with the first pause again.
    pub fn succeeded(&mut self) {
        self.next = self.first;
        self.waited = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn pauses_grow_to_the_limit_and_stay_short_while_an_outage_is_young() {
        for seed in 0..1000 {
            let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(60), seed);
            let mut waited = Duration::ZERO;
            for _ in 0..20 {
                let pause = backoff.pause();
                assert!(waited >= YOUNG || pause <= LONGEST_WHILE_YOUNG, "seed {seed}");
                assert!(pause <= Duration::from_secs(60));
                waited += pause;
            }
            assert!(backoff.pause() >= Duration::from_secs(30), "it has grown");
            backoff.succeeded();
            assert!(backoff.pause() <= Duration::from_millis(100), "and begins anew");
        }
    }

    #[test]
    fn devices_that_lose_their_peer_at_once_do_not_come_back_at_once() {
        let mut firsts: Vec<Duration> =
            (0..100).map(|seed| Backoff::new(Duration::from_secs(1), Duration::from_secs(60), seed).pause()).collect();
        firsts.sort_unstable();
        firsts.dedup();
        assert!(firsts.len() > 80);
    }
}
