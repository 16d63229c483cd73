//! The course of a record's values, as a line of blocks.

use std::collections::VecDeque;

use crate::{readings::Plotted, timestamp::Timestamp};

/// The newest values, as far back as any terminal is wide.
#[derive(Debug, Clone, Default)]
pub struct Trend {
    points: VecDeque<(Timestamp, Plotted)>,
}

const MOST_POINTS: usize = 400;
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

impl Trend {
    /// Values of one moment are one point: the highest.
    pub fn push(&mut self, time: Timestamp, value: Plotted) {
        match self.points.back_mut() {
            Some((then, last)) if *then == time => {
                if value.number() > last.number() {
                    *last = value;
                }
            }
            _ => self.points.push_back((time, value)),
        }
        if self.points.len() > MOST_POINTS {
            self.points.pop_front();
        }
    }

    /// The newest `width` points, each with its block and its number.
    pub fn blocks(&self, width: usize) -> impl Iterator<Item = (char, f64)> {
        let points = || self.points.iter().skip(self.points.len().saturating_sub(width)).map(|(_, value)| *value);
        let highest = points().map(Plotted::number).fold(0.0, f64::max);
        points().map(move |value| {
            let full = match value {
                Plotted::OfHundred(_) => 100.0,
                Plotted::Free(_) | Plotted::Not => highest,
            };
            let part = if full > 0.0 { (value.number() / full).clamp(0.0, 1.0) } else { 0.0 };
            // From 0 to 1 are eight steps; the lowest is drawn, too, so that a trend of zeros is a line.
            let step = ((part * 8.0).ceil() as usize).saturating_sub(1).min(BLOCKS.len() - 1);
            (BLOCKS[step], value.number())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn drawn(width: usize, values: impl IntoIterator<Item = (u64, Plotted)>) -> String {
        let mut trend = Trend::default();
        for (second, value) in values {
            trend.push(Timestamp::from_unix(Duration::from_secs(second)), value);
        }
        trend.blocks(width).map(|(block, _)| block).collect()
    }

    #[test]
    fn a_hundred_is_a_full_block_and_nothing_a_line() {
        let values = [0.0, 1.0, 12.5, 13.0, 50.0, 99.0, 100.0, 250.0];
        assert_eq!(drawn(9, values.map(Plotted::OfHundred).into_iter().zip(0..).map(|(v, s)| (s, v))), "▁▁▁▂▄███");
    }

    #[test]
    fn what_has_no_scale_is_drawn_on_that_of_the_highest_shown() {
        let values = [9000.0, 1.0, 2.0, 4.0];
        assert_eq!(drawn(3, values.map(Plotted::Free).into_iter().zip(0..).map(|(v, s)| (s, v))), "▂▄█");
        assert_eq!(drawn(3, [(0, Plotted::Free(0.0)), (1, Plotted::Free(0.0))]), "▁▁");
    }

    #[test]
    fn values_of_one_moment_are_one_point() {
        let values = [(0, 10.0), (0, 90.0), (0, 20.0), (1, 10.0)];
        assert_eq!(drawn(9, values.map(|(second, value)| (second, Plotted::OfHundred(value)))), "█▁");
    }
}
