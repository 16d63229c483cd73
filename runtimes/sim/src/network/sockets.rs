//! What those ask of the network who hold streams and listeners.
//!
//! Who waits lends its waker; what is left in its place afterwards (the former one, or the same) is dropped by the caller,
//! where no lock is held.

use super::{
    connection::{Connection, ConnectionKey, End, EndKey, Phase, Side},
    flow::{Flow, Found},
    hosts::{HostId, Listener},
    packet::Packet,
    stream::{ListenError, SimPeer},
    wire::Wire,
};
use anabranch_executor::{ConnectError, StreamError};
use std::{
    collections::VecDeque,
    mem,
    task::{Poll, Waker},
};

impl Wire<'_> {
    /// Begins a connection, and gives the client's end of it.
    pub(crate) fn open(&mut self, from: HostId, to: &str, port: u16) -> Result<EndKey, ConnectError> {
        let network = &mut *self.network;
        let server = network.hosts.find(to).ok_or(ConnectError::NameNotFound)?;
        if network.hosts.is_down(from) {
            return Err(ConnectError::NoNetwork);
        }
        let number = network.counts.connections;
        network.counts.connections += 1;
        let own_port = network.hosts.own_port(from);
        let place = network.connections.insert(Connection {
            number,
            ends: [End::new(from, own_port, Phase::Opening), End::new(server, port, Phase::Unborn)],
            flows: [Flow::new(network.buffer), Flow::new(network.buffer)],
        });
        self.trace.connects(number, format_args!("{} > {to}:{port}", network.hosts.name(from)));
        let client = EndKey { connection: ConnectionKey { place, number }, side: Side::Client };
        self.send(client, Packet::Open);
        Ok(client)
    }

    pub(crate) fn poll_opened(&mut self, end: EndKey, waker: &mut Option<Waker>) -> Poll<Result<(), ConnectError>> {
        let Some(connection) = self.connection(end.connection) else {
            return Poll::Ready(Err(ConnectError::NoNetwork));
        };
        let end = connection.end(end.side);
        match end.phase {
            Phase::Unborn | Phase::Opening => {
                mem::swap(&mut end.opener, waker);
                Poll::Pending
            }
            Phase::Open => Poll::Ready(Ok(())),
            Phase::Unopened(error) => Poll::Ready(Err(error)),
            Phase::Gone(_) => Poll::Ready(Err(ConnectError::Handshake)),
        }
    }

    pub(crate) fn poll_read(
        &mut self,
        end: EndKey,
        buffer: &mut [u8],
        waker: &mut Option<Waker>,
    ) -> Poll<Result<usize, StreamError>> {
        let connection = self.open_connection(end)?;
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let way = connection.way_from(end.side.other());
        let flow = connection.incoming(end.side);
        let there = match flow.found() {
            Found::Bytes(there) => there.min(buffer.len()),
            Found::End => return Poll::Ready(Ok(0)),
            Found::Nothing => {
                mem::swap(&mut flow.reader, waker);
                return Poll::Pending;
            }
        };
        let network = &mut *self.network;
        let read = network.random.part(network.hosts.chances(way).split, there);
        let flow = network.connections[end.connection.place].incoming(end.side);
        flow.take(&mut buffer[..read]);
        if flow.has_room_to_tell(network.buffer) {
            self.acknowledge(end);
        }
        Poll::Ready(Ok(read))
    }

    pub(crate) fn poll_write(
        &mut self,
        end: EndKey,
        bytes: &[u8],
        waker: &mut Option<Waker>,
    ) -> Poll<Result<usize, StreamError>> {
        let buffer = self.network.buffer;
        let connection = self.open_connection(end)?;
        let way = connection.way_from(end.side);
        let flow = connection.outgoing(end.side);
        if flow.is_closed() {
            return Poll::Ready(Err(StreamError::Closed));
        }
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let space = match flow.space(buffer) {
            0 => {
                mem::swap(&mut flow.writer, waker);
                return Poll::Pending;
            }
            space => bytes.len().min(space as usize),
        };
        let network = &mut *self.network;
        let written = network.random.part(network.hosts.chances(way).split, space);
        network.connections[end.connection.place].outgoing(end.side).write(&bytes[..written]);
        self.pump(end);
        Poll::Ready(Ok(written))
    }

    /// What a flush finds: what was written is on its way already.
    pub(crate) fn flush(&mut self, end: EndKey) -> Result<(), StreamError> {
        self.open_connection(end).map(|_| ())
    }

    pub(crate) fn close(&mut self, end: EndKey) -> Result<(), StreamError> {
        self.open_connection(end)?.outgoing(end.side).close();
        self.pump(end);
        Ok(())
    }

    /// Cuts the connection from this end.
    pub(crate) fn abandon(&mut self, end: EndKey) {
        if self.open_connection(end).is_ok() {
            self.cut(end, StreamError::Closed);
        }
    }

    /// Nobody holds this end any more. Gives the wakers of those who waited here.
    pub(crate) fn release(&mut self, end: EndKey) -> [Option<Waker>; 3] {
        let Some(connection) = self.connection(end.connection) else { return [const { None }; 3] };
        connection.end(end.side).held = false;
        let wakers = connection.take_wakers(end.side);
        if connection.end(end.side.other()).held {
            self.leave(end);
        } else {
            // What is still under way finds nothing.
            self.stop_retrying(end);
            self.stop_retrying(end.other());
            self.network.connections.remove(end.connection.place);
        }
        wakers
    }

    /// Ends this side of a connection, as a system does for a program.
    fn leave(&mut self, end: EndKey) {
        let network = &mut *self.network;
        let connection = &mut network.connections[end.connection.place];
        match connection.end(end.side).phase {
            Phase::Opening => self.cut(end, StreamError::Closed),
            Phase::Open => {
                let chances = network.hosts.chances(connection.way_from(end.side));
                let unread = matches!(connection.incoming(end.side).found(), Found::Bytes(_));
                let flow = connection.outgoing(end.side);
                if unread || (!flow.is_closed() && network.random.happens(chances.cut_on_drop)) {
                    self.cut(end, StreamError::Closed);
                } else {
                    flow.close();
                    self.pump(end);
                }
            }
            Phase::Unborn | Phase::Unopened(_) | Phase::Gone(_) => {}
        }
    }

    /// The connection, if it is of use at this end.
    fn open_connection(&mut self, end: EndKey) -> Result<&mut Connection, StreamError> {
        let connection = self.connection(end.connection).ok_or(StreamError::Reset)?;
        match connection.end(end.side).phase {
            Phase::Open => Ok(connection),
            Phase::Gone(error) => Err(error),
            Phase::Unborn | Phase::Opening | Phase::Unopened(_) => Err(StreamError::Reset),
        }
    }

    pub(crate) fn listen(&mut self, host: HostId, port: u16) -> Result<usize, ListenError> {
        let hosts = &mut self.network.hosts;
        if hosts.is_down(host) {
            return Err(ListenError::HostDown);
        }
        let port = if port == 0 { hosts.own_port(host) } else { port };
        if hosts.listener(host, port).is_some() {
            return Err(ListenError::PortTaken);
        }
        let listener = Listener { host, port, gone: false, backlog: VecDeque::new(), waker: None };
        let key = self.network.listeners.insert(listener);
        hosts.open_port(host, port, key);
        Ok(key)
    }

    /// Takes the next connection that waits at a listener; [`None`] when its host has crashed.
    pub(crate) fn poll_accept(&mut self, key: usize, waker: &mut Option<Waker>) -> Poll<Option<(EndKey, SimPeer)>> {
        let network = &mut *self.network;
        let Some(listener) = network.listeners.get_mut(key).filter(|listener| !listener.gone) else {
            return Poll::Ready(None);
        };
        let Some(connection) = listener.backlog.pop_front() else {
            mem::swap(&mut listener.waker, waker);
            return Poll::Pending;
        };
        let client = network.connections[connection.place].end(Side::Client);
        let peer = SimPeer { host: network.hosts.name(client.host).clone(), port: client.port };
        Poll::Ready(Some((EndKey { connection, side: Side::Server }, peer)))
    }

    pub(crate) fn port(&self, listener: usize) -> u16 {
        self.network.listeners.get(listener).map_or(0, |listener| listener.port)
    }

    /// Ends a listener: whoever waits there is sent a reset.
    pub(crate) fn close_listener(&mut self, key: usize) -> Option<Listener> {
        let mut listener = self.network.listeners.try_remove(key)?;
        if !listener.gone {
            self.network.hosts.close_port(listener.host, listener.port);
        }
        for connection in mem::take(&mut listener.backlog) {
            let end = EndKey { connection, side: Side::Server };
            self.abandon(end);
            // Nobody has ever waited there, so there are no wakers to give.
            let _none = self.release(end);
        }
        Some(listener)
    }
}
