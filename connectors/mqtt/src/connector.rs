//! What a user configures, and what the core publishes through.

use crate::{
    desk::{Desk, check_topic},
    driver,
    options::{Options, Pem, TlsOptions, Will},
    packet::{Qos, Version},
    url::{Carrier, Url},
};
use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use anabranch_core::{
    Anabranch, Connection, ConnectionState, Connector, ConnectorBuilder, ConnectorConfig, ConnectorError,
    ConnectorStatus, PublishError, RouterBuilder, Running,
};
use anabranch_executor::{Duration, Network, Runtime, SpawnDynamically, TimeSource};

/// A connection to an MQTT broker, for links of the scheme `mqtt`.
///
/// ```
/// use anabranch_mqtt::MqttConnector;
/// use std::time::Duration;
///
/// let plant = MqttConnector::new("mqtts://broker.plant.example")
///     .name("plant") // links go through it as mqtt+plant://…
///     .credentials("line-4", "secret")
///     .last_will("line/4/state", "gone", 1, true)
///     .keep_alive(Duration::from_secs(20));
/// ```
///
/// It is given to `Anabranch::builder().with_connector(…)`, which finds what is wrong with it when the database is built.
#[derive(Clone)]
pub struct MqttConnector {
    scheme: String,
    name: Option<String>,
    url: String,
    client_id: String,
    credentials: Option<(String, Vec<u8>)>,
    tls: TlsOptions,
    will: Option<(String, Vec<u8>, u8, bool)>,
    version: Version,
    keep_alive: Duration,
    session_expiry: Duration,
    max_packet: usize,
    outbox_bytes: usize,
    receive_maximum: u16,
    pauses: (Duration, Duration),
    patience: Duration,
    /// What was wrong with files that were to be read.
    #[cfg(feature = "std")]
    unread: Vec<String>,
}

impl MqttConnector {
    /// For the broker at `url`: `mqtt://` (port 1883), `mqtts://` over TLS (8883), `ws://` or `wss://` (path `/mqtt`). It may
    /// hold `user:password@`.
    pub fn new(url: impl Into<String>) -> Self {
        MqttConnector {
            scheme: "mqtt".into(),
            name: None,
            url: url.into(),
            client_id: String::new(),
            credentials: None,
            tls: TlsOptions::default(),
            will: None,
            version: Version::V5,
            keep_alive: Duration::from_secs(30),
            session_expiry: Duration::from_secs(3600),
            max_packet: 256 * 1024,
            outbox_bytes: 1 << 20,
            receive_maximum: 1024,
            pauses: (Duration::from_millis(100), Duration::from_secs(60)),
            patience: Duration::from_secs(10),
            #[cfg(feature = "std")]
            unread: Vec::new(),
        }
    }

    /// Tells it from other connectors: its links' scheme becomes `mqtt+name`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.scheme = format!("mqtt+{name}");
        self.name = Some(name);
        self
    }

    /// The name that the broker knows this client's session by; no two clients may have the same. Without one the broker
    /// gives it one, which it keeps until the program ends.
    #[must_use]
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.client_id = id.into();
        self
    }

    /// User name and password; they stand over those in the URL.
    #[must_use]
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<Vec<u8>>) -> Self {
        self.credentials = Some((user.into(), password.into()));
        self
    }

    /// Trusts the certificates in this PEM, and no others. The system's are trusted without it.
    #[must_use]
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.tls.ca = Some(pem.into());
        self
    }

    /// Trusts the certificates in this file, in PEM, and no others. It is read now; a file that cannot be read is an error
    /// when the database is built.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn ca_file(mut self, path: impl AsRef<std::path::Path>) -> Self {
        self.tls.ca = self.read(path.as_ref(), "CA");
        self
    }

    /// Shows the broker this certificate, with those between it and its CA, and proves it with this key: both in PEM.
    #[must_use]
    pub fn identity_pem(mut self, certificates: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.tls.identity = Some(Pem { certificates: certificates.into(), key: key.into() });
        self
    }

    /// The same from files, which are read now.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn identity_files(
        mut self,
        certificates: impl AsRef<std::path::Path>,
        key: impl AsRef<std::path::Path>,
    ) -> Self {
        let certificates = self.read(certificates.as_ref(), "certificate");
        let key = self.read(key.as_ref(), "key");
        self.tls.identity = certificates.zip(key).map(|(certificates, key)| Pem { certificates, key });
        self
    }

    #[cfg(feature = "std")]
    fn read(&mut self, path: &std::path::Path, what: &str) -> Option<Vec<u8>> {
        std::fs::read(path)
            .inspect_err(|why| self.unread.push(format!("the {what} file {} cannot be read: {why}", path.display())))
            .ok()
    }

    /// The name in the broker's certificate, when it is not the URL's host.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.tls.server_name = Some(name.into());
        self
    }

    /// The version of the protocol; 5 when it is not given.
    #[must_use]
    pub fn version(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    /// After how long without a word the broker is asked whether it is there; 30 s when it is not given. The broker is told,
    /// and gives the client up after half as long again. Zero: nobody asks.
    #[must_use]
    pub fn keep_alive(mut self, time: Duration) -> Self {
        self.keep_alive = time;
        self
    }

    /// What the broker publishes when this client has gone without a word.
    #[must_use]
    pub fn last_will(mut self, topic: impl Into<String>, payload: impl Into<Vec<u8>>, qos: u8, retain: bool) -> Self {
        self.will = Some((topic.into(), payload.into(), qos, retain));
        self
    }

    /// How long the broker keeps the session after a connection has ended: subscriptions, and what comes for them
    /// meanwhile. An hour when it is not given.
    #[must_use]
    pub fn session_expiry(mut self, time: Duration) -> Self {
        self.session_expiry = time;
        self
    }

    /// The largest packet that is taken from the broker, in bytes; 256 KiB when it is not given. The broker is told, and
    /// keeps larger ones back.
    #[must_use]
    pub fn max_packet(mut self, bytes: usize) -> Self {
        self.max_packet = bytes;
        self
    }

    /// How many bytes may be published and not acknowledged yet; 1 MiB when it is not given, and always a power of two.
    #[must_use]
    pub fn outbox_bytes(mut self, bytes: usize) -> Self {
        self.outbox_bytes = bytes;
        self
    }

    /// How many values of QoS 1 and 2 the broker may send before they are acknowledged; 1,024 when it is not given.
    #[must_use]
    pub fn receive_maximum(mut self, values: u16) -> Self {
        self.receive_maximum = values;
        self
    }

    /// The first and the longest pause between attempts to connect; 100 ms and 60 s when they are not given. Pauses double,
    /// vary at random, and are at most 2 s while an outage is younger than 5 s.
    #[must_use]
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Self {
        self.pauses = (first, longest);
        self
    }

    /// How long the broker may take to answer, when connecting and later; 10 s when it is not given.
    #[must_use]
    pub fn answer_within(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }

    /// What was configured, or all that is wrong with it.
    fn options(&self) -> Result<Options, Vec<String>> {
        let mut wrong = Vec::new();
        #[cfg(feature = "std")]
        wrong.extend(self.unread.iter().cloned());
        let url = Url::parse(&self.url).map_err(|why| wrong.push(format!("its URL cannot be used: {why}")));
        if let Some(name) = &self.name
            && (name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')))
        {
            wrong.push(format!("its name \"{name}\" may hold letters, digits, `-` and `_`, and holds one at least"));
        }
        let will = self.will.as_ref().and_then(|(topic, payload, qos, retain)| {
            let topic_fault = check_topic(topic).err();
            let payload_fault = (payload.len() > 65_535).then_some("its payload has at most 65535 bytes");
            let fault = topic_fault.or(payload_fault);
            if let Some(fault) = fault {
                wrong.push(format!("its last will cannot be published to {topic:?}: {fault}"));
            }
            let Some(qos) = Qos::of(*qos) else {
                wrong.push(format!("its last will has a `qos` of {qos}: 0, 1 or 2"));
                return None;
            };
            Some(Will { topic: topic.clone(), payload: payload.clone(), qos, retain: *retain })
        });
        if self.client_id.len() > 65_535 || self.client_id.contains('\0') {
            wrong.push("its `client_id` holds a NUL or more than 65535 bytes".into());
        }
        if self.version == Version::V3_1_1 && self.client_id.is_empty() {
            wrong.push("MQTT 3.1.1 needs a `client_id` of its own, since a broker tells none there".into());
        }
        let (user, password) = match (&self.credentials, &url) {
            (Some((user, password)), _) => (Some(user.clone()), Some(password.clone())),
            (None, Ok(url)) => (url.user.clone(), url.password.clone()),
            (None, Err(())) => (None, None),
        };
        let long = user.as_ref().is_some_and(|user| user.len() > 65_535 || user.contains('\0'))
            || password.as_ref().is_some_and(|password| password.len() > 65_535);
        if long {
            wrong.push("its user name holds a NUL, or it or the password has more than 65535 bytes".into());
        }
        if self.version == Version::V3_1_1 && user.is_none() && password.is_some() {
            wrong.push("MQTT 3.1.1 has no password without a user name".into());
        }
        if self.receive_maximum == 0 {
            wrong.push("its `receive_maximum` is 0: nothing of QoS 1 or 2 could come in".into());
        }
        if self.max_packet < 64 || self.max_packet > 0x0fff_ffff {
            wrong.push(format!("its `max_packet` is {}: from 64 bytes to 256 MiB less one", self.max_packet));
        }
        if !(1024..=1 << 30).contains(&self.outbox_bytes) {
            wrong.push(format!("its `outbox_bytes` is {}: from 1 KiB to 1 GiB", self.outbox_bytes));
        }
        if self.keep_alive > Duration::from_secs(65_535) {
            wrong.push("its `keep_alive` is longer than 65535 seconds".into());
        }
        if self.patience.is_zero() {
            wrong.push("its `answer_within` is zero: no broker can answer".into());
        }
        if self.pauses.0 > self.pauses.1 || self.pauses.0.is_zero() {
            wrong.push("its `backoff` begins with zero, or with a longer pause than the longest".into());
        }
        match url {
            Ok(url) => {
                let secured = matches!(url.carrier, Carrier::Tls | Carrier::WebSocketTls);
                if !secured && !self.tls.is_empty() {
                    wrong.push(
                        "it has a CA, a certificate or a server name, and a URL without TLS: write mqtts:// or wss://"
                            .into(),
                    );
                }
                if wrong.is_empty() {
                    return Ok(Options {
                        peer: url.shown(),
                        url,
                        tls: self.tls.clone(),
                        version: self.version,
                        client_id: self.client_id.clone(),
                        user,
                        password,
                        will,
                        keep_alive: self.keep_alive,
                        session_expiry: self.session_expiry,
                        max_packet: self.max_packet,
                        outbox_bytes: self.outbox_bytes,
                        receive_maximum: self.receive_maximum,
                        send_maximum: 4096,
                        first_pause: self.pauses.0,
                        longest_pause: self.pauses.1,
                        patience: self.patience,
                    });
                }
                Err(wrong)
            }
            Err(()) => Err(wrong),
        }
    }
}

impl core::fmt::Debug for MqttConnector {
    /// Says no secrets.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let peer = Url::parse(&self.url).map_or_else(|why| why.to_string(), |url| url.shown());
        f.debug_struct("MqttConnector").field("scheme", &self.scheme).field("peer", &peer).finish_non_exhaustive()
    }
}

impl<R: Runtime + SpawnDynamically + Network> ConnectorBuilder<R> for MqttConnector {
    fn scheme(&self) -> &str {
        &self.scheme
    }

    fn build(&self, db: &Anabranch<R>) -> Result<Arc<dyn Connector>, Vec<ConnectorError>> {
        let mut errors = Vec::new();
        let options = match self.options() {
            Ok(options) => {
                if let Err(why) = db.runtime().check(&options.endpoint()) {
                    errors.push(ConnectorError::Config(format!("{} cannot be connected to: {why}", options.peer)));
                }
                Some(options)
            }
            Err(wrong) => {
                errors.extend(wrong.into_iter().map(ConnectorError::Config));
                None
            }
        };
        let inbound = db.collect_inbound_routes(&self.scheme);
        let wrong_qos = |qos: Option<u8>| qos.filter(|qos| *qos > 2).map(|qos| format!("a `qos` of {qos}: 0, 1 or 2"));
        for route in &inbound {
            errors.extend(check_filter(route.resource()).err().map(|why| route.error(why)));
            errors.extend(wrong_qos(route.config().qos).map(|why| route.error(why)));
        }
        for route in db.collect_outbound_routes(&self.scheme) {
            // What is filled in is checked when it is published.
            errors.extend(check_filter(route.resource()).err().map(|why| route.error(why)));
            errors.extend(wrong_qos(route.config.qos).map(|why| route.error(why)));
        }
        match options {
            Some(options) if errors.is_empty() => {
                let desk = Desk::new(options, RouterBuilder::from_routes(inbound).build());
                Ok(Arc::new(Mqtt { scheme: self.scheme.clone(), runtime: db.runtime().clone(), desk }))
            }
            _ => Err(errors),
        }
    }
}

/// What is true of every topic and filter; wildcards were looked at by the core.
fn check_filter(filter: &str) -> Result<(), &'static str> {
    if filter.len() > 65_535 {
        return Err("a topic has at most 65535 bytes");
    }
    if filter.contains('\0') {
        return Err("a topic holds no NUL");
    }
    Ok(())
}

/// A connector at work.
struct Mqtt<R> {
    scheme: String,
    runtime: R,
    desk: Desk,
}

impl<R: Network + TimeSource> Connector for Mqtt<R> {
    fn publish(&self, destination: &str, config: &ConnectorConfig, payload: &[u8]) -> Result<(), PublishError> {
        self.desk.publish(destination, config, payload)
    }

    fn connection(&self) -> &Connection {
        &self.desk.connection
    }

    fn run(self: Arc<Self>) -> Running {
        Box::pin(async move { driver::run(&self.runtime, &self.desk).await })
    }

    fn close(&self) {
        self.desk.close();
    }

    fn status(&self) -> ConnectorStatus {
        let mut status = ConnectorStatus::new(self.scheme.clone(), self.desk.options.peer.to_string());
        (status.state, status.in_flight) = self.desk.counter.with(|counter| {
            let state = if counter.online { ConnectionState::Online } else { ConnectionState::Offline };
            (state, counter.outbox.waiting())
        });
        self.desk.board.with(|board| {
            (status.connects, status.unrouted) = (board.connects, board.unrouted);
            status.last_error.clone_from(&board.last_error);
        });
        status
    }
}
