//! Rests between turns while packets come fast and one by one, as network cards moderate their interrupts.
//!
//! A broker that writes each packet by itself wakes this side for each: a wake, a read and a write a value, which is several
//! times what the value itself costs, and keeps the broker's own core from its work. A rest of a millisecond lets many come
//! together. A value waits for one at most before it is read, and what is made of it for one more before it is written; and
//! that only while more than [`FAST`] come in a [`WINDOW`].

use anabranch_executor::Duration;

/// A rest: what timers of most runtimes can tell apart.
const REST: Duration = Duration::from_millis(1);
/// How long packets are counted before it is decided.
const WINDOW: Duration = Duration::from_millis(4);
/// So many packets in a window are fast.
const FAST: usize = 64;
/// So many in a turn come together anyway.
const TOGETHER: usize = 48;
/// A rest in which fewer came was in vain: the peer waits for this side, as it does when little may be in flight.
const WORTH: usize = 24;
/// So many rests in vain in a row, and there are none for a while.
const IN_VAIN: u8 = 3;
/// So many rests that were worth it, and there will be more.
const STEADY: u8 = 8;
/// For how long, at first and at most: it doubles.
const AWAKE: (Duration, Duration) = (Duration::from_millis(16), Duration::from_secs(1));

/// Whether to rest, by what came in the turns before.
#[derive(Debug)]
pub(crate) struct Pace {
    phase: Phase,
    /// For how long there are no rests after the next ones in vain.
    awake: Duration,
}

#[derive(Debug)]
enum Phase {
    /// Each packet is dealt with as it comes; they are counted.
    Awake { since: Duration, packets: usize, turns: usize },
    /// After each turn there is a rest, this one until then.
    Resting { until: Duration, in_vain: u8, worth: u8 },
}

impl Pace {
    pub(crate) fn new(now: Duration) -> Self {
        Pace { phase: Phase::Awake { since: now, packets: 0, turns: 0 }, awake: AWAKE.0 }
    }

    /// Whether rests follow the turns, so that nobody has to wake the task for what comes.
    pub(crate) fn is_resting(&self) -> bool {
        matches!(self.phase, Phase::Resting { .. })
    }

    /// Whether rests have been worth it for a while.
    pub(crate) fn is_steady(&self) -> bool {
        matches!(self.phase, Phase::Resting { worth: STEADY.., .. })
    }

    /// Until when to do nothing, if it rests.
    pub(crate) fn rests(&self, now: Duration) -> Option<Duration> {
        match self.phase {
            Phase::Resting { until, .. } if until > now => Some(until),
            _ => None,
        }
    }

    /// After a turn in which so many packets came, and all that had come were dealt with. [`rests`](Self::rests) then says
    /// whether a rest follows.
    pub(crate) fn turn(&mut self, now: Duration, came: usize) {
        match &mut self.phase {
            Phase::Awake { since, packets, turns } => {
                (*packets, *turns) = (*packets + came, *turns + 1);
                let counted = now.saturating_sub(*since);
                if counted < WINDOW {
                    return;
                }
                let fast = counted < WINDOW * 2 && *packets >= FAST && *packets < *turns * TOGETHER;
                self.phase = if fast {
                    Phase::Resting { until: now + REST, in_vain: 0, worth: 0 }
                } else {
                    Phase::Awake { since: now, packets: 0, turns: 0 }
                };
            }
            Phase::Resting { until, in_vain, worth } => {
                *until = now + REST;
                if came >= WORTH {
                    (*in_vain, *worth, self.awake) = (0, worth.saturating_add(1), AWAKE.0);
                    return;
                }
                *in_vain += 1;
                if *in_vain == IN_VAIN {
                    // Counting begins when the time without rests is over.
                    self.phase = Phase::Awake { since: now + self.awake, packets: 0, turns: 0 };
                    self.awake = (self.awake * 2).min(AWAKE.1);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets `packets` come every `micros` for a while, in turns that follow the rests, and gives how many turns it took.
    fn turns(pace: &mut Pace, from: u64, packets: usize, micros: u64, most: usize) -> usize {
        let (mut turns, mut waiting) = (0, 0);
        for i in 1..=1_000 {
            let now = Duration::from_micros(from + i * micros);
            waiting = (waiting + packets).min(most);
            if pace.rests(now).is_none() {
                turns += 1;
                pace.turn(now, core::mem::take(&mut waiting));
            }
        }
        turns
    }

    #[test]
    fn packets_that_come_fast_and_one_by_one_are_taken_together() {
        let mut pace = Pace::new(Duration::ZERO);
        let taken = turns(&mut pace, 0, 1, 12, usize::MAX); // 80,000 a second
        assert!((300..450).contains(&taken), "some 340 until it rests, then one turn a millisecond: {taken}");
        let taken = turns(&mut pace, 12_000, 1, 12, usize::MAX);
        assert!(taken <= 13, "{taken}");
    }

    #[test]
    fn packets_that_come_slowly_or_together_anyway_are_taken_as_they_come() {
        assert_eq!(turns(&mut Pace::new(Duration::ZERO), 0, 1, 500, usize::MAX), 1_000, "2,000 a second");
        assert_eq!(turns(&mut Pace::new(Duration::ZERO), 0, 200, 12, usize::MAX), 1_000, "200 at once");
    }

    #[test]
    fn a_peer_that_waits_for_this_side_is_soon_no_longer_kept_waiting() {
        // No more than twenty are in flight: they come within a rest, and then nothing does.
        let mut pace = Pace::new(Duration::ZERO);
        let mut rested = 0;
        for i in 0..5_000 {
            let now = Duration::from_micros(i * 200);
            match pace.rests(now) {
                Some(_) => rested += 1,
                None => pace.turn(now, 20),
            }
        }
        assert!((1..200).contains(&rested), "of 5,000 moments, so many were rests: {rested}");
    }
}
