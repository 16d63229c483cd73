//! What names one write for ever: when it was, and a digest of all that it says.

use crate::Timestamp;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

/// The name of a version: 8 bytes of its timestamp, big-endian, and 24 of BLAKE3 over what was written, and after what.
///
/// It is unique for each write, sorts by time, and can be computed again from the version, which is how `verify` proves a
/// chain. As text it is 64 hexadecimal digits.
///
/// ```
/// use anabranch_store::VersionId;
///
/// let text = "18a14f0c5e3a0001e0b7f1a4c2d39586776859403122130f1e2d3c4b5a697887";
/// let id: VersionId = text.parse()?;
/// assert_eq!(id.to_string(), text);
/// assert_eq!(id.timestamp().to_string(), "2026-03-29T12:17:22.699747329Z");
/// # Ok::<(), anabranch_store::BadVersionId>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionId([u8; VersionId::LENGTH]);

/// What a version's id is computed over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written<'w> {
    pub namespace: &'w str,
    pub key: &'w str,
    /// CBOR; none where the key was deleted.
    pub value: Option<&'w [u8]>,
    pub timestamp: Timestamp,
    pub previous: Option<VersionId>,
    pub causes: &'w [VersionId],
}

/// Values up to this length are copied beside what else is hashed: one call on a few blocks is faster than several.
const COPIED: usize = 4096;

impl VersionId {
    /// How many bytes it has.
    pub const LENGTH: usize = 32;
    pub(crate) const DIGEST: usize = 24;
    /// What no version has, where one is filled in later.
    pub(crate) const BLANK: Self = Self([0; Self::LENGTH]);

    /// From its bytes; none where they begin with a time that no version has.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::LENGTH]) -> Option<Self> {
        let id = Self(bytes);
        (id.timestamp() > Timestamp::ZERO).then_some(id)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }

    /// Its text, which is ASCII: what [`Display`](fmt::Display) writes, for whoever writes many.
    #[must_use]
    pub fn to_text(&self) -> [u8; 2 * Self::LENGTH] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 2 * Self::LENGTH];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        text
    }

    /// When the version was written.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        Timestamp::from_nanos(i64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }

    pub(crate) fn digest(&self) -> &[u8] {
        &self.0[8..]
    }

    pub(crate) fn from_parts(timestamp: Timestamp, digest: &[u8; Self::DIGEST]) -> Self {
        let mut bytes = [0; Self::LENGTH];
        bytes[..8].copy_from_slice(&timestamp.to_bytes());
        bytes[8..].copy_from_slice(digest);
        Self(bytes)
    }

    /// Computes the id of what was written. `scratch` is memory to work in.
    ///
    /// ```text
    /// 1 | timestamp 8 | flags 1: has a previous version, is a deletion | [previous 32] | causes: count 4, 32 each |
    /// namespace: length 4, bytes | key: length 4, bytes | [value: length 8, CBOR]
    /// ```
    /// Each length stands before its bytes, so no separator can be confused.
    pub(crate) fn of(written: &Written<'_>, scratch: &mut Vec<u8>) -> Self {
        scratch.clear();
        // What is of a known length is put together first, and copied in one piece.
        let mut begin = [0; 1 + 8 + 1 + Self::LENGTH + 4];
        begin[0] = 1;
        begin[1..9].copy_from_slice(&written.timestamp.to_bytes());
        begin[9] = u8::from(written.previous.is_some()) | u8::from(written.value.is_none()) << 1;
        let count = (written.causes.len() as u32).to_be_bytes();
        match written.previous {
            Some(previous) => {
                begin[10..42].copy_from_slice(&previous.0);
                begin[42..].copy_from_slice(&count);
                scratch.extend_from_slice(&begin);
            }
            None => {
                begin[10..14].copy_from_slice(&count);
                scratch.extend_from_slice(&begin[..14]);
            }
        }
        for cause in written.causes {
            scratch.extend_from_slice(&cause.0);
        }
        for name in [written.namespace, written.key] {
            scratch.extend_from_slice(&(name.len() as u32).to_be_bytes());
            scratch.extend_from_slice(name.as_bytes());
        }
        let value = written.value.unwrap_or_default();
        if written.value.is_some() {
            scratch.extend_from_slice(&(value.len() as u64).to_be_bytes());
        }
        let hash = if value.len() <= COPIED {
            scratch.extend_from_slice(value);
            blake3::hash(scratch)
        } else {
            blake3::Hasher::new().update(scratch).update(value).finalize()
        };
        let digest = hash.as_bytes().first_chunk().expect("a digest of BLAKE3 has 32 bytes");
        Self::from_parts(written.timestamp, digest)
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(core::str::from_utf8(&self.to_text()).expect("hexadecimal digits are ASCII"))
    }
}

impl fmt::Debug for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for VersionId {
    type Err = BadVersionId;

    fn from_str(text: &str) -> Result<Self, BadVersionId> {
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let parse = || {
            let text: &[u8; 2 * Self::LENGTH] = text.as_bytes().try_into().ok()?;
            let mut bytes = [0; Self::LENGTH];
            for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
                *byte = digit(pair[0])? << 4 | digit(pair[1])?;
            }
            Self::from_bytes(bytes)
        };
        parse().ok_or_else(|| BadVersionId { text: text.chars().take(80).collect() })
    }
}

/// Text that should be a version id is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a version id: copy all 64 hexadecimal digits from `put` or `history`")]
pub struct BadVersionId {
    /// The text, or as much of it as shows what it is.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use std::collections::HashSet;

    fn id(written: &Written<'_>) -> VersionId {
        VersionId::of(written, &mut Vec::new())
    }

    #[test]
    fn every_part_of_a_write_changes_its_id() {
        let cause = id(&Written {
            namespace: "n",
            key: "k",
            value: None,
            timestamp: Timestamp::from_nanos(1),
            previous: None,
            causes: &[],
        });
        let one = Written {
            namespace: "ab",
            key: "c",
            value: Some(b"\x01"),
            timestamp: Timestamp::from_nanos(7),
            previous: None,
            causes: &[],
        };
        let large = [0; COPIED + 1];
        let others = [
            one,
            Written { namespace: "a", key: "bc", ..one },
            Written { namespace: "ab\0", ..one },
            Written { value: Some(b"\x02"), ..one },
            Written { value: Some(b""), ..one },
            Written { value: None, ..one },
            Written { value: Some(&large), ..one },
            Written { value: Some(&large[1..]), ..one },
            Written { timestamp: Timestamp::from_nanos(8), ..one },
            Written { previous: Some(cause), ..one },
            Written { causes: &[cause], ..one },
            Written { causes: &[cause, cause], ..one },
        ];
        let ids: HashSet<_> = others.iter().map(id).collect();
        assert_eq!(ids.len(), others.len());
    }

    #[test]
    fn its_definition_stands_for_ever() {
        let first = Written {
            namespace: "plant",
            key: "boiler",
            value: Some(b"\x15"),
            timestamp: Timestamp::from_nanos(1),
            previous: None,
            causes: &[],
        };
        let mut bytes = std::vec![1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 5];
        bytes.extend_from_slice(b"plant\0\0\0\x06boiler\0\0\0\0\0\0\0\x01\x15");
        let digest = blake3::hash(&bytes);
        assert_eq!(id(&first).as_bytes()[8..], digest.as_bytes()[..24]);
        assert_eq!(id(&first).timestamp(), first.timestamp);
    }

    #[test]
    fn text_that_is_no_id_is_refused() {
        let good = "18a14f0c5e3a0001e0b7f1a4c2d39586776859403122130f1e2d3c4b5a697887";
        assert_eq!(good.parse::<VersionId>().unwrap().to_string(), good);
        let no_time = "0000000000000000e0b7f1a4c2d39586776859403122130f1e2d3c4b5a697887";
        let negative = good.replacen('1', "f", 1);
        let sixty_four_bytes_that_are_no_digits = "é".repeat(32);
        for bad in
            ["", "18", &good[1..], no_time, &negative, &good.replace('7', "g"), &sixty_four_bytes_that_are_no_digits]
        {
            assert!(bad.parse::<VersionId>().is_err(), "{bad}");
        }
    }
}
