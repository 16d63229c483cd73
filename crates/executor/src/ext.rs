//! What is built once on top of the contract, for all runtimes: intervals, time limits, delayed tasks, yielding.

use crate::{MaybeSend, Moment, SpawnDynamically, TimeSource};
use core::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

/// The future did not end within its time limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("the time limit passed before the work was done")]
pub struct Elapsed;

/// Ticks at a fixed period, without drift: the n-th tick is due at `start + n * period`, however late the ones before
/// it were taken. Ticks that were missed come at once, one by one, so their number is right; [`skip_missed`] drops them.
///
/// [`skip_missed`]: Self::skip_missed
#[derive(Debug)]
pub struct Interval<R: TimeSource> {
    runtime: R,
    /// Where the grid begins. Each tick is counted from here and rounded to the clock's tick once, so that rounding
    /// does not add up.
    origin: R::Instant,
    /// How far from there the next tick is. Kept as a sum: a product takes a division of 64 bits, which costs a
    /// microcontroller a kilobyte of code.
    next: Duration,
    period: Duration,
}

impl<R: TimeSource> Interval<R> {
    /// Waits for the next tick, and says when it was due. Cancel safe: a tick that was not taken stays due.
    pub async fn tick(&mut self) -> R::Instant {
        let due = self.due();
        self.runtime.sleep_until(due).await;
        self.next = self.next.saturating_add(self.period);
        due
    }

    /// Drops the ticks that are overdue, all but the newest grid point, and says how many. Costs O(1).
    pub fn skip_missed(&mut self) -> u32 {
        let late = self.runtime.now().since(self.due());
        let missed = u32::try_from(late.as_nanos() / self.period.as_nanos()).unwrap_or(u32::MAX);
        self.next = self.next.saturating_add(self.period.saturating_mul(missed));
        missed
    }

    /// When the next tick is due.
    fn due(&self) -> R::Instant {
        self.origin.after(self.next)
    }

    /// The time between two ticks.
    pub fn period(&self) -> Duration {
        self.period
    }
}

/// Conveniences on every [`TimeSource`].
pub trait RuntimeExt: TimeSource {
    /// Ticks every `period`; the first tick comes one period from now. A period of zero is taken as one nanosecond
    /// (so it ticks as fast as it is asked).
    fn interval(&self, period: Duration) -> Interval<Self> {
        let period = period.max(Duration::from_nanos(1));
        Interval { runtime: self.clone(), origin: self.now(), next: period, period }
    }

    /// Runs `future` for at most `limit`, counted from this call. When both are ready at one poll, the value wins.
    ///
    /// The future given back resolves to the value, or to [`Elapsed`], and then `future` has been dropped with it.
    fn timeout<F: Future + MaybeSend>(
        &self,
        limit: Duration,
        future: F,
    ) -> impl Future<Output = Result<F::Output, Elapsed>> + MaybeSend + use<Self, F> {
        let sleep = self.sleep(limit);
        async move {
            let (mut future, mut sleep) = (pin!(future), pin!(sleep));
            poll_fn(|cx| match future.as_mut().poll(cx) {
                Poll::Ready(value) => Poll::Ready(Ok(value)),
                Poll::Pending => sleep.as_mut().poll(cx).map(|()| Err(Elapsed)),
            })
            .await
        }
    }

    /// Spawns `future` so that it starts `delay` from now. Aborting the handle before then means that it never starts.
    fn spawn_after<F>(&self, delay: Duration, future: F) -> Self::JoinHandle<F::Output>
    where
        Self: SpawnDynamically,
        F: Future + MaybeSend + 'static,
        F::Output: MaybeSend + 'static,
    {
        let sleep = self.sleep(delay);
        self.spawn(async move {
            sleep.await;
            future.await
        })
    }

    /// Lets the other ready tasks run once, then goes on.
    fn yield_now(&self) -> YieldNow {
        YieldNow { yielded: false }
    }
}
impl<R: TimeSource> RuntimeExt for R {}

/// The future of [`RuntimeExt::yield_now`].
#[derive(Debug)]
#[must_use = "a future does nothing until it is awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if core::mem::replace(&mut self.yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
