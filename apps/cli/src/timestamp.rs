//! A moment: nanoseconds since 1970 in UTC, shown as RFC 3339 with all nine digits.

use std::{fmt, str::FromStr, time::Duration};

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
        let (seconds, nanos) = (self.0.div_euclid(NANOS), self.0.rem_euclid(NANOS));
        let (year, month, day) = civil(seconds.div_euclid(DAY));
        write!(f, "{year:04}-{month:02}-{day:02}T{}.{nanos:09}Z", self.clock())
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
        const SHAPE: &[u8] = b"0000-00-00T00:00:00.000000000Z";
        let fits = |(byte, shape): (&u8, &u8)| if *shape == b'0' { byte.is_ascii_digit() } else { byte == shape };
        if text.len() != SHAPE.len() || !text.as_bytes().iter().zip(SHAPE).all(fits) {
            return Err(NoTimestamp);
        }
        let number = |from: usize, to: usize| text.get(from..to).and_then(|digits| digits.parse::<i64>().ok());
        let [Some(year), Some(month), Some(day)] = [number(0, 4), number(5, 7), number(8, 10)] else {
            return Err(NoTimestamp);
        };
        let [Some(hour), Some(minute), Some(second)] = [number(11, 13), number(14, 16), number(17, 19)] else {
            return Err(NoTimestamp);
        };
        let days = days(year, month, day);
        if civil(days) != (year, month, day) || hour > 23 || minute > 59 || second > 59 {
            return Err(NoTimestamp);
        }
        let seconds = days * DAY + hour * 3600 + minute * 60 + second;
        let nanos = seconds.checked_mul(NANOS).zip(number(20, 29)).and_then(|(whole, part)| whole.checked_add(part));
        nanos.map(Timestamp).ok_or(NoTimestamp)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// The day of a date, counted from 1970-01-01: the way back from [`civil`], which says whether there is such a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let from_march = (month + 9) % 12;
    let day_of_year = (153 * from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of a day counted from 1970-01-01, by Howard Hinnant's `civil_from_days`: years begin in March, so
/// that the leap day is the last of its year.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468; // from 0000-03-01
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
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
