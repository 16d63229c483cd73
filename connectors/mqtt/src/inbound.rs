//! Values that come in: routed at once, acknowledged when they are in their records, each once.

use crate::{
    packet::{Ack, GROUPS, Publish, Qos},
    place::{IdSet, List, Place},
};
use anabranch_core::{RoutedValue, Routes};
use core::task::Context;

/// What came in, and is not over yet.
pub(crate) struct Inbound<'r, P: Place, Q: Routes + 'r> {
    router: &'r Q,
    /// Values that wait for room in a queue, in the order in which they came.
    pending: P::List<Pending<Q::Routed<'r>>>,
    /// Some of them were not polled since they came: nobody would wake the task for them.
    unpolled: bool,
    /// How many of them the broker waits for.
    owed: usize,
    /// How many a broker may leave without an acknowledgement, and how many of QoS 0 may wait.
    limit: usize,
    /// It has left more, and holding it did not help: what came after that was passed over. When nothing waits any more it is to
    /// be sent again, which a broker does on the next connection. To break off at once would do no good: it might send the same again for ever,
    /// as Mosquitto 2.0.11 does, which goes by its own limit alone.
    exceeded: bool,
    /// The next value has no place yet, and stands in the stream until it has: nothing is read meanwhile.
    held: bool,
    /// Nothing is held, as the last connection ended while it was: what makes room may stand behind it in the stream.
    passes_over: bool,
    /// Values of QoS 2 that were acknowledged once: the broker may send them again until it releases them.
    received: P::Received,
    /// The same from before a connection of which it is not known whether the broker has kept the session: one that it made
    /// anew without this side hearing of it looks the same, and gives the same identifiers to other values.
    doubtful: P::Received,
    /// Values for which there is no link, and that nobody has counted.
    pub(crate) uncounted: usize,
}

/// A value that waits for room in a queue.
struct Pending<V> {
    routed: V,
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
    /// There is no place for it now: it is to be brought again when something has moved.
    Later,
    /// The broker had no right to send it.
    TooMany,
}

impl<'r, P: Place, Q: Routes> Inbound<'r, P, Q> {
    pub(crate) fn new(router: &'r Q, limit: u16) -> Self {
        Inbound {
            router,
            pending: P::list(),
            unpolled: false,
            owed: 0,
            limit: usize::from(limit).min(P::IN_FLIGHT),
            exceeded: false,
            held: false,
            passes_over: false,
            received: P::Received::default(),
            doubtful: P::Received::default(),
            uncounted: 0,
        }
    }

    /// How many values of QoS 1 and 2 the broker may send at once.
    pub(crate) fn receive_maximum(&self) -> u16 {
        u16::try_from(self.limit).unwrap_or(u16::MAX)
    }

    /// Begins a connection. What waits for a queue goes on waiting; a broker that has forgotten the session wants no
    /// acknowledgement of it. It may have forgotten it also if it says that it has `kept` it, when it was `asked` before and
    /// its answer was not heard: then that which it kept may be what it made when it was asked.
    pub(crate) fn begin(&mut self, kept: bool, asked: bool) {
        if !kept {
            self.received.clear();
            self.doubtful.clear();
            self.pending.retain_mut(|pending| !pending.arrived && !Q::IN_LINE);
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
        self.passes_over = core::mem::take(&mut self.held);
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
            !pending.arrived && !Q::IN_LINE
        });
    }

    fn is_doubtful(&self, qos: Qos, id: u16) -> bool {
        let has = |pending: &Pending<Q::Routed<'r>>| pending.doubtful && pending.owed == Some((qos, id));
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
        if let Some(verdict) = self.without_routing(publish) {
            return verdict;
        }
        let Publish { qos, id, topic, payload, .. } = *publish;
        let routed = match publish.subscriptions().filter(|_| Q::GROUPED) {
            None => self.router.route(topic, payload),
            Some(subscriptions) => {
                let mut groups = [0; GROUPS];
                let numbers = groups.iter_mut().zip(subscriptions);
                // Subscription identifiers count from 1.
                numbers.for_each(|(group, number)| *group = (*number as usize).wrapping_sub(1));
                self.router.route_groups(groups.get(..subscriptions.len()).unwrap_or_default(), topic, payload)
            }
        };
        if routed.is_unrouted() {
            self.uncounted += 1;
        }
        // A record that has not taken the value: no acknowledgement, so the broker keeps it for another time.
        let owed = (qos > Qos::AtMostOnce && !routed.is_refused()).then_some((qos, id));
        if qos > Qos::AtMostOnce && routed.is_wanted_again() {
            self.exceeded = true;
            return Verdict::Nothing;
        }
        if routed.waits() {
            if owed.is_none() && (Q::IN_LINE || self.pending.len() - self.owed >= self.limit) {
                routed.let_go();
                return Verdict::Nothing;
            }
            self.unpolled = true;
            self.owed += usize::from(owed.is_some());
            // There is a place: there are as many as the broker may leave without an acknowledgement.
            let _has_place = self.pending.append(Pending { routed, owed, arrived: false, doubtful: false });
            return Verdict::Nothing;
        }
        owed.map_or(Verdict::Nothing, |(qos, id)| Verdict::Answer(self.taken(qos, id)))
    }

    /// A value is too large to be read: its links hear of it, and the broker that it is taken, or it would send it for ever.
    pub(crate) fn too_large(&mut self, publish: &Publish<'_>, why: &dyn core::fmt::Display) -> Verdict {
        if let Some(verdict) = self.without_routing(publish) {
            return verdict;
        }
        let Publish { qos, id, topic, .. } = *publish;
        if !self.router.too_large(topic, why) {
            self.uncounted += 1;
        }
        if qos > Qos::AtMostOnce { Verdict::Answer(self.taken(qos, id)) } else { Verdict::Nothing }
    }

    /// What is to be done about a value whatever it is and whoever it is for; `None` where it is to be routed.
    fn without_routing(&mut self, publish: &Publish<'_>) -> Option<Verdict> {
        let Publish { qos, again, id, .. } = *publish;
        self.held = false;
        if qos > Qos::AtMostOnce {
            if self.is_doubtful(qos, id) {
                // What is known under this identifier is sent again, or else this is something else.
                self.learned(again);
            }
            if qos == Qos::ExactlyOnce && self.received.has(id) {
                return Some(Verdict::Answer(Ack::Pubrec));
            }
            if self.owed > 0
                && let Some(place) = self.pending.iter().position(|known| known.owed == Some((qos, id)))
            {
                // Sent again after a reconnect, while the first one still waits: that one will be acknowledged.
                if !self.pending.get(place).is_some_and(|known| known.arrived) {
                    return Some(Verdict::Nothing);
                }
                drop(self.pending.remove(place));
                self.owed -= 1;
                return Some(Verdict::Answer(self.taken(qos, id)));
            }
            if self.exceeded {
                return Some(Verdict::Nothing);
            }
            if self.owed + self.received.count() + self.doubtful.count() >= self.limit {
                // It would not send so much, had it kept what is doubtful.
                self.learned(false);
                if self.owed + self.received.count() >= self.limit {
                    self.held = self.owed > 0 && !self.passes_over;
                    if self.held {
                        return Some(Verdict::Later);
                    }
                    self.exceeded = self.owed > 0;
                    return Some(if self.exceeded { Verdict::Nothing } else { Verdict::TooMany });
                }
            }
        }
        None
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
            if waiting.doubtful && !waiting.routed.is_refused() {
                // As without a connection: the broker may know another value by this identifier.
                waiting.arrived = true;
                return true;
            }
            *owed -= 1;
            if !waiting.routed.is_refused() {
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
            waiting.arrived = waiting.owed.is_some() && !waiting.routed.is_refused();
            *owed -= usize::from(waiting.owed.is_some() && !waiting.arrived);
            waiting.arrived
        });
    }

    fn taken(&mut self, qos: Qos, id: u16) -> Ack {
        self.received.taken(qos, id)
    }
}
