//! Dates, times and durations: Cypher's temporal types, to the nanosecond.
//!
//! The calendar is `jiff-core`'s, from the year -9999 to 9999, and stays behind these types. Text is that of RFC 3339, with the
//! name of a time zone in brackets as RFC 9557 has it.

mod duration;
mod iso;

pub use duration::Duration;

use crate::{Place, Text, ValueError};
use alloc::string::ToString;
use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;
use jiff_core::civil;

/// A day of the calendar: `2026-03-29`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(civil::Date);

/// A time of day, wherever that is: `13:37:00.25`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalTime {
    nanosecond_of_day: u64,
}

/// A day and a time, wherever that is: `2026-03-29T13:37:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalDateTime {
    date: Date,
    time: LocalTime,
}

/// A time of day at an offset from UTC: `13:37:00+02:00`.
///
/// `==` tells two offsets apart even where the time in UTC is one; the order is by the time in UTC first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ZonedTime {
    time: LocalTime,
    offset: i32,
}

/// A moment, as a clock at an offset from UTC shows it: `2026-03-29T13:37:00+02:00[Europe/Berlin]`.
///
/// The name of a time zone is kept and never asked for its rules: the offset says what the moment is. `==` tells two
/// offsets apart even where the moment is one; the order is by the moment first.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ZonedDateTime {
    local: LocalDateTime,
    offset: i32,
    zone: Option<Text>,
}

const NANOS: i64 = 1_000_000_000;
/// Offsets are less than a day.
const DAY: i32 = 86_400;

impl Date {
    /// The day, if the calendar has it.
    pub fn new(year: i16, month: u8, day: u8) -> Option<Self> {
        civil::Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok().map(Self)
    }

    /// The year.
    pub fn year(self) -> i16 {
        self.0.year()
    }

    /// The month, from 1.
    pub fn month(self) -> u8 {
        self.0.month().unsigned_abs()
    }

    /// The day of the month, from 1.
    pub fn day(self) -> u8 {
        self.0.day().unsigned_abs()
    }

    /// The days since 1970-01-01.
    pub fn unix_days(self) -> i32 {
        self.0.to_unix_epoch_day().day()
    }

    /// So many days after 1970-01-01, if the calendar goes so far.
    pub fn from_unix_days(days: i32) -> Option<Self> {
        civil::UnixEpochDay::new(days).ok().map(|day| Self(day.to_date()))
    }
}

impl LocalTime {
    /// The time, if a day has it.
    pub fn new(hour: u8, minute: u8, second: u8, nanosecond: u32) -> Option<Self> {
        let is_time = hour < 24 && minute < 60 && second < 60 && i64::from(nanosecond) < NANOS;
        let seconds = u64::from(hour) * 3600 + u64::from(minute) * 60 + u64::from(second);
        is_time.then_some(Self { nanosecond_of_day: seconds * NANOS.unsigned_abs() + u64::from(nanosecond) })
    }

    fn second_of_day(self) -> u32 {
        (self.nanosecond_of_day / NANOS.unsigned_abs()) as u32
    }

    /// The hour, from 0 to 23.
    pub fn hour(self) -> u8 {
        (self.second_of_day() / 3600) as u8
    }

    /// The minute.
    pub fn minute(self) -> u8 {
        (self.second_of_day() / 60 % 60) as u8
    }

    /// The second, from 0 to 59.
    pub fn second(self) -> u8 {
        (self.second_of_day() % 60) as u8
    }

    /// The nanosecond of the second.
    pub fn nanosecond(self) -> u32 {
        (self.nanosecond_of_day % NANOS.unsigned_abs()) as u32
    }

    /// The nanoseconds since midnight.
    pub fn nanosecond_of_day(self) -> u64 {
        self.nanosecond_of_day
    }
}

impl LocalDateTime {
    /// A time on a day.
    pub fn new(date: Date, time: LocalTime) -> Self {
        Self { date, time }
    }

    /// The day.
    pub fn date(self) -> Date {
        self.date
    }

    /// The time of day.
    pub fn time(self) -> LocalTime {
        self.time
    }

    /// The seconds since 1970-01-01T00:00:00.
    fn seconds(self) -> i64 {
        i64::from(self.date.unix_days()) * i64::from(DAY) + i64::from(self.time.second_of_day())
    }

    fn from_seconds(seconds: i64, nanosecond: u32) -> Option<Self> {
        let date = Date::from_unix_days(seconds.div_euclid(i64::from(DAY)).try_into().ok()?)?;
        let second_of_day = seconds.rem_euclid(i64::from(DAY)).unsigned_abs();
        let nanosecond_of_day = second_of_day * NANOS.unsigned_abs() + u64::from(nanosecond);
        (i64::from(nanosecond) < NANOS).then_some(Self { date, time: LocalTime { nanosecond_of_day } })
    }
}

impl ZonedTime {
    /// A time at an offset from UTC, in seconds to the east. It must be less than a day.
    pub fn new(time: LocalTime, offset: i32) -> Option<Self> {
        is_offset(offset).then_some(Self { time, offset })
    }

    /// The time there.
    pub fn time(self) -> LocalTime {
        self.time
    }

    /// The offset from UTC, in seconds to the east.
    pub fn offset(self) -> i32 {
        self.offset
    }

    /// The nanoseconds since midnight in UTC: negative, or more than a day's, where it is another day there.
    pub fn utc_nanosecond_of_day(self) -> i64 {
        self.time.nanosecond_of_day().cast_signed() - i64::from(self.offset) * NANOS
    }
}

impl ZonedDateTime {
    /// A local time at an offset from UTC (in seconds to the east, less than a day), with the name of the zone, if any:
    /// ASCII without spaces or brackets, like `Europe/Berlin`.
    pub fn new(local: LocalDateTime, offset: i32, zone: Option<Text>) -> Option<Self> {
        (is_offset(offset) && zone.as_deref().is_none_or(is_zone)).then_some(Self { local, offset, zone })
    }

    /// The moment so many nanoseconds after 1970-01-01T00:00:00Z, in UTC.
    pub fn from_unix_nanos(nanos: i64) -> Self {
        Self::from_unix(nanos.div_euclid(NANOS), nanos.rem_euclid(NANOS) as u32).expect("64 bits are 292 years")
    }

    /// The moment so many seconds and nanoseconds after 1970-01-01T00:00:00Z, in UTC, if the calendar goes so far.
    pub fn from_unix(seconds: i64, nanosecond: u32) -> Option<Self> {
        Some(Self { local: LocalDateTime::from_seconds(seconds, nanosecond)?, offset: 0, zone: None })
    }

    /// The seconds since 1970-01-01T00:00:00Z, and the nanoseconds after them.
    pub fn unix(&self) -> (i64, u32) {
        (self.local.seconds() - i64::from(self.offset), self.local.time.nanosecond())
    }

    /// The nanoseconds since 1970-01-01T00:00:00Z, from 1677 to 2262.
    pub fn unix_nanos(&self) -> Option<i64> {
        let (seconds, nanosecond) = self.unix();
        i64::try_from(i128::from(seconds) * i128::from(NANOS) + i128::from(nanosecond)).ok()
    }

    /// The day and time there.
    pub fn local(&self) -> LocalDateTime {
        self.local
    }

    /// The offset from UTC, in seconds to the east.
    pub fn offset(&self) -> i32 {
        self.offset
    }

    /// The name of the time zone, if it has one.
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }
}

impl Ord for ZonedTime {
    fn cmp(&self, other: &Self) -> Ordering {
        self.utc_nanosecond_of_day().cmp(&other.utc_nanosecond_of_day()).then(self.offset.cmp(&other.offset))
    }
}

impl PartialOrd for ZonedTime {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ZonedDateTime {
    fn cmp(&self, other: &Self) -> Ordering {
        self.unix().cmp(&other.unix()).then(self.offset.cmp(&other.offset)).then_with(|| self.zone.cmp(&other.zone))
    }
}

impl PartialOrd for ZonedDateTime {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn is_offset(seconds: i32) -> bool {
    (1 - DAY..DAY).contains(&seconds)
}

/// Names as the time zone database has them; a name may not end the brackets that it stands in.
fn is_zone(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_-+.~".contains(&byte))
}

/// The text of each type: reading, writing (with `{:.9}`, all nine digits), and what serde sees.
macro_rules! text {
    ($($type:ident: $kind:literal, $name:literal, like $example:literal, $parse:path, |$it:ident, $f:ident| $write:expr;)*) => {$(
        impl $type {
            /// The name under which serialisers meet it, by which it stays what it is in a [`Value`](crate::Value).
            pub(crate) const NAME: &'static str = $name;
        }

        impl FromStr for $type {
            type Err = ValueError;

            fn from_str(text: &str) -> Result<Self, ValueError> {
                $parse(text).ok_or_else(|| ValueError::Temporal {
                    kind: $kind,
                    text: text.to_string(),
                    example: $example,
                    place: Place::Unknown,
                })
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, $f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let $it = self;
                $write
            }
        }

        /// As text.
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_newtype_struct(Self::NAME, &format_args!("{self}"))
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Text::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

text! {
    Date: "date", "$date", like "2026-03-29", iso::date, |it, f| iso::write_date(*it, f);
    LocalTime: "local time", "$localtime", like "13:37:00", iso::time, |it, f| iso::write_time(*it, f);
    LocalDateTime: "local date and time", "$localdatetime", like "2026-03-29T13:37:00", iso::local,
        |it, f| iso::write_local(*it, f);
    ZonedTime: "time with an offset", "$time", like "13:37:00+02:00", iso::zoned_time, |it, f| {
        iso::write_time(it.time, f)?;
        iso::write_offset(it.offset, f)
    };
    ZonedDateTime: "date and time with an offset", "$datetime", like "2026-03-29T13:37:00+02:00", iso::zoned, |it, f| {
        iso::write_local(it.local, f)?;
        iso::write_offset(it.offset, f)?;
        it.zone.as_ref().map_or(Ok(()), |zone| write!(f, "[{zone}]"))
    };
    Duration: "duration", "$duration", like "P1Y2M10DT2H30M", duration::parse, |it, f| duration::write(it, f);
}
