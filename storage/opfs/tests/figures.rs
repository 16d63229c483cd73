//! What a commit, a checkpoint, an opening and a read cost, counted exactly; and that space is bounded.

use anabranch_medium::sim::{Event, SimPlace};
use anabranch_opfs::{OpfsBackend, Options};
use anabranch_store::{Backend, BackendError, Batch, Direction, Durability, Table, View};
use std::ops::{Bound, ControlFlow};

type Outcome = Result<(), BackendError>;

const LOG: usize = 0;
const TREE: usize = 1;

fn open(place: &SimPlace, options: &Options) -> Result<OpfsBackend, BackendError> {
    OpfsBackend::open(place.fixed(LOG), place.fixed(TREE), options.clone())
}

fn key(number: u64) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&(number / 100).to_be_bytes());
    key[8..].copy_from_slice(&(number % 100).to_be_bytes());
    key
}

fn batch(numbers: impl IntoIterator<Item = u64>, round: u8) -> Batch {
    let mut batch = Batch::new();
    for number in numbers {
        batch.put(Table::Versions, &key(number), &[round; 80]);
        batch.put(Table::Times, &number.to_be_bytes(), &number.to_be_bytes());
    }
    batch
}

/// A database with so many versions in its tree.
fn filled(place: &SimPlace, options: &Options, versions: u64) -> Result<OpfsBackend, BackendError> {
    let backend = open(place, options)?;
    for from in (0..versions).step_by(5_000) {
        backend.commit(&batch(from..versions.min(from + 5_000), 0), Durability::Relaxed)?;
    }
    backend.checkpoint()?;
    Ok(backend)
}

/// Writes and syncs of a medium since an event, and how many bytes were written.
fn done(place: &SimPlace, since: usize, medium: usize) -> (usize, usize, usize) {
    place.events()[since..].iter().fold((0, 0, 0), |(writes, syncs, bytes), event| match event {
        Event::Write(its, _, written) if *its == medium => (writes + 1, syncs, bytes + written.len()),
        Event::Sync(its) if *its == medium => (writes, syncs + 1, bytes),
        _ => (writes, syncs, bytes),
    })
}

#[test]
fn a_durable_commit_is_one_write_and_one_sync_and_a_relaxed_one_no_sync() -> Outcome {
    let place = SimPlace::with_media(2);
    let backend = open(&place, &Options::default())?;
    for number in 0..200 {
        let (before, durable) = (place.events().len(), number % 2 == 0);
        backend.commit(&batch([number], 1), if durable { Durability::Immediate } else { Durability::Relaxed })?;
        let (writes, syncs, bytes) = done(&place, before, LOG);
        // 28 for the record, 6 for the lengths and tables, and the two rows with their keys
        assert_eq!((writes, syncs, bytes), (1, usize::from(durable), 28 + 6 + 16 + 80 + 8 + 8));
        assert_eq!(done(&place, before, TREE), (0, 0, 0));
    }
    Ok(())
}

#[test]
fn a_checkpoint_writes_the_nodes_that_changed_and_syncs_twice() -> Outcome {
    let (place, options) = (SimPlace::with_media(2), Options::default());
    let backend = filled(&place, &options, 20_000)?;
    backend.commit(&batch([12_345], 1), Durability::Immediate)?;
    let before = place.events().len();
    backend.checkpoint()?;
    let (writes, syncs, bytes) = done(&place, before, TREE);
    println!("{writes} writes, {syncs} syncs, {bytes} bytes");
    // In each table the way from the root to a leaf, of four blocks at most together; and the header, twice.
    assert!(syncs == 2 && bytes <= (3 + 3 + 2) * 4096 && writes <= 7, "{writes} writes, {syncs} syncs, {bytes} bytes");
    assert_eq!(done(&place, before, LOG), (0, 0, 0));
    Ok(())
}

#[test]
fn rows_that_are_overwritten_for_ever_take_no_more_room_than_three_times_theirs() -> Outcome {
    let mut options = Options::default();
    options.log = 50_000;
    let place = SimPlace::with_media(2);
    let backend = filled(&place, &options, 3_000)?;
    let once = place.bytes_of(TREE).len();
    let mut sizes = Vec::new();
    for round in 0..60_u64 {
        for step in 0..100 {
            let number = (round * 37 + step * 7_919) % 3_000;
            backend.commit(&batch([number], round as u8), Durability::Relaxed)?;
        }
        sizes.push((place.bytes_of(LOG).len(), place.bytes_of(TREE).len()));
    }
    let (logs, trees): (Vec<_>, Vec<_>) = sizes.into_iter().unzip();
    println!("{once} bytes, then logs {logs:?} and trees {trees:?}");
    assert!(logs.iter().all(|log| *log <= 4 * 50_000));
    assert!(trees.iter().all(|tree| *tree <= 3 * once));
    // And from some round on nothing grows any more.
    assert!(trees[30..].iter().max() <= trees[..30].iter().max(), "{trees:?}");
    Ok(())
}

#[test]
fn what_is_deleted_gives_its_room_back() -> Outcome {
    let (place, options) = (SimPlace::with_media(2), Options::default());
    let backend = filled(&place, &options, 20_000)?;
    let full = place.bytes_of(TREE).len();
    let mut gone = Batch::new();
    for number in (0..20_000).filter(|number| number % 100 != 50) {
        gone.delete(Table::Versions, &key(number));
        gone.delete(Table::Times, &number.to_be_bytes());
    }
    backend.commit(&gone, Durability::Immediate)?;
    // What is left moves down, and then the file ends earlier.
    for _ in 0..3 {
        backend.checkpoint()?;
        backend.commit(&batch([50], 3), Durability::Immediate)?;
    }
    backend.checkpoint()?;
    let left = place.bytes_of(TREE).len();
    println!("{full} bytes became {left}");
    assert_eq!(backend.view()?.count(Table::Versions)?, 200);
    assert!(left * 20 < full, "{full} bytes became {left}");
    Ok(())
}

#[test]
fn opening_reads_the_log_and_the_header_however_large_the_tree_is() -> Outcome {
    let mut reads = Vec::new();
    for versions in [1_000, 100_000] {
        let (place, options) = (SimPlace::with_media(2), Options::default());
        let backend = filled(&place, &options, versions)?;
        backend.commit(&batch([5], 1), Durability::Immediate)?;
        drop(backend);
        let copy = place.copy();
        let log = copy.bytes_of(LOG).len() as u64;
        let backend = open(&copy, &options)?;
        reads.push(copy.read() - log);
        assert_eq!(backend.view()?.count(Table::Versions)?, versions);
        // Finding a row reads a node of each level.
        let before = copy.read();
        backend.view()?.get(Table::Versions, &key(versions / 2), &mut |_| ())?;
        assert!(copy.read() - before <= 4 * 4096, "{} bytes for a row", copy.read() - before);
    }
    assert_eq!(reads, [4 * 4096, 4 * 4096]);
    Ok(())
}

#[test]
fn a_large_row_is_not_read_for_each_key_that_is_looked_for_beside_it() -> Outcome {
    const LARGE: usize = 5_000_000;
    let place = SimPlace::with_media(2);
    let backend = open(&place, &Options::default())?;
    let mut large = Batch::new();
    large.put(Table::Versions, &key(50), &vec![7; LARGE]);
    backend.commit(&large, Durability::Immediate)?;
    backend.commit(&batch(100..3_000, 0), Durability::Immediate)?;
    backend.checkpoint()?;
    let before = place.read();
    let view = backend.view()?;
    for number in 0..3_000 {
        view.get(Table::Versions, &key(number), &mut |_| ())?;
        view.scan(
            Table::Versions,
            (Bound::Unbounded, Bound::Included(&key(number.min(99)))),
            Direction::Backward,
            &mut |_, _| ControlFlow::Break(()),
        )?;
    }
    let read = place.read() - before;
    assert!(read < 3 * LARGE as u64, "{read} bytes were read");
    Ok(())
}

#[test]
fn blocks_that_a_view_reads_are_not_used_again_and_are_when_it_has_gone() -> Outcome {
    let (place, options) = (SimPlace::with_media(2), Options::default());
    let backend = filled(&place, &options, 2_000)?;
    let once = place.bytes_of(TREE).len();
    let old = backend.view()?;
    let rewrite = |round| {
        backend.commit(&batch(0..2_000, round), Durability::Relaxed)?;
        backend.checkpoint()
    };
    for round in 1..6 {
        rewrite(round)?;
    }
    let held = place.bytes_of(TREE).len();
    assert!(held > 5 * once, "{held} bytes where one tree has {once}");
    let mut rows = 0;
    old.scan(Table::Versions, (Bound::Unbounded, Bound::Unbounded), Direction::Forward, &mut |_, row| {
        assert_eq!(row, [0; 80]);
        rows += 1;
        ControlFlow::Continue(())
    })?;
    assert_eq!(rows, 2_000);
    drop(old);
    for round in 6..9 {
        rewrite(round)?;
    }
    let free = place.bytes_of(TREE).len();
    assert!(free < 3 * once, "{free} bytes where one tree has {once}");
    Ok(())
}
