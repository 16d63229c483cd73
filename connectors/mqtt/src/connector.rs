//! What a user configures: the same for a database's connector and for one in a `static`.

use crate::{
    desk::check_topic,
    packet::{Qos, Version},
    text::{Octets, Text},
    url::{Carrier, Url, UrlError},
};
use anabranch_executor::{Duration, Endpoint, Identity, Roots, Tls, Transport};
use core::fmt;

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
/// It is given to `Anabranch::builder().with_connector(…)`, which finds what is wrong with it when the database is built; or,
/// where there is no heap, to [`StaticMqtt::run`](crate::StaticMqtt::run).
#[derive(Clone)]
pub struct MqttConnector {
    /// With `mqtt+` before it where it has a name.
    #[cfg(feature = "alloc")]
    pub(crate) scheme: alloc::string::String,
    name: Option<Text>,
    url: Text,
    /// Empty when the broker is to choose one.
    pub(crate) client_id: Text,
    user: Option<Text>,
    password: Option<Octets>,
    ca: Option<Octets>,
    identity: Option<Pem>,
    server_name: Option<Text>,
    pub(crate) will: Option<Will>,
    pub(crate) version: Version,
    /// Zero: none is sent.
    pub(crate) keep_alive: Duration,
    pub(crate) session_expiry: Duration,
    pub(crate) max_packet: usize,
    pub(crate) outbox_bytes: usize,
    pub(crate) receive_maximum: u16,
    pub(crate) first_pause: Duration,
    pub(crate) longest_pause: Duration,
    /// How long a broker may take to answer.
    pub(crate) patience: Duration,
    /// What was wrong with files that were to be read.
    #[cfg(feature = "std")]
    unread: alloc::vec::Vec<MqttConfigError>,
}

/// What the broker publishes when this client has gone without a word.
#[derive(Clone)]
pub(crate) struct Will {
    pub(crate) topic: Text,
    pub(crate) payload: Octets,
    qos: u8,
    pub(crate) retain: bool,
}

impl Will {
    pub(crate) fn qos(&self) -> Qos {
        Qos::of(self.qos).unwrap_or(Qos::AtMostOnce)
    }
}

/// A certificate and its key.
#[derive(Clone)]
struct Pem {
    certificates: Octets,
    key: Octets,
}

impl MqttConnector {
    /// For the broker at `url`: `mqtt://` (port 1883), `mqtts://` over TLS (8883), `ws://` or `wss://` (path `/mqtt`). It may
    /// hold `user:password@`.
    pub fn new(url: impl Into<Text>) -> Self {
        MqttConnector {
            #[cfg(feature = "alloc")]
            scheme: "mqtt".into(),
            name: None,
            url: url.into(),
            client_id: Text::EMPTY,
            user: None,
            password: None,
            ca: None,
            identity: None,
            server_name: None,
            will: None,
            version: Version::V5,
            keep_alive: Duration::from_secs(30),
            session_expiry: Duration::from_secs(3600),
            max_packet: 256 * 1024,
            outbox_bytes: 1 << 20,
            receive_maximum: 1024,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(60),
            patience: Duration::from_secs(10),
            #[cfg(feature = "std")]
            unread: alloc::vec::Vec::new(),
        }
    }

    /// Tells it from other connectors: its links' scheme becomes `mqtt+name`.
    #[must_use]
    pub fn name(mut self, name: impl Into<Text>) -> Self {
        let name = name.into();
        #[cfg(feature = "alloc")]
        {
            self.scheme = alloc::format!("mqtt+{}", name.as_str());
        }
        self.name = Some(name);
        self
    }

    /// The name that the broker knows this client's session by; no two clients may have the same. Without one the broker
    /// gives it one, which it keeps until the program ends.
    #[must_use]
    pub fn client_id(mut self, id: impl Into<Text>) -> Self {
        self.client_id = id.into();
        self
    }

    /// User name and password; they stand over those in the URL.
    #[must_use]
    pub fn credentials(mut self, user: impl Into<Text>, password: impl Into<Octets>) -> Self {
        (self.user, self.password) = (Some(user.into()), Some(password.into()));
        self
    }

    /// Trusts the certificates in this PEM, and no others. The system's are trusted without it.
    #[must_use]
    pub fn ca_pem(mut self, pem: impl Into<Octets>) -> Self {
        self.ca = Some(pem.into());
        self
    }

    /// Trusts the certificates in this file, in PEM, and no others. It is read now; a file that cannot be read is an error
    /// when the database is built.
    #[cfg(feature = "std")]
    #[must_use]
    pub fn ca_file(mut self, path: impl AsRef<std::path::Path>) -> Self {
        self.ca = self.read(path.as_ref(), "CA");
        self
    }

    /// Shows the broker this certificate, with those between it and its CA, and proves it with this key: both in PEM.
    #[must_use]
    pub fn identity_pem(mut self, certificates: impl Into<Octets>, key: impl Into<Octets>) -> Self {
        self.identity = Some(Pem { certificates: certificates.into(), key: key.into() });
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
        self.identity = certificates.zip(key).map(|(certificates, key)| Pem { certificates, key });
        self
    }

    #[cfg(feature = "std")]
    fn read(&mut self, path: &std::path::Path, what: &str) -> Option<Octets> {
        std::fs::read(path)
            .inspect_err(|why| {
                let unread = alloc::format!("the {what} file {} cannot be read: {why}", path.display());
                self.unread.push(MqttConfigError::File(unread.into()));
            })
            .ok()
            .map(Octets::from)
    }

    /// The name in the broker's certificate, when it is not the URL's host.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<Text>) -> Self {
        self.server_name = Some(name.into());
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
    pub fn last_will(mut self, topic: impl Into<Text>, payload: impl Into<Octets>, qos: u8, retain: bool) -> Self {
        self.will = Some(Will { topic: topic.into(), payload: payload.into(), qos, retain });
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
    /// keeps larger ones back. One of MQTT 3.1.1 cannot be told: a larger value is passed over, and fails at its links.
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
        (self.first_pause, self.longest_pause) = (first, longest);
        self
    }

    /// How long the broker may take to answer, when connecting and later; 10 s when it is not given.
    #[must_use]
    pub fn answer_within(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }

    /// Says all that is wrong with what was configured, one after the other.
    pub(crate) fn check(&self, mut wrong: impl FnMut(MqttConfigError)) {
        use MqttConfigError as Wrong;
        #[cfg(feature = "std")]
        self.unread.iter().cloned().for_each(&mut wrong);
        let url = Url::parse(self.url.as_str())
            .and_then(|url| if self.user.is_none() { url.login().map(|_| url) } else { Ok(url) });
        if let Err(why) = url {
            wrong(Wrong::Url(why));
        }
        if let Some(name) = &self.name
            && (name.as_str().is_empty()
                || !name.as_str().chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')))
        {
            wrong(Wrong::Name(name.clone()));
        }
        if let Some(will) = &self.will {
            let topic_fault = check_topic(will.topic.as_str()).err();
            let payload_fault =
                (will.payload.as_slice().len() > 65_535).then_some("its payload has at most 65535 bytes");
            if let Some(fault) = topic_fault.or(payload_fault) {
                wrong(Wrong::Will(will.topic.clone(), fault));
            }
            if Qos::of(will.qos).is_none() {
                wrong(Wrong::WillQos(will.qos));
            }
        }
        let id = self.client_id.as_str();
        if id.len() > 65_535 || id.contains('\0') {
            wrong(Wrong::ClientId);
        }
        if self.version == Version::V3_1_1 && id.is_empty() {
            wrong(Wrong::NoClientId);
        }
        let long = self.user.as_ref().is_some_and(|user| user.as_str().len() > 65_535 || user.as_str().contains('\0'))
            || self.password.as_ref().is_some_and(|password| password.as_slice().len() > 65_535);
        if long {
            wrong(Wrong::Credentials);
        }
        if self.receive_maximum == 0 {
            wrong(Wrong::ReceiveMaximum);
        }
        if self.max_packet < 64 || self.max_packet > 0x0fff_ffff {
            wrong(Wrong::MaxPacket(self.max_packet));
        }
        #[cfg(feature = "alloc")]
        if !(1024..=1 << 30).contains(&self.outbox_bytes) {
            wrong(Wrong::OutboxBytes(self.outbox_bytes));
        }
        if self.keep_alive > Duration::from_secs(65_535) {
            wrong(Wrong::KeepAlive);
        }
        if self.patience.is_zero() {
            wrong(Wrong::Patience);
        }
        if self.first_pause > self.longest_pause || self.first_pause.is_zero() {
            wrong(Wrong::Backoff);
        }
        let secured = |url: Url<'_>| matches!(url.carrier, Carrier::Tls | Carrier::WebSocketTls);
        let tls = self.ca.is_some() || self.identity.is_some() || self.server_name.is_some();
        if tls && url.is_ok_and(|url| !secured(url)) {
            wrong(Wrong::NoTls);
        }
    }

    /// Gives `with` the user name and the password: those that were given, or else those in the URL.
    pub(crate) fn logged_in<T>(&self, with: impl FnOnce(Option<&str>, Option<&[u8]>) -> T) -> T {
        if let Some(user) = &self.user {
            return with(Some(user.as_str()), self.password.as_ref().map(Octets::as_slice));
        }
        let login = Url::parse(self.url.as_str()).ok().and_then(|url| url.login().ok().flatten());
        match &login {
            Some((user, password)) => with(Some(user), password.as_deref()),
            None => with(None, None),
        }
    }

    /// The URL without secrets.
    pub(crate) fn peer(&self) -> impl fmt::Display {
        Peer(&self.url)
    }

    /// Where to connect; `None` when the URL is none, which [`check`](Self::check) has said.
    pub(crate) fn endpoint(&self) -> Option<Endpoint<'_>> {
        let url = Url::parse(self.url.as_str()).ok()?;
        let tls = Tls {
            roots: self.ca.as_ref().map_or(Roots::System, |ca| Roots::Pem(ca.as_slice())),
            identity: self
                .identity
                .as_ref()
                .map(|pem| Identity { certificates: pem.certificates.as_slice(), key: pem.key.as_slice() }),
            server_name: self.server_name.as_ref().map(Text::as_str),
        };
        let web = |tls| Transport::WebSocket { path: url.path, protocol: "mqtt", tls };
        let transport = match url.carrier {
            Carrier::Tcp => Transport::Tcp,
            Carrier::Tls => Transport::Tls(tls),
            Carrier::WebSocket => web(None),
            Carrier::WebSocketTls => web(Some(tls)),
        };
        Some(Endpoint { host: url.host, port: url.port, transport })
    }

    /// Whether links of `scheme` are its own.
    pub(crate) fn serves(&self, scheme: &str) -> bool {
        match (scheme.strip_prefix("mqtt"), &self.name) {
            (Some(""), None) => true,
            (Some(rest), Some(name)) => rest.strip_prefix('+') == Some(name.as_str()),
            _ => false,
        }
    }
}

/// A URL without secrets.
struct Peer<'u>(&'u Text);

impl fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Url::parse(self.0.as_str()) {
            Ok(url) => url.fmt(f),
            Err(why) => why.fmt(f),
        }
    }
}

/// What is wrong with a connector's configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MqttConfigError {
    /// A file could not be read.
    #[cfg(feature = "std")]
    #[error("{0}")]
    File(alloc::boxed::Box<str>),
    /// The broker's URL.
    #[error("its URL cannot be used: {0}")]
    Url(UrlError),
    /// The connector's name.
    #[error("its name \"{0}\" may hold letters, digits, `-` and `_`, and holds one at least")]
    Name(Text),
    /// The last will's topic or payload.
    #[error("its last will cannot be published to \"{0}\": {1}")]
    Will(Text, &'static str),
    /// The last will's quality of service.
    #[error("its last will has a `qos` of {0}: 0, 1 or 2")]
    WillQos(u8),
    /// The client identifier.
    #[error("its `client_id` holds a NUL or more than 65535 bytes")]
    ClientId,
    /// There is no client identifier, and the broker cannot tell one.
    #[error("MQTT 3.1.1 needs a `client_id` of its own, since a broker tells none there")]
    NoClientId,
    /// User name or password.
    #[error("its user name holds a NUL, or it or the password has more than 65535 bytes")]
    Credentials,
    /// The receive maximum.
    #[error("its `receive_maximum` is 0: nothing of QoS 1 or 2 could come in")]
    ReceiveMaximum,
    /// The largest packet.
    #[error("its `max_packet` is {0}: from 64 bytes to 256 MiB less one")]
    MaxPacket(usize),
    /// The size of what may be under way.
    #[error("its `outbox_bytes` is {0}: from 1 KiB to 1 GiB")]
    OutboxBytes(usize),
    /// The keep-alive time.
    #[error("its `keep_alive` is longer than 65535 seconds")]
    KeepAlive,
    /// How long a broker may take to answer.
    #[error("its `answer_within` is zero: no broker can answer")]
    Patience,
    /// The pauses between attempts.
    #[error("its `backoff` begins with zero, or with a longer pause than the longest")]
    Backoff,
    /// TLS options without TLS.
    #[error("it has a CA, a certificate or a server name, and a URL without TLS: write mqtts:// or wss://")]
    NoTls,
}

impl fmt::Debug for MqttConnector {
    /// Says no secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MqttConnector")
            .field("name", &self.name)
            .field("peer", &format_args!("{}", self.peer()))
            .finish_non_exhaustive()
    }
}

/// What is wrong with a link's topic or quality of service, in either direction; what is filled in is checked when it is
/// published.
pub(crate) fn check_link(topic: &str, qos: Option<u8>) -> Result<(), &'static str> {
    if topic.len() > 65_535 {
        return Err("a topic has at most 65535 bytes");
    }
    if topic.contains('\0') {
        return Err("a topic holds no NUL");
    }
    if qos.is_some_and(|qos| qos > 2) {
        return Err("a `qos` is 0, 1 or 2");
    }
    Ok(())
}
