//! What is damaged is found and named, and never served; what was exported comes back as it was.

mod common;

use anabranch_store::{Engine, ImportError, Memory, Options, Store, StoreError, Table, Timestamp, Write};
use anabranch_value::value;
use common::{assert_each_damage_is_found, assert_whole, chain, rows, set_row};
use std::sync::Arc;

/// Keys with chains, deletions, causes, and a key that is deleted.
fn filled() -> (Arc<Memory>, Store) {
    let backend = Arc::new(Memory::new());
    let store = Store::open(backend.clone(), Options::new(|| Timestamp::from_nanos(1000)).hot_bytes(0)).unwrap();
    let reading = store.put("sensor", "a", 1).unwrap();
    store.put("sensor", "b", "x".repeat(100)).unwrap();
    let other = store.put("sensor", "a", value!({ "celsius": 2 })).unwrap();
    let alarm = Write::put("alarm", "a", true).because([reading.version_id, other.version_id]);
    store.write(alarm).unwrap();
    store.delete("sensor", "b").unwrap();
    store.put("sensor", "a", 1).unwrap();
    store.put("alarm", "b", value!(null)).unwrap();
    store.delete("alarm", "b").unwrap();
    store.put("alarm", "b", 5).unwrap();
    (backend, store)
}

fn exported(store: &Store) -> Vec<u8> {
    common::exported(store).0
}

/// In small pieces, as a file comes.
fn import(store: &Store, file: &[u8]) -> Result<anabranch_store::Imported, StoreError> {
    common::import(store, file, 7, &mut |_| ())
}

fn empty() -> Store {
    common::in_memory()
}

#[test]
fn a_database_that_was_not_touched_is_whole() {
    let (_, store) = filled();
    let verified = store.verify(&mut |_| ()).unwrap();
    assert_eq!(verified.damages, []);
    assert_eq!((verified.keys, verified.versions), (4, 9));
    assert!(empty().verify(&mut |_| ()).unwrap().is_whole());
}

#[test]
fn every_flipped_bit_and_every_lost_row_is_found() {
    let (backend, store) = filled();
    for table in Table::ALL {
        assert_each_damage_is_found(&store, &backend, table, rows(&backend, table), 1);
    }
    assert!(store.verify(&mut |_| ()).unwrap().is_whole());
}

#[test]
fn a_key_whose_own_rows_are_damaged_is_named_by_the_index() {
    let (backend, store) = filled();
    // The first row of a chain has the key's name.
    let (key, row) = rows(&backend, Table::Versions).into_iter().find(|(key, _)| key[8..] == [0; 8]).unwrap();
    let mut flipped = row.clone();
    flipped[0] ^= 1;
    set_row(&backend, Table::Versions, &key, Some(&flipped));
    let verified = store.verify(&mut |_| ()).unwrap();
    let named = Some(("sensor".to_string(), "a".to_string()));
    assert!(verified.damages.iter().any(|damage| damage.of == named), "{:?}", verified.damages);
}

#[test]
fn what_is_damaged_is_named_and_never_served() {
    let (backend, store) = filled();
    let versions = chain(&store, "sensor", "a");
    let (key, row) = rows(&backend, Table::Versions)
        .into_iter()
        .find(|(key, _)| key[8..] == versions[1].timestamp.nanos().to_be_bytes())
        .unwrap();
    let mut flipped = row.clone();
    *flipped.last_mut().unwrap() ^= 1;
    set_row(&backend, Table::Versions, &key, Some(&flipped));
    let error = store.get_at("sensor", "a", versions[1].timestamp).unwrap_err();
    assert!(error.is_damage() && error.to_string().contains("`verify`"), "{error}");
    assert_eq!(store.get_at("sensor", "a", versions[0].timestamp).unwrap(), versions[0]);
    let verified = store.verify(&mut |_| ()).unwrap();
    let named: Vec<_> = verified.damages.iter().filter_map(|damage| damage.of.clone()).collect();
    assert_eq!(named, [("sensor".to_string(), "a".to_string())]);
    assert_eq!(verified.damages[0].since, Some(versions[1].timestamp));

    // And the rest is saved: with the versions after the one that is damaged.
    let mut file = Vec::new();
    let exported = store
        .export(
            &mut |bytes| {
                file.extend_from_slice(bytes);
                Ok(())
            },
            &mut |_| (),
        )
        .unwrap();
    assert_eq!((exported.damages.len(), exported.versions), (1, 8));
    let saved = empty();
    assert_eq!(import(&saved, &file).unwrap().new, 8);
    assert_eq!(chain(&saved, "sensor", "a"), [versions[0].clone(), versions[2].clone()]);
    assert!(saved.verify(&mut |_| ()).unwrap().is_whole());
}

#[test]
fn an_export_comes_back_as_it_was_and_twice_is_once() {
    let (_, store) = filled();
    let file = exported(&store);
    let other = empty();
    assert_eq!(import(&other, &file).unwrap().new, 9);
    for (namespace, key) in [("sensor", "a"), ("sensor", "b"), ("alarm", "a"), ("alarm", "b")] {
        assert_eq!(chain(&other, namespace, key), chain(&store, namespace, key));
        assert_eq!(other.get(namespace, key), store.get(namespace, key));
    }
    assert!(other.verify(&mut |_| ()).unwrap().is_whole());
    let again = import(&other, &file).unwrap();
    assert_eq!((again.new, again.known), (0, 9));
    assert_eq!(exported(&other), file, "the same database gives the same file");
    // It goes on, and time does not go back.
    let next = other.put("sensor", "a", 7).unwrap();
    assert_whole(&chain(&other, "sensor", "a"));
    assert!(next.timestamp > store.get("alarm", "b").unwrap().timestamp);
    // What was written since stands in no one's way.
    assert_eq!(import(&other, &file).unwrap().known, 9);
    // More of the same history is added to what is there.
    store.put("sensor", "b", 1).unwrap();
    let third = empty();
    import(&third, &file).unwrap();
    assert_eq!(import(&third, &exported(&store)).unwrap().new, 1);
    assert_eq!(third.get("sensor", "b"), store.get("sensor", "b"));
}

#[test]
fn an_import_is_seen_by_readers_and_over_what_they_held() {
    let (_, store) = filled();
    let file = exported(&store);
    let other = empty();
    assert!(other.get("sensor", "a").is_err());
    import(&other, &file).unwrap();
    assert_eq!(other.get("sensor", "a"), store.get("sensor", "a"));
    store.put("sensor", "a", 42).unwrap();
    import(&other, &exported(&store)).unwrap();
    assert_eq!(other.get("sensor", "a").unwrap().value, value!(42));
}

#[test]
fn a_file_that_is_cut_short_altered_or_from_the_future_is_refused() {
    let (_, store) = filled();
    let file = exported(&store);
    let reason = |file: &[u8]| match import(&empty(), file) {
        Err(StoreError::Import { reason, .. }) => reason,
        outcome => panic!("{outcome:?}"),
    };
    for length in 0..file.len() {
        let reason = reason(&file[..length]);
        match length {
            0..12 => assert_eq!(reason, ImportError::NotAnExport),
            _ => assert_eq!(reason, ImportError::CutShort { at: length as u64 }),
        }
    }
    for bit in 0..file.len() * 8 {
        let mut flipped = file.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        reason(&flipped);
    }
    let mut longer = file.clone();
    longer.push(0);
    assert!(matches!(reason(&longer), ImportError::Altered { .. }));
    let mut newer = file.clone();
    newer[11] = 9;
    assert_eq!(reason(&newer), ImportError::Newer { found: 9, known: 1 });
    assert_eq!(reason(b"SQLite format 3\0 and so on"), ImportError::NotAnExport);
    // What was read whole stays, and the whole file completes it.
    let other = empty();
    assert!(import(&other, &file[..file.len() - 1]).is_err());
    assert_eq!(import(&other, &file).unwrap().known, 9);
}

#[test]
fn another_history_of_a_key_is_not_mixed_with_the_one_here() {
    let (_, store) = filled();
    let other = Store::open(Memory::new(), Options::new(|| Timestamp::from_nanos(5_000_000))).unwrap();
    other.put("sensor", "a", 0).unwrap();
    let outcome = import(&other, &exported(&store));
    let Err(StoreError::Import { reason: ImportError::Diverged { key, .. }, .. }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(key, "a");
    assert_eq!(chain(&other, "sensor", "a").len(), 1);
    assert!(other.verify(&mut |_| ()).unwrap().is_whole());
}

#[test]
fn a_version_at_the_time_of_another_keys_is_not_taken_for_another_history() {
    let at = |clock| Store::open(Memory::new(), Options::new(move || Timestamp::from_nanos(clock))).unwrap();
    let (store, other) = (at(1_000), at(1_000));
    let here = store.put("here", "k", 1).unwrap();
    let there = other.put("there", "k", 2).unwrap();
    assert_eq!(here.timestamp, there.timestamp);
    let reason = ImportError::TimeTaken { namespace: "there".into(), key: "k".into(), at: there.timestamp };
    assert_eq!(import(&store, &exported(&other)), Err(StoreError::Import { versions: 0, reason }));
    assert_eq!(store.stats().unwrap().total_versions, 1);
    assert!(store.verify(&mut |_| ()).unwrap().is_whole());
}

#[test]
fn an_export_by_pieces_is_the_same_file_and_holds_what_was_written_before() {
    let (_, store) = filled();
    let file = exported(&store);
    for most in [1, 7, 64, 1 << 20] {
        let mut exporting = store.exporting().unwrap();
        let mut pieces: Vec<Vec<u8>> = Vec::new();
        loop {
            let piece = exporting.next_piece(most).unwrap();
            if piece.is_empty() {
                break;
            }
            pieces.push(piece.to_vec());
            if pieces.len() == 1 {
                store.put("later", &format!("{most}"), 1).unwrap();
            }
        }
        assert!(pieces.iter().all(|piece| piece.len() <= most));
        let other = empty();
        let mut importing = other.importing();
        pieces.iter().for_each(|piece| importing.feed(piece).unwrap());
        assert_eq!(importing.end().unwrap().new, if most == 1 { 9 } else { store.stats().unwrap().total_versions - 1 });
        if most == 1 {
            assert_eq!(pieces.concat(), file);
        }
        assert!(exporting.next_piece(most).unwrap().is_empty(), "it has ended");
    }
}

#[test]
fn an_import_that_is_given_up_keeps_what_came_and_says_why() {
    let (_, store) = filled();
    let file = exported(&store);
    let other = empty();
    let mut importing = other.importing();
    importing.feed(&file[..file.len() - 57]).unwrap();
    let outcome = importing.give_up("the line is gone".into());
    let reason = ImportError::Unreadable("the line is gone".into());
    assert_eq!(outcome, Err(StoreError::Import { versions: 9, reason }));
    assert_eq!(import(&other, &file).unwrap().known, 9);
    // After an error nothing more is taken.
    let mut importing = other.importing();
    assert!(importing.feed(b"SQLite format 3").is_err());
    assert_eq!(importing.feed(&file), Ok(()));
    assert!(importing.end().is_err());
}

#[test]
fn an_export_that_cannot_be_written_says_so() {
    let (_, store) = filled();
    let outcome = store.export(&mut |_| Err("the disk is full".into()), &mut |_| ());
    assert_eq!(outcome, Err(StoreError::Export { reason: "the disk is full".into() }));
}

#[test]
fn a_large_database_goes_through_a_file() {
    let store = empty();
    let writes = (0..3000).map(|number| Write::put("n", format!("{number}"), vec![7_u8; 3000].as_slice())).collect();
    store.write_batch(writes).unwrap();
    for number in 0..3000 {
        store.put("n", "chain", number).unwrap();
    }
    let other = empty();
    let mut told = 0;
    let file = exported(&store);
    assert_eq!(common::import(&other, &file, usize::MAX, &mut |versions| told = versions).unwrap().new, 6000);
    assert_eq!(told, 6000);
    assert_eq!(exported(&other), file);
    assert_eq!(other.stats().unwrap().key_count, 3001);
}

#[test]
fn a_later_format_and_another_database_are_refused() {
    let (backend, _) = filled();
    let (key, row) = rows(&backend, Table::Meta).pop().unwrap();
    set_row(&backend, Table::Meta, &key, None);
    let error = Engine::open(backend.clone()).unwrap_err();
    assert!(error.to_string().contains("no database of Anabranch"), "{error}");
    let mut damaged = row.clone();
    damaged[7] = 9;
    set_row(&backend, Table::Meta, &key, Some(&damaged));
    assert!(Engine::open(backend).unwrap_err().is_damage());
}
