//! Where a versioned store of others went wrong, one test each, named after the trap.

mod common;

use anabranch_store::{Expected, Memory, Options, Start, Store, StoreError, Timestamp};
use anabranch_value::{Value, json, value};
use common::{Fault, Faulty, assert_whole, chain, clock_of, in_memory, opened};
use std::collections::HashSet;
use std::thread;
use std::time::Duration;

#[test]
fn eight_hundred_acknowledged_concurrent_puts_four_hundred_seventy_three_after_reopening() {
    let backend = Faulty::new(Duration::ZERO);
    let store = Store::open(backend.clone(), Options::new(|| Timestamp::from_nanos(1))).unwrap();
    let acknowledged: Vec<_> = thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let store = &store;
                scope.spawn(move || -> Vec<_> {
                    let put = |number| store.put("n", &format!("{writer}/{number}"), number).unwrap();
                    (0..100).map(put).collect()
                })
            })
            .collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    drop(store);
    let store = Store::open(backend, Options::new(|| Timestamp::from_nanos(1))).unwrap();
    for version in &acknowledged {
        assert_eq!(store.find_version(&version.version_id).unwrap().version, *version);
    }
    assert_eq!(store.stats().unwrap().key_count, 800);
}

#[test]
fn log_errors_swallowed_and_put_says_ok() {
    let backend = Faulty::new(Duration::ZERO);
    let store = Store::open(backend.clone(), Options::new(|| Timestamp::from_nanos(1))).unwrap();
    backend.set(Fault::Fail);
    assert!(matches!(store.put("n", "k", 1), Err(StoreError::Backend(_))));
    assert!(matches!(store.get("n", "k"), Err(StoreError::KeyNotFound { .. })));
}

#[test]
fn the_same_value_twice_has_the_same_version_id() {
    let store = in_memory();
    let (first, second) = (store.put("n", "k", 1).unwrap(), store.put("n", "k", 1).unwrap());
    let (other_key, other_namespace) = (store.put("n", "l", 1).unwrap(), store.put("m", "k", 1).unwrap());
    let ids = [first, second, other_key, other_namespace].map(|version| version.version_id);
    assert_eq!(HashSet::from(ids).len(), 4);
}

#[test]
fn previous_version_never_equals_any_version_id() {
    let store = in_memory();
    let written: Vec<_> = (0..10).map(|number| store.put("n", "k", number % 2).unwrap()).collect();
    assert_whole(&written);
    assert_eq!(chain(&store, "n", "k"), written);
    let previous = written[9].previous_version.unwrap();
    assert_eq!(store.get_version("n", "k", &previous).unwrap(), written[8]);
}

#[test]
fn two_thousand_concurrent_puts_on_one_key_leave_1141_versions() {
    let store = in_memory();
    thread::scope(|scope| {
        for writer in 0..8 {
            let store = &store;
            scope.spawn(move || (0..250).for_each(|number| drop(store.put("n", "k", writer * 250 + number).unwrap())));
        }
    });
    let versions = chain(&store, "n", "k");
    assert_eq!(versions.len(), 2000);
    assert_whole(&versions);
}

#[test]
fn on_a_millisecond_clock_versions_vanish_or_come_out_of_order() {
    let (clock, set) = clock_of(5_000_000);
    let store = opened(Memory::new(), clock, 0);
    let mut written = Vec::new();
    for millisecond in [5, 6, 6, 4, 1, 7] {
        set(millisecond * 1_000_000);
        written.extend((0..50).map(|number| store.put("n", "k", number).unwrap()));
    }
    assert_whole(&written);
    assert_eq!(chain(&store, "n", "k"), written);
    for version in &written {
        assert_eq!(store.get_at("n", "k", version.timestamp).unwrap(), *version);
    }
}

#[test]
fn delete_is_still_listed_and_counted() {
    let store = in_memory();
    let first = store.put("n", "gone", 1).unwrap();
    store.put("n", "kept", 1).unwrap();
    store.put("other", "only", 1).unwrap();
    let deleted = store.delete("n", "gone").unwrap();
    store.delete("other", "only").unwrap();
    assert!(deleted.deleted && deleted.value == Value::Null && deleted.previous_version == Some(first.version_id));
    let error = store.get("n", "gone").unwrap_err();
    assert!(error.is_not_found() && error.to_string().contains("it was deleted at 1970-"), "{error}");
    assert_eq!(store.list_keys("n", "", None, None, 10).unwrap().items, ["kept"]);
    assert_eq!(store.list_namespaces(None, None, 10).unwrap().items, ["n"]);
    let stats = store.stats().unwrap();
    assert_eq!((stats.key_count, stats.namespace_count, stats.total_versions), (1, 1, 5));
    assert_eq!(store.snapshot_at(Timestamp::LATEST).unwrap().count(), 1);
    // History shows it, and so does the time before.
    assert_eq!(store.history("n", "gone", .., 10).unwrap().items, [deleted.clone(), first.clone()]);
    assert_eq!(store.get_at("n", "gone", first.timestamp).unwrap(), first);
    assert_eq!(store.list_keys("n", "", Some(first.timestamp), None, 10).unwrap().items, ["gone"]);
    // It may come again, in the same chain.
    let again = store.put_if("n", "gone", 2, Expected::Absent).unwrap();
    assert_eq!(again.previous_version, Some(deleted.version_id));
    assert_eq!(store.stats().unwrap().key_count, 2);
}

#[test]
fn integers_beyond_two_to_the_53_lose_digits_and_keys_their_order() {
    let store = in_memory();
    let values = [
        value!(9_007_199_254_740_993_i64),
        value!(i64::MIN),
        value!(1.0),
        value!(-0.0),
        value!({ "z": 1, "a": [null, true, (b"\x00\xff".as_slice())], "m": {} }),
        json::from_str(r#"{"$datetime": "2026-03-29T13:37:00+02:00[Europe/Berlin]"}"#).unwrap(),
        value!(f64::NAN),
    ];
    for value in values {
        let written = store.put("n", "k", value.clone()).unwrap();
        assert_eq!(written.value, value);
        assert_eq!(store.get("n", "k").unwrap().value, value);
        assert_eq!(store.get_version("n", "k", &written.version_id).unwrap().value, value);
    }
}

#[test]
fn updates_never_replicate() {
    let (store, replica) = (in_memory(), in_memory());
    let mut subscription = store.subscribe("n", "", Start::Beginning).unwrap();
    for number in 0..10 {
        store.put("n", "k", number).unwrap();
    }
    while let Some(next) = subscription.try_next().unwrap() {
        replica.put(&next.namespace, &next.key, next.version.value).unwrap();
    }
    assert_eq!(replica.get("n", "k").unwrap().value, value!(9));
    assert_eq!(chain(&replica, "n", "k").len(), 10);
}

#[test]
fn tiers_that_hold_everything_in_memory_whatever_the_limit_says() {
    let limit = 1 << 20;
    let store = opened(Memory::new(), || Timestamp::from_nanos(1), limit);
    for number in 0..5000 {
        store.put("n", &format!("{number}"), "y".repeat(1000)).unwrap();
    }
    for number in 0..5000 {
        assert_eq!(store.get("n", &format!("{number}")).unwrap().value, value!("y".repeat(1000)));
        let hot = store.stats().unwrap().hot;
        assert!(hot.bytes <= limit as u64 && hot.limit == Some(limit as u64), "{hot:?}");
    }
    assert!(store.stats().unwrap().hot.versions > 500, "it is used, too");
    let nothing = opened(Memory::new(), || Timestamp::from_nanos(1), 0);
    nothing.put("n", "k", 1).unwrap();
    nothing.get("n", "k").unwrap();
    assert_eq!((nothing.stats().unwrap().hot.versions, nothing.stats().unwrap().hot.bytes), (0, 0));
}

#[test]
fn a_history_page_of_a_long_chain_costs_a_page() {
    // 10,000 versions took 121 s of CPU; this has 100,000, and time for a test.
    let store = in_memory();
    let writes = 100_000;
    for number in 0..writes {
        store.put("n", "k", number).unwrap();
    }
    let middle = Timestamp::from_nanos(1000 + writes / 2);
    let page = store.history("n", "k", ..=middle, 100).unwrap();
    assert_eq!(page.items[0].value, value!(writes / 2));
    assert_eq!(page.items[99].value, value!(writes / 2 - 99));
    assert_eq!(page.next, Some(page.items[99].timestamp));
    assert_eq!(store.get_at("n", "k", middle).unwrap(), page.items[0]);
}

#[test]
fn a_version_takes_a_hundred_and_fifteen_kilobytes_of_memory() {
    let store = opened(Memory::new(), || Timestamp::from_nanos(1), 0);
    for number in 0..20_000 {
        store.put("n", &format!("{}", number % 100), "a value of exactly 32 bytes here").unwrap();
    }
    let each = store.stats().unwrap().memory_bytes / 20_000;
    assert!((64..=250).contains(&each), "{each} bytes");
}

#[test]
fn export_and_import_never_built() {
    let store = in_memory();
    let written: Vec<_> = (0..100).map(|number| store.put("n", "k", number).unwrap()).collect();
    store.delete("n", "k").unwrap();
    let mut file = Vec::new();
    let sink = &mut |bytes: &[u8]| {
        file.extend_from_slice(bytes);
        Ok(())
    };
    assert_eq!(store.export(sink, &mut |_| ()).unwrap().versions, 101);
    let (elsewhere, mut rest) = (in_memory(), &*file);
    let source = &mut |buffer: &mut [u8]| {
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        rest = &rest[count..];
        Ok(count)
    };
    assert_eq!(elsewhere.import(source, &mut |_| ()).unwrap().new, 101);
    assert_eq!(chain(&elsewhere, "n", "k"), chain(&store, "n", "k"));
    assert_eq!(chain(&elsewhere, "n", "k")[..100], written);
}
