//! What a version takes of memory and of disk, and how long a database takes to open.

use crate::{
    BEGIN, MILLION, NAMESPACE, ROUNDS, VALUE, asked,
    counted::{self, Counts},
    directory, fill_chain,
    peers::sqlite::{self, Prepared, Sync},
    store,
};
use anabranch_bench::{Bound, Figure, Report, Row, interleaved, median};
use anabranch_redb::{Options, RedbBackend};
use anabranch_store::{Backend, Durability, Memory, Write};
use std::{hint::black_box, path::Path, process::Command, time::Instant};

/// Tells a process of its own over how many keys it is to write.
const CHILD: &str = "ANABRANCH_BENCH_MEMORY";
/// Tells a process of its own in which directory it is to write more than may be hot.
const HOT_CHILD: &str = "ANABRANCH_BENCH_HOT";

/// What may be hot, how much more is written, and in what pieces.
const HOT: usize = 64 << 20;
const TIMES: usize = 5;
const PIECE: usize = 4096;
/// What else a process takes: redb's cache of 32 MiB, relaxed commits of 4 MiB and the next batch beside them, and what the
/// allocator does not give back.
const ALLOWED: usize = 64 << 20;
const KEY: &str = "sensor/1";

pub fn run(report: &mut Report) {
    for (keys, words) in [(1, "one key"), (10_000, "10,000 keys")] {
        let case = format!("memory of a version of 32 bytes, {words}");
        if asked(&case) {
            let bytes = in_a_process_of_its_own(keys);
            let (bound, note) = (Bound::AtMost(250.0), "resident memory of 1,000,000, nothing held hot".into());
            report.figure(Figure { case, unit: "bytes", ours: bytes, bound, note });
        }
    }
    for (keys, words) in [(1, "one key"), (1_000, "1,000 keys")] {
        let case = format!("disk of a warm version of 32 bytes, {words}");
        if asked(&case) {
            let (ours, before) = on_disk(keys);
            let (bound, note) = (Bound::AtMost(240.0), format!("after compaction; {before:.0} before"));
            report.figure(Figure { case, unit: "bytes", ours, bound, note });
        }
    }
    let case = "memory of a process that has written five times what may be hot";
    if asked(case) {
        let (grown, hot) = with_a_full_hot_tier();
        let bound = Bound::AtMost(((HOT + ALLOWED) >> 20) as f64);
        let note = format!("the tier holds {hot:.1} of {} MiB; the bound is that and {} MiB", HOT >> 20, ALLOWED >> 20);
        report.figure(Figure { case: case.into(), unit: "MiB", ours: grown, bound, note });
    }
    let case = "reopening 1,000,000 versions, and the first read";
    if asked(case) {
        reopening(report, case);
    }
}

/// In the process that is started for it: writes, and prints what that took of memory.
pub fn be_measured() -> bool {
    if let Some(directory) = std::env::var_os(HOT_CHILD) {
        fill_the_hot_tier(Path::new(&directory));
        return true;
    }
    let Some(keys) = std::env::var(CHILD).ok().and_then(|keys| keys.parse::<i64>().ok()) else { return false };
    let before = resident();
    let store = store(Memory::new(), 0);
    for number in 0..MILLION {
        store.put(NAMESPACE, &format!("sensor/{}", number % keys), VALUE).expect("it is written");
    }
    println!("{}", (resident() - before) / MILLION as f64);
    drop(store);
    true
}

/// Keys enough that their newest versions alone are five times what may be hot, over a disk.
fn fill_the_hot_tier(directory: &Path) {
    let open = || RedbBackend::open(directory, Options::default()).expect("it opens");
    let store = store(open(), HOT).with_durability(Durability::Relaxed);
    let before = resident();
    let (pieces, batch) = (TIMES * HOT / PIECE, 256);
    for first in (0..pieces).step_by(batch) {
        let write = |number| Write::put(NAMESPACE, format!("sensor/{number}"), "x".repeat(PIECE));
        store.write_batch((first..first + batch).map(write).collect()).expect("it is written");
    }
    store.flush().expect("it is flushed");
    let hot = store.stats().expect("it can be read").hot;
    assert!(hot.bytes <= HOT as u64 && hot.bytes > HOT as u64 / 2, "{hot:?}");
    println!("{} {}", (resident() - before) / f64::from(1 << 20), hot.bytes as f64 / f64::from(1 << 20));
}

/// By how many MiB that process grew, and how many its hot tier holds by its own count.
fn with_a_full_hot_tier() -> (f64, f64) {
    let directory = directory();
    let this = std::env::current_exe().expect("this program has a path");
    let output = Command::new(this).env(HOT_CHILD, directory.path()).output().expect("it starts");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = printed.split_whitespace().map(|number| number.parse().expect("it prints numbers"));
    (numbers.next().expect("the first"), numbers.next().expect("the second"))
}

fn resident() -> f64 {
    let all = std::fs::read_to_string("/proc/self/statm").expect("Linux says what a process has");
    let pages: u32 = all.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    f64::from(pages) * 4096.0
}

fn in_a_process_of_its_own(keys: i64) -> f64 {
    let this = std::env::current_exe().expect("this program has a path");
    let output = Command::new(this).env(CHILD, keys.to_string()).output().expect("it starts");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("it prints a number")
}

fn on_disk(keys: i64) -> (f64, f64) {
    let directory = directory();
    let open = || RedbBackend::open(directory.path(), Options::default()).expect("it opens");
    let versions = MILLION / 4;
    let filled = store(open(), 64 << 20).with_durability(Durability::Relaxed);
    match keys {
        1 => fill_chain(&filled, KEY, versions),
        _ => (0..versions / keys).for_each(|_| {
            let write = |number| Write::put(NAMESPACE, format!("sensor/{number}"), VALUE);
            filled.write_batch((0..keys).map(write).collect()).expect("it is written");
        }),
    }
    drop(filled);
    let backend = open();
    let each = |bytes: u64| bytes as f64 / versions as f64;
    let before = each(backend.usage().expect("it tells").disk);
    backend.compact().expect("it is compacted");
    (each(backend.usage().expect("it tells").disk), before)
}

fn reopening(report: &mut Report, case: &str) {
    let mut read = Vec::new();
    let mut times = Vec::new();
    for versions in [1_000, MILLION] {
        let directory = directory();
        fill_chain(&store(counted::open(directory.path(), &Counts::default()), 0), KEY, versions);
        let counts = Counts::default();
        opened(directory.path(), &counts);
        read.push(counts.read() as f64);
        let open = || opened(directory.path(), &Counts::default());
        if versions < MILLION {
            times.push(median((0..ROUNDS).map(|_| open()).collect()));
            continue;
        }
        let path = directory.path().join("sqlite");
        sqlite::fill_chain(&sqlite::at(&path, Sync::Normal), KEY, 0, versions);
        let theirs = || {
            let begin = Instant::now();
            let connection = sqlite::at(&path, Sync::Normal);
            black_box(Prepared::new(&connection).get_at(KEY, BEGIN + versions / 2));
            begin.elapsed().as_secs_f64() * 1e6
        };
        let (ours, peer) = interleaved(3 * ROUNDS, open, theirs);
        times.push(ours);
        let (bound, peer) = (Bound::AtMost(2.0), ("SQLite", peer));
        report.add(Row { case: case.into(), unit: "µs", ours, peer, bound, note: String::new(), also: true });
    }
    report.add(Row {
        case: "bytes read to reopen 1,000,000 versions, beside 1,000".into(),
        unit: "bytes",
        ours: read[1],
        peer: ("1,000 versions", read[0]),
        bound: Bound::AtMost(2.0),
        note: format!("{:.0} µs and {:.0} µs", times[1], times[0]),
        also: true,
    });
}

/// Opens, reads a version in the middle, and says how many microseconds both took.
fn opened(directory: &Path, counts: &Counts) -> f64 {
    let begin = Instant::now();
    let store = store(counted::open(directory, counts), 0);
    black_box(store.get(NAMESPACE, KEY).expect("it is there"));
    begin.elapsed().as_secs_f64() * 1e6
}
