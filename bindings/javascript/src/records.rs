//! Records and their links: what is declared when a database is opened, and the calls on it.
//!
//! Records are of [`Value`], and a database of them is the same that a node builds from its config.

use crate::{
    code::Failure,
    engine::{Emit, Event},
    follow::{Followers, Wanted, number},
    wire::{Answer, Arguments},
};
use anabranch::{
    Anabranch, BufferCfg, BufferKind, ConnectorConfig, Consumer, Producer, RecvError, TryRecvError, TrySendError,
    WasmAdapter,
    format::Format,
    keep::{Keep, KeepValues, WithStore},
    store::Store,
};
use anabranch_value::Value;
use std::{convert::Infallible, rc::Rc, time::Duration};

/// A database of records, started.
pub struct Records {
    db: Anabranch<WasmAdapter>,
    /// Where JavaScript writes, if it may, in the order of the records' names. They are held for the database's life: a record closes
    /// when its last producer has gone.
    writers: Vec<(String, Producer<Value>)>,
}

/// What a record is declared as.
struct Declared<'c> {
    name: &'c str,
    buffer: BufferCfg,
    shared: bool,
    keep: Option<Keep>,
    links: Vec<Link<'c>>,
}

struct Link<'c> {
    inbound: bool,
    address: &'c str,
    format: Format,
    config: ConnectorConfig,
}

impl Records {
    /// Builds and starts what `settings` declares: a list of records and a list of connectors.
    pub async fn build(settings: &[u8], store: &Store) -> Result<Self, Failure> {
        let call = &mut Arguments::of(settings);
        let declared = call.list("records", record)?;
        let mut builder = Anabranch::builder().runtime(WasmAdapter::new()).with_store(store.clone());
        for Declared { name, buffer, shared, keep, links } in &declared {
            builder = builder.configure::<Value>(*name, |r| {
                r.with_buffer(*buffer);
                if *shared {
                    r.shared();
                }
                if let Some(keep) = keep {
                    r.keep_as(keep.clone(), |value: &Value| Ok::<_, Infallible>(value.clone()));
                }
                for Link { inbound, address, format, config } in links {
                    if *inbound {
                        r.link_from(*address).with_decode(*format).with_config(*config);
                    } else {
                        r.link_to(*address).with_encode(*format).with_config(*config);
                    }
                }
            });
        }
        #[cfg(feature = "mqtt")]
        for connector in call.list("connectors", crate::mqtt::connector)? {
            builder = builder.with_connector(connector);
        }
        let built = builder.build().await;
        let db = built.map_err(|errors| Failure::new("INVALID_CONFIGURATION", errors))?;
        let names = db.records().into_iter().map(|record| record.name);
        let writers = names.filter_map(|name| Some((name.clone(), db.producer::<Value>(&*name).ok()?))).collect();
        db.start();
        Ok(Records { db, writers })
    }

    /// Does what `name` asks for: `produce`, `consume`, `records`.
    #[inline(never)]
    pub fn answer<'a>(
        &self,
        name: &str,
        client: u32,
        call: &mut Arguments<'_>,
        answer: &'a mut Answer,
        (followers, emit): (&mut Followers, &Emit),
    ) -> Result<&'a mut Answer, Failure> {
        match name {
            "produce" => self.produce(call).map(|number| answer.number(number)),
            "consume" => self.consume(client, call, followers, emit).map(|()| answer.null()),
            _ => Ok(self.listed(answer)),
        }
    }

    fn produce(&self, call: &mut Arguments<'_>) -> Result<u64, Failure> {
        let name = call.text("record")?;
        let place = self.writers.binary_search_by(|(its, _)| its.as_str().cmp(name));
        let (_, writer) = place.ok().and_then(|place| self.writers.get(place)).ok_or_else(|| {
            if self.db.record_names().contains(&name) {
                let mend = "declare it `shared: true`, or give each a record of its own";
                Failure::new(
                    "NOT_SHARED",
                    format_args!("a link writes to record {name:?}, and it has one producer: {mend}"),
                )
            } else {
                self.unknown(name)
            }
        })?;
        writer.try_send(call.value()?).map_err(|error| match error {
            TrySendError::Full(_) => Failure::new(
                "QUEUE_FULL",
                format_args!(
                    "record {name:?} has no room until its slowest consumer has taken a value; try again then"
                ),
            ),
            TrySendError::Closed(_) => Failure::new("CLOSED", format_args!("record {name:?} is closed")),
        })
    }

    fn consume(
        &self,
        client: u32,
        call: &mut Arguments<'_>,
        followers: &mut Followers,
        emit: &Emit,
    ) -> Result<(), Failure> {
        let (id, wants, name) = (number(call)?, call.number("how many")?, call.text("record")?);
        if !self.db.record_names().contains(&name) {
            return Err(self.unknown(name));
        }
        let taken = |error| Failure::new("RECORD_TAKEN", format_args!("record {name:?}: {error}"));
        let consumer = self.db.consumer::<Value>(name).map_err(taken)?;
        let emit = emit.clone();
        followers.start((client, id), wants, |wanted| follow_record(consumer, wanted, emit, (client, id)));
        Ok(())
    }

    fn listed<'a>(&self, answer: &'a mut Answer) -> &'a mut Answer {
        let records = self.db.records();
        answer.list(records.len());
        for record in &records {
            let kind = match record.buffer.kind() {
                BufferKind::SpmcRing => "spmc-ring",
                BufferKind::SingleLatest => "single-latest",
                BufferKind::Mailbox => "mailbox",
                BufferKind::Queue => "queue",
            };
            answer.map(3).text("name").text(&record.name).text("buffer").text(kind);
            answer.text("values").number(record.status.produced);
        }
        answer
    }

    fn unknown(&self, name: &str) -> Failure {
        let names = self.db.record_names().join(", ");
        let mend = if names.is_empty() { "declare it in `records` when the database is opened" } else { "there are" };
        Failure::new("RECORD_NOT_FOUND", format_args!("there is no record {name:?}: {mend} {names}"))
    }

    /// Lets what is on its way arrive, and ends links and services.
    pub async fn close(&self) {
        // Whoever has not ended by then is told so by the database's own log.
        let _ = self.db.shutdown(Duration::from_secs(2)).await;
    }
}

async fn follow_record(mut consumer: Consumer<Value>, wanted: Rc<Wanted>, emit: Emit, (client, id): (u32, u32)) {
    loop {
        let room = wanted.some().await;
        let mut items = Answer::empty();
        let mut count = 0;
        let mut next = consumer.recv().await;
        let closed = loop {
            match next {
                Ok(value) => {
                    items.map(1).text("value").value(&value);
                    count += 1;
                }
                // It goes on at the oldest that there is.
                Err(RecvError::Lagged(missed)) => {
                    items.map(1).text("missed").number(missed);
                }
                Err(RecvError::Closed) => break true,
            }
            if count == room {
                break false;
            }
            next = match consumer.try_recv() {
                Ok(value) => Ok(value),
                Err(TryRecvError::Lagged(missed)) => Err(RecvError::Lagged(missed)),
                Err(TryRecvError::Closed) => Err(RecvError::Closed),
                Err(TryRecvError::Empty) => break false,
            };
        };
        wanted.sent(count);
        emit.event(Event::Items, client, id, &items.into_bytes());
        if closed {
            return emit.event(Event::End, client, id, &Answer::done().null().take_bytes());
        }
    }
}

/// name, kind of buffer, capacity, consumers, shared, namespace and key to keep it under, links.
fn record<'c>(call: &mut Arguments<'c>) -> Result<Declared<'c>, Failure> {
    let (name, kind) = (call.text("name")?, call.text("buffer.kind")?);
    let capacity = call.optional(|call| call.size("buffer.capacity"))?;
    let consumers = call.optional(|call| call.size("buffer.consumers"))?;
    let capacity = capacity.unwrap_or(64);
    let buffer = match kind {
        "spmc-ring" => BufferCfg::SpmcRing { capacity },
        "single-latest" => BufferCfg::SingleLatest,
        "mailbox" => BufferCfg::Mailbox,
        "queue" => BufferCfg::Queue { capacity, consumers: consumers.unwrap_or(1) },
        _ => {
            let why = format!("there is no buffer {kind:?}: there are spmc-ring, single-latest, mailbox and queue");
            return Err(Failure::argument("buffer.kind", &why));
        }
    };
    let shared = call.flag("shared")?;
    let namespace = call.optional(|call| call.text("keep.namespace"))?;
    let key = call.optional(|call| call.text("keep.key"))?;
    let keep = namespace.map(Keep::in_namespace).map(|keep| match key {
        Some(key) => keep.key(key),
        None => keep,
    });
    Ok(Declared { name, buffer, shared, keep, links: call.list("links", link)? })
}

/// whether it is from there, address, format, quality of service, retained.
fn link<'c>(call: &mut Arguments<'c>) -> Result<Link<'c>, Failure> {
    let (inbound, address) = (call.flag("from")?, call.text("address")?);
    let format = call.optional(|call| call.parsed("format"))?.unwrap_or(Format::Json);
    let qos = call.optional(|call| call.number("qos"))?;
    let qos = qos.map(|qos| u8::try_from(qos).unwrap_or(u8::MAX));
    let retain = call.optional(|call| call.flag("retain"))?;
    Ok(Link { inbound, address, format, config: ConnectorConfig { qos, retain, ..ConnectorConfig::default() } })
}
