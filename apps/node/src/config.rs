//! The config: one TOML file, checked as a whole.
//!
//! ```text
//!  text ──read.rs──▶ entries with places ──▶ Config ──assemble.rs──▶ database
//!            ▲                                  │                        │
//!         keys.rs  (also: the reference page)   └──────── Faults ◀───────┘   each with its line and column
//! ```

mod kept;
mod keys;
mod page;
mod place;
mod read;

pub(crate) use kept::{NamespaceSection, StoreSection};
pub use page::reference_page;
pub(crate) use place::nearest;
pub use place::{Fault, Faults, Place};

use anabranch::{
    Address, BufferCfg, ConnectorConfig, LinkDirection, Offline,
    keep::Keep,
    mqtt::{MqttConnector, Version},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use read::{At, Document, Entry};
use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// A config that was read. What is wrong with it is said when a node is made of it, together with what is found then:
/// [`Node::from_config`](crate::Node::from_config).
#[derive(Debug)]
pub struct Config {
    pub(crate) file: PathBuf,
    pub(crate) name: Option<String>,
    pub(crate) data: Option<PathBuf>,
    pub(crate) store: StoreSection,
    pub(crate) connectors: Vec<ConnectorSection>,
    pub(crate) records: Vec<RecordSection>,
    pub(crate) links: Vec<LinkSection>,
    pub(crate) namespaces: Vec<NamespaceSection>,
    /// What it holds that is not active yet.
    pub(crate) later: Vec<String>,
    pub(crate) faults: Vec<Fault>,
    /// Whether it could not be read whole: nothing can be built of it.
    pub(crate) misread: bool,
}

/// Why a config could not be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not there.
    #[error("there is no {}: write one, or name another, as `anabranch run my.toml` (`anabranch run --help` shows one)", .0.display())]
    Missing(PathBuf),
    /// It is there.
    #[error("{} cannot be read ({source}): {}", .file.display(), match .source.kind() {
        io::ErrorKind::IsADirectory => "name the file in it",
        _ => "let this user read it",
    })]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A connector, as it is configured.
#[derive(Debug)]
pub(crate) struct ConnectorSection {
    pub(crate) entry: Entry,
    /// The protocol, with the connector's name: `mqtt+plant`.
    pub(crate) scheme: String,
    pub(crate) url: String,
    pub(crate) connector: MqttConnector,
}

/// A record, as it is configured.
#[derive(Debug)]
pub(crate) struct RecordSection {
    pub(crate) entry: Entry,
    pub(crate) name: String,
    pub(crate) shared: bool,
    /// `None` when something was wrong with it.
    pub(crate) buffer: Option<BufferCfg>,
    pub(crate) keep: Option<Keep>,
}

/// A link, as it is configured.
#[derive(Debug)]
pub(crate) struct LinkSection {
    pub(crate) entry: Entry,
    pub(crate) record: String,
    pub(crate) direction: LinkDirection,
    /// With the name of its connector, also where the file leaves it out.
    pub(crate) address: String,
    pub(crate) format: crate::Format,
    pub(crate) config: ConnectorConfig,
}

/// Whether all the sections that links name are known. Where one is wrong, which was said, it may be the one that is meant.
#[derive(Clone, Copy)]
struct Known {
    connectors: bool,
    records: bool,
}

/// The protocols that can be spoken, by the schemes of connectors' URLs.
const PROTOCOLS: [(&str, &str); 2] = [("mqtt", "mqtt"), ("mqtts", "mqtt")];

/// The keys of a connector that mean something with TLS only.
const TLS_ONLY: [&str; 4] = ["ca", "server_name", "certificate", "key"];

/// A password as it stands in a file of one line: what else is blank in it belongs to it.
fn without_line_end(mut password: Vec<u8>) -> Vec<u8> {
    let line = password.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    if let Some(length) = line.map(<[u8]>::len) {
        password.truncate(length);
    }
    password
}

/// The URL with this user, and no password, in the place of those that it may have.
fn with_user(url: &str, user: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.into() };
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{}@{host}", utf8_percent_encode(user, NON_ALPHANUMERIC))
}

impl Config {
    /// Reads `file`.
    ///
    /// # Errors
    /// [`ReadError`] when there is nothing to read.
    pub fn read(file: &Path) -> Result<Self, ReadError> {
        let text = fs::read(file).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => ReadError::Missing(file.into()),
            _ => ReadError::Unreadable { file: file.into(), source },
        })?;
        Ok(Self::parse(file, &String::from_utf8_lossy(&text)))
    }

    /// Takes `text` for what stands in `file`; paths in it are beside that file.
    pub fn parse(file: &Path, text: &str) -> Self {
        let Document { mut entries, later, faults, misplaced, misread } = read::read(text);
        let mut config = Config {
            file: file.into(),
            name: None,
            data: None,
            store: StoreSection::default(),
            connectors: Vec::new(),
            records: Vec::new(),
            links: Vec::new(),
            namespaces: Vec::new(),
            later,
            faults,
            misread,
        };
        if misread {
            return config;
        }
        for entry in entries.remove("node").unwrap_or_default() {
            config.node(&entry);
        }
        let connectors = entries.remove("connector").unwrap_or_default();
        let records = entries.remove("record").unwrap_or_default();
        let known = |section, entries: &[Entry], key| {
            !misplaced.contains(&section) && entries.iter().all(|entry| entry.text(key).is_some())
        };
        let known =
            Known { connectors: known("connector", &connectors, "url"), records: known("record", &records, "name") };
        let several = connectors.len();
        connectors.into_iter().for_each(|entry| config.connector(entry));
        // One that was refused may be the one that links mean.
        let known = Known { connectors: known.connectors && config.connectors.len() == several, ..known };
        records.into_iter().for_each(|entry| config.record(entry));
        entries.remove("link").unwrap_or_default().into_iter().for_each(|entry| config.link(entry, known));
        entries.remove("namespace").unwrap_or_default().iter().for_each(|entry| config.namespace(entry));
        config
    }

    /// The node's directory, if it has one.
    pub fn data(&self) -> Option<&Path> {
        self.data.as_deref()
    }

    /// A path in the file is beside the file.
    fn beside(&self, path: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }

    fn node(&mut self, entry: &Entry) {
        self.name = entry.text("name").map(|name| name.value);
        self.data = entry.text("data").map(|data| self.beside(&data.value));
        self.store(entry);
        if let Some(listen) = entry.text("listen") {
            let port = listen.value.rsplit_once(':').filter(|(host, _)| !host.is_empty());
            if port.and_then(|(_, port)| port.parse::<u16>().ok()).is_none() {
                let message = format!("\"{}\" is not a host and a port, as \"127.0.0.1:7340\"", listen.value);
                self.faults.push(entry.fault("listen", message));
            }
        }
    }

    /// What is in the file that a key names, which has to be there.
    fn content(&mut self, entry: &Entry, key: &str) -> Option<Vec<u8>> {
        let path = self.beside(&entry.text(key)?.value);
        let read = fs::read(&path);
        if let Err(error) = &read {
            let message = format!("{} cannot be read ({error}): put it there, or name another", path.display());
            self.faults.push(entry.fault(key, message));
        }
        read.ok()
    }

    fn connector(&mut self, entry: Entry) {
        for (one, other) in
            [("certificate", "key"), ("key", "certificate"), ("password", "user"), ("password_file", "user")]
        {
            if entry.has(one) && !entry.has(other) {
                self.faults.push(entry.fault(one, format!("`{other}` is missing, which belongs to it")));
            }
        }
        if entry.has("password") && entry.has("password_file") {
            self.faults.push(entry.fault("password", "there is `password_file`, too: leave one of them out"));
        }
        // All that is wrong is said, also where there is no URL.
        let url = entry.text("url").map(|url| url.value);
        if url.as_ref().is_some_and(|url| url.starts_with("mqtt://")) {
            for key in TLS_ONLY.into_iter().filter(|key| entry.has(key)) {
                let message = "this is for TLS: write `mqtts://…` in `url`, or leave this out";
                self.faults.push(entry.fault(key, message));
            }
        }
        let connector = self.configured(&entry, url.as_deref().unwrap_or_default());
        let Some(url) = url else { return };
        let protocol = PROTOCOLS.iter().find(|(scheme, _)| url.split_once("://").is_some_and(|(s, _)| s == *scheme));
        let Some((_, protocol)) = protocol else {
            let known: Vec<String> = PROTOCOLS.iter().map(|(scheme, _)| format!("{scheme}://")).collect();
            let known = known.join(" or ");
            let message = format!("\"{url}\" is of no protocol that is spoken here: it begins with {known}");
            return self.faults.push(entry.fault("url", message));
        };
        let name = entry.text("name").map(|name| name.value);
        let scheme = name.as_ref().map_or_else(|| (*protocol).to_owned(), |name| format!("{protocol}+{name}"));
        if Address::parse(&format!("{scheme}://x")).is_err() {
            return self.faults.push(entry.fault("name", "a name holds letters, digits, `-` and `_`"));
        }
        if self.connectors.iter().any(|other| other.scheme == scheme) {
            let message = match name {
                Some(name) => format!("there is a connector \"{name}\" already: give each a name of its own"),
                None => format!(
                    "there is a connector for {protocol}:// already: give each a `name`, and write links as \
                     {protocol}+name://…"
                ),
            };
            return self.faults.push(entry.fault("name", message));
        }
        self.connectors.push(ConnectorSection { entry, scheme, url, connector });
    }

    /// A connector with all that is said of it.
    fn configured(&mut self, entry: &Entry, url: &str) -> MqttConnector {
        let text = |key| entry.text(key).map(|text| text.value);
        let password = if entry.has("password_file") {
            self.content(entry, "password_file").map(without_line_end)
        } else {
            text("password").map(String::into_bytes)
        };
        let mut connector = match (text("user"), password) {
            (Some(user), Some(password)) => MqttConnector::new(url).credentials(user, password),
            (Some(user), None) => MqttConnector::new(with_user(url, &user)),
            (None, _) => MqttConnector::new(url),
        };
        if let Some(name) = text("name") {
            connector = connector.name(name);
        }
        if let Some(ca) = self.content(entry, "ca") {
            connector = connector.ca_pem(ca);
        }
        if let (Some(chain), Some(key)) = (self.content(entry, "certificate"), self.content(entry, "key")) {
            connector = connector.identity_pem(chain, key);
        }
        if let Some(name) = text("server_name") {
            connector = connector.server_name(name);
        }
        if text("version").is_some_and(|version| version == "3.1.1") {
            connector = connector.version(Version::V3_1_1);
        }
        if let Some(id) = text("client_id") {
            connector = connector.client_id(id);
        }
        if let Some(time) = entry.time("session_expiry") {
            connector = connector.session_expiry(time);
        }
        if let Some(time) = entry.time("keep_alive") {
            connector = connector.keep_alive(time);
        }
        if let Some(time) = entry.time("answer_within") {
            connector = connector.answer_within(time);
        }
        if let Some(bytes) = entry.number("max_packet").and_then(|bytes| usize::try_from(bytes).ok()) {
            connector = connector.max_packet(bytes);
        }
        if let Some(values) = entry.number("receive_maximum").and_then(|values| u16::try_from(values).ok()) {
            connector = connector.receive_maximum(values);
        }
        if let Some(bytes) = entry.number("outbox_bytes").and_then(|bytes| usize::try_from(bytes).ok()) {
            connector = connector.outbox_bytes(bytes);
        }
        if let Some(pauses) = entry.table("backoff") {
            let pause = |key, otherwise| pauses.time(key).unwrap_or(otherwise);
            connector = connector
                .backoff(pause("first", Duration::from_millis(100)), pause("longest", Duration::from_secs(60)));
        }
        let Some(will) = entry.table("will") else { return connector };
        let Some(topic) = will.text("topic") else { return connector };
        let payload = will.text("payload").map_or_else(String::new, |payload| payload.value);
        let qos = will.number("qos").and_then(|qos| u8::try_from(qos).ok()).unwrap_or(0);
        connector.last_will(topic.value, payload, qos, will.flag("retain").unwrap_or(false))
    }

    fn record(&mut self, entry: Entry) {
        let buffer = self.buffer(&entry);
        let Some(At { value: name, .. }) = entry.text("name") else { return };
        if self.records.iter().any(|other| other.name == name) {
            let message = format!("there is a record \"{name}\" already: give each a name of its own");
            return self.faults.push(entry.fault("name", message));
        }
        let shared = entry.flag("shared").unwrap_or(false);
        let keep = self.keep(&entry);
        self.records.push(RecordSection { entry, name, shared, buffer, keep });
    }

    fn keep(&mut self, record: &Entry) -> Option<Keep> {
        let entry = record.table("keep")?;
        if self.data.is_none() {
            let message = "there is no place to keep it in: set `data` in [node]";
            self.faults.push(record.fault("keep", message));
        }
        let keep = Keep::in_namespace(entry.text("namespace")?.value);
        Some(match entry.text("key") {
            Some(key) => keep.key(key.value),
            None => keep,
        })
    }

    fn buffer(&mut self, entry: &Entry) -> Option<BufferCfg> {
        let table = entry.table("buffer")?;
        let kind = table.text("kind")?.value;
        let number = |key| table.number(key).and_then(|number| usize::try_from(number).ok());
        let (counted, queue) = (matches!(&*kind, "spmc-ring" | "queue"), kind == "queue");
        if counted && !table.has("capacity") {
            let message = format!("this key is missing: say how many values the {kind} holds, as `capacity = 64`");
            self.faults.push(table.fault("capacity", message));
        }
        for (key, takes) in [("capacity", counted), ("consumers", queue)] {
            if table.has(key) && !takes {
                self.faults.push(table.fault(key, format!("a {kind} has none: leave it out")));
            }
        }
        Some(match &*kind {
            "spmc-ring" => BufferCfg::SpmcRing { capacity: number("capacity")? },
            "single-latest" => BufferCfg::SingleLatest,
            "mailbox" => BufferCfg::Mailbox,
            _ => BufferCfg::Queue { capacity: number("capacity")?, consumers: number("consumers").unwrap_or(1) },
        })
    }

    fn link(&mut self, entry: Entry, known: Known) {
        let (direction, key) = match (entry.has("from"), entry.has("to")) {
            (true, false) => (LinkDirection::In, "from"),
            (false, true) => (LinkDirection::Out, "to"),
            (false, false) => {
                let message = "this key is missing: set it to where values come from, or `to` to where they go";
                return self.faults.push(entry.fault("from", message));
            }
            (true, true) => {
                let message = "there is `from`, too: each link has one of them, so make two links of it";
                return self.faults.push(entry.fault("to", message));
            }
        };
        for only_out in ["retain", "timeout", "offline", "max_payload"] {
            if direction == LinkDirection::In && entry.has(only_out) {
                self.faults.push(entry.fault(only_out, "this is for links with `to`: leave it out"));
            }
        }
        let record = entry.text("record").map(|record| record.value);
        let there = |name: &&String| self.records.iter().any(|other| other.name == **name);
        if let Some(record) = record.as_ref().filter(|name| !there(name)) {
            let near = nearest(record, self.records.iter().map(|record| &*record.name));
            let mend =
                near.map_or_else(|| "add a [[record]] of that name".into(), |near| format!("did you mean \"{near}\"?"));
            if known.records || near.is_some() {
                self.faults.push(entry.fault("record", format!("there is no record \"{record}\": {mend}")));
            }
        }
        let address = entry.text(key).map(|address| address.value);
        let address = address.map(|address| {
            self.with_connector(&address).unwrap_or_else(|(certain, message)| {
                if known.connectors || certain {
                    self.faults.push(entry.fault(key, message));
                }
                address
            })
        });
        let (Some(record), Some(address)) = (record, address) else { return };
        let format = entry.text("format").map(|format| format.value);
        let format = format.and_then(|name| name.parse().ok()).unwrap_or(crate::Format::Json);
        let offline = match (entry.text("offline"), entry.table("offline").and_then(|offline| offline.number("keep"))) {
            (Some(_), _) => Some(Offline::Drop),
            (None, keep) => keep.and_then(|keep| usize::try_from(keep).ok()).map(Offline::KeepNewest),
        };
        let config = ConnectorConfig {
            qos: entry.number("qos").and_then(|qos| u8::try_from(qos).ok()),
            retain: entry.flag("retain"),
            timeout: entry.time("timeout"),
            offline,
            max_payload: entry.number("max_payload").and_then(|bytes| usize::try_from(bytes).ok()),
        };
        self.links.push(LinkSection { entry, record, direction, address, format, config });
    }

    /// An address with the name of its connector, which may be left out where there is one for the protocol. Else what is
    /// wrong, and whether that is certain also when not all connectors are known.
    fn with_connector(&self, address: &str) -> Result<String, (bool, String)> {
        let parsed = Address::parse(address).map_err(|error| (true, format!("\"{address}\": {error}")))?;
        let schemes = || self.connectors.iter().map(|connector| &*connector.scheme);
        if schemes().any(|scheme| scheme == parsed.scheme) {
            return Ok(address.into());
        }
        let of_protocol = |scheme: &&str| scheme.split('+').next() == Some(parsed.scheme);
        let written = |scheme: &str| format!("{scheme}://{}", parsed.resource);
        match schemes().filter(of_protocol).collect::<Vec<_>>().as_slice() {
            [one] => Ok(written(one)),
            [] => Err(match nearest(parsed.scheme, schemes()) {
                Some(near) => {
                    (true, format!("no connector has the scheme \"{}\": did you mean {near}://?", parsed.scheme))
                }
                None if !PROTOCOLS.iter().any(|(_, protocol)| parsed.scheme.split('+').next() == Some(protocol)) => {
                    let known = PROTOCOLS[0].1;
                    let mend = format!("write {known}://… or {known}+name://…");
                    (true, format!("\"{}\" is no scheme that is spoken here: {mend}", parsed.scheme))
                }
                None if parsed.scheme.contains('+') && !self.connectors.is_empty() => {
                    let there: Vec<String> = schemes().map(|scheme| format!("{scheme}://")).collect();
                    (
                        false,
                        format!("no connector has the scheme \"{}\": there are {}", parsed.scheme, there.join(", ")),
                    )
                }
                None => {
                    (false, format!("no connector has the scheme \"{}\": add a [[connector]] for it", parsed.scheme))
                }
            }),
            several => {
                let named: Vec<String> = several.iter().map(|scheme| written(scheme)).collect();
                let message =
                    format!("there are several connectors for {}://: write {}", parsed.scheme, named.join(" or "));
                Err((true, message))
            }
        }
    }
}
