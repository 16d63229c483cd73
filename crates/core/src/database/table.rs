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
    /// The place of each among the entries: the one kind of map that a database has, since each kind is code of its own.
    places: BTreeMap<String, usize>,
    entries: Vec<Entry>,
}

impl Table {
    /// Puts a record in, whose name is not there yet.
    pub(super) fn add(&mut self, name: String, entry: Entry) {
        self.places.insert(name, self.entries.len());
        self.entries.push(entry);
    }

    /// The place of a record, which stays as it is: below [`len`](Self::len).
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }

    pub(super) fn at(&self, place: usize) -> &Entry {
        &self.entries[place]
    }

    pub(super) const fn len(&self) -> usize {
        self.entries.len()
    }

    /// The names, the places and the entries, in the order of the names.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = (&String, usize, &Entry)> {
        self.places.iter().map(|(name, place)| (name, *place, self.at(*place)))
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        Some(self.at(self.place(name)?))
    }

    /// The typed record called `name`.
    pub(super) fn get<T: 'static>(&self, name: &str) -> Result<&HeapRecord<T>, AccessError> {
        let Some(entry) = self.entry(name) else {
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
            let entry = self.entry(&port.record).filter(|entry| entry.tapped);
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
            && let Some(place) = self.place(&port.record)
            && let Some(tapped) = install(&*self.at(place).record)
        {
            let entry = &mut self.entries[place];
            entry.record = tapped;
            entry.tapped = true;
        }
    }

    pub(super) fn nearest(&self, name: &str) -> Option<String> {
        nearest(name, self.places.keys().map(String::as_str))
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.places.keys().map(String::as_str).collect()
    }
}
