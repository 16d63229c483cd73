//! The calls on the store: their arguments, and what they answer.

use crate::{
    code::Failure,
    wire::{Answer, Arguments},
};
use anabranch::store::{Expected, Moment, Store, Ticket, Tier, Timestamp, VersionId, VersionedValue, Write};
use std::ops::Bound;

/// What a call wants to be written: a write, or a batch of some.
pub enum Wanted {
    One(Write),
    Batch(Vec<Write>),
}

/// What a call that writes is answered with: one version, or those of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    One,
    Batch,
}

impl Wanted {
    /// None where the call does not write.
    fn of(name: &str, call: &mut Arguments<'_>) -> Option<Result<Self, Failure>> {
        match name {
            "put" | "delete" => Some(one(name == "delete", call).map(Wanted::One)),
            "writeBatch" => Some(call.list("writes", write).map(Wanted::Batch)),
            _ => None,
        }
    }

    pub fn of_call(call: &[u8]) -> Option<Result<Self, Failure>> {
        let mut call = Arguments::of(call);
        let name = call.text("the call's name").ok()?;
        Self::of(name, &mut call)
    }

    pub fn into_writes(self) -> (Vec<Write>, Writing) {
        match self {
            Wanted::One(write) => (vec![write], Writing::One),
            Wanted::Batch(writes) => (writes, Writing::Batch),
        }
    }
}

/// namespace, key, what is expected, causes, and the value unless it is to be deleted.
fn one(deletes: bool, call: &mut Arguments<'_>) -> Result<Write, Failure> {
    let (namespace, key) = (call.text("namespace")?, call.text("key")?);
    let (expected, causes) = (expected(call)?, causes(call)?);
    let write = if deletes { Write::delete(namespace, key) } else { Write::put(namespace, key, call.value()?) };
    Ok(write.expecting(expected).because(causes))
}

/// Hands in what a call wants to be written, to be committed with what comes next; none where it does not write.
pub fn submitted(store: &Store, call: &[u8]) -> Option<Result<(Ticket, Writing), Failure>> {
    Some(Wanted::of_call(call)?.and_then(|wanted| {
        let (writes, writing) = wanted.into_writes();
        Ok((store.submit(writes)?, writing))
    }))
}

/// The answer to a call that has written.
pub fn written(versions: &[VersionedValue], writing: Writing) -> Vec<u8> {
    let mut answer = Answer::done();
    match writing {
        Writing::One => versions.iter().fold(&mut answer, |answer, version| answer.version(None, version)),
        Writing::Batch => answer.versions(versions),
    };
    answer.into_bytes()
}

/// Does what `name` asks for; `false` where that is no call on the store.
///
/// Each kind of call is by itself, and none is inlined: a host compiles a function when it is called first, and most programs ask for
/// few of them.
pub fn answer(store: &Store, name: &str, call: &mut Arguments<'_>, answer: &mut Answer) -> Result<bool, Failure> {
    match name {
        "get" => get(store, call, answer)?,
        "put" | "delete" | "writeBatch" => write_all(store, name, call, answer)?,
        "getAt" | "getVersion" | "findVersion" => get_version(store, name, call, answer)?,
        "history" => history(store, call, answer)?,
        "listNamespaces" => list_namespaces(store, call, answer)?,
        "listKeys" => list_keys(store, call, answer)?,
        "snapshotAt" => snapshot(store, call, answer)?,
        "diff" => diff(store, call, answer)?,
        "why" | "effects" => trace(store, name, call, answer)?,
        "stats" => stats(store, answer)?,
        "verify" => verify(store, answer)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn write_all(store: &Store, name: &str, call: &mut Arguments<'_>, answer: &mut Answer) -> Result<(), Failure> {
    match Wanted::of(name, call).transpose()? {
        Some(Wanted::One(write)) => answer.version(None, &store.write(write)?),
        Some(Wanted::Batch(writes)) => answer.versions(&store.write_batch(writes)?),
        None => answer,
    };
    Ok(())
}

fn get(store: &Store, call: &mut Arguments<'_>, answer: &mut Answer) -> Result<(), Failure> {
    answer.version(None, &store.get(call.text("namespace")?, call.text("key")?)?);
    Ok(())
}

#[inline(never)]
fn get_version(store: &Store, name: &str, call: &mut Arguments<'_>, answer: &mut Answer) -> Result<(), Failure> {
    if name == "findVersion" {
        answer.keyed(&store.find_version(&call.parsed("version")?)?);
        return Ok(());
    }
    let (namespace, key) = (call.text("namespace")?, call.text("key")?);
    answer.version(
        None,
        &match name {
            "getAt" => store.get_at(namespace, key, call.parsed("time")?)?,
            _ => store.get_version(namespace, key, &call.parsed("version")?)?,
        },
    );
    Ok(())
}

#[inline(never)]
fn history(store: &Store, call: &mut Arguments<'_>, answer: &mut Answer) -> Result<(), Failure> {
    let (namespace, key) = (call.text("namespace")?, call.text("key")?);
    let (from, before) = (time(call, "from")?, time(call, "before")?);
    let until = time(call, "to")?;
    let until = match (before, until) {
        (Some(before), Some(until)) if until < before => Bound::Included(until),
        (Some(before), _) => Bound::Excluded(before),
        (None, Some(until)) => Bound::Included(until),
        (None, None) => Bound::Unbounded,
    };
    let range = (from.map_or(Bound::Unbounded, Bound::Included), until);
    let page = store.history(namespace, key, range, call.size("limit")?)?;
    let next = page.next.map(|next| next.to_string());
    page_of(answer, &page.items, next, |answer, version| answer.version(None, version));
    Ok(())
}

#[inline(never)]
fn list_namespaces(store: &Store, call: &mut Arguments<'_>, answer: &mut Answer) -> Result<(), Failure> {
    let (at, after) = (time(call, "at")?, call.optional(|call| call.text("after"))?);
    let page = store.list_namespaces(at, after, call.size("limit")?)?;
    page_of(answer, &page.items, page.next, |answer, name| answer.text(name));
    Ok(())
}

#[inline(never)]
fn list_keys(store: &Store, call: &mut Arguments<'_>, answer: &mut Answer) -> Result<(), Failure> {
    let namespace = call.text("namespace")?;
    let prefix = call.optional(|call| call.text("prefix"))?.unwrap_or_default();
    let (at, after) = (time(call, "at")?, call.optional(|call| call.text("after"))?);
    let page = store.list_keys(namespace, prefix, at, after, call.size("limit")?)?;
    page_of(answer, &page.items, page.next, |answer, key| answer.text(key));
    Ok(())
}

#[inline(never)]
fn snapshot(store: &Store, call: &mut Arguments<'_>, answer: &mut Answer) -> Result<(), Failure> {
    let snapshot = store.snapshot_at(call.parsed("time")?)?;
    let versions = snapshot.collect::<Result<Vec<_>, _>>()?;
    answer.list(versions.len());
    versions.iter().fold(answer, Answer::keyed);
    Ok(())
}

fn time(call: &mut Arguments<'_>, what: &str) -> Result<Option<Timestamp>, Failure> {
    call.optional(|call| call.parsed(what))
}

/// Left out: anything. `false`: nothing. A version: that one.
fn expected(call: &mut Arguments<'_>) -> Result<Expected, Failure> {
    if call.takes_false() {
        return Ok(Expected::Absent);
    }
    Ok(call
        .optional(|call| call.parsed::<VersionId>("the version that is expected"))?
        .map_or(Expected::Any, Expected::Version))
}

fn causes(call: &mut Arguments<'_>) -> Result<Vec<VersionId>, Failure> {
    Ok(call.optional(|call| call.list("because", |call| call.parsed("because")))?.unwrap_or_default())
}

/// namespace, key, what is expected, causes, the value; none where the key is to be deleted.
fn write(call: &mut Arguments<'_>) -> Result<Write, Failure> {
    let (namespace, key) = (call.text("namespace")?, call.text("key")?);
    let (expected, causes) = (expected(call)?, causes(call)?);
    let write = match call.optional(Arguments::wrapped_value)? {
        Some(value) => Write::put(namespace, key, value),
        None => Write::delete(namespace, key),
    };
    Ok(write.expecting(expected).because(causes))
}

fn page_of<'a, T>(
    answer: &'a mut Answer,
    items: &[T],
    next: Option<String>,
    each: impl Fn(&'a mut Answer, &T) -> &'a mut Answer,
) -> &'a mut Answer {
    answer.map(1 + usize::from(next.is_some())).text("items").list(items.len());
    let answer = items.iter().fold(answer, each);
    match next {
        Some(next) => answer.text("next").text(&next),
        None => answer,
    }
}

#[inline(never)]
fn diff(store: &Store, call: &mut Arguments<'_>, answer: &mut Answer) -> Result<(), Failure> {
    let (namespace, key) = (call.text("namespace")?, call.text("key")?);
    let (before, after) = (call.parsed::<Moment>("the first")?, call.parsed::<Moment>("the second")?);
    let diff = store.diff(namespace, key, before, after)?;
    let sides = [("before", &diff.before), ("after", &diff.after)];
    let side = |side: &(&str, &Option<VersionedValue>)| usize::from(side.1.is_some());
    answer.map(1 + sides.iter().map(side).sum::<usize>());
    for (name, version) in sides {
        if let Some(version) = version {
            answer.text(name).version(None, version);
        }
    }
    answer.text("changes").list(diff.changes.len());
    for change in &diff.changes {
        let sides = [("before", &change.before), ("after", &change.after)];
        answer.map(1 + sides.iter().filter(|(_, value)| value.is_some()).count());
        answer.text("path").text(&change.path.to_string());
        for (name, value) in sides {
            if let Some(value) = value {
                answer.text(name).value(value);
            }
        }
    }
    Ok(())
}

#[inline(never)]
fn trace(store: &Store, name: &str, call: &mut Arguments<'_>, answer: &mut Answer) -> Result<(), Failure> {
    let (version, limit) = (call.parsed("version")?, call.size("limit")?);
    let trace = if name == "why" { store.why(&version, limit) } else { store.effects(&version, limit) }?;
    answer.map(2).text("isWhole").flag(trace.is_whole).text("steps").list(trace.steps.len());
    for step in &trace.steps {
        answer.map(3 + usize::from(step.via.is_some())).text("depth").number(step.depth as u64);
        if let Some(via) = &step.via {
            answer.text("via").id(via);
        }
        answer.text("versionId").id(&step.id).text("version");
        match &step.version {
            Some(version) => answer.keyed(version),
            None => answer.null(),
        };
    }
    Ok(())
}

#[inline(never)]
fn stats(store: &Store, answer: &mut Answer) -> Result<(), Failure> {
    let stats = store.stats()?;
    let times = [("oldest", stats.oldest), ("newest", stats.newest)];
    answer.map(10 + times.iter().filter(|(_, at)| at.is_some()).count());
    answer.text("keyCount").number(stats.key_count).text("totalVersions").number(stats.total_versions);
    answer.text("namespaceCount").number(stats.namespace_count).text("memoryBytes").number(stats.memory_bytes);
    answer.text("diskBytes").number(stats.disk_bytes).text("commits").number(stats.commits);
    for (name, at) in times {
        if let Some(at) = at {
            answer.text(name).time(at);
        }
    }
    for (name, tier) in [("hot", stats.hot), ("warm", stats.warm), ("cold", stats.cold), ("deep", stats.deep)] {
        let Tier { versions, bytes, limit, .. } = tier;
        answer.text(name).map(2 + usize::from(limit.is_some()));
        answer.text("versions").number(versions).text("bytes").number(bytes);
        if let Some(limit) = limit {
            answer.text("limit").number(limit);
        }
    }
    Ok(())
}

#[inline(never)]
fn verify(store: &Store, answer: &mut Answer) -> Result<(), Failure> {
    let found = store.verify(&mut |_| ())?;
    answer.map(3).text("keys").number(found.keys).text("versions").number(found.versions);
    answer.text("damages").list(found.damages.len());
    for damage in &found.damages {
        answer.map(1 + 2 * usize::from(damage.of.is_some()) + usize::from(damage.since.is_some()));
        if let Some((namespace, key)) = &damage.of {
            answer.text("namespace").text(namespace).text("key").text(key);
        }
        if let Some(since) = damage.since {
            answer.text("since").time(since);
        }
        answer.text("what").text(&damage.what);
    }
    Ok(())
}
