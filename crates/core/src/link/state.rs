//! What a link is doing: counted by whoever moves its values, read by anybody.

use crate::{
    buffer::Lock,
    link::{
        LinkDirection, LinkFailure,
        address::{is_fixed, resource, resource_at},
        outbound::Notes,
    },
};
use alloc::{boxed::Box, string::String, sync::Arc};
use core::fmt;
use portable_atomic::{AtomicU32, AtomicUsize, Ordering};

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
    /// How many values passed: into the record, or to the connector. One is counted when it was handed on, so another thread
    /// that has just received it may still read the number before.
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

/// Between which record and which address a link is.
pub(crate) struct Ties {
    pub(crate) record: Arc<str>,
    pub(crate) address: Arc<str>,
    /// Where the address goes on after its scheme: it is asked for more often than it should be looked for.
    resource_at: u8,
}

impl Ties {
    pub(crate) fn new(record: Arc<str>, address: Arc<str>) -> Self {
        Ties { record, resource_at: resource_at(&address), address }
    }

    /// The address without its scheme.
    pub(crate) fn resource(&self) -> &str {
        resource(&self.address, self.resource_at)
    }
}

/// The values of one link that could not pass.
pub(crate) struct Failures {
    // 32 bits each: of ten thousand links every word counts.
    count: AtomicU32,
    dropped: AtomicU32,
    last: Lock<Option<Box<str>>>,
}

impl Failures {
    pub(crate) fn new() -> Self {
        Failures { count: AtomicU32::new(0), dropped: AtomicU32::new(0), last: Lock::new(None) }
    }

    /// Counts and reports a value that could not pass, which came from or was to go to `address`.
    #[cold]
    pub(crate) fn add(&self, ties: &Ties, address: &str, why: &dyn fmt::Display) {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let words = alloc::format!("{address}: {why}").into_boxed_str();
        // The first, the second, the fourth …: a peer that sends nothing but nonsense does not fill the log.
        #[cfg(feature = "std")]
        if count.is_power_of_two() {
            tracing::warn!(
                record = &*ties.record,
                link = &*ties.address,
                failed = count,
                "a value could not pass: {words}"
            );
        }
        let _ = (count, ties);
        drop(self.last.with(|last| last.replace(words)));
    }

    /// How many, and the last one's words.
    pub(crate) fn status(&self) -> (u64, Option<String>) {
        let last = self.last.with(|last| last.as_ref().map(|words| String::from(&**words)));
        (self.count.load(Ordering::Relaxed).into(), last)
    }

    /// Counts a value that was dropped, and says how many were.
    pub(crate) fn drop_one(&self) -> u32 {
        self.dropped.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// How many values were dropped.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed).into()
    }
}

/// The state of one link that goes out; those that come in stand together in [`Inbound`](super::Inbound).
pub(crate) struct LinkState {
    pub(crate) ties: Ties,
    is_fixed: bool,
    values: AtomicUsize,
    kept: AtomicUsize,
    failures: Failures,
}

impl LinkState {
    pub(crate) fn new(ties: Ties) -> Self {
        let zero = || AtomicUsize::new(0);
        let is_fixed = is_fixed(&ties.address);
        LinkState { ties, is_fixed, values: zero(), kept: zero(), failures: Failures::new() }
    }

    pub(crate) fn status(&self) -> LinkStatus {
        let (failed, last_error) = self.failures.status();
        LinkStatus {
            record: self.ties.record.clone(),
            address: self.ties.address.clone(),
            direction: LinkDirection::Out,
            values: self.values.load(Ordering::Relaxed) as u64,
            failed,
            dropped: self.failures.dropped(),
            kept: self.kept.load(Ordering::Relaxed),
            last_error,
        }
    }
}

impl Notes for LinkState {
    fn address(&self) -> &str {
        &self.ties.address
    }

    fn resource(&self) -> &str {
        self.ties.resource()
    }

    fn is_fixed(&self) -> bool {
        self.is_fixed
    }

    fn passed(&self) {
        self.values.fetch_add(1, Ordering::Relaxed);
    }

    fn keeps(&self, values: usize) {
        self.kept.store(values, Ordering::Relaxed);
    }

    fn dropped(&self) {
        let dropped = self.failures.drop_one();
        #[cfg(feature = "std")]
        if dropped.is_power_of_two() {
            let (record, link) = (&*self.ties.record, &*self.ties.address);
            tracing::warn!(record, link, dropped, "a link drops values: no connection");
        }
        let _ = dropped;
    }

    fn failed(&self, _: LinkFailure, address: &str, why: &dyn fmt::Display) {
        self.failures.add(&self.ties, address, why);
    }
}
