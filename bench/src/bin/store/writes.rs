//! Writing by one thread: in memory beside KoruDelta and SQLite, and in relaxed batches beside bare redb.

use crate::{
    BEGIN, NAMESPACE, ROUNDS, VALUE, asked, cpu_of_process, cpu_of_thread, directory, each,
    peers::{
        bare_redb::{self, Recorder},
        koru::Koru,
        sqlite::{self, Prepared},
    },
    store,
};
use anabranch_bench::{Bound, Report, Row, interleaved, median};
use anabranch_redb::{Options, RedbBackend};
use anabranch_store::{Backend, Durability, Memory, Store, Write};
use std::hint::black_box;

const KEYS: usize = 1_000;
const PUTS: u32 = 50_000;
const BATCH: usize = 1_000;
const BATCHES: usize = 50;

fn keys() -> Vec<String> {
    (0..KEYS).map(|number| format!("sensor/{number}")).collect()
}

pub fn run(report: &mut Report) {
    let case = "put, memory, one thread, 1,000 keys";
    if asked(case) {
        in_memory(report, case);
    }
    let case = "put, redb, relaxed, batches of 1,000: CPU of each";
    if asked(case) {
        relaxed(report, case);
    }
}

fn in_memory(report: &mut Report, case: &str) {
    let keys = keys();
    let key = |place: u32| &keys[place as usize % KEYS];
    let ours = || {
        let store = store(Memory::new(), 64 << 20);
        1e9 / each(PUTS, |place| drop(black_box(store.put(NAMESPACE, key(place), VALUE).expect("it is written"))))
    };
    let sqlite = || {
        let connection = sqlite::in_memory();
        let mut prepared = Prepared::new(&connection);
        1e9 / each(PUTS, |place| prepared.put(key(place), BEGIN + i64::from(place)))
    };
    let (a, b) = interleaved(ROUNDS, ours, sqlite);
    let row = Row {
        case: case.into(),
        unit: "puts/s",
        ours: a,
        peer: ("SQLite in memory", b),
        bound: Bound::AtLeast(1.5),
        note: "SQLite computes no id".into(),
        also: true,
    };
    report.add(row.clone());
    let koru = || {
        let koru = Koru::new();
        let begin = cpu_of_process();
        (0..PUTS).for_each(|place| koru.put(key(place)));
        f64::from(PUTS) * 1e9 / (cpu_of_process() - begin)
    };
    let (ours, koru) = interleaved(2, ours, koru);
    let note = format!("{PUTS} each; a put takes it the longer the more there are");
    report.add(Row { ours, peer: ("KoruDelta", koru), bound: Bound::AtLeast(400.0), note, ..row });
}

/// Each batch writes each key once, as sensors that report together do.
fn batches(store: &Store) {
    let keys = keys();
    for _ in 0..BATCHES {
        let writes = keys.iter().take(BATCH).map(|key| Write::put(NAMESPACE, key.as_str(), VALUE)).collect();
        store.write_batch(writes).expect("it is written");
    }
}

fn relaxed(report: &mut Report, case: &str) {
    let options = Options::default();
    let recorder = Recorder::default();
    batches(&store(recorder.clone(), 64 << 20));
    let recorded = recorder.batches();
    let count = (BATCH * BATCHES) as f64;
    let ours = || {
        let directory = directory();
        let backend = RedbBackend::open(directory.path(), options.clone()).expect("the database opens");
        let store = store(backend, 64 << 20).with_durability(Durability::Relaxed);
        let begin = cpu_of_thread();
        batches(&store);
        (cpu_of_thread() - begin) / count
    };
    let bare = || {
        let directory = directory();
        let database = bare_redb::open(directory.path());
        let begin = cpu_of_thread();
        bare_redb::write(&database, &recorded, options.relaxed);
        (cpu_of_thread() - begin) / count
    };
    // What the tables alone take of ours, beside redb's own: where the difference lies.
    let tables = || {
        let directory = directory();
        let backend = RedbBackend::open(directory.path(), options.clone()).expect("the database opens");
        let begin = cpu_of_thread();
        recorded.iter().for_each(|batch| backend.commit(batch, Durability::Relaxed).expect("it is committed"));
        (cpu_of_thread() - begin) / count
    };
    let (ours, peer) = interleaved(ROUNDS, ours, bare);
    let tables = median((0..3).map(|_| tables()).collect());
    report.add(Row {
        case: case.into(),
        unit: "ns",
        ours,
        peer: ("bare redb", peer),
        bound: Bound::AtMost(1.6),
        note: format!("the same rows; our tables alone take {tables:.0} ns"),
        also: true,
    });
}
