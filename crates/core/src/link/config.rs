//! What a link asks of its connector.

use core::time::Duration;

/// How a link uses its connector. What is `None` is the connector's or the protocol's to decide.
///
/// ```
/// use anabranch_core::ConnectorConfig;
/// let retained = ConnectorConfig { qos: Some(1), retain: Some(true), ..Default::default() };
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectorConfig {
    /// The quality of service: 0 at most once, 1 at least once, 2 exactly once. Inbound, the one that is subscribed with.
    /// 0 when it is not given.
    pub qos: Option<u8>,
    /// Whether the peer keeps the newest value for those who come later.
    pub retain: Option<bool>,
    /// How long a value may wait for a connection before it is dropped and counted. For ever, when it is not given.
    pub timeout: Option<Duration>,
    /// What becomes of values while there is no connection; [`Offline::DEFAULT`] when it is not given.
    pub offline: Option<Offline>,
    /// The largest payload that is published, in bytes; 1 MiB when it is not given. A larger value is counted as failed.
    pub max_payload: Option<usize>,
}

/// What becomes of a link's values while its connector has no connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Offline {
    /// They are dropped and counted.
    Drop,
    /// The newest so many are kept and published, in order, when there is a connection again; older ones are dropped and
    /// counted. 0 is as [`Offline::Drop`].
    KeepNewest(usize),
}

impl Offline {
    /// The newest 1,024 are kept.
    pub const DEFAULT: Offline = Offline::KeepNewest(1024);

    /// How many values are kept at most.
    pub fn kept(self) -> usize {
        match self {
            Offline::Drop => 0,
            Offline::KeepNewest(n) => n,
        }
    }
}

impl Default for Offline {
    fn default() -> Self {
        Offline::DEFAULT
    }
}

impl ConnectorConfig {
    /// Nothing is asked for: the same as `default()`, for `static`s.
    pub const DEFAULT: ConnectorConfig =
        ConnectorConfig { qos: None, retain: None, timeout: None, offline: None, max_payload: None };

    /// The largest payload, with its default.
    pub(crate) fn payload_limit(&self) -> usize {
        self.max_payload.unwrap_or(1 << 20)
    }

    /// What becomes of values while offline, with its default.
    pub(crate) fn offline(&self) -> Offline {
        self.offline.unwrap_or_default()
    }
}

/// Which way a link's values go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkDirection {
    /// From outside into the record: `link_from`.
    In,
    /// From the record to the outside: `link_to`.
    Out,
}
