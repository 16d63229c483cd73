//! The host's clock, as one that never goes back.

use crate::global::PERFORMANCE;
use anabranch_executor::Moment;
use std::{cell::Cell, time::Duration};

/// A point on the host's monotonic clock, in nanoseconds from an origin that the host chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WasmInstant(u64);

impl Moment for WasmInstant {
    fn after(self, duration: Duration) -> Self {
        WasmInstant(self.0.saturating_add(duration.as_nanos().try_into().unwrap_or(u64::MAX)))
    }

    fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

thread_local! {
    /// The latest time that was given out: `Date.now()` steps back when somebody sets the machine's clock.
    static LATEST: Cell<WasmInstant> = const { Cell::new(WasmInstant(0)) };
}

pub fn now() -> WasmInstant {
    PERFORMANCE.with(|performance| match performance {
        Some(performance) => WasmInstant(nanoseconds(performance.now())),
        None => LATEST.with(|latest| {
            latest.set(WasmInstant(nanoseconds(js_sys::Date::now())).max(latest.get()));
            latest.get()
        }),
    })
}

/// The host counts milliseconds in a floating-point number, which becomes a whole one and never a negative one.
fn nanoseconds(milliseconds: f64) -> u64 {
    (milliseconds * 1e6) as u64
}

/// The time since 1970 that the host knows, if it is after that.
pub fn unix_time() -> Option<Duration> {
    let milliseconds = js_sys::Date::now();
    // Whole ones: as seconds with a fraction they would come out some nanoseconds early.
    (milliseconds >= 0.0).then(|| Duration::from_millis(milliseconds as u64))
}
