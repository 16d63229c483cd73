//! What a link is doing: counted by whoever moves its values, read by anybody.

use crate::buffer::Lock;
use alloc::{boxed::Box, string::String, sync::Arc};
use core::fmt;
use portable_atomic::{AtomicUsize, Ordering};

/// Which way a link's values go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkDirection {
    /// From outside into the record: `link_from`.
    In,
    /// From the record to the outside: `link_to`.
    Out,
}

/// A link, for people and dashboards.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkStatus {
    /// The record.
    pub record: Arc<str>,
    /// The address, as it was configured.
    pub address: Arc<str>,
    /// Which way values go.
    pub direction: LinkDirection,
    /// How many values passed: into the record, or to the connector.
    pub values: u64,
    /// How many could not be decoded, encoded or published.
    pub failed: u64,
    /// How many were dropped while there was no connection.
    pub dropped: u64,
    /// How many are kept for when there is a connection.
    pub kept: usize,
    /// What went wrong last: the address that the value came from or went to, and why.
    pub last_error: Option<String>,
}

/// The counters of one link. Small, since there may be ten thousand.
pub(crate) struct LinkState {
    pub(crate) record: Arc<str>,
    pub(crate) address: Arc<str>,
    pub(crate) direction: LinkDirection,
    /// Where the address goes on after its scheme: looking for it takes longer than routing does.
    resource_at: u8,
    // Words: 64-bit counters are no atomics on a microcontroller.
    values: AtomicUsize,
    failed: AtomicUsize,
    dropped: AtomicUsize,
    kept: AtomicUsize,
    last_error: Lock<Option<Box<str>>>,
}

impl LinkState {
    pub(crate) fn new(record: Arc<str>, address: Arc<str>, direction: LinkDirection) -> Self {
        let resource_at = address.find("://").map_or(0, |at| at + 3);
        LinkState {
            record,
            resource_at: u8::try_from(resource_at).unwrap_or(0),
            address,
            direction,
            values: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
            kept: AtomicUsize::new(0),
            last_error: Lock::new(None),
        }
    }

    /// The address without its scheme.
    pub(crate) fn resource(&self) -> &str {
        self.address.get(usize::from(self.resource_at)..).unwrap_or("")
    }

    #[inline]
    pub(crate) fn passed(&self) {
        self.values.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn keeps(&self, values: usize) {
        self.kept.store(values, Ordering::Relaxed);
    }

    /// Counts a value that was dropped while offline.
    pub(crate) fn dropped(&self) {
        let _dropped = self.dropped.fetch_add(1, Ordering::Relaxed) + 1;
        #[cfg(feature = "std")]
        if _dropped.is_power_of_two() {
            tracing::warn!(
                record = &*self.record,
                link = &*self.address,
                dropped = _dropped,
                "a link drops values: no connection"
            );
        }
    }

    /// Counts and reports a value that could not pass, which came from or was to go to `address`.
    pub(crate) fn failed(&self, address: &str, why: &dyn fmt::Display) {
        let failed = self.failed.fetch_add(1, Ordering::Relaxed) + 1;
        let words = alloc::format!("{address}: {why}").into_boxed_str();
        // The first, the second, the fourth …: a peer that sends nothing but nonsense does not fill the log.
        #[cfg(feature = "std")]
        if failed.is_power_of_two() {
            tracing::warn!(record = &*self.record, link = &*self.address, failed, "a value could not pass: {words}");
        }
        let _ = failed;
        drop(self.last_error.with(|last| last.replace(words)));
    }

    pub(crate) fn status(&self) -> LinkStatus {
        LinkStatus {
            record: self.record.clone(),
            address: self.address.clone(),
            direction: self.direction,
            values: self.values.load(Ordering::Relaxed) as u64,
            failed: self.failed.load(Ordering::Relaxed) as u64,
            dropped: self.dropped.load(Ordering::Relaxed) as u64,
            kept: self.kept.load(Ordering::Relaxed),
            last_error: self.last_error.with(|last| last.as_ref().map(|words| String::from(&**words))),
        }
    }
}
