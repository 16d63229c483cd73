//! From a config to a database; what the database finds wrong is told in the config's words and places.

use crate::config::{Config, ConnectorSection, Fault, LinkSection, Place};
use anabranch::{
    Anabranch, BuildError, BuildErrors, Builder, ConnectorError, LinkDirection, LinkProblem, TokioAdapter,
    keep::{KeepValues, WithStore},
};
use anabranch_value::Value;
use std::convert::Infallible;

/// A node's database.
pub(crate) type Database = Anabranch<TokioAdapter>;

/// Builds what `config` describes. Nothing is connected to.
///
/// # Errors
/// All that is wrong with it, from the beginning of the file to its end.
pub(crate) async fn assemble(config: &Config, runtime: &TokioAdapter) -> Result<Database, Vec<Fault>> {
    if config.misread {
        let mut faults = config.faults.clone();
        faults.sort();
        return Err(faults);
    }
    let mut faults = config.faults.clone();
    let begun = with_lifecycle(Anabranch::builder().runtime(runtime.clone()), config);
    let whole = with_connectors(with_records(begun, config), config);
    let db = match whole.build().await {
        Ok(db) => Some(db),
        Err(errors) => {
            // Connectors are asked last, and not at all where something else is wrong: they are asked here.
            let alone = Anabranch::builder().runtime(runtime.clone());
            let alone = with_connectors(alone, config).build().await.err();
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
        Some(db) if faults.is_empty() => Ok(db),
        _ => Err(faults),
    }
}

/// Where there is a store, its tiers are kept in order.
fn with_lifecycle(builder: Builder<TokioAdapter>, config: &Config) -> Builder<TokioAdapter> {
    match config.data {
        Some(_) => builder.with_lifecycle(config.store.maintain_every),
        None => builder,
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
            if let Some(keep) = &record.keep {
                r.keep_as(keep.clone(), |value: &Value| Ok::<_, Infallible>(value.clone()));
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

fn with_connectors(mut builder: Builder<TokioAdapter>, config: &Config) -> Builder<TokioAdapter> {
    for section in &config.connectors {
        builder = builder.with_connector(section.connector.clone());
    }
    builder
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
        BuildError::Buffer { record: name, source } => record(name, "buffer", format!("\"{name}\": {source}")),
        BuildError::Record { record: name, problem } => {
            let section = config.records.iter().find(|record| record.name == *name);
            let keep = section.and_then(|record| record.entry.table("keep"));
            let key = if problem.starts_with("the key") { "key" } else { "namespace" };
            keep.map(|keep| keep.fault(key, format!("\"{name}\": {problem}"))).into_iter().collect()
        }
        // The config has said it already, in its own words.
        BuildError::Link { problem: LinkProblem::NoConnector { .. }, .. } => Vec::new(),
        BuildError::Link { record, address, problem } => links(record, address, format!("\"{address}\": {problem}")),
        BuildError::Connector { error: ConnectorError::Link { record, address, reason }, .. } => {
            links(record, address, format!("\"{address}\": {reason}"))
        }
        BuildError::Connector { scheme, error } => {
            let section = config.connectors.iter().find(|connector| connector.scheme == *scheme);
            section.and_then(|section| of_connector(section, &error.to_string())).into_iter().collect()
        }
        other => vec![Fault { place: Place::START, key: String::new(), message: other.to_string() }],
    }
}

/// A connector's words about itself, at the key that they are about; nothing where the config has said it in its own.
fn of_connector(section: &ConnectorSection, message: &str) -> Option<Fault> {
    if message.contains("a URL without TLS") {
        return None;
    }
    let named = |key: &&&str| message.contains(&format!("`{key}`"));
    let keys = [
        "client_id",
        "keep_alive",
        "session_expiry",
        "max_packet",
        "answer_within",
        "receive_maximum",
        "outbox_bytes",
        "backoff",
        "qos",
    ];
    let about = [
        ("the CA", "ca"),
        ("last will", "will"),
        ("the key", "key"),
        ("the certificate", "certificate"),
        ("server's name", "server_name"),
        ("user name", "user"),
    ];
    let about = about.iter().find(|(words, _)| message.contains(words)).map(|(_, key)| *key);
    let key = about.or_else(|| keys.iter().find(named).copied()).unwrap_or("url");
    Some(section.entry.fault(key, message))
}
