//! How rows lie in the tables: what writes and what reads each, side by side.
//!
//! ```text
//! table       key                                     row
//! Meta        "format"                                sum 4 | number of the format 4
//! Meta        "retention ", name                      sum 4 | kind 1: 1 the last, 2 for a duration | versions or nanoseconds 8
//! Meta        "tiers"                                 sum 4 | segments 8 | bytes of those 8 | deep rows 8 | versions dropped 8 | bytes of warm versions 8 | up to this time 8
//! Namespaces  name                                    sum 4 | keys that are there 8 | keys ever 8
//! Keys        length of namespace 1, namespace, key   sum 4 | flags 1 | number 8 | time of the oldest kept version 8
//! Versions    number 8, 0 (8 bytes)                   sum 4 | length of namespace 1 | namespace | key
//! Versions    number 8, time 8                        sum 4 | flags 1 | digest 24 | [previous 32] | [causes: count 2, 32 each] | value
//! Times       time 8                                  number 8
//! Effects     time of the cause 8, of the effect 8    nothing
//! Segments    number 8, time of the first version 8   a segment: `segment.rs`
//! Segments    number 8, 0 (8 bytes)                   sum 4 | versions dropped 8 | time of the first 8 | id of the last 32
//! ```
//!
//! The key's number stands for its namespace and key, and counts from 1. A version's previous one is the row before it, or what
//! `Segments` has of the chain last, so its id is stored only where that one was never here. Integers are big-endian, values CBOR. `sum` is CRC-32C over the row's
//! key and the rest of the row: whatever bit flips, it is found before the row is believed.

use crate::crc::Crc;
use crate::{Causes, StoreError, Table, Timestamp, VersionId, VersionedValue};
use alloc::vec::Vec;
use anabranch_value::{Text, cbor};

/// The format that this program writes, and the latest that it reads. The first had no segments; all else is the same.
pub(crate) const FORMAT: u32 = 2;
/// Where it stands in `Meta`.
pub(crate) const FORMAT_KEY: &[u8] = b"format";

const SUM: usize = 4;

/// Begins a row: room for its sum.
pub(crate) fn begin(row: &mut Vec<u8>) {
    row.clear();
    row.extend_from_slice(&[0; SUM]);
}

/// Ends a row: its sum.
pub(crate) fn seal(key: &[u8], row: &mut [u8]) {
    let (place, rest) = row.split_at_mut(SUM);
    place.copy_from_slice(&Crc::of(key, rest).to_be_bytes());
}

/// What stands after the sum, if the sum is right.
pub(crate) fn open<'r>(key: &[u8], row: &'r [u8]) -> Option<&'r [u8]> {
    let (sum, rest) = row.split_first_chunk::<SUM>()?;
    (Crc::of(key, rest) == u32::from_be_bytes(*sum)).then_some(rest)
}

#[cold]
pub(crate) fn damaged(table: Table, key: &[u8]) -> StoreError {
    StoreError::damaged(format_args!("the row {} of {table:?}", Hex(key)))
}

struct Hex<'b>(&'b [u8]);

impl core::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().take(32).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The parts of a row, taken from its front.
pub(crate) struct Parts<'r>(pub &'r [u8]);

impl<'r> Parts<'r> {
    pub fn take<const N: usize>(&mut self) -> Option<&'r [u8; N]> {
        let (part, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(part)
    }

    pub fn bytes(&mut self, length: usize) -> Option<&'r [u8]> {
        let (part, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(part)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.take().copied().map(u64::from_be_bytes)
    }

    pub fn id(&mut self) -> Option<VersionId> {
        VersionId::from_bytes(*self.take()?)
    }

    pub fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

pub(crate) fn write_format(format: u32, row: &mut Vec<u8>) {
    begin(row);
    row.extend_from_slice(&format.to_be_bytes());
    seal(FORMAT_KEY, row);
}

pub(crate) fn read_format(row: &[u8]) -> Result<u32, StoreError> {
    let parse = || open(FORMAT_KEY, row)?.try_into().ok().map(u32::from_be_bytes);
    parse().ok_or_else(|| damaged(Table::Meta, FORMAT_KEY))
}

/// What is known of a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct NamespaceRow {
    /// Keys that are there.
    pub live: u64,
    /// Keys that ever were.
    pub ever: u64,
}

impl NamespaceRow {
    pub fn write(&self, name: &[u8], row: &mut Vec<u8>) {
        begin(row);
        row.extend_from_slice(&self.live.to_be_bytes());
        row.extend_from_slice(&self.ever.to_be_bytes());
        seal(name, row);
    }

    pub fn read(name: &[u8], row: &[u8]) -> Result<Self, StoreError> {
        let parse = || {
            let mut parts = Parts(open(name, row)?);
            let read = NamespaceRow { live: parts.u64()?, ever: parts.u64()? };
            parts.end().map(|()| read)
        };
        parse().ok_or_else(|| damaged(Table::Namespaces, name))
    }
}

/// The key in `Keys` of a key in a namespace: in the order of keys within each namespace.
pub(crate) fn key_of(namespace: &str, key: &str, into: &mut Vec<u8>) {
    into.clear();
    into.push(u8::try_from(namespace.len()).expect("names are checked before they are looked up"));
    into.extend_from_slice(namespace.as_bytes());
    into.extend_from_slice(key.as_bytes());
}

/// The namespace and the key of a key in `Keys`.
pub(crate) fn names_of(key: &[u8]) -> Result<(&str, &str), StoreError> {
    split_names(key).ok_or_else(|| damaged(Table::Keys, key))
}

fn split_names(names: &[u8]) -> Option<(&str, &str)> {
    let mut parts = Parts(names);
    let [length] = *parts.take()?;
    let namespace = core::str::from_utf8(parts.bytes(length.into())?).ok()?;
    let key = core::str::from_utf8(parts.0).ok()?;
    (!namespace.is_empty() && !key.is_empty()).then_some((namespace, key))
}

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyRow {
    pub number: u64,
    /// When the oldest version was written that is kept.
    pub first: Timestamp,
    /// Whether its newest version says deleted.
    pub deleted: bool,
    /// Whether any of its versions does, or did that was dropped.
    pub ever_deleted: bool,
}

impl KeyRow {
    const DELETED: u8 = 1;
    const EVER_DELETED: u8 = 2;

    pub fn write(&self, key: &[u8], row: &mut Vec<u8>) {
        begin(row);
        let deleted = if self.deleted { Self::DELETED } else { 0 };
        row.push(deleted | if self.ever_deleted { Self::EVER_DELETED } else { 0 });
        row.extend_from_slice(&self.number.to_be_bytes());
        row.extend_from_slice(&self.first.to_bytes());
        seal(key, row);
    }

    pub fn read(key: &[u8], row: &[u8]) -> Result<Self, StoreError> {
        let parse = || {
            let mut parts = Parts(open(key, row)?);
            let [flags] = *parts.take()?;
            let number = parts.u64()?;
            let first = Timestamp::from_bytes(parts.take::<8>()?)?;
            parts.end()?;
            let (deleted, ever_deleted) = (flags & Self::DELETED != 0, flags & Self::EVER_DELETED != 0);
            (flags <= 3 && number > 0).then_some(KeyRow { number, first, deleted, ever_deleted })
        };
        parse().ok_or_else(|| damaged(Table::Keys, key))
    }
}

/// The key in `Versions` of a version, or of a chain's name at time 0.
pub(crate) fn version_key(number: u64, timestamp: Timestamp) -> [u8; 16] {
    (u128::from(number) << 64 | u128::from(timestamp.nanos() as u64)).to_be_bytes()
}

/// The number and the time of a key in `Versions`.
pub(crate) fn read_version_key(key: &[u8]) -> Result<(u64, Timestamp), StoreError> {
    let parse = || {
        let mut parts = Parts(key);
        let number = parts.u64()?;
        Some((number, Timestamp::from_bytes(parts.0)?))
    };
    parse().ok_or_else(|| damaged(Table::Versions, key))
}

/// The row of a chain's name: `names` is its key in `Keys`.
pub(crate) fn write_name(number: u64, names: &[u8], row: &mut Vec<u8>) {
    begin(row);
    row.extend_from_slice(names);
    seal(&version_key(number, Timestamp::ZERO), row);
}

pub(crate) fn read_name(number: u64, row: &[u8]) -> Result<(&str, &str), StoreError> {
    let key = version_key(number, Timestamp::ZERO);
    open(&key, row).and_then(split_names).ok_or_else(|| damaged(Table::Versions, &key))
}

pub(crate) fn read_number(timestamp: &[u8], row: &[u8]) -> Result<u64, StoreError> {
    row.try_into().map(u64::from_be_bytes).map_err(|_| damaged(Table::Times, timestamp))
}

/// A version as it lies in `Versions`: what is longer than a register is left where it is, as it would be moved more often than
/// it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct VersionRow<'r> {
    pub timestamp: Timestamp,
    flags: u8,
    digest: &'r [u8; VersionId::DIGEST],
    /// The id of the previous version, where it stands here.
    here: Option<&'r [u8; VersionId::LENGTH]>,
    /// 32 bytes each.
    causes: &'r [u8],
    /// CBOR; `None`: deleted.
    pub value: Option<&'r [u8]>,
}

/// Where the id of the previous version is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Previous {
    /// There is none: this is the first.
    None,
    /// In the row before; where this is the oldest row, in the last segment, or what is left of the versions that were dropped.
    Before,
    /// Here, since that version never was.
    Here(VersionId),
}

const DELETED: u8 = 1;
const FIRST: u8 = 2;
const PREVIOUS_HERE: u8 = 4;
const HAS_CAUSES: u8 = 8;

/// Writes the row of a version: in `memory`, of which it is the end.
pub(crate) fn write_version<'m>(
    key: &[u8; 16],
    id: &VersionId,
    previous: Previous,
    causes: &[VersionId],
    value: Option<&[u8]>,
    memory: &'m mut Vec<u8>,
) -> &'m [u8] {
    // The key first, so that all that is summed stands together; the sum then takes the place of its last bytes.
    memory.clear();
    memory.extend_from_slice(key);
    let previous_flag = match previous {
        Previous::None => FIRST,
        Previous::Before => 0,
        Previous::Here(_) => PREVIOUS_HERE,
    };
    let deleted = if value.is_none() { DELETED } else { 0 };
    memory.push(previous_flag | deleted | if causes.is_empty() { 0 } else { HAS_CAUSES });
    memory.extend_from_slice(id.digest());
    if let Previous::Here(previous) = previous {
        memory.extend_from_slice(previous.as_bytes());
    }
    if !causes.is_empty() {
        let count = u16::try_from(causes.len()).expect("the number of causes is checked before they are written");
        memory.extend_from_slice(&count.to_be_bytes());
        causes.iter().for_each(|cause| memory.extend_from_slice(cause.as_bytes()));
    }
    memory.extend_from_slice(value.unwrap_or_default());
    let sum = Crc::new().update(memory).value();
    let row = &mut memory[key.len() - SUM..];
    row[..SUM].copy_from_slice(&sum.to_be_bytes());
    row
}

impl<'r> VersionRow<'r> {
    /// Reads the row of a version.
    pub fn read(key: &[u8], row: &'r [u8]) -> Result<Self, StoreError> {
        Self::parse(key, row).ok_or_else(|| damaged(Table::Versions, key))
    }

    /// Reads it; none where it is damaged.
    pub fn parse(key: &[u8], row: &'r [u8]) -> Option<Self> {
        let mut parts = Parts(open(key, row)?);
        let timestamp = Timestamp::from_bytes(key.get(8..)?).filter(|at| *at > Timestamp::ZERO)?;
        let [flags] = *parts.take()?;
        let digest = parts.take()?;
        let here = match flags & (FIRST | PREVIOUS_HERE) {
            0 | FIRST => None,
            PREVIOUS_HERE => Some(parts.take().filter(|id| VersionId::from_bytes(**id).is_some())?),
            _ => return None,
        };
        let causes = if flags & HAS_CAUSES != 0 {
            let count = u16::from_be_bytes(*parts.take()?);
            parts.bytes(usize::from(count) * VersionId::LENGTH)?
        } else {
            &[]
        };
        let value = (flags & DELETED == 0).then_some(parts.0);
        let is_whole = flags < 16 && (value.is_some() || parts.0.is_empty());
        is_whole.then_some(VersionRow { timestamp, flags, digest, here, causes, value })
    }

    /// The name of the version.
    pub fn id(&self) -> VersionId {
        VersionId::from_parts(self.timestamp, self.digest)
    }

    /// Where the id of the previous version is.
    pub fn previous(&self) -> Previous {
        match self.here.and_then(|id| VersionId::from_bytes(*id)) {
            Some(previous) => Previous::Here(previous),
            None if self.follows() => Previous::Before,
            None => Previous::None,
        }
    }

    /// Whether the id of the previous version is in the row before.
    pub fn follows(&self) -> bool {
        self.flags & (FIRST | PREVIOUS_HERE) == 0
    }

    /// The id that a row of a damaged version has, if that part of it is not what is damaged.
    pub fn id_of_damaged(timestamp: Timestamp, row: &[u8]) -> Option<VersionId> {
        let digest = row.get(SUM + 1..)?.first_chunk()?;
        Some(VersionId::from_parts(timestamp, digest))
    }

    /// The versions that it was made from.
    pub fn causes(&self) -> Result<Causes, StoreError> {
        if self.causes.is_empty() {
            return Ok(Causes::default());
        }
        let (causes, _) = self.causes.as_chunks();
        let ids: Option<Vec<VersionId>> = causes.iter().map(|bytes| VersionId::from_bytes(*bytes)).collect();
        ids.map(|ids| Causes::from(&*ids))
            .ok_or_else(|| StoreError::damaged(format_args!("the causes of version {}", self.id())))
    }

    /// The version, but for the id of the previous one where that is in the row before.
    pub fn decode(&self) -> Result<VersionedValue, StoreError> {
        let mut version = VersionedValue::BLANK;
        self.read_into(&mut version)?;
        Ok(version)
    }

    /// Decodes it to the end of a page, where it is made in its place: a fifth of what a page costs is moving versions about.
    /// Where it fails, the page is as it was.
    pub fn decode_to(&self, page: &mut Vec<VersionedValue>) -> Result<(), StoreError> {
        page.push(VersionedValue::BLANK);
        let read = page.last_mut().map_or(Ok(()), |version| self.read_into(version));
        read.inspect_err(|_| drop(page.pop()))
    }

    fn read_into(&self, version: &mut VersionedValue) -> Result<(), StoreError> {
        version.timestamp = self.timestamp;
        version.version_id = self.id();
        if let Previous::Here(previous) = self.previous() {
            version.previous_version = Some(previous);
        }
        if !self.causes.is_empty() {
            version.causes = self.causes()?;
        }
        let Some(bytes) = self.value else {
            version.deleted = true;
            return Ok(());
        };
        cbor::read_into(bytes, &mut version.value)
            .map_err(|error| StoreError::damaged(format_args!("the value of version {}: {error}", self.id())))
    }
}

/// The namespace and the key of a key in `Keys` that was read already.
pub(crate) fn texts_of(names: &[u8]) -> (Text, Text) {
    let (namespace, key) = split_names(names).unwrap_or_default();
    (namespace.into(), key.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_value::Value;
    use proptest::prelude::*;

    fn id(timestamp: i64, byte: u8) -> VersionId {
        VersionId::from_parts(Timestamp::from_nanos(timestamp), &[byte; 24])
    }

    fn some_row() -> ([u8; 16], Vec<u8>) {
        let key = version_key(7, Timestamp::from_nanos(5));
        let mut memory = Vec::new();
        let causes = [id(2, 2), id(3, 3)];
        let row = write_version(&key, &id(5, 9), Previous::Here(id(4, 4)), &causes, Some(&[0x15]), &mut memory);
        (key, row.to_vec())
    }

    #[test]
    fn a_version_s_row_is_read_as_it_was_written() {
        let (key, row) = some_row();
        let version = VersionRow::read(&key, &row).unwrap().decode().unwrap();
        assert_eq!(version.value, Value::Int(0x15));
        assert_eq!((version.version_id, version.previous_version), (id(5, 9), Some(id(4, 4))));
        assert_eq!(*version.causes, [id(2, 2), id(3, 3)]);
        assert!(!version.deleted);
    }

    #[test]
    fn every_flipped_bit_of_a_row_is_found() {
        let (key, row) = some_row();
        for bit in 0..row.len() * 8 {
            let mut row = row.clone();
            row[bit / 8] ^= 1 << (bit % 8);
            assert!(VersionRow::read(&key, &row).is_err(), "bit {bit}");
        }
        for length in 0..row.len() {
            assert!(VersionRow::read(&key, &row[..length]).is_err(), "cut at {length}");
        }
        let elsewhere = version_key(7, Timestamp::from_nanos(6));
        assert!(VersionRow::read(&elsewhere, &row).is_err(), "a row under another key");
    }

    proptest! {
        #[test]
        fn no_bytes_make_a_reader_panic(mut bytes: Vec<u8>, key: Vec<u8>, sealed: bool) {
            if sealed && bytes.len() >= SUM {
                seal(&key, &mut bytes);
            }
            let _ = VersionRow::read(&key, &bytes).and_then(|row| row.decode());
            let _ = KeyRow::read(&key, &bytes);
            let _ = NamespaceRow::read(&key, &bytes);
            let _ = read_name(1, &bytes);
            let _ = read_format(&bytes);
            let _ = names_of(&bytes);
            let _ = read_version_key(&bytes);
            let _ = read_number(&key, &bytes);
        }

        #[test]
        fn keys_sort_by_key_within_a_namespace(namespace in ".{1,20}", one in ".{1,20}", other in ".{1,20}") {
            let (mut a, mut b) = (Vec::new(), Vec::new());
            key_of(&namespace, &one, &mut a);
            key_of(&namespace, &other, &mut b);
            prop_assert_eq!(a.cmp(&b), one.cmp(&other));
            prop_assert_eq!(names_of(&a).unwrap(), (namespace.as_str(), one.as_str()));
        }
    }
}
