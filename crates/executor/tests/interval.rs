//! An interval on a clock that only moves when it is told to, and that counts in steps of its own.

use anabranch_executor::{Duration, Moment, RuntimeAdapter, RuntimeExt, TimeSource};
use std::{
    future::{Ready, ready},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

/// The clock's step. A period that is no multiple of it is rounded up, each time it is added.
const STEP: u64 = 30_518;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Steps(u64);

impl Moment for Steps {
    fn after(self, duration: Duration) -> Self {
        let steps = u64::try_from(duration.as_nanos().div_ceil(u128::from(STEP))).unwrap_or(u64::MAX);
        Steps(self.0.saturating_add(steps))
    }
    fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0).saturating_mul(STEP))
    }
}

/// Time passes by hand, and sleeping takes none.
#[derive(Clone, Default)]
struct ByHand(Arc<AtomicU64>);

impl RuntimeAdapter for ByHand {
    fn runtime_name(&self) -> &'static str {
        "by hand"
    }
}

impl TimeSource for ByHand {
    type Instant = Steps;
    type Sleep = Ready<()>;
    fn now(&self) -> Steps {
        Steps(self.0.load(Ordering::Relaxed))
    }
    fn sleep_until(&self, _: Steps) -> Ready<()> {
        ready(())
    }
    fn unix_time(&self) -> Option<Duration> {
        None
    }
}

fn now_or_never<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing waits on this clock"),
    }
}

#[test]
fn rounding_to_a_coarse_clock_does_not_add_up() {
    let rt = ByHand::default();
    let period = Duration::from_millis(10);
    let mut interval = rt.interval(period);
    for n in 1..=10_000 {
        let due = now_or_never(interval.tick());
        assert_eq!(due, Steps(0).after(period * n), "tick {n}");
    }
}

#[test]
fn an_interval_goes_on_after_more_ticks_than_fit_in_32_bits() {
    let rt = ByHand::default();
    let period = Duration::from_nanos(STEP);
    let mut interval = rt.interval(period);
    rt.0.store(1 << 33, Ordering::Relaxed);
    assert_eq!(interval.skip_missed(), u32::MAX);
    assert_eq!(now_or_never(interval.tick()), Steps(1 << 32));
    let missed = interval.skip_missed();
    assert_eq!(u64::from(missed), (1 << 32) - 1);
    assert_eq!(now_or_never(interval.tick()), Steps(1 << 33));
    assert_eq!(interval.skip_missed(), 0);
    assert_eq!(now_or_never(interval.tick()), Steps((1 << 33) + 1));
}

#[test]
fn a_period_of_zero_is_taken_as_the_shortest_there_is() {
    assert_eq!(ByHand::default().interval(Duration::ZERO).period(), Duration::from_nanos(1));
}
