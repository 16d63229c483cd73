//! The wall clock of a board: unknown until the application tells it, then carried on by the monotonic clock.

use crate::Instant;
use anabranch_executor::{Duration, Moment};
use core::cell::Cell;
use critical_section::Mutex;

/// What the wall clock showed at a moment of the monotonic clock: both kept, so that no difference can be negative.
#[derive(Clone, Copy)]
struct Setting {
    unix: Duration,
    at: Instant,
}

/// Maps moments of the monotonic clock to the wall clock.
pub(crate) struct WallClock(Mutex<Cell<Option<Setting>>>);

impl WallClock {
    pub(crate) const fn new() -> Self {
        WallClock(Mutex::new(Cell::new(None)))
    }

    pub(crate) fn set(&self, unix: Duration, at: Instant) {
        critical_section::with(|cs| self.0.borrow(cs).set(Some(Setting { unix, at })));
    }

    pub(crate) fn at(&self, now: Instant) -> Option<Duration> {
        let setting = critical_section::with(|cs| self.0.borrow(cs).get())?;
        Some(setting.unix.saturating_add(now.since(setting.at)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_is_unknown_until_set_then_runs_on() {
        let (clock, boot) = (WallClock::new(), Instant::from(embassy_time::Instant::from_ticks(7)));
        let later = boot.after(Duration::from_secs(90));
        assert_eq!(clock.at(later), None);
        clock.set(Duration::from_secs(1_700_000_000), boot);
        assert_eq!(clock.at(later), Some(Duration::from_secs(1_700_000_090)));
        clock.set(Duration::from_secs(5), later);
        assert_eq!(
            clock.at(later.after(Duration::from_millis(1))),
            Some(Duration::from_millis(5_001)),
            "it may step back"
        );
    }
}
