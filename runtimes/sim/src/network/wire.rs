//! What is between the hosts: packets under way, and what each does where it arrives.
//!
//! The simulation knows which packets it has lost, so a sender's timer is set only then: what goes well costs a packet
//! and its acknowledgement, and an idle network sets no timer at all.

use super::{
    connection::{Connection, ConnectionKey, EndKey, Phase, Side},
    faults::NetworkChances,
    flow::{Flow, Retry},
    hosts::{Hosts, Listener, Path},
    packet::{Event, Packet},
};
use crate::{
    Trace,
    random::{Random, nanos},
    timers::{Due, Timers},
};
use anabranch_executor::{ConnectError, StreamError};
use slab::Slab;
use std::{mem, task::Waker};

/// How many connections wait at a listener at most; what comes then is lost, and tried again.
const BACKLOG: usize = 128;
/// The first retry after a loss; each further one comes after twice the time.
const RETRY: u64 = 200_000_000;
/// The first retry of an opening.
const RETRY_OPENING: u64 = 1_000_000_000;
/// The longest time between two tries.
const RETRY_LONGEST: u64 = 60_000_000_000;

/// The network of a simulation.
pub(crate) struct NetworkState {
    pub(super) hosts: Hosts,
    pub(super) listeners: Slab<Listener>,
    pub(super) connections: Slab<Connection>,
    pub(super) random: Random,
    /// How many bytes may be under way, and how many may wait unread.
    pub(super) buffer: u64,
    /// After how long without an answer a sender gives up.
    pub(super) give_up: u64,
    pub(super) counts: NetworkCounts,
    /// Whom to wake once the state is unlocked.
    pub(crate) woken: Vec<Waker>,
}

/// How often something happened in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NetworkCounts {
    /// Connections that were begun.
    pub connections: u64,
    /// Packets that were sent, those that were sent again included.
    pub sent: u64,
    /// Packets that were lost: by chance, at a partition, on the way to a host that was down.
    pub lost: u64,
    /// Packets that a fault doubled.
    pub duplicated: u64,
    /// Packets that a fault let others overtake.
    pub reordered: u64,
    /// How often a sender tried again because it had heard nothing.
    pub retries: u64,
    /// How often a sender gave up.
    pub given_up: u64,
    /// Connections that a fault cut.
    pub reset: u64,
}

impl NetworkState {
    pub(crate) fn new(random: Random, faults: NetworkChances) -> Self {
        NetworkState {
            hosts: Hosts::new(faults),
            listeners: Slab::new(),
            connections: Slab::new(),
            random,
            buffer: 64 * 1024,
            give_up: 60_000_000_000,
            counts: NetworkCounts::default(),
            woken: Vec::new(),
        }
    }

    /// Ends the network, and gives what it held, to be dropped where no lock is held.
    #[must_use]
    pub(crate) fn shut_down(&mut self) -> impl Sized + use<> {
        self.hosts.end();
        (mem::take(&mut self.connections), mem::take(&mut self.listeners), mem::take(&mut self.woken))
    }

    /// What is sent from this end, of a connection that is there.
    fn outgoing(&mut self, end: EndKey) -> &mut Flow {
        self.connections[end.connection.place].outgoing(end.side)
    }
}

/// The network with what it needs of the simulation.
pub(crate) struct Wire<'a> {
    pub(crate) network: &'a mut NetworkState,
    pub(crate) timers: &'a mut Timers,
    pub(crate) trace: &'a mut Trace,
    pub(crate) now: u64,
}

impl Wire<'_> {
    /// The connection, if it is still there.
    pub(super) fn connection(&mut self, key: ConnectionKey) -> Option<&mut Connection> {
        self.network.connections.get_mut(key.place).filter(|connection| connection.number == key.number)
    }

    /// Sends what may be sent for the first time.
    pub(super) fn pump(&mut self, end: EndKey) {
        while let Some(span) = self.network.outgoing(end).next_to_send() {
            self.send(end, Packet::Data(span));
        }
        if self.network.outgoing(end).missed_room() {
            self.expect_answer(end);
        }
    }

    /// Tells the peer how far its bytes have come, and been read.
    pub(super) fn acknowledge(&mut self, end: EndKey) {
        let window = self.network.buffer;
        let (received, limit) = self.network.outgoing(end.other()).acknowledgement(window);
        self.send(end, Packet::Ack { received, limit });
    }

    pub(super) fn send(&mut self, from: EndKey, packet: Packet) {
        let network = &mut *self.network;
        network.counts.sent += 1;
        let connection = &mut network.connections[from.connection.place];
        let to = from.other();
        let way = connection.way_from(from.side);
        let chances = *network.hosts.chances(way);
        match network.hosts.path(way) {
            Path::Open => {}
            Path::Rejecting if packet == Packet::Open => {
                let at = self.now.saturating_add(nanos(chances.latency));
                self.timers.set(at, Due::Network(Event::Arrives(from, Packet::NoWay)));
                return self.lose(to, packet);
            }
            Path::Silent | Path::Rejecting => return self.lose(to, packet),
        }
        let random = &mut network.random;
        if random.happens(chances.loss) {
            return self.lose(to, packet);
        }
        let way = nanos(chances.latency).saturating_add(random.time_up_to(chances.jitter));
        let mut at = self.now.saturating_add(way);
        if random.happens(chances.reorder) {
            network.counts.reordered += 1;
            at = at.saturating_add(random.time_up_to(chances.reorder_by));
        } else {
            // What is due at one instant happens in any order: these keep theirs, so they are never due at one.
            let end = connection.end(from.side);
            at = at.max(end.last_arrival.saturating_add(1));
            end.last_arrival = at;
        }
        if random.happens(chances.reset) {
            network.counts.reset += 1;
            self.timers.set(at, Due::Network(Event::Arrives(from, Packet::Reset)));
            self.timers.set(at, Due::Network(Event::Arrives(to, Packet::Reset)));
            return;
        }
        self.timers.set(at, Due::Network(Event::Arrives(to, packet)));
        if random.happens(chances.duplicate) {
            network.counts.duplicated += 1;
            let later = random.time_up_to(chances.jitter.saturating_add(chances.reorder_by));
            let again = at.saturating_add(later).saturating_add(1);
            self.timers.set(again, Due::Network(Event::Arrives(to, packet)));
        }
    }

    /// A packet does not arrive; whoever waits for what it would have done tries again later.
    fn lose(&mut self, to: EndKey, packet: Packet) {
        self.network.counts.lost += 1;
        self.trace.lost(to.connection.number, to.side == Side::Server, packet);
        let waits = match packet {
            Packet::Open => to.other(),
            Packet::Data(span) => {
                self.network.outgoing(to.other()).lose(span.to);
                to.other()
            }
            Packet::Ack { received, .. } => {
                self.network.outgoing(to).lose(received);
                to
            }
            Packet::Accept | Packet::Reset | Packet::NoWay => to,
        };
        self.expect_answer(waits);
    }

    /// Sets the timer of a sender that waits for its peer, unless it is set.
    pub(super) fn expect_answer(&mut self, end: EndKey) {
        let connection = &mut self.network.connections[end.connection.place];
        let phase = connection.end(end.side).phase;
        let opening = match phase {
            Phase::Opening => true,
            Phase::Open if connection.outgoing(end.side).waits() => false,
            _ => return,
        };
        let flow = connection.outgoing(end.side);
        if flow.retry.is_none() {
            let at = next_try(self.now, self.now, self.network.give_up, flow.tries, opening);
            let timer = self.timers.set(at, Due::Network(Event::Retry(end)));
            flow.retry = Some(Retry { timer, since: self.now });
        }
    }

    pub(super) fn stop_retrying(&mut self, end: EndKey) {
        if let Some(retry) = self.network.outgoing(end).retry.take() {
            // It holds a key and no waker, so it may go here.
            drop(self.timers.take_back(retry.timer));
        }
    }

    /// Ends this end and tells the peer.
    pub(super) fn cut(&mut self, end: EndKey, error: StreamError) {
        self.vanish(end, ConnectError::Refused, error);
        self.send(end, Packet::Reset);
    }

    /// There is nothing at this end any more, and nobody is told but who waits here.
    pub(super) fn vanish(&mut self, end: EndKey, unopened: ConnectError, error: StreamError) {
        let connection = &mut self.network.connections[end.connection.place];
        let phase = &mut connection.end(end.side).phase;
        *phase = match phase {
            Phase::Opening => Phase::Unopened(unopened),
            _ => Phase::Gone(error),
        };
        self.network.woken.extend(connection.take_wakers(end.side).into_iter().flatten());
        self.stop_retrying(end);
        // A peer that waits for room here would not find out otherwise.
        self.expect_answer(end.other());
    }

    /// A timer of the network is due.
    pub(crate) fn happen(&mut self, event: Event) {
        match event {
            Event::Arrives(to, packet) => {
                let Some(connection) = self.connection(to.connection) else { return };
                let way = connection.way_from(to.side.other());
                let open = self.network.hosts.path(way) == Path::Open || packet == Packet::NoWay;
                if !open || self.network.hosts.is_down(way.1) {
                    return self.lose(to, packet);
                }
                self.trace.arrived(to.connection.number, to.side == Side::Server, packet);
                self.arrive(to, packet);
            }
            Event::Retry(end) => self.retry(end),
        }
    }

    pub(super) fn arrive(&mut self, to: EndKey, packet: Packet) {
        let connection = &mut self.network.connections[to.connection.place];
        let end = connection.end(to.side);
        match (end.phase, packet) {
            (Phase::Unborn, Packet::Open) => self.knock(to),
            (Phase::Unborn, _) => {}

            (Phase::Gone(_) | Phase::Unopened(_), Packet::Reset | Packet::NoWay) => {}
            (Phase::Gone(_) | Phase::Unopened(_), _) => self.send(to, Packet::Reset),

            (_, Packet::Reset) => self.vanish(to, ConnectError::Refused, StreamError::Reset),

            (Phase::Opening, Packet::NoWay) => self.vanish(to, ConnectError::Unreachable, StreamError::Reset),
            (Phase::Opening, packet) => {
                end.phase = Phase::Open;
                self.network.woken.extend(end.opener.take());
                self.stop_retrying(to);
                self.network.outgoing(to).tries = 0;
                // What overtook the acceptance says the same.
                self.arrive(to, packet);
            }

            (Phase::Open, Packet::Accept | Packet::NoWay) => {}
            (Phase::Open, Packet::Open) => self.send(to, Packet::Accept),
            (Phase::Open, Packet::Data(span)) => {
                let held = end.held;
                let flow = connection.incoming(to.side);
                if !held && flow.has_news(span) {
                    // Bytes for somebody who is not there.
                    return self.cut(to, StreamError::Closed);
                }
                if flow.receive(span) {
                    self.network.woken.extend(flow.reader.take());
                }
                self.acknowledge(to);
            }
            (Phase::Open, Packet::Ack { received, limit }) => {
                let flow = connection.outgoing(to.side);
                let again = flow.acknowledge(received, limit);
                if flow.space(self.network.buffer) > 0 {
                    self.network.woken.extend(flow.writer.take());
                }
                flow.tries = 0;
                let recovered = flow.recovered();
                match &mut flow.retry {
                    Some(_) if recovered => self.stop_retrying(to),
                    Some(retry) => retry.since = self.now,
                    None => {}
                }
                if let Some(span) = again {
                    self.send(to, Packet::Data(span));
                }
                self.pump(to);
            }
        }
    }

    /// The server hears of a connection.
    fn knock(&mut self, to: EndKey) {
        let end = self.network.connections[to.connection.place].end(to.side);
        let Some(listener) = self.network.hosts.listener(end.host, end.port) else {
            end.phase = Phase::Gone(StreamError::Closed);
            return self.send(to, Packet::Reset);
        };
        let listener = &mut self.network.listeners[listener];
        if listener.backlog.len() >= BACKLOG {
            return self.lose(to, Packet::Open);
        }
        (end.phase, end.held) = (Phase::Open, true);
        listener.backlog.push_back(to.connection);
        self.network.woken.extend(listener.waker.take());
        self.send(to, Packet::Accept);
    }

    /// A sender has heard nothing for a while.
    fn retry(&mut self, end: EndKey) {
        let (now, give_up) = (self.now, self.network.give_up);
        let Some(connection) = self.connection(end.connection) else { return };
        let phase = connection.end(end.side).phase;
        let flow = connection.outgoing(end.side);
        let Some(Retry { since, .. }) = flow.retry.take() else { return };
        let packet = match phase {
            Phase::Opening => Packet::Open,
            Phase::Open if flow.waits() => Packet::Data(flow.retransmit()),
            _ => return,
        };
        if now >= since.saturating_add(give_up) {
            self.network.counts.given_up += 1;
            return self.vanish(end, ConnectError::Unreachable, StreamError::TimedOut);
        }
        flow.tries = flow.tries.saturating_add(1);
        let at = next_try(now, since, give_up, flow.tries, packet == Packet::Open);
        let timer = self.timers.set(at, Due::Network(Event::Retry(end)));
        self.network.outgoing(end).retry = Some(Retry { timer, since });
        self.network.counts.retries += 1;
        self.send(end, packet);
    }
}

/// When a sender tries again, or gives up.
fn next_try(now: u64, since: u64, give_up: u64, tries: u32, opening: bool) -> u64 {
    let first = if opening { RETRY_OPENING } else { RETRY };
    let wait = first.saturating_mul(1 << tries.min(20)).min(RETRY_LONGEST);
    now.saturating_add(wait).min(since.saturating_add(give_up)).max(now.saturating_add(1))
}
