//! A static record's end that a link puts values into.
//!
//! Where the record is a queue without room, a value waits here, in the order in which it came, and the link's own future
//! moves it on: whoever brought it asks by its number whether it has got there.

use super::{LinkError, LinkErrorKind, LinkIn, set::StaticLink};
use crate::{
    Producer, TrySendError,
    buffer::Lock,
    link::{Bound, ConnectorConfig, Decode, LinkDirection, LinkFailure, Outlet, address::matches, few::Few},
};
use anabranch_executor::{MaybeSync, TimeSource};
use core::{
    future::poll_fn,
    task::{Context, Poll, Waker},
};

/// A link that comes in, whatever the type of its values.
pub trait Inlet: MaybeSync {
    /// Its address without the scheme, with its wildcards.
    fn resource(&self) -> &'static str;

    /// What it asks of its connector.
    fn config(&self) -> &ConnectorConfig;

    /// Puts the value in `payload`, which came from `address`, into the record.
    fn deliver(&self, address: &str, payload: &[u8]) -> Delivered;

    /// Whether the value that [`Delivered::Waits`] gave `number` to is in the record; `false` when the record has closed
    /// instead.
    fn poll_done(&self, number: u32, cx: &mut Context<'_>) -> Poll<bool>;

    /// Counts that the peer does not give what it asks for.
    fn refused(&self);

    /// Counts a value that was too large to be taken.
    fn too_large(&self);
}

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// It is in the record.
    Done,
    /// It could not be decoded, which was counted.
    Failed,
    /// The record has closed.
    Closed,
    /// It waits for room, as this number.
    Waits(u32),
    /// It has no place to wait.
    NoRoom,
}

impl dyn Inlet + '_ {
    pub(super) fn matches(&self, address: &str) -> bool {
        matches(self.resource(), address)
    }
}

/// A link that comes in, with its end of the record.
pub struct InletOf<T: 'static, D: 'static, const WAITING: usize> {
    link: &'static LinkIn<D, WAITING>,
    producer: Producer<T>,
    line: Lock<Line<T, WAITING>>,
}

/// Values that wait for room.
struct Line<T, const WAITING: usize> {
    waiting: Few<T, WAITING>,
    /// A value was taken from the line, and is on its way.
    under_way: bool,
    /// How many have come and how many have gone, ever: numbers go around.
    came: u32,
    went: u32,
    closed: bool,
    /// Of the link's own future.
    mover: Option<Waker>,
    /// Of whoever brought the values.
    bringer: Option<Waker>,
}

impl<T, D, const WAITING: usize> InletOf<T, D, WAITING> {
    pub(super) fn new(link: &'static LinkIn<D, WAITING>, producer: Producer<T>) -> Self {
        let line =
            Line { waiting: Few::new(), under_way: false, came: 0, went: 0, closed: false, mover: None, bringer: None };
        InletOf { link, producer, line: Lock::new(line) }
    }
}

impl<T, D, const WAITING: usize> Inlet for InletOf<T, D, WAITING>
where
    T: Clone + Send + 'static,
    D: Decode<T>,
{
    fn resource(&self) -> &'static str {
        self.link.about.resource()
    }

    fn config(&self) -> &ConnectorConfig {
        &self.link.about.config
    }

    fn deliver(&self, address: &str, payload: &[u8]) -> Delivered {
        let counters = &self.link.about.counters;
        let Ok(value) = self.link.decode.decode(payload, &Bound::new(self.resource(), address)) else {
            counters.failed(LinkFailure::Decode);
            return Delivered::Failed;
        };
        // A value must not overtake those that wait already, should there be room just now.
        let sent = match WAITING > 0 && self.line.with(|line| line.under_way || !line.waiting.is_empty()) {
            true => Err(TrySendError::Full(value)),
            false => self.producer.try_send(value),
        };
        match sent {
            Ok(_number) => {
                counters.passed();
                Delivered::Done
            }
            Err(TrySendError::Closed(_)) => Delivered::Closed,
            Err(TrySendError::Full(value)) => {
                let waits = self.line.with(|line| {
                    line.waiting.push_back(value).ok()?;
                    line.came = line.came.wrapping_add(1);
                    Some((line.came, line.mover.take()))
                });
                let Some((number, mover)) = waits else {
                    counters.failed(LinkFailure::NoRoom);
                    return Delivered::NoRoom;
                };
                if let Some(mover) = mover {
                    mover.wake();
                }
                Delivered::Waits(number)
            }
        }
    }

    fn poll_done(&self, number: u32, cx: &mut Context<'_>) -> Poll<bool> {
        let mut replaced = None;
        let polled = self.line.with(|line| {
            // How many came before and with it, seen from those that went.
            if number.wrapping_sub(line.went).cast_signed() <= 0 {
                return Poll::Ready(true);
            }
            if line.closed {
                return Poll::Ready(false);
            }
            replaced = line.bringer.replace(cx.waker().clone());
            Poll::Pending
        });
        drop(replaced);
        polled
    }

    fn refused(&self) {
        self.link.about.counters.failed(LinkFailure::Refused);
    }

    fn too_large(&self) {
        self.link.about.counters.failed(LinkFailure::TooLarge);
    }
}

impl<T, D, const WAITING: usize> StaticLink for InletOf<T, D, WAITING>
where
    T: Clone + Send + 'static,
    D: Decode<T>,
{
    const INLETS: usize = 1;

    fn inlet(&self) -> Option<&dyn Inlet> {
        Some(self)
    }

    fn check(
        &self,
        protocol: &mut dyn FnMut(LinkDirection, &'static str, &ConnectorConfig) -> Result<(), LinkErrorKind>,
    ) -> Result<(), LinkError> {
        let about = &self.link.about;
        let checked = about.check(LinkDirection::In, self.link.decode.no_names());
        let checked = checked.and_then(|()| protocol(LinkDirection::In, about.address, &about.config));
        checked.map_err(|problem| LinkError { address: about.address, problem })
    }

    /// Moves what waits into the queue.
    async fn run<R: TimeSource, O: Outlet>(&self, _: &R, _: O) {
        if WAITING == 0 {
            return;
        }
        loop {
            let value = poll_fn(|cx| {
                let mut replaced = None;
                let polled = self.line.with(|line| match line.waiting.pop_front() {
                    Some(value) => {
                        line.under_way = true;
                        Poll::Ready(value)
                    }
                    None => {
                        replaced = line.mover.replace(cx.waker().clone());
                        Poll::Pending
                    }
                });
                drop(replaced);
                polled
            })
            .await;
            let sent = self.producer.send(value).await.is_ok();
            if sent {
                self.link.about.counters.passed();
            }
            let bringer = self.line.with(|line| {
                line.under_way = false;
                line.closed = !sent;
                line.went = line.went.wrapping_add(u32::from(sent));
                line.bringer.take()
            });
            if let Some(bringer) = bringer {
                bringer.wake();
            }
            if !sent {
                return;
            }
        }
    }
}
