//! A value read from any format of serde that says itself what it holds.

use crate::map::Entries;
use crate::{MAX_DEPTH, Map, Place, Text, Value, ValueError, tagged};
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::fmt;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Maps that stand for bytes, infinities or temporal values are read as the module [`json`](crate::json) says.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Root::default().deserialize(deserializer)
    }
}

/// As a value that must be a map.
impl<'de> Deserialize<'de> for Map {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Map(map) => Ok(map),
            other => Err(D::Error::custom(format_args!("expected a map, found {}", other.kind()))),
        }
    }
}

/// What is noticed on the way through the whole of an input.
#[derive(Default)]
pub(crate) struct Root {
    /// Why a value was refused: the formats' own errors hold no more than a message.
    pub refused: RefCell<Option<ValueError>>,
    /// Whether there was a float that a format may have made from an integer of more than 64 bits.
    pub large_float: Cell<bool>,
}

impl Root {
    pub fn deserialize<'de, D: Deserializer<'de>>(&self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(Nested { left: Some(MAX_DEPTH), root: self })
    }

    fn refuse<E: Error>(&self, error: ValueError) -> E {
        let message = E::custom(&error);
        *self.refused.borrow_mut() = Some(error);
        message
    }

    fn too_deep<E: Error>(&self) -> E {
        self.refuse(ValueError::TooDeep { place: Place::Unknown })
    }

    fn integer<E: Error>(&self, number: Option<i64>) -> Result<Value, E> {
        number.map(Value::Int).ok_or_else(|| self.refuse(ValueError::IntegerOutOfRange { place: Place::Unknown }))
    }
}

/// A value to be read, and how many levels may be below it.
#[derive(Clone, Copy)]
struct Nested<'r> {
    /// At 0, a map may yet turn out to be a tagged scalar; below that, not even that.
    left: Option<usize>,
    root: &'r Root,
}

impl Nested<'_> {
    fn below(self) -> Self {
        Self { left: self.left.and_then(|left| left.checked_sub(1)), ..self }
    }
}

/// What a hostile length can make us set aside before the elements come.
pub(crate) const SET_ASIDE: usize = 1024;

impl<'de> DeserializeSeed<'de> for Nested<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Value, E> {
        Ok(Value::Bool(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        self.root.integer(number.try_into().ok())
    }

    fn visit_i128<E: Error>(self, number: i128) -> Result<Value, E> {
        self.root.integer(number.try_into().ok())
    }

    fn visit_u128<E: Error>(self, number: u128) -> Result<Value, E> {
        self.root.integer(number.try_into().ok())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        if !(-9.2e18..9.2e18).contains(&number) {
            self.root.large_float.set(true);
        }
        Ok(Value::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Value, E> {
        Ok(bytes.into())
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Value, E> {
        Ok(bytes.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        if self.left.is_none_or(|left| left == 0) {
            return Err(self.root.too_deep());
        }
        let mut list = Vec::with_capacity(elements.size_hint().unwrap_or(0).min(SET_ASIDE));
        while let Some(value) = elements.next_element_seed(self.below())? {
            list.push(value);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let Some(left) = self.left else { return Err(self.root.too_deep()) };
        let mut map = Entries::with_capacity(entries.size_hint().unwrap_or(0).min(SET_ASIDE));
        while let Some(key) = entries.next_key::<Text>()? {
            let value = entries.next_value_seed(self.below())?;
            if let Err(key) = map.insert_new(key, value) {
                return Err(self.root.refuse(ValueError::DuplicateKey { key: key.into(), place: Place::Unknown }));
            }
        }
        let map = Map::from(map);
        if left == 0 && !tagged::is_tagged(&map) {
            return Err(self.root.too_deep());
        }
        tagged::read(map).map_err(|error| self.root.refuse(error))
    }
}
