//! What a connector is to the core: something to publish through, that says whether it is connected.

use crate::{
    Consumer, HeapRecord, Producer,
    link::{ConnectionState, ConnectorConfig, InboundRoute, Outlet, PublishError},
};
use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use anabranch_executor::{MaybeSend, MaybeSync};
use core::{future::Future, pin::Pin};

/// Speaks one protocol for links.
///
/// All of its connection lives in [`run`](Self::run): connecting, with exponential back-off and jitter; subscribing again
/// after every reconnect; resuming what was not acknowledged. [`publish`](Self::publish) only hands it something to send.
pub trait Connector: MaybeSend + MaybeSync + 'static {
    /// Takes `payload` for `destination` (an address without its scheme). Never waits: not for a connection, not for room,
    /// not for the peer.
    ///
    /// `Ok` means that it is the connector's now: with a `qos` of 1 or 2 it is sent again until the peer has acknowledged it.
    ///
    /// # Errors
    /// [`PublishError`]: nothing was taken. After [`PublishError::NotConnected`] and [`PublishError::Full`] the core waits
    /// until [`connection`](Self::connection) says something, and asks again.
    fn publish(&self, destination: &str, config: &ConnectorConfig, payload: &[u8]) -> Result<(), PublishError>;

    /// Where it says that it is connected, is not, or has room again.
    fn connection(&self) -> &Connection;

    /// Its work in the background. Called when the database starts, and again should it have panicked.
    fn run(self: Arc<Self>) -> Running;

    /// Nothing more will be published: [`run`](Self::run) sends what was taken, takes leave of the peer, and ends.
    fn close(&self);

    /// How it is doing.
    fn status(&self) -> ConnectorStatus;
}

/// The future of [`Connector::run`].
pub type Running = Pin<Box<dyn ConnectorRun>>;

/// A future that runs a connector; every future that may be spawned is one.
pub trait ConnectorRun: Future<Output = ()> + MaybeSend {}
impl<F: Future<Output = ()> + MaybeSend> ConnectorRun for F {}

impl Outlet for Arc<dyn Connector> {
    fn publish(&self, destination: &str, config: &ConnectorConfig, payload: &[u8]) -> Result<(), PublishError> {
        (**self).publish(destination, config, payload)
    }

    fn watch(&self) -> Option<Consumer<ConnectionState>> {
        self.connection().watch()
    }
}

/// Makes a connector, when its database is built.
pub trait ConnectorBuilder<R>: MaybeSend + 'static {
    /// The scheme of the links that are its own, with its name if it has one: `mqtt`, `mqtt+plant`.
    fn scheme(&self) -> &str;

    /// Makes the connector. It takes its links from `db` ([`collect_inbound_routes`], [`collect_outbound_routes`]), checks
    /// them and its own configuration, and connects to nothing yet. It must not keep `db`, which will hold it.
    ///
    /// [`collect_inbound_routes`]: crate::Anabranch::collect_inbound_routes
    /// [`collect_outbound_routes`]: crate::Anabranch::collect_outbound_routes
    ///
    /// # Errors
    /// All [`ConnectorError`]s that it can find, together.
    fn build(&self, db: &crate::Anabranch<R>) -> Result<Arc<dyn Connector>, Vec<ConnectorError>>;
}

/// What a connector found wrong when it was built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectorError {
    /// Its own configuration: a URL that is none, a CA that cannot be read.
    #[error("{0}")]
    Config(String),
    /// A link's address that its protocol does not allow.
    #[error("link {address} of record \"{record}\": {reason}")]
    Link {
        /// The record.
        record: String,
        /// The link's address.
        address: String,
        /// What is wrong with it, and what to do.
        reason: String,
    },
}

/// A link that goes out, for the connector that it goes through.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboundRoute {
    /// The record.
    pub record: Arc<str>,
    /// The whole address, with its scheme.
    pub address: Arc<str>,
    /// How it is published.
    pub config: ConnectorConfig,
}

impl OutboundRoute {
    /// The protocol's own address, in which `{field}`s are not filled in.
    pub fn resource(&self) -> &str {
        crate::link::address::parts(&self.address).map_or(&*self.address, |(_, resource)| resource)
    }
}

/// Where a connector says that it is connected, is not, or has room again; a latest record, so whoever comes late knows.
#[derive(Debug)]
pub struct Connection {
    record: HeapRecord<ConnectionState>,
    says: Option<Producer<ConnectionState>>,
}

impl Connection {
    /// One that is offline.
    pub fn new() -> Self {
        // A latest can always be made, and its one producer always be had.
        let record = HeapRecord::latest("connection");
        let says = record.producer().ok();
        let connection = Connection { record, says };
        connection.says(ConnectionState::Offline);
        connection
    }

    /// To be said when it is connected, when it is not any more, and when there is room after [`PublishError::Full`].
    pub fn says(&self, state: ConnectionState) {
        if let Some(says) = &self.says {
            says.produce(state);
        }
    }

    /// Follows what it says, from its state now.
    pub fn watch(&self) -> Option<Consumer<ConnectionState>> {
        self.record.consumer().ok()
    }
}

impl Default for Connection {
    fn default() -> Self {
        Self::new()
    }
}

/// A connector, for people and dashboards.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectorStatus {
    /// Its scheme, with its name: `mqtt+plant`.
    pub scheme: String,
    /// Its peer, without secrets: `mqtt://127.0.0.1:1883`.
    pub peer: String,
    /// Whether it is connected.
    pub state: ConnectionState,
    /// How often it was connected, ever.
    pub connects: u64,
    /// How many values it has taken that the peer has not acknowledged, or that were not sent yet.
    pub in_flight: usize,
    /// How many values came for which there is no link.
    pub unrouted: u64,
    /// What went wrong last: why it is not connected, or what the peer refused.
    pub last_error: Option<String>,
}

impl ConnectorStatus {
    /// That of a connector that was never connected.
    pub fn new(scheme: impl Into<String>, peer: impl Into<String>) -> Self {
        ConnectorStatus {
            scheme: scheme.into(),
            peer: peer.into(),
            state: ConnectionState::Offline,
            connects: 0,
            in_flight: 0,
            unrouted: 0,
            last_error: None,
        }
    }
}

impl InboundRoute {
    /// An error about this link, for [`ConnectorBuilder::build`].
    pub fn error(&self, reason: impl Into<String>) -> ConnectorError {
        ConnectorError::Link {
            record: self.record().into(),
            address: self.whole_address().into(),
            reason: reason.into(),
        }
    }
}

impl OutboundRoute {
    /// An error about this link, for [`ConnectorBuilder::build`].
    pub fn error(&self, reason: impl Into<String>) -> ConnectorError {
        ConnectorError::Link { record: (*self.record).into(), address: (*self.address).into(), reason: reason.into() }
    }
}
