//! Smoothing a level, and telling when it crosses its limit.

use std::time::Duration;

use crate::{readings::AlertState, timestamp::Timestamp};

/// An exponential moving average over time, whatever the pauses between values: a step has gone through by 63 % after
/// `over`, by 95 % after three times that.
#[derive(Debug, Clone)]
pub struct Smoother {
    over: Duration,
    last: Option<(Timestamp, f64)>,
}

impl Smoother {
    pub fn new(over: Duration) -> Self {
        Smoother { over, last: None }
    }

    /// Takes the next value, and gives the smoothed one. The first is taken as it is.
    pub fn push(&mut self, time: Timestamp, value: f64) -> f64 {
        let smoothed = match self.last {
            Some((then, smoothed)) if !self.over.is_zero() => {
                let passed = time.since(then).as_secs_f64() / self.over.as_secs_f64();
                smoothed + (value - smoothed) * (1.0 - (-passed).exp())
            }
            _ => value,
        };
        self.last = Some((time, smoothed));
        smoothed
    }
}

/// Whether a level is over its limit, with hysteresis: one that trembles at the limit raises one alert, not many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Guard {
    #[default]
    Calm,
    Raised,
}

impl Guard {
    /// Looks at the next value: raised above `limit`, cleared below `limit - hysteresis`. Gives what changed, and the line
    /// that was crossed.
    pub fn look(&mut self, value: f64, limit: f64, hysteresis: f64) -> Option<(AlertState, f64)> {
        match *self {
            Guard::Calm if value > limit => {
                *self = Guard::Raised;
                Some((AlertState::Raised, limit))
            }
            Guard::Raised if value < limit - hysteresis => {
                *self = Guard::Calm;
                Some((AlertState::Cleared, limit - hysteresis))
            }
            Guard::Calm | Guard::Raised => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_unix(Duration::from_millis(millis))
    }

    #[test]
    fn a_step_goes_through_by_its_time_however_often_it_is_looked_at() {
        for pause in [10, 100, 1000, 5000] {
            let mut smoother = Smoother::new(Duration::from_secs(5));
            assert_eq!(smoother.push(at(0), 0.0), 0.0);
            let mut smoothed = 0.0;
            for now in (pause..=5000).step_by(usize::try_from(pause).unwrap()) {
                smoothed = smoother.push(at(now), 100.0);
            }
            assert!((smoothed - 63.21).abs() < 0.01, "every {pause} ms it is {smoothed}");
        }
    }

    #[test]
    fn no_time_at_all_smooths_nothing() {
        let mut smoother = Smoother::new(Duration::ZERO);
        assert_eq!(smoother.push(at(0), 1.0), 1.0);
        assert_eq!(smoother.push(at(0), 9.0), 9.0);
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_leaves_the_average() {
        let mut smoother = Smoother::new(Duration::from_secs(5));
        smoother.push(at(1000), 10.0);
        assert_eq!(smoother.push(at(1000), 90.0), 10.0);
        assert_eq!(smoother.push(at(0), 90.0), 10.0);
    }

    #[test]
    fn trembling_at_the_limit_raises_one_alert() {
        let mut guard = Guard::default();
        let changes: Vec<_> =
            [79.0, 80.0, 80.1, 79.0, 81.0, 75.0, 74.9, 79.9, 80.5].map(|value| guard.look(value, 80.0, 5.0)).to_vec();
        let (raised, cleared) = (Some((AlertState::Raised, 80.0)), Some((AlertState::Cleared, 75.0)));
        assert_eq!(changes, [None, None, raised, None, None, None, cleared, None, raised]);
    }
}
