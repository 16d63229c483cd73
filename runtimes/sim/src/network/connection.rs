//! A connection as the network sees it: two ends, and what each sends.

use super::{flow::Flow, hosts::HostId};
use anabranch_executor::{ConnectError, StreamError};
use std::task::Waker;

/// One of the ends of a connection; the client is the one who connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    pub(crate) fn other(self) -> Side {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }
}

/// Which connection: a place in memory, and the number that tells it from others that stood there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnectionKey {
    pub(super) place: usize,
    pub(super) number: u64,
}

/// One end of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EndKey {
    pub(super) connection: ConnectionKey,
    pub(super) side: Side,
}

impl EndKey {
    pub(super) fn other(self) -> EndKey {
        EndKey { side: self.side.other(), ..self }
    }
}

pub(crate) struct Connection {
    pub(super) number: u64,
    /// By [`Side`], as all that comes in pairs here.
    pub(super) ends: [End; 2],
    /// What each end sends.
    pub(super) flows: [Flow; 2],
}

pub(crate) struct End {
    pub(super) host: HostId,
    pub(super) port: u16,
    pub(super) phase: Phase,
    /// Somebody holds the stream, or it waits at a listener.
    pub(super) held: bool,
    /// When the last packet that was sent from here arrives; those that keep their order arrive after it.
    pub(super) last_arrival: u64,
    pub(super) opener: Option<Waker>,
}

/// How an end stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
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

impl End {
    pub(super) fn new(host: HostId, port: u16, phase: Phase) -> Self {
        End { host, port, phase, held: phase == Phase::Opening, last_arrival: 0, opener: None }
    }
}

impl Connection {
    pub(super) fn end(&mut self, side: Side) -> &mut End {
        &mut self.ends[side as usize]
    }

    /// What this side sends.
    pub(super) fn outgoing(&mut self, side: Side) -> &mut Flow {
        &mut self.flows[side as usize]
    }

    /// What this side receives.
    pub(super) fn incoming(&mut self, side: Side) -> &mut Flow {
        self.outgoing(side.other())
    }

    /// The hosts on the way from this side to the other.
    pub(super) fn way_from(&self, side: Side) -> (HostId, HostId) {
        (self.ends[side as usize].host, self.ends[side.other() as usize].host)
    }

    pub(super) fn is_between(&self, one: HostId, other: HostId) -> bool {
        let hosts = self.way_from(Side::Client);
        hosts == (one, other) || hosts == (other, one)
    }

    /// Whoever waits at this side: for the connection, for room, for bytes.
    pub(super) fn take_wakers(&mut self, side: Side) -> [Option<Waker>; 3] {
        [self.end(side).opener.take(), self.outgoing(side).writer.take(), self.incoming(side).reader.take()]
    }
}
