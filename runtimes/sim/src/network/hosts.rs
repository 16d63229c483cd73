//! The hosts: their names, what listens on them, and the paths between them.

use super::{connection::ConnectionKey, faults::NetworkChances};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    task::Waker,
};

/// A host, by the order in which they were named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct HostId(u32);

/// The host of [`Sim::adapter`](crate::Sim::adapter).
pub(crate) const LOCALHOST: &str = "localhost";

/// Whether packets come through, from one host to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Path {
    #[default]
    Open,
    /// They vanish.
    Silent,
    /// They vanish, and who opens a connection is told so.
    Rejecting,
}

/// The first port that is given to one who does not ask for a certain one.
const OWN_PORTS: u16 = 49_152;

pub(crate) struct Hosts {
    names: BTreeMap<Arc<str>, HostId>,
    hosts: Vec<Host>,
    everywhere: NetworkChances,
    /// Where a path is not like all others.
    between: BTreeMap<(HostId, HostId), Between>,
    /// The simulation has ended, and no host is up any more.
    over: bool,
}

/// A port that somebody listens on.
pub(crate) struct Listener {
    pub(super) host: HostId,
    pub(super) port: u16,
    /// Its host has crashed since it was made.
    pub(super) gone: bool,
    pub(super) backlog: VecDeque<ConnectionKey>,
    pub(super) waker: Option<Waker>,
}

struct Host {
    name: Arc<str>,
    down: bool,
    listeners: BTreeMap<u16, usize>,
    next_port: u16,
}

#[derive(Default)]
struct Between {
    path: Path,
    chances: Option<NetworkChances>,
}

impl Hosts {
    pub(crate) fn new(everywhere: NetworkChances) -> Self {
        let mut hosts =
            Hosts { names: BTreeMap::new(), hosts: Vec::new(), everywhere, between: BTreeMap::new(), over: false };
        hosts.named(LOCALHOST);
        hosts
    }

    /// The host of this name, which is there from now on.
    pub(crate) fn named(&mut self, name: &str) -> HostId {
        if let Some(&host) = self.names.get(name) {
            return host;
        }
        let host = HostId(self.hosts.len() as u32);
        let name: Arc<str> = name.into();
        self.names.insert(name.clone(), host);
        self.hosts.push(Host { name, down: false, listeners: BTreeMap::new(), next_port: OWN_PORTS });
        host
    }

    pub(crate) fn find(&self, name: &str) -> Option<HostId> {
        self.names.get(name).copied()
    }

    pub(crate) fn name(&self, host: HostId) -> &Arc<str> {
        &self.hosts[host.0 as usize].name
    }

    pub(crate) fn is_down(&self, host: HostId) -> bool {
        self.over || self.hosts[host.0 as usize].down
    }

    pub(crate) fn end(&mut self) {
        self.over = true;
    }

    pub(crate) fn crash(&mut self, host: HostId) {
        let host = &mut self.hosts[host.0 as usize];
        host.down = true;
        host.listeners.clear();
    }

    pub(crate) fn restart(&mut self, host: HostId) {
        self.hosts[host.0 as usize].down = false;
    }

    pub(crate) fn listener(&self, host: HostId, port: u16) -> Option<usize> {
        self.hosts[host.0 as usize].listeners.get(&port).copied()
    }

    pub(crate) fn open_port(&mut self, host: HostId, port: u16, listener: usize) {
        self.hosts[host.0 as usize].listeners.insert(port, listener);
    }

    pub(crate) fn close_port(&mut self, host: HostId, port: u16) {
        self.hosts[host.0 as usize].listeners.remove(&port);
    }

    /// A port that is not listened on and was not given lately.
    pub(crate) fn own_port(&mut self, host: HostId) -> u16 {
        let host = &mut self.hosts[host.0 as usize];
        loop {
            let port = host.next_port;
            host.next_port = port.checked_add(1).unwrap_or(OWN_PORTS);
            // Where all are listened on, one is given twice.
            if host.listeners.len() >= usize::from(u16::MAX - OWN_PORTS) || !host.listeners.contains_key(&port) {
                return port;
            }
        }
    }

    pub(crate) fn path(&self, way: (HostId, HostId)) -> Path {
        self.on_the_way(way).map_or(Path::Open, |between| between.path)
    }

    pub(crate) fn set_path(&mut self, from: HostId, to: HostId, path: Path) {
        self.between.entry((from, to)).or_default().path = path;
    }

    pub(crate) fn open_all_paths(&mut self) {
        self.between.values_mut().for_each(|between| between.path = Path::Open);
    }

    pub(crate) fn chances(&self, way: (HostId, HostId)) -> &NetworkChances {
        self.on_the_way(way).and_then(|between| between.chances.as_ref()).unwrap_or(&self.everywhere)
    }

    pub(crate) fn set_chances(&mut self, chances: NetworkChances) {
        self.everywhere = chances;
    }

    pub(crate) fn set_chances_between(&mut self, from: HostId, to: HostId, chances: NetworkChances) {
        self.between.entry((from, to)).or_default().chances = Some(chances);
    }

    fn on_the_way(&self, way: (HostId, HostId)) -> Option<&Between> {
        // Most simulations have no way that differs.
        if self.between.is_empty() { None } else { self.between.get(&way) }
    }
}
