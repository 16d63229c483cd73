//! The simulated network: hosts by name, TCP-like streams between them, and packets that get lost beneath.
//!
//! ```text
//!   SimStream ──▶ sockets ──▶ Flow ──▶ wire: packets that are lost, late, doubled ──▶ Flow ──▶ sockets ──▶ SimStream
//!   (stream)                  └──────────────── Connection: two ends, two flows ───────┘
//! ```
//!
//! `hosts` knows names, ports and paths, `incidents` what a crash or a cut does to what is open, `faults` what a path is
//! like.

mod connection;
mod faults;
mod flow;
mod hosts;
mod incidents;
mod packet;
mod sockets;
mod stream;
mod wire;

pub use faults::NetworkFaults;
pub use stream::{ListenError, SimListener, SimPeer, SimStream};
pub use wire::NetworkCounts;

pub(crate) use hosts::HostId;
pub(crate) use packet::{Event, Packet};
pub(crate) use wire::{NetworkState, Wire};

use crate::{Sim, SimAdapter, random::nanos, scheduler::Core};
use hosts::Path;
use std::{fmt, sync::Arc, time::Duration};

/// The network of a simulation, as a test rules it; [`Sim::network`] and [`SimAdapter::network`] give it.
///
/// A host is there as soon as it is named, here or by [`SimAdapter::on_host`]. `localhost` is the one of [`Sim::adapter`],
/// from wherever it is connected to. A host's packets to itself are packets like any other.
///
/// ```
/// use anabranch_executor::{ByteStreamExt, Endpoint, Network, RuntimeExt, StreamError, Transport};
/// use std::time::Duration;
///
/// anabranch_sim::check(0..20, |sim| {
///     let (network, board) = (sim.network(), sim.adapter().on_host("board"));
///     let mut listener = sim.adapter().on_host("broker").listen(1883)?;
///     sim.block_on(async move {
///         let broker = Endpoint { host: "broker", port: 1883, transport: Transport::Tcp };
///         let mut stream = board.connect(&broker).await?;
///         let (accepted, _peer) = listener.accept().await?;
///
///         // Half open: the board believes that it is connected, and is told when it sends something.
///         network.crash("broker");
///         let hearing = board.timeout(Duration::from_secs(3600), stream.read(&mut [0; 1])).await;
///         assert!(hearing.is_err(), "nothing is heard");
///         network.restart("broker");
///         stream.write_all(b"?").await?;
///         assert_eq!(stream.read(&mut [0; 1]).await, Err(StreamError::Reset));
///         drop(accepted);
///         Ok(())
///     })?
/// });
/// ```
#[derive(Clone)]
pub struct SimNetwork {
    core: Arc<Core>,
}

impl fmt::Debug for SimNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimNetwork").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

impl SimNetwork {
    /// What all paths are like from now on; what is under way arrives as it would have.
    pub fn set_faults(&self, faults: NetworkFaults) {
        self.core.on_the_wire(|wire| wire.network.hosts.set_chances(faults.into()));
    }

    /// What the paths between two hosts are like from now on, whatever [`set_faults`](Self::set_faults) says of all.
    pub fn set_faults_between(&self, one: &str, other: &str, faults: NetworkFaults) {
        self.between(one, other, |wire, one, other| {
            wire.network.hosts.set_chances_between(one, other, faults.into());
            wire.network.hosts.set_chances_between(other, one, faults.into());
        });
    }

    /// Cuts the paths between two hosts: packets vanish, those under way included, and nobody is told.
    pub fn partition(&self, one: &str, other: &str) {
        self.set_path(one, other, Path::Silent);
        self.set_path(other, one, Path::Silent);
    }

    /// Cuts the path from one host to another, and leaves the way back.
    pub fn partition_one_way(&self, from: &str, to: &str) {
        self.set_path(from, to, Path::Silent);
    }

    /// As [`partition`](Self::partition), but who opens a connection is told so:
    /// [`ConnectError::Unreachable`](anabranch_executor::ConnectError::Unreachable). Open connections hear nothing.
    pub fn make_unreachable(&self, one: &str, other: &str) {
        self.set_path(one, other, Path::Rejecting);
        self.set_path(other, one, Path::Rejecting);
    }

    /// Opens the paths between two hosts again, in both directions.
    pub fn heal(&self, one: &str, other: &str) {
        self.set_path(one, other, Path::Open);
        self.set_path(other, one, Path::Open);
    }

    /// Opens all paths again. Hosts that are down stay so.
    pub fn heal_all(&self) {
        self.core.on_the_wire(|wire| {
            wire.trace.rules(format_args!("heal all"));
            wire.network.hosts.open_all_paths();
        });
    }

    /// A host loses power: its listeners and connections are gone, and nobody is told. Its peers find out when they write
    /// to it: by a reset once it is up again, by [`TimedOut`](anabranch_executor::StreamError::TimedOut) while it is not.
    ///
    /// Tasks belong to no host and go on; end those that stand for programs of this one. What they hold of the network
    /// gives errors: streams [`Reset`](anabranch_executor::StreamError::Reset), listeners [`ListenError::HostDown`].
    pub fn crash(&self, host: &str) {
        self.core.on_the_wire(|wire| {
            wire.trace.rules(format_args!("crash {host}"));
            let host = wire.network.hosts.named(host);
            wire.crash(host);
        });
    }

    /// A host that had crashed is up again, with nothing open.
    pub fn restart(&self, host: &str) {
        self.core.on_the_wire(|wire| {
            wire.trace.rules(format_args!("restart {host}"));
            let host = wire.network.hosts.named(host);
            wire.network.hosts.restart(host);
        });
    }

    /// Cuts all connections between two hosts, as a router does that forgets them; both ends are told at once.
    pub fn reset(&self, one: &str, other: &str) {
        self.between(one, other, |wire, one, other| {
            wire.trace.rules(format_args!("reset"));
            wire.reset(one, other);
        });
    }

    /// After how long without an answer a sender gives up; at first a minute, and a day at most.
    pub fn give_up_after(&self, silence: Duration) {
        const DAY: Duration = Duration::from_secs(86_400);
        self.core.on_the_wire(|wire| wire.network.give_up = nanos(silence.min(DAY)));
    }

    /// How many bytes of a direction may be under way, and how many may wait for their reader; at first 64 KiB each. A
    /// writer waits when both are full. It is never less than one.
    pub fn set_buffer(&self, bytes: usize) {
        self.core.on_the_wire(|wire| wire.network.buffer = (bytes as u64).max(1));
    }

    /// What has happened so far, counted.
    #[must_use]
    pub fn counts(&self) -> NetworkCounts {
        self.core.on_the_wire(|wire| wire.network.counts)
    }

    fn set_path(&self, from: &str, to: &str, path: Path) {
        self.between(from, to, |wire, one, other| {
            wire.trace.rules(format_args!("{path:?} {from} > {to}"));
            wire.set_path(one, other, path);
        });
    }

    fn between(&self, one: &str, other: &str, act: impl FnOnce(&mut Wire<'_>, HostId, HostId)) {
        self.core.on_the_wire(|wire| {
            let (one, other) = (wire.network.hosts.named(one), wire.network.hosts.named(other));
            act(wire, one, other);
        });
    }
}

impl Sim {
    /// The network between the hosts of this simulation.
    #[must_use]
    pub fn network(&self) -> SimNetwork {
        self.adapter().network()
    }
}

impl SimAdapter {
    /// The network between the hosts of this simulation.
    #[must_use]
    pub fn network(&self) -> SimNetwork {
        SimNetwork { core: self.core.clone() }
    }

    /// The adapter of another host of this simulation: the same scheduler and the same clock, another place in the network.
    #[must_use]
    pub fn on_host(&self, name: &str) -> SimAdapter {
        let host = self.core.on_the_wire(|wire| wire.network.hosts.named(name));
        SimAdapter { core: self.core.clone(), host }
    }

    /// The name of this adapter's host; at first `localhost`.
    #[must_use]
    pub fn host(&self) -> Arc<str> {
        self.core.on_the_wire(|wire| wire.network.hosts.name(self.host).clone())
    }
}
