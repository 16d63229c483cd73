//! Time through `embassy-time`: 64-bit ticks, rounded so that a sleep never ends early.

use anabranch_executor::{Duration, Moment};
use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};
use embassy_time_driver::TICK_HZ;

/// A point on Embassy's monotonic clock, as fine as the tick of the application's time driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(embassy_time::Instant);

impl Instant {
    pub(crate) fn now() -> Self {
        Instant(embassy_time::Instant::now())
    }
}

impl Moment for Instant {
    fn after(self, duration: Duration) -> Self {
        Instant(embassy_time::Instant::from_ticks(self.0.as_ticks().saturating_add(ticks(duration, TICK_HZ))))
    }

    fn since(self, earlier: Self) -> Duration {
        span(self.0.as_ticks().saturating_sub(earlier.0.as_ticks()), TICK_HZ)
    }
}

impl From<embassy_time::Instant> for Instant {
    fn from(instant: embassy_time::Instant) -> Self {
        Instant(instant)
    }
}

impl From<Instant> for embassy_time::Instant {
    fn from(instant: Instant) -> Self {
        instant.0
    }
}

/// `duration` in ticks, rounded up; the largest number when it does not fit.
///
/// Whole seconds and the rest apart, so that 64 bits do: `hz` is at most a few 10^9, and so the rest's product with less
/// than 10^9 nanoseconds stays below 2^64.
const fn ticks(duration: Duration, hz: u64) -> u64 {
    duration.as_secs().saturating_mul(hz).saturating_add(ticks_of_rest(duration.subsec_nanos(), hz))
}

/// `nanos`, less than a second, in ticks, rounded up: `nanos * up / down`, the fraction `hz / 10^9` in lowest terms.
///
/// A division of 64 bits costs a Cortex-M a kilobyte of code, so this has one of 32 bits wherever they suffice, which is
/// for every rate that is a product of small primes, as rates are.
#[inline]
const fn ticks_of_rest(nanos: u32, hz: u64) -> u64 {
    let common = greatest_common_divisor(hz, NANOS_PER_SECOND);
    let (up, down) = (hz / common, NANOS_PER_SECOND / common);
    if up * down <= u32::MAX as u64 {
        let (whole, rest) = (nanos / down as u32, nanos % down as u32);
        whole as u64 * up + (rest * up as u32).div_ceil(down as u32) as u64
    } else {
        (nanos as u64 * hz).div_ceil(NANOS_PER_SECOND)
    }
}

const NANOS_PER_SECOND: u64 = 1_000_000_000;

const fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// `ticks` as a duration, rounded down to the nanosecond.
const fn span(ticks: u64, hz: u64) -> Duration {
    Duration::new(ticks / hz, (ticks % hz * 1_000_000_000 / hz) as u32)
}

/// Ends at its deadline: what `EmbassyAdapter::sleep_until` returns.
///
/// Not `embassy_time::Timer`, which waits for its second poll even when the deadline has passed. Embassy keeps one timer
/// for a task, the earliest; so a dropped sleep may still cost its task one wake-up that finds nothing to do.
#[derive(Debug)]
#[must_use = "a future does nothing until it is awaited"]
pub struct Sleep {
    deadline: Instant,
}

impl Sleep {
    /// A sleep that ends at `deadline`.
    pub fn until(deadline: Instant) -> Self {
        Sleep { deadline }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.deadline {
            return Poll::Ready(());
        }
        // At every poll: the task's one timer may meanwhile have been that of an earlier deadline.
        embassy_time_driver::schedule_wake(self.deadline.0.as_ticks(), cx.waker());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use core::{
        pin::pin,
        sync::atomic::{AtomicU32, Ordering::Relaxed},
    };
    use embassy_time::MockDriver;
    use std::{sync::Arc, task::Wake};

    /// The last but one is a prime, for which no division of 32 bits does.
    const RATES: [u64; 9] =
        [1, 1_000, 32_768, 1_000_000, 25_000_000, 168_000_000, 1_000_000_000, 1_000_000_007, 5_242_880_000];

    #[test]
    fn a_duration_in_ticks_is_never_shorter_and_less_than_one_tick_longer() {
        for hz in RATES {
            for nanos in [0, 1, 999, 1_000, 30_517, 30_518, 999_999_999, 1_000_000_001, 86_400_000_000_007] {
                let (exact, ticks) =
                    (u128::from(nanos) * u128::from(hz), u128::from(ticks(Duration::from_nanos(nanos), hz)));
                assert!(ticks * 1_000_000_000 >= exact, "{nanos} ns at {hz} Hz end early");
                assert!(ticks * 1_000_000_000 < exact + 1_000_000_000, "{nanos} ns at {hz} Hz end late");
            }
        }
    }

    #[test]
    fn durations_beyond_the_clock_saturate() {
        for hz in RATES {
            assert_eq!(ticks(Duration::MAX, hz), u64::MAX);
        }
        let end = Instant(embassy_time::Instant::MAX);
        assert_eq!(end.after(Duration::from_secs(1)), end);
        assert_eq!(Instant(embassy_time::Instant::MIN).since(end), Duration::ZERO);
    }

    #[test]
    fn a_span_of_ticks_comes_back_as_the_same_ticks() {
        for hz in RATES {
            for count in [0, 1, 2, hz - 1, hz, hz + 1, (1 << 32) - 1, 1 << 32, (1 << 32) + 1, 1 << 53] {
                let back = ticks(span(count, hz), hz);
                assert!(back == count || hz > 1_000_000_000, "{count} ticks at {hz} Hz come back as {back}");
            }
        }
    }

    #[derive(Default)]
    struct Wakes(AtomicU32);
    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    /// One test, because the mock clock is one for the whole process.
    #[test]
    fn a_sleep_ends_at_its_deadline_and_a_past_one_at_the_first_poll() {
        let (clock, wakes) = (MockDriver::get(), Arc::new(Wakes::default()));
        let waker = wakes.clone().into();
        let mut cx = Context::from_waker(&waker);

        let start = Instant::now();
        let mut sleep = pin!(Sleep::until(start.after(Duration::from_micros(10))));
        assert!(sleep.as_mut().poll(&mut cx).is_pending());
        clock.advance(embassy_time::Duration::from_micros(9));
        assert!(sleep.as_mut().poll(&mut cx).is_pending());
        assert_eq!(wakes.0.load(Relaxed), 0);
        clock.advance(embassy_time::Duration::from_micros(1));
        assert_ne!(wakes.0.load(Relaxed), 0);
        assert!(sleep.poll(&mut cx).is_ready());
        assert_eq!(Instant::now().since(start), Duration::from_micros(10));

        for deadline in [start, Instant::now()] {
            assert!(pin!(Sleep::until(deadline)).poll(&mut cx).is_ready(), "a deadline in the past");
        }
    }
}
