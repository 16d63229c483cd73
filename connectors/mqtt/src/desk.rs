//! What those who publish and the connector's task share.

use crate::{
    connector::MqttConnector,
    failure::Failure,
    lock::Lock,
    outbox::{Allowed, Outbox},
    packet::Qos,
    place::{LastError, Place},
};
use anabranch_core::{ConnectionState, ConnectorConfig, Producer, PublishError};
use core::{fmt, task::Waker};

/// A connector, as far as it does not depend on a runtime: what it was configured with, what it routes by, and what is
/// shared with those who publish.
pub(crate) struct Desk<'d, P: Place, Q> {
    pub(crate) options: &'d MqttConnector,
    pub(crate) routes: &'d Q,
    pub(crate) shared: &'d Shared<P>,
    pub(crate) says: Says<'d>,
}

/// Where a connector says whether it is connected.
pub(crate) enum Says<'d> {
    #[cfg(feature = "alloc")]
    Connection(&'d anabranch_core::Connection),
    Record(&'d Producer<ConnectionState>),
}

/// What is shared. With memory of zeros, all of it is zeros: as a `static` it costs no flash.
pub(crate) struct Shared<P: Place> {
    /// Held for a copy of one value, or of as many as fit into one write.
    pub(crate) counter: Lock<Counter<P>>,
    pub(crate) board: Lock<Board<P::LastError>>,
}

/// Where values are handed over.
pub(crate) struct Counter<P: Place> {
    pub(crate) outbox: Outbox<P::Outbox, P::Ids>,
    pub(crate) online: bool,
    pub(crate) closed: bool,
    /// What the broker of the last connection allowed.
    pub(crate) allowed: Allowed,
    /// Of the task, while it waits.
    pub(crate) waker: Option<Waker>,
}

/// What is shown.
pub(crate) struct Board<E> {
    pub(crate) connects: usize,
    pub(crate) unrouted: usize,
    pub(crate) refusals: usize,
    /// Since the last connection it was reported that there is none.
    reported: bool,
    pub(crate) last_error: E,
}

impl Says<'_> {
    fn says(&self, state: ConnectionState) {
        match self {
            #[cfg(feature = "alloc")]
            Says::Connection(connection) => connection.says(state),
            Says::Record(record) => {
                record.produce(state);
            }
        }
    }
}

impl<P: Place> Shared<P> {
    pub(crate) const fn new(outbox: P::Outbox, ids: P::Ids, last_error: P::LastError) -> Self {
        let counter = Counter {
            outbox: Outbox::new(outbox, ids),
            online: false,
            closed: false,
            allowed: Allowed::NOTHING,
            waker: None,
        };
        Shared {
            counter: Lock::new(counter),
            board: Lock::new(Board { connects: 0, unrouted: 0, refusals: 0, reported: false, last_error }),
        }
    }

    /// Takes a value, if there is a connection with room.
    pub(crate) fn publish(
        &self,
        destination: &str,
        config: &ConnectorConfig,
        payload: &[u8],
    ) -> Result<(), PublishError> {
        check_topic(destination).map_err(PublishError::Destination)?;
        let qos = Qos::of(config.qos.unwrap_or(0)).ok_or(PublishError::Unsupported("a `qos` is 0, 1 or 2"))?;
        let retain = config.retain.unwrap_or(false);
        let waker = self.counter.with(|counter| {
            if counter.closed {
                return Err(PublishError::Closed);
            }
            let Counter { allowed, outbox, online, .. } = counter;
            // Fixed header, length, the topic's length, an identifier, no properties.
            const AROUND: usize = 1 + 4 + 2 + 2 + 1;
            let packet = if *online { allowed.packet.min(P::LARGEST) } else { P::LARGEST };
            let largest = outbox.largest().min(packet.saturating_sub(AROUND));
            let Some(limit) = largest.checked_sub(destination.len()) else {
                return Err(PublishError::Destination("the topic is longer than a packet may be"));
            };
            if payload.len() > limit {
                return Err(PublishError::TooLarge { size: payload.len(), limit });
            }
            if !*online {
                return Err(PublishError::NotConnected);
            }
            if qos > allowed.qos {
                return Err(PublishError::Unsupported("this broker does not have this quality of service"));
            }
            if retain && !allowed.retain {
                return Err(PublishError::Unsupported("this broker keeps no retained messages"));
            }
            outbox.push(destination, payload, qos, retain).map_err(|_| PublishError::Full)?;
            Ok(counter.waker.take())
        })?;
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// Nothing more is taken.
    pub(crate) fn close(&self) {
        let waker = self.counter.with(|counter| {
            counter.closed = true;
            counter.waker.take()
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether it was closed, and nothing is left to send.
    pub(crate) fn is_over(&self) -> bool {
        self.counter.with(|counter| counter.closed && counter.outbox.waiting() == 0)
    }
}

impl<P: Place, Q> Desk<'_, P, Q> {
    /// There is a connection, with everything subscribed.
    pub(crate) fn online(&self, allowed: Allowed) {
        self.shared.counter.with(|counter| {
            counter.allowed = allowed;
            counter.online = true;
        });
        self.shared.board.with(|board| {
            board.connects += 1;
            board.reported = false;
        });
        #[cfg(feature = "std")]
        tracing::info!(broker = %self.options.peer(), "connected");
        #[cfg(feature = "defmt")]
        defmt::info!("MQTT: connected");
        self.says.says(ConnectionState::Online);
    }

    /// There is none any more.
    pub(crate) fn offline(&self) {
        if self.shared.counter.with(|counter| core::mem::replace(&mut counter.online, false)) {
            self.says.says(ConnectionState::Offline);
        }
    }

    /// There is room again.
    pub(crate) fn has_room(&self) {
        self.says.says(ConnectionState::Online);
    }

    /// Reports why there is no connection.
    pub(crate) fn failed(&self, failure: &Failure) {
        let news = self.shared.board.with(|board| {
            let other = board.last_error.failed(failure);
            other || !core::mem::replace(&mut board.reported, true)
        });
        // Each once: an outage of a day does not fill the log.
        #[cfg(feature = "std")]
        if news {
            tracing::warn!(broker = %self.options.peer(), "no connection: {failure}");
        }
        #[cfg(feature = "defmt")]
        if news {
            defmt::warn!("MQTT: no connection: {}", defmt::Display2Format(&crate::MqttFailure::from(failure)));
        }
        let _ = news;
    }

    /// Reports something that the broker refused.
    pub(crate) fn refused(&self, what: &str, address: &dyn fmt::Display, why: &dyn fmt::Display) {
        let refusals = self.shared.board.with(|board| {
            board.last_error.refused(what, address, why);
            board.refusals += 1;
            board.refusals
        });
        // The first, the second, the fourth …: a broker that refuses everything does not fill the log.
        #[cfg(feature = "std")]
        if refusals.is_power_of_two() {
            tracing::warn!(broker = %self.options.peer(), refusals, "refused: {what} {address}: {why}");
        }
        #[cfg(feature = "defmt")]
        if refusals.is_power_of_two() {
            defmt::warn!("MQTT: the broker refused {} values or subscriptions", refusals);
        }
        let _ = refusals;
    }
}

/// Values that the broker refused while the counter was held: reported when it is free again.
#[derive(Default)]
pub(crate) struct Refusals {
    #[cfg(feature = "alloc")]
    all: alloc::vec::Vec<(alloc::string::String, alloc::string::String)>,
    #[cfg(not(feature = "alloc"))]
    count: usize,
}

impl Refusals {
    #[cfg(feature = "alloc")]
    pub(crate) fn note(&mut self, topic: &str, why: &dyn fmt::Display) {
        self.all.push((topic.into(), alloc::format!("{why}")));
    }

    #[cfg(feature = "alloc")]
    pub(crate) fn report<P: Place, Q>(self, desk: &Desk<'_, P, Q>) {
        for (topic, why) in self.all {
            desk.refused("value for", &topic, &why);
        }
    }

    #[cfg(not(feature = "alloc"))]
    pub(crate) fn note(&mut self, _: &str, _: &dyn fmt::Display) {
        self.count += 1;
    }

    #[cfg(not(feature = "alloc"))]
    pub(crate) fn report<P: Place, Q>(self, desk: &Desk<'_, P, Q>) {
        (0..self.count).for_each(|_| desk.refused("value", &"", &""));
    }
}

/// What a topic must be to be published to.
pub(crate) fn check_topic(topic: &str) -> Result<(), &'static str> {
    if topic.is_empty() {
        return Err("a topic has at least one character");
    }
    if topic.len() > usize::from(u16::MAX) {
        return Err("a topic has at most 65535 bytes");
    }
    if holds_unfit(topic.as_bytes()) {
        return Err("a topic holds no `+`, `#` or NUL");
    }
    Ok(())
}

/// Whether one of the bytes is `+`, `#` or NUL. Each value's topic is looked at, so by words: a word has a byte of zero if
/// taking 1 from each byte makes one negative that was not.
fn holds_unfit(topic: &[u8]) -> bool {
    const fn each(byte: u8) -> u32 {
        u32::from_ne_bytes([byte; 4])
    }
    let has_zero = |word: u32| word.wrapping_sub(each(1)) & !word & each(0x80) != 0;
    let (words, rest) = topic.as_chunks::<4>();
    let unfit = |word: [u8; 4]| {
        let word = u32::from_ne_bytes(word);
        // `+` and `#` differ in this bit alone.
        has_zero(word) || has_zero((word | each(b'+' ^ b'#')) ^ each(b'+'))
    };
    words.iter().any(|word| unfit(*word)) || rest.iter().any(|byte| matches!(byte, 0 | b'+' | b'#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unfit_for_a_topic_is_found_at_any_place_and_nothing_else_is() {
        for length in 1..12 {
            for place in 0..length {
                for byte in 0..=u8::MAX {
                    let mut topic = std::vec![b'a'; length];
                    topic[place] = byte;
                    assert_eq!(holds_unfit(&topic), matches!(byte, 0 | b'+' | b'#'), "{byte} at {place} of {length}");
                }
            }
        }
    }
}
