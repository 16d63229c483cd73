//! Proves every chain: each id is computed again, and each index is held against what it points at.

use crate::chains::{Chain, Link, chain_after, links};
use crate::codec::{self, KeyRow, NamespaceRow};
use crate::read::Reader;
use crate::{Backend, Direction, StoreError, Table, Timestamp, VersionId, View};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use anabranch_value::Text;
use core::ops::{Bound, ControlFlow};

/// What a check of the whole database has found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// Keys whose chains were checked, deleted ones among them.
    pub keys: u64,
    /// Versions that are as they were written.
    pub versions: u64,
    /// What is not.
    pub damages: Vec<Damage>,
}

/// A place where the database is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The namespace and the key that it is about, as far as that can be told.
    pub of: Option<(String, String)>,
    /// When the first version that it concerns was written, as far as that can be told.
    pub since: Option<Timestamp>,
    /// What is wrong.
    pub what: String,
}

impl Verified {
    /// Whether all is as it was written.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.damages.is_empty()
    }
}

/// What was counted on the way.
#[derive(Default)]
struct Counts {
    namespaces: BTreeMap<String, NamespaceRow>,
    effects: u64,
}

/// What keys are called. One whose own rows cannot be read is found in the index of keys, which is read once for all of them.
#[derive(Default)]
struct Names(Option<BTreeMap<u64, (Text, Text)>>);

impl Names {
    fn of<V: View>(&mut self, reader: &Reader<V>, number: u64) -> Option<(Text, Text)> {
        if let Ok(names) = reader.names(number) {
            return Some(codec::texts_of(&names));
        }
        let indexed = self.0.get_or_insert_with(|| {
            let mut indexed = BTreeMap::new();
            let all = (Bound::Unbounded, Bound::Unbounded);
            let scanned = reader.scan(Table::Keys, all, Direction::Forward, &mut |names, row| {
                indexed.extend(KeyRow::read(names, row).ok().map(|row| (row.number, codec::texts_of(names))));
                Ok(ControlFlow::Continue(()))
            });
            // Where the index is damaged, too, it names those before.
            drop(scanned);
            indexed
        });
        indexed.get(&number).cloned()
    }
}

/// How many rows of `Times` are read at once.
const PAGE: usize = 1024;

/// Checks all that was written before it began. `progress` is told the versions that were checked, every now and then.
pub(crate) fn verify<B: Backend>(backend: &B, progress: &mut dyn FnMut(u64)) -> Result<Verified, StoreError> {
    let mut verified = Verified::default();
    let until = match Reader::new(backend.view()?).last_write() {
        Ok(last) => last.unwrap_or(Timestamp::ZERO),
        Err(error) => {
            note(&mut verified, None, None, &error)?;
            Timestamp::LATEST
        }
    };
    let mut counts = Counts::default();
    let mut names = Names::default();
    let mut after = 0;
    loop {
        let chain = match chain_after(backend, after) {
            Ok(None) => break,
            Ok(Some(chain)) => chain,
            Err((error, next)) => {
                let of = names.of(&Reader::new(backend.view()?), after.saturating_add(1));
                note(&mut verified, of.as_ref().map(|(namespace, key)| (&**namespace, &**key)), None, &error)?;
                match next {
                    Some(next) => after = next,
                    None => break,
                }
                continue;
            }
        };
        after = chain.number;
        verify_chain(backend, &chain, until, &mut counts, &mut verified, progress)?;
        verified.keys += 1;
    }
    verify_times(backend, until, &mut names, &mut verified)?;
    verify_counts(backend, until, &counts, &mut verified)?;
    Ok(verified)
}

fn verify_chain<B: Backend>(
    backend: &B,
    chain: &Chain,
    until: Timestamp,
    counts: &mut Counts,
    verified: &mut Verified,
    progress: &mut dyn FnMut(u64),
) -> Result<(), StoreError> {
    let names = (chain.namespace.as_str(), chain.key.as_str());
    let mut first = None;
    let (mut last_deleted, mut ever_deleted) = (false, false);
    let outcome = links(backend, chain, until, &mut |reader, link| {
        let at = link.at();
        first = first.or(Some(at));
        match link {
            Link::Proven(version) => {
                last_deleted = version.value.is_none();
                ever_deleted |= last_deleted;
                // A version that cites another twice stands once among its effects.
                let causes: BTreeSet<_> = version.causes.iter().map(VersionId::timestamp).collect();
                counts.effects += causes.len() as u64;
                match reader.written_at(at) {
                    Ok(Some(number)) if number == chain.number => verified.versions += 1,
                    Ok(_) => push(verified, Some(names), Some(at), "the version is not among the times of writes"),
                    Err(error) => note(verified, Some(names), Some(at), &error)?,
                }
                for cause in version.causes.iter() {
                    let mut effect = [0; 16];
                    effect[..8].copy_from_slice(&cause.timestamp().to_bytes());
                    effect[8..].copy_from_slice(&at.to_bytes());
                    let mut is_there = false;
                    View::get(reader.view(), Table::Effects, &effect, &mut |_| is_there = true)?;
                    if !is_there {
                        push(verified, Some(names), Some(at), "the version is not among the effects of its cause");
                    }
                }
                if verified.versions.is_multiple_of(1000) {
                    progress(verified.versions);
                }
            }
            Link::Broken { what, .. } => push(verified, Some(names), Some(at), &what),
        }
        Ok(())
    });
    if let Err(error) = outcome {
        note(verified, Some(names), None, &error)?;
    }
    let counted = counts.namespaces.entry(chain.namespace.clone()).or_default();
    counted.ever += 1;
    counted.live += u64::from(!last_deleted);
    // The key's own row: how it is found at all.
    let reader = Reader::new(backend.view()?);
    match reader.find_key(names.0, names.1) {
        Ok(Some(row)) if row.number == chain.number => {
            let newest = reader.head(row.number).ok().flatten().map(|head| head.timestamp());
            // What was written since it began is not judged.
            let is_judged = newest.is_some_and(|newest| newest <= until);
            if first.is_some_and(|first| first != row.first) {
                push(verified, Some(names), Some(row.first), "the key has another first version than its row says");
            } else if is_judged && (row.deleted, row.ever_deleted) != (last_deleted, ever_deleted) {
                push(verified, Some(names), newest, "the key's row does not say whether it is deleted");
            }
        }
        Ok(_) => push(verified, Some(names), first, "the key is not in the index of keys"),
        Err(error) => note(verified, Some(names), first, &error)?,
    }
    Ok(())
}

/// What is written once for several keys is what was counted; not judged where something was written since.
fn verify_counts<B: Backend>(
    backend: &B,
    until: Timestamp,
    counts: &Counts,
    verified: &mut Verified,
) -> Result<(), StoreError> {
    let reader = Reader::new(backend.view()?);
    if !matches!(reader.last_write(), Ok(last) if last.unwrap_or(Timestamp::ZERO) == until) {
        return Ok(());
    }
    if verified.damages.is_empty() {
        let expected = [(Table::Keys, verified.keys), (Table::Effects, counts.effects)];
        for (table, expected) in expected {
            if View::count(reader.view(), table)? != expected {
                push(verified, None, None, &format!("{table:?} has rows that belong to no version"));
            }
        }
    }
    let mut found = BTreeMap::new();
    let all = (Bound::Unbounded, Bound::Unbounded);
    let outcome = reader.scan(Table::Namespaces, all, Direction::Forward, &mut |name, row| {
        found.insert(name.to_vec(), NamespaceRow::read(name, row));
        Ok(ControlFlow::Continue(()))
    });
    if let Err(error) = outcome {
        return note(verified, None, None, &error);
    }
    for (name, row) in &found {
        let counted = core::str::from_utf8(name).ok().and_then(|name| counts.namespaces.get(name));
        match row {
            Err(error) => note(verified, None, None, error)?,
            Ok(row) if counted == Some(row) => {}
            // Keys that are damaged were not counted.
            Ok(_) if !verified.damages.is_empty() => {}
            Ok(_) => {
                let name = String::from_utf8_lossy(name);
                push(verified, None, None, &format!("the namespace {name:?} has other keys than its row says"));
            }
        }
    }
    if let Some(name) = counts.namespaces.keys().find(|name| !found.contains_key(name.as_bytes())) {
        push(verified, None, None, &format!("the namespace {name:?} is not in the index of namespaces"));
    }
    let mut format = Ok(None);
    View::get(reader.view(), Table::Meta, codec::FORMAT_KEY, &mut |row| format = codec::read_format(row).map(Some))?;
    match format {
        Err(error) => note(verified, None, None, &error)?,
        Ok(None) if verified.keys > 0 => push(verified, None, None, "the number of the format is lost"),
        Ok(_) => {}
    }
    Ok(())
}

/// Each time of a write has its version: so none was lost from the end of a chain.
fn verify_times<B: Backend>(
    backend: &B,
    until: Timestamp,
    names: &mut Names,
    verified: &mut Verified,
) -> Result<(), StoreError> {
    let mut after = Timestamp::ZERO;
    loop {
        let reader = Reader::new(backend.view()?);
        let writes = match reader.writes_after(after, PAGE) {
            Ok(writes) => writes,
            Err(error) => return note(verified, None, Some(after), &error),
        };
        let Some((last, _)) = writes.last() else { return Ok(()) };
        after = *last;
        for (at, number) in writes {
            if at > until {
                return Ok(());
            }
            let mut is_there = false;
            let key = codec::version_key(number, at);
            match View::get(reader.view(), Table::Versions, &key, &mut |_| is_there = true) {
                Ok(()) if is_there => {}
                outcome => {
                    let names = names.of(&reader, number);
                    let names = names.as_ref().map(|(namespace, key)| (&**namespace, &**key));
                    match outcome {
                        Ok(()) => push(verified, names, Some(at), "a version is lost"),
                        Err(error) => note(verified, names, Some(at), &error.into())?,
                    }
                }
            }
        }
    }
}

fn push(verified: &mut Verified, of: Option<(&str, &str)>, since: Option<Timestamp>, what: &str) {
    let of = of.map(|(namespace, key)| (namespace.to_string(), key.to_string()));
    verified.damages.push(Damage { of, since, what: what.to_string() });
}

/// Notes damage; any other error ends the check.
fn note(
    verified: &mut Verified,
    of: Option<(&str, &str)>,
    since: Option<Timestamp>,
    error: &StoreError,
) -> Result<(), StoreError> {
    if !error.is_damage() {
        return Err(error.clone());
    }
    push(verified, of, since, &error.to_string());
    Ok(())
}
