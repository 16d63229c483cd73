//! What is between the hosts: the packets under way, and what each does where it arrives.
//!
//! The simulation knows which packets it has lost, so a sender's timer is set only then: what goes well costs a packet
//! and its acknowledgement, and an idle network sets no timer at all.

use super::{
    faults::NetworkChances,
    flow::{Flow, Found, Retry, Span},
    hosts::{HostId, Hosts, Path},
};
use crate::{
    Trace,
    random::{Random, nanos},
    timers::{Due, Timers},
};
use anabranch_executor::{ConnectError, StreamError};
use slab::Slab;
use std::{
    collections::VecDeque,
    fmt, mem,
    task::{Poll, Waker},
};

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
    pub(crate) hosts: Hosts,
    pub(crate) listeners: Slab<Listener>,
    connections: Slab<Connection>,
    random: Random,
    /// How many bytes may be under way, and how many may wait unread.
    pub(crate) buffer: u64,
    /// After how long without an answer a sender gives up.
    pub(crate) give_up: u64,
    pub(crate) counts: NetworkCounts,
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

/// One of the ends of a connection; the client is the one who connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}
use Side::{Client, Server};

impl Side {
    pub(crate) fn other(self) -> Side {
        match self {
            Client => Server,
            Server => Client,
        }
    }
}

/// Which connection: a place, and the number that tells it from others that stood there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnectionKey {
    place: usize,
    number: u64,
}

/// One end of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) connection: ConnectionKey,
    pub(crate) side: Side,
}

struct Connection {
    number: u64,
    /// The port that the server listens on, and the client's own.
    ports: [u16; 2],
    ends: [End; 2],
    /// What each end sends.
    flows: [Flow; 2],
}

struct End {
    host: HostId,
    phase: Phase,
    /// Somebody holds the stream, or it waits at a listener.
    held: bool,
    /// When the last packet that was sent from here arrives.
    last_arrival: u64,
    opener: Option<Waker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The server's end before it has heard of the connection.
    Unborn,
    /// The client's end before it has an answer.
    Opening,
    Open,
    /// There is nothing here any more; the client never had a connection.
    Unopened(ConnectError),
    /// There is nothing here any more: what arrives is answered by a reset.
    Gone(StreamError),
}

/// A port that somebody listens on.
pub(crate) struct Listener {
    pub(crate) host: HostId,
    pub(crate) port: u16,
    /// Its host has crashed since it was made.
    pub(crate) gone: bool,
    pub(crate) backlog: VecDeque<ConnectionKey>,
    pub(crate) waker: Option<Waker>,
}

/// What a timer of the network does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Event {
    /// A packet arrives.
    Arrives(Place, Packet),
    /// A sender that has heard nothing tries again.
    Retry(Place),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packet {
    Open,
    Accept,
    Data(Span),
    Ack {
        received: u64,
        limit: u64,
    },
    Reset,
    /// A router says that there is no way.
    NoWay,
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Packet::Open => f.write_str("open"),
            Packet::Accept => f.write_str("accept"),
            Packet::Data(Span { from, to }) => write!(f, "data {from}..{to}"),
            Packet::Ack { received, limit } => write!(f, "ack {received}, up to {limit}"),
            Packet::Reset => f.write_str("reset"),
            Packet::NoWay => f.write_str("no way"),
        }
    }
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
}

impl NetworkState {
    /// Ends the network, and gives what it held, to be dropped where no lock is held.
    #[must_use]
    pub(crate) fn shut_down(&mut self) -> impl Sized + use<> {
        self.hosts.end();
        (mem::take(&mut self.connections), mem::take(&mut self.listeners), mem::take(&mut self.woken))
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
    fn connection(&mut self, key: ConnectionKey) -> Option<&mut Connection> {
        self.network.connections.get_mut(key.place).filter(|connection| connection.number == key.number)
    }

    fn phase(&self, place: Place) -> Option<Phase> {
        let connection = self.network.connections.get(place.connection.place)?;
        (connection.number == place.connection.number).then(|| connection.ends[place.side as usize].phase)
    }

    // What those do who hold a stream.

    /// Begins a connection, and gives the client's end of it.
    pub(crate) fn open(&mut self, from: HostId, to: &str, port: u16) -> Result<Place, ConnectError> {
        let server = self.network.hosts.find(to).ok_or(ConnectError::NameNotFound)?;
        if self.network.hosts.is_down(from) {
            return Err(ConnectError::NoNetwork);
        }
        let number = self.network.counts.connections;
        self.network.counts.connections += 1;
        let window = self.network.buffer;
        let end = |host, phase, held| End { host, phase, held, last_arrival: 0, opener: None };
        let place = self.network.connections.insert(Connection {
            number,
            ports: [self.network.hosts.own_port(from), port],
            ends: [end(from, Phase::Opening, true), end(server, Phase::Unborn, false)],
            flows: [Flow::new(window), Flow::new(window)],
        });
        let client = Place { connection: ConnectionKey { place, number }, side: Client };
        self.trace.connects(number, format_args!("{} > {to}:{port}", self.network.hosts.name(from)));
        self.send(client, Packet::Open);
        Ok(client)
    }

    pub(crate) fn poll_opened(
        &mut self,
        client: Place,
        waker: Waker,
    ) -> (Poll<Result<(), ConnectError>>, Option<Waker>) {
        let Some(connection) = self.connection(client.connection) else {
            return (Poll::Ready(Err(ConnectError::NoNetwork)), Some(waker));
        };
        let end = &mut connection.ends[client.side as usize];
        match end.phase {
            Phase::Open => (Poll::Ready(Ok(())), Some(waker)),
            Phase::Unopened(error) => (Poll::Ready(Err(error)), Some(waker)),
            Phase::Gone(_) => (Poll::Ready(Err(ConnectError::Refused)), Some(waker)),
            Phase::Opening | Phase::Unborn => (Poll::Pending, end.opener.replace(waker)),
        }
    }

    pub(crate) fn poll_read(
        &mut self,
        place: Place,
        buffer: &mut [u8],
        waker: Waker,
    ) -> (Poll<Result<usize, StreamError>>, Option<Waker>) {
        match self.phase(place) {
            Some(Phase::Open) => {}
            Some(Phase::Gone(error)) => return (Poll::Ready(Err(error)), Some(waker)),
            _ => return (Poll::Ready(Err(StreamError::Reset)), Some(waker)),
        }
        let window = self.network.buffer;
        let connection = &mut self.network.connections[place.connection.place];
        let path = self.network.hosts.chances(connection.ends[0].host, connection.ends[1].host);
        let flow = &mut connection.flows[place.side.other() as usize];
        if buffer.is_empty() {
            return (Poll::Ready(Ok(0)), Some(waker));
        }
        let bytes = match flow.found() {
            Found::Nothing => return (Poll::Pending, flow.reader.replace(waker)),
            Found::End => return (Poll::Ready(Ok(0)), Some(waker)),
            Found::Bytes(bytes) => self.network.random.part(path.split, bytes.min(buffer.len())),
        };
        flow.take(&mut buffer[..bytes]);
        if flow.has_room_to_tell(window) {
            self.acknowledge(place);
        }
        (Poll::Ready(Ok(bytes)), Some(waker))
    }

    pub(crate) fn poll_write(
        &mut self,
        place: Place,
        bytes: &[u8],
        waker: Waker,
    ) -> (Poll<Result<usize, StreamError>>, Option<Waker>) {
        match self.phase(place) {
            Some(Phase::Open) => {}
            Some(Phase::Gone(error)) => return (Poll::Ready(Err(error)), Some(waker)),
            _ => return (Poll::Ready(Err(StreamError::Reset)), Some(waker)),
        }
        let connection = &mut self.network.connections[place.connection.place];
        let path = self.network.hosts.chances(connection.ends[0].host, connection.ends[1].host);
        let flow = &mut connection.flows[place.side as usize];
        if flow.is_closed() {
            return (Poll::Ready(Err(StreamError::Closed)), Some(waker));
        }
        if bytes.is_empty() {
            return (Poll::Ready(Ok(0)), Some(waker));
        }
        let space = flow.space(self.network.buffer);
        if space == 0 {
            return (Poll::Pending, flow.writer.replace(waker));
        }
        let taken = self.network.random.part(path.split, bytes.len().min(space as usize));
        flow.write(&bytes[..taken]);
        self.pump(place);
        (Poll::Ready(Ok(taken)), Some(waker))
    }

    /// What a flush finds: all that was written is on its way.
    pub(crate) fn flushed(&self, place: Place) -> Result<(), StreamError> {
        match self.phase(place) {
            Some(Phase::Open) => Ok(()),
            Some(Phase::Gone(error)) => Err(error),
            _ => Err(StreamError::Reset),
        }
    }

    pub(crate) fn close(&mut self, place: Place) -> Result<(), StreamError> {
        self.flushed(place)?;
        self.network.connections[place.connection.place].flows[place.side as usize].close();
        self.pump(place);
        Ok(())
    }

    /// Cuts the connection from this end.
    pub(crate) fn abandon(&mut self, place: Place) {
        if self.phase(place) == Some(Phase::Open) {
            self.cut(place, StreamError::Closed);
        }
    }

    /// Nobody holds this end any more. Gives the wakers of those who waited here, to be dropped where no lock is held.
    pub(crate) fn release(&mut self, place: Place) -> [Option<Waker>; 3] {
        let Some(connection) = self.connection(place.connection) else { return [const { None }; 3] };
        let end = &mut connection.ends[place.side as usize];
        end.held = false;
        let opener = end.opener.take();
        let writer = connection.flows[place.side as usize].writer.take();
        let reader = connection.flows[place.side.other() as usize].reader.take();
        if connection.ends[place.side.other() as usize].held {
            self.leave(place);
        } else {
            // What is still under way finds nothing.
            self.stop_retrying(Place { side: Client, ..place });
            self.stop_retrying(Place { side: Server, ..place });
            self.network.connections.remove(place.connection.place);
        }
        [opener, writer, reader]
    }

    /// Ends this side of a connection, as the system does for a program.
    fn leave(&mut self, place: Place) {
        let random = &mut self.network.random;
        let connection = &mut self.network.connections[place.connection.place];
        match connection.ends[place.side as usize].phase {
            Phase::Opening => self.cut(place, StreamError::Closed),
            Phase::Open => {
                let path = self.network.hosts.chances(connection.ends[0].host, connection.ends[1].host);
                let unread = matches!(connection.flows[place.side.other() as usize].found(), Found::Bytes(_));
                let flow = &mut connection.flows[place.side as usize];
                if unread || (!flow.is_closed() && random.happens(path.cut_on_drop)) {
                    self.cut(place, StreamError::Closed);
                } else {
                    flow.close();
                    self.pump(place);
                }
            }
            Phase::Unborn | Phase::Unopened(_) | Phase::Gone(_) => {}
        }
    }

    /// Takes the next connection that waits at a listener.
    pub(crate) fn poll_accept(&mut self, listener: usize, waker: Waker) -> (Poll<Option<Place>>, Option<Waker>) {
        let Some(listener) = self.network.listeners.get_mut(listener) else { return (Poll::Ready(None), Some(waker)) };
        match listener.backlog.pop_front() {
            _ if listener.gone => (Poll::Ready(None), Some(waker)),
            Some(connection) => (Poll::Ready(Some(Place { connection, side: Server })), Some(waker)),
            None => (Poll::Pending, listener.waker.replace(waker)),
        }
    }

    /// The other end's host and port.
    pub(crate) fn peer(&self, place: Place) -> Option<(HostId, u16)> {
        let connection = self.network.connections.get(place.connection.place)?;
        let peer = place.side.other() as usize;
        (connection.number == place.connection.number).then(|| (connection.ends[peer].host, connection.ports[peer]))
    }

    /// Ends a listener: whoever waits there is sent a reset.
    pub(crate) fn close_listener(&mut self, key: usize) -> Option<Listener> {
        let mut listener = self.network.listeners.try_remove(key)?;
        if !listener.gone {
            self.network.hosts.close_port(listener.host, listener.port);
        }
        for connection in mem::take(&mut listener.backlog) {
            let place = Place { connection, side: Server };
            self.abandon(place);
            // Nobody has waited there yet, so there are no wakers to give.
            let _none = self.release(place);
        }
        Some(listener)
    }

    // What happens to hosts.

    /// All that this host had is gone, and nobody is told.
    pub(crate) fn crash(&mut self, host: HostId) {
        self.network.hosts.set_down(host, true);
        for (_, listener) in &mut self.network.listeners {
            if listener.host == host && !listener.gone {
                listener.gone = true;
                self.network.woken.extend(listener.waker.take());
                self.network.hosts.close_port(host, listener.port);
            }
        }
        self.each_end(|wire, place| {
            let connection = &wire.network.connections[place.connection.place];
            let end = &connection.ends[place.side as usize];
            if end.host == host && matches!(end.phase, Phase::Open | Phase::Opening) {
                wire.vanish(place, ConnectError::NoNetwork, StreamError::Reset);
            }
        });
    }

    /// Cuts every connection between two hosts; both ends learn of it.
    pub(crate) fn reset(&mut self, one: HostId, other: HostId) {
        self.each_end(|wire, place| {
            if wire.is_between(place, one, other) {
                wire.arrive(place, Packet::Reset);
            }
        });
    }

    /// Lets senders find out that a path has been cut, who wait for room beyond it and would send nothing meanwhile.
    pub(crate) fn doubt(&mut self, one: HostId, other: HostId) {
        self.each_end(|wire, place| {
            if wire.is_between(place, one, other) {
                wire.expect_answer(place);
            }
        });
    }

    fn is_between(&self, place: Place, one: HostId, other: HostId) -> bool {
        let ends = &self.network.connections[place.connection.place].ends;
        let hosts = (ends[0].host, ends[1].host);
        hosts == (one, other) || hosts == (other, one)
    }

    fn each_end(&mut self, mut act: impl FnMut(&mut Self, Place)) {
        let keys: Vec<ConnectionKey> = (self.network.connections.iter())
            .map(|(place, connection)| ConnectionKey { place, number: connection.number })
            .collect();
        for connection in keys {
            act(self, Place { connection, side: Client });
            act(self, Place { connection, side: Server });
        }
    }

    // What the ends do by themselves.

    /// Sends what may be sent.
    fn pump(&mut self, place: Place) {
        while let Some(span) =
            self.network.connections[place.connection.place].flows[place.side as usize].next_to_send()
        {
            self.send(place, Packet::Data(span));
        }
        if self.network.connections[place.connection.place].flows[place.side as usize].missed_room() {
            self.expect_answer(place);
        }
    }

    fn acknowledge(&mut self, place: Place) {
        let window = self.network.buffer;
        let flow = &mut self.network.connections[place.connection.place].flows[place.side.other() as usize];
        let (received, limit) = flow.acknowledgement(window);
        self.send(place, Packet::Ack { received, limit });
    }

    /// Ends this end and tells the peer.
    fn cut(&mut self, place: Place, error: StreamError) {
        self.vanish(place, ConnectError::Refused, error);
        self.send(place, Packet::Reset);
    }

    /// There is nothing at this end any more.
    fn vanish(&mut self, place: Place, unopened: ConnectError, error: StreamError) {
        let connection = &mut self.network.connections[place.connection.place];
        let end = &mut connection.ends[place.side as usize];
        end.phase = match end.phase {
            Phase::Opening => Phase::Unopened(unopened),
            _ => Phase::Gone(error),
        };
        self.network.woken.extend(end.opener.take());
        self.network.woken.extend(connection.flows[place.side as usize].writer.take());
        self.network.woken.extend(connection.flows[place.side.other() as usize].reader.take());
        self.stop_retrying(place);
        self.expect_answer(Place { side: place.side.other(), ..place });
    }

    /// Sets the timer of a sender that waits for its peer, unless it is set.
    fn expect_answer(&mut self, place: Place) {
        let (now, give_up) = (self.now, self.network.give_up);
        let Some(connection) = self.network.connections.get_mut(place.connection.place) else { return };
        let opening = connection.ends[place.side as usize].phase == Phase::Opening;
        let flow = &mut connection.flows[place.side as usize];
        let alive = opening || connection.ends[place.side as usize].phase == Phase::Open;
        if !alive || !(opening || flow.waits()) || flow.retry.is_some() {
            return;
        }
        let timer =
            self.timers.set(next_try(now, now, give_up, flow.tries, opening), Due::Network(Event::Retry(place)));
        flow.retry = Some(Retry { timer, since: now });
    }

    fn stop_retrying(&mut self, place: Place) {
        let flow = &mut self.network.connections[place.connection.place].flows[place.side as usize];
        if let Some(retry) = flow.retry.take() {
            // It holds a place and no waker, so it may go here.
            drop(self.timers.take_back(retry.timer));
        }
    }

    // What happens to packets.

    fn send(&mut self, from: Place, packet: Packet) {
        self.network.counts.sent += 1;
        let connection = &mut self.network.connections[from.connection.place];
        let to = Place { side: from.side.other(), ..from };
        let hosts = (connection.ends[from.side as usize].host, connection.ends[to.side as usize].host);
        let chances = *self.network.hosts.chances(hosts.0, hosts.1);
        let random = &mut self.network.random;
        match self.network.hosts.path(hosts.0, hosts.1) {
            Path::Open => {}
            Path::Rejecting if packet == Packet::Open => {
                let at = self.now + nanos(chances.latency) + 1;
                self.timers.set(at, Due::Network(Event::Arrives(from, Packet::NoWay)));
                return self.lose(to, packet);
            }
            Path::Silent | Path::Rejecting => return self.lose(to, packet),
        }
        if random.happens(chances.loss) {
            return self.lose(to, packet);
        }
        let cut = random.happens(chances.reset);
        let mut at = self.now + nanos(chances.latency) + random.time_up_to(chances.jitter);
        if random.happens(chances.reorder) {
            self.network.counts.reordered += 1;
            at += random.time_up_to(chances.reorder_by);
        } else {
            let end = &mut connection.ends[from.side as usize];
            at = at.max(end.last_arrival + 1);
            end.last_arrival = at;
        }
        if cut {
            self.network.counts.reset += 1;
            self.timers.set(at, Due::Network(Event::Arrives(from, Packet::Reset)));
            self.timers.set(at, Due::Network(Event::Arrives(to, Packet::Reset)));
            return;
        }
        self.timers.set(at, Due::Network(Event::Arrives(to, packet)));
        if random.happens(chances.duplicate) {
            self.network.counts.duplicated += 1;
            let again = at + 1 + random.time_up_to(chances.jitter + chances.reorder_by);
            self.timers.set(again, Due::Network(Event::Arrives(to, packet)));
        }
    }

    /// A packet does not arrive; whoever waits for its effect will try again.
    fn lose(&mut self, to: Place, packet: Packet) {
        self.network.counts.lost += 1;
        self.trace.lost(to.connection.number, to.side == Server, packet);
        let connection = &mut self.network.connections[to.connection.place];
        match packet {
            Packet::Open => self.expect_answer(Place { side: to.side.other(), ..to }),
            Packet::Data(span) => {
                connection.flows[to.side.other() as usize].lose(span.to);
                self.expect_answer(Place { side: to.side.other(), ..to });
            }
            Packet::Ack { received, .. } => {
                connection.flows[to.side as usize].lose(received);
                self.expect_answer(to);
            }
            Packet::Accept | Packet::Reset | Packet::NoWay => self.expect_answer(to),
        }
    }

    pub(crate) fn happen(&mut self, event: Event) {
        match event {
            Event::Arrives(to, packet) => {
                let Some(connection) = self.connection(to.connection) else { return };
                let hosts = (connection.ends[to.side.other() as usize].host, connection.ends[to.side as usize].host);
                let open = self.network.hosts.path(hosts.0, hosts.1) == Path::Open || packet == Packet::NoWay;
                if !open || self.network.hosts.is_down(hosts.1) {
                    return self.lose(to, packet);
                }
                self.trace.arrived(to.connection.number, to.side == Server, packet);
                self.arrive(to, packet);
            }
            Event::Retry(place) => self.retry(place),
        }
    }

    fn arrive(&mut self, to: Place, packet: Packet) {
        let connection = &mut self.network.connections[to.connection.place];
        let end = &mut connection.ends[to.side as usize];
        match (end.phase, packet) {
            (Phase::Unborn, Packet::Open) => self.knock(to),
            (Phase::Unborn, _) => {}
            (Phase::Gone(_) | Phase::Unopened(_), Packet::Reset | Packet::NoWay) => {}
            (Phase::Gone(_) | Phase::Unopened(_), _) => self.send(to, Packet::Reset),
            (Phase::Opening, Packet::NoWay) => self.vanish(to, ConnectError::Unreachable, StreamError::Reset),
            (_, Packet::NoWay) => {}
            (Phase::Opening | Phase::Open, Packet::Reset) => self.vanish(to, ConnectError::Refused, StreamError::Reset),
            (Phase::Opening, _) => {
                end.phase = Phase::Open;
                self.network.woken.extend(end.opener.take());
                self.stop_retrying(to);
                connection_flow(self.network, to).tries = 0;
                if packet != Packet::Accept {
                    self.arrive(to, packet);
                }
            }
            (Phase::Open, Packet::Open) => self.send(to, Packet::Accept),
            (Phase::Open, Packet::Accept) => {}
            (Phase::Open, Packet::Data(span)) => {
                let flow = &mut connection.flows[to.side.other() as usize];
                if !end.held && flow.has_news(span) {
                    return self.cut(to, StreamError::Closed);
                }
                if flow.receive(span) {
                    self.network.woken.extend(flow.reader.take());
                }
                self.acknowledge(to);
            }
            (Phase::Open, Packet::Ack { received, limit }) => {
                let flow = &mut connection.flows[to.side as usize];
                let again = flow.acknowledge(received, limit);
                flow.tries = 0;
                if flow.space(self.network.buffer) > 0 {
                    self.network.woken.extend(flow.writer.take());
                }
                let recovered = flow.recovered();
                if let Some(retry) = &mut flow.retry {
                    retry.since = self.now;
                    if recovered {
                        self.stop_retrying(to);
                    }
                }
                if let Some(span) = again {
                    self.send(to, Packet::Data(span));
                }
                self.pump(to);
            }
        }
    }

    /// The server hears of a connection.
    fn knock(&mut self, to: Place) {
        let connection = &mut self.network.connections[to.connection.place];
        let end = &mut connection.ends[to.side as usize];
        let Some(listener) = self.network.hosts.listener(end.host, connection.ports[to.side as usize]) else {
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
    fn retry(&mut self, place: Place) {
        let (now, give_up) = (self.now, self.network.give_up);
        let Some(connection) = self.connection(place.connection) else { return };
        let end = &connection.ends[place.side as usize];
        let flow = &mut connection.flows[place.side as usize];
        let Some(retry) = flow.retry.take() else { return };
        let packet = match end.phase {
            Phase::Opening => Packet::Open,
            Phase::Open if flow.waits() => Packet::Data(flow.to_send_again()),
            _ => return,
        };
        if now >= retry.since.saturating_add(give_up) {
            self.network.counts.given_up += 1;
            return self.vanish(place, ConnectError::Unreachable, StreamError::TimedOut);
        }
        flow.tries = flow.tries.saturating_add(1);
        let at = next_try(now, retry.since, give_up, flow.tries, packet == Packet::Open);
        let timer = self.timers.set(at, Due::Network(Event::Retry(place)));
        connection_flow(self.network, place).retry = Some(Retry { timer, ..retry });
        self.network.counts.retries += 1;
        self.send(place, packet);
    }
}

/// What is sent from this end.
fn connection_flow(network: &mut NetworkState, place: Place) -> &mut Flow {
    &mut network.connections[place.connection.place].flows[place.side as usize]
}

/// When a sender tries again, or gives up.
fn next_try(now: u64, since: u64, give_up: u64, tries: u32, opening: bool) -> u64 {
    let first = if opening { RETRY_OPENING } else { RETRY };
    let wait = first.saturating_mul(1 << tries.min(20)).min(RETRY_LONGEST);
    now.saturating_add(wait).min(since.saturating_add(give_up)).max(now + 1)
}
