//! What those who publish and the connector's task share.

use crate::{
    failure::Failure,
    lock::Lock,
    options::Options,
    outbox::{Allowed, Outbox},
    packet::Qos,
};
use alloc::{
    string::{String, ToString},
    vec::Vec,
};
use anabranch_core::{Connection, ConnectionState, ConnectorConfig, PublishError, Router};
use core::{fmt, task::Waker};

/// A connector, as far as it does not depend on a runtime.
pub(crate) struct Desk {
    pub(crate) options: Options,
    pub(crate) router: Router,
    pub(crate) connection: Connection,
    /// Held for a copy of one value, or of as many as fit into one write.
    pub(crate) counter: Lock<Counter>,
    pub(crate) board: Lock<Board>,
}

/// Where values are handed over.
pub(crate) struct Counter {
    pub(crate) outbox: Outbox<Vec<u8>>,
    pub(crate) online: bool,
    pub(crate) closed: bool,
    pub(crate) allowed: Allowed,
    /// Of the task, while it waits.
    pub(crate) waker: Option<Waker>,
}

/// What is shown.
#[derive(Default)]
pub(crate) struct Board {
    pub(crate) connects: u64,
    pub(crate) unrouted: u64,
    pub(crate) refusals: u64,
    pub(crate) last_error: Option<String>,
}

impl Desk {
    pub(crate) fn new(options: Options, router: Router) -> Self {
        let bytes = options.outbox_bytes.clamp(1024, 1 << 30).next_power_of_two();
        let allowed =
            Allowed { version: options.version, under_way: 0, packet: usize::MAX, qos: Qos::ExactlyOnce, retain: true };
        let counter = Counter {
            outbox: Outbox::new(alloc::vec![0; bytes], options.send_maximum),
            online: false,
            closed: false,
            allowed,
            waker: None,
        };
        Desk {
            options,
            router,
            connection: Connection::new(),
            counter: Lock::new(counter),
            board: Lock::new(Board::default()),
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
            let Counter { allowed, outbox, .. } = counter;
            // Fixed header, length, the topic's length, an identifier, no properties.
            let around = destination.len() + 1 + 4 + 2 + 2 + 1;
            let limit = outbox.largest().saturating_sub(destination.len()).min(allowed.packet.saturating_sub(around));
            if payload.len() > limit {
                return Err(PublishError::TooLarge { size: payload.len(), limit });
            }
            if !counter.online {
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

    /// There is a connection, with everything subscribed.
    pub(crate) fn online(&self, allowed: Allowed) {
        self.counter.with(|counter| {
            counter.allowed = allowed;
            counter.online = true;
        });
        self.board.with(|board| board.connects += 1);
        #[cfg(feature = "std")]
        tracing::info!(broker = %self.options.peer, "connected");
        self.connection.says(ConnectionState::Online);
    }

    /// There is none any more.
    pub(crate) fn offline(&self) {
        if self.counter.with(|counter| core::mem::replace(&mut counter.online, false)) {
            self.connection.says(ConnectionState::Offline);
        }
    }

    /// Whether it was closed, and nothing is left to send.
    pub(crate) fn is_over(&self) -> bool {
        self.counter.with(|counter| counter.closed && counter.outbox.waiting() == 0)
    }

    /// Reports why there is no connection.
    pub(crate) fn failed(&self, failure: &Failure) {
        let words = failure.to_string();
        let news = self.board.with(|board| {
            let news = board.last_error.as_ref() != Some(&words);
            board.last_error = Some(words.clone());
            news
        });
        // Each once: an outage of a day does not fill the log.
        #[cfg(feature = "std")]
        if news {
            tracing::warn!(broker = %self.options.peer, "no connection: {words}");
        }
        let _ = news;
    }

    /// Reports something that the broker refused.
    pub(crate) fn refused(&self, what: &str, address: &str, why: &dyn fmt::Display) {
        let words = alloc::format!("{what} {address}: {why}");
        let refusals = self.board.with(|board| {
            board.last_error = Some(words.clone());
            board.refusals += 1;
            board.refusals
        });
        // The first, the second, the fourth …: a broker that refuses everything does not fill the log.
        #[cfg(feature = "std")]
        if refusals.is_power_of_two() {
            tracing::warn!(broker = %self.options.peer, refusals, "refused: {words}");
        }
        let _ = refusals;
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
    if topic.bytes().any(|byte| matches!(byte, 0 | b'+' | b'#')) {
        return Err("a topic holds no `+`, `#` or NUL");
    }
    Ok(())
}
