//! JSON.

#[cfg(feature = "json")]
mod read;
#[cfg(any(not(feature = "json"), test))]
mod read_in_place;
mod write;

#[cfg(feature = "json")]
use self::read as reading;
#[cfg(not(feature = "json"))]
use self::read_in_place as reading;
use super::{Decode, DecodeError, Encode, EncodeError, field};
use crate::link::{Bound, payload::Payload};
use serde::{Serialize, de::DeserializeOwned};

/// Values as JSON.
///
/// A struct is an object of its fields, written without an allocation. Numbers are exact: what is read back is the same
/// number. As everywhere in JSON, a `NaN` or an infinity becomes `null`.
///
/// The names that a link's address binds become fields of what is decoded, and stand over fields of the same name in the
/// payload. A part of an address is text, and becomes the number or truth value that the field asks for (behind
/// `#[serde(flatten)]` and in `#[serde(tag = …)]` it stays text, because serde does not say what the field asks for). A
/// payload that is no object stands as the field `value`:
///
/// With the feature `json` it reads by `serde_json`, whatever JSON a type can be. With `json-core` alone it needs no heap, and
/// reads by `serde-json-core`: what says itself what it is (`flatten`, untagged enums) is not for that, nor text with
/// escapes that is longer than 128 bytes, nor what lies more than 16 deep.
///
/// ```
/// use anabranch_core::{Bound, Decode, Json};
///
/// #[derive(serde::Deserialize, Debug, PartialEq)]
/// struct Reading { device: u32, value: f64 }
///
/// let bound = Bound::new("sensors/{device}/temp", "sensors/7/temp");
/// assert_eq!(Json.decode(b"21.5", &bound), Ok(Reading { device: 7, value: 21.5 }));
/// assert_eq!(Json.decode(br#"{"value":21.5}"#, &bound), Ok(Reading { device: 7, value: 21.5 }));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Json;

impl<T: Serialize> Encode<T> for Json {
    fn encode(&self, value: &T, payload: &mut Payload<'_>) -> Result<(), EncodeError> {
        write::write(value, payload)
    }

    fn field(&self, value: &T, name: &str, text: &mut Payload<'_>) -> Result<(), EncodeError> {
        field::write(value, name, text)
    }
}

impl<T: DeserializeOwned> Decode<T> for Json {
    fn decode(&self, payload: &[u8], bound: &Bound<'_>) -> Result<T, DecodeError> {
        reading::read(payload, bound)
    }
}
