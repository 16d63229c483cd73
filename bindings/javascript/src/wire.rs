//! What a call and an answer are made of: items of CBOR, one after the other.
//!
//! ```text
//!   call      "name", argument, argument, …      null where one is left out; a value, if there is one, comes last
//!   answer    null, result                       or   "CODE", "what happened, and what to do", { details }
//! ```

use crate::code::Failure;
use anabranch::store::{KeyedVersion, Timestamp, VersionId, VersionedValue};
use anabranch_value::{
    Value,
    cbor::{self, Major},
};
use minicbor::Decoder;
use std::str::FromStr;

/// The tag of a version, as js/values.js reads it: a list of what there is of these.
///
/// ```text
///   flags      1 namespace and key · 2 a value · 4 a version before · 8 causes
///   text       the time · the id · the id of the version before
///   text       namespace
///   text       key
///   …          value
///   text       the ids of the causes
/// ```
const VERSION: u8 = 0xc6;
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;

/// The arguments of a call that are left.
///
/// What reads one, and what writes one into an [`Answer`], is not inlined: there are hundreds of calls, and the module is loaded by
/// pages.
pub struct Arguments<'c>(Decoder<'c>);

impl<'c> Arguments<'c> {
    pub fn of(call: &'c [u8]) -> Self {
        Arguments(Decoder::new(call))
    }

    #[inline(never)]
    pub fn text(&mut self, what: &str) -> Result<&'c str, Failure> {
        self.0.str().map_err(|_| Failure::argument(what, "text is needed"))
    }

    /// None where it is left out.
    pub fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Failure>) -> Result<Option<T>, Failure> {
        if self.takes(NULL) { Ok(None) } else { read(self).map(Some) }
    }

    /// Takes a `false`, if that comes next.
    pub fn takes_false(&mut self) -> bool {
        self.takes(FALSE)
    }

    /// Takes an item that is this byte, if that comes next. Each write asks.
    fn takes(&mut self, item: u8) -> bool {
        let position = self.0.position();
        let comes = self.0.input().get(position) == Some(&item);
        if comes {
            self.0.set_position(position + 1);
        }
        comes
    }

    #[cfg(feature = "records")]
    #[inline(never)]
    pub fn flag(&mut self, what: &str) -> Result<bool, Failure> {
        self.0.bool().map_err(|_| Failure::argument(what, "true or false is needed"))
    }

    #[inline(never)]
    pub fn number(&mut self, what: &str) -> Result<u64, Failure> {
        self.0.u64().map_err(|_| Failure::argument(what, "a whole number is needed, of 0 or more"))
    }

    #[inline(never)]
    pub fn size(&mut self, what: &str) -> Result<usize, Failure> {
        Ok(usize::try_from(self.number(what)?).unwrap_or(usize::MAX))
    }

    #[inline(never)]
    pub fn bytes(&mut self, what: &str) -> Result<&'c [u8], Failure> {
        self.0.bytes().map_err(|_| Failure::argument(what, "bytes are needed"))
    }

    /// A version id, a time, or the one or the other.
    pub fn parsed<T: FromStr<Err: Into<Failure>>>(&mut self, what: &str) -> Result<T, Failure> {
        self.text(what)?.parse().map_err(|error: T::Err| {
            let failure: Failure = error.into();
            Failure { message: format!("{what}: {}", failure.message), ..failure }
        })
    }

    pub fn list<T>(&mut self, what: &str, each: impl Fn(&mut Self) -> Result<T, Failure>) -> Result<Vec<T>, Failure> {
        let wrong = || Failure::argument(what, "a list is needed");
        let count = self.0.array().ok().flatten().ok_or_else(wrong)?;
        // What it says is not believed: memory is taken as items come.
        let mut items = Vec::new();
        for _ in 0..count {
            items.push(each(self)?);
        }
        Ok(items)
    }

    /// The value that the rest of the call is.
    #[inline(never)]
    pub fn value(&mut self) -> Result<Value, Failure> {
        let rest = self.0.input().get(self.0.position()..).unwrap_or_default();
        self.0.set_position(self.0.input().len());
        cbor::from_slice(rest).map_err(|error| Failure::new("INVALID_VALUE", error))
    }

    /// A value that has bytes of its own.
    #[inline(never)]
    pub fn wrapped_value(&mut self) -> Result<Value, Failure> {
        let bytes = self.bytes("value")?;
        cbor::from_slice(bytes).map_err(|error| Failure::new("INVALID_VALUE", error))
    }
}

/// An answer, or an event, as it is written.
pub struct Answer(Vec<u8>);

impl Answer {
    /// What a call that has done its work answers, but for the result.
    pub fn done() -> Self {
        Self::done_in(Vec::new())
    }

    /// The same, in the place of what is there.
    pub fn done_in(mut room: Vec<u8>) -> Self {
        room.clear();
        // For a version with a small value, which most are.
        room.reserve(512);
        room.push(NULL);
        Answer(room)
    }

    /// Items with nothing before them.
    pub const fn empty() -> Self {
        Answer(Vec::new())
    }

    pub fn failed(failure: &Failure) -> Vec<u8> {
        let mut answer = Self::empty();
        answer.text(failure.code).text(&failure.message).map(failure.details.len());
        for (name, detail) in &failure.details {
            answer.text(name).text(detail);
        }
        answer.0
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The same, at the end of a chain.
    #[cfg(any(feature = "opfs", feature = "records"))]
    pub fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    /// A map of so many entries, each of which is its name and its value.
    pub fn map(&mut self, entries: usize) -> &mut Self {
        self.head(Major::Map, entries as u64)
    }

    pub fn list(&mut self, items: usize) -> &mut Self {
        self.head(Major::List, items as u64)
    }

    pub fn number(&mut self, number: u64) -> &mut Self {
        self.head(Major::Positive, number)
    }

    #[inline(never)]
    fn head(&mut self, major: Major, number: u64) -> &mut Self {
        cbor::write_head(major, number, &mut self.0);
        self
    }

    #[inline(never)]
    pub fn text(&mut self, text: &str) -> &mut Self {
        cbor::write_text(text, &mut self.0);
        self
    }

    #[inline(never)]
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.head(Major::Bytes, bytes.len() as u64).0.extend_from_slice(bytes);
        self
    }

    #[inline(never)]
    pub fn flag(&mut self, flag: bool) -> &mut Self {
        self.0.push(if flag { TRUE } else { FALSE });
        self
    }

    #[inline(never)]
    pub fn null(&mut self) -> &mut Self {
        self.0.push(NULL);
        self
    }

    #[inline(never)]
    pub fn time(&mut self, at: Timestamp) -> &mut Self {
        self.ids(Some(at), [].iter());
        self
    }

    #[inline(never)]
    pub fn id(&mut self, id: &VersionId) -> &mut Self {
        self.ids(None, [id].into_iter());
        self
    }

    #[inline(never)]
    pub fn value(&mut self, value: &Value) -> &mut Self {
        // What is in the store was checked for its depth when it came in.
        if cbor::write(value, &mut self.0).is_err() {
            self.null();
        }
        self
    }

    /// A version as JavaScript sees it: of a key that is known, or with it. Most answers are one, so it is short: see [`VERSION`].
    #[inline(never)]
    pub fn version(&mut self, of: Option<(&str, &str)>, version: &VersionedValue) -> &mut Self {
        let VersionedValue { value, timestamp, version_id, previous_version, causes, deleted } = version;
        let (is_keyed, is_caused) = (of.is_some(), !causes.is_empty());
        let flags = [is_keyed, !deleted, previous_version.is_some(), is_caused];
        let flags = flags.iter().rev().fold(0, |flags, &flag| flags << 1 | u8::from(flag));
        let items = 2 + 2 * usize::from(is_keyed) + usize::from(!deleted) + usize::from(is_caused);
        self.0.push(VERSION);
        self.list(items).0.push(flags);
        self.ids(Some(*timestamp), [version_id].into_iter().chain(previous_version));
        if let Some((namespace, key)) = of {
            self.text(namespace).text(key);
        }
        if !deleted {
            self.value(value);
        }
        if is_caused {
            self.ids(None, causes.iter());
        }
        self
    }

    /// A time and ids, as one text with nothing in between: each has its length.
    fn ids<'i>(&mut self, at: Option<Timestamp>, ids: impl Iterator<Item = &'i VersionId> + Clone) {
        let length = at.map_or(0, |_| Timestamp::TEXT) + ids.clone().count() * 2 * VersionId::LENGTH;
        self.head(Major::Text, length as u64);
        if let Some(at) = at {
            self.0.extend_from_slice(&at.to_text());
        }
        ids.for_each(|id| self.0.extend_from_slice(&id.to_text()));
    }

    /// Those of a batch.
    pub fn versions(&mut self, versions: &[VersionedValue]) -> &mut Self {
        self.list(versions.len());
        versions.iter().fold(self, |answer, version| answer.version(None, version))
    }

    #[inline(never)]
    pub fn keyed(&mut self, version: &KeyedVersion) -> &mut Self {
        self.version(Some((&version.namespace, &version.key)), &version.version)
    }
}
