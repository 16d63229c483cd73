//! Any type that serde can read, made from a value.

use crate::tagged::Tagged;
use crate::{Map, Text, Value, ValueError};
use alloc::string::ToString;
use core::slice;
use serde::de::value::{BorrowedStrDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{self, Deserialize, DeserializeSeed, EnumAccess, IntoDeserializer, Unexpected, VariantAccess, Visitor};

impl Value {
    /// The Rust value that this value stands for, as it would be read from JSON. Bytes can be read as bytes or as numbers,
    /// temporal values as their own types or as text. What is borrowed is borrowed from the value.
    ///
    /// ```
    /// # use anabranch_value::value;
    /// #[derive(serde::Deserialize)]
    /// struct Reading<'v> { device: &'v str, celsius: Vec<f64> }
    ///
    /// let value = value!({ "device": "boiler", "celsius": [21.5, 22] });
    /// let reading: Reading = value.deserialize_into()?;
    /// assert_eq!((reading.device, reading.celsius), ("boiler", vec![21.5, 22.0]));
    ///
    /// let value = value!({ "device": "boiler", "celsius": [21.5, "warm"] });
    /// assert_eq!(value.deserialize_into::<Reading>().err().unwrap().to_string(),
    ///     "the value does not fit at celsius[1]: invalid type: string \"warm\", expected f64; change the data or the type");
    /// # Ok::<(), anabranch_value::ValueError>(())
    /// ```
    pub fn deserialize_into<'v, T: Deserialize<'v>>(&'v self) -> Result<T, ValueError> {
        T::deserialize(self)
    }
}

impl<'de> IntoDeserializer<'de, ValueError> for &'de Value {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// The elements of a list, each with its place in what goes wrong.
struct Elements<'de> {
    next: usize,
    list: slice::Iter<'de, Value>,
}

impl<'de> de::SeqAccess<'de> for Elements<'de> {
    type Error = ValueError;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, ValueError> {
        let Some(value) = self.list.next() else { return Ok(None) };
        self.next += 1;
        seed.deserialize(value).map(Some).map_err(|error| error.under(self.next - 1))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.list.len())
    }
}

/// The entries of a map, each with its place in what goes wrong.
struct Entries<'de, I> {
    entries: I,
    value: Option<(&'de Text, &'de Value)>,
}

impl<'de, I: Iterator<Item = (&'de Text, &'de Value)>> de::MapAccess<'de> for Entries<'de, I> {
    type Error = ValueError;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, ValueError> {
        self.value = self.entries.next();
        let Some((key, _)) = self.value else { return Ok(None) };
        seed.deserialize(Key(key)).map(Some).map_err(|error| error.under(key.clone()))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, ValueError> {
        let (key, value) =
            self.value.take().ok_or_else(|| ValueError::mismatch("a value is asked for before its key"))?;
        seed.deserialize(value).map_err(|error| error.under(key.clone()))
    }

    fn size_hint(&self) -> Option<usize> {
        self.entries.size_hint().1
    }
}

/// A key: text, or a number or a truth value where one is wanted, as [`Value::from_serialize`] makes text of them.
struct Key<'de>(&'de str);

macro_rules! parsed_keys {
    ($($method:ident: $visit:ident),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
            match self.0.parse() {
                Ok(parsed) => visitor.$visit(parsed),
                Err(_) => visitor.visit_borrowed_str(self.0),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Key<'de> {
    type Error = ValueError;

    parsed_keys! {
        deserialize_bool: visit_bool,
        deserialize_i8: visit_i64, deserialize_i16: visit_i64, deserialize_i32: visit_i64, deserialize_i64: visit_i64,
        deserialize_u8: visit_i64, deserialize_u16: visit_i64, deserialize_u32: visit_i64, deserialize_u64: visit_i64
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_borrowed_str(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        BorrowedStrDeserializer::new(self.0).deserialize_enum(name, variants, visitor)
    }

    serde::forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

impl Value {
    /// What serde calls it in its messages.
    fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Self::Null => Unexpected::Unit,
            Self::Bool(truth) => Unexpected::Bool(*truth),
            Self::Int(number) => Unexpected::Signed(*number),
            Self::Float(number) => Unexpected::Float(*number),
            Self::String(text) => Unexpected::Str(text),
            Self::Bytes(bytes) => Unexpected::Bytes(bytes),
            Self::List(_) => Unexpected::Seq,
            Self::Map(_) => Unexpected::Map,
            Self::Date(_) => Unexpected::Other("date"),
            Self::LocalTime(_) => Unexpected::Other("local time"),
            Self::ZonedTime(_) => Unexpected::Other("time with an offset"),
            Self::LocalDateTime(_) => Unexpected::Other("local date and time"),
            Self::ZonedDateTime(_) => Unexpected::Other("date and time with an offset"),
            Self::Duration(_) => Unexpected::Other("duration"),
        }
    }

    /// The text of a temporal value.
    fn temporal_text(&self) -> Option<alloc::string::String> {
        match self {
            Self::Date(date) => Some(date.to_string()),
            Self::LocalTime(time) => Some(time.to_string()),
            Self::ZonedTime(time) => Some(time.to_string()),
            Self::LocalDateTime(moment) => Some(moment.to_string()),
            Self::ZonedDateTime(moment) => Some(moment.to_string()),
            Self::Duration(duration) => Some(duration.to_string()),
            _ => None,
        }
    }
}

fn entries<'de, V: Visitor<'de>>(map: &'de Map, visitor: V) -> Result<V::Value, ValueError> {
    visitor.visit_map(Entries { entries: map.iter(), value: None })
}

macro_rules! text_or_any {
    ($($method:ident),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
            match self.temporal_text() {
                Some(text) => visitor.visit_string(text),
                None => self.deserialize_any(visitor),
            }
        }
    )*};
}

macro_rules! bytes_or_any {
    ($($method:ident),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
            match self {
                Value::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
                _ => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for &'de Value {
    type Error = ValueError;

    text_or_any!(deserialize_str, deserialize_string, deserialize_identifier);
    bytes_or_any!(deserialize_bytes, deserialize_byte_buf);

    /// Whoever can take anything gets what JSON would give: tagged maps, too.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self {
            Value::Null => visitor.visit_unit(),
            Value::Bool(truth) => visitor.visit_bool(*truth),
            Value::Int(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::List(list) => visitor.visit_seq(Elements { next: 0, list: list.iter() }),
            value => match (Tagged::of(value), value) {
                (Some(Tagged { key, text }), _) => visitor.visit_map(MapDeserializer::new([(key, text)].into_iter())),
                (None, Value::Map(map)) => entries(map, visitor),
                (None, _) => Err(de::Error::invalid_type(value.unexpected(), &visitor)),
            },
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self {
            Value::Map(map) => entries(map, visitor),
            _ => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        match self {
            Value::Map(map) => entries(map, visitor),
            // A struct may be read from the list of its fields, as from JSON.
            Value::List(_) => self.deserialize_any(visitor),
            _ => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self {
            Value::Bytes(bytes) => visitor.visit_seq(SeqDeserializer::new(bytes.iter().copied())),
            Value::List(_) => self.deserialize_any(visitor),
            _ => Err(de::Error::invalid_type(self.unexpected(), &visitor)),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, ValueError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        match self {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        let variant = match self {
            Value::String(name) => Variant { name, content: None },
            Value::Map(map) => match map.only() {
                Some((name, content)) => Variant { name, content: Some(content) },
                None => return Err(ValueError::mismatch("a variant with content is a map with one key, its name")),
            },
            _ => return Err(de::Error::invalid_type(self.unexpected(), &"the name of a variant, or a map with it")),
        };
        visitor.visit_enum(variant)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char unit unit_struct
    }
}

/// A variant of an enum: its name, or a map with the name and the content.
struct Variant<'de> {
    name: &'de str,
    content: Option<&'de Value>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = ValueError;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), ValueError> {
        Ok((seed.deserialize(BorrowedStrDeserializer::<ValueError>::new(self.name))?, self))
    }
}

impl<'de> Variant<'de> {
    fn content<T>(&self, read: impl FnOnce(&'de Value) -> Result<T, ValueError>) -> Result<T, ValueError> {
        let content =
            self.content.ok_or_else(|| ValueError::mismatch(format_args!("the variant {} has content", self.name)))?;
        read(content).map_err(|error| error.under(self.name))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = ValueError;

    fn unit_variant(self) -> Result<(), ValueError> {
        self.content.map_or(Ok(()), |content| <()>::deserialize(content).map_err(|error| error.under(self.name)))
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, ValueError> {
        self.content(|content| seed.deserialize(content))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, ValueError> {
        self.content(|content| de::Deserializer::deserialize_tuple(content, length, visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ValueError> {
        self.content(|content| de::Deserializer::deserialize_struct(content, "", fields, visitor))
    }
}
