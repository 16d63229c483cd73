//! The links that come in through one connector: what every value needs lies close together, the rest apart.
//!
//! ```text
//!   Index ──number──▶ hot:  [ values · sink · resource ][ … ] …      a cache line for each link
//!                     cold: [ record · address · config · failures ] …
//! ```
//!
//! With ten thousand links, what routing costs is the memory that it has to fetch: one place of the index, and one line
//! of these, which has the address to compare, the way to the record, and the count.

use super::sink::{Deliver, Delivery};
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

/// An address without its scheme, if it is short.
struct Resource {
    /// [`Resource::ELSEWHERE`] when it is longer than its place.
    length: u8,
    text: [u8; Resource::PLACE],
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
    hot: Vec<Hot>,
    cold: Vec<Cold>,
}

impl NewInbound {
    /// Adds a link, and gives its number.
    pub(crate) fn add(&mut self, ties: Ties, config: ConnectorConfig, sink: Arc<dyn Deliver>) -> u32 {
        let config = (config != ConnectorConfig::default()).then(|| Box::new(config));
        self.hot.push(Hot { values: AtomicUsize::new(0), sink, resource: Resource::new(ties.resource()) });
        self.cold.push(Cold { ties, config, failures: Failures::new() });
        u32::try_from(self.hot.len() - 1).unwrap_or(u32::MAX)
    }

    pub(crate) fn done(self) -> Inbound {
        Inbound { hot: self.hot.into_boxed_slice(), cold: self.cold.into_boxed_slice() }
    }
}

impl Inbound {
    pub(crate) fn numbers(&self) -> impl ExactSizeIterator<Item = u32> + use<> {
        0..u32::try_from(self.hot.len()).unwrap_or(u32::MAX)
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
