//! Reading the past of a key with up to a million versions, in memory and from disk.

use crate::{
    BEGIN, Chance, MILLION, NAMESPACE, ROUNDS, asked, directory, each, fill_chain,
    peers::sqlite::{self, Prepared, Sync},
    store,
};
use anabranch_bench::{Bound, Figure, Report, Row, interleaved};
use anabranch_redb::{Options, RedbBackend};
use anabranch_store::{Memory, Store, Timestamp};
use rusqlite::Connection;
use std::hint::black_box;

const READS: u32 = 20_000;
const PAGES: u32 = 500;
const PAGE: usize = 100;
const KEY: &str = "sensor/1";

/// Moments around the middle of a chain: in the half of it that lies there.
fn moments(versions: i64) -> Vec<i64> {
    let mut chance = Chance(versions.unsigned_abs());
    (0..READS).map(|_| BEGIN + versions / 4 + chance.below(versions / 2)).collect()
}

fn get_at(store: &Store, moments: &[i64]) -> f64 {
    each(READS, |place| {
        let at = Timestamp::from_nanos(moments[place as usize]);
        drop(black_box(store.get_at(NAMESPACE, KEY, at).expect("there is a version")));
    })
}

fn their_get_at(prepared: &mut Prepared<'_>, moments: &[i64]) -> f64 {
    each(READS, |place| drop(black_box(prepared.get_at(KEY, moments[place as usize]))))
}

pub fn run(report: &mut Report) {
    let in_memory = "get_at in the middle of 1,000,000 versions, in memory";
    if asked(in_memory) {
        let ours = store(Memory::new(), 0);
        let mut there = 0;
        let mut small = None;
        for (versions, words) in [(1_000, "1,000"), (10_000, "10,000"), (100_000, "100,000"), (MILLION, "1,000,000")] {
            fill_chain(&ours, KEY, versions - there);
            there = versions;
            let moments = moments(versions);
            let mut times: Vec<f64> = (0..ROUNDS).map(|_| get_at(&ours, &moments)).collect();
            times.sort_by(f64::total_cmp);
            let time = times[0];
            let case = format!("get_at in the middle of {words} versions, in memory");
            report.figure(Figure { case, unit: "ns", ours: time, bound: Bound::Shown, note: String::new() });
            small.get_or_insert(time);
            if versions == MILLION {
                report.add(Row {
                    case: "get_at in the middle of 1,000,000 beside 1,000: O(log n)".into(),
                    unit: "ns",
                    ours: time,
                    peer: ("1,000 versions", small.unwrap_or_default()),
                    // Twice as deep, and no longer in the processor's cache.
                    bound: Bound::AtMost(4.0),
                    note: "the fastest of each; the logarithm doubles".into(),
                    also: true,
                });
            }
        }
        let connection = sqlite::in_memory();
        sqlite::fill_chain(&connection, KEY, 0, MILLION);
        reads(report, in_memory, &ours, &connection);
    }
    let from_disk = "get_at in the middle of 1,000,000 versions, from disk";
    let page = "a page of history, 100 of 1,000,000 versions, from disk";
    if asked(from_disk) || asked(page) {
        let directory = directory();
        let open = || store(RedbBackend::open(directory.path(), Options::default()).expect("it opens"), 64 << 20);
        fill_chain(&open(), KEY, MILLION);
        let path = directory.path().join("sqlite");
        sqlite::fill_chain(&sqlite::at(&path, Sync::Normal), KEY, 0, MILLION);
        // Both are opened anew, and read into what they keep of blocks.
        let (ours, connection) = (open(), sqlite::at(&path, Sync::Normal));
        if asked(from_disk) {
            reads(report, from_disk, &ours, &connection);
        }
        if asked(page) {
            pages(report, page, &ours, &connection);
        }
    }
}

fn reads(report: &mut Report, case: &str, ours: &Store, connection: &Connection) {
    let moments = moments(MILLION);
    let mut prepared = Prepared::new(connection);
    let (a, b) = interleaved(ROUNDS, || get_at(ours, &moments), || their_get_at(&mut prepared, &moments));
    report.add(Row {
        case: case.into(),
        unit: "reads/s",
        ours: 1e9 / a,
        peer: ("SQLite, the same index", 1e9 / b),
        bound: Bound::AtLeast(2.0),
        note: "any moment of the middle half".into(),
        also: true,
    });
}

fn pages(report: &mut Report, case: &str, ours: &Store, connection: &Connection) {
    let moments = moments(MILLION);
    let mut prepared = Prepared::new(connection);
    let our_page = || {
        each(PAGES, |place| {
            let before = Timestamp::from_nanos(moments[place as usize]);
            let page = ours.history(NAMESPACE, KEY, ..before, PAGE).expect("there are versions");
            assert_eq!(black_box(page).items.len(), PAGE);
        })
    };
    let their_page = || {
        each(PAGES, |place| {
            assert_eq!(black_box(prepared.history(KEY, moments[place as usize], PAGE)).len(), PAGE);
        })
    };
    let (a, b) = interleaved(ROUNDS, our_page, their_page);
    report.add(Row {
        case: case.into(),
        unit: "pages/s",
        ours: 1e9 / a,
        peer: ("SQLite, the same index", 1e9 / b),
        bound: Bound::AtLeast(1.5),
        note: "each page somewhere else in the middle half".into(),
        also: true,
    });
}
