//! How values of records that no Rust type says become bytes and bytes values: JSON, CBOR, text, or the bytes themselves.

use crate::{Bound, Decode, DecodeError, Encode, EncodeError, Payload};
use alloc::{format, string::String, vec::Vec};
use anabranch_value::{Map, Value, cbor, json};
use core::{
    fmt::{self, Write},
    str::FromStr,
};

/// The format of a link.
///
/// What the names of an inbound address stand for becomes fields: beside those of a payload that is a map, and over them
/// where they have one name; a payload that is no map becomes the field `value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// CBOR.
    Cbor,
    /// Text in UTF-8.
    Text,
    /// The bytes themselves.
    Bytes,
}

/// There is no such format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no format {0:?}: there are json, cbor, text and bytes")]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        Ok(match name {
            "json" => Format::Json,
            "cbor" => Format::Cbor,
            "text" => Format::Text,
            "bytes" => Format::Bytes,
            other => return Err(UnknownFormat(other.into())),
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Json => "json",
            Format::Cbor => "cbor",
            Format::Text => "text",
            Format::Bytes => "bytes",
        })
    }
}

impl Decode<Value> for Format {
    fn decode(&self, payload: &[u8], bound: &Bound<'_>) -> Result<Value, DecodeError> {
        let value = match self {
            Format::Json => json::from_slice(payload).map_err(DecodeError::new)?,
            Format::Cbor => cbor::from_slice(payload).map_err(DecodeError::new)?,
            Format::Text => Value::from(core::str::from_utf8(payload).map_err(|error| {
                DecodeError::new(format_args!(
                    "this is not text in UTF-8 ({error}): send text, or set `format = \"bytes\"`"
                ))
            })?),
            Format::Bytes => Value::from(payload),
        };
        if bound.is_empty() {
            return Ok(value);
        }
        let map = match value {
            Value::Map(mut map) => {
                map.extend(bound.iter());
                map
            }
            value => {
                let mut map: Map = bound.iter().collect();
                map.insert("value", value);
                map
            }
        };
        Ok(Value::Map(map))
    }
}

impl Encode<Value> for Format {
    fn encode(&self, value: &Value, payload: &mut Payload<'_>) -> Result<(), EncodeError> {
        let inner = || value.get("value").unwrap_or(value);
        match self {
            Format::Json => payload.push(&json::to_vec(value).map_err(EncodeError::new)?),
            Format::Cbor => payload.push(&cbor::to_vec(value).map_err(EncodeError::new)?),
            Format::Text => payload.push(inner().as_str().ok_or_else(|| unfit(value, "text", "a string"))?.as_bytes()),
            Format::Bytes => payload.push(inner().as_bytes().ok_or_else(|| unfit(value, "bytes", "bytes"))?),
        }?;
        Ok(())
    }

    fn field(&self, value: &Value, name: &str, text: &mut Payload<'_>) -> Result<(), EncodeError> {
        let written = match value.get(name) {
            Some(Value::String(field)) => text.write_str(field),
            Some(Value::Int(number)) => write!(text, "{number}"),
            Some(Value::Float(number)) => text.write_str(&plain(*number)),
            Some(Value::Bool(truth)) => write!(text, "{truth}"),
            Some(other) => {
                let kind = other.kind();
                return Err(EncodeError::new(format_args!("it is {kind}, and not a string, a number or a boolean")));
            }
            None => {
                return Err(match value.as_map() {
                    None => EncodeError::new(format_args!("the value has no fields: it is {}", value.kind())),
                    Some(map) if map.is_empty() => EncodeError::new("the value has no fields: it is an empty map"),
                    Some(map) => EncodeError::new(format_args!("there is no such field; there are {}", fields(map))),
                });
            }
        };
        written.map_err(|fmt::Error| EncodeError::Full)
    }
}

/// A number as [`f64`] displays itself: its shortest digits, with no exponent. They are those of its JSON, so that what JSON's are made
/// by makes these, too, and of two that are as near they are the same: the library's own are ten kilobytes more in a program that is
/// downloaded.
fn plain(number: f64) -> String {
    if !number.is_finite() {
        let name = if number.is_nan() { "NaN" } else { "inf" };
        return if number < 0.0 { format!("-{name}") } else { name.into() };
    }
    let json = json::to_vec(&Value::Float(number)).unwrap_or_default();
    let json = core::str::from_utf8(&json).unwrap_or_default();
    let (digits, exponent) = json.split_once('e').unwrap_or((json, "0"));
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    // Where the point stands among all digits.
    let point = whole.len() as i32 + exponent.trim_start_matches('+').parse::<i32>().unwrap_or(0);
    let digits = [whole, fraction].concat();
    let (leading, digits) = match digits.trim_start_matches('0') {
        "" => return format!("{sign}0"),
        significant => (digits.len() - significant.len(), significant),
    };
    let point = point - leading as i32;
    let missing = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    match usize::try_from(point) {
        Ok(point) if point > 0 && point < digits.len() => {
            let (whole, fraction) = digits.split_at(point);
            [sign, whole, ".", fraction].concat()
        }
        Ok(point) if point > 0 => [sign, digits, &missing(point as i32 - digits.len() as i32)].concat(),
        _ => [sign, "0.", &missing(-point), digits].concat(),
    }
}

/// The names of the fields that there are; of very many, the first.
fn fields(map: &Map) -> String {
    const SHOWN: usize = 16;
    let mut names: Vec<String> = map.iter().take(SHOWN).map(|(name, _)| format!("`{name}`")).collect();
    if map.len() > SHOWN {
        names.push(format!("{} more", map.len() - SHOWN));
    }
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

fn unfit(value: &Value, format: &str, wanted: &str) -> EncodeError {
    let kind = value.get("value").unwrap_or(value).kind();
    EncodeError::new(format_args!(
        "the format \"{format}\" writes {wanted}, itself or in the field `value`, and this is {kind}: set `format = \"json\"`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::ToString, vec};
    use anabranch_value::value;

    const NAMES: Bound<'static> = Bound::new("sensors/{device}/temp", "sensors/kitchen/temp");

    fn encoded(format: Format, value: &Value) -> Result<Vec<u8>, EncodeError> {
        let mut buffer = [0; 256];
        let mut payload = Payload::new(&mut buffer);
        format.encode(value, &mut payload).map(|()| payload.written().to_vec())
    }

    #[test]
    fn names_become_fields_and_stand_over_those_of_the_payload() {
        let decoded = Format::Json.decode(br#"{"celsius": 21.5, "device": "x"}"#, &NAMES).unwrap();
        assert_eq!(decoded, value!({ "celsius": 21.5, "device": "kitchen" }));
        let scalar = Format::Json.decode(b"21.5", &NAMES).unwrap();
        assert_eq!(scalar, value!({ "device": "kitchen", "value": 21.5 }));
        assert_eq!(Format::Text.decode(b"on", &NAMES).unwrap(), value!({ "device": "kitchen", "value": "on" }));
        assert_eq!(Format::Text.decode(b"on", &Bound::NONE).unwrap(), value!("on"));
    }

    #[test]
    fn what_comes_in_goes_out_as_it_was() {
        let reading = value!({ "device": "kitchen", "id": 9007199254740993_i64, "raw": (b"\x15".as_slice()) });
        for format in [Format::Json, Format::Cbor] {
            let bytes = encoded(format, &reading).unwrap();
            assert_eq!(format.decode(&bytes, &Bound::NONE).unwrap(), reading);
        }
        for format in [Format::Text, Format::Bytes] {
            let named = format.decode(b"on", &NAMES).unwrap();
            assert_eq!(encoded(format, &named).unwrap(), b"on");
        }
    }

    #[test]
    fn what_does_not_fit_says_why() {
        let says = |format: Format, value| encoded(format, &value).unwrap_err().to_string();
        assert!(says(Format::Text, value!(21.5)).contains("writes a string"));
        assert!(says(Format::Bytes, value!({ "value": "on" })).contains("this is a string"));
        let says = Format::Text.decode(b"\xff", &Bound::NONE).unwrap_err().to_string();
        assert!(says.contains("format = \"bytes\""), "{says}");
    }

    #[test]
    fn a_number_in_an_address_is_written_as_the_library_does() {
        let mut numbers =
            vec![0.0, -0.0, 1.0, -1.0, 21.5, 0.1, 120.0, 1e15, 1e16, 123456789e10, 1e300, -2.5e-7, 5e-324, 0.001];
        numbers.extend([f64::MAX, f64::MIN_POSITIVE, f64::EPSILON, f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
        numbers.extend((0..2000).map(|number| f64::from(number) / 64.0));
        for number in numbers {
            assert_eq!(plain(number), number.to_string(), "{:#x}", number.to_bits());
        }
        // Any others: bits from a row that does not repeat itself. Of two that are as near and as short it may be the other one.
        let next = |bits: &u64| Some(bits.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1));
        let others = core::iter::successors(Some(1_u64), next).map(f64::from_bits).filter(|number| number.is_finite());
        for number in others.take(2000) {
            let text = plain(number);
            assert_eq!((text.parse(), text.len()), (Ok(number), number.to_string().len()), "{:#x}", number.to_bits());
        }
    }

    #[test]
    fn fields_of_addresses_are_words() {
        let reading = value!({ "device": "kitchen", "floor": 2, "deep": { "a": 1 } });
        let field = |name: &str| {
            let mut buffer = [0; 32];
            let mut text = Payload::new(&mut buffer);
            Format::Json.field(&reading, name, &mut text).map(|()| text.written().to_vec())
        };
        assert_eq!(field("device").unwrap(), b"kitchen");
        assert_eq!(field("floor").unwrap(), b"2");
        assert!(field("deep").unwrap_err().to_string().contains("a map"));
        assert_eq!(
            field("room").unwrap_err().to_string(),
            "there is no such field; there are `device`, `floor` and `deep`"
        );
    }
}
