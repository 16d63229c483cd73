//! What happens to hosts and to the paths between them, with what is open there.

use super::{
    connection::{Connection, ConnectionKey, EndKey, Phase, Side},
    hosts::{HostId, Path},
    packet::Packet,
    wire::Wire,
};
use anabranch_executor::{ConnectError, StreamError};
use std::mem;

impl Wire<'_> {
    /// All that this host had is gone, and nobody elsewhere is told.
    pub(crate) fn crash(&mut self, host: HostId) {
        let network = &mut *self.network;
        network.hosts.crash(host);
        for (_, listener) in &mut network.listeners {
            if listener.host == host && !mem::replace(&mut listener.gone, true) {
                network.woken.extend(listener.waker.take());
            }
        }
        let its_own = |connection: &mut Connection, side| {
            let end = connection.end(side);
            end.host == host && matches!(end.phase, Phase::Open | Phase::Opening)
        };
        for end in self.ends(its_own) {
            self.vanish(end, ConnectError::NoNetwork, StreamError::Reset);
        }
    }

    /// Cuts every connection between two hosts; both ends learn of it.
    pub(crate) fn reset(&mut self, one: HostId, other: HostId) {
        for end in self.ends(|connection, _| connection.is_between(one, other)) {
            self.arrive(end, Packet::Reset);
        }
    }

    pub(crate) fn set_path(&mut self, from: HostId, to: HostId, path: Path) {
        self.network.hosts.set_path(from, to, path);
        if path != Path::Open {
            // Who waits for room beyond it would send nothing meanwhile, and not find out.
            for end in self.ends(|connection, _| connection.is_between(from, to)) {
                self.expect_answer(end);
            }
        }
    }

    /// The ends that are so, in the order of their places.
    fn ends(&mut self, are_so: impl Fn(&mut Connection, Side) -> bool) -> Vec<EndKey> {
        let mut ends = Vec::new();
        for (place, connection) in &mut self.network.connections {
            let key = ConnectionKey { place, number: connection.number };
            let sides = [Side::Client, Side::Server].into_iter().filter(|&side| are_so(connection, side));
            ends.extend(sides.map(|side| EndKey { connection: key, side }));
        }
        ends
    }
}
