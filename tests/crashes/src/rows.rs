//! The tables of a storage on a disk that loses power after each of its writes and syncs, fails, is full, and flips
//! bits: every commit that was durable is there, and none by half.

use crate::{Lost, Mark, Played, Possible, Storage, after_each_event, faults};
use anabranch_medium::sim::{Chance, Faults, Replay};
use anabranch_store::{Backend, BackendError, Batch, Direction, Durability, Table, View};
use std::{
    collections::BTreeMap,
    ops::{Bound, ControlFlow},
};

type Rows = BTreeMap<(Table, Vec<u8>), Vec<u8>>;

/// The key under which each batch says its number.
const NUMBER: &[u8] = b"number";

/// A batch that changes the rows as it says, and tells its number.
fn batch(number: u64, rows: &mut Rows, chance: &mut Chance) -> Batch {
    let mut batch = Batch::new();
    let largest = *[3, 3, 30].get(chance.below(3) as usize).unwrap_or(&3);
    for _ in 0..chance.below(largest) {
        let table = Table::ALL[chance.below(7) as usize];
        let key = chance.below(40);
        let key = match table {
            Table::Versions | Table::Effects => [(key / 8).to_be_bytes(), (key % 8).to_be_bytes()].concat(),
            Table::Times => key.to_be_bytes().to_vec(),
            _ => format!("{key}").into_bytes(),
        };
        if chance.one_in(4) {
            batch.delete(table, &key);
            rows.remove(&(table, key));
            continue;
        }
        let row = match table {
            Table::Times => number.to_be_bytes().to_vec(),
            Table::Effects => Vec::new(),
            _ => {
                let longest = if chance.one_in(10) { 20_000 } else { 200 };
                vec![number as u8; chance.below(longest) as usize]
            }
        };
        batch.put(table, &key, &row);
        rows.insert((table, key), row);
    }
    batch.put(Table::Meta, NUMBER, &number.to_be_bytes());
    rows.insert((Table::Meta, NUMBER.to_vec()), number.to_be_bytes().to_vec());
    batch
}

fn rows(view: &impl View) -> Result<Rows, BackendError> {
    let mut rows = Rows::new();
    for table in Table::ALL {
        view.scan(table, (Bound::Unbounded, Bound::Unbounded), Direction::Forward, &mut |key, row| {
            rows.insert((table, key.to_vec()), row.to_vec());
            ControlFlow::Continue(())
        })?;
    }
    Ok(rows)
}

fn number(rows: &Rows) -> u64 {
    let number = rows.get(&(Table::Meta, NUMBER.to_vec()));
    number.and_then(|number| number.as_slice().try_into().ok()).map_or(0, u64::from_be_bytes)
}

/// Plays one history, and then the power fails after each of its events.
///
/// # Errors
/// What was lost, or is there by half.
pub fn crashes<S: Storage>(seed: u64) -> Result<Played, Lost> {
    let mut chance = Chance::new(seed);
    let (place, options) = (S::place(), S::options(&mut chance));
    let mut backend = S::open(&place, &options)?;
    let created = place.events().len();
    // the rows after each batch, by its number; one that failed left none
    let mut after: BTreeMap<u64, Rows> = BTreeMap::from([(0, Rows::new())]);
    let mut now = Rows::new();
    let troubled = chance.one_in(2);
    for next in 1..4 + chance.below(6) {
        let mut changed = now.clone();
        let batch = batch(next, &mut changed, &mut chance);
        if troubled && chance.one_in(3) {
            place.fail(faults(&place, &mut chance));
        }
        let before = backend.view()?;
        place.mark(Mark::Begins(next).number());
        let durable = chance.one_in(2);
        match backend.commit(&batch, if durable { Durability::Immediate } else { Durability::Relaxed }) {
            Ok(()) => {
                let made = if durable { Mark::Durable(next) } else { Mark::Relaxed(next) };
                place.mark(made.number());
                equal(&rows(&before)?, &now, "a view from before a commit")?;
                now = changed;
                after.insert(next, now.clone());
            }
            Err(error) => {
                // After any other error than this it is certain that nothing of it ever will be there.
                if !matches!(error, BackendError::Poisoned(_)) {
                    place.mark(Mark::Fails(next).number());
                }
                after.insert(next, changed);
                equal(&rows(&before)?, &now, "a view from before a commit that failed")?;
                equal(&rows(&backend.view()?)?, &now, "a view after a commit that failed")?;
                if !matches!(error, BackendError::Full | BackendError::Io(_) | BackendError::Poisoned(_)) {
                    return Err(format!("a commit failed: {error}").into());
                }
                place.fail(Faults::default());
            }
        }
        drop(before);
        equal(&rows(&backend.view()?)?, &now, "a view")?;
        place.fail(Faults::default());
        if chance.one_in(12) {
            // relaxed commits become durable by that: as if one more commit had been made
            place.mark(Mark::Begins(next).number());
            if chance.one_in(2) {
                S::tidy(&backend)?;
            } else {
                drop(backend);
                backend = S::open(&place, &options)?;
            }
            if number(&now) > 0 {
                place.mark(Mark::Durable(number(&now)).number());
            }
            equal(&rows(&backend.view()?)?, &now, "a view after all was made durable")?;
        }
    }
    drop(backend);
    equal(&rows(&S::open(&place.copy(), &options)?.view()?)?, &now, "after an orderly end")?;

    let played = after_each_event(&place, created, &mut chance, |replay, possible, chance| {
        check_a_crash::<S>(replay, chance, &options, &after, possible)
    })?;
    Ok(Played::new(played, &place))
}

fn check_a_crash<S: Storage>(
    replay: &Replay,
    chance: &mut Chance,
    options: &S::Options,
    after: &BTreeMap<u64, Rows>,
    possible: &Possible,
) -> Result<(), Lost> {
    let place = replay.crash(chance);
    let backend = S::open(&place, options)?;
    let found = rows(&backend.view()?)?;
    let number = number(&found);
    if !possible.has(number) {
        return Err(format!("{number} is there, and not one of {possible:?}").into());
    }
    let wanted = after.get(&number).ok_or("no such batch")?;
    equal(&found, wanted, "what a crash left")?;
    // and it goes on from there
    let mut now = found;
    let batch = batch(1 << 40, &mut now, chance);
    backend.commit(&batch, Durability::Immediate)?;
    equal(&rows(&backend.view()?)?, &now, "a commit after a crash")?;
    if chance.one_in(8) {
        drop(backend);
        equal(&rows(&S::open(&place, options)?.view()?)?, &now, "what was opened once more")?;
    }
    Ok(())
}

fn equal(found: &Rows, wanted: &Rows, what: &str) -> Result<(), Lost> {
    if found == wanted {
        return Ok(());
    }
    let differ = |(key, row): &(&(Table, Vec<u8>), &Vec<u8>)| wanted.get(*key) != Some(*row);
    let more: Vec<_> = found.iter().filter(differ).map(|(key, _)| key).take(3).collect();
    let (found, wanted) = (number(found), number(wanted));
    Err(format!("{what} has the rows of {found} and not those of {wanted}, among others {more:?}").into())
}

/// A bit is flipped in a database that was closed: it is told, or changes nothing.
///
/// # Errors
/// What was read otherwise than it was written.
pub fn flips<S: Storage>(seed: u64) -> Result<Played, Lost> {
    let mut chance = Chance::new(seed);
    let (place, options) = (S::place(), S::options(&mut chance));
    let backend = S::open(&place, &options)?;
    let mut wanted = Rows::new();
    for number in 1..10 {
        let durability = if chance.one_in(2) { Durability::Immediate } else { Durability::Relaxed };
        backend.commit(&batch(number, &mut wanted, &mut chance), durability)?;
    }
    let orderly = chance.one_in(2);
    if !orderly {
        backend.commit(&batch(10, &mut wanted, &mut chance), Durability::Immediate)?;
    }
    // the disk of one that has not ended is that of one that has crashed
    let closed = (!orderly).then(|| place.copy());
    drop(backend);
    let closed = closed.unwrap_or(place);
    for _ in 0..40 {
        let flipped = closed.copy();
        let byte = match chance.below(3) {
            0 => S::of_headers(&closed, &mut chance),
            _ => chance.below(closed.size()),
        };
        flipped.flip(byte, chance.below(8) as u8);
        match S::open(&flipped, &options) {
            Err(error) => S::told(&error, byte)?,
            Ok(backend) => {
                let view = backend.view()?;
                match rows(&view) {
                    Err(error) => S::told(&error, byte)?,
                    Ok(found) => equal(&found, &wanted, &format!("with a bit flipped in byte {byte}"))?,
                }
                one_by_one::<S>(&view, &wanted, byte)?;
            }
        }
    }
    Ok(Played::new(40, &closed))
}

/// What a damaged block does not touch is read all the same, by the same view.
fn one_by_one<S: Storage>(view: &impl View, wanted: &Rows, byte: u64) -> Result<(), Lost> {
    for ((table, key), row) in wanted {
        let mut found = None;
        match view.get(*table, key, &mut |row| found = Some(row.to_vec())) {
            Ok(()) if found.as_ref() == Some(row) => {}
            Ok(()) => return Err(format!("{table:?} {key:?} is another with byte {byte} flipped").into()),
            Err(error) => S::told(&error, byte)?,
        }
    }
    Ok(())
}
