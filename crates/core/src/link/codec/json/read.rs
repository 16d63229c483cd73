//! Reads JSON by `serde_json`.

use super::super::{
    DecodeError,
    bound::{WithBound, about_address},
};
use crate::link::Bound;
use serde::de::DeserializeOwned;

/// The value in `payload`, with the names in `bound` as fields.
///
/// # Errors
/// When there is none.
pub(super) fn read<T: DeserializeOwned>(payload: &[u8], bound: &Bound<'_>) -> Result<T, DecodeError> {
    let mut reader = serde_json::Deserializer::from_slice(payload);
    let is_map = payload.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let value = if bound.is_empty() {
        T::deserialize(&mut reader)
    } else {
        T::deserialize(WithBound { inner: &mut reader, bound: *bound, is_map })
    };
    value.and_then(|value| reader.end().map(|()| value)).map_err(|why| explain(&why, payload, bound, is_map))
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
