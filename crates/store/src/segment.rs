//! A cold segment: a run of a chain's versions in one row, compressed; their ids are computed again, not stored.
//!
//! ```text
//! row     = sum 4 | flags 1 | versions 2 | versions of the chain before these 8 | id of the last 32 | [previous of the first 32] |
//!           length of the content 4 | the content, deflated (RFC 1951)
//! content = the shortest time between two | each time between two, less that
//!         | of each version 0 if it says deleted, or the length of its value and 1
//!         | [of each the number of its causes, and then all causes, 32 bytes each]
//!         | values: CBOR
//! ```
//!
//! Flags: 1 there is no version before the first, 2 the one before it is not here, 4 there are causes, 8 values are woven. Numbers in
//! the content are LEB128. Values that all have the same length, up to 64 bytes, are *woven*: first bytes first, then second
//! ones, and so on, since what is at one place in readings hardly changes.
//!
//! It is read as a whole: the sum is right, and the ids, each computed over the one before, end with that of the last.

use crate::codec::{self, Parts};
use crate::version_id::Written;
use crate::{Causes, StoreError, Table, Timestamp, VersionId, VersionedValue};
use alloc::vec::Vec;
use anabranch_value::{Value, cbor};
use core::ops::Range;

/// How many versions a segment has at most.
pub(crate) const VERSIONS: usize = 256;
/// How many bytes of values and causes it has at most, unless one version has more.
pub(crate) const CONTENT: usize = 64 << 10;
/// A version of more bytes is never put into one.
pub(crate) const LARGEST: usize = 1 << 20;

const FIRST: u8 = 1;
const GAP: u8 = 2;
const HAS_CAUSES: u8 = 4;
const WOVEN: u8 = 8;

/// Values up to this length are woven.
const WOVEN_LENGTH: usize = 64;
/// What a backend takes in blocks: a row that is a little larger than some of them takes twice as many.
const BLOCK: usize = 4096;
/// Less what lies in a block beside the row.
const BESIDE: usize = 64;

/// What comes before the first version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joint {
    /// Nothing: it begins the chain.
    First,
    /// The version before it in this database: in the segment before, or dropped.
    Joins(VersionId),
    /// A version that was never here.
    Gap(VersionId),
}

impl Joint {
    /// The version before the first.
    pub const fn previous(self) -> Option<VersionId> {
        match self {
            Joint::First => None,
            Joint::Joins(previous) | Joint::Gap(previous) => Some(previous),
        }
    }
}

/// A version that is put into a segment.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub id: VersionId,
    pub causes: Causes,
    /// CBOR; none if it says deleted.
    pub value: Option<Vec<u8>>,
}

impl Piece {
    pub fn size(&self) -> usize {
        self.causes.len() * VersionId::LENGTH + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// What is known of a segment without unpacking it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header {
    pub joint: Joint,
    /// How many versions it has.
    pub versions: u64,
    /// How many the chain has before them, dropped ones among them.
    pub before: u64,
    pub last: VersionId,
    flags: u8,
    /// Of its row.
    pub bytes: usize,
}

impl Header {
    /// Whether no more is to be put into it.
    pub const fn is_full(&self) -> bool {
        self.versions >= VERSIONS as u64 || self.bytes >= BLOCK * 3 / 4
    }

    fn parse<'r>(parts: &mut Parts<'r>, bytes: usize) -> Option<(Self, usize, &'r [u8])> {
        let [flags] = *parts.take()?;
        let versions = u64::from(u16::from_be_bytes(*parts.take()?));
        let (before, last) = (parts.u64()?, parts.id()?);
        let joint = match flags & (FIRST | GAP) {
            0 => Joint::Joins(parts.id()?),
            FIRST => Joint::First,
            GAP => Joint::Gap(parts.id()?),
            _ => return None,
        };
        let length = u32::from_be_bytes(*parts.take()?) as usize;
        let header = Header { joint, versions, before, last, flags, bytes };
        (flags < 16 && versions > 0).then_some((header, length, parts.0))
    }

    /// Reads the beginning of a segment's row. `key` is its key in `Segments`.
    pub fn read(key: &[u8], row: &[u8]) -> Result<Self, StoreError> {
        let parse = || Some(Self::parse(&mut Parts(codec::open(key, row)?), row.len())?.0);
        parse().ok_or_else(|| codec::damaged(Table::Segments, key))
    }

    /// What the beginning of a damaged one says, if that part of it is not what is damaged.
    pub fn of_damaged(row: &[u8]) -> Option<Self> {
        let (_sum, rest) = row.split_first_chunk::<4>()?;
        Some(Self::parse(&mut Parts(rest), row.len())?.0)
    }
}

/// A segment, unpacked.
#[derive(Debug)]
pub(crate) struct Segment {
    pub number: u64,
    pub first: Timestamp,
    pub header: Header,
    versions: Vec<Span>,
    content: Vec<u8>,
}

#[derive(Debug)]
struct Span {
    id: VersionId,
    causes: Causes,
    value: Option<Range<usize>>,
}

impl Segment {
    /// Writes a segment of as many of `pieces`, from their front, as fill it well, and says how many those are.
    pub fn write(number: u64, joint: Joint, before: u64, pieces: &[Piece], row: &mut Vec<u8>) -> usize {
        let mut bytes = 0;
        let fits = |piece: &&Piece| {
            let fits = bytes < CONTENT;
            bytes += piece.size();
            fits
        };
        let mut count = pieces.iter().take(VERSIONS).take_while(fits).count();
        loop {
            pack(number, joint, before, &pieces[..count], row);
            let fitting = fitting(count, row.len());
            if fitting == count {
                return count;
            }
            count = fitting;
        }
    }

    /// Reads a segment of a chain, whose namespace and key are `names`.
    pub fn read(key: &[u8], row: &[u8], names: (&str, &str)) -> Result<Self, StoreError> {
        // The compiler leaves out what follows, and with it all that is done with a segment.
        if !cfg!(feature = "cold") {
            return Err(StoreError::NoSegments { namespace: names.0.into(), key: names.1.into() });
        }
        let (number, first) = codec::read_version_key(key)?;
        Self::unpack(number, first, key, row, names).ok_or_else(|| damaged(names, first))
    }

    fn unpack(number: u64, first: Timestamp, key: &[u8], row: &[u8], names: (&str, &str)) -> Option<Self> {
        let (header, length, packed) = Header::parse(&mut Parts(codec::open(key, row)?), row.len())?;
        let content = inflated(packed, length)?;
        (content.len() == length).then_some(())?;
        let mut parts = Parts(&content);
        let count = usize::try_from(header.versions).ok()?;
        let shortest = if count > 1 { number_of(&mut parts)? } else { 0 };
        let mut at = first;
        let mut times = Vec::with_capacity(count);
        times.push(first);
        for _ in 1..count {
            let step = number_of(&mut parts)?.checked_add(shortest)?;
            at = Timestamp::from_nanos(at.nanos().checked_add_unsigned(step)?);
            times.push(at);
        }
        let lengths: Option<Vec<u64>> = (0..count).map(|_| number_of(&mut parts)).collect();
        let lengths = lengths?;
        let mut causes: Vec<Causes> = Vec::new();
        if header.flags & HAS_CAUSES != 0 {
            let counts: Option<Vec<u64>> = (0..count).map(|_| number_of(&mut parts)).collect();
            for count in counts? {
                let ids: Option<Vec<VersionId>> = (0..count).map(|_| parts.id()).collect();
                causes.push(Causes::from(&*ids?));
            }
        }
        let values = content.len() - parts.0.len();
        let content =
            if header.flags & WOVEN != 0 { unwoven(&content[values..], count) } else { content[values..].to_vec() };
        let mut from = 0_usize;
        let mut versions: Vec<Span> = Vec::with_capacity(count);
        let mut previous = header.joint.previous();
        let mut scratch = Vec::new();
        for (place, (at, length)) in times.into_iter().zip(lengths).enumerate() {
            let value = match length.checked_sub(1) {
                None => None,
                Some(length) => Some(from..from.checked_add(usize::try_from(length).ok()?)?),
            };
            let bytes = value.clone().map(|range| content.get(range)).map_or(Some(None), |bytes| bytes.map(Some))?;
            from = value.as_ref().map_or(from, |range| range.end);
            let causes = causes.get_mut(place).map(core::mem::take).unwrap_or_default();
            let (namespace, key) = names;
            let written = Written { namespace, key, value: bytes, timestamp: at, previous, causes: &causes };
            let id = VersionId::of(&written, &mut scratch);
            previous = Some(id);
            versions.push(Span { id, causes, value });
        }
        // The ids are a chain: where the last is right, all are.
        let is_proven = from == content.len() && previous == Some(header.last);
        is_proven.then_some(Segment { number, first, header, versions, content })
    }

    /// How many versions it has.
    pub fn len(&self) -> usize {
        self.versions.len()
    }

    /// When the last was written.
    pub fn last(&self) -> Timestamp {
        self.header.last.timestamp()
    }

    /// How many of its versions were written at or before a moment.
    pub fn until(&self, at: Timestamp) -> usize {
        self.versions.partition_point(|version| version.id.timestamp() <= at)
    }

    pub fn id(&self, place: usize) -> Option<VersionId> {
        self.versions.get(place).map(|version| version.id)
    }

    /// The version before that at a place.
    pub fn previous(&self, place: usize) -> Option<VersionId> {
        match place.checked_sub(1) {
            None => self.header.joint.previous(),
            Some(before) => self.id(before),
        }
    }

    /// The version at a place, as it can be put into another segment.
    pub fn piece(&self, place: usize) -> Option<Piece> {
        let Span { id, causes, value } = self.versions.get(place)?;
        Some(Piece { id: *id, causes: causes.clone(), value: value.clone().map(|range| self.content[range].to_vec()) })
    }

    /// The version at a place.
    pub fn version(&self, place: usize) -> Result<Option<VersionedValue>, StoreError> {
        let Some(Span { id, causes, value }) = self.versions.get(place) else { return Ok(None) };
        let value_of = |range: &Range<usize>| cbor::from_slice(&self.content[range.clone()]);
        let value = value.as_ref().map(value_of).transpose();
        let value = value.map_err(|error| StoreError::damaged(format_args!("the value of version {id}: {error}")))?;
        Ok(Some(VersionedValue {
            deleted: value.is_none(),
            value: value.unwrap_or(Value::Null),
            timestamp: id.timestamp(),
            version_id: *id,
            previous_version: self.previous(place),
            causes: causes.clone(),
        }))
    }
}

#[cfg(feature = "cold")]
fn inflated(packed: &[u8], length: usize) -> Option<Vec<u8>> {
    miniz_oxide::inflate::decompress_to_vec_with_limit(packed, length).ok()
}

#[cfg(feature = "cold")]
fn deflated(content: &[u8]) -> Vec<u8> {
    /// How hard is it tried to make it small: 6 is the middle.
    const EFFORT: u8 = 6;
    miniz_oxide::deflate::compress_to_vec(content, EFFORT)
}

/// [`Segment::read`] has refused it before.
#[cfg(not(feature = "cold"))]
fn inflated(_packed: &[u8], _length: usize) -> Option<Vec<u8>> {
    None
}

/// Nothing is cooled, so none is made.
#[cfg(not(feature = "cold"))]
fn deflated(_content: &[u8]) -> Vec<u8> {
    Vec::new()
}

#[cold]
pub(crate) fn damaged((namespace, key): (&str, &str), first: Timestamp) -> StoreError {
    StoreError::damaged(format_args!("the segment of {key:?} in {namespace:?} with its versions from {first} on"))
}

/// How many of the versions that take so many bytes should be in a row, so that it fills its blocks.
fn fitting(count: usize, bytes: usize) -> usize {
    let taken = bytes + BESIDE;
    if taken <= BLOCK || count == 1 {
        return count;
    }
    // Rows that are larger than a block take a power of two of them.
    let blocks = taken.div_ceil(BLOCK).next_power_of_two() * BLOCK;
    if taken * 8 >= blocks * 7 {
        return count;
    }
    let smaller = blocks / 2 - BESIDE;
    (count * smaller * 31 / 32 / bytes).clamp(1, count - 1)
}

fn pack(number: u64, joint: Joint, before: u64, pieces: &[Piece], row: &mut Vec<u8>) {
    let (Some(first), Some(last)) = (pieces.first(), pieces.last()) else { return };
    let mut content = Vec::new();
    let times = pieces.iter().map(|piece| piece.id.timestamp().nanos());
    let steps = || times.clone().skip(1).zip(times.clone()).map(|(at, before)| at.abs_diff(before));
    if let Some(shortest) = steps().min() {
        put_number(shortest, &mut content);
        steps().for_each(|step| put_number(step - shortest, &mut content));
    }
    let lengths = || pieces.iter().map(|piece| piece.value.as_ref().map(Vec::len));
    lengths().for_each(|length| put_number(length.map_or(0, |length| length as u64 + 1), &mut content));
    let mut flags = match joint {
        Joint::First => FIRST,
        Joint::Joins(_) => 0,
        Joint::Gap(_) => GAP,
    };
    if pieces.iter().any(|piece| !piece.causes.is_empty()) {
        flags |= HAS_CAUSES;
        pieces.iter().for_each(|piece| put_number(piece.causes.len() as u64, &mut content));
        let causes = pieces.iter().flat_map(|piece| piece.causes.iter());
        causes.for_each(|cause| content.extend_from_slice(cause.as_bytes()));
    }
    let length = lengths().next().flatten().filter(|length| (1..=WOVEN_LENGTH).contains(length));
    let values = || pieces.iter().flat_map(|piece| piece.value.as_deref());
    match length {
        Some(length) if lengths().all(|its| its == Some(length)) => {
            flags |= WOVEN;
            (0..length).for_each(|place| content.extend(values().map(|value| value[place])));
        }
        _ => values().for_each(|value| content.extend_from_slice(value)),
    }
    codec::begin(row);
    row.push(flags);
    row.extend_from_slice(&(pieces.len() as u16).to_be_bytes());
    row.extend_from_slice(&before.to_be_bytes());
    row.extend_from_slice(last.id.as_bytes());
    if let Some(previous) = joint.previous() {
        row.extend_from_slice(previous.as_bytes());
    }
    row.extend_from_slice(&(content.len() as u32).to_be_bytes());
    row.extend_from_slice(&deflated(&content));
    codec::seal(&codec::version_key(number, first.id.timestamp()), row);
}

fn unwoven(woven: &[u8], count: usize) -> Vec<u8> {
    let length = woven.len() / count;
    (0..length * count).map(|place| woven[place % length * count + place / length]).collect()
}

fn put_number(mut number: u64, into: &mut Vec<u8>) {
    while number > 127 {
        into.push(number as u8 | 128);
        number >>= 7;
    }
    into.push(number as u8);
}

fn number_of(parts: &mut Parts<'_>) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64_u32).step_by(7) {
        let [byte] = *parts.take()?;
        let bits = u64::from(byte & 127);
        (shift < 63 || bits < 2).then_some(())?;
        number |= bits << shift;
        if byte < 128 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;
    use std::vec;

    const NAMES: (&str, &str) = ("plant", "boiler");

    /// How long after the one before it was written, from what, and what it says.
    type Said = (u64, Vec<VersionId>, Option<Vec<u8>>);

    fn pieces_of(joint: Joint, versions: &[Said]) -> Vec<Piece> {
        let mut previous = joint.previous();
        let mut at = previous.map_or(0, |previous| previous.timestamp().nanos());
        let mut pieces = Vec::new();
        for (step, causes, value) in versions {
            at += 1 + *step as i64;
            let timestamp = Timestamp::from_nanos(at);
            let (namespace, key) = NAMES;
            let written = Written { namespace, key, value: value.as_deref(), timestamp, previous, causes };
            let id = VersionId::of(&written, &mut Vec::new());
            previous = Some(id);
            pieces.push(Piece { id, causes: Causes::from(&**causes), value: value.clone() });
        }
        pieces
    }

    fn an_id() -> VersionId {
        VersionId::from_parts(Timestamp::from_nanos(5), &[7; 24])
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn versions_come_back_as_they_went_in(
            versions in prop::collection::vec(
                (0_u64..1 << 40, 0_usize..3, prop_oneof![Just(None), Just(Some(vec![0x15])), "[a-c]{0,90}".prop_map(|text| Some(text.into_bytes()))]),
                1..40,
            ),
            joint in prop_oneof![Just(Joint::First), Just(Joint::Joins(an_id())), Just(Joint::Gap(an_id()))],
            before: u64,
        ) {
            let versions: Vec<_> = versions.into_iter().map(|(step, causes, value)| (step, vec![an_id(); causes], value)).collect();
            let pieces = pieces_of(joint, &versions);
            let mut row = Vec::new();
            prop_assert_eq!(Segment::write(3, joint, before, &pieces, &mut row), pieces.len());
            let key = codec::version_key(3, pieces[0].id.timestamp());
            let segment = Segment::read(&key, &row, NAMES).unwrap();
            prop_assert_eq!((segment.len(), segment.header.joint, segment.header.before), (pieces.len(), joint, before));
            for (place, piece) in pieces.iter().enumerate() {
                let back = segment.piece(place).unwrap();
                prop_assert_eq!((back.id, &*back.causes, &back.value), (piece.id, &*piece.causes, &piece.value));
                let before = place.checked_sub(1).map(|place| pieces[place].id).or(joint.previous());
                prop_assert_eq!(segment.previous(place), before);
                prop_assert_eq!(segment.until(piece.id.timestamp()), place + 1);
            }
        }

        #[test]
        fn no_bytes_make_a_reader_panic(mut bytes: Vec<u8>, content: Vec<u8>, flags in 0_u8..20, versions in 0_u16..5, length in 0_u32..300) {
            let key = codec::version_key(3, Timestamp::from_nanos(9));
            let _ = Segment::read(&key, &bytes, NAMES);
            let mut row = Vec::new();
            codec::begin(&mut row);
            row.push(flags);
            row.extend_from_slice(&versions.to_be_bytes());
            row.extend_from_slice(&[0; 8]);
            row.extend_from_slice(an_id().as_bytes());
            if flags & FIRST == 0 {
                row.extend_from_slice(an_id().as_bytes());
            }
            row.extend_from_slice(&length.to_be_bytes());
            bytes = super::deflated(&content);
            row.extend_from_slice(&bytes);
            codec::seal(&key, &mut row);
            prop_assert!(Segment::read(&key, &row, NAMES).is_err());
            let _ = Header::read(&key, &row);
            let _ = Header::of_damaged(&content);
        }
    }

    #[test]
    fn every_flipped_bit_is_found_and_named() {
        let versions: Vec<_> = (0..20).map(|value| (value * 7, vec![], Some(vec![value as u8; 9]))).collect();
        let pieces = pieces_of(Joint::First, &versions);
        let mut row = Vec::new();
        Segment::write(3, Joint::First, 0, &pieces, &mut row);
        let key = codec::version_key(3, pieces[0].id.timestamp());
        for bit in 0..row.len() * 8 {
            let mut row = row.clone();
            row[bit / 8] ^= 1 << (bit % 8);
            let error = Segment::read(&key, &row, NAMES).unwrap_err();
            assert!(error.is_damage() && error.to_string().contains("\"boiler\" in \"plant\""), "bit {bit}: {error}");
            assert!(Header::read(&key, &row).is_err());
        }
        assert!(Segment::read(&key, &row, ("plant", "pump")).is_err(), "of another key");
    }

    #[test]
    fn a_row_fills_its_blocks_or_is_smaller_than_one() {
        // Bytes that cannot be made smaller.
        let mut random = 1_u64;
        let mut byte = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 40) as u8
        };
        for length in [10, 40, 300, 5000] {
            let versions: Vec<_> =
                (0..256).map(|_| (1000, vec![], Some((0..length).map(|_| byte()).collect()))).collect();
            let pieces = pieces_of(Joint::First, &versions);
            let mut row = Vec::new();
            let count = Segment::write(3, Joint::First, 0, &pieces, &mut row);
            let blocks = (row.len() + BESIDE).div_ceil(BLOCK).next_power_of_two() * BLOCK;
            let fills = (row.len() + BESIDE) * 8 >= blocks * 7;
            assert!(row.len() + BESIDE <= BLOCK || fills || count == 1, "{count} of {length} bytes: {}", row.len());
        }
    }
}
