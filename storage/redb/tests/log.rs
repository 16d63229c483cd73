//! The log in front of redb: what a durable commit costs, and that none is lost, half there, or made twice, whatever becomes of it.

use anabranch_redb::{
    Options, RedbBackend,
    sim::{Chance, Event, Faults, Replay, SimPlace},
};
use anabranch_store::{
    Backend, BackendError, Batch, Direction,
    Durability::{self, Immediate, Relaxed},
    Table, View,
};
use std::{
    error::Error,
    ops::{Bound, ControlFlow},
};

type Outcome = Result<(), Box<dyn Error>>;
type Rows = Vec<(Vec<u8>, Vec<u8>)>;

const BLOCK: u64 = 4096;
/// The first block of the log, and how many records of one block each it holds.
const LOG: u64 = 5;
const RECORDS: u64 = 64;

fn open(place: &SimPlace) -> Result<RedbBackend, BackendError> {
    RedbBackend::open_at(place.clone(), Options::default())
}

fn one(key: &str, row: &[u8]) -> Batch {
    let mut batch = Batch::new();
    batch.put(Table::Meta, key.as_bytes(), row);
    batch
}

fn put(backend: &RedbBackend, key: &str, row: &[u8], durability: Durability) -> Result<(), BackendError> {
    backend.commit(&one(key, row), durability)
}

fn rows(backend: &RedbBackend) -> Result<Rows, BackendError> {
    let mut rows = Rows::new();
    let all = (Bound::Unbounded, Bound::Unbounded);
    backend.view()?.scan(Table::Meta, all, Direction::Forward, &mut |key, row| {
        rows.push((key.to_vec(), row.to_vec()));
        ControlFlow::Continue(())
    })?;
    Ok(rows)
}

/// What is there when the process is killed now, and the database opened again.
fn after_a_kill(place: &SimPlace) -> Result<Rows, BackendError> {
    rows(&open(&place.copy())?)
}

fn is(rows: &Rows, wanted: &[(&str, &[u8])]) -> bool {
    rows.iter()
        .map(|(key, row)| (key.as_slice(), row.as_slice()))
        .eq(wanted.iter().map(|(key, row)| (key.as_bytes(), *row)))
}

/// A database whose log is in use, and empty, and whose file has so much room that it does not grow soon.
fn begun() -> Result<(SimPlace, RedbBackend), BackendError> {
    let place = SimPlace::default();
    let backend = open(&place)?;
    put(&backend, "room", &[7; 600_000], Immediate)?;
    let mut batch = one("a", b"0");
    // So much that redb writes its blocks.
    (0..600).for_each(|number| batch.delete(Table::Keys, format!("{number}").as_bytes()));
    batch.delete(Table::Meta, b"room");
    backend.commit(&batch, Immediate)?;
    Ok((place, backend))
}

fn syncs(place: &SimPlace) -> u64 {
    place.events().iter().filter(|event| matches!(event, Event::Sync(_))).count() as u64
}

#[test]
fn a_durable_commit_is_one_write_of_two_blocks_and_one_sync_and_a_relaxed_one_neither() -> Outcome {
    let (place, backend) = begun()?;
    let cost = |durability, size| -> Result<(u64, u64), BackendError> {
        let before = (syncs(&place), place.written());
        put(&backend, "a", &vec![1; size], durability)?;
        Ok((syncs(&place) - before.0, place.written() - before.1))
    };
    for round in 0..3 {
        for record in 0..RECORDS {
            assert_eq!(cost(Relaxed, 10)?, (0, 0), "{record} of round {round}");
            assert_eq!(cost(Immediate, 10)?, (1, 2 * BLOCK), "{record} of round {round}");
        }
        // Then redb writes its blocks, and the log begins anew.
        let (syncs, written) = cost(Immediate, 10)?;
        assert!(syncs == 2 && written < 40 * BLOCK, "{syncs} syncs, {written} bytes");
    }
    // What was relaxed goes along.
    assert_eq!(cost(Relaxed, 5_000)?, (0, 0));
    assert_eq!(cost(Immediate, 10)?, (1, 4 * BLOCK));
    Ok(())
}

#[test]
fn the_first_durable_commit_after_an_orderly_end_is_one_sync() -> Outcome {
    let (place, backend) = begun()?;
    drop(backend);
    let (backend, before) = (open(&place)?, syncs(&place));
    put(&backend, "a", b"1", Immediate)?;
    assert_eq!(syncs(&place) - before, 1);
    assert!(is(&after_a_kill(&place)?, &[("a", b"1")]));
    Ok(())
}

#[test]
fn a_kill_leaves_what_was_acknowledged_and_what_was_relaxed_before_that_in_its_order() -> Outcome {
    let (place, backend) = begun()?;
    put(&backend, "a", b"1", Relaxed)?;
    put(&backend, "b", b"1", Relaxed)?;
    assert!(is(&after_a_kill(&place)?, &[("a", b"0")]));
    put(&backend, "a", b"2", Immediate)?;
    assert!(is(&after_a_kill(&place)?, &[("a", b"2"), ("b", b"1")]));
    let mut gone = Batch::new();
    gone.delete(Table::Meta, b"b");
    backend.commit(&gone, Immediate)?;
    put(&backend, "a", b"3", Relaxed)?;
    assert!(is(&after_a_kill(&place)?, &[("a", b"2")]));
    // Nothing is to be written but what was relaxed.
    backend.commit(&Batch::new(), Immediate)?;
    assert!(is(&after_a_kill(&place)?, &[("a", b"3")]));
    // After an orderly end nothing of the log is made again.
    put(&backend, "a", b"4", Relaxed)?;
    drop(backend);
    assert!(is(&after_a_kill(&place)?, &[("a", b"4")]));
    Ok(())
}

#[test]
fn whichever_commit_is_the_last_it_is_there_after_a_kill_and_so_is_one_after_that() -> Outcome {
    let (place, backend) = begun()?;
    let mut wanted = vec![(b"a".to_vec(), b"0".to_vec())];
    let step = if cfg!(debug_assertions) { 7 } else { 1 };
    for number in 0..3 * RECORDS {
        let key = format!("b{:03}", number % 50);
        let row = vec![number as u8; (number * 97 % 9_000) as usize];
        put(&backend, &key, &row, Immediate)?;
        wanted.retain(|(there, _)| *there != key.as_bytes());
        wanted.push((key.into_bytes(), row));
        wanted.sort();
        if number % step > 0 {
            continue;
        }
        let mut killed = place.copy();
        for goes_on in [&b"1"[..], b"2"] {
            let backend = open(&killed)?;
            let mut found = rows(&backend)?;
            found.retain(|(key, _)| key != b"c");
            assert_eq!(found, wanted, "after commit {number}");
            put(&backend, "c", goes_on, Immediate)?;
            // It is killed, too.
            killed = killed.copy();
            let again = after_a_kill(&killed)?;
            assert_eq!(again.last(), Some(&(b"c".to_vec(), goes_on.to_vec())), "after commit {number}");
        }
    }
    Ok(())
}

#[test]
fn a_record_that_was_torn_is_there_as_far_as_one_of_each_two_blocks_is() -> Outcome {
    let (place, backend) = begun()?;
    let before = place.bytes();
    put(&backend, "b", &[7; 10_000], Immediate)?;
    let events = place.events();
    let Some(Event::Write(_, offset, bytes)) = events.iter().rev().find(|event| matches!(event, Event::Write(..)))
    else {
        return Err("nothing was written".into());
    };
    assert_eq!((*offset, bytes.len() as u64), (LOG * BLOCK, 6 * BLOCK));
    let offset = usize::try_from(*offset)?;
    let step = if cfg!(debug_assertions) { 1_024 } else { 64 };
    for cut in (0..=bytes.len()).step_by(step) {
        for is_front in [true, false] {
            let mut torn = before.clone();
            let kept = if is_front { 0..cut } else { bytes.len() - cut..bytes.len() };
            torn[offset + kept.start..offset + kept.end].copy_from_slice(&bytes[kept]);
            let torn = SimPlace::with(torn);
            let backend = open(&torn)?;
            // The last blocks end with zeros, which were there before.
            if !(4 * BLOCK..5 * BLOCK).contains(&(cut as u64)) {
                assert_eq!(rows(&backend)?.len() == 2, cut as u64 >= 5 * BLOCK, "{cut} bytes of it");
            }
            put(&backend, "c", b"", Immediate)?;
            assert_eq!(
                after_a_kill(&torn)?.last().map(|(key, _)| key.as_slice()),
                Some(&b"c"[..]),
                "{cut} bytes of it"
            );
        }
    }
    Ok(())
}

#[test]
fn a_flipped_bit_anywhere_in_the_log_changes_nothing() -> Outcome {
    let (place, backend) = begun()?;
    put(&backend, "b", b"1", Immediate)?;
    put(&backend, "a", &[7; 5_000], Immediate)?;
    let wanted = rows(&backend)?;
    let killed = place.copy();
    let step = if cfg!(debug_assertions) { 61 } else { 7 };
    for byte in (LOG * BLOCK..(LOG + 7) * BLOCK).step_by(step) {
        let flipped = killed.copy();
        flipped.flip(byte, (byte % 8) as u8);
        let backend = open(&flipped).map_err(|error| format!("byte {byte}: {error}"))?;
        assert_eq!(rows(&backend)?, wanted, "byte {byte}");
    }
    Ok(())
}

#[test]
fn a_twin_that_was_damaged_is_written_again() -> Outcome {
    let (place, backend) = begun()?;
    put(&backend, "b", b"1", Immediate)?;
    let whole = place.copy();
    for twin in 0..2 {
        let damaged = whole.copy();
        damaged.flip((LOG + twin) * BLOCK + 100, 3);
        let _opened = open(&damaged)?;
        let (log, bytes) = (usize::try_from(LOG * BLOCK)?, usize::try_from(2 * BLOCK)?);
        assert!(damaged.bytes()[log..log + bytes] == whole.bytes()[log..log + bytes], "twin {twin}");
    }
    Ok(())
}

#[test]
fn damage_of_both_twins_is_told_where_a_later_commit_was_acknowledged() -> Outcome {
    let (place, backend) = begun()?;
    for row in [&[1; 10][..], &[2; 9_000], &[3; 10], &[4; 20_000], &[5; 10]] {
        put(&backend, "b", row, Immediate)?;
    }
    let begins = [0, 1, 4, 5, 10];
    for (record, pair) in begins.into_iter().enumerate() {
        let damaged = place.copy();
        (0..2).for_each(|twin| damaged.flip((LOG + 2 * pair + twin) * BLOCK + 50, 1));
        match open(&damaged) {
            Err(BackendError::Damaged(what)) if record + 1 < begins.len() => {
                assert!(what.contains(&format!("block {}", LOG + 2 * pair)), "{what}");
            }
            // The last one is as if the power had failed before it was acknowledged: no other record speaks for it.
            Ok(backend) if record + 1 == begins.len() => {
                assert!(is(&rows(&backend)?, &[("a", b"0"), ("b", &[4; 20_000])]));
            }
            other => panic!("record {record}: {other:?}"),
        }
    }
    Ok(())
}

#[test]
fn what_is_too_large_for_the_log_is_written_by_redb_and_stands_behind_what_the_log_had() -> Outcome {
    let (place, backend) = begun()?;
    for size in [100, 30_000, 40_000, 300_000, 16 << 20, 100] {
        let (before, row) = (syncs(&place), vec![size as u8; size]);
        put(&backend, "b", &row, Immediate)?;
        let was_logged = size < 32 << 10;
        assert!(if was_logged { syncs(&place) - before == 1 } else { syncs(&place) - before > 1 }, "{size} bytes");
        assert!(is(&after_a_kill(&place)?, &[("a", b"0"), ("b", &row)]), "{size} bytes");
    }
    // Many that are small, each of which redb would have to write: that, too, is bounded.
    let (before, mut most) = (place.written(), 0);
    for number in 0..400 {
        let before = place.written();
        put(&backend, &format!("c{number}"), &[7; 2_000], Relaxed)?;
        most = most.max(place.written() - before);
    }
    assert!(place.written() - before > 800_000 && most < 600_000, "{most} bytes at once");
    Ok(())
}

#[test]
fn a_failed_write_or_sync_of_the_log_reaches_the_caller_and_nothing_of_the_commit_ever_comes_back() -> Outcome {
    for (seed, (fail_write, fail_sync)) in (0..).zip([(Some(0), None), (None, Some(0)), (Some(1), Some(0))]) {
        let (place, backend) = begun()?;
        put(&backend, "b", b"1", Immediate)?;
        put(&backend, "c", b"1", Relaxed)?;
        let view = backend.view()?;
        let mut faults = Faults::default();
        (faults.fail_write, faults.fail_sync) = (fail_write, fail_sync);
        place.fail(faults);
        let failed = put(&backend, "d", b"never", Immediate);
        let before = [("a", &b"0"[..]), ("b", b"1"), ("c", b"1")];
        assert!(is(&rows(&backend)?, &before) && view.count(Table::Meta)? == 3);
        let mut from = place.events().len();
        match failed {
            Err(BackendError::Io(_)) if seed < 2 => {}
            // What failed could not be taken back, either: that is certain once the next one is made.
            Err(BackendError::Poisoned(_)) if seed == 2 => {
                put(&backend, "e", b"1", Relaxed)?;
                from = place.events().len();
            }
            other => panic!("{other:?}"),
        }
        put(&backend, "e", b"1", Immediate)?;
        put(&backend, "f", b"1", Immediate)?;
        drop(backend);
        let (mut replay, mut chance) = (Replay::default(), Chance::new(seed));
        for (at, event) in place.events().iter().enumerate() {
            replay.play(event, &mut chance);
            for _ in 0..if at + 1 < from { 0 } else { 12 } {
                let found = rows(&open(&replay.crash(&mut chance))?)?;
                let keys: String = found.iter().map(|(key, _)| String::from_utf8_lossy(key)).collect();
                assert!(["ab", "abce", "abcef"].contains(&&*keys), "{keys} after event {at}");
            }
        }
        assert!(is(&after_a_kill(&place)?, &[before[0], before[1], before[2], ("e", b"1"), ("f", b"1")]));
    }
    Ok(())
}

#[test]
fn what_a_killed_process_had_in_the_log_is_synced_before_anybody_reads_it() -> Outcome {
    let (place, backend) = begun()?;
    put(&backend, "b", b"1", Immediate)?;
    let before = (place.events().len(), syncs(&place));
    let again = open(&place)?;
    assert!(syncs(&place) > before.1);
    let events = place.events();
    let touched = events[before.0..].iter().find(|event| !matches!(event, Event::Write(_, at, _) if *at < LOG * BLOCK));
    assert!(matches!(touched, Some(Event::Sync(_))), "{touched:?}");
    assert_eq!(rows(&again)?.len(), 2);
    let (mut replay, mut chance) = (Replay::default(), Chance::new(3));
    for event in place.events() {
        replay.play(&event, &mut chance);
    }
    assert_eq!(rows(&open(&replay.crash(&mut chance))?)?.len(), 2);
    std::mem::forget(backend);
    Ok(())
}

#[test]
fn on_a_full_disk_the_log_has_the_room_that_it_needs() -> Outcome {
    let (place, backend) = begun()?;
    let mut faults = Faults::default();
    faults.room = Some(place.taken());
    place.fail(faults);
    for number in 0..RECORDS {
        put(&backend, "a", &number.to_be_bytes(), Immediate)?;
    }
    assert_eq!(after_a_kill(&place)?, rows(&backend)?);
    Ok(())
}

/// Files that the version wrote that had no log: 20 rows in each of three durable commits, and then an orderly end, or none.
#[test]
fn a_file_of_the_format_without_a_log_is_read_and_written_as_before_until_it_is_compacted() -> Outcome {
    for (name, file) in [
        ("closed", &include_bytes!("format1/closed.deflate")[..]),
        ("crashed", include_bytes!("format1/crashed.deflate")),
    ] {
        let file = miniz_oxide::inflate::decompress_to_vec(file).map_err(|error| format!("{name}: {error}"))?;
        assert_eq!(file[16], 1);
        let place = SimPlace::with(file);
        let backend = open(&place)?;
        let there = |place: &SimPlace, more: usize| -> Result<bool, BackendError> {
            let backend = open(&place.copy())?;
            let rows = rows(&backend)?;
            Ok(rows.contains(&(b"rounds".to_vec(), 2_u64.to_be_bytes().to_vec()))
                && rows.len() == 1 + more
                && backend.view()?.count(Table::Versions)? == 60)
        };
        assert!(there(&place, 0)?, "{name}");
        put(&backend, "x1", b"", Immediate)?;
        for number in 2..6 {
            let before = syncs(&place);
            put(&backend, &format!("x{number}"), b"", Immediate)?;
            assert_eq!(syncs(&place) - before, 2);
            assert!(there(&place, number)?, "{name}");
        }
        put(&backend, "x6", b"", Relaxed)?;
        drop(backend);
        assert!(there(&place, 6)? && place.bytes()[16] == 1, "{name}");
        let backend = open(&place)?;
        backend.compact()?;
        assert!(there(&place, 6)? && place.bytes()[16] == 2, "{name}");
        put(&backend, "x7", b"", Immediate)?;
        let before = syncs(&place);
        put(&backend, "x8", b"", Immediate)?;
        assert_eq!(syncs(&place) - before, 1);
        assert!(there(&place, 8)?, "{name}");
    }
    Ok(())
}
