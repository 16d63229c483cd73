//! What can be opened and what cannot, and how much is read and synced.

use anabranch_redb::{
    Options, RedbBackend,
    sim::{Chance, Event, Faults, Replay, SimPlace},
};
use anabranch_store::{Backend, BackendError, Batch, Direction, Durability, Table, View};
use std::{
    error::Error,
    fs,
    ops::{Bound, ControlFlow},
    path::Path,
};

type Outcome = Result<(), Box<dyn Error>>;

fn open(directory: &Path) -> Result<RedbBackend, BackendError> {
    RedbBackend::open(directory, Options::default())
}

fn one(table: Table, key: &[u8], row: &[u8]) -> Batch {
    let mut batch = Batch::new();
    batch.put(table, key, row);
    batch
}

#[test]
fn a_database_in_use_is_refused_until_it_is_dropped() -> Outcome {
    let directory = tempfile::tempdir()?;
    let first = open(directory.path())?;
    let second = open(directory.path()).map(drop);
    assert_eq!(second, Err(BackendError::InUse));
    first.commit(&one(Table::Meta, b"a", b""), Durability::Immediate)?;
    drop(first);
    assert_eq!(open(directory.path())?.view()?.count(Table::Meta)?, 1);
    Ok(())
}

#[test]
fn a_lock_file_that_nobody_holds_keeps_nobody_out() -> Outcome {
    let directory = tempfile::tempdir()?;
    fs::write(directory.path().join("LOCK"), "4711")?;
    open(directory.path())?;
    Ok(())
}

#[test]
fn a_lease_of_a_process_without_locks_keeps_others_out_until_it_has_lapsed() -> Outcome {
    let directory = tempfile::tempdir()?;
    let lease = directory.path().join("LEASE");
    fs::write(&lease, "node host 4711 some-token")?;
    assert_eq!(open(directory.path()).map(drop), Err(BackendError::InUse));
    let touched = fs::File::options().write(true).open(&lease)?;
    touched.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(11))?;
    let opened = open(directory.path())?;
    assert!(fs::read_to_string(&lease)?.starts_with("native "), "it is this process's now");
    drop(opened);
    assert!(!lease.exists(), "it is given back");
    Ok(())
}

#[test]
fn a_lease_that_a_native_process_has_left_behind_keeps_nobody_out_that_has_the_lock() -> Outcome {
    let directory = tempfile::tempdir()?;
    fs::write(directory.path().join("LEASE"), "native 4711\n")?;
    open(directory.path())?;
    Ok(())
}

#[test]
fn a_directory_is_made_and_a_half_made_database_is_made_anew() -> Outcome {
    let directory = tempfile::tempdir()?;
    let inner = directory.path().join("a/b");
    fs::create_dir_all(&inner)?;
    fs::write(inner.join("store.redb.new"), "what a crash left of a database that was never used")?;
    open(&inner)?.commit(&one(Table::Meta, b"a", b""), Durability::Immediate)?;
    assert_eq!(open(&inner)?.view()?.count(Table::Meta)?, 1);
    Ok(())
}

#[test]
fn what_is_no_database_is_refused_and_left_as_it_is() -> Outcome {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("store.redb");
    let others: [&[u8]; 4] = [b"", b"hello", &[0; 10_000], b"SQLite format 3\0 and what comes after that"];
    for other in others {
        fs::write(&file, other)?;
        let refused = open(directory.path()).map(drop);
        assert!(matches!(refused, Err(BackendError::NotADatabase(_))), "{refused:?}");
        assert_eq!(fs::read(&file)?, other);
    }
    fs::remove_file(&file)?;
    drop(redb::Database::create(&file)?);
    assert!(matches!(open(directory.path()), Err(BackendError::NotADatabase(_))), "a database of redb alone");
    let no_directory = open(&file).map(drop);
    assert!(matches!(no_directory, Err(BackendError::NotADatabase(_))), "{no_directory:?}");
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_directory_that_cannot_be_written_is_named() -> Outcome {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir()?;
    let sealed = directory.path().join("sealed");
    fs::create_dir(&sealed)?;
    fs::set_permissions(&sealed, fs::Permissions::from_mode(0o555))?;
    // nothing is sealed to root, so then a path where nobody can make a directory
    let path = if fs::write(sealed.join("probe"), "").is_ok() { Path::new("/proc/anabranch") } else { &sealed };
    match open(path).map(drop) {
        Err(BackendError::Io(why)) => assert!(why.contains(&*path.to_string_lossy()), "{why}"),
        other => panic!("{other:?}"),
    }
    Ok(())
}

#[test]
fn a_later_format_is_refused_by_its_number() -> Outcome {
    let directory = tempfile::tempdir()?;
    drop(open(directory.path())?);
    let file = directory.path().join("store.redb");
    let mut bytes = fs::read(&file)?;
    bytes[16] = 3;
    let sum = twox_hash::XxHash3_64::oneshot(&bytes[..24]);
    bytes[24..32].copy_from_slice(&sum.to_le_bytes());
    fs::write(&file, bytes)?;
    assert_eq!(open(directory.path()).map(drop), Err(BackendError::Newer { found: 3, known: 2 }));
    Ok(())
}

#[test]
fn a_file_that_was_cut_off_is_damaged() -> Outcome {
    let directory = tempfile::tempdir()?;
    let backend = open(directory.path())?;
    for number in 0..200_u64 {
        backend.commit(&one(Table::Segments, &number.to_be_bytes(), &[7; 3000]), Durability::Relaxed)?;
    }
    drop(backend);
    let file = directory.path().join("store.redb");
    let whole = fs::read(&file)?;
    for kept in [100, 4096, 5 * 4096, 6 * 4096, whole.len() / 2] {
        fs::write(&file, &whole[..kept])?;
        let refused = open(directory.path()).map(drop);
        assert!(matches!(refused, Err(BackendError::Damaged(_))), "{kept} bytes: {refused:?}");
    }
    fs::write(&file, whole)?;
    assert_eq!(open(directory.path())?.view()?.count(Table::Segments)?, 200);
    Ok(())
}

fn syncs(place: &SimPlace) -> usize {
    place.events().iter().filter(|event| matches!(event, Event::Sync(_))).count()
}

/// A database of so many rows, as a power loss leaves it.
fn crashed(rows: u64) -> Result<SimPlace, Box<dyn Error>> {
    let place = SimPlace::default();
    let backend = RedbBackend::open_at(place.clone(), Options::default())?;
    let mut batch = Batch::new();
    for number in 0..rows {
        batch.put(Table::Versions, &[number.to_be_bytes(), [0; 8]].concat(), &[number as u8; 40]);
        if batch.len() == 5_000 {
            backend.commit(&batch, Durability::Immediate)?;
            batch.clear();
        }
    }
    backend.commit(&batch, Durability::Immediate)?;
    backend.commit(&one(Table::Meta, b"a", b""), Durability::Immediate)?;
    let (mut replay, mut chance) = (Replay::default(), Chance::new(1));
    place.events().iter().for_each(|event| replay.play(event, &mut chance));
    Ok(replay.crash(&mut chance))
}

#[test]
#[cfg_attr(debug_assertions, ignore = "redb reads the whole file when it is built for debugging; add `--release`")]
fn opening_after_a_crash_reads_no_more_of_a_large_database_than_of_a_small_one() -> Outcome {
    let read = |rows| -> Result<(u64, u64), Box<dyn Error>> {
        let place = crashed(rows)?;
        let backend = RedbBackend::open_at(place.clone(), Options::default())?;
        let read = place.read();
        assert_eq!(backend.view()?.count(Table::Versions)?, rows);
        // beside the log, which is as long in both
        Ok((read, place.size() - 128 * 4096))
    };
    let ((few, small), (many, large)) = (read(1_000)?, read(100_000)?);
    println!("{few} bytes of {small}, {many} bytes of {large}");
    // what is free is known by a bit for each block and a half: the one part that grows
    assert!(large > 40 * small && many < few + large / 4096 + 40_000, "{few} bytes of {small}, {many} of {large}");
    Ok(())
}

#[test]
fn without_its_log_a_durable_commit_is_two_syncs_and_a_relaxed_one_none() -> Outcome {
    let place = SimPlace::default();
    let mut options = Options::default();
    options.log = 0;
    let backend = RedbBackend::open_at(place.clone(), options)?;
    let syncs = || syncs(&place);
    // The first commit also syncs that the database is open.
    let before = syncs();
    backend.commit(&one(Table::Meta, b"a", b""), Durability::Immediate)?;
    assert_eq!(syncs() - before, 3);
    let mut growing = 0;
    for number in 0..200_u64 {
        let (before, size) = (syncs(), place.size());
        let durable = number % 2 == 0;
        let batch = one(Table::Times, &number.to_be_bytes(), &[0; 8]);
        backend.commit(&batch, if durable { Durability::Immediate } else { Durability::Relaxed })?;
        // A file that has to grow is synced before anything relies on its length.
        if place.size() > size {
            growing += 1;
            continue;
        }
        assert_eq!(syncs() - before, if durable { 2 } else { 0 }, "commit {number}");
    }
    assert!(growing < 10, "it grew {growing} times");
    Ok(())
}

/// A place with a database that has one row and was closed.
fn closed() -> Result<SimPlace, BackendError> {
    let place = SimPlace::default();
    let backend = RedbBackend::open_at(place.clone(), Options::default())?;
    backend.commit(&one(Table::Meta, b"a", b""), Durability::Immediate)?;
    Ok(place)
}

/// Whatever is left when the power fails after any event from that one on has one of these numbers of rows.
fn whole_after_each(place: &SimPlace, from: usize, rows: &[u64], seed: u64) -> Outcome {
    // Built for debugging, redb reads all of a file that it opens.
    const CRASHES: usize = if cfg!(debug_assertions) { 2 } else { 12 };
    let (mut replay, mut chance) = (Replay::default(), Chance::new(seed));
    for (at, event) in place.events().iter().enumerate() {
        replay.play(event, &mut chance);
        for _ in 0..if at < from { 0 } else { CRASHES } {
            let left = replay.crash(&mut chance);
            let opened = RedbBackend::open_at(left, Options::default());
            let there = opened.map_err(|error| format!("after event {at}: {error}"))?.view()?.count(Table::Meta)?;
            assert!(rows.contains(&there), "{there} rows after event {at}");
        }
    }
    Ok(())
}

#[test]
fn opening_after_an_orderly_end_costs_no_sync_and_a_crash_then_loses_nothing() -> Outcome {
    let place = closed()?;
    for _ in 0..3 {
        let before = (syncs(&place), place.events().len());
        let backend = RedbBackend::open_at(place.clone(), Options::default())?;
        assert_eq!(syncs(&place), before.0);
        assert_eq!(backend.view()?.count(Table::Meta)?, 1);
        drop(backend);
        whole_after_each(&place, before.1, &[1], 1)?;
    }
    let ended = place.events().len();
    let backend = RedbBackend::open_at(place.clone(), Options::default())?;
    backend.commit(&one(Table::Meta, b"b", b""), Durability::Relaxed)?;
    backend.commit(&one(Table::Meta, b"c", b""), Durability::Immediate)?;
    whole_after_each(&place, ended, &[1, 3], 2)
}

#[test]
fn that_it_is_open_is_synced_before_the_file_gets_another_length() -> Outcome {
    // The first, second, … sync after an orderly end fails, while the file has to grow, and what it should have made safe is lost.
    for failing in 0..6 {
        let place = closed()?;
        let ended = place.events().len();
        let backend = RedbBackend::open_at(place.clone(), Options::default())?;
        let mut faults = Faults::default();
        faults.fail_sync = Some(failing);
        place.fail(faults);
        let large = one(Table::Meta, b"b", &vec![7; 200_000]);
        let failed = backend.commit(&large, Durability::Immediate);
        assert_eq!(failed.is_err(), failing < 4, "sync {failing}: {failed:?}");
        place.fail(Faults::default());
        backend.commit(&large, Durability::Immediate)?;
        drop(backend);
        whole_after_each(&place, ended, &[1, 2], failing)?;
    }
    Ok(())
}

#[test]
fn what_a_killed_process_had_written_is_synced_before_anything_relies_on_it() -> Outcome {
    let place = SimPlace::default();
    let killed = RedbBackend::open_at(place.clone(), Options::default())?;
    killed.commit(&one(Table::Meta, b"a", b""), Durability::Immediate)?;
    let ended = place.events().len();
    // A simulated place keeps nobody out; the one that was killed does nothing more.
    let backend = RedbBackend::open_at(place.clone(), Options::default())?;
    let events = place.events();
    assert!(matches!(events[ended], Event::Sync(_)), "{:?}", events[ended]);
    backend.commit(&one(Table::Meta, b"b", b""), Durability::Immediate)?;
    whole_after_each(&place, ended, &[1, 2], 3)?;
    drop((backend, killed));
    Ok(())
}

#[test]
fn processes_that_are_killed_before_they_write_leave_what_was_there() -> Outcome {
    let place = closed()?;
    let ended = place.events().len();
    let mut killed = Vec::new();
    for _ in 0..4 {
        killed.push(RedbBackend::open_at(place.clone(), Options::default())?);
        whole_after_each(&place, ended, &[1], killed.len() as u64)?;
    }
    let backend = RedbBackend::open_at(place.clone(), Options::default())?;
    backend.commit(&one(Table::Meta, b"b", &vec![7; 200_000]), Durability::Immediate)?;
    whole_after_each(&place, ended, &[1, 2], 9)?;
    drop((backend, killed));
    Ok(())
}

#[test]
#[cfg_attr(debug_assertions, ignore = "redb reads the whole file when it is built for debugging; add `--release`")]
fn what_a_damaged_block_has_not_is_read_beside_it() -> Outcome {
    let place = SimPlace::default();
    let options = Options::default();
    let backend = RedbBackend::open_at(place.clone(), options.clone())?;
    let mut batch = Batch::new();
    for number in 0..5_000_u64 {
        batch.put(Table::Versions, &[number.to_be_bytes(), [0; 8]].concat(), &[number as u8; 100]);
    }
    backend.commit(&batch, Durability::Immediate)?;
    drop(backend);
    // a run of bytes in the middle cannot be read any more
    let middle = place.size() / 2 / 4096 * 4096;
    let backend = RedbBackend::open_at(place.clone(), options)?;
    place.fail(Faults::default());
    (middle..middle + 3 * 4096).step_by(4096).for_each(|byte| place.flip(byte, 3));
    let view = backend.view()?;
    let other = backend.view()?;
    let (mut read, mut damaged) = (0, 0);
    for (key, wanted) in batch.changes().map(|(_, key, row)| (key, row)) {
        let mut found = None;
        match view.get(Table::Versions, key, &mut |row| found = Some(row.to_vec())) {
            Ok(()) => {
                assert_eq!(found.as_deref(), wanted);
                read += 1;
            }
            Err(BackendError::Damaged(what)) => {
                assert!(what.contains("block"), "{what}");
                damaged += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    println!("{read} rows read, {damaged} damaged");
    assert!(damaged > 0 && damaged < 400 && read + damaged == 5_000);
    // One that was taken before others met with the damage goes on, and so does writing.
    let mut first = 0;
    other.scan(Table::Versions, (Bound::Unbounded, Bound::Unbounded), Direction::Forward, &mut |_, _| {
        first += 1;
        if first < 100 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    assert_eq!(first, 100);
    backend.commit(&one(Table::Meta, b"a", b""), Durability::Immediate)?;
    assert_eq!(backend.view()?.count(Table::Meta)?, 1);
    Ok(())
}
