//! Many threads at once: nine reads to a write, on keys of which few are asked for often.

use crate::{
    BEGIN, Chance, NAMESPACE, VALUE, asked, directory,
    peers::sqlite::{self, Prepared, Sync},
    store,
};
use anabranch_bench::{Bound, Report, Row, interleaved};
use anabranch_redb::{Options, RedbBackend};
use anabranch_store::{Durability, Memory, Store};
use std::{
    hint::black_box,
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
    thread,
    time::Instant,
};

const THREADS: usize = 8;
const KEYS: usize = 10_000;
/// By each thread in a round.
const OPERATIONS: usize = 10_000;

/// What a thread does: a key, and whether it is written.
type Script = Vec<(u16, bool)>;

/// Key number k is asked for as often as 1 / k says.
fn scripts() -> Vec<Script> {
    let mut sums = Vec::with_capacity(KEYS);
    let mut sum = 0.0;
    for rank in 1..=KEYS {
        sum += 1.0 / rank as f64;
        sums.push(sum);
    }
    let script = |thread: usize| {
        let mut chance = Chance(thread as u64);
        let mut unit = move || (chance.draw() >> 11) as f64 / (1_u64 << 53) as f64;
        (0..OPERATIONS)
            .map(|_| {
                let drawn = unit() * sum;
                let key = sums.partition_point(|sum| *sum < drawn).min(KEYS - 1);
                (key as u16, unit() < 0.1)
            })
            .collect()
    };
    (0..THREADS).map(script).collect()
}

fn ours(store: &Store, keys: &[String], scripts: &[Script]) -> f64 {
    let begin = Instant::now();
    thread::scope(|scope| {
        for script in scripts {
            scope.spawn(move || {
                for (key, writes) in script {
                    let key = &keys[usize::from(*key)];
                    if *writes {
                        store.put(NAMESPACE, key, VALUE).expect("it is written");
                    } else {
                        black_box(store.get(NAMESPACE, key).expect("it is there"));
                    }
                }
            });
        }
    });
    (THREADS * OPERATIONS) as f64 / begin.elapsed().as_secs_f64()
}

pub fn run(report: &mut Report) {
    let keys: Vec<String> = (0..KEYS).map(|number| format!("sensor/{number}")).collect();
    let scripts = scripts();
    let time = AtomicI64::new(BEGIN);
    let row = |case: &str, (ours, peer), name, note: &str| Row {
        case: case.into(),
        unit: "operations/s",
        ours,
        peer: (name, peer),
        bound: Bound::AtLeast(2.0),
        note: note.into(),
        also: true,
    };
    let case = "90 % reads, 8 threads, Zipf keys, in memory";
    if asked(case) {
        let store = store(Memory::new(), 64 << 20);
        keys.iter().for_each(|key| drop(store.put(NAMESPACE, key, VALUE).expect("it is written")));
        let connection = sqlite::in_memory();
        {
            let mut prepared = Prepared::new(&connection);
            keys.iter().for_each(|key| prepared.put(key, time.fetch_add(1, Ordering::SeqCst)));
        }
        let connection = Mutex::new(connection);
        let theirs = || {
            let begin = Instant::now();
            thread::scope(|scope| {
                for script in &scripts {
                    let (connection, keys, time) = (&connection, &keys, &time);
                    scope.spawn(move || {
                        for (key, writes) in script {
                            let key = &keys[usize::from(*key)];
                            let connection = connection.lock().expect("nobody panicked");
                            if *writes {
                                sqlite::put_cached(&connection, key, time.fetch_add(1, Ordering::SeqCst));
                            } else {
                                black_box(sqlite::get_cached(&connection, key));
                            }
                        }
                    });
                }
            });
            (THREADS * OPERATIONS) as f64 / begin.elapsed().as_secs_f64()
        };
        let both = interleaved(5, || ours(&store, &keys, &scripts), theirs);
        report.add(row(case, both, "SQLite in memory", "its one connection under a lock"));
    }
    let case = "90 % reads, 8 threads, Zipf keys, on disk, relaxed";
    if asked(case) {
        let directory = directory();
        let backend = RedbBackend::open(directory.path(), Options::default()).expect("it opens");
        let store = store(backend, 64 << 20).with_durability(Durability::Relaxed);
        keys.iter().for_each(|key| drop(store.put(NAMESPACE, key, VALUE).expect("it is written")));
        let path = directory.path().join("sqlite");
        {
            let connection = sqlite::at(&path, Sync::Normal);
            let transaction = connection.unchecked_transaction().expect("it begins");
            let mut prepared = Prepared::new(&connection);
            keys.iter().for_each(|key| prepared.put(key, time.fetch_add(1, Ordering::SeqCst)));
            drop(prepared);
            transaction.commit().expect("it is committed");
        }
        let theirs = || {
            let begin = Instant::now();
            thread::scope(|scope| {
                for script in &scripts {
                    let (path, keys, time) = (&path, &keys, &time);
                    scope.spawn(move || {
                        let connection = sqlite::at(path, Sync::Normal);
                        let mut prepared = Prepared::new(&connection);
                        for (key, writes) in script {
                            let key = &keys[usize::from(*key)];
                            if *writes {
                                sqlite::begin(&connection);
                                prepared.put(key, time.fetch_add(1, Ordering::SeqCst));
                                sqlite::commit(&connection);
                            } else {
                                black_box(prepared.get(key));
                            }
                        }
                    });
                }
            });
            (THREADS * OPERATIONS) as f64 / begin.elapsed().as_secs_f64()
        };
        let both = interleaved(3, || ours(&store, &keys, &scripts), theirs);
        report.add(row(case, both, "SQLite WAL, NORMAL", "a connection for each of its threads"));
    }
}
