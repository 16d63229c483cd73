//! What became of a value at the links that it was routed to, and its waits for room in their queues.

use super::{
    inbound::Inbound,
    sink::{Delivery, Waiting},
};
use crate::link::{Bound, RoutedValue};
use alloc::vec::Vec;
use core::{
    fmt,
    task::{Context, Poll},
};

/// What became of a value that was routed.
#[derive(Default)]
#[must_use = "a value may still wait for room in a queue"]
pub struct Routed<'r> {
    delivered: usize,
    failed: usize,
    closed: usize,
    waiting: Vec<(&'r Inbound, u32, Waiting<'r>)>,
}

impl<'r> Routed<'r> {
    #[inline]
    pub(super) fn add(&mut self, links: &'r Inbound, link: u32, bound: Bound<'_>, payload: &[u8]) {
        match links.deliver(link, payload, bound) {
            Delivery::Done => self.delivered += 1,
            Delivery::Failed(_) => self.failed += 1,
            Delivery::Closed => self.closed += 1,
            Delivery::Waits(waiting) => self.waiting.push((links, link, waiting)),
        }
    }

    /// Into how many records it went.
    pub fn delivered(&self) -> usize {
        self.delivered
    }

    /// For how many links it could not be decoded: they have counted and reported it.
    pub fn failed(&self) -> usize {
        self.failed
    }

    /// How many records did not take it, since they have closed. The peer must not be told that it has arrived.
    pub fn closed(&self) -> usize {
        self.closed
    }

    /// Whether no link was for this address.
    pub fn is_unrouted(&self) -> bool {
        self.delivered + self.failed + self.closed + self.waiting.len() == 0
    }

    /// Whether it waits for room in a queue.
    pub fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Waits for room where it waits. A value whose wait is dropped was not taken.
    pub async fn done(mut self) -> Self {
        core::future::poll_fn(|cx| self.poll_done(cx)).await;
        self
    }

    /// Drops it where it waits, and counts that at the links: for a peer that sends it once, when too many wait already.
    pub fn let_go(self) {
        self.waiting.iter().for_each(|(links, link, _)| links.dropped(*link));
    }

    /// As [`done`](Self::done), by polling.
    pub fn poll_done(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Routed { delivered, closed, waiting, .. } = self;
        // Each is asked: one queue that stays full holds no other back.
        waiting.retain_mut(|(links, link, waiting)| {
            let Poll::Ready(sent) = waiting.as_mut().poll(cx) else { return true };
            if sent {
                links.passed(*link);
                *delivered += 1;
            } else {
                *closed += 1;
            }
            false
        });
        if waiting.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl fmt::Debug for Routed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routed")
            .field("delivered", &self.delivered)
            .field("failed", &self.failed)
            .field("closed", &self.closed)
            .field("waiting", &self.waiting.len())
            .finish()
    }
}

impl RoutedValue for Routed<'_> {
    fn is_unrouted(&self) -> bool {
        Routed::is_unrouted(self)
    }

    fn is_refused(&self) -> bool {
        self.closed() > 0
    }

    fn waits(&self) -> bool {
        Routed::waits(self)
    }

    fn poll_done(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Routed::poll_done(self, cx)
    }

    fn let_go(self) {
        Routed::let_go(self);
    }
}
