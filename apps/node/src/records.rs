//! A node's records for those who look into it: what each holds now, who follows it, who may write to it.

use crate::assemble::Database;
use anabranch::{
    AccessError, BufferCfg, BufferKind, Consumer, Producer, RecordStatus, RecvError, TryRecvError, TrySendError,
};
use anabranch_value::Value;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// The records of a node.
pub(crate) struct Records {
    db: Database,
    /// What the node holds of each.
    held: BTreeMap<String, Held>,
}

/// What the node holds of a record.
struct Held {
    buffer: BufferCfg,
    /// Where HTTP writes, if it may. It is held for the node's life: a record closes when its last producer has gone.
    writer: Option<Producer<Value>>,
    /// A cursor that stands where the newest value was last asked for; `None` where taking a value takes it from others.
    newest: Option<Mutex<Newest>>,
}

struct Newest {
    consumer: Consumer<Value>,
    last: Option<Numbered>,
}

/// A value and its number in its record.
#[derive(Debug, Clone)]
pub(crate) struct Numbered {
    pub(crate) sequence: u64,
    pub(crate) value: Value,
}

/// Why the newest value cannot be had.
#[derive(Debug)]
pub(crate) enum NoNewest {
    /// There is no such record.
    Unknown,
    /// Nothing came yet.
    NothingYet,
    /// Whoever takes a value from this kind takes it from others.
    Taking(BufferKind),
}

/// Why a value was not written.
#[derive(Debug)]
pub(crate) enum NotWritten {
    /// There is no such record.
    Unknown,
    /// A link writes to it, and it is not shared.
    NotShared,
    /// It is a queue without room.
    Full,
    /// It takes nothing any more.
    Closed,
}

/// What a follower sees.
pub(crate) enum Seen {
    Value(Numbered),
    /// It was slower than the record: it missed so many.
    Lagged(u64),
    Closed,
}

impl Records {
    /// Takes the ends of every record of `db` that nothing else has taken. Before it starts, so that no value is missed.
    pub(crate) fn of(db: &Database) -> Self {
        let held = |record: &RecordStatus| {
            let seen = matches!(record.buffer.kind(), BufferKind::SpmcRing | BufferKind::SingleLatest);
            let consumer = if seen { db.consumer::<Value>(&*record.name).ok() } else { None };
            Held {
                buffer: record.buffer,
                writer: db.producer::<Value>(&*record.name).ok(),
                newest: consumer.map(|consumer| Mutex::new(Newest { consumer, last: None })),
            }
        };
        let held = db.records().iter().map(|record| (record.name.clone(), held(record))).collect();
        Records { db: db.clone(), held }
    }

    /// The names, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.held.keys().map(String::as_str)
    }

    /// Whether HTTP may write to it.
    pub(crate) fn is_writable(&self, name: &str) -> bool {
        self.held.get(name).is_some_and(|held| held.writer.is_some())
    }

    /// What each record is doing, without what the node itself does to look.
    pub(crate) fn status(&self) -> Vec<RecordStatus> {
        let mut records = self.db.records();
        for record in &mut records {
            if let Some(newest) = self.held.get(&record.name).and_then(|held| held.newest.as_ref()) {
                let newest = newest.lock().unwrap_or_else(PoisonError::into_inner);
                record.status.consumers = record.status.consumers.saturating_sub(1);
                record.status.lost = record.status.lost.saturating_sub(newest.consumer.lagged());
            }
        }
        records
    }

    /// The newest value: of a ring the last that came, of a latest the current one.
    pub(crate) fn newest(&self, name: &str) -> Result<Numbered, NoNewest> {
        let held = self.held.get(name).ok_or(NoNewest::Unknown)?;
        let newest = held.newest.as_ref().ok_or(NoNewest::Taking(held.buffer.kind()))?;
        let mut newest = newest.lock().unwrap_or_else(PoisonError::into_inner);
        let Newest { consumer, last } = &mut *newest;
        loop {
            match consumer.try_recv() {
                Ok(value) => *last = Some(Numbered { sequence: number(consumer), value }),
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return last.clone().ok_or(NoNewest::NothingYet),
            }
        }
    }

    /// Follows a record from now on; a latest from its current value.
    pub(crate) fn follow(&self, name: &str) -> Result<Follower, AccessError> {
        self.db.consumer::<Value>(name).map(Follower)
    }

    /// Writes a value, and gives its number.
    pub(crate) fn write(&self, name: &str, value: Value) -> Result<u64, NotWritten> {
        let held = self.held.get(name).ok_or(NotWritten::Unknown)?;
        let writer = held.writer.as_ref().ok_or(NotWritten::NotShared)?;
        writer.try_send(value).map_err(|error| match error {
            TrySendError::Full(_) => NotWritten::Full,
            TrySendError::Closed(_) => NotWritten::Closed,
        })
    }
}

/// The number of the value that `consumer` took last.
fn number(consumer: &Consumer<Value>) -> u64 {
    consumer.position().saturating_sub(1)
}

/// Sees the values of a record.
pub(crate) struct Follower(Consumer<Value>);

impl Follower {
    /// The next. Cancel safe.
    pub(crate) async fn next(&mut self) -> Seen {
        match self.0.recv().await {
            Ok(value) => Seen::Value(Numbered { sequence: number(&self.0), value }),
            Err(RecvError::Lagged(missed)) => Seen::Lagged(missed),
            Err(RecvError::Closed) => Seen::Closed,
        }
    }
}
