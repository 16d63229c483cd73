//! Reading the newest version: beside SQLite, a map under a lock, and KoruDelta.

use crate::{
    BEGIN, Chance, NAMESPACE, ROUNDS, VALUE, asked, cpu_of_process, each,
    peers::{
        koru::Koru,
        sqlite::{self, Prepared},
    },
    store,
};
use anabranch_bench::{Bound, Report, Row, interleaved};
use anabranch_store::{Memory, VersionedValue};
use std::{collections::HashMap, hint::black_box, sync::RwLock};

const KEYS: usize = 1_000;
const GETS: u32 = 200_000;
const THEIR_GETS: u32 = 2_000;

pub fn run(report: &mut Report) {
    let case = "get, hot, 1,000 keys";
    if !asked(case) {
        return;
    }
    let keys: Vec<String> = (0..KEYS).map(|number| format!("sensor/{number}")).collect();
    let mut chance = Chance(1);
    let order: Vec<u32> = (0..GETS).map(|_| chance.below(KEYS as i64) as u32).collect();
    let key = |place: u32| &*keys[order[place as usize] as usize];

    let store = store(Memory::new(), 64 << 20);
    let versions: Vec<VersionedValue> =
        keys.iter().map(|key| store.put(NAMESPACE, key, VALUE).expect("it is written")).collect();
    let connection = sqlite::in_memory();
    let mut prepared = Prepared::new(&connection);
    (BEGIN..).zip(&keys).for_each(|(time, key)| prepared.put(key, time));
    // One namespace less to compare than we have, and no allocation to look a key up.
    let map: HashMap<String, VersionedValue> = keys.iter().cloned().zip(versions).collect();
    let map = RwLock::new(map);

    let ours = || each(GETS, |place| drop(black_box(store.get(NAMESPACE, key(place)).expect("it is there"))));
    let row = Row {
        case: case.into(),
        unit: "ns",
        ours: 0.0,
        peer: ("", 0.0),
        bound: Bound::Shown,
        note: String::new(),
        also: true,
    };
    let sqlite = || each(GETS, |place| drop(black_box(prepared.get(key(place)))));
    let (a, b) = interleaved(ROUNDS, ours, sqlite);
    report.add(Row {
        ours: 1e9 / a,
        unit: "gets/s",
        peer: ("SQLite in memory", 1e9 / b),
        bound: Bound::AtLeast(4.0),
        ..row.clone()
    });
    let in_map = || {
        each(GETS, |place| {
            drop(black_box(map.read().expect("nobody panicked").get(key(place)).expect("it is there").clone()));
        })
    };
    let (a, b) = interleaved(ROUNDS, ours, in_map);
    report.add(Row { ours: a, peer: ("HashMap under an RwLock", b), bound: Bound::AtMost(3.0), ..row.clone() });
    let koru = Koru::new();
    keys[..100].iter().for_each(|key| koru.put(key));
    let theirs = || {
        let begin = cpu_of_process();
        (0..THEIR_GETS).for_each(|place| drop(black_box(koru.get(&keys[place as usize % 100]))));
        (cpu_of_process() - begin) / f64::from(THEIR_GETS)
    };
    let (a, b) = interleaved(3, ours, theirs);
    let note = "100 keys in its".into();
    report.add(Row { ours: 1e9 / a, unit: "gets/s", peer: ("KoruDelta", 1e9 / b), note, ..row });
}
