//! Values that come in: routed at once, acknowledged when they are in their records, each once.

use crate::packet::{Ack, Publish, Qos};
use alloc::{boxed::Box, vec::Vec};
use anabranch_core::{Routed, Router};
use core::task::Context;

/// What came in, and is not over yet.
pub(crate) struct Inbound<'r> {
    router: &'r Router,
    /// Values that wait for room in a queue, in the order in which they came.
    pending: Vec<Pending<'r>>,
    /// Some of them were not polled since they came: nobody would wake the task for them.
    unpolled: bool,
    /// How many of them the broker waits for.
    owed: usize,
    /// How many a broker may leave without an acknowledgement, and how many of QoS 0 may wait.
    limit: usize,
    /// It has left more: what came after that was passed over. When nothing waits any more it is to be sent again, which a
    /// broker does on the next connection. To break off at once would do no good: it might send the same again for ever,
    /// as Mosquitto 2.0.11 does, which goes by its own limit alone.
    exceeded: bool,
    /// Values of QoS 2 that were acknowledged once: the broker may send them again until it releases them.
    received: Received,
    /// The same from before a connection of which it is not known whether the broker has kept the session: one that it made
    /// anew without this side hearing of it looks the same, and gives the same identifiers to other values.
    doubtful: Received,
    /// Values for which there is no link, and that nobody has counted.
    pub(crate) uncounted: u64,
    /// Values of QoS 0 that were dropped, since too many waited already.
    pub(crate) dropped: u64,
    /// The subscriptions of one value.
    groups: Vec<usize>,
}

/// A value that waits for room in a queue.
struct Pending<'r> {
    routed: Routed<'r>,
    /// `None` when no acknowledgement is owed: QoS 0, or a session that the broker has forgotten.
    owed: Option<(Qos, u16)>,
    /// It is in its records since there was no connection: when the broker sends it again, it is acknowledged.
    arrived: bool,
    /// Whether the broker still knows it is not known.
    doubtful: bool,
}

/// What is to be done about a PUBLISH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Answer(Ack),
    Nothing,
    /// The broker had no right to send it.
    TooMany,
}

impl<'r> Inbound<'r> {
    pub(crate) fn new(router: &'r Router, limit: u16) -> Self {
        Inbound {
            router,
            pending: Vec::new(),
            unpolled: false,
            owed: 0,
            limit: limit.into(),
            exceeded: false,
            received: Received::default(),
            doubtful: Received::default(),
            uncounted: 0,
            dropped: 0,
            groups: Vec::with_capacity(8),
        }
    }

    /// Begins a connection. What waits for a queue goes on waiting; a broker that has forgotten the session wants no
    /// acknowledgement of it. It may have forgotten it also if it says that it has `kept` it, when it was `asked` before and
    /// its answer was not heard: then that which it kept may be what it made when it was asked.
    pub(crate) fn begin(&mut self, kept: bool, asked: bool) {
        if !kept {
            self.received.clear();
            self.doubtful.clear();
            self.pending.retain(|pending| !pending.arrived);
            self.pending.iter_mut().for_each(|pending| (pending.owed, pending.doubtful) = (None, false));
            self.owed = 0;
        } else if asked {
            self.doubtful.take_in(&mut self.received);
            self.pending.iter_mut().for_each(|pending| pending.doubtful = pending.owed.is_some());
        }
    }

    /// The connection has ended: what was passed over is sent again on the next one.
    pub(crate) fn end(&mut self) {
        self.exceeded = false;
    }

    /// What the broker has sent shows whether it has kept what is doubtful.
    fn learned(&mut self, kept: bool) {
        if kept {
            self.received.take_in(&mut self.doubtful);
            self.pending.iter_mut().for_each(|pending| pending.doubtful = false);
            return;
        }
        self.doubtful.clear();
        let owed = &mut self.owed;
        self.pending.retain_mut(|pending| {
            if !core::mem::take(&mut pending.doubtful) {
                return true;
            }
            *owed -= usize::from(pending.owed.take().is_some());
            !pending.arrived
        });
    }

    fn is_doubtful(&self, qos: Qos, id: u16) -> bool {
        let has = |pending: &Pending<'_>| pending.doubtful && pending.owed == Some((qos, id));
        qos == Qos::ExactlyOnce && self.doubtful.has(id) || self.owed > 0 && self.pending.iter().any(has)
    }

    /// Whether something came that waits for a queue and has to be polled, or that has to be counted.
    pub(crate) fn is_due(&self) -> bool {
        self.unpolled || self.uncounted > 0 || self.is_to_be_sent_again()
    }

    /// Whether something was passed over, and nothing waits any more: another connection brings it.
    pub(crate) fn is_to_be_sent_again(&self) -> bool {
        self.exceeded && self.owed == 0
    }

    /// Whether the broker waits for an acknowledgement of something that waits for a queue.
    pub(crate) fn owes(&self) -> bool {
        self.owed > 0
    }

    /// Puts a value into its records.
    pub(crate) fn publish(&mut self, publish: &Publish<'_>) -> Verdict {
        let Publish { qos, again, id, topic, payload, .. } = *publish;
        if qos > Qos::AtMostOnce {
            if self.is_doubtful(qos, id) {
                // What is known under this identifier is sent again, or else this is something else.
                self.learned(again);
            }
            if qos == Qos::ExactlyOnce && self.received.has(id) {
                return Verdict::Answer(Ack::Pubrec);
            }
            if self.owed > 0
                && let Some(place) = self.pending.iter().position(|known| known.owed == Some((qos, id)))
            {
                // Sent again after a reconnect, while the first one still waits: that one will be acknowledged.
                if !self.pending.get(place).is_some_and(|known| known.arrived) {
                    return Verdict::Nothing;
                }
                drop(self.pending.remove(place));
                self.owed -= 1;
                return Verdict::Answer(self.taken(qos, id));
            }
            if self.exceeded {
                return Verdict::Nothing;
            }
            if self.owed + self.received.count + self.doubtful.count >= self.limit {
                // It would not send so much, had it kept what is doubtful.
                self.learned(false);
                if self.owed + self.received.count >= self.limit {
                    self.exceeded = self.owed > 0;
                    return if self.exceeded { Verdict::Nothing } else { Verdict::TooMany };
                }
            }
        }
        let routed = match publish.subscriptions() {
            None => self.router.route(topic, payload),
            Some(subscriptions) => {
                self.groups.clear();
                // Subscription identifiers count from 1.
                self.groups.extend(subscriptions.iter().map(|number| (*number as usize).wrapping_sub(1)));
                self.router.route_groups(&self.groups, topic, payload)
            }
        };
        if routed.is_unrouted() {
            self.uncounted += 1;
        }
        // A closed record has not taken the value: no acknowledgement, so the broker keeps it for another time.
        let owed = (qos > Qos::AtMostOnce && routed.closed() == 0).then_some((qos, id));
        if routed.waits() {
            if owed.is_none() && self.pending.len() - self.owed >= self.limit {
                self.dropped += 1;
                return Verdict::Nothing;
            }
            self.owed += usize::from(owed.is_some());
            self.unpolled = true;
            self.pending.push(Pending { routed, owed, arrived: false, doubtful: false });
            return Verdict::Nothing;
        }
        owed.map_or(Verdict::Nothing, |(qos, id)| Verdict::Answer(self.taken(qos, id)))
    }

    /// A value of QoS 2 will not be sent again.
    pub(crate) fn released(&mut self, id: u16) -> bool {
        if self.doubtful.has(id) {
            self.learned(true);
        }
        self.received.remove(id)
    }

    /// Moves what waits into its queues; calls `answer` for what is then to be acknowledged, while there is `room`.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, mut room: usize, mut answer: impl FnMut(Ack, u16)) {
        if self.pending.is_empty() {
            return;
        }
        self.unpolled = false;
        let Inbound { pending, owed, received, .. } = self;
        pending.retain_mut(|waiting| {
            if room == 0 || waiting.arrived || waiting.routed.poll_done(cx).is_pending() {
                return true;
            }
            let Some((qos, id)) = waiting.owed else { return false };
            if waiting.doubtful && waiting.routed.closed() == 0 {
                // As without a connection: the broker may know another value by this identifier.
                waiting.arrived = true;
                return true;
            }
            *owed -= 1;
            if waiting.routed.closed() == 0 {
                room -= 1;
                answer(received.taken(qos, id), id);
            }
            false
        });
    }

    /// The same while there is no connection: what gets into its queues now is acknowledged when the broker, which heard
    /// nothing of it, sends it again.
    pub(crate) fn poll_alone(&mut self, cx: &mut Context<'_>) {
        let owed = &mut self.owed;
        self.pending.retain_mut(|waiting| {
            if waiting.arrived || waiting.routed.poll_done(cx).is_pending() {
                return true;
            }
            waiting.arrived = waiting.owed.is_some() && waiting.routed.closed() == 0;
            *owed -= usize::from(waiting.owed.is_some() && !waiting.arrived);
            waiting.arrived
        });
    }

    fn taken(&mut self, qos: Qos, id: u16) -> Ack {
        self.received.taken(qos, id)
    }
}

/// A set of packet identifiers.
#[derive(Default)]
struct Received {
    /// A bit for each; there is none until one is needed.
    bits: Option<Box<[u64; 1024]>>,
    count: usize,
}

impl Received {
    /// Remembers a value that is in its records, and says how it is acknowledged.
    fn taken(&mut self, qos: Qos, id: u16) -> Ack {
        if qos == Qos::ExactlyOnce {
            let bits = self.bits.get_or_insert_with(|| Box::new([0; 1024]));
            let word = &mut bits[usize::from(id / 64)];
            self.count += usize::from(*word & 1 << (id % 64) == 0);
            *word |= 1 << (id % 64);
            Ack::Pubrec
        } else {
            Ack::Puback
        }
    }

    fn has(&self, id: u16) -> bool {
        self.bits.as_ref().is_some_and(|bits| bits[usize::from(id / 64)] & 1 << (id % 64) != 0)
    }

    fn remove(&mut self, id: u16) -> bool {
        let had = self.has(id);
        if had && let Some(bits) = &mut self.bits {
            bits[usize::from(id / 64)] &= !(1 << (id % 64));
            self.count -= 1;
        }
        had
    }

    /// Takes all of `others` in.
    fn take_in(&mut self, others: &mut Received) {
        let others = core::mem::take(others);
        match (&mut self.bits, others.bits) {
            (Some(bits), Some(others)) => {
                bits.iter_mut().zip(others.iter()).for_each(|(word, other)| *word |= other);
                self.count = bits.iter().map(|word| word.count_ones() as usize).sum();
            }
            (_, None) => {}
            (None, Some(bits)) => *self = Received { bits: Some(bits), count: others.count },
        }
    }

    fn clear(&mut self) {
        *self = Received::default();
    }
}
