//! Reads values from CBOR. `minicbor` takes the bytes apart; here serde is told what is there, whatever a type would
//! rather have: an integer where a float is meant is an integer, which serde's floats take.

use crate::link::Words;
#[cfg(feature = "alloc")]
use alloc::{string::String, vec::Vec};
use core::fmt;
use minicbor::{data::Type, decode::Decoder};
use serde::{
    Deserializer,
    de::{
        DeserializeSeed, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess, Unexpected, VariantAccess,
        Visitor,
    },
    forward_to_deserialize_any,
};

/// How deep arrays and maps may lie in each other: a payload from outside must not exhaust the stack.
const DEEPEST: u8 = 128;
/// The byte that ends what has no length.
const BREAK: u8 = 0xff;

/// Why there is no value.
#[derive(Debug)]
pub(super) struct Fault(Words);

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(why: T) -> Self {
        Fault(Words::of(why))
    }
}

impl From<minicbor::decode::Error> for Fault {
    fn from(why: minicbor::decode::Error) -> Self {
        if why.is_end_of_input() { Fault::custom("the payload ends in the middle") } else { Fault::custom(why) }
    }
}

/// The deserialiser.
pub(super) struct Reader<'de> {
    decoder: Decoder<'de>,
    depth: u8,
}

impl<'de> Reader<'de> {
    pub(super) fn new(payload: &'de [u8]) -> Self {
        Reader { decoder: Decoder::new(payload), depth: 0 }
    }

    /// Whether a map comes next.
    pub(super) fn is_map(&mut self) -> bool {
        matches!(self.next_type(), Ok(Type::Map | Type::MapIndef))
    }

    pub(super) fn position(&self) -> usize {
        self.decoder.position()
    }

    /// That nothing follows.
    pub(super) fn end(&self) -> Result<(), Fault> {
        match self.decoder.input().len().saturating_sub(self.position()) {
            0 => Ok(()),
            left => Err(Fault::custom(format_args!("{left} more bytes follow the value"))),
        }
    }

    /// What comes next, behind its tags.
    fn next_type(&mut self) -> Result<Type, Fault> {
        loop {
            match self.decoder.datatype()? {
                Type::Tag => self.decoder.tag()?,
                other => return Ok(other),
            };
        }
    }

    fn take_byte(&mut self) -> Option<u8> {
        let byte = self.decoder.input().get(self.position()).copied()?;
        self.decoder.set_position(self.position() + 1);
        Some(byte)
    }

    /// A float of 16 bits: a sign, 5 bits of exponent, 10 of fraction.
    fn half(&mut self) -> Result<f32, Fault> {
        let (Some(_), Some(high), Some(low)) = (self.take_byte(), self.take_byte(), self.take_byte()) else {
            return Err(minicbor::decode::Error::end_of_input().into());
        };
        let bits = u32::from(u16::from_be_bytes([high, low]));
        let (sign, exponent, fraction) = (bits >> 15, bits >> 10 & 0x1f, bits & 0x3ff);
        let size = match exponent {
            0 => fraction as f32 / 16_777_216.0, // 2^24
            0x1f => f32::from_bits(0x7f80_0000 | fraction << 13),
            _ => f32::from_bits((exponent + 112) << 23 | fraction << 13),
        };
        Ok(if sign == 1 { -size } else { size })
    }

    /// What lies in an array or a map of `left` entries; `None` is one that ends with a break.
    fn within<V>(
        &mut self,
        left: Option<u64>,
        read: impl FnOnce(&mut Entries<'_, 'de>) -> Result<V, Fault>,
    ) -> Result<V, Fault> {
        if self.depth == DEEPEST {
            return Err(Fault::custom(format_args!("arrays and maps lie more than {DEEPEST} deep in each other")));
        }
        self.depth += 1;
        let mut entries = Entries { reader: self, left };
        let value = read(&mut entries)?;
        if entries.more()? {
            return Err(Fault::custom("an array or map has more entries than the value takes"));
        }
        self.depth -= 1;
        Ok(value)
    }
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.next_type()? {
            Type::Bool => visitor.visit_bool(self.decoder.bool()?),
            Type::U8 | Type::U16 | Type::U32 | Type::U64 => visitor.visit_u64(self.decoder.u64()?),
            Type::I8 | Type::I16 | Type::I32 | Type::I64 => visitor.visit_i64(self.decoder.i64()?),
            Type::Int => visitor.visit_i128(self.decoder.int()?.into()),
            Type::F16 => visitor.visit_f32(self.half()?),
            Type::F32 => visitor.visit_f32(self.decoder.f32()?),
            Type::F64 => visitor.visit_f64(self.decoder.f64()?),
            Type::String => visitor.visit_borrowed_str(self.decoder.str()?),
            Type::Bytes => visitor.visit_borrowed_bytes(self.decoder.bytes()?),
            #[cfg(feature = "alloc")]
            Type::StringIndef => {
                let pieces: Result<String, _> = self.decoder.str_iter()?.collect();
                visitor.visit_string(pieces?)
            }
            #[cfg(feature = "alloc")]
            Type::BytesIndef => {
                let mut bytes = Vec::new();
                for piece in self.decoder.bytes_iter()? {
                    bytes.extend_from_slice(piece?);
                }
                visitor.visit_byte_buf(bytes)
            }
            #[cfg(not(feature = "alloc"))]
            Type::StringIndef | Type::BytesIndef => Err(Fault::custom("text or bytes in pieces need a heap")),
            Type::Null => {
                self.decoder.null()?;
                visitor.visit_unit()
            }
            Type::Undefined => {
                self.decoder.undefined()?;
                visitor.visit_unit()
            }
            Type::Array | Type::ArrayIndef => {
                let length = self.decoder.array()?;
                self.within(length, |entries| visitor.visit_seq(entries))
            }
            Type::Map | Type::MapIndef => {
                let length = self.decoder.map()?;
                self.within(length, |entries| visitor.visit_map(entries))
            }
            other @ (Type::Simple | Type::Tag | Type::Break | Type::Unknown(_)) => {
                Err(Fault::custom(format_args!("{other} stands where a value should")))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.next_type()? {
            Type::Null | Type::Undefined => {
                self.take_byte();
                visitor.visit_none()
            }
            _ => visitor.visit_some(self),
        }
    }

    /// Some write a character as its number.
    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.next_type()? {
            Type::U8 | Type::U16 | Type::U32 => visitor.visit_char(self.decoder.char()?),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    /// The variant's name, or a map of that name to what it holds.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.next_type()? {
            Type::String => visitor.visit_enum(self.decoder.str()?.into_deserializer()),
            Type::Map | Type::MapIndef => {
                let length = self.decoder.map()?;
                self.within(length, |entries| {
                    if !entries.more()? {
                        return Err(Fault::custom("an empty map stands where a variant should"));
                    }
                    if let Some(left) = &mut entries.left {
                        *left -= 1;
                    }
                    visitor.visit_enum(Variant(entries.reader))
                })
            }
            other => Err(Fault::custom(format_args!(
                "{other} stands where a variant should: its name, or a map of its name to what it holds"
            ))),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.decoder.skip()?;
        visitor.visit_unit()
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier
    }
}

/// What lies in an array or a map.
struct Entries<'r, 'de> {
    reader: &'r mut Reader<'de>,
    left: Option<u64>,
}

impl Entries<'_, '_> {
    /// Whether there is another entry; a break is taken.
    fn more(&mut self) -> Result<bool, Fault> {
        if let Some(left) = self.left {
            return Ok(left > 0);
        }
        let next = self.reader.decoder.input().get(self.reader.position()).copied();
        if next != Some(BREAK) {
            return Ok(true);
        }
        self.reader.take_byte();
        self.left = Some(0);
        Ok(false)
    }

    /// How many to make room for: no more than there are bytes left, whatever the length claims.
    fn expected(&self) -> Option<usize> {
        let bytes = self.reader.decoder.input().len().saturating_sub(self.reader.position());
        Some(usize::try_from(self.left?).unwrap_or(bytes).min(bytes))
    }
}

impl<'de> SeqAccess<'de> for &mut Entries<'_, 'de> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        if !self.more()? {
            return Ok(None);
        }
        let value = seed.deserialize(&mut *self.reader)?;
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
        Ok(Some(value))
    }

    fn size_hint(&self) -> Option<usize> {
        self.expected()
    }
}

impl<'de> MapAccess<'de> for &mut Entries<'_, 'de> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        if !self.more()? {
            return Ok(None);
        }
        if let Some(left) = &mut self.left {
            *left -= 1;
        }
        seed.deserialize(&mut *self.reader).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        seed.deserialize(&mut *self.reader)
    }

    fn size_hint(&self) -> Option<usize> {
        self.expected()
    }
}

/// A variant that holds something.
struct Variant<'r, 'de>(&'r mut Reader<'de>);

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Fault> {
        Ok((seed.deserialize(&mut *self.0)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        serde::Deserialize::deserialize(self.0)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.0.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Fault> {
        match self.0.next_type()? {
            Type::Map | Type::MapIndef => self.0.deserialize_any(visitor),
            _ => Err(Fault::invalid_type(Unexpected::Other("something else"), &"a map of the variant's fields")),
        }
    }
}
