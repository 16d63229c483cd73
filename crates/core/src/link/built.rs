//! What an outbound link of a database is made of: buffers that grow, and a connector that is there when all is built.

use crate::{
    Consumer,
    buffer::Lock,
    link::{
        Connector, ConnectorConfig, LinkState,
        outbound::{Kept, Lend, Outbound, Waiting},
    },
};
use alloc::{collections::VecDeque, sync::Arc, vec, vec::Vec};
use anabranch_executor::TimeSource;

/// Where an outbound link finds its connector: filled in when the database is built.
#[derive(Clone)]
pub(crate) struct Slot(Arc<Lock<Option<Arc<dyn Connector>>>>);

impl Slot {
    pub(crate) fn new() -> Self {
        Slot(Arc::new(Lock::new(None)))
    }

    pub(crate) fn fill(&self, connector: Arc<dyn Connector>) {
        self.0.with(|slot| *slot = Some(connector));
    }

    pub(crate) fn get(&self) -> Option<Arc<dyn Connector>> {
        self.0.with(|slot| slot.clone())
    }
}

/// The smallest payload and address that are lent: most values fit.
const FIRST: usize = 256;

impl<V> Kept<V> for VecDeque<V> {
    fn room(&self) -> usize {
        usize::MAX
    }
    fn len(&self) -> usize {
        VecDeque::len(self)
    }
    fn push(&mut self, value: V) {
        self.push_back(value);
    }
    fn pop(&mut self) -> Option<V> {
        self.pop_front()
    }
}

impl Lend for Vec<u8> {
    fn bytes(&mut self) -> &mut [u8] {
        self
    }
    /// Once a value fits it allocates no more.
    fn grow(&mut self, limit: usize) -> bool {
        let larger = (self.len() * 2).clamp(FIRST.min(limit), limit);
        self.resize(larger, 0);
        true
    }
}

/// An outbound link of a database.
pub(crate) type HeapOutbound<R, T, E> =
    Outbound<R, T, Arc<E>, Arc<dyn Connector>, Arc<LinkState>, VecDeque<(T, <R as TimeSource>::Instant)>, Vec<u8>>;

impl<R: TimeSource, T, E> HeapOutbound<R, T, E> {
    /// `None` when `connector` cannot be watched, which one that was made by [`Connection::new`] can.
    ///
    /// [`Connection::new`]: crate::Connection::new
    pub(crate) fn new(
        runtime: R,
        input: Consumer<T>,
        encode: Arc<E>,
        connector: Arc<dyn Connector>,
        link: Arc<LinkState>,
        config: ConnectorConfig,
    ) -> Option<Self> {
        let connection = connector.connection().watch()?;
        Some(Outbound {
            runtime,
            input,
            encode,
            outlet: connector,
            connection,
            link,
            config,
            waiting: Waiting::new(VecDeque::new()),
            address: Vec::new(),
            payload: vec![0; FIRST],
        })
    }
}
