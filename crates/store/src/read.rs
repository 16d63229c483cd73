//! What can be asked of the tables as they were at one moment.

use crate::codec::{self, KeyRow, NamespaceRow, VersionRow};
use crate::cold::Unpacked;
use crate::write::{check_key, check_namespace, owned};
use crate::{Direction, KeyedVersion, Page, StoreError, Table, Timestamp, VersionId, VersionedValue, View};
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::{Bound, ControlFlow, RangeBounds};

/// How many rows a page visits at most before it says where the rest begins: so that no view is held for long.
const VISITED: usize = 4096;

/// For so many versions of a page of history room is made beforehand.
const PAGE: usize = 128;

/// Reads versions through a view.
#[derive(Debug)]
pub struct Reader<V> {
    view: V,
    segments: Unpacked,
}

/// Where the rest of a listing of keys in all namespaces begins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// After this namespace, or within it.
    pub namespace: String,
    /// After this key of it; none: from its first on.
    pub key: Option<String>,
}

/// As [`Visit`](crate::Visit), where what is visited may be damaged.
type TryVisit<'r> = &'r mut dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError>;

/// What of a chain is visited.
type Rows<'r> = &'r mut dyn FnMut(&VersionRow<'_>) -> Result<ControlFlow<()>, StoreError>;

impl<V: View> Reader<V> {
    /// Reads through a view.
    pub const fn new(view: V) -> Self {
        Reader { view, segments: Unpacked::new() }
    }

    pub(crate) const fn segments(&self) -> &Unpacked {
        &self.segments
    }

    /// The view.
    pub const fn view(&self) -> &V {
        &self.view
    }

    /// The newest version of a key.
    ///
    /// # Errors
    /// [`StoreError::KeyNotFound`] where it is not, or is deleted.
    pub fn get(&self, namespace: &str, key: &str) -> Result<VersionedValue, StoreError> {
        let row = self.key(namespace, key)?;
        let newest = self.newest(&row, namespace, key)?;
        present(newest, namespace, key)
    }

    /// For the hot tier: the newest version of a key, even if that says deleted, and what is known of its chain.
    #[cfg(feature = "std")]
    pub(crate) fn current(&self, namespace: &str, key: &str) -> Result<(KeyRow, VersionedValue), StoreError> {
        let row = self.key(namespace, key)?;
        let newest = self.newest(&row, namespace, key)?;
        Ok((row, newest))
    }

    fn newest(&self, row: &KeyRow, namespace: &str, key: &str) -> Result<VersionedValue, StoreError> {
        self.at(row.number, Timestamp::LATEST)?.ok_or_else(|| lost(namespace, key))
    }

    /// A version of a key by its id. One that says deleted is found, too.
    ///
    /// # Errors
    /// [`StoreError::KeyNotFound`] where the key never was, [`StoreError::VersionNotFound`] where it has no such version.
    pub fn get_version(&self, namespace: &str, key: &str, id: &VersionId) -> Result<VersionedValue, StoreError> {
        let row = self.key(namespace, key)?;
        self.version(row.number, id)?.ok_or_else(|| StoreError::VersionNotFound {
            namespace: owned(namespace),
            key: owned(key),
            version: *id,
        })
    }

    /// A version by its id alone, with the key that it is of.
    ///
    /// # Errors
    /// [`StoreError::NoSuchVersion`].
    pub fn find_version(&self, id: &VersionId) -> Result<KeyedVersion, StoreError> {
        let not_found = || StoreError::NoSuchVersion { version: *id };
        let number = self.written_at(id.timestamp())?.ok_or_else(not_found)?;
        let version = self.version(number, id)?.ok_or_else(not_found)?;
        let (namespace, key) = codec::texts_of(&self.names(number)?);
        Ok(KeyedVersion { namespace, key, version })
    }

    /// The newest version of a key at or before a moment.
    ///
    /// # Errors
    /// [`StoreError::NoValueAt`] before the first version, [`StoreError::NoLongerKept`] where retention has dropped what it was;
    /// [`StoreError::KeyNotFound`] where the key never was, or was deleted then.
    pub fn get_at(&self, namespace: &str, key: &str, at: Timestamp) -> Result<VersionedValue, StoreError> {
        let row = self.key(namespace, key)?;
        let Some(version) = self.at(row.number, at)? else {
            self.check_kept(row.number, (namespace, key), at, row.first)?;
            let first = self.deep(row.number)?.map_or(row.first, |deep| deep.first);
            return Err(StoreError::NoValueAt { namespace: owned(namespace), key: owned(key), at, first });
        };
        present(version, namespace, key)
    }

    /// The versions of a key within a range of time, newest first, deletions among them. Where retention has dropped what was
    /// before, the last one names a previous version that is not there.
    ///
    /// The rest is `(start, Excluded(next))`.
    ///
    /// # Errors
    /// [`StoreError::KeyNotFound`] where the key never was, [`StoreError::NoLimit`].
    pub fn history(
        &self,
        namespace: &str,
        key: &str,
        range: impl RangeBounds<Timestamp>,
        limit: usize,
    ) -> Result<Page<VersionedValue, Timestamp>, StoreError> {
        check_limit(limit)?;
        let row = self.key(namespace, key)?;
        let one = Timestamp::from_nanos(1);
        let (Some(from), Some(to)) = (
            match range.start_bound() {
                Bound::Included(at) => Some(*at),
                Bound::Excluded(at) => next(*at),
                Bound::Unbounded => Some(one),
            },
            match range.end_bound() {
                Bound::Included(at) => Some(*at),
                Bound::Excluded(at) => at.nanos().checked_sub(1).map(Timestamp::from_nanos),
                Bound::Unbounded => Some(Timestamp::LATEST),
            },
        ) else {
            return Ok(Page { items: Vec::new(), next: None });
        };
        let mut items: Vec<VersionedValue> = Vec::with_capacity(limit.min(PAGE));
        let mut waits = false;
        let mut more = None;
        let mut is_done = false;
        // One row more than asked for: it has the id of the last version's previous one.
        self.backward(row.number, to, &mut |version| {
            if let Some(last) = items.last_mut() {
                if core::mem::take(&mut waits) {
                    last.previous_version = Some(version.id());
                }
                if items.len() == limit || version.timestamp < from {
                    more = (version.timestamp >= from).then(|| items[items.len() - 1].timestamp);
                    is_done = true;
                    return Ok(ControlFlow::Break(()));
                }
            } else if version.timestamp < from {
                is_done = true;
                return Ok(ControlFlow::Break(()));
            }
            waits = version.follows();
            version.decode_to(&mut items)?;
            Ok(ControlFlow::Continue(()))
        })?;
        if let Some(last) = items.last_mut().filter(|_| waits) {
            last.previous_version = Some(self.before_warm(row.number, last.timestamp)?);
        }
        if !is_done {
            more = self.cold_history(row.number, (from, to), limit, &mut items)?;
        }
        Ok(Page { items, next: more })
    }

    /// The names of namespaces that have keys, or had some at a moment: those after `after`, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError::NoLimit`].
    pub fn list_namespaces(
        &self,
        at: Option<Timestamp>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<String, String>, StoreError> {
        check_limit(limit)?;
        let mut names = Vec::new();
        let mut visited = 0;
        let mut stopped = None;
        let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.as_bytes()));
        self.scan(Table::Namespaces, (from, Bound::Unbounded), Direction::Forward, &mut |name, row| {
            let text = core::str::from_utf8(name).map_err(|_| StoreError::damaged("the name of a namespace"))?;
            let row = NamespaceRow::read(name, row)?;
            if names.len() == limit || visited == VISITED {
                stopped = Some(());
                return Ok(ControlFlow::Break(()));
            }
            visited += 1;
            names.push((owned(text), row));
            Ok(ControlFlow::Continue(()))
        })?;
        let next = stopped.and(names.last()).map(|(name, _)| name.clone());
        let mut items = Vec::with_capacity(names.len());
        for (name, row) in names {
            let has_keys = match at {
                None => row.live > 0,
                Some(at) => self.had_keys(&name, at)?,
            };
            if has_keys {
                items.push(name);
            }
        }
        Ok(Page { items, next })
    }

    fn had_keys(&self, namespace: &str, at: Timestamp) -> Result<bool, StoreError> {
        let mut after = None;
        loop {
            let page = self.list_keys(namespace, "", Some(at), after.as_deref(), 1)?;
            if !page.items.is_empty() {
                return Ok(true);
            }
            let Some(next) = page.next else { return Ok(false) };
            after = Some(next);
        }
    }

    /// The keys of a namespace that begin with `prefix`, in their order, as they are or as they were at a moment: those after
    /// `after`, at most `limit`. A page may be empty and have a next one, where many keys are deleted. Where retention has dropped
    /// what a key was at that moment, it is left out.
    ///
    /// # Errors
    /// [`StoreError::NoLimit`], and those of names.
    pub fn list_keys(
        &self,
        namespace: &str,
        prefix: &str,
        at: Option<Timestamp>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<String, String>, StoreError> {
        check_limit(limit)?;
        // Whether one was deleted at a moment is looked up after the scan.
        let page = self.keys(namespace, prefix, after, limit, &mut |row| match at {
            None => !row.deleted,
            Some(at) => row.first <= at,
        })?;
        let mut items = Vec::with_capacity(page.items.len());
        for (key, row) in page.items {
            let is_there = match at {
                Some(at) if row.ever_deleted => self.at(row.number, at)?.is_some_and(|version| !version.deleted),
                _ => true,
            };
            if is_there {
                items.push(key);
            }
        }
        Ok(Page { items, next: page.next })
    }

    /// Keys of a namespace and their rows.
    pub(crate) fn keys(
        &self,
        namespace: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        wanted: &mut dyn FnMut(&KeyRow) -> bool,
    ) -> Result<Page<(String, KeyRow), String>, StoreError> {
        check_namespace(namespace)?;
        let (mut begin, mut place) = (Vec::new(), Vec::new());
        codec::key_of(namespace, prefix, &mut begin);
        codec::key_of(namespace, after.unwrap_or(prefix), &mut place);
        // What comes before all that begins with the prefix may be handed in; the rest is not skipped for it.
        let from = if after.is_some() && place >= begin { Bound::Excluded(&*place) } else { Bound::Included(&*begin) };
        let mut items = Vec::new();
        let mut visited = 0;
        let mut last = None;
        let mut stopped = false;
        self.scan(Table::Keys, (from, Bound::Unbounded), Direction::Forward, &mut |names, row| {
            if !names.starts_with(&begin) {
                return Ok(ControlFlow::Break(()));
            }
            if items.len() == limit || visited == VISITED {
                stopped = true;
                return Ok(ControlFlow::Break(()));
            }
            visited += 1;
            let row = KeyRow::read(names, row)?;
            let (_, key) = codec::names_of(names)?;
            if wanted(&row) {
                items.push((owned(key), row));
            }
            if visited == VISITED {
                last = Some(owned(key));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let next = stopped.then(|| last.or_else(|| items.last().map(|(key, _)| key.clone()))).flatten();
        Ok(Page { items, next })
    }

    /// A part of the whole database as it was at a moment, in the order of namespaces and keys.
    ///
    /// # Errors
    /// [`StoreError::NoLimit`].
    pub fn snapshot_page(
        &self,
        at: Timestamp,
        after: Option<&Place>,
        limit: usize,
    ) -> Result<Page<KeyedVersion, Place>, StoreError> {
        check_limit(limit)?;
        let (namespace, within) = match after {
            Some(Place { namespace, key: Some(key) }) => (Some(namespace.clone()), Some(key.as_str())),
            Some(Place { namespace, key: None }) => (Some(namespace.clone()), None),
            None => (self.namespace_after(None)?, None),
        };
        let Some(namespace) = namespace else { return Ok(Page { items: Vec::new(), next: None }) };
        let page = self.keys(&namespace, "", within, limit, &mut |row| row.first <= at)?;
        let mut items = Vec::with_capacity(page.items.len());
        for (key, row) in page.items {
            match self.at(row.number, at)? {
                Some(version) if !version.deleted => {
                    items.push(KeyedVersion { namespace: (&*namespace).into(), key: key.into(), version });
                }
                _ => {}
            }
        }
        let next = match page.next {
            Some(key) => Some(Place { namespace, key: Some(key) }),
            None => self.namespace_after(Some(&namespace))?.map(|namespace| Place { namespace, key: None }),
        };
        Ok(Page { items, next })
    }

    /// The first namespace after another, whether or not it has keys now.
    pub(crate) fn namespace_after(&self, after: Option<&str>) -> Result<Option<String>, StoreError> {
        let from = after.map_or(Bound::Unbounded, |after| Bound::Excluded(after.as_bytes()));
        let mut found = None;
        self.scan(Table::Namespaces, (from, Bound::Unbounded), Direction::Forward, &mut |name, _| {
            let text = core::str::from_utf8(name).map_err(|_| StoreError::damaged("the name of a namespace"))?;
            found = Some(owned(text));
            Ok(ControlFlow::Break(()))
        })?;
        Ok(found)
    }

    /// The time of the last write; none where there was none.
    ///
    /// # Errors
    /// [`StoreError::Backend`].
    pub fn last_write(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut last = None;
        self.scan(Table::Times, (Bound::Unbounded, Bound::Unbounded), Direction::Backward, &mut |at, _| {
            last = Some(Timestamp::from_bytes(at).ok_or_else(|| StoreError::damaged("a time in Times"))?);
            Ok(ControlFlow::Break(()))
        })?;
        Ok(last)
    }

    /// The times of writes after a moment and the numbers of their keys, oldest first.
    pub(crate) fn writes_after(&self, after: Timestamp, limit: usize) -> Result<Vec<(Timestamp, u64)>, StoreError> {
        let mut writes = Vec::new();
        let from = after.max(Timestamp::ZERO).to_bytes();
        self.scan(Table::Times, (Bound::Excluded(&from), Bound::Unbounded), Direction::Forward, &mut |at, row| {
            let number = codec::read_number(at, row)?;
            let at = Timestamp::from_bytes(at).ok_or_else(|| StoreError::damaged("a time in Times"))?;
            writes.push((at, number));
            Ok(if writes.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(writes)
    }

    /// The number of the key that was written at a time.
    pub(crate) fn written_at(&self, at: Timestamp) -> Result<Option<u64>, StoreError> {
        let key = at.to_bytes();
        let mut number = None;
        self.view.get(Table::Times, &key, &mut |row| number = Some(codec::read_number(&key, row)))?;
        number.transpose()
    }

    /// The times of the versions that cite one of a time; one more than `limit` shows that there are more.
    pub(crate) fn effects_of(&self, cause: Timestamp, limit: usize) -> Result<Vec<Timestamp>, StoreError> {
        let (mut from, mut to) = ([0; 16], [0xff; 16]);
        from[..8].copy_from_slice(&cause.to_bytes());
        to[..8].copy_from_slice(&cause.to_bytes());
        let mut effects = Vec::new();
        self.scan(
            Table::Effects,
            (Bound::Included(&from), Bound::Included(&to)),
            Direction::Forward,
            &mut |key, _| {
                effects.extend(Timestamp::from_bytes(key.get(8..).unwrap_or_default()));
                Ok(if effects.len() <= limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
            },
        )?;
        Ok(effects)
    }

    /// What is known of a key.
    pub(crate) fn key(&self, namespace: &str, key: &str) -> Result<KeyRow, StoreError> {
        let row = self.find_key(namespace, key)?;
        row.ok_or_else(|| StoreError::KeyNotFound { namespace: owned(namespace), key: owned(key), deleted: None })
    }

    pub(crate) fn find_key(&self, namespace: &str, key: &str) -> Result<Option<KeyRow>, StoreError> {
        check_namespace(namespace)?;
        check_key(key)?;
        let mut names = Vec::with_capacity(1 + namespace.len() + key.len());
        codec::key_of(namespace, key, &mut names);
        let mut found = None;
        self.view.get(Table::Keys, &names, &mut |row| found = Some(KeyRow::read(&names, row)))?;
        found.transpose()
    }

    pub(crate) fn namespace(&self, namespace: &str) -> Result<NamespaceRow, StoreError> {
        let mut found = None;
        let name = namespace.as_bytes();
        self.view.get(Table::Namespaces, name, &mut |row| found = Some(NamespaceRow::read(name, row)))?;
        Ok(found.transpose()?.unwrap_or_default())
    }

    /// The namespace and the key of a number, as in `Keys`.
    pub(crate) fn names(&self, number: u64) -> Result<Vec<u8>, StoreError> {
        let key = codec::version_key(number, Timestamp::ZERO);
        let mut names = Err(StoreError::damaged(format_args!("the name of key number {number} is lost")));
        self.view.get(Table::Versions, &key, &mut |row| {
            names = codec::read_name(number, row).map(|(namespace, key)| {
                let mut names = Vec::new();
                codec::key_of(namespace, key, &mut names);
                names
            });
        })?;
        names
    }

    /// A version of a chain by its id, if that has it.
    pub(crate) fn version(&self, number: u64, id: &VersionId) -> Result<Option<VersionedValue>, StoreError> {
        Ok(self.at(number, id.timestamp())?.filter(|version| version.version_id == *id))
    }

    /// The newest version of a chain at or before a moment, even if it says deleted; none where it had none, or that was dropped.
    pub(crate) fn at(&self, number: u64, at: Timestamp) -> Result<Option<VersionedValue>, StoreError> {
        let mut found: Option<VersionedValue> = None;
        let mut waits = false;
        self.backward(number, at, &mut |row| {
            if let Some(found) = &mut found {
                found.previous_version = Some(row.id());
                waits = false;
                return Ok(ControlFlow::Break(()));
            }
            waits = row.follows();
            found = Some(row.decode()?);
            Ok(if waits { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        match &mut found {
            Some(found) if waits => found.previous_version = Some(self.before_warm(number, found.timestamp)?),
            Some(_) => {}
            None => found = self.cold_at(number, at)?,
        }
        Ok(found)
    }

    /// The id of the newest version of a chain, which is never cold.
    pub(crate) fn head(&self, number: u64) -> Result<Option<VersionId>, StoreError> {
        let mut head = None;
        self.backward(number, Timestamp::LATEST, &mut |row| {
            head = Some(row.id());
            Ok(ControlFlow::Break(()))
        })?;
        Ok(head)
    }

    /// Visits the rows of a chain from a moment backwards: those that are not cold.
    fn backward(&self, number: u64, from: Timestamp, visit: Rows<'_>) -> Result<(), StoreError> {
        if from <= Timestamp::ZERO {
            return Ok(());
        }
        let (first, last) = (codec::version_key(number, Timestamp::ZERO), codec::version_key(number, from));
        let range = (Bound::Excluded(&first[..]), Bound::Included(&last[..]));
        // Looked at where it was read to: to move it first is to wait until its parts are written.
        self.scan(Table::Versions, range, Direction::Backward, &mut |key, row| match &VersionRow::parse(key, row) {
            Some(version) => visit(version),
            None => Err(codec::damaged(Table::Versions, key)),
        })
    }

    /// As [`View::scan`], and ends at the first error.
    pub(crate) fn scan(
        &self,
        table: Table,
        range: (Bound<&[u8]>, Bound<&[u8]>),
        direction: Direction,
        visit: TryVisit<'_>,
    ) -> Result<(), StoreError> {
        let mut outcome = Ok(());
        self.view.scan(table, range, direction, &mut |key, row| match visit(key, row) {
            Ok(flow) => flow,
            Err(error) => {
                outcome = Err(error);
                ControlFlow::Break(())
            }
        })?;
        outcome
    }
}

/// The next moment.
pub(crate) fn next(at: Timestamp) -> Option<Timestamp> {
    at.nanos().checked_add(1).map(Timestamp::from_nanos)
}

pub(crate) fn check_limit(limit: usize) -> Result<(), StoreError> {
    if limit == 0 { Err(StoreError::NoLimit) } else { Ok(()) }
}

/// The version, unless it says deleted.
pub(crate) fn present(version: VersionedValue, namespace: &str, key: &str) -> Result<VersionedValue, StoreError> {
    if version.deleted {
        let deleted = Some(version.timestamp);
        return Err(StoreError::KeyNotFound { namespace: owned(namespace), key: owned(key), deleted });
    }
    Ok(version)
}

#[cold]
fn lost(namespace: &str, key: &str) -> StoreError {
    StoreError::damaged(format_args!("a version of {key:?} in {namespace:?} is lost"))
}
