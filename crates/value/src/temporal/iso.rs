//! The text of dates and times: what reads it and what writes it, side by side.
//!
//! ```text
//! date   = year "-" MM "-" DD            year = YYYY | ( "+" | "-" ) YYYYYY
//! time   = HH ":" MM [ ":" SS [ "." 1*9( digit ) ] ]
//! offset = "Z" | ( "+" | "-" ) HH [ [ ":" ] MM ] | ( "+" | "-" ) HH ":" MM ":" SS
//! local  = date ( "T" | " " ) time       zoned = local offset [ "[" zone "]" ]
//! ```

use super::{Date, LocalDateTime, LocalTime, ZonedDateTime, ZonedTime};
use core::fmt::{self, Write};

/// A number of exactly so many digits, and what comes after it.
fn digits(text: &str, count: usize) -> Option<(u32, &str)> {
    let (digits, rest) = text.split_at_checked(count)?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten().map(|number| (number, rest))
}

/// A part of a date or a time, of two digits.
fn two(text: &str) -> Option<(u8, &str)> {
    digits(text, 2).map(|(number, rest)| (number as u8, rest))
}

pub(super) fn date(text: &str) -> Option<Date> {
    let (sign, text, count) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..], 6),
        b'+' => (1, &text[1..], 6),
        _ => (1, text, 4),
    };
    let (year, rest) = digits(text, count)?;
    let (month, rest) = two(rest.strip_prefix('-')?)?;
    let (day, rest) = two(rest.strip_prefix('-')?)?;
    // There is one year 0.
    let is_date = rest.is_empty() && (sign > 0 || year > 0);
    is_date.then(|| Date::new(sign * i16::try_from(year).ok()?, month, day)).flatten()
}

pub(super) fn write_date(date: Date, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match date.year() {
        year @ 0.. => write!(f, "{year:04}")?,
        year => write!(f, "{year:07}")?,
    }
    write!(f, "-{:02}-{:02}", date.month(), date.day())
}

pub(super) fn time(text: &str) -> Option<LocalTime> {
    let (hour, rest) = two(text)?;
    let (minute, rest) = two(rest.strip_prefix(':')?)?;
    let (second, rest) = if rest.is_empty() { (0, rest) } else { two(rest.strip_prefix(':')?)? };
    let nanosecond = match rest.strip_prefix('.') {
        Some(fraction) if (1..=9).contains(&fraction.len()) => {
            let (fraction_read, _) = digits(fraction, fraction.len())?;
            fraction_read * 10_u32.pow(9 - fraction.len() as u32)
        }
        None if rest.is_empty() => 0,
        _ => return None,
    };
    // A leap second is the last second of its minute: clocks that are not told of it show that one twice.
    LocalTime::new(hour, minute, if second == 60 { 59 } else { second }, nanosecond)
}

/// With as many digits of the second as are asked for, or as there are.
pub(super) fn write_time(time: LocalTime, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{:02}:{:02}:{:02}", time.hour(), time.minute(), time.second())?;
    let (mut fraction, mut digits) = (time.nanosecond(), 9);
    let wanted = f.precision();
    while wanted.map_or(fraction % 10 == 0 && digits > 0, |wanted| digits > wanted) {
        (fraction, digits) = (fraction / 10, digits - 1);
    }
    if digits == 0 { Ok(()) } else { write!(f, ".{fraction:0digits$}") }
}

fn offset(text: &str) -> Option<i32> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let (sign, text) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    let (hours, rest) = two(text)?;
    let (minutes, seconds) = match rest.strip_prefix(':') {
        Some(rest) => {
            let (minutes, rest) = two(rest)?;
            (minutes, if rest.is_empty() { 0 } else { all_two(rest.strip_prefix(':')?)? })
        }
        None if rest.is_empty() => (0, 0),
        None => (all_two(rest)?, 0),
    };
    let is_offset = hours < 24 && minutes < 60 && seconds < 60;
    is_offset.then_some(sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60 + i32::from(seconds)))
}

/// Two digits and no more.
fn all_two(text: &str) -> Option<u8> {
    two(text).filter(|(_, rest)| rest.is_empty()).map(|(number, _)| number)
}

pub(super) fn write_offset(seconds: i32, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if seconds == 0 {
        return f.write_char('Z');
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.abs();
    write!(f, "{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60)?;
    match seconds % 60 {
        0 => Ok(()),
        seconds => write!(f, ":{seconds:02}"),
    }
}

pub(super) fn local(text: &str) -> Option<LocalDateTime> {
    let (day, rest) = text.split_once(['T', 't', ' '])?;
    Some(LocalDateTime::new(date(day)?, time(rest)?))
}

pub(super) fn write_local(local: LocalDateTime, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write_date(local.date(), f)?;
    f.write_char('T')?;
    write_time(local.time(), f)
}

/// The offset begins at the last `Z` or sign.
fn split_offset(text: &str) -> Option<(&str, i32)> {
    let (time, its_offset) = text.split_at(text.rfind(['Z', 'z', '+', '-'])?);
    Some((time, offset(its_offset)?))
}

pub(super) fn zoned_time(text: &str) -> Option<ZonedTime> {
    let (text, offset) = split_offset(text)?;
    ZonedTime::new(time(text)?, offset)
}

pub(super) fn zoned(text: &str) -> Option<ZonedDateTime> {
    let (text, zone) = match text.strip_suffix(']') {
        Some(text) => text.split_once('[').map(|(text, zone)| (text, Some(zone.into())))?,
        None => (text, None),
    };
    let (text, offset) = split_offset(text)?;
    ZonedDateTime::new(local(text)?, offset, zone)
}
