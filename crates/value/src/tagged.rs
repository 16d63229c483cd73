//! How JSON, and any other format of serde, holds what it does not have: as a map with one key that says what it is.
//! The module [`json`](crate::json) lists them.

use crate::{Date, Duration, LocalDateTime, LocalTime, Map, Place, Value, ValueError, ZonedDateTime, ZonedTime};
use alloc::format;
use alloc::string::{String, ToString};
use base64ct::{Base64, Encoding};

pub(crate) const BYTES: &str = "$bytes";
pub(crate) const FLOAT: &str = "$float";

/// The name of the newtype in which a value hands a tagged map to a serialiser, so that ours knows it from a user's own map.
/// To others a newtype is what is in it.
pub(crate) const NEWTYPE: &str = "$anabranch::tagged";

/// A map with one key and text, to be written.
pub(crate) struct Tagged {
    pub key: String,
    pub text: String,
}

/// Whether it is one of the names above.
pub(crate) fn is_tag(key: &str) -> bool {
    key == BYTES || key == FLOAT || is_temporal(key)
}

/// Whether it is the name of a temporal type.
pub(crate) fn is_temporal(key: &str) -> bool {
    [Date::NAME, LocalTime::NAME, ZonedTime::NAME, LocalDateTime::NAME, ZonedDateTime::NAME, Duration::NAME]
        .contains(&key)
}

impl Tagged {
    fn new(key: &str, text: impl ToString) -> Option<Self> {
        Some(Self { key: key.into(), text: text.to_string() })
    }

    /// How a value is written where a format has no such thing itself; nothing if it is written as it is.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::String(_) | Value::List(_) => None,
            Value::Float(number) if number.is_finite() => None,
            Value::Float(number) => Self::new(FLOAT, float_text(*number)),
            Value::Bytes(bytes) => Self::new(BYTES, Base64::encode_string(bytes)),
            Value::Date(date) => Self::new(Date::NAME, date),
            Value::LocalTime(time) => Self::new(LocalTime::NAME, time),
            Value::ZonedTime(time) => Self::new(ZonedTime::NAME, time),
            Value::LocalDateTime(moment) => Self::new(LocalDateTime::NAME, moment),
            Value::ZonedDateTime(moment) => Self::new(ZonedDateTime::NAME, moment),
            Value::Duration(duration) => Self::new(Duration::NAME, duration),
            Value::Map(map) => match map.only()? {
                (key, Value::String(text)) if is_tag(unescaped(key)) => Self::new(&format!("${key}"), text),
                _ => None,
            },
        }
    }
}

/// The key with one `$` at most.
fn unescaped(key: &str) -> &str {
    let name = key.trim_start_matches('$');
    &key[(key.len() - name.len()).saturating_sub(1)..]
}

/// What a map that was read stands for: mostly itself.
pub(crate) fn read(map: Map) -> Result<Value, ValueError> {
    let Some((key, Value::String(text))) = map.only() else { return Ok(Value::Map(map)) };
    if !is_tag(unescaped(key)) {
        return Ok(Value::Map(map));
    }
    match key.strip_prefix('$').filter(|key| key.starts_with('$')) {
        Some(escaped) => Ok(Value::Map([(escaped, text.clone())].into())),
        None => read_text(key, text),
    }
}

/// Whether a map stands for something that nests no further.
pub(crate) fn is_tagged(map: &Map) -> bool {
    matches!(map.only(), Some((key, Value::String(_))) if is_tag(key))
}

/// The value of a text under a tag.
pub(crate) fn read_text(tag: &str, text: &str) -> Result<Value, ValueError> {
    let no = |kind, example| ValueError::Temporal { kind, text: text.into(), example, place: Place::Unknown };
    match tag {
        BYTES => Base64::decode_vec(text).map(Value::from).map_err(|_| no("base64 text with padding", "3q2+7w==")),
        FLOAT => read_float(text).map(Value::Float).ok_or_else(|| no("float", "NaN, Infinity or -Infinity")),
        _ => read_temporal(tag, text),
    }
}

/// The value of a text under the name of a temporal type: all of the tags that CBOR has names for.
pub(crate) fn read_temporal(tag: &str, text: &str) -> Result<Value, ValueError> {
    match tag {
        _ if tag == Date::NAME => text.parse().map(Value::Date),
        _ if tag == LocalTime::NAME => text.parse().map(Value::LocalTime),
        _ if tag == ZonedTime::NAME => text.parse().map(Value::ZonedTime),
        _ if tag == LocalDateTime::NAME => text.parse().map(Value::LocalDateTime),
        _ if tag == ZonedDateTime::NAME => text.parse::<ZonedDateTime>().map(Value::from),
        _ if tag == Duration::NAME => text.parse::<Duration>().map(Value::from),
        _ => Ok(text.into()),
    }
}

/// There are many floats that are no number; one is common, and the others are written with their bits.
fn float_text(number: f64) -> String {
    match number.to_bits() {
        bits if bits == f64::NAN.to_bits() => "NaN".into(),
        bits if number.is_nan() => format!("NaN:{bits:016x}"),
        _ if number > 0.0 => "Infinity".into(),
        _ => "-Infinity".into(),
    }
}

fn read_float(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => {
            let bits = text.strip_prefix("NaN:").filter(|bits| bits.len() == 16)?;
            Some(f64::from_bits(u64::from_str_radix(bits, 16).ok()?)).filter(|number| number.is_nan())
        }
    }
}
