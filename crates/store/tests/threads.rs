//! Many threads on one store: none of their writes is lost, and they share commits.

mod common;

use anabranch_store::{Durability, Expected, Memory, Options, Start, Store, StoreError, Timestamp, Write};
use anabranch_value::Value;
use common::{Fault, Faulty, assert_whole, chain, in_memory};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

fn over(backend: Faulty, hot_bytes: usize) -> Store {
    Store::open(backend, Options::new(|| Timestamp::from_nanos(1000)).hot_bytes(hot_bytes)).unwrap()
}

/// 8 threads put and compare-and-set one key.
fn contend(store: &Store, each: i64) {
    thread::scope(|scope| {
        for writer in 0..8_i64 {
            scope.spawn(move || {
                for number in 0..each {
                    if writer % 2 == 0 {
                        store.put("n", "k", writer * each + number).unwrap();
                        continue;
                    }
                    loop {
                        let expected = match store.get("n", "k") {
                            Ok(version) => Expected::Version(version.version_id),
                            Err(_) => Expected::Absent,
                        };
                        match store.put_if("n", "k", writer * each + number, expected) {
                            Ok(version) => {
                                let previous = version.previous_version.map_or(Expected::Absent, Expected::Version);
                                assert_eq!(previous, expected);
                                break;
                            }
                            Err(StoreError::Conflict { current, .. }) => assert_ne!(Expected::from(current), expected),
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            });
        }
    });
    let versions = chain(store, "n", "k");
    assert_eq!(versions.len() as i64, 8 * each);
    assert_whole(&versions);
    let values: HashSet<i64> = versions.iter().filter_map(|version| version.value.as_i64()).collect();
    assert_eq!(values.len() as i64, 8 * each, "each value once");
    assert_eq!(store.get("n", "k").unwrap(), versions[versions.len() - 1]);
}

#[test]
fn eight_threads_on_one_key_lose_nothing_in_memory() {
    contend(&in_memory(), 250);
}

#[test]
fn eight_threads_on_one_key_lose_nothing_over_a_slow_disk() {
    contend(&over(Faulty::new(Duration::from_micros(200)), 64 << 20), 20);
    contend(&over(Faulty::new(Duration::from_micros(200)), 0), 20);
}

#[test]
fn sixteen_writers_share_syncs() {
    let backend = Faulty::new(Duration::from_millis(2));
    let store = over(backend.clone(), 64 << 20);
    thread::scope(|scope| {
        for writer in 0..16 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..50 {
                    store.put("n", &format!("{writer}"), number).unwrap();
                }
            });
        }
    });
    let commits = backend.commits.load(Ordering::SeqCst);
    assert!(commits <= 16 * 50 / 8, "{commits} commits for 800 puts");
    assert_eq!(store.stats().unwrap().total_versions, 800);
}

#[test]
fn one_writer_has_one_commit_for_each_put() {
    let backend = Faulty::new(Duration::ZERO);
    let store = over(backend.clone(), 64 << 20);
    for number in 0..50 {
        store.put("n", "k", number).unwrap();
    }
    assert_eq!(backend.commits.load(Ordering::SeqCst), 50);
}

#[test]
fn many_writes_in_flight_of_one_thread_share_a_commit_and_keep_their_order() {
    let backend = Faulty::new(Duration::ZERO);
    let store = over(backend.clone(), 64 << 20);
    let tickets: Vec<_> = (0..100).map(|number| store.submit(vec![Write::put("n", "k", number)]).unwrap()).collect();
    let versions: Vec<_> = tickets.into_iter().flat_map(|ticket| ticket.wait().unwrap()).collect();
    assert_eq!(backend.commits.load(Ordering::SeqCst), 1);
    assert_whole(&versions);
    assert_eq!(chain(&store, "n", "k"), versions);
    assert_eq!(store.get("n", "k").unwrap().value, Value::Int(99));
}

#[test]
fn a_failed_commit_reaches_the_caller_and_leaves_no_trace() {
    for hot_bytes in [0, 64 << 20] {
        let backend = Faulty::new(Duration::ZERO);
        let store = over(backend.clone(), hot_bytes);
        let first = store.put("n", "k", 1).unwrap();
        backend.set(Fault::Fail);
        for _ in 0..3 {
            let error = store.put("n", "k", 2).unwrap_err();
            assert!(error.to_string().contains("disk is full"), "{error}");
            assert!(store.put("n", "new", 2).is_err());
            assert!(store.delete("n", "k").is_err());
            assert!(store.write_batch(vec![Write::put("n", "a", 1), Write::put("n", "b", 1)]).is_err());
        }
        // Readers go on.
        assert_eq!(store.get("n", "k").unwrap(), first);
        assert!(matches!(store.get("n", "new"), Err(StoreError::KeyNotFound { .. })));
        assert_eq!(store.list_keys("n", "", None, None, 10).unwrap().items, ["k"]);
        backend.set(Fault::None);
        let second = store.put("n", "k", 2).unwrap();
        assert_eq!(second.previous_version, Some(first.version_id));
        assert_eq!(store.get("n", "k").unwrap(), second);
        assert_whole(&chain(&store, "n", "k"));
        store.delete("n", "k").unwrap();
        assert_eq!(store.stats().unwrap().key_count, 0);
    }
}

#[test]
fn waiting_writers_are_told_when_the_one_that_leads_panics() {
    let backend = Faulty::new(Duration::from_millis(5));
    let store = over(backend.clone(), 64 << 20);
    store.put("n", "k", 1).unwrap();
    backend.set(Fault::Panic);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|number| {
                scope.spawn({
                    let store = &store;
                    move || store.put("n", "k", number)
                })
            })
            .collect();
        let outcomes: Vec<_> = writers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_err()).count(), 1, "one panics");
        assert!(outcomes.into_iter().flatten().all(|outcome| outcome == Err(StoreError::WriterPanicked)));
    });
    backend.set(Fault::None);
    assert_eq!(store.put("n", "k", 2), Err(StoreError::WriterPanicked));
    assert_eq!(store.get("n", "k").unwrap().value, Value::Int(1), "readers go on");
}

#[test]
fn what_one_reader_has_seen_no_later_reader_misses() {
    for hot_bytes in [0, 4096, 64 << 20] {
        let store = over(Faulty::new(Duration::from_micros(100)), hot_bytes);
        store.write_batch(vec![Write::put("n", "a", 0), Write::put("n", "b", 0)]).unwrap();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let mut seen = 0;
                    while !done.load(Ordering::Relaxed) {
                        // By way of a view, of the hot tier, and of another key of the same batches.
                        let newest = store.history("n", "a", .., 1).unwrap().items[0].value.as_i64().unwrap();
                        let hot = store.get("n", "a").unwrap().value.as_i64().unwrap();
                        let other = store.get("n", "b").unwrap().value.as_i64().unwrap();
                        assert!(seen <= newest && newest <= hot && hot <= other, "{seen} {newest} {hot} {other}");
                        seen = other;
                    }
                });
            }
            for number in 1..300 {
                store.write_batch(vec![Write::put("n", "a", number), Write::put("n", "b", number)]).unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}

#[test]
fn a_subscription_replays_and_follows_with_no_gap_and_nothing_twice() {
    let store = Store::open(Memory::new(), Options::new(|| Timestamp::from_nanos(1000))).unwrap();
    const EACH: i64 = 300;
    for number in 0..EACH {
        store.put("n", "w/before", number).unwrap();
        store.put("n", "x", number).unwrap();
        store.put("other", "w/1", number).unwrap();
    }
    thread::scope(|scope| {
        let followers: Vec<_> = [Start::Beginning, Start::At(Timestamp::from_nanos(1300))]
            .into_iter()
            .map(|start| {
                let mut subscription = store.subscribe("n", "w/", start).unwrap();
                scope.spawn(move || {
                    let mut versions = Vec::new();
                    // The last write is one that says so.
                    loop {
                        let next = subscription.wait_next().unwrap();
                        assert_eq!(&*next.namespace, "n");
                        assert!(next.key.starts_with("w/"));
                        if &*next.key == "w/end" {
                            break versions;
                        }
                        versions.push((next.key.to_string(), next.version));
                    }
                })
            })
            .collect();
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let store = &store;
                scope.spawn(move || {
                    for number in 0..EACH {
                        store.put("n", &format!("w/{writer}"), number).unwrap();
                        store.put("n", "not wanted", number).unwrap();
                    }
                })
            })
            .collect();
        writers.into_iter().for_each(|writer| writer.join().unwrap());
        store.put("n", "w/end", 0).unwrap();
        for (place, follower) in followers.into_iter().enumerate() {
            let versions = follower.join().unwrap();
            assert!(versions.windows(2).all(|pair| pair[0].1.timestamp < pair[1].1.timestamp), "in order, each once");
            for writer in 0..4 {
                let key = format!("w/{writer}");
                let its: Vec<_> =
                    versions.iter().filter(|(its, _)| *its == key).map(|(_, version)| version.clone()).collect();
                assert_eq!(its, chain(&store, "n", &key));
            }
            let before = versions.iter().filter(|(key, _)| key == "w/before").count() as i64;
            let expected = [EACH, EACH - 100][place];
            assert_eq!(before, expected);
        }
    });
}

#[test]
fn a_subscription_begins_where_it_is_told_and_says_where_it_is() {
    let store = in_memory();
    let first = store.put("n", "a", 1).unwrap();
    let second = store.put("n", "b", 2).unwrap();
    store.delete("n", "a").unwrap();
    let all = |start| {
        let mut subscription = store.subscribe("n", "", start).unwrap();
        let mut versions = Vec::new();
        while let Some(next) = subscription.try_next().unwrap() {
            assert_eq!(subscription.position(), next.version.timestamp);
            versions.push((next.key.to_string(), next.version.deleted));
        }
        versions
    };
    let expected = [("a".to_string(), false), ("b".to_string(), false), ("a".to_string(), true)];
    assert_eq!(all(Start::Beginning), expected);
    assert_eq!(all(Start::After(first.version_id)), expected[1..]);
    assert_eq!(all(Start::At(second.timestamp)), expected[1..]);
    assert_eq!(all(Start::Now), []);
    let unknown = anabranch_store::VersionId::from_bytes([1; 32]).unwrap();
    assert!(matches!(store.subscribe("n", "", Start::After(unknown)), Err(StoreError::NoSuchVersion { .. })));
}

#[test]
fn relaxed_writes_are_durable_after_a_flush() {
    let store = in_memory().with_durability(Durability::Relaxed);
    store.put("n", "k", 1).unwrap();
    store.flush().unwrap();
    assert_eq!(store.get("n", "k").unwrap().value, Value::Int(1));
}
