//! The links that come in through one connector: what every value needs lies close together, the rest apart.
//!
//! ```text
//!   Index ──number──▶ hot:  [ values · sink · resource ][ … ] …      a cache line for each link
//!                     cold: [ record · address · config · failures ] …
//! ```
//!
//! With ten thousand links, what routing costs is the memory that it has to fetch: one line of these, which has the
//! address to compare, the way to the record, and the count. They stand in the order in which the index looks for them,
//! so that it needs no table of where they are, and stays small enough for the nearest caches.

use super::{
    index::standing,
    order::ordered,
    sink::{Deliver, Delivery},
};
use crate::link::{
    Bound, ConnectorConfig, LinkDirection, LinkStatus,
    state::{Failures, Ties},
};
use alloc::{boxed::Box, sync::Arc, vec::Vec};
use core::fmt;
use portable_atomic::{AtomicUsize, Ordering};

/// The links of one connector, by number.
pub(crate) struct Inbound {
    hot: Box<[Hot]>,
    cold: Box<[Cold]>,
}

/// What each value touches: one line of the cache, and no second one.
#[repr(align(64))]
struct Hot {
    values: AtomicUsize,
    sink: Arc<dyn Deliver>,
    resource: Resource,
}

/// An address without its scheme, if it is short. The text stands first, and so at the beginning of a word: it is read by
/// words.
#[repr(C)]
struct Resource {
    text: [u8; Resource::PLACE],
    /// [`Resource::ELSEWHERE`] when it is longer than its place.
    length: u8,
}

impl Resource {
    const PLACE: usize = 39;
    const ELSEWHERE: u8 = u8::MAX;

    fn new(resource: &str) -> Self {
        let mut text = [0; Self::PLACE];
        let length = match text.get_mut(..resource.len()) {
            Some(place) => {
                place.copy_from_slice(resource.as_bytes());
                u8::try_from(resource.len()).unwrap_or(Self::ELSEWHERE)
            }
            None => Self::ELSEWHERE,
        };
        Resource { length, text }
    }
}

struct Cold {
    ties: Ties,
    /// Boxed, since most of ten thousand links have none.
    config: Option<Box<ConnectorConfig>>,
    failures: Failures,
}

/// An [`Inbound`] to which links are still added.
#[derive(Default)]
pub(crate) struct NewInbound {
    links: Vec<New>,
}

struct New {
    ties: Ties,
    config: ConnectorConfig,
    sink: Arc<dyn Deliver>,
}

impl NewInbound {
    /// Adds a link, and says how many were added before it.
    pub(crate) fn add(&mut self, ties: Ties, config: ConnectorConfig, sink: Arc<dyn Deliver>) -> u32 {
        let number = u32::try_from(self.links.len()).unwrap_or(u32::MAX);
        self.links.push(New { ties, config, sink });
        number
    }

    /// The links in the order of the index, and the numbers that they have there, in the order in which they were added.
    pub(crate) fn done(self) -> (Inbound, Vec<u32>) {
        let key = |link: &New| {
            let standing = standing(link.ties.resource());
            (standing.is_none(), standing)
        };
        let keys: Vec<_> = self.links.iter().map(key).collect();
        let order = ordered(keys.len(), &|one, other| keys[one].cmp(&keys[other]));
        drop(keys);
        let mut links: Vec<Option<New>> = self.links.into_iter().map(Some).collect();
        let mut numbers = alloc::vec![0; links.len()];
        let (mut hot, mut cold) = (Vec::with_capacity(links.len()), Vec::with_capacity(links.len()));
        for (now, before) in (0..).zip(order) {
            numbers[before as usize] = now;
            let Some(New { ties, config, sink }) = links[before as usize].take() else { continue };
            let config = (config != ConnectorConfig::default()).then(|| Box::new(config));
            hot.push(Hot { values: AtomicUsize::new(0), sink, resource: Resource::new(ties.resource()) });
            cold.push(Cold { ties, config, failures: Failures::new() });
        }
        (Inbound { hot: hot.into_boxed_slice(), cold: cold.into_boxed_slice() }, numbers)
    }
}

impl Inbound {
    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.hot.len()
    }

    pub(crate) fn ties(&self, link: u32) -> &Ties {
        &self.cold[link as usize].ties
    }

    /// The link's address without its scheme.
    #[inline]
    pub(super) fn resource(&self, link: u32) -> &[u8] {
        let Resource { length, text } = &self.hot[link as usize].resource;
        text.get(..usize::from(*length)).unwrap_or_else(|| self.cold[link as usize].ties.resource().as_bytes())
    }

    pub(super) fn config(&self, link: u32) -> ConnectorConfig {
        self.cold[link as usize].config.as_deref().copied().unwrap_or_default()
    }

    /// Hands the value in `payload` to the link's record, and counts what becomes of it unless it waits.
    #[inline]
    pub(super) fn deliver(&self, link: u32, payload: &[u8], bound: Bound<'_>) -> Delivery<'_> {
        let Hot { values, sink, .. } = &self.hot[link as usize];
        let delivery = sink.deliver(payload, bound);
        match &delivery {
            Delivery::Done => _ = values.fetch_add(1, Ordering::Relaxed),
            Delivery::Failed(why) => self.failed(link, bound.address(), why),
            Delivery::Closed | Delivery::Waits(_) => {}
        }
        delivery
    }

    /// Counts a value that has waited and was taken.
    pub(super) fn passed(&self, link: u32) {
        self.hot[link as usize].values.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a value that waited and was dropped.
    pub(super) fn dropped(&self, link: u32) {
        let Cold { ties, failures, .. } = &self.cold[link as usize];
        let dropped = failures.drop_one();
        #[cfg(feature = "std")]
        if dropped.is_power_of_two() {
            let (record, link) = (&*ties.record, &*ties.address);
            tracing::warn!(record, link, dropped, "a link drops values: its record is a queue without room");
        }
        let _ = (dropped, ties);
    }

    pub(super) fn failed(&self, link: u32, address: &str, why: &dyn fmt::Display) {
        let Cold { ties, failures, .. } = &self.cold[link as usize];
        failures.add(ties, address, why);
    }

    pub(crate) fn status(&self, link: u32) -> LinkStatus {
        let Cold { ties, failures, .. } = &self.cold[link as usize];
        let (failed, last_error) = failures.status();
        LinkStatus {
            record: ties.record.clone(),
            address: ties.address.clone(),
            direction: LinkDirection::In,
            values: self.hot[link as usize].values.load(Ordering::Relaxed) as u64,
            failed,
            dropped: failures.dropped(),
            kept: 0,
            last_error,
        }
    }
}
