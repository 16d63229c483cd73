//! Reads JSON without a heap, by `serde-json-core`.

use super::super::{DecodeError, bound::WithBound};
use crate::link::Bound;
use serde::de::DeserializeOwned;
use serde_json_core::de::{Deserializer, Error};

/// How long text with escapes may be, in bytes.
const UNESCAPED: usize = 128;
/// How deep arrays and objects may lie in each other: each level takes stack, and who sends the payload decides on it.
const DEEPEST: usize = 16;

/// The value in `payload`, with the names in `bound` as fields.
///
/// # Errors
/// When there is none.
pub(super) fn read<T: DeserializeOwned>(payload: &[u8], bound: &Bound<'_>) -> Result<T, DecodeError> {
    if depth(payload) > DEEPEST {
        return Err(DecodeError::new("JSON nests more than 16 deep"));
    }
    let mut unescaped = [0; UNESCAPED];
    let mut reader = Deserializer::new(payload, Some(&mut unescaped));
    let value = if bound.is_empty() {
        T::deserialize(&mut reader)
    } else {
        let is_map = payload.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        T::deserialize(WithBound { inner: &mut reader, bound: *bound, is_map })
    };
    value.and_then(|value| reader.end().map(|_| value)).map_err(|why| explain(&why))
}

#[cold]
fn explain(why: &Error) -> DecodeError {
    DecodeError::new(match why {
        Error::EofWhileParsingList
        | Error::EofWhileParsingObject
        | Error::EofWhileParsingString
        | Error::EofWhileParsingNumber
        | Error::EofWhileParsingValue => "JSON ends in the middle",
        Error::InvalidType => "a JSON value is of another type",
        Error::InvalidNumber => "a JSON number does not fit",
        Error::EscapedStringIsTooLong => "JSON text with escapes over 128 bytes",
        Error::AnyIsUnsupported => "this type needs the feature `json`",
        Error::CustomError => "JSON has not this record's fields",
        _ => "the payload is no JSON",
    })
}

/// How deep arrays and objects lie in each other.
fn depth(payload: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut text, mut escaped) = (false, false);
    for byte in payload {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = text,
            b'"' => text = !text,
            _ if text => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = depth.max(deepest);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::String, vec, vec::Vec};
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Reading {
        device: u32,
        celsius: f64,
        #[serde(default)]
        note: String,
    }

    fn reading(text: &str, bound: &Bound<'_>) -> Result<Reading, String> {
        read(text.as_bytes(), bound).map_err(|why| alloc::string::ToString::to_string(&why))
    }

    #[test]
    fn it_reads_what_serde_json_reads() {
        for text in [
            r#"{"device":7,"celsius":21.5}"#,
            r#" { "celsius" : -1e-3 , "device" : 4294967295, "more": [1,{"a":[]},"]"] } "#,
            r#"{"device":1,"celsius":2,"note":"a \"quote\" \u00e9"}"#,
        ] {
            let expected: Reading = serde_json::from_str(text).unwrap();
            assert_eq!(reading(text, &Bound::NONE), Ok(expected), "{text}");
        }
    }

    #[test]
    fn names_of_the_address_stand_over_those_of_the_payload() {
        let bound = Bound::new("sensors/{device}/temp", "sensors/7/temp");
        for text in [r#"{"celsius":1.5}"#, r#"{"device":9,"celsius":1.5}"#, r#"{"celsius":1.5,"device":9}"#] {
            let expected = Reading { device: 7, celsius: 1.5, note: String::new() };
            assert_eq!(reading(text, &bound), Ok(expected), "{text}");
        }
        let elsewhere = Bound::new("sensors/{device}/temp", "sensors/kitchen/temp");
        assert!(reading(r#"{"celsius":1.5}"#, &elsewhere).is_err());
    }

    #[test]
    fn whatever_comes_is_a_value_or_an_error_and_takes_little_stack() {
        for text in
            ["", "{", "nonsense", r#"{"device":-1,"celsius":0}"#, r#"{"device":1e99,"celsius":0}"#, "[1,2]", "{}x"]
        {
            assert!(reading(text, &Bound::NONE).is_err(), "{text}");
        }
        let mut deep = String::from(r#"{"device":1,"celsius":2,"more":"#);
        deep.extend(core::iter::repeat_n('[', 100_000));
        assert_eq!(reading(&deep, &Bound::NONE), Err("JSON nests more than 16 deep".into()));
        let all: Vec<u8> = (0..=255).collect();
        for size in 0..64 {
            for start in 0..all.len() - size {
                let _is_no_panic = read::<Reading>(&all[start..start + size], &Bound::NONE);
            }
        }
        let long = vec![b'"'; 3];
        let _is_no_panic = read::<String>(&long, &Bound::NONE);
    }
}
