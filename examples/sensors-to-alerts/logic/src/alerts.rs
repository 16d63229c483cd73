//! Where alerts arrive, and how long their edges took to get there.

use crate::{Alert, EDGES};
use anabranch::prelude::*;
use core::fmt;

/// What 99 of 100 edges have to stay below.
const BOUND: Duration = Duration::from_millis(50);

/// The alerts, as a `main` takes them.
#[derive(Debug)]
pub struct Alerts<R: Runtime> {
    runtime: &'static R,
    alerts: Consumer<Alert>,
    started: R::Instant,
    took: [Duration; EDGES as usize],
    count: usize,
}

impl<R: Runtime> Alerts<R> {
    pub(crate) fn new(runtime: &'static R, alerts: Consumer<Alert>) -> Self {
        Alerts { runtime, alerts, started: runtime.now(), took: [Duration::ZERO; EDGES as usize], count: 0 }
    }

    /// The moment that edges are counted from.
    pub fn started(&self) -> R::Instant {
        self.started
    }

    /// The next alert; `None` when the signal has ended and all were taken.
    pub async fn next(&mut self) -> Option<Alert> {
        let alert = self.alerts.next().await?;
        if let Some(took) = self.took.get_mut(self.count) {
            *took = self.runtime.now().since(self.started).saturating_sub(alert.edge);
            self.count += 1;
        }
        Some(alert)
    }

    /// How long the edges took so far, from the leap of the signal to [`next`](Self::next), on `place`.
    pub fn latency(&mut self, place: &'static str) -> Latency {
        Latency::of(place, &mut self.took[..self.count])
    }
}

/// The time from the sensor's edge to the alert, over all edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// Where it was measured.
    pub place: &'static str,
    /// How many edges there were.
    pub edges: usize,
    /// Half of the edges took at most this.
    pub p50: Duration,
    /// 99 of 100 took at most this.
    pub p99: Duration,
    /// The slowest.
    pub max: Duration,
}

impl Latency {
    fn of(place: &'static str, took: &mut [Duration]) -> Self {
        took.sort_unstable();
        // By nearest rank: the least of them that so many per cent did not exceed.
        let percentile = |percent: usize| took.get((took.len() * percent).div_ceil(100).wrapping_sub(1)).copied();
        let [p50, p99, max] = [50, 99, 100].map(|percent| percentile(percent).unwrap_or_default());
        Latency { place, edges: took.len(), p50, p99, max }
    }
}

/// A line for people, and one for programs.
impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Latency { place, edges, .. } = self;
        let [p50, p99, max] = [self.p50, self.p99, self.max].map(Millis);
        let (bound, holds) = (BOUND.as_millis(), self.p99 < BOUND);
        writeln!(f, "{edges} edges, from sensor to alert: p50 {p50} ms, p99 {p99} ms, max {max} ms")?;
        write!(f, r#"JSON {{"case":"sensor edge → alert, p99, {place}","unit":"ms","ours":{p99},"peers":{{}},"#)?;
        write!(f, r#""ratio":null,"bound":"< {bound}","holds":{holds}}}"#)
    }
}

/// Milliseconds, down to the microsecond; without floating point, which a small core would have to emulate.
struct Millis(Duration);

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0.as_millis(), self.0.subsec_micros() % 1_000)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::{string::ToString, vec::Vec};

    #[test]
    fn percentiles_are_times_that_were_measured_by_nearest_rank() {
        let mut took: Vec<Duration> = (1..=200).rev().map(Duration::from_millis).collect();
        let latency = Latency::of("here", &mut took);
        let [p50, p99, max] = [100, 198, 200].map(Duration::from_millis);
        assert_eq!(latency, Latency { place: "here", edges: 200, p50, p99, max });
        let one = Duration::from_micros(7_025);
        assert_eq!(Latency::of("here", &mut [one]), Latency { place: "here", edges: 1, p50: one, p99: one, max: one });
        assert_eq!(Latency::of("here", &mut []).edges, 0);
    }

    #[test]
    fn it_prints_a_line_for_people_and_one_for_programs() {
        let mut took = [Duration::from_micros(49_999), Duration::from_micros(6_005)];
        let expected = "2 edges, from sensor to alert: p50 6.005 ms, p99 49.999 ms, max 49.999 ms\n\
            JSON {\"case\":\"sensor edge → alert, p99, here\",\"unit\":\"ms\",\"ours\":49.999,\"peers\":{},\
            \"ratio\":null,\"bound\":\"< 50\",\"holds\":true}";
        assert_eq!(Latency::of("here", &mut took).to_string(), expected);
        let late = Latency::of("here", &mut [BOUND]).to_string();
        assert!(late.ends_with("\"holds\":false}"), "{late}");
    }
}
