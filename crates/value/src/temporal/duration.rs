//! A length of time as Cypher has it: months and days are no fixed number of seconds, so each stands for itself.

use core::cmp::Ordering;
use core::fmt::{self, Write};

/// Months, days, seconds and nanoseconds: `P1Y2M10DT2H30M`.
///
/// Its text is ISO 8601's, each part with a sign of its own where it is negative. Two are equal when their parts are.
/// A month has no fixed length, so durations have no order of their own; they are sorted by their average length, then by
/// months, days and seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Duration {
    months: i64,
    days: i64,
    seconds: i64,
    nanosecond: u32,
}

const NANOS: i128 = 1_000_000_000;
/// A twelfth of the 365.2425 days of a year, in seconds.
const AVERAGE_MONTH: i128 = 2_629_746;

impl Duration {
    /// A duration of these parts, unless its seconds and nanoseconds together are more than 64 bits of seconds.
    pub fn new(months: i64, days: i64, seconds: i64, nanoseconds: i64) -> Option<Self> {
        Self::of(months, days, i128::from(seconds) * NANOS + i128::from(nanoseconds))
    }

    fn of(months: i64, days: i64, nanos: i128) -> Option<Self> {
        let seconds = nanos.div_euclid(NANOS).try_into().ok()?;
        Some(Self { months, days, seconds, nanosecond: nanos.rem_euclid(NANOS) as u32 })
    }

    /// Its months: 12 for each year.
    pub fn months(self) -> i64 {
        self.months
    }

    /// Its days: 7 for each week.
    pub fn days(self) -> i64 {
        self.days
    }

    /// Its seconds, rounded down where there are nanoseconds.
    pub fn seconds(self) -> i64 {
        self.seconds
    }

    /// Its nanoseconds after the seconds: never negative, and less than a second.
    pub fn nanosecond(self) -> u32 {
        self.nanosecond
    }

    /// Its seconds and nanoseconds together.
    fn nanos(self) -> i128 {
        i128::from(self.seconds) * NANOS + i128::from(self.nanosecond)
    }

    fn average_length(self) -> i128 {
        (i128::from(self.months) * AVERAGE_MONTH + i128::from(self.days) * 86_400) * NANOS + self.nanos()
    }
}

impl Ord for Duration {
    fn cmp(&self, other: &Self) -> Ordering {
        let by = |it: &Self| (it.average_length(), it.months, it.days);
        by(self).cmp(&by(other))
    }
}

impl PartialOrd for Duration {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// `[-]P[nY][nM][nW][nD][T[nH][nM][n[.n]S]]`: at least one part, each once and in this order, a fraction in the last alone.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (date, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((date, time)) => (date, (!time.is_empty()).then_some(time)?),
        None => (text.strip_prefix('P')?, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let [years, months, weeks, days] = parts(date, ['Y', 'M', 'W', 'D'])?;
    let [hours, minutes, seconds] = parts(time, ['H', 'M', 'S'])?;
    let whole = |parts: &[(Part, i128)]| {
        parts.iter().try_fold(0_i128, |sum, (part, each)| {
            let number = if part.nanos == 0 { part.whole } else { None };
            sum.checked_add(number?.checked_mul(*each * sign)?)
        })
    };
    let months = whole(&[(years, 12), (months, 1)])?.try_into().ok()?;
    let days = whole(&[(weeks, 7), (days, 1)])?.try_into().ok()?;
    let seconds_nanos = seconds.nanos;
    let seconds = Part { nanos: 0, ..seconds };
    let seconds = whole(&[(hours, 3600), (minutes, 60), (seconds, 1)])?;
    Duration::of(months, days, seconds.checked_mul(NANOS)?.checked_add(seconds_nanos * sign)?)
}

/// A number before its letter.
#[derive(Clone, Copy)]
struct Part {
    /// Nothing where it does not fit.
    whole: Option<i128>,
    /// The fraction.
    nanos: i128,
}

/// The parts before these letters, each of which stands at most once and in this order.
fn parts<const N: usize>(text: &str, letters: [char; N]) -> Option<[Part; N]> {
    let mut rest = text;
    let parts = letters.map(|letter| match rest.split_once(letter) {
        Some((number, after)) => {
            rest = after;
            part(number)
        }
        None => Some(Part { whole: Some(0), nanos: 0 }),
    });
    if !rest.is_empty() || parts.iter().any(Option::is_none) {
        return None;
    }
    Some(parts.map(|part| part.expect("none is missing")))
}

fn part(number: &str) -> Option<Part> {
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = digits.split_once(['.', ',']).map_or((digits, "0"), |(whole, fraction)| (whole, fraction));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || fraction.len() > 9 {
        return None;
    }
    let nanos: i128 = fraction.parse().ok()?;
    let missing = 9 - u32::try_from(fraction.len()).ok()?;
    Some(Part {
        whole: whole.parse::<i128>().ok().map(|whole| whole * sign),
        nanos: nanos * 10_i128.pow(missing) * sign,
    })
}

pub(super) fn write(duration: &Duration, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let nanos = duration.nanos();
    if duration.months == 0 && duration.days == 0 && nanos == 0 {
        return f.write_str("PT0S");
    }
    let write_part = |f: &mut fmt::Formatter<'_>, number: i128, letter| match number {
        0 => Ok(()),
        _ => write!(f, "{number}{letter}"),
    };
    f.write_char('P')?;
    write_part(f, i128::from(duration.months / 12), 'Y')?;
    write_part(f, i128::from(duration.months % 12), 'M')?;
    write_part(f, i128::from(duration.days), 'D')?;
    if nanos == 0 {
        return Ok(());
    }
    f.write_char('T')?;
    let seconds = nanos / NANOS;
    write_part(f, seconds / 3600, 'H')?;
    write_part(f, seconds / 60 % 60, 'M')?;
    let (second, fraction) = (seconds % 60, (nanos % NANOS).unsigned_abs());
    if fraction == 0 {
        return write_part(f, second, 'S');
    }
    // The sign stands before the whole, even where that is 0.
    let sign = if nanos < 0 { "-" } else { "" };
    let (mut fraction, mut digits) = (fraction, 9);
    while fraction % 10 == 0 {
        (fraction, digits) = (fraction / 10, digits - 1);
    }
    write!(f, "{sign}{}.{fraction:0digits$}S", second.unsigned_abs())
}
