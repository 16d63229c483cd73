//! What can be opened and what cannot; what is damaged is told, and the rest is read.

use anabranch_medium::sim::{Chance, Event, Faults, Replay, SimPlace};
use anabranch_opfs::{OpfsBackend, Options};
use anabranch_store::{Backend, BackendError, Batch, Durability, Table, View};

type Outcome = Result<(), BackendError>;

const LOG: usize = 0;
const TREE: usize = 1;

fn open(place: &SimPlace) -> Result<OpfsBackend, BackendError> {
    OpfsBackend::open(place.fixed(LOG), place.fixed(TREE), Options::default())
}

/// What opening says; nothing where it succeeds.
fn refused(place: &SimPlace) -> Option<BackendError> {
    open(place).err()
}

fn one(key: &[u8], row: &[u8]) -> Batch {
    let mut batch = Batch::new();
    batch.put(Table::Meta, key, row);
    batch
}

fn row(backend: &OpfsBackend, key: &[u8]) -> Result<Option<Vec<u8>>, BackendError> {
    let mut found = None;
    backend.view()?.get(Table::Meta, key, &mut |row| found = Some(row.to_vec()))?;
    Ok(found)
}

/// One with a tree and a few commits in its log.
fn filled() -> Result<SimPlace, BackendError> {
    let place = SimPlace::with_media(2);
    let backend = open(&place)?;
    for number in 0..300_u64 {
        backend.commit(&one(&number.to_be_bytes(), &[number as u8; 100]), Durability::Immediate)?;
    }
    backend.checkpoint()?;
    for number in 300..305_u64 {
        backend.commit(&one(&number.to_be_bytes(), &[number as u8; 100]), Durability::Immediate)?;
    }
    Ok(place)
}

#[test]
fn whatever_a_crash_leaves_of_a_database_that_is_being_made_is_made_anew() -> Outcome {
    for seed in 0..200 {
        let place = SimPlace::with_media(2);
        let mut chance = Chance::new(seed);
        drop(open(&place)?);
        let mut replay = Replay::default();
        for event in place.events() {
            replay.play(&event, &mut chance);
            let left = replay.crash(&mut chance);
            open(&left)?.commit(&one(b"a", b"1"), Durability::Immediate)?;
            assert_eq!(row(&open(&left)?, b"a")?.as_deref(), Some(&b"1"[..]));
        }
    }
    Ok(())
}

#[test]
fn what_is_no_database_is_refused_and_left_as_it_is() {
    let other = b"SQLite format 3\0 and what comes after that".to_vec();
    for media in [
        [vec![], other.clone()],
        [vec![], vec![7; 100_000]],
        [vec![], vec![0; 100_000]],
        [other.clone(), vec![]],
        [vec![7; 5_000], vec![]],
    ] {
        let place = SimPlace::with_bytes(&media);
        let said = refused(&place);
        assert!(matches!(said, Some(BackendError::NotADatabase(_))), "{said:?}");
        assert_eq!([place.bytes_of(LOG), place.bytes_of(TREE)], media);
    }
}

#[test]
fn a_log_or_a_tree_of_another_moment_is_told() -> Outcome {
    let place = filled()?;
    let (log, tree) = (place.bytes_of(LOG), place.bytes_of(TREE));
    let damaged = |log: &[u8], tree: &[u8]| {
        let said = refused(&SimPlace::with_bytes(&[log.to_vec(), tree.to_vec()]));
        assert!(matches!(said, Some(BackendError::Damaged(_))), "{said:?}");
    };
    damaged(&log, &[]);
    damaged(&log, &tree[..tree.len() - 1]);
    damaged(&log, &tree[..4 * 4096]);
    // The header of before, as it is where a sync was not what it said.
    let mut older = tree.clone();
    older[2 * 4096..4 * 4096].fill(0);
    damaged(&log, &older);
    // Both headers are spoilt.
    let mut spoilt = tree;
    for block in 0..4 {
        spoilt[block * 4096 + 50] ^= 6;
    }
    damaged(&log, &spoilt);
    Ok(())
}

#[test]
fn a_later_format_is_refused_by_its_number() -> Outcome {
    let place = filled()?;
    let mut tree = place.bytes_of(TREE);
    for block in 0..4 {
        let begin = block * 4096;
        tree[begin + 16] = 2;
        let sum = anabranch_store::crc32c(&tree[begin..begin + 20]);
        tree[begin + 20..begin + 24].copy_from_slice(&sum.to_le_bytes());
    }
    let place = SimPlace::with_bytes(&[place.bytes_of(LOG), tree]);
    assert_eq!(refused(&place), Some(BackendError::Newer { found: 2, known: 1 }));
    Ok(())
}

#[test]
fn of_the_log_one_flipped_bit_is_put_right_and_more_in_what_was_safe_are_told() -> Outcome {
    let place = filled()?;
    let (log, tree) = (place.bytes_of(LOG), place.bytes_of(TREE));
    // A record: 28 bytes, and 3 for the table and the lengths, with 8 of the key and 100 of the row
    const RECORD: usize = 139;
    for bit in (0..5 * RECORD * 8).step_by(5) {
        let mut flipped = log.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let place = SimPlace::with_bytes(&[flipped, tree.clone()]);
        let backend = open(&place)?;
        for number in 298..305_u64 {
            assert_eq!(row(&backend, &number.to_be_bytes())?, Some(vec![number as u8; 100]), "bit {bit}");
        }
        assert_eq!(place.bytes_of(LOG)[..5 * RECORD], log[..5 * RECORD], "bit {bit}");
    }
    // Where two records meet, that would be one bit of each.
    for at in (0..4 * RECORD).step_by(3).filter(|at| at % RECORD < RECORD - 1) {
        let mut spoilt = log.clone();
        spoilt[at] ^= 1;
        spoilt[at + 1] ^= 1;
        let said = refused(&SimPlace::with_bytes(&[spoilt, tree.clone()]));
        assert!(matches!(&said, Some(BackendError::Damaged(what)) if what.contains("its log")), "byte {at}: {said:?}");
    }
    // Of the last one nobody can say that it was safe: it may have been torn.
    let mut torn = log;
    torn[4 * RECORD + 50..].fill(0);
    let backend = open(&SimPlace::with_bytes(&[torn, tree]))?;
    assert_eq!(row(&backend, &304_u64.to_be_bytes())?, None);
    assert!(row(&backend, &303_u64.to_be_bytes())?.is_some());
    Ok(())
}

#[test]
fn what_a_damaged_node_has_not_is_read_beside_it_and_written_to() -> Outcome {
    let place = filled()?;
    let (log, mut tree) = (place.bytes_of(LOG), place.bytes_of(TREE));
    // In the middle of the leaves.
    tree[4 * 4096 + 3 * 4096 + 900] ^= 16;
    let place = SimPlace::with_bytes(&[log, tree]);
    let backend = open(&place)?;
    let (mut read, mut damaged) = (0, 0);
    for number in 0..305_u64 {
        match row(&backend, &number.to_be_bytes()) {
            Ok(row) => {
                assert_eq!(row, Some(vec![number as u8; 100]));
                read += 1;
            }
            Err(BackendError::Damaged(what)) => {
                assert!(what.contains("blocks 7 to 7"), "{what}");
                damaged += 1;
            }
            Err(other) => return Err(other),
        }
    }
    assert!((20..50).contains(&damaged) && read + damaged == 305, "{read} read, {damaged} damaged");
    // Commits go on, and so do checkpoints that do not touch it.
    backend.commit(&one(&9_000_u64.to_be_bytes(), b"1"), Durability::Immediate)?;
    backend.checkpoint()?;
    assert_eq!(row(&open(&place.copy())?, &9_000_u64.to_be_bytes())?.as_deref(), Some(&b"1"[..]));
    Ok(())
}

#[test]
fn a_log_that_cannot_be_brought_into_its_tree_goes_on_for_a_while_and_then_says_why() -> Outcome {
    let place = filled()?;
    let (log, mut tree) = (place.bytes_of(LOG), place.bytes_of(TREE));
    tree[7 * 4096 + 900] ^= 16;
    let place = SimPlace::with_bytes(&[log, tree]);
    let mut options = Options::default();
    options.log = 2_000;
    let backend = OpfsBackend::open(place.fixed(LOG), place.fixed(TREE), options)?;
    let mut damaged_key = 0_u64;
    while row(&backend, &damaged_key.to_be_bytes()).is_ok() {
        damaged_key += 1;
    }
    backend.commit(&one(&damaged_key.to_be_bytes(), b"written over"), Durability::Immediate)?;
    let mut commits = 0;
    let said = loop {
        match backend.commit(&one(b"a", &[7; 1_000]), Durability::Immediate) {
            Ok(()) => commits += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&said, BackendError::Damaged(what) if what.contains("blocks 7 to 7")), "{said}");
    assert!((100..140).contains(&commits), "{commits} commits");
    // All that was acknowledged is there.
    drop(backend);
    let backend = open(&place.copy())?;
    assert_eq!(row(&backend, &damaged_key.to_be_bytes())?.as_deref(), Some(&b"written over"[..]));
    assert_eq!(row(&backend, b"a")?, Some(vec![7; 1_000]));
    Ok(())
}

#[test]
fn on_a_full_disk_commits_say_so_readers_go_on_and_all_goes_on_when_there_is_room() -> Outcome {
    let place = filled()?;
    let mut options = Options::default();
    options.log = 10_000;
    let backend = OpfsBackend::open(place.fixed(LOG), place.fixed(TREE), options)?;
    let mut faults = Faults::default();
    faults.room = Some(place.taken() + 3 * 4096);
    place.fail(faults);
    let mut last = 1_000_u64;
    let said = loop {
        match backend.commit(&one(&last.to_be_bytes(), &[7; 1_000]), Durability::Immediate) {
            Ok(()) => last += 1,
            Err(error) => break error,
        }
        assert!(last < 1_100);
    };
    assert_eq!(said, BackendError::Full);
    let newest = |backend: &OpfsBackend| {
        assert_eq!(row(backend, &(last - 1).to_be_bytes())?, Some(vec![7; 1_000]));
        row(backend, &last.to_be_bytes())
    };
    assert_eq!(newest(&backend)?, None);
    assert_eq!(backend.checkpoint(), Err(BackendError::Full));
    assert_eq!(newest(&backend)?, None);
    place.fail(Faults::default());
    backend.commit(&one(&last.to_be_bytes(), b"after"), Durability::Immediate)?;
    backend.checkpoint()?;
    assert_eq!(newest(&open(&place.copy())?)?.as_deref(), Some(&b"after"[..]));
    Ok(())
}

#[test]
fn a_header_of_which_nobody_knows_whether_it_is_there_is_written_again_before_anything_else() -> Outcome {
    for failing in 0..4 {
        let place = filled()?.copy();
        let backend = open(&place)?;
        let mut faults = Faults::default();
        // The first sync of a checkpoint is of its nodes, the second of its header.
        faults.fail_sync = Some(failing);
        place.fail(faults);
        let said = [backend.checkpoint(), backend.commit(&one(b"a", b"1"), Durability::Immediate)];
        assert_eq!(said.iter().filter(|said| said.is_err()).count(), usize::from(failing < 3), "{said:?}");
        place.fail(Faults::default());
        backend.commit(&one(b"b", b"2"), Durability::Immediate)?;
        let is_there = said[1].is_ok();
        // `place` was a copy, which begins with what it had.
        let before = filled()?;
        for seed in 0..40 {
            let (mut replay, mut chance) = (Replay::default(), Chance::new(seed));
            before.events().iter().chain(&place.events()[1..]).for_each(|event| replay.play(event, &mut chance));
            let backend = open(&replay.crash(&mut chance))?;
            assert_eq!((row(&backend, b"a")?.is_some(), row(&backend, b"b")?.is_some()), (is_there, true));
            assert!(row(&backend, &302_u64.to_be_bytes())?.is_some());
        }
        assert!(row(&open(&place.copy())?, b"b")?.is_some());
    }
    Ok(())
}

#[test]
fn what_a_crash_has_left_of_later_commits_does_not_come_back() -> Outcome {
    let place = SimPlace::with_media(2);
    let backend = open(&place)?;
    for key in [b"1", b"2", b"3"] {
        backend.commit(&one(key, b"before"), Durability::Relaxed)?;
    }
    let (mut log, tree) = (place.bytes_of(LOG), place.bytes_of(TREE));
    let record = log.len() / 3;
    // The second one is lost, and the third has come to the disk before it.
    log[record..2 * record].fill(0);
    let place = SimPlace::with_bytes(&[log, tree]);
    let backend = open(&place)?;
    assert_eq!([row(&backend, b"1")?.is_some(), row(&backend, b"3")?.is_some()], [true, false]);
    // As long as the one that was lost: the third would follow it.
    backend.commit(&one(b"4", b"after "), Durability::Immediate)?;
    drop(backend);
    let backend = open(&place.copy())?;
    let found = [b"1", b"2", b"3", b"4"].map(|key| row(&backend, key).map(|row| row.is_some()));
    assert_eq!(found, [true, false, false, true].map(Ok));
    Ok(())
}

#[test]
fn relaxed_commits_are_made_durable_when_there_are_many_and_at_an_orderly_end() -> Outcome {
    let place = SimPlace::with_media(2);
    let mut options = Options::default();
    options.relaxed = 5_000;
    let backend = OpfsBackend::open(place.fixed(LOG), place.fixed(TREE), options)?;
    let syncs = || place.events().iter().filter(|event| matches!(event, Event::Sync(LOG))).count();
    for _ in 0..20 {
        backend.commit(&one(b"a", &[7; 1_000]), Durability::Relaxed)?;
    }
    assert_eq!(syncs(), 4);
    backend.commit(&one(b"a", b"last"), Durability::Relaxed)?;
    backend.close()?;
    assert_eq!(syncs(), 5);
    assert!(!place.fixed(LOG).is_empty().unwrap_or(true));
    Ok(())
}
