//! A node's store in the hands of those who answer requests: its end waits until none of them has it any more.

use anabranch::store::Store;
use std::{convert::Infallible, ops::Deref};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// A handle to the store.
#[derive(Clone)]
pub(crate) struct Lent {
    /// Before what tells that it has gone.
    store: Store,
    _until: Sender<Infallible>,
}

/// Hears when the last handle has gone.
pub(crate) struct Free(Receiver<Infallible>);

impl Lent {
    pub(crate) fn new(store: Store) -> (Self, Free) {
        let (until, free) = channel(1);
        (Lent { store, _until: until }, Free(free))
    }
}

impl Deref for Lent {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Free {
    /// Comes when nobody has the store by a handle of these. Nothing that a closed connection began holds it for long, but
    /// for a check or an import, which go on to their end.
    pub(crate) async fn wait(mut self) {
        while self.0.recv().await.is_some() {}
    }
}
