//! The store on a disk that loses power after each of its writes and syncs, fails and is full: every acknowledged version is
//! there, no request is by half, the order and the chains hold, and `verify` has nothing to say.
//!
//! Several writers have a request each in flight, and whoever waits first commits them all. Which requests can be made
//! and which are refused is known beforehand, by a plain model.

use crate::{Lost, Mark, Played, Possible, Storage, after_each_event, faults};
use anabranch_medium::sim::{Chance, Faults, SimPlace};
use anabranch_store::{
    BackendError, Durability, Expected, Options, Store, StoreError, Ticket, Timestamp, VersionId, VersionedValue, Write,
};
use anabranch_value::Value;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

/// A namespace and a key.
type Names = (&'static str, &'static str);

const NAMES: [Names; 7] = [
    ("plant", "boiler"),
    ("plant", "boiler/"),
    ("plant", "\0"),
    ("plant/", "boiler"),
    ("日本", "語"),
    ("a", "b"),
    ("ab", "b"),
];

/// A version with what it is of.
type Keyed = (Names, VersionedValue);

/// How a store is opened, again and again.
struct Setting<S: Storage> {
    backend: S::Options,
    clock: Arc<AtomicI64>,
    hot_bytes: usize,
}

impl<S: Storage> Setting<S> {
    fn new(chance: &mut Chance) -> Self {
        let hot_bytes = if chance.one_in(2) { 0 } else { 1 << 20 };
        Setting { backend: S::options(chance), clock: Arc::new(AtomicI64::new(1_000_000)), hot_bytes }
    }

    fn open(&self, place: &SimPlace) -> Result<(Arc<S::Backend>, Store), StoreError> {
        let backend = Arc::new(S::open(place, &self.backend)?);
        let clock = self.clock.clone();
        let options = Options::new(move || Timestamp::from_nanos(clock.load(Ordering::SeqCst)));
        Ok((backend.clone(), Store::open(backend, options.hot_bytes(self.hot_bytes))?))
    }
}

/// What one writer asks for.
struct Request {
    writes: Vec<Write>,
    durability: Durability,
    /// Whether it can be made, where no disk fails.
    fits: bool,
}

/// What was committed at once.
struct Group {
    /// What its requests wrote, in order.
    wrote: Vec<(Names, Option<Value>)>,
    /// The versions, if the commit was made.
    versions: Option<Vec<Keyed>>,
}

#[derive(Default)]
struct Model {
    groups: BTreeMap<u64, Group>,
    /// How many values there were.
    count: u64,
}

impl Model {
    /// The versions of all groups up to one.
    fn until(&self, group: u64) -> Vec<&Keyed> {
        self.groups.range(..=group).filter_map(|(_, group)| group.versions.as_ref()).flatten().collect()
    }

    fn all(&self) -> Vec<&Keyed> {
        self.until(u64::MAX)
    }

    fn newest(&self, names: Names) -> Option<&VersionedValue> {
        self.all().into_iter().rev().find(|(its, _)| *its == names).map(|(_, version)| version)
    }

    fn live(&self, names: Names) -> Option<VersionId> {
        self.newest(names).filter(|version| !version.deleted).map(|version| version.version_id)
    }

    fn value(&mut self, chance: &mut Chance) -> Value {
        self.count += 1;
        let longest = if chance.one_in(12) { 20_000 } else { 300 };
        format!("{}:{}", self.count, "y".repeat(chance.below(longest) as usize)).into()
    }

    fn put(&mut self, names: Names, chance: &mut Chance) -> Write {
        let put = Write::put(names.0, names.1, self.value(chance));
        let all = self.all();
        if all.is_empty() || !chance.one_in(4) {
            return put;
        }
        let causes = 1 + chance.below(3);
        let cited: Vec<_> = (0..causes).map(|_| all[chance.below(all.len() as u64) as usize].1.version_id).collect();
        put.because(cited)
    }

    /// The requests of several writers that are in flight together.
    fn requests(&mut self, chance: &mut Chance) -> Vec<Request> {
        // What is there once those before have been made; the ids of their versions are not known yet.
        let mut there: BTreeMap<Names, Option<Option<VersionId>>> =
            NAMES.iter().map(|names| (*names, self.live(*names).map(Some))).collect();
        let mut requests = Vec::new();
        for _ in 0..=chance.below(6) {
            let names = NAMES[chance.below(7) as usize];
            let durability = if chance.one_in(2) { Durability::Immediate } else { Durability::Relaxed };
            let (writes, fits) = match chance.below(8) {
                0..=2 => (vec![self.put(names, chance)], true),
                3 => {
                    // What this writer has read before any of the others' were made.
                    let read = self.live(names);
                    let fits = there[&names].map_or(read.is_none(), |now| now.is_some() && now == read);
                    (vec![self.put(names, chance).expecting(read)], fits)
                }
                4 => {
                    let other = VersionId::from_bytes([1; 32]).map_or(Expected::Absent, Expected::Version);
                    (vec![self.put(names, chance).expecting(other)], false)
                }
                5 => (vec![Write::delete(names.0, names.1)], there[&names].is_some()),
                _ => {
                    let first = chance.below(7) as usize;
                    let keys = (first..=first + chance.below(5) as usize).map(|place| NAMES[place % 7]);
                    let mut writes: Vec<_> = keys.map(|names| self.put(names, chance)).collect();
                    let mut fits = true;
                    if chance.one_in(4) {
                        // One that cannot be made takes the others with it.
                        let last = writes.pop().map(|last| last.expecting(Expected::Version(never())));
                        writes.extend(last);
                        fits = false;
                    }
                    (writes, fits)
                }
            };
            if fits {
                for write in &writes {
                    there.insert(names_of(write), write.value().map(|_| None));
                }
            }
            requests.push(Request { writes, durability, fits });
        }
        requests
    }
}

/// An id that no version has.
fn never() -> VersionId {
    VersionId::from_bytes([2; 32]).expect("it has a time")
}

fn names_of(write: &Write) -> Names {
    let is_it = |names: &&Names| **names == (write.namespace(), write.key());
    *NAMES.iter().find(is_it).expect("nothing else is written")
}

/// All that is in a store, in the order of time.
fn found(store: &Store) -> Result<Vec<Keyed>, StoreError> {
    let mut found = Vec::new();
    for names in NAMES {
        match store.history(names.0, names.1, .., 10_000) {
            Ok(page) => found.extend(page.items.into_iter().map(|version| (names, version))),
            Err(StoreError::KeyNotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    found.sort_by_key(|(_, version)| version.timestamp);
    Ok(found)
}

fn same(found: &[Keyed], wanted: &[&Keyed]) -> bool {
    found.len() == wanted.len() && found.iter().zip(wanted).all(|(found, wanted)| found == *wanted)
}

/// Whether this is what there is after a group, also where nobody was told which versions that had.
fn is_after(found: &[Keyed], model: &Model, number: u64) -> bool {
    let wanted = model.until(number);
    let Some((known, more)) = found.split_at_checked(wanted.len()) else { return false };
    let failed = model.groups.get(&number).filter(|group| group.versions.is_none());
    let wrote = failed.map_or(&[][..], |group| &group.wrote);
    let wrote = wrote.iter().map(|(names, value)| (*names, value.clone().unwrap_or_default(), value.is_none()));
    let more = more.iter().map(|(names, version)| (*names, version.value.clone(), version.deleted));
    same(known, &wanted) && (more.eq(wrote) || found.len() == wanted.len() && failed.is_none())
}

/// Makes one group of requests, and says what became of it.
fn commit(
    store: &Store,
    requests: &[Request],
    place: &SimPlace,
    number: u64,
    model: &mut Model,
    chance: &mut Chance,
) -> Result<(), Lost> {
    place.mark(Mark::Begins(number).number());
    let in_flight: Vec<Ticket> = requests
        .iter()
        .map(|request| store.with_durability(request.durability).submit(request.writes.clone()))
        .collect::<Result<_, _>>()?;
    // They wait in any order: whoever is first commits all.
    let mut waiting: Vec<_> = in_flight.into_iter().enumerate().collect();
    let mut outcomes = BTreeMap::new();
    while !waiting.is_empty() {
        let (place, ticket) = waiting.swap_remove(chance.below(waiting.len() as u64) as usize);
        outcomes.insert(place, ticket.wait());
    }
    let fitting = requests.iter().filter(|request| request.fits).flat_map(|request| &request.writes);
    let wrote = fitting.map(|write| (names_of(write), write.value().cloned())).collect();
    let (mut versions, mut failure) = (Vec::new(), None);
    for (request, outcome) in requests.iter().zip(outcomes.into_values()) {
        match (request.fits, outcome) {
            (true, Ok(made)) => versions.extend(request.writes.iter().map(names_of).zip(made)),
            (true, Err(StoreError::Backend(error @ (BackendError::Full | BackendError::Io(_))))) => {
                failure = Some(error);
            }
            (false, Err(StoreError::Conflict { .. } | StoreError::KeyNotFound { .. })) => {}
            (fits, outcome) => return Err(format!("a request that fits, {fits}, ended as {outcome:?}").into()),
        }
    }
    let is_made = failure.is_none();
    if !is_made && !versions.is_empty() {
        return Err(format!("a commit was made for some and failed for others: {failure:?}").into());
    }
    let is_durable = requests.iter().any(|request| request.durability == Durability::Immediate);
    let mark = match (is_made && !versions.is_empty(), is_durable) {
        (false, _) => Mark::Fails(number),
        (true, true) => Mark::Durable(number),
        (true, false) => Mark::Relaxed(number),
    };
    place.mark(mark.number());
    model.groups.insert(number, Group { wrote, versions: is_made.then_some(versions) });
    Ok(())
}

/// Plays one history, and then the power fails after each of its events.
///
/// # Errors
/// What was lost, or is there by half.
pub fn crashes<S: Storage>(seed: u64) -> Result<Played, Lost> {
    let mut chance = Chance::new(seed);
    let (place, setting) = (S::place(), Setting::<S>::new(&mut chance));
    let (mut backend, mut store) = setting.open(&place)?;
    let created = place.events().len();
    let mut model = Model::default();
    let troubled = chance.one_in(2);
    for number in 1..4 + chance.below(5) {
        // The platform's clock goes on, stands still, or goes back.
        let by = [0, 700, -900][chance.below(3) as usize];
        setting.clock.fetch_add(by, Ordering::SeqCst);
        let requests = model.requests(&mut chance);
        if troubled && chance.one_in(3) {
            place.fail(faults(&place, &mut chance));
        }
        commit(&store, &requests, &place, number, &mut model, &mut chance)?;
        place.fail(Faults::default());
        agrees(&store, &model, "in the middle")?;
        if chance.one_in(10) {
            // Relaxed commits become durable by that.
            place.mark(Mark::Begins(number).number());
            if chance.one_in(2) {
                S::tidy(&backend)?;
            } else {
                drop((backend, store));
                (backend, store) = setting.open(&place)?;
            }
            let made =
                model.groups.iter().rev().find(|(_, group)| group.versions.as_ref().is_some_and(|all| !all.is_empty()));
            if let Some((made, _)) = made {
                place.mark(Mark::Durable(*made).number());
            }
            agrees(&store, &model, "after all was made durable")?;
        }
    }
    drop((backend, store));
    agrees(&setting.open(&place.copy())?.1, &model, "after an orderly end")?;

    let played = after_each_event(&place, created, &mut chance, |replay, possible, chance| {
        after_a_crash(&replay.crash(chance), &setting, &model, possible, chance)
    })?;
    Ok(Played::new(played, &place))
}

/// Everything that was acknowledged is there to be read, in every way.
fn agrees(store: &Store, model: &Model, when: &str) -> Result<(), Lost> {
    let found = found(store)?;
    if !same(&found, &model.all()) {
        return Err(format!("{when} there are {} versions, and should be {}", found.len(), model.all().len()).into());
    }
    for names in NAMES {
        let read = store.get(names.0, names.1).ok().map(|version| version.version_id);
        if read != model.live(names) {
            return Err(format!("{when} the newest of {names:?} is {read:?}").into());
        }
    }
    Ok(())
}

fn after_a_crash<S: Storage>(
    place: &SimPlace,
    setting: &Setting<S>,
    model: &Model,
    possible: &Possible,
    chance: &mut Chance,
) -> Result<(), Lost> {
    let (backend, store) = setting.open(place)?;
    let mut there = found(&store)?;
    if !possible.all().any(|number| is_after(&there, model, number)) {
        return Err(format!("{} versions are there, and not those of any of {possible:?}", there.len()).into());
    }
    let verified = store.verify(&mut |_| ())?;
    if !verified.is_whole() || verified.versions != there.len() as u64 {
        return Err(format!("{} versions are there, and `verify` says {verified:?}", there.len()).into());
    }
    if store.stats()?.total_versions != there.len() as u64 {
        return Err(format!("{} versions are there, and `stats` says {:?}", there.len(), store.stats()).into());
    }
    // And it goes on from there.
    let names = NAMES[chance.below(7) as usize];
    let newest = there.iter().rev().find(|(its, _)| *its == names).map(|(_, version)| version.version_id);
    let last = there.last().map(|(_, version)| version.timestamp);
    let next = store.put(names.0, names.1, "after")?;
    if next.previous_version != newest || last.is_some_and(|last| last >= next.timestamp) {
        return Err(format!("{next:?} was written after {newest:?}, and the last before was of {last:?}").into());
    }
    there.push((names, next));
    if chance.one_in(8) {
        drop((backend, store));
        let (_, store) = setting.open(place)?;
        if found(&store)? != there || !store.verify(&mut |_| ())?.is_whole() {
            return Err("what was written after a crash is not there".into());
        }
    }
    Ok(())
}

/// Bits are flipped in a database that was closed: no version is read otherwise than it was written, and where one cannot be
/// read, `verify` says so.
///
/// # Errors
/// What was read otherwise, or was not told.
pub fn flips<S: Storage>(seed: u64) -> Result<Played, Lost> {
    let mut chance = Chance::new(seed);
    let (place, setting) = (S::place(), Setting::<S>::new(&mut chance));
    let (backend, store) = setting.open(&place)?;
    let mut model = Model::default();
    for number in 1..8 {
        let requests = model.requests(&mut chance);
        commit(&store, &requests, &place, number, &mut model, &mut chance)?;
    }
    drop((backend, store));
    for _ in 0..30 {
        let flipped = place.copy();
        let byte = chance.below(place.size());
        flipped.flip(byte, chance.below(8) as u8);
        let said = |error: StoreError| match error {
            StoreError::Backend(error) => S::told(&error, byte),
            other => Err(format!("a flipped bit in byte {byte} is told as: {other}").into()),
        };
        let (_, store) = match setting.open(&flipped) {
            Ok(opened) => opened,
            Err(error) => {
                said(error)?;
                continue;
            }
        };
        let mut unread = Vec::new();
        for (names, version) in model.all() {
            match store.get_at(names.0, names.1, version.timestamp) {
                Ok(read) if read == *version => {}
                Err(StoreError::KeyNotFound { .. }) if version.deleted => {}
                Err(error) if error.is_damage() => unread.push(*names),
                other => return Err(format!("with bit of byte {byte} flipped {names:?} is {other:?}").into()),
            }
        }
        match store.verify(&mut |_| ()) {
            Err(error) => said(error)?,
            Ok(verified) => {
                let names_it = |names: &Names| {
                    let is_it = |of: &(String, String)| (&*of.0, &*of.1) == *names;
                    verified.damages.iter().any(|damage| damage.of.as_ref().is_none_or(is_it))
                };
                if let Some(names) = unread.iter().find(|names| !names_it(names)) {
                    return Err(format!("{names:?} cannot be read, and `verify` says {verified:?}").into());
                }
            }
        }
    }
    Ok(Played::new(30, &place))
}
