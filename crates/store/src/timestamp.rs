//! A moment, in nanoseconds since 1970 in UTC.

use alloc::string::String;
use anabranch_value::{ValueError, ZonedDateTime};
use core::fmt;
use core::str::FromStr;

/// A moment: nanoseconds since 1970 in UTC. Outside, it is RFC 3339 with all nine digits.
///
/// Those of versions are at least 1 and grow strictly within one database, whatever the platform's clock does.
///
/// ```
/// use anabranch_store::Timestamp;
///
/// let noon: Timestamp = "2026-03-29T14:00:00+02:00".parse()?;
/// assert_eq!(noon.to_string(), "2026-03-29T12:00:00.000000000Z");
/// // A clock that stands still or goes back gives the next nanosecond.
/// assert_eq!(noon.after(Timestamp::EARLIEST), Some(Timestamp::from_nanos(noon.nanos() + 1)));
/// # Ok::<(), anabranch_store::BadTimestamp>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest that can be said; every version is later.
    pub const EARLIEST: Self = Self(i64::MIN);
    /// Before any version: what a new database's clock begins after.
    pub(crate) const ZERO: Self = Self(0);
    /// The latest that can be said: in the year 2262.
    pub const LATEST: Self = Self(i64::MAX);

    /// The moment so many nanoseconds after the beginning of 1970, in UTC.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// How many nanoseconds after the beginning of 1970 it is.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// The timestamp of a write at `wall` on the platform's clock, where this was the last one; none when time is up.
    #[must_use]
    pub fn after(self, wall: Self) -> Option<Self> {
        Some(Self(wall.0.max(self.0.checked_add(1)?)))
    }

    /// How many characters its text has.
    pub const TEXT: usize = "2026-03-29T13:37:00.000000000Z".len();

    /// Its text, which is ASCII: what [`Display`](fmt::Display) writes, for whoever writes many.
    #[must_use]
    pub fn to_text(self) -> [u8; Self::TEXT] {
        let moment = ZonedDateTime::from_unix_nanos(self.0);
        let (date, time) = (moment.local().date(), moment.local().time());
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        for (places, number) in [
            (0..4, u32::from(date.year().unsigned_abs())),
            (5..7, date.month().into()),
            (8..10, date.day().into()),
            (11..13, time.hour().into()),
            (14..16, time.minute().into()),
            (17..19, time.second().into()),
            (20..29, time.nanosecond()),
        ] {
            let mut rest = number;
            for digit in text[places].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        text
    }

    /// As a key of tables, where it is never negative.
    pub(crate) const fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// From a key of tables.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let nanos = i64::from_be_bytes(bytes.try_into().ok()?);
        (nanos >= 0).then_some(Self(nanos))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(core::str::from_utf8(&self.to_text()).expect("digits are ASCII"))
    }
}

impl FromStr for Timestamp {
    type Err = BadTimestamp;

    fn from_str(text: &str) -> Result<Self, BadTimestamp> {
        let moment: Result<ZonedDateTime, ValueError> = text.parse();
        let nanos = moment.ok().and_then(|moment| moment.unix_nanos());
        nanos.map(Self).ok_or_else(|| BadTimestamp { text: text.into() })
    }
}

/// Text that should be a moment is none, or one beyond what 64 bits of nanoseconds hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a moment between 1678 and 2262; write it like 2026-03-29T13:37:00Z")]
pub struct BadTimestamp {
    /// The text.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn text_comes_back_with_nine_digits() {
        for nanos in [i64::MIN, -1, 0, 1, 1_774_791_420_000_000_001, i64::MAX] {
            let text = Timestamp(nanos).to_string();
            assert_eq!(text.parse(), Ok(Timestamp(nanos)), "{text}");
            assert_eq!(text.len(), "2026-03-29T13:37:00.000000000Z".len(), "{text}");
        }
        assert!("yesterday".parse::<Timestamp>().is_err());
        assert!("9999-01-01T00:00:00Z".parse::<Timestamp>().is_err());
    }

    #[test]
    fn time_goes_on_when_the_clock_does_not() {
        let last = Timestamp(1000);
        assert_eq!(last.after(Timestamp(5000)), Some(Timestamp(5000)));
        assert_eq!(last.after(Timestamp(1000)), Some(Timestamp(1001)));
        assert_eq!(last.after(Timestamp(i64::MIN)), Some(Timestamp(1001)));
        assert_eq!(Timestamp::LATEST.after(Timestamp(1)), None);
    }
}
