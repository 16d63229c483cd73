//! What a connector was configured with, checked.

use crate::{
    packet::{Qos, Version},
    url::{Carrier, Url},
};
use alloc::{string::String, vec::Vec};
use anabranch_executor::{Duration, Endpoint, Identity, Roots, Tls, Transport};

/// What a connection needs to know.
pub(crate) struct Options {
    pub(crate) url: Url,
    /// The URL without secrets.
    pub(crate) peer: String,
    pub(crate) tls: TlsOptions,
    pub(crate) version: Version,
    /// Empty when the broker is to choose one.
    pub(crate) client_id: String,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Vec<u8>>,
    pub(crate) will: Option<Will>,
    /// Zero: none is sent.
    pub(crate) keep_alive: Duration,
    pub(crate) session_expiry: Duration,
    pub(crate) max_packet: usize,
    pub(crate) outbox_bytes: usize,
    pub(crate) receive_maximum: u16,
    pub(crate) send_maximum: u16,
    pub(crate) first_pause: Duration,
    pub(crate) longest_pause: Duration,
    /// How long a broker may take to answer.
    pub(crate) patience: Duration,
}

/// What the broker publishes when this client has gone without a word.
#[derive(Debug, Clone)]
pub(crate) struct Will {
    pub(crate) topic: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
}

/// Whom TLS trusts, and who this side is.
#[derive(Debug, Clone, Default)]
pub(crate) struct TlsOptions {
    pub(crate) ca: Option<Vec<u8>>,
    pub(crate) identity: Option<Pem>,
    pub(crate) server_name: Option<String>,
}

/// A certificate and its key.
#[derive(Clone)]
pub(crate) struct Pem {
    pub(crate) certificates: Vec<u8>,
    pub(crate) key: Vec<u8>,
}

impl core::fmt::Debug for Pem {
    /// Says nothing of the key.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Pem").finish_non_exhaustive()
    }
}

impl TlsOptions {
    pub(crate) fn is_empty(&self) -> bool {
        self.ca.is_none() && self.identity.is_none() && self.server_name.is_none()
    }

    fn tls(&self) -> Tls<'_> {
        Tls {
            roots: self.ca.as_deref().map_or(Roots::System, Roots::Pem),
            identity: self.identity.as_ref().map(|pem| Identity { certificates: &pem.certificates, key: &pem.key }),
            server_name: self.server_name.as_deref(),
        }
    }
}

impl Options {
    pub(crate) fn endpoint(&self) -> Endpoint<'_> {
        let web = |tls| Transport::WebSocket { path: &self.url.path, protocol: "mqtt", tls };
        let transport = match self.url.carrier {
            Carrier::Tcp => Transport::Tcp,
            Carrier::Tls => Transport::Tls(self.tls.tls()),
            Carrier::WebSocket => web(None),
            Carrier::WebSocketTls => web(Some(self.tls.tls())),
        };
        Endpoint { host: &self.url.host, port: self.url.port, transport }
    }
}
