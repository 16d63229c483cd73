//! From a config to a database; what the database finds wrong is told in the config's words and places.

use crate::config::{Config, ConnectorSection, Fault, LinkSection, Place};
use anabranch::{
    Anabranch, BuildError, BuildErrors, Builder, Connector, ConnectorBuilder, ConnectorError, LinkDirection,
    LinkProblem, TokioAdapter,
};
use anabranch_value::Value;
use std::sync::{Arc, Mutex, PoisonError};

/// A node's database.
pub(crate) type Database = Anabranch<TokioAdapter>;

/// A database that was built, and the connectors of its links.
pub(crate) struct Assembled {
    pub(crate) db: Database,
    pub(crate) connectors: Vec<Arc<dyn Connector>>,
}

/// Builds what `config` describes. Nothing is connected to.
///
/// # Errors
/// All that is wrong with it, from the beginning of the file to its end.
pub(crate) async fn assemble(config: &Config, runtime: &TokioAdapter) -> Result<Assembled, Vec<Fault>> {
    if config.misread {
        let mut faults = config.faults.clone();
        faults.sort();
        return Err(faults);
    }
    let made = Made::default();
    let mut faults = config.faults.clone();
    let whole = with_connectors(with_records(Anabranch::builder().runtime(runtime.clone()), config), config, &made);
    let db = match whole.build().await {
        Ok(db) => Some(db),
        Err(errors) => {
            // Connectors are asked last, and not at all where something else is wrong: they are asked here.
            let alone = Anabranch::builder().runtime(runtime.clone());
            let alone = with_connectors(alone, config, &Made::default()).build().await.err();
            let of = |errors: &BuildErrors| errors.errors().to_vec();
            for error in of(&errors).into_iter().chain(alone.as_ref().map(of).unwrap_or_default()) {
                faults.extend(fault(config, &error));
            }
            None
        }
    };
    faults.sort();
    // One place may be seen from two sides.
    faults.dedup();
    match db {
        Some(db) if faults.is_empty() => Ok(Assembled { db, connectors: made.take() }),
        _ => Err(faults),
    }
}

fn with_records(mut builder: Builder<TokioAdapter>, config: &Config) -> Builder<TokioAdapter> {
    for record in &config.records {
        let Some(buffer) = record.buffer else { continue };
        builder = builder.configure::<Value>(record.name.as_str(), |r| {
            r.with_buffer(buffer);
            if record.shared {
                r.shared();
            }
            for link in config.links.iter().filter(|link| link.record == record.name) {
                match link.direction {
                    LinkDirection::In => {
                        r.link_from(&*link.address).with_decode(link.format).with_config(link.config);
                    }
                    LinkDirection::Out => {
                        r.link_to(&*link.address).with_encode(link.format).with_config(link.config);
                    }
                }
            }
        });
    }
    builder
}

fn with_connectors(mut builder: Builder<TokioAdapter>, config: &Config, made: &Made) -> Builder<TokioAdapter> {
    for section in &config.connectors {
        builder = builder.with_connector(Remembered { builder: section.connector.clone(), made: made.clone() });
    }
    builder
}

/// The connectors that were made.
#[derive(Clone, Default)]
struct Made(Arc<Mutex<Vec<Arc<dyn Connector>>>>);

impl Made {
    fn push(&self, connector: Arc<dyn Connector>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(connector);
    }

    fn take(&self) -> Vec<Arc<dyn Connector>> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A connector's builder that remembers what it has made: the node follows whether it is connected.
struct Remembered<B> {
    builder: B,
    made: Made,
}

impl<B: ConnectorBuilder<TokioAdapter>> ConnectorBuilder<TokioAdapter> for Remembered<B> {
    fn scheme(&self) -> &str {
        self.builder.scheme()
    }

    fn build(&self, db: &Database) -> Result<Arc<dyn Connector>, Vec<ConnectorError>> {
        let connector = self.builder.build(db)?;
        self.made.push(connector.clone());
        Ok(connector)
    }
}

/// The faults that an error of the database is: one for each place of the file that it is about.
fn fault(config: &Config, error: &BuildError) -> Vec<Fault> {
    let record = |name: &str, key: &str, message: String| {
        let section = config.records.iter().find(|record| record.name == *name);
        section.map(|record| record.entry.fault(key, message.clone())).into_iter().collect()
    };
    let links = |name: &str, address: &str, message: String| {
        let meant = |link: &&LinkSection| link.record == *name && link.address == *address;
        let key = |link: &LinkSection| if link.direction == LinkDirection::In { "from" } else { "to" };
        config.links.iter().filter(meant).map(|link| link.entry.fault(key(link), message.clone())).collect()
    };
    match error {
        BuildError::TooManyProducers { record: name, writers } => {
            let writers = writers.join(" and ");
            record(
                name,
                "name",
                format!("\"{name}\" is written by {writers}: set `shared = true`, or give each a record of its own"),
            )
        }
        BuildError::TooManyConsumers { record: name, kind, declared, readers, .. } => {
            let mend = match kind {
                anabranch::BufferKind::Queue => format!("set `consumers = {}`", readers.len()),
                _ => "make it a spmc-ring or a queue, so that each gets every value".into(),
            };
            let readers = readers.join(" and ");
            record(name, "buffer", format!("\"{name}\" is read by {readers}, but its {kind} is for {declared}: {mend}"))
        }
        // The config has said it already, in its own words.
        BuildError::Link { problem: LinkProblem::NoConnector { .. }, .. } => Vec::new(),
        BuildError::Link { record, address, problem } => links(record, address, format!("\"{address}\": {problem}")),
        BuildError::Connector { error: ConnectorError::Link { record, address, reason }, .. } => {
            links(record, address, format!("\"{address}\": {reason}"))
        }
        BuildError::Connector { scheme, error } => {
            let section = config.connectors.iter().find(|connector| connector.scheme == *scheme);
            section.map(|section| of_connector(section, &error.to_string())).into_iter().collect()
        }
        other => vec![Fault { place: Place::START, key: String::new(), message: other.to_string() }],
    }
}

/// A connector's words about itself, at the key that they are about.
fn of_connector(section: &ConnectorSection, message: &str) -> Fault {
    let named = |key: &&&str| message.contains(&format!("`{key}`"));
    let keys = ["client_id", "keep_alive", "session_expiry", "max_packet", "answer_within", "qos"];
    let about = [
        ("the CA", "ca"),
        ("last will", "will"),
        ("the key", "key"),
        ("the certificate", "certificate"),
        ("server's name", "server_name"),
    ];
    let about = about.iter().find(|(words, _)| message.contains(words)).map(|(_, key)| *key);
    let key = about.or_else(|| keys.iter().find(named).copied()).unwrap_or("url");
    section.entry.fault(key, message)
}
