//! Proves every chain: each id is computed again, and each index is held against what it points at.

use crate::chains::{Chain, Link, chain_after, links};
use crate::codec::{self, KeyRow, NamespaceRow};
use crate::deep::Deep;
use crate::named::Named;
use crate::read::Reader;
use crate::tally::{Namespaces, Times};
use crate::tiers::{self, Tiers};
use crate::{Backend, Direction, StoreError, Table, Timestamp, View};
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
    namespaces: Namespaces,
    effects: u64,
    /// Versions that were seen, and stand among the times of writes.
    timed: u64,
    /// What lay in which tier when it began.
    tiers: Option<Tiers>,
}

/// What keys are called. One whose own rows cannot be read is found in the index of keys, which is read once for all of them.
#[derive(Default)]
struct Names(Option<Named>);

impl Names {
    fn of<V: View>(&mut self, reader: &Reader<V>, number: u64) -> Option<(Text, Text)> {
        if let Ok(names) = reader.names(number) {
            return Some(codec::texts_of(&names));
        }
        let indexed = self.0.get_or_insert_with(|| {
            let mut indexed = Named::default();
            let all = (Bound::Unbounded, Bound::Unbounded);
            let scanned = reader.scan(Table::Keys, all, Direction::Forward, &mut |names, row| {
                if let Ok(row) = KeyRow::read(names, row) {
                    indexed.insert(row.number, Some(codec::texts_of(names)));
                }
                Ok(ControlFlow::Continue(()))
            });
            // Where the index is damaged, too, it names those before.
            drop(scanned);
            indexed
        });
        indexed.get(number).cloned().flatten()
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
    let mut counts = Counts { tiers: tiers_of(backend)?, ..Counts::default() };
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
    verify_times(backend, until, &counts, &mut names, &mut verified)?;
    verify_counts(backend, until, &counts, &mut verified)?;
    verify_tiers(backend, &counts, &mut verified)?;
    Ok(verified)
}

/// None where the row is damaged.
fn tiers_of<B: Backend>(backend: &B) -> Result<Option<Tiers>, StoreError> {
    match Reader::new(backend.view()?).tiers() {
        Ok(tiers) => Ok(Some(tiers)),
        Err(error) if error.is_damage() => Ok(None),
        Err(error) => Err(error),
    }
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
        first = first.or(Some(at).filter(|at| *at > Timestamp::ZERO));
        match link {
            Link::Proven(version) => {
                last_deleted = version.value.is_none();
                ever_deleted |= last_deleted;
                // A version that cites another twice stands once among its effects.
                let mut causes = Times::default();
                for cause in version.causes.iter() {
                    causes.insert(cause.timestamp());
                }
                counts.effects += causes.len() as u64;
                match reader.written_at(at) {
                    Ok(Some(number)) if number == chain.number => {
                        verified.versions += 1;
                        counts.timed += 1;
                    }
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
            Link::Broken { what, .. } => {
                push(verified, Some(names), Some(at).filter(|at| *at > Timestamp::ZERO), &what);
            }
        }
        Ok(())
    });
    if let Err(error) = outcome {
        note(verified, Some(names), None, &error)?;
    }
    let counted = counts.namespaces.of(&chain.namespace);
    counted.ever += 1;
    counted.live += u64::from(!last_deleted);
    // The key's own row: how it is found at all.
    let reader = Reader::new(backend.view()?);
    match reader.find_key(names.0, names.1) {
        Ok(Some(row)) if row.number == chain.number => {
            let newest = reader.head(row.number).ok().flatten().map(|head| head.timestamp());
            // What was written since it began is not judged.
            let is_judged = newest.is_some_and(|newest| newest <= until);
            let is_first = first.is_none_or(|first| first == row.first);
            let deep = reader.deep(row.number).ok().flatten();
            let was_dropped = |at: Timestamp| deep.is_some_and(|deep| at <= deep.last.timestamp());
            // What was dropped may have been the last that says deleted.
            let ever_deleted = ever_deleted || row.ever_deleted && deep.is_some();
            if !is_first && !first.is_some_and(was_dropped) {
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
    if verified.damages.is_empty() && tiers_of(backend)? == counts.tiers {
        let expected = [(Table::Keys, verified.keys), (Table::Effects, counts.effects)];
        for (table, expected) in expected {
            if View::count(reader.view(), table)? != expected {
                push(verified, None, None, &format!("{table:?} has rows that belong to no version"));
            }
        }
    }
    // In the order of their names, as tables are.
    let mut found = Vec::new();
    let all = (Bound::Unbounded, Bound::Unbounded);
    let outcome = reader.scan(Table::Namespaces, all, Direction::Forward, &mut |name, row| {
        found.push((name.to_vec(), NamespaceRow::read(name, row)));
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
    let is_found = |name: &&Text| found.binary_search_by(|(its, _)| (**its).cmp(name.as_bytes())).is_ok();
    if let Some(name) = counts.namespaces.iter().map(|(name, _)| name).find(|name| !is_found(name)) {
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
    counts: &Counts,
    names: &mut Names,
    verified: &mut Verified,
) -> Result<(), StoreError> {
    let mut times = 0;
    pages(backend, until, verified, &mut |_, writes, _| {
        times += writes.len() as u64;
        Ok(())
    })?;
    // As many as have been seen are those that have been seen, unless some were dropped meanwhile.
    if times == counts.timed && counts.tiers.is_some() && tiers_of(backend)? == counts.tiers {
        return Ok(());
    }
    pages(backend, until, verified, &mut |reader, writes, verified| {
        writes.iter().try_for_each(|(at, number)| verify_time(reader, *at, *number, names, verified))
    })
}

/// Takes pages of `Times`, each with a reader of the view that it was read from.
type VisitTimes<'v, V> = &'v mut dyn FnMut(&Reader<V>, &[(Timestamp, u64)], &mut Verified) -> Result<(), StoreError>;

fn pages<'b, B: Backend>(
    backend: &'b B,
    until: Timestamp,
    verified: &mut Verified,
    visit: VisitTimes<'_, B::View<'b>>,
) -> Result<(), StoreError> {
    let mut after = Timestamp::ZERO;
    loop {
        let reader = Reader::new(backend.view()?);
        let mut writes = match reader.writes_after(after, PAGE) {
            Ok(writes) => writes,
            Err(error) => return note(verified, None, Some(after), &error),
        };
        let Some((last, _)) = writes.last() else { return Ok(()) };
        after = *last;
        writes.retain(|(at, _)| *at <= until);
        visit(&reader, &writes, verified)?;
        if after >= until {
            return Ok(());
        }
    }
}

fn verify_time<V: View>(
    reader: &Reader<V>,
    at: Timestamp,
    number: u64,
    names: &mut Names,
    verified: &mut Verified,
) -> Result<(), StoreError> {
    let mut is_there = false;
    let key = codec::version_key(number, at);
    let mut outcome =
        View::get(reader.view(), Table::Versions, &key, &mut |_| is_there = true).map_err(StoreError::from);
    if outcome.is_ok() && !is_there {
        outcome = reader.cold_at(number, at).map(|version| is_there = version.is_some_and(|its| its.timestamp == at));
    }
    if outcome.is_ok() && is_there {
        return Ok(());
    }
    let names = names.of(reader, number);
    let names = names.as_ref().map(|(namespace, key)| (&**namespace, &**key));
    match outcome {
        Ok(()) => push(verified, names, Some(at), "a version is lost"),
        // A segment that is damaged is named once, and not for each of its versions.
        Err(error) if verified.damages.iter().any(|damage| damage.what == error.to_string()) => {}
        Err(error) => note(verified, names, Some(at), &error)?,
    }
    Ok(())
}

/// What lies in which tier is what was counted; not judged where something has changed its tier since.
fn verify_tiers<B: Backend>(backend: &B, counts: &Counts, verified: &mut Verified) -> Result<(), StoreError> {
    let mut found = Tiers::default();
    let mut after: Option<[u8; 16]> = None;
    loop {
        let reader = Reader::new(backend.view()?);
        let begin = after;
        let from = begin.as_ref().map_or(Bound::Unbounded, |begin| Bound::Excluded(&begin[..]));
        let (mut rows, mut is_end) = (0, true);
        let outcome = reader.scan(Table::Segments, (from, Bound::Unbounded), Direction::Forward, &mut |key, row| {
            let (number, first) = codec::read_version_key(key)?;
            after = key.try_into().ok();
            if first > Timestamp::ZERO {
                found.segments += 1;
                found.segment_bytes += (key.len() + row.len()) as u64;
            } else {
                found.deep_rows += 1;
                // One that is damaged was named with its chain.
                found.dropped += Deep::read(number, row).map_or(0, |deep| deep.versions);
            }
            rows += 1;
            is_end = rows < PAGE;
            Ok(if is_end { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        });
        if let Err(error) = outcome {
            return note(verified, None, None, &error);
        }
        if is_end {
            break;
        }
    }
    match Reader::new(backend.view()?).tiers() {
        Err(error) => note(verified, None, None, &error),
        Ok(now) if counts.tiers.is_some_and(|before| before != now) => Ok(()),
        // What warm versions take is counted by and by.
        Ok(now)
            if now == Tiers { warm_bytes: now.warm_bytes, counted: now.counted, ..found }
                || !verified.damages.is_empty() =>
        {
            Ok(())
        }
        Ok(_) => {
            let key = core::str::from_utf8(tiers::KEY).unwrap_or_default();
            push(verified, None, None, &format!("other segments are there than the row {key:?} says"));
            Ok(())
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
