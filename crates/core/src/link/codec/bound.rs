//! The names in a link's address as fields of the value: a deserialiser that puts them before the payload's own fields.
//!
//! ```text
//!  address  sensors/{device}/temp = sensors/7/temp          payload  {"celsius":21.5}
//!                     └──────────────┐                                    │
//!                             {"device":"7",      "celsius":21.5}  ◀──────┘        one map, for the value's type
//! ```
//!
//! A part of an address is text; it becomes the number or truth value that the field asks for. A payload's field of the
//! same name is passed over: the address stands over it. A payload that is no map stands as the field `value`.

#[cfg(any(feature = "json", feature = "cbor"))]
use super::DecodeError;
use crate::link::Bound;
#[cfg(any(feature = "json", feature = "cbor"))]
use crate::link::Words;
use core::{fmt, marker::PhantomData, str::FromStr};
use serde::{
    Deserializer,
    de::{
        DeserializeSeed, EnumAccess, Error, IgnoredAny, IntoDeserializer, MapAccess, Unexpected, VariantAccess,
        Visitor,
        value::{BorrowedStrDeserializer, StrDeserializer},
    },
    forward_to_deserialize_any,
};

/// The field that a payload stands in when it is no map itself.
const VALUE: &str = "value";

/// How errors begin that are about the address.
const ADDRESS: &str = "the link's address ";

/// The error of a decoder: if it is about the address, without the place in the payload that `serde_json` adds.
#[cfg(any(feature = "json", feature = "cbor"))]
#[cold]
pub(super) fn about_address(why: &impl fmt::Display) -> Option<DecodeError> {
    let why = Words::of(why);
    let why = why.as_str();
    let place = why.rfind(" at line ").unwrap_or(why.len());
    why.starts_with(ADDRESS).then(|| DecodeError::new(why.get(..place).unwrap_or(why)))
}

/// `inner` with the names that an address binds.
pub(super) struct WithBound<'b, D> {
    pub(super) inner: D,
    pub(super) bound: Bound<'b>,
    /// Whether what `inner` holds is a map.
    pub(super) is_map: bool,
}

/// The error for a value that has no place for names.
fn no_place<E: Error>(bound: &Bound<'_>, what: &str) -> E {
    let name = bound.iter().next().map_or("", |(name, _)| name);
    E::custom(format_args!(
        "{ADDRESS}binds `{{{name}}}`, but the value is {what}, which has no field `{name}`: write `+` for `{{{name}}}`, or take the value into a struct"
    ))
}

macro_rules! have_no_place {
    ($($method:ident($($arg:ident: $ty:ty),*) $what:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, $($arg: $ty,)* _: V) -> Result<V::Value, D::Error> {
            Err(no_place(&self.bound, $what))
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for WithBound<'_, D> {
    type Error = D::Error;

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        if self.is_map {
            return self.inner.deserialize_map(Merging { visitor, bound: self.bound });
        }
        visitor.visit_map(Fields::new(self.bound, Alone(Some(self.inner))))
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        if self.is_map {
            return visitor.visit_some(self);
        }
        self.inner.deserialize_option(Merging { visitor, bound: self.bound })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_enum(name, variants, Merging { visitor, bound: self.bound })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_ignored_any(visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }

    have_no_place! {
        deserialize_bool() "a truth value";
        deserialize_i8() "a number";
        deserialize_i16() "a number";
        deserialize_i32() "a number";
        deserialize_i64() "a number";
        deserialize_i128() "a number";
        deserialize_u8() "a number";
        deserialize_u16() "a number";
        deserialize_u32() "a number";
        deserialize_u64() "a number";
        deserialize_u128() "a number";
        deserialize_f32() "a number";
        deserialize_f64() "a number";
        deserialize_char() "a character";
        deserialize_str() "text";
        deserialize_string() "text";
        deserialize_identifier() "text";
        deserialize_bytes() "bytes";
        deserialize_byte_buf() "bytes";
        deserialize_unit() "nothing (`()`)";
        deserialize_unit_struct(_name: &'static str) "a struct without fields";
        deserialize_seq() "a sequence";
        deserialize_tuple(_len: usize) "a tuple";
        deserialize_tuple_struct(_name: &'static str, _len: usize) "a struct whose fields have no names";
    }
}

/// A visitor, or the seed of a variant's content, that is shown a map with the names in it.
struct Merging<'b, V> {
    visitor: V,
    bound: Bound<'b>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Merging<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_map(Fields::new(self.bound, map))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<V::Value, A::Error> {
        self.visitor.visit_enum(Merging { visitor: data, bound: self.bound })
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(WithBound { inner, bound: self.bound, is_map: false })
    }
}

/// An enum's variant takes the names as its fields.
impl<'de, 'b, A: EnumAccess<'de>> EnumAccess<'de> for Merging<'b, A> {
    type Error = A::Error;
    type Variant = Merging<'b, A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let (variant, content) = self.visitor.variant_seed(seed)?;
        Ok((variant, Merging { visitor: content, bound: self.bound }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Merging<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        Err(no_place(&self.bound, "a variant without fields"))
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.visitor.newtype_variant_seed(Merging { visitor: seed, bound: self.bound })
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, A::Error> {
        Err(no_place(&self.bound, "a variant whose fields have no names"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.visitor.struct_variant(fields, Merging { visitor, bound: self.bound })
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Merging<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.visitor.deserialize(WithBound { inner, bound: self.bound, is_map: true })
    }
}

/// The names first, then the payload's fields but for those of a name.
struct Fields<'b, I, A> {
    bound: Bound<'b>,
    names: I,
    /// What the name stands for whose key was just read.
    part: Option<(&'b str, &'b str)>,
    own: A,
}

impl<'b, A> Fields<'b, (), A> {
    fn new(bound: Bound<'b>, own: A) -> Fields<'b, impl Iterator<Item = (&'b str, &'b str)>, A> {
        Fields { bound, names: bound.iter(), part: None, own }
    }
}

impl<'de, 'b, I, A> MapAccess<'de> for Fields<'b, I, A>
where
    I: Iterator<Item = (&'b str, &'b str)>,
    A: MapAccess<'de>,
{
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        self.part = self.names.next();
        if let Some((name, _)) = self.part {
            return seed.deserialize(StrDeserializer::new(name)).map(Some);
        }
        let mut seed = Some(seed);
        while let Some(key) = self.own.next_key_seed(OwnKey { seed: &mut seed, bound: self.bound })? {
            if key.is_some() {
                return Ok(key);
            }
            self.own.next_value::<IgnoredAny>()?;
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        match self.part.take() {
            None => self.own.next_value_seed(seed),
            Some((name, text)) => seed.deserialize(Part { text, error: PhantomData }).map_err(|why: A::Error| {
                A::Error::custom(format_args!("{ADDRESS}has `{text}` for `{{{name}}}`: {why}"))
            }),
        }
    }
}

/// A map of one field: a payload that is none.
struct Alone<D>(Option<D>);

impl<'de, D: Deserializer<'de>> MapAccess<'de> for Alone<D> {
    type Error = D::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, D::Error> {
        if self.0.is_none() {
            return Ok(None);
        }
        seed.deserialize(BorrowedStrDeserializer::new(VALUE)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, D::Error> {
        match self.0.take() {
            Some(payload) => seed.deserialize(payload),
            None => Err(D::Error::custom("the payload was read already")),
        }
    }
}

/// A field's key, which is text, or in CBOR perhaps its number: `None` when it is one of the address's names, over which
/// the address stands; else what the `seed` makes of it.
struct OwnKey<'s, 'b, K> {
    seed: &'s mut Option<K>,
    bound: Bound<'b>,
}

impl<'de, K: DeserializeSeed<'de>> OwnKey<'_, '_, K> {
    fn take<E: Error>(self, key: impl Deserializer<'de, Error = E>) -> Result<Option<K::Value>, E> {
        self.seed.take().map(|seed| seed.deserialize(key)).transpose()
    }
}

impl<'de, K: DeserializeSeed<'de>> DeserializeSeed<'de> for OwnKey<'_, '_, K> {
    type Value = Option<K::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl<'de, K: DeserializeSeed<'de>> Visitor<'de> for OwnKey<'_, '_, K> {
    type Value = Option<K::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        if self.bound.get(text).is_some() { Ok(None) } else { self.take(BorrowedStrDeserializer::new(text)) }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        if self.bound.get(text).is_some() { Ok(None) } else { self.take(StrDeserializer::new(text)) }
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        self.take(number.into_deserializer())
    }
}

/// A part of an address as the value of a field, of whatever type the field is.
struct Part<'b, E> {
    text: &'b str,
    error: PhantomData<E>,
}

impl<E: Error> Part<'_, E> {
    fn parse<T: FromStr>(&self, expected: &str) -> Result<T, E> {
        self.text.parse().map_err(|_| E::invalid_value(Unexpected::Str(self.text), &expected))
    }
}

macro_rules! parses {
    ($($deserialize:ident $visit:ident $expected:literal;)*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
            visitor.$visit(self.parse($expected)?)
        }
    )*};
}

impl<'de, E: Error> Deserializer<'de> for Part<'_, E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_str(self.text)
    }

    parses! {
        deserialize_bool visit_bool "`true` or `false`";
        deserialize_i8 visit_i8 "an integer from -128 to 127";
        deserialize_i16 visit_i16 "an integer from -32768 to 32767";
        deserialize_i32 visit_i32 "an integer of 32 bits";
        deserialize_i64 visit_i64 "an integer of 64 bits";
        deserialize_i128 visit_i128 "an integer of 128 bits";
        deserialize_u8 visit_u8 "an integer from 0 to 255";
        deserialize_u16 visit_u16 "an integer from 0 to 65535";
        deserialize_u32 visit_u32 "an integer from 0 to 4294967295";
        deserialize_u64 visit_u64 "a whole number of 64 bits, 0 or more";
        deserialize_u128 visit_u128 "a whole number of 128 bits, 0 or more";
        deserialize_char visit_char "one character";
    }

    // `nan` and `inf` are names of places, not what a sensor of a number is called.
    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.parse::<f32>("a number")? {
            number if number.is_finite() => visitor.visit_f32(number),
            _ => Err(E::invalid_value(Unexpected::Str(self.text), &"a finite number")),
        }
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.parse::<f64>("a number")? {
            number if number.is_finite() => visitor.visit_f64(number),
            _ => Err(E::invalid_value(Unexpected::Str(self.text), &"a finite number")),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_bytes(self.text.as_bytes())
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_bytes(self.text.as_bytes())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, E> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, E> {
        StrDeserializer::new(self.text).deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        str string unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
