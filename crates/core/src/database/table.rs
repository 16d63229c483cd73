//! The records of a database by name, with their types checked when a handle is taken.

use super::{
    error::{AccessError, nearest},
    service::{Direction, Port},
};
use crate::{BufferCfg, BufferStatus, HeapRecord, Position};
use alloc::{boxed::Box, collections::BTreeMap, string::String, sync::Arc, vec::Vec};
use core::any::{Any, TypeId, type_name};

/// A type, by identity and by name.
#[derive(Debug, Clone, Copy)]
pub(super) struct TypeOf {
    pub(super) id: TypeId,
    pub(super) name: &'static str,
}

impl TypeOf {
    pub(super) fn of<T: 'static>() -> Self {
        TypeOf { id: TypeId::of::<T>(), name: type_name::<T>() }
    }
}

/// A record whose type is not known here.
pub(super) trait AnyRecord: Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn status(&self) -> BufferStatus;
    fn drain(&self);
    /// Where a consumer notes what it has received, if the record is tapped.
    fn watch(&self) -> Option<Arc<Position>>;
}

impl<T: 'static> AnyRecord for HeapRecord<T> {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn status(&self) -> BufferStatus {
        HeapRecord::status(self)
    }
    fn drain(&self) {
        HeapRecord::drain(self);
    }
    fn watch(&self) -> Option<Arc<Position>> {
        HeapRecord::watch(self)
    }
}

pub(super) struct Entry {
    pub(super) value: TypeOf,
    pub(super) buffer: BufferCfg,
    pub(super) shared: bool,
    /// Whether somebody sees each value that is put in.
    pub(super) tapped: bool,
    pub(super) record: Box<dyn AnyRecord>,
}

/// The records by name, in the order of their names.
#[derive(Default)]
pub(super) struct Table {
    pub(super) entries: BTreeMap<String, Entry>,
}

impl Table {
    /// The typed record called `name`.
    pub(super) fn get<T: 'static>(&self, name: &str) -> Result<&HeapRecord<T>, AccessError> {
        let Some(entry) = self.entries.get(name) else {
            return Err(AccessError::UnknownRecord { record: name.into(), nearest: self.nearest(name) });
        };
        entry.record.as_any().downcast_ref().ok_or_else(|| AccessError::WrongType {
            record: name.into(),
            holds: entry.value.name,
            asked: type_name::<T>(),
        })
    }

    /// Where the consumers of a service with these ports note what they have received: if it writes to a record that is
    /// tapped, those that read such records.
    pub(super) fn noted(&self, ports: &[Port]) -> Vec<Option<Arc<Position>>> {
        let tapped = |port: &Port, direction| {
            let entry = self.entries.get(&port.record).filter(|entry| entry.tapped);
            entry.filter(|_| port.direction == direction)
        };
        if !ports.iter().any(|port| tapped(port, Direction::Writes).is_some()) {
            return Vec::new();
        }
        ports.iter().map(|port| tapped(port, Direction::Reads).and_then(|entry| entry.record.watch())).collect()
    }

    /// Puts the tap of a port into its record, before anybody has an end of it.
    pub(super) fn tap(&mut self, port: &Port) {
        if let Some(install) = &port.install
            && let Some(entry) = self.entries.get_mut(&port.record)
            && let Some(tapped) = install(&*entry.record)
        {
            entry.record = tapped;
            entry.tapped = true;
        }
    }

    pub(super) fn nearest(&self, name: &str) -> Option<String> {
        nearest(name, self.entries.keys().map(String::as_str))
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.entries.keys().map(String::as_str).collect()
    }
}
