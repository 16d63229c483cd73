//! Time on Tokio: its instants, and its timers with a deadline in the past ready at once.

use crate::TokioAdapter;
use anabranch_executor::{Moment, TimeSource};
use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::Instant;

/// A point on Tokio's clock: the machine's monotonic clock, or virtual time where a test has paused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokioInstant(Instant);

impl From<Instant> for TokioInstant {
    fn from(instant: Instant) -> Self {
        TokioInstant(instant)
    }
}

impl From<TokioInstant> for Instant {
    fn from(instant: TokioInstant) -> Self {
        instant.0
    }
}

impl Moment for TokioInstant {
    fn after(self, duration: Duration) -> Self {
        TokioInstant(self.0.checked_add(duration).unwrap_or_else(|| end_of_time(self.0)))
    }

    fn since(self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }
}

/// The last instant that the platform can name: found by trying, because it does not say.
fn end_of_time(mut latest: Instant) -> Instant {
    let mut step = Duration::from_secs(1 << 63);
    while !step.is_zero() {
        latest = latest.checked_add(step).unwrap_or(latest);
        step /= 2;
    }
    latest
}

pin_project_lite::pin_project! {
    /// The future of [`TokioAdapter`]'s sleeps. Dropping it takes its timer off Tokio's wheel.
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct TokioSleep {
        #[pin]
        timer: tokio::time::Sleep,
        polled: bool,
    }
}

impl Future for TokioSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        // Tokio would round a deadline that has just passed up to the next millisecond.
        if !std::mem::replace(this.polled, true) && this.timer.deadline() <= Instant::now() {
            // As with Tokio's own timers, a task that never has to wait gives way to the others now and then.
            ready!(pin!(tokio::task::coop::consume_budget()).poll(cx));
            return Poll::Ready(());
        }
        this.timer.poll(cx)
    }
}

impl TimeSource for TokioAdapter {
    type Instant = TokioInstant;
    type Sleep = TokioSleep;

    fn now(&self) -> TokioInstant {
        TokioInstant(Instant::now())
    }

    fn sleep_until(&self, deadline: TokioInstant) -> TokioSleep {
        // Tokio's wheel rounds up to a whole millisecond, which must not pass the end of time.
        let millisecond = Duration::from_millis(1);
        let deadline = deadline.0.checked_add(millisecond).map_or_else(|| deadline.0 - millisecond, |_| deadline.0);
        let _context = self.context();
        TokioSleep { timer: tokio::time::sleep_until(deadline), polled: false }
    }

    fn unix_time(&self) -> Option<Duration> {
        SystemTime::now().duration_since(UNIX_EPOCH).ok()
    }
}
