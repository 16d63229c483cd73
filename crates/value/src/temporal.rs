//! Dates, times and durations: Cypher's temporal types, to the nanosecond.
//!
//! The calendar is `jiff`'s, from the year -9999 to 9999, and stays behind these types. Text is that of RFC 3339, with the
//! name of a time zone in brackets as RFC 9557 has it.

mod duration;

pub use duration::Duration;

use crate::{Place, Text, ValueError};
use alloc::string::ToString;
use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;
use jiff::SignedDuration;
use jiff::civil;
use jiff::fmt::temporal::DateTimeParser;

static PARSER: DateTimeParser = DateTimeParser::new();

/// A day of the calendar: `2026-03-29`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(civil::Date);

/// A time of day, wherever that is: `13:37:00.25`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalTime(civil::Time);

/// A day and a time, wherever that is: `2026-03-29T13:37:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalDateTime(civil::DateTime);

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
const EPOCH: civil::DateTime = civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

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
        let seconds = self.0.to_datetime(civil::Time::midnight()).duration_since(EPOCH).as_secs();
        i32::try_from(seconds / i64::from(DAY)).expect("a calendar of 20,000 years has 7.3 million days")
    }

    /// So many days after 1970-01-01, if the calendar goes so far.
    pub fn from_unix_days(days: i32) -> Option<Self> {
        EPOCH.date().checked_add(SignedDuration::from_secs(i64::from(days) * i64::from(DAY))).ok().map(Self)
    }
}

impl LocalTime {
    /// The time, if a day has it.
    pub fn new(hour: u8, minute: u8, second: u8, nanosecond: u32) -> Option<Self> {
        let part = |number: u8| i8::try_from(number).ok();
        let nanosecond = nanosecond.try_into().ok()?;
        civil::Time::new(part(hour)?, part(minute)?, part(second)?, nanosecond).ok().map(Self)
    }

    /// The hour, from 0 to 23.
    pub fn hour(self) -> u8 {
        self.0.hour().unsigned_abs()
    }

    /// The minute.
    pub fn minute(self) -> u8 {
        self.0.minute().unsigned_abs()
    }

    /// The second, from 0 to 59.
    pub fn second(self) -> u8 {
        self.0.second().unsigned_abs()
    }

    /// The nanosecond of the second.
    pub fn nanosecond(self) -> u32 {
        self.0.subsec_nanosecond().unsigned_abs()
    }

    /// The nanoseconds since midnight.
    pub fn nanosecond_of_day(self) -> u64 {
        let seconds = u64::from(self.hour()) * 3600 + u64::from(self.minute()) * 60 + u64::from(self.second());
        seconds * NANOS.unsigned_abs() + u64::from(self.nanosecond())
    }
}

impl LocalDateTime {
    /// A time on a day.
    pub fn new(date: Date, time: LocalTime) -> Self {
        Self(date.0.to_datetime(time.0))
    }

    /// The day.
    pub fn date(self) -> Date {
        Date(self.0.date())
    }

    /// The time of day.
    pub fn time(self) -> LocalTime {
        LocalTime(self.0.time())
    }

    /// The time since 1970-01-01T00:00:00, with the nanoseconds in the direction of time.
    fn since_epoch(self) -> (i64, u32) {
        let since = self.0.duration_since(EPOCH);
        let nanos = i64::from(since.subsec_nanos());
        (since.as_secs() + nanos.div_euclid(NANOS), nanos.rem_euclid(NANOS) as u32)
    }

    fn from_epoch(seconds: i64, nanosecond: u32) -> Option<Self> {
        let since = SignedDuration::new(seconds, nanosecond.try_into().ok()?);
        EPOCH.checked_add(since).ok().map(Self)
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
        Some(Self { local: LocalDateTime::from_epoch(seconds, nanosecond)?, offset: 0, zone: None })
    }

    /// The seconds since 1970-01-01T00:00:00Z, and the nanoseconds after them.
    pub fn unix(&self) -> (i64, u32) {
        let (seconds, nanosecond) = self.local.since_epoch();
        (seconds - i64::from(self.offset), nanosecond)
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

/// An offset, written `Z`, `+02`, `+02:00`, `+0200` or `+02:00:30`.
fn parse_offset(text: &str) -> Option<i32> {
    if text.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let two = |text: &str, below: i32| {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i32>().ok().filter(|number| is_number && *number < below)
    };
    let (hours, minutes, seconds) = match digits.len() {
        2 => (digits, "00", "00"),
        4 => (digits.get(..2)?, digits.get(2..)?, "00"),
        _ => {
            let mut parts = digits.split(':');
            let parts = (parts.next()?, parts.next()?, parts.next().unwrap_or("00"), parts.next());
            if parts.3.is_some() {
                return None;
            }
            (parts.0, parts.1, parts.2)
        }
    };
    Some(sign * (two(hours, 24)? * 3600 + two(minutes, 60)? * 60 + two(seconds, 60)?))
}

fn write_offset(seconds: i32, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if seconds == 0 {
        return f.write_str("Z");
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.abs();
    write!(f, "{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60)?;
    match seconds % 60 {
        0 => Ok(()),
        seconds => write!(f, ":{seconds:02}"),
    }
}

/// Where the offset begins: at the last `Z` or sign after the time has begun.
fn split_offset(text: &str) -> Option<(&str, i32)> {
    let at = text.rfind(['Z', 'z', '+', '-'])?;
    let (time, offset) = text.split_at(at);
    Some((time, parse_offset(offset)?))
}

/// The parser would read a date from `2026-03-29T13:37`, too, and a time from `13`.
fn parse_date(text: &str) -> Option<Date> {
    let is_date = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+'));
    PARSER.parse_date(text).ok().filter(|_| is_date).map(Date)
}

fn parse_time(text: &str) -> Option<LocalTime> {
    let is_time = text.contains(':') && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.'));
    PARSER.parse_time(text).ok().filter(|_| is_time).map(LocalTime)
}

fn parse_local(text: &str) -> Option<LocalDateTime> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    Some(LocalDateTime::new(parse_date(date)?, parse_time(time)?))
}

fn parse_zoned_time(text: &str) -> Option<ZonedTime> {
    let (time, offset) = split_offset(text)?;
    ZonedTime::new(parse_time(time)?, offset)
}

fn parse_zoned(text: &str) -> Option<ZonedDateTime> {
    let (text, zone) = match text.strip_suffix(']') {
        Some(text) => text.split_once('[').map(|(text, zone)| (text, Some(zone.into())))?,
        None => (text, None),
    };
    let (local, offset) = split_offset(text)?;
    ZonedDateTime::new(parse_local(local)?, offset, zone)
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
    Date: "date", "$date", like "2026-03-29", parse_date, |it, f| fmt::Display::fmt(&it.0, f);
    LocalTime: "local time", "$localtime", like "13:37:00", parse_time, |it, f| fmt::Display::fmt(&it.0, f);
    LocalDateTime: "local date and time", "$localdatetime", like "2026-03-29T13:37:00", parse_local,
        |it, f| fmt::Display::fmt(&it.0, f);
    ZonedTime: "time with an offset", "$time", like "13:37:00+02:00", parse_zoned_time, |it, f| {
        fmt::Display::fmt(&it.time, f)?;
        write_offset(it.offset, f)
    };
    ZonedDateTime: "date and time with an offset", "$datetime", like "2026-03-29T13:37:00+02:00", parse_zoned, |it, f| {
        fmt::Display::fmt(&it.local, f)?;
        write_offset(it.offset, f)?;
        it.zone.as_ref().map_or(Ok(()), |zone| write!(f, "[{zone}]"))
    };
    Duration: "duration", "$duration", like "P1Y2M10DT2H30M", duration::parse, |it, f| duration::write(it, f);
}
