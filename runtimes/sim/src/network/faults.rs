//! What a path between two hosts is like: how long a packet takes, and what goes wrong with it.

use crate::random::Chance;
use std::time::Duration;

/// What a path between hosts is like. Probabilities are from 0 (never) to 1, and for each packet.
///
/// Streams stay what TCP makes of it: the bytes arrive in order, once, or not at all. A packet that is lost is sent
/// again later, one that is overtaken holds up those behind it, one that comes twice is thrown away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NetworkFaults {
    /// How long every packet takes at least, one way.
    pub latency: Duration,
    /// How much longer it may take. Packets of one connection do not overtake each other by this.
    pub jitter: Duration,
    /// The probability that a packet is lost.
    pub loss: f64,
    /// The probability that a packet arrives twice.
    pub duplicate: f64,
    /// The probability that a packet is late, so that those behind it overtake it.
    pub reorder: f64,
    /// By how much it is late at most.
    pub reorder_by: Duration,
    /// The probability, at each read and each write, that fewer bytes are moved than could be. It finds code that takes
    /// one read for one message.
    pub split: f64,
    /// The probability that something on the way cuts the connection instead: both ends are sent a reset.
    pub reset: f64,
    /// The probability that a stream which is dropped and was not closed is cut by a reset, so that the peer may lose
    /// what was under way. Without it a reset is sent only where the dropped stream had received bytes that nobody
    /// read, and all that was written arrives, as on a machine whose system goes on.
    pub cut_on_drop: f64,
}

impl Default for NetworkFaults {
    fn default() -> Self {
        NetworkFaults::none()
    }
}

impl NetworkFaults {
    /// A perfect network: every packet arrives after 200 µs.
    #[must_use]
    pub fn none() -> Self {
        NetworkFaults {
            latency: Duration::from_micros(200),
            jitter: Duration::ZERO,
            loss: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            reorder_by: Duration::ZERO,
            split: 0.0,
            reset: 0.0,
            cut_on_drop: 0.0,
        }
    }

    /// A bad line that connections survive: slow and uneven, packets are lost, repeated and overtaken, reads and writes
    /// are short. Nothing is reset but what is dropped without a close.
    #[must_use]
    pub fn harsh() -> Self {
        NetworkFaults {
            latency: Duration::from_millis(2),
            jitter: Duration::from_millis(80),
            loss: 0.05,
            duplicate: 0.05,
            reorder: 0.1,
            reorder_by: Duration::from_millis(200),
            split: 0.3,
            reset: 0.0,
            cut_on_drop: 0.5,
        }
    }
}

/// The faults as packets ask for them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NetworkChances {
    pub(crate) latency: Duration,
    pub(crate) jitter: Duration,
    pub(crate) loss: Chance,
    pub(crate) duplicate: Chance,
    pub(crate) reorder: Chance,
    pub(crate) reorder_by: Duration,
    pub(crate) split: Chance,
    pub(crate) reset: Chance,
    pub(crate) cut_on_drop: Chance,
}

impl From<NetworkFaults> for NetworkChances {
    fn from(faults: NetworkFaults) -> Self {
        NetworkChances {
            latency: faults.latency,
            jitter: faults.jitter,
            loss: Chance::new(faults.loss),
            duplicate: Chance::new(faults.duplicate),
            reorder: Chance::new(faults.reorder),
            reorder_by: faults.reorder_by,
            split: Chance::new(faults.split),
            reset: Chance::new(faults.reset),
            cut_on_drop: Chance::new(faults.cut_on_drop),
        }
    }
}
