//! Time as a runtime gives it: instants, deadlines, and the wall clock where there is one.

use crate::{MaybeSend, MaybeSync, RuntimeAdapter};
use core::{fmt::Debug, future::Future, time::Duration};

/// A point on one runtime's monotonic clock.
///
/// A trait, and not `core`'s type, because each platform counts in its own unit: an instant is what the platform
/// stores, and only the differences are [`Duration`]s. Instants of one adapter are ordered and never go back.
pub trait Moment: Copy + Ord + Debug + MaybeSend + MaybeSync + 'static {
    /// The moment `duration` later. Saturates at the end of the clock's range; rounds up to the clock's tick, so that
    /// a sleep never ends early.
    #[must_use]
    fn after(self, duration: Duration) -> Self;

    /// The time from `earlier` to `self`; zero when `earlier` is the later one.
    fn since(self, earlier: Self) -> Duration;
}

/// A clock and its timers.
///
/// Deadlines are the primitive: a sleep until a fixed moment does not drift when the task that waits is late.
pub trait TimeSource: RuntimeAdapter {
    /// A point on this runtime's monotonic clock.
    type Instant: Moment;

    /// The future that [`sleep_until`](Self::sleep_until) returns: a named type, so that it needs no box. Dropping it
    /// cancels the timer.
    type Sleep: Future<Output = ()> + MaybeSend + 'static;

    /// Now, on the monotonic clock.
    fn now(&self) -> Self::Instant;

    /// Ends at `deadline`, or at the first poll when `deadline` has passed.
    fn sleep_until(&self, deadline: Self::Instant) -> Self::Sleep;

    /// Ends when `duration` has passed, counted from this call and not from the first poll.
    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.sleep_until(self.now().after(duration))
    }

    /// The wall clock, as the time since 1970-01-01T00:00:00 UTC; `None` where the platform does not know it (a
    /// microcontroller before it was told). It may step back, so never take a difference of two.
    fn unix_time(&self) -> Option<Duration>;
}
