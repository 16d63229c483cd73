//! A moment: nanoseconds since 1970 in UTC, shown as RFC 3339 with all nine digits.

use std::{fmt, str::FromStr, time::Duration};

use anabranch::store;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// When something was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(i64);

const NANOS: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

impl Timestamp {
    /// The moment this long after 1970-01-01T00:00:00 UTC; saturates in the year 2262.
    pub fn from_unix(time: Duration) -> Self {
        Timestamp(i64::try_from(time.as_nanos()).unwrap_or(i64::MAX))
    }

    /// The time from `earlier` to this; zero when the wall clock was set back between them.
    pub fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The time of day in UTC, as `08:05:09`.
    pub fn clock(self) -> impl fmt::Display {
        let second = self.0.div_euclid(NANOS).rem_euclid(DAY);
        fmt::from_fn(move |f| write!(f, "{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        store::Timestamp::from_nanos(self.0).fmt(f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text that is no moment as this module writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no time in UTC, which is written 2026-01-31T08:05:09.123456789Z")]
pub struct NoTimestamp;

impl FromStr for Timestamp {
    type Err = NoTimestamp;

    /// Reads what `Display` writes: nine digits and the `Z` included.
    fn from_str(text: &str) -> Result<Self, NoTimestamp> {
        let moment: store::Timestamp = text.parse().map_err(|_| NoTimestamp)?;
        // The store reads more than is written.
        let is_as_written = moment.to_string() == text;
        is_as_written.then_some(Timestamp(moment.nanos())).ok_or(NoTimestamp)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_rfc_3339_with_nine_digits() {
        let shown = |seconds, nanos| Timestamp::from_unix(Duration::new(seconds, nanos)).to_string();
        assert_eq!(shown(0, 0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(shown(951_827_696, 7), "2000-02-29T12:34:56.000000007Z");
        assert_eq!(shown(4_102_444_799, 999_999_999), "2099-12-31T23:59:59.999999999Z");
    }

    #[test]
    fn what_is_written_is_read() {
        for day in (0..100_000).step_by(97) {
            let moment = Timestamp::from_unix(Duration::new(day * 86_400 + 12_345, 987_654_321));
            assert_eq!(moment.to_string().parse(), Ok(moment), "{moment}");
        }
        for wrong in ["", "2026-01-31", "2026-01-31T08:05:09Z", "2026-02-29T08:05:09.000000000Z"] {
            assert_eq!(wrong.parse::<Timestamp>(), Err(NoTimestamp), "{wrong}");
        }
        for wrong in
            ["2026-01-31T24:00:00.000000000Z", "2026-13-01T00:00:00.000000000Z", "9999-01-01T00:00:00.000000000Z"]
        {
            assert_eq!(wrong.parse::<Timestamp>(), Err(NoTimestamp), "{wrong}");
        }
    }

    #[test]
    fn a_clock_that_was_set_back_gives_no_negative_time() {
        let at = |seconds| Timestamp::from_unix(Duration::from_secs(seconds));
        assert_eq!(at(7).since(at(5)), Duration::from_secs(2));
        assert_eq!(at(5).since(at(7)), Duration::ZERO);
    }
}
