//! The world that the sensor measures: a temperature that leaps up and down, with a ripple on it, always the same.

use anabranch::Duration;
use serde::{Deserialize, Serialize};

/// The time between two readings.
pub const SAMPLE: Duration = Duration::from_millis(4);
/// How often the temperature leaps before the signal ends.
pub const EDGES: u32 = 200;

/// For how many readings the temperature stays before it leaps again, in turn.
const STAYS: [u32; 5] = [6, 9, 5, 8, 7];
/// How many readings all of these make.
const ROUND: u32 = STAYS[0] + STAYS[1] + STAYS[2] + STAYS[3] + STAYS[4];
/// What is added to the readings, in turn: in thousandths of a degree.
const RIPPLE: [i32; 4] = [0, 300, -200, -100];
const COLD: i32 = 20_000;
const WARM: i32 = 30_000;

/// A measured temperature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// In thousandths of a degree Celsius.
    pub millicelsius: i32,
    /// When the temperature last leapt, counted from the start.
    pub edge: Duration,
}

/// What the sensor shows at `sample` times [`SAMPLE`] after the start; `None` when the signal has ended. The temperature
/// leaps halfway between two readings.
pub fn signal(sample: u32) -> Option<Reading> {
    let (mut leaps, mut since) = (sample / ROUND * STAYS.len() as u32, sample % ROUND);
    for stay in STAYS {
        if since < stay {
            break;
        }
        (leaps, since) = (leaps + 1, since - stay);
    }
    let level = if leaps % 2 == 0 { COLD } else { WARM };
    let millicelsius = level + RIPPLE[sample as usize % RIPPLE.len()];
    let edge = (SAMPLE * (sample - since)).saturating_sub(SAMPLE / 2);
    (leaps <= EDGES).then_some(Reading { millicelsius, edge })
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn every_edge_comes_once_in_order_half_a_sample_before_the_reading_that_shows_it() {
        let readings: Vec<Reading> = (0..).map_while(signal).collect();
        let mut leaps = 0;
        for (sample, two) in (1..).zip(readings.windows(2)) {
            let leapt = (two[1].millicelsius - two[0].millicelsius).abs() > 5_000;
            assert_eq!(leapt, two[1].edge > two[0].edge, "reading {sample}: {two:?}");
            if leapt {
                leaps += 1;
                assert_eq!(two[1].edge, SAMPLE * sample - SAMPLE / 2);
            }
        }
        assert_eq!(leaps, EDGES);
    }
}
