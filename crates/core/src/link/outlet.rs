//! What a link that goes out publishes through, and what comes back from there.

use crate::{Consumer, link::ConnectorConfig};

/// What a link that goes out publishes through: a connector of a database, or one in a `static`.
pub trait Outlet {
    /// As [`Connector::publish`](crate::Connector::publish): takes `payload` for `destination`, and never waits.
    ///
    /// # Errors
    /// [`PublishError`]: nothing was taken. After [`PublishError::NotConnected`] and [`PublishError::Full`] the link waits
    /// until [`watch`](Self::watch) says something, and asks again.
    fn publish(&self, destination: &str, config: &ConnectorConfig, payload: &[u8]) -> Result<(), PublishError>;

    /// Follows whether it is connected, and when it has room again, from now; `None` where nobody can.
    fn watch(&self) -> Option<Consumer<ConnectionState>>;
}

/// Why a value was not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// There is no connection now. The link's [`Offline`](crate::Offline) decides what becomes of the value.
    #[error("there is no connection")]
    NotConnected,
    /// There is a connection, and as much under way on it as there may be. The link waits for room.
    #[error("the connection has no room: more is under way than the peer has acknowledged")]
    Full,
    /// The payload is larger than the connector or its peer takes.
    #[error("the payload has {size} bytes, of which {limit} are allowed: raise the limit, or send less")]
    TooLarge {
        /// The payload's size in bytes.
        size: usize,
        /// The most that is allowed.
        limit: usize,
    },
    /// The protocol does not allow this destination.
    #[error("this cannot be published to: {0}")]
    Destination(&'static str),
    /// The peer cannot do what the link's configuration asks for.
    #[error("the peer cannot do what is asked for: {0}")]
    Unsupported(&'static str),
    /// It was closed.
    #[error("the connector is closed")]
    Closed,
}

/// Whether a connector is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionState {
    /// It is not: it tries to be.
    Offline,
    /// It is. Said again when a connection that was full has room.
    Online,
}
