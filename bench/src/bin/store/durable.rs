//! Durable writes: how many syncs they take, and how many a second 16 writers make.

use crate::{
    BEGIN, NAMESPACE, VALUE, asked,
    counted::{self, Counts},
    directory,
    peers::sqlite::{self, Sync},
    store,
};
use anabranch_bench::{Bound, Report, Row, interleaved};
use anabranch_redb::{Options, RedbBackend};
use anabranch_store::Store;
use std::{
    sync::{
        Mutex,
        atomic::{AtomicI64, Ordering},
    },
    thread,
    time::Instant,
};

const WRITERS: usize = 16;
/// By each writer in a round; SQLite has one writer at a time, and each of its commits a sync.
const PUTS: usize = 60;
const THEIR_PUTS: usize = 20;

pub fn run(report: &mut Report) {
    for (case, writers, bound) in [
        ("syncs of a durable put, 1 writer", 1, Bound::AtMost(1.0)),
        ("syncs of a durable put, 16 writers, each", WRITERS, Bound::AtMost(1.0 / 8.0)),
    ] {
        if asked(case) {
            syncs(report, case, writers, bound);
        }
    }
    for (case, writers, bound) in
        [("durable put, 16 writers", WRITERS, Bound::AtLeast(5.0)), ("durable put, 1 writer", 1, Bound::Shown)]
    {
        if asked(case) {
            rate(report, case, writers, bound);
        }
    }
}

fn rate(report: &mut Report, case: &str, writers: usize, bound: Bound) {
    let directory = directory();
    let ours = store(RedbBackend::open(directory.path(), Options::default()).expect("it opens"), 64 << 20);
    let connection = Mutex::new(sqlite::at(&directory.path().join("sqlite"), Sync::Full));
    let time = AtomicI64::new(BEGIN);
    // One alone makes as many as the others would together.
    let (mine, theirs) = (PUTS * WRITERS / writers, THEIR_PUTS * WRITERS / writers);
    let (ours, peer) = interleaved(
        5,
        || puts(&ours, writers, mine),
        || {
            let begin = Instant::now();
            together(writers, |writer| {
                let key = format!("sensor/{writer}");
                for _ in 0..theirs {
                    let connection = connection.lock().expect("nobody panicked");
                    let time = time.fetch_add(1, Ordering::SeqCst);
                    sqlite::begin(&connection);
                    sqlite::put_cached(&connection, &key, time);
                    sqlite::commit(&connection);
                }
            });
            (writers * theirs) as f64 / begin.elapsed().as_secs_f64()
        },
    );
    let note = "one connection under a lock, the faster way for SQLite".into();
    let peer = ("SQLite WAL, FULL", peer);
    report.add(Row { case: case.into(), unit: "puts/s", ours, peer, bound, note, also: true });
}

/// Counted, so a disk's noise has no say in it, beyond who comes together.
fn syncs(report: &mut Report, case: &str, writers: usize, bound: Bound) {
    // Three times as many as have room in the log, and the one after them, by which redb writes its blocks and which is two syncs.
    const EACH: usize = 3 * 65;
    let (directory, counts) = (directory(), Counts::default());
    let ours = store(counted::open(directory.path(), &counts), 64 << 20);
    let counted = |work: &dyn Fn()| {
        let (syncs, grown) = (counts.syncs(), counts.grown());
        work();
        counts.syncs() - syncs - (counts.grown() - grown)
    };
    // So that the keys are there.
    puts(&ours, writers, 1);
    let commit = counted(&|| (0..EACH).for_each(|_| drop(store_one(&ours)))) as f64 / EACH as f64;
    let all = writers * EACH;
    let count = counted(&|| {
        puts(&ours, writers, EACH);
    });
    report.add(Row {
        case: case.into(),
        unit: "syncs",
        ours: count as f64 / all as f64,
        peer: ("a commit by itself", commit),
        bound,
        note: format!("{count} for {all} puts, beside those of a file that grows"),
        also: true,
    });
}

fn store_one(store: &Store) -> anabranch_store::VersionedValue {
    store.put(NAMESPACE, "sensor/0", VALUE).expect("it is written")
}

fn puts(store: &Store, writers: usize, puts: usize) -> f64 {
    let begin = Instant::now();
    together(writers, |writer| {
        let key = format!("sensor/{writer}");
        (0..puts).for_each(|_| drop(store.put(NAMESPACE, &key, VALUE).expect("it is written")));
    });
    (writers * puts) as f64 / begin.elapsed().as_secs_f64()
}

fn together(threads: usize, work: impl Fn(usize) + Send + std::marker::Sync) {
    thread::scope(|scope| {
        let work = &work;
        (0..threads).for_each(|number| drop(scope.spawn(move || work(number))));
    });
}
