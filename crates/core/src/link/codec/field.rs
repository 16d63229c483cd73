//! The text of one field of a value, for a `{field}` in an outbound address: found by walking through the value as a
//! serialiser, without writing the rest of it.

use super::EncodeError;
use crate::link::{Words, payload::Payload};
#[cfg(feature = "alloc")]
use alloc::{string::String, vec::Vec};
use core::fmt::{self, Write};
use serde::{
    Serialize, Serializer,
    ser::{Impossible, SerializeMap, SerializeStruct, SerializeStructVariant},
};

/// Writes the text of `value`'s field `name` to `text`.
///
/// # Errors
/// When there is none, or it has no text.
pub(super) fn write<T: Serialize + ?Sized>(value: &T, name: &str, text: &mut Payload<'_>) -> Result<(), EncodeError> {
    match value.serialize(Find { name, text: &mut *text }) {
        Ok(true) => Ok(()),
        Ok(false) => Err(missing(value, name, None)),
        Err(_) if text.is_full() => Err(EncodeError::Full),
        Err(NoText::Kind(kind)) => Err(missing(value, name, Some(kind))),
        Err(NoText::Said(why)) => Err(EncodeError::Value(why)),
    }
}

/// The error for a field that is not there, or is a `kind` of thing that has no text. Only it needs the names of the fields
/// that are there.
#[cfg(feature = "alloc")]
#[cold]
fn missing<T: Serialize + ?Sized>(value: &T, name: &str, kind: Option<&str>) -> EncodeError {
    let mut names = Names(Vec::new());
    match (value.serialize(&mut names), kind) {
        (Ok(()), None) => {}
        (Ok(()), Some(kind)) => {
            return EncodeError::new(format_args!(
                "the value's field `{name}` is {kind}: an address takes text, a number or a truth value"
            ));
        }
        (Err(NoText::Kind(kind)), _) => {
            return EncodeError::new(format_args!(
                "the value is {kind}, so it has no field `{name}`: send a struct or a map"
            ));
        }
        (Err(NoText::Said(why)), _) => return EncodeError::Value(why),
    }
    let near = names.0.iter().map(|other| (distance(name, other), other)).min();
    match near {
        Some((distance, near)) if distance <= 1 + name.len() / 4 => {
            EncodeError::new(format_args!("the value has no field `{name}`: did you mean `{near}`?"))
        }
        _ => EncodeError::new(format_args!("the value has no field `{name}`: it has `{}`", names.0.join("`, `"))),
    }
}

/// The same where there is no room for the others' names.
#[cfg(not(feature = "alloc"))]
#[cold]
fn missing<T: Serialize + ?Sized>(_: &T, name: &str, kind: Option<&str>) -> EncodeError {
    match kind {
        Some(kind) => EncodeError::new(format_args!("field `{name}` is {kind}")),
        None => EncodeError::new(format_args!("no field `{name}`")),
    }
}

/// How many characters have to be added, taken away or replaced.
#[cfg(feature = "alloc")]
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut before = i;
        let mut left = i + 1;
        for (b, place) in other.chars().zip(row.iter_mut().skip(1)) {
            let replaced = before + usize::from(a != b);
            before = *place;
            left = replaced.min(left + 1).min(*place + 1);
            *place = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// Why something has no text.
#[derive(Debug)]
pub(super) enum NoText {
    /// It is this.
    Kind(&'static str),
    /// Its type says so.
    Said(Words),
}

impl fmt::Display for NoText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoText::Kind(kind) => f.write_str(kind),
            NoText::Said(why) => why.fmt(f),
        }
    }
}

impl core::error::Error for NoText {}

impl serde::ser::Error for NoText {
    fn custom<T: fmt::Display>(why: T) -> Self {
        NoText::Said(Words::of(why))
    }
}

/// What does not fit is seen at the place that it is written to.
impl From<fmt::Error> for NoText {
    fn from(fmt::Error: fmt::Error) -> Self {
        NoText::Kind("larger than its place")
    }
}

macro_rules! are_not_text {
    ($($method:ident($($arg:ty),*) $what:literal;)*) => {$(
        fn $method(self $(, _: $arg)*) -> Result<Self::Ok, NoText> {
            Err(NoText::Kind($what))
        }
    )*};
}

macro_rules! compounds_are_not_text {
    ($($name:ident $method:ident($($arg:ty),*) $what:literal;)*) => {$(
        fn $method(self $(, _: $arg)*) -> Result<Self::$name, NoText> {
            Err(NoText::Kind($what))
        }
    )*};
}

/// Writes what has a text of one piece: text, numbers (as JSON writes them), truth values, names of variants.
pub(super) struct Text<'w, W>(pub(super) &'w mut W);

macro_rules! are_displayed {
    ($($method:ident $ty:ty;)*) => {$(
        fn $method(self, value: $ty) -> Result<(), NoText> {
            Ok(write!(self.0, "{value}")?)
        }
    )*};
}

impl<W: Write> Serializer for Text<'_, W> {
    type Ok = ();
    type Error = NoText;
    type SerializeSeq = Impossible<(), NoText>;
    type SerializeTuple = Impossible<(), NoText>;
    type SerializeTupleStruct = Impossible<(), NoText>;
    type SerializeTupleVariant = Impossible<(), NoText>;
    type SerializeMap = Impossible<(), NoText>;
    type SerializeStruct = Impossible<(), NoText>;
    type SerializeStructVariant = Impossible<(), NoText>;

    are_displayed! {
        serialize_bool bool;
        serialize_i8 i8;
        serialize_i16 i16;
        serialize_i32 i32;
        serialize_i64 i64;
        serialize_i128 i128;
        serialize_u8 u8;
        serialize_u16 u16;
        serialize_u32 u32;
        serialize_u64 u64;
        serialize_u128 u128;
        serialize_char char;
    }

    // `Debug` writes the shortest text that reads back as the same number, with a point or an exponent.
    fn serialize_f32(self, value: f32) -> Result<(), NoText> {
        if value.is_finite() { Ok(write!(self.0, "{value:?}")?) } else { Err(NoText::Kind("no finite number")) }
    }

    fn serialize_f64(self, value: f64) -> Result<(), NoText> {
        if value.is_finite() { Ok(write!(self.0, "{value:?}")?) } else { Err(NoText::Kind("no finite number")) }
    }

    fn serialize_str(self, value: &str) -> Result<(), NoText> {
        Ok(self.0.write_str(value)?)
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<(), NoText> {
        Ok(write!(self.0, "{value}")?)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NoText> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), NoText> {
        value.serialize(self)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), NoText> {
        Ok(self.0.write_str(variant)?)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), NoText> {
        Err(NoText::Kind("a variant with a value"))
    }

    are_not_text! {
        serialize_bytes(&[u8]) "bytes";
        serialize_none() "nothing (`None`)";
        serialize_unit() "nothing (`()`)";
        serialize_unit_struct(&'static str) "a struct without fields";
    }

    compounds_are_not_text! {
        SerializeSeq serialize_seq(Option<usize>) "a sequence";
        SerializeTuple serialize_tuple(usize) "a tuple";
        SerializeTupleStruct serialize_tuple_struct(&'static str, usize) "a tuple";
        SerializeTupleVariant serialize_tuple_variant(&'static str, u32, &'static str, usize) "a variant with values";
        SerializeMap serialize_map(Option<usize>) "a map";
        SerializeStruct serialize_struct(&'static str, usize) "a struct";
        SerializeStructVariant serialize_struct_variant(&'static str, u32, &'static str, usize) "a variant with fields";
    }
}

/// Takes text and tells whether it is all of what it was expected to be.
struct Same<'n> {
    left: &'n str,
    differs: bool,
}

impl Write for Same<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match self.left.strip_prefix(text) {
            Some(left) => self.left = left,
            None => self.differs = true,
        }
        Ok(())
    }
}

/// Whether `key` is a key whose text is `name`.
fn is_named<K: Serialize + ?Sized>(key: &K, name: &str) -> bool {
    let mut same = Same { left: name, differs: false };
    key.serialize(Text(&mut same)).is_ok() && !same.differs && same.left.is_empty()
}

macro_rules! have_no_fields {
    ($($method:ident $ty:ty, $what:literal;)*) => {$(
        fn $method(self, _: $ty) -> Result<Self::Ok, NoText> {
            self.none($what)
        }
    )*};
}

/// What has fields at its top, and what has none: the same for whoever looks for one and whoever lists them.
macro_rules! look_at_the_top {
    () => {
        type SerializeSeq = Impossible<Self::Ok, NoText>;
        type SerializeTuple = Impossible<Self::Ok, NoText>;
        type SerializeTupleStruct = Impossible<Self::Ok, NoText>;
        type SerializeTupleVariant = Impossible<Self::Ok, NoText>;
        type Error = NoText;

        have_no_fields! {
            serialize_bool bool, "a truth value";
            serialize_i8 i8, "a number";
            serialize_i16 i16, "a number";
            serialize_i32 i32, "a number";
            serialize_i64 i64, "a number";
            serialize_i128 i128, "a number";
            serialize_u8 u8, "a number";
            serialize_u16 u16, "a number";
            serialize_u32 u32, "a number";
            serialize_u64 u64, "a number";
            serialize_u128 u128, "a number";
            serialize_f32 f32, "a number";
            serialize_f64 f64, "a number";
            serialize_char char, "a character";
            serialize_str &str, "text";
            serialize_bytes &[u8], "bytes";
            serialize_unit_struct &'static str, "a struct without fields";
        }

        fn serialize_none(self) -> Result<Self::Ok, NoText> {
            self.none("nothing (`None`)")
        }

        fn serialize_unit(self) -> Result<Self::Ok, NoText> {
            self.none("nothing (`()`)")
        }

        fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<Self::Ok, NoText> {
            self.none("a variant without fields")
        }

        fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Self::Ok, NoText> {
            value.serialize(self)
        }

        fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<Self::Ok, NoText> {
            value.serialize(self)
        }

        fn serialize_newtype_variant<T: Serialize + ?Sized>(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            value: &T,
        ) -> Result<Self::Ok, NoText> {
            value.serialize(self)
        }

        fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Result<Self::Ok, NoText> {
            self.none("text")
        }

        compounds_are_not_text! {
            SerializeSeq serialize_seq(Option<usize>) "a sequence";
            SerializeTuple serialize_tuple(usize) "a tuple";
            SerializeTupleStruct serialize_tuple_struct(&'static str, usize) "a struct whose fields have no names";
            SerializeTupleVariant serialize_tuple_variant(&'static str, u32, &'static str, usize) "a variant whose fields have no names";
        }
    };
}

/// Looks for the field `name` at the top of a value and writes its text; whether there is one.
struct Find<'n, 't, 'p> {
    name: &'n str,
    text: &'t mut Payload<'p>,
}

impl<'n, 't, 'p> Find<'n, 't, 'p> {
    /// That there are no fields is said in full by [`missing`].
    fn none(self, _: &'static str) -> Result<bool, NoText> {
        Ok(false)
    }

    fn among_fields(self) -> Finding<'n, 't, 'p> {
        Finding { find: self, next: false, found: false }
    }
}

impl<'n, 't, 'p> Serializer for Find<'n, 't, 'p> {
    type Ok = bool;
    type SerializeMap = Finding<'n, 't, 'p>;
    type SerializeStruct = Finding<'n, 't, 'p>;
    type SerializeStructVariant = Finding<'n, 't, 'p>;

    look_at_the_top!();

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, NoText> {
        Ok(self.among_fields())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, NoText> {
        Ok(self.among_fields())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, NoText> {
        Ok(self.among_fields())
    }
}

/// [`Find`] among fields.
struct Finding<'n, 't, 'p> {
    find: Find<'n, 't, 'p>,
    /// Whether the key that was just seen is the one.
    next: bool,
    found: bool,
}

impl Finding<'_, '_, '_> {
    fn take<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NoText> {
        if core::mem::take(&mut self.next) && !self.found {
            self.found = true;
            value.serialize(Text(self.find.text))?;
        }
        Ok(())
    }
}

impl SerializeMap for Finding<'_, '_, '_> {
    type Ok = bool;
    type Error = NoText;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NoText> {
        self.next = !self.found && is_named(key, self.find.name);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NoText> {
        self.take(value)
    }

    fn end(self) -> Result<bool, NoText> {
        Ok(self.found)
    }
}

/// A struct's fields, of itself or of a variant.
macro_rules! fields_of_structs {
    ($name:ty, $ok:ty, |$self:ident, $key:ident, $value:ident| $field:expr, |$ended:ident| $end:expr) => {
        fields_of_structs!(SerializeStruct for $name, $ok, |$self, $key, $value| $field, |$ended| $end);
        fields_of_structs!(SerializeStructVariant for $name, $ok, |$self, $key, $value| $field, |$ended| $end);
    };
    ($trait:ident for $name:ty, $ok:ty, |$self:ident, $key:ident, $value:ident| $field:expr, |$ended:ident| $end:expr) => {
        impl $trait for $name {
            type Ok = $ok;
            type Error = NoText;

            fn serialize_field<T: Serialize + ?Sized>(&mut $self, $key: &'static str, $value: &T) -> Result<(), NoText> {
                $field
            }

            fn end($ended) -> Result<$ok, NoText> {
                Ok($end)
            }
        }
    };
}

fields_of_structs!(
    Finding<'_, '_, '_>,
    bool,
    |self, key, value| {
        self.next = key == self.find.name;
        self.take(value)
    },
    |self| self.found
);

/// Lists the names of a value's fields.
#[cfg(feature = "alloc")]
struct Names(Vec<String>);

#[cfg(feature = "alloc")]
impl Names {
    fn none(&mut self, what: &'static str) -> Result<(), NoText> {
        Err(NoText::Kind(what))
    }
}

#[cfg(feature = "alloc")]
impl Serializer for &mut Names {
    type Ok = ();
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    look_at_the_top!();

    fn serialize_map(self, _: Option<usize>) -> Result<Self, NoText> {
        Ok(self)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, NoText> {
        Ok(self)
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<Self, NoText> {
        Ok(self)
    }
}

#[cfg(feature = "alloc")]
impl SerializeMap for &mut Names {
    type Ok = ();
    type Error = NoText;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NoText> {
        let mut name = String::new();
        if key.serialize(Text(&mut name)).is_ok() {
            self.0.push(name);
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, _: &T) -> Result<(), NoText> {
        Ok(())
    }

    fn end(self) -> Result<(), NoText> {
        Ok(())
    }
}

#[cfg(feature = "alloc")]
fields_of_structs!(
    &mut Names,
    (),
    |self, key, _value| {
        self.0.push(key.into());
        Ok(())
    },
    |self| ()
);
