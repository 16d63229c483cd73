//! CBOR.

mod read;

use super::{
    Decode, DecodeError, Encode, EncodeError,
    bound::{WithBound, about_address},
    field,
};
use crate::link::{
    Bound,
    payload::{Payload, PayloadFull},
};
use minicbor_serde::Serializer;
use read::Reader;
use serde::{Serialize, de::DeserializeOwned};

/// Values as CBOR.
///
/// A struct is a map of its fields by name, written without an allocation. It reads what others write: integers where a
/// field is a float, floats of 16 bits, maps and text in pieces, tags (which are passed over). Names in the address become
/// fields, as with `Json`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cbor;

/// A payload as `minicbor` writes into one.
struct Lent<'w, 'p>(&'w mut Payload<'p>);

impl minicbor::encode::Write for Lent<'_, '_> {
    type Error = PayloadFull;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), PayloadFull> {
        self.0.push(bytes)
    }
}

impl<T: Serialize> Encode<T> for Cbor {
    fn encode(&self, value: &T, payload: &mut Payload<'_>) -> Result<(), EncodeError> {
        let mut writer = Serializer::new(Lent(payload));
        writer.serialize_unit_as_null(true);
        let written = value.serialize(&mut writer);
        match written {
            _ if payload.is_full() => Err(EncodeError::Full),
            written => written.map_err(EncodeError::new),
        }
    }

    fn field(&self, value: &T, name: &str, text: &mut Payload<'_>) -> Result<(), EncodeError> {
        field::write(value, name, text)
    }
}

impl<T: DeserializeOwned> Decode<T> for Cbor {
    fn decode(&self, payload: &[u8], bound: &Bound<'_>) -> Result<T, DecodeError> {
        let mut reader = Reader::new(payload);
        let is_map = reader.is_map();
        let value = if bound.is_empty() {
            T::deserialize(&mut reader)
        } else {
            T::deserialize(WithBound { inner: &mut reader, bound: *bound, is_map })
        };
        value.and_then(|value| reader.end().map(|()| value)).map_err(|why| {
            if payload.is_empty() {
                return DecodeError::new("the payload is empty, and no CBOR is");
            }
            if let Some(error) = about_address(&why) {
                return error;
            }
            let beside = if is_map || bound.is_empty() {
                ""
            } else {
                " (it is no map, so it stands as the field `value` beside the names in the address)"
            };
            let at = reader.position();
            DecodeError::new(format_args!(
                "the payload's CBOR is no value of this record: {why}, before byte {at}{beside}"
            ))
        })
    }
}
