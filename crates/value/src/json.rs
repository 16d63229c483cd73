//! JSON: plain where JSON has the thing, and tagged where it has not.
//!
//! `{"celsius": 21.5}` is read and written as it stands. Numbers with a point or an exponent are floats, others are
//! integers (but `-0`, which only a float can be); floats are written so that they stay floats, with as many digits as tell
//! them from their neighbours. What JSON does not have is a map with one key that says what it is:
//!
//! ```text
//! {"$bytes": "3q2+7w=="}          base64 with padding             {"$localtime": "13:37:00"}
//! {"$float": "NaN"}               or Infinity, -Infinity          {"$time": "13:37:00+02:00"}
//! {"$date": "2026-03-29"}                                         {"$localdatetime": "2026-03-29T13:37:00"}
//! {"$duration": "P1M2DT3S"}                                       {"$datetime": "2026-03-29T13:37:00+02:00[Europe/Berlin]"}
//! ```
//!
//! A map of one's own that looks like one of them (one key, one of these names, a string) is written with one more `$`
//! before its key, which reading takes away again: `{"$$date": "…"}`. No other map is touched.
//!
//! An integer beyond 64 bits is refused, since its last digits would be lost; so is a key that stands twice. Where a value
//! is read through serde by `serde_json` itself instead of [`from_slice`], it tells integers beyond 64 bits without a sign
//! from floats no more, and they become floats.

use crate::deserialize::Root;
use crate::{Place, Value, ValueError};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

const FORMAT: &str = "JSON";

/// Reads a value. The whole input must be one.
///
/// ```
/// use anabranch_value::{json, value};
///
/// assert_eq!(json::from_slice(br#"{"celsius": 21.5}"#)?, value!({ "celsius": 21.5 }));
/// assert_eq!(json::from_slice(br#"{"id": 18446744073709551616}"#).unwrap_err().to_string(),
///     "an integer is beyond 64 bits at line 1, column 8; \
///      send it as a string, or as a float if its last digits do not matter");
/// # Ok::<(), anabranch_value::ValueError>(())
/// ```
pub fn from_slice(json: &[u8]) -> Result<Value, ValueError> {
    let root = Root::default();
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = root.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    if root.large_float.get()
        && let Some(place) = long_integer(json)
    {
        return Err(ValueError::IntegerOutOfRange { place });
    }
    value.map_err(|error| {
        let place = Place::Line { line: error.line(), column: error.column() };
        match root.refused.take() {
            Some(refused) => refused.at(place),
            None => ValueError::Syntax { format: FORMAT, reason: reason(&error), place },
        }
    })
}

/// Reads a value from text.
pub fn from_str(json: &str) -> Result<Value, ValueError> {
    from_slice(json.as_bytes())
}

/// Writes a value, with no space that can be spared. It fails on a value that is [too deep](crate::MAX_DEPTH) alone.
///
/// ```
/// # use anabranch_value::{json, value};
/// assert_eq!(json::to_string(&value!({ "celsius": 21.0, "raw": (b"\x15".as_slice()) }))?,
///     r#"{"celsius":21.0,"raw":{"$bytes":"FQ=="}}"#);
/// # Ok::<(), anabranch_value::ValueError>(())
/// ```
pub fn to_string(value: &Value) -> Result<String, ValueError> {
    serde_json::to_string(value).map_err(too_deep)
}

/// As [`to_string`], in bytes.
pub fn to_vec(value: &Value) -> Result<Vec<u8>, ValueError> {
    serde_json::to_vec(value).map_err(too_deep)
}

/// As [`to_string`], in lines that people read with ease.
pub fn to_string_pretty(value: &Value) -> Result<String, ValueError> {
    serde_json::to_string_pretty(value).map_err(too_deep)
}

/// A value is refused for nothing else.
fn too_deep(_error: serde_json::Error) -> ValueError {
    ValueError::TooDeep { place: Place::Unknown }
}

/// The message without the place, which we say ourselves.
fn reason(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    message.strip_suffix(&place).unwrap_or(&message).into()
}

/// Where an integer stands that does not fit into 64 bits, by which `serde_json` makes it a float.
fn long_integer(json: &[u8]) -> Option<Place> {
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        match byte {
            b'"' => at += 1 + string_length(&json[at + 1..]),
            b'-' | b'0'..=b'9' => {
                let rest = &json[at..];
                let is_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                let number = &rest[..rest.iter().take_while(|byte| is_number(byte)).count()];
                let is_integer = number[1..].iter().all(u8::is_ascii_digit);
                let fits = str::from_utf8(number).is_ok_and(|number| number == "-" || number.parse::<i64>().is_ok());
                if is_integer && !fits {
                    let line = json[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
                    let column = json[..at].iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
                    return Some(Place::Line { line, column });
                }
                at += number.len();
            }
            _ => at += 1,
        }
    }
    None
}

/// The bytes of a string up to its closing quote, with it.
fn string_length(rest: &[u8]) -> usize {
    let mut length = 0;
    loop {
        match rest.get(length) {
            Some(b'"') => return length + 1,
            Some(b'\\') => length += 2,
            Some(_) => length += 1,
            None => return rest.len(),
        }
    }
}
