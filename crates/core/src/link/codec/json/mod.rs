//! JSON.

mod write;

use super::{
    Decode, DecodeError, Encode, EncodeError,
    bound::{WithBound, about_address},
    field,
};
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
        let mut reader = serde_json::Deserializer::from_slice(payload);
        let is_map = payload.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        let value = if bound.is_empty() {
            T::deserialize(&mut reader)
        } else {
            T::deserialize(WithBound { inner: &mut reader, bound: *bound, is_map })
        };
        value.and_then(|value| reader.end().map(|()| value)).map_err(|why| explain(&why, payload, bound, is_map))
    }
}

#[cold]
fn explain(why: &serde_json::Error, payload: &[u8], bound: &Bound<'_>, is_map: bool) -> DecodeError {
    if payload.is_empty() {
        return DecodeError::new("the payload is empty, and no JSON is");
    }
    if let Some(error) = about_address(why) {
        return error;
    }
    if is_map || bound.is_empty() || !why.is_data() {
        return DecodeError::new(format_args!("the payload's JSON is no value of this record: {why}"));
    }
    DecodeError::new(format_args!(
        "the payload's JSON is no value of this record: {why} (it is no object, so it stands as the field `value` beside the names in the address)"
    ))
}
