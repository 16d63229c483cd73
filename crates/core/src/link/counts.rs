//! What a link of a static record counts: a few words, which any service can read.

use core::fmt;
use portable_atomic::{AtomicU8, AtomicUsize, Ordering};

/// What kept a value from passing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum LinkFailure {
    /// The payload is no value of the record's type.
    Decode = 1,
    /// The value has no form in the link's format.
    Encode = 2,
    /// The value or its payload is larger than its place.
    TooLarge = 3,
    /// The address lacks a field, is too long, or is one that the protocol does not allow.
    Address = 4,
    /// The peer refused the value or the subscription.
    Refused = 5,
    /// The record is a queue without room, and as many values wait for it as have a place.
    NoRoom = 6,
}

impl LinkFailure {
    fn of(number: u8) -> Option<Self> {
        Some(match number {
            1 => LinkFailure::Decode,
            2 => LinkFailure::Encode,
            3 => LinkFailure::TooLarge,
            4 => LinkFailure::Address,
            5 => LinkFailure::Refused,
            6 => LinkFailure::NoRoom,
            _ => return None,
        })
    }
}

impl fmt::Display for LinkFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LinkFailure::Decode => "the payload is no value of this record",
            LinkFailure::Encode => "the value has no form in this format",
            LinkFailure::TooLarge => "the value is larger than its place: raise `max_payload`, or send less",
            LinkFailure::Address => "the address cannot be filled in, or is too long",
            LinkFailure::Refused => "the peer refused it",
            LinkFailure::NoRoom => "the queue has no room: make it larger, or let more values wait",
        })
    }
}

/// What a link of a static record has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LinkCounts {
    /// How many values passed: into the record, or to the connector.
    pub values: usize,
    /// How many could not be decoded, encoded or published.
    pub failed: usize,
    /// How many were dropped while there was no connection, or no room.
    pub dropped: usize,
    /// How many are kept for when there is a connection.
    pub kept: usize,
    /// What went wrong last.
    pub last_failure: Option<LinkFailure>,
}

/// Where it counts.
#[derive(Debug)]
pub(crate) struct Counters {
    values: AtomicUsize,
    failed: AtomicUsize,
    dropped: AtomicUsize,
    kept: AtomicUsize,
    last_failure: AtomicU8,
}

impl Counters {
    pub(crate) const fn new() -> Self {
        Counters {
            values: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
            kept: AtomicUsize::new(0),
            last_failure: AtomicU8::new(0),
        }
    }

    pub(crate) fn passed(&self) {
        self.values.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, kind: LinkFailure) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        self.last_failure.store(kind as u8, Ordering::Relaxed);
    }

    pub(crate) fn dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn keeps(&self, values: usize) {
        self.kept.store(values, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> LinkCounts {
        LinkCounts {
            values: self.values.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            kept: self.kept.load(Ordering::Relaxed),
            last_failure: LinkFailure::of(self.last_failure.load(Ordering::Relaxed)),
        }
    }
}
