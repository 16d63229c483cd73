//! The tiers: what is cold is read as what is warm, what was dropped is told and proven against, and no step is large.

mod common;

use anabranch_store::{
    Backend, Batch, Durability, Engine, Lifecycle, Maintained, Memory, Options, Retention, Start, Store, StoreError,
    Table, Timestamp, VersionedValue, Write,
};
use anabranch_value::{Value, value};
use common::{assert_each_damage_is_found, assert_whole, chain, exported, import, rows, set_row};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const SECOND: i64 = 1_000_000_000;

fn seconds(seconds: i64) -> Timestamp {
    Timestamp::from_nanos(seconds * SECOND)
}

fn last(versions: u64) -> Retention {
    Retention::Last(NonZeroU64::new(versions).unwrap())
}

/// A backend whose rows a test can change behind the store's back, and that says how large commits are.
#[derive(Debug, Clone, Default)]
struct Open {
    memory: Arc<Memory>,
    largest: Arc<AtomicUsize>,
}

impl Backend for Open {
    type View<'b> = anabranch_store::MemoryView;

    fn view(&self) -> Result<Self::View<'_>, anabranch_store::BackendError> {
        self.memory.view()
    }

    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), anabranch_store::BackendError> {
        self.largest.fetch_max(batch.len(), Ordering::Relaxed);
        self.memory.commit(batch, durability)
    }

    fn usage(&self) -> Result<anabranch_store::Usage, anabranch_store::BackendError> {
        self.memory.usage()
    }
}

/// All but the newest version of each key may become cold at once.
fn opened(backend: impl Backend + Send + Sync + 'static) -> Store {
    let options = Options::new(|| Timestamp::from_nanos(1000))
        .lifecycle(Lifecycle { cold_after: Duration::ZERO, ..Lifecycle::default() });
    Store::open(backend, options).unwrap()
}

/// The lifecycle goes on until there is no more to do: all that it did.
fn maintain(store: &Store, now: Timestamp) -> Maintained {
    let mut all = Maintained::default();
    loop {
        let step = store.maintain(now).unwrap();
        all.moved += step.moved;
        all.dropped += step.dropped;
        all.damages.extend(step.damages);
        if !step.more {
            return all;
        }
    }
}

/// Keys with long chains: deletions, causes, values that are alike and others.
fn filled() -> (Open, Store) {
    let backend = Open::default();
    let store = opened(backend.clone());
    let mut reading = store.put("sensor", "a", 0).unwrap();
    for number in 1..60 {
        reading = store.put("sensor", "a", number).unwrap();
        store.write(Write::put("alarm", "a", "x".repeat(number as usize)).because([reading.version_id])).unwrap();
    }
    store.delete("alarm", "a").unwrap();
    store.put("alarm", "a", reading.version_id.to_string()).unwrap();
    (backend, store)
}

#[test]
fn every_flipped_bit_and_every_lost_row_is_found_in_all_tiers() {
    let (backend, store) = filled();
    store.set_retention("sensor", last(40)).unwrap();
    let done = maintain(&store, Timestamp::LATEST);
    assert_eq!((done.moved, done.dropped), (39 + 60, 20));
    assert!(store.verify(&mut |_| ()).unwrap().is_whole());
    // What retention is set is no version: that its row was lost nothing tells, as that it was never set.
    let retention = |key: &[u8]| key.starts_with(b"retention");
    for table in [Table::Meta, Table::Segments] {
        let rows = rows(&backend, table).into_iter().filter(|(key, _)| !retention(key));
        assert_each_damage_is_found(&store, &backend, table, rows, 11);
    }
    assert!(store.verify(&mut |_| ()).unwrap().is_whole());
}

#[test]
fn a_damaged_segment_is_named_once_and_never_served_and_the_rest_is_saved() {
    let backend = Open::default();
    let store = opened(backend.clone());
    for number in 0..600 {
        store.put("plant", "boiler", number).unwrap();
    }
    store.put("plant", "pump", 1).unwrap();
    let versions = chain(&store, "plant", "boiler");
    assert_eq!(maintain(&store, Timestamp::LATEST).moved, 599);
    assert_eq!(chain(&store, "plant", "boiler"), versions);
    let segments = rows(&backend, Table::Segments);
    assert_eq!(segments.len(), 3, "256, 256 and 87 versions");
    let (key, row) = &segments[1];
    let mut flipped = row.clone();
    *flipped.last_mut().unwrap() ^= 1;
    set_row(&backend, Table::Segments, key, Some(&flipped));

    let error = store.get_at("plant", "boiler", versions[300].timestamp).unwrap_err();
    assert!(error.is_damage() && error.to_string().contains("\"boiler\" in \"plant\""), "{error}");
    assert!(store.history("plant", "boiler", ..=versions[300].timestamp, 1).unwrap_err().is_damage());
    for place in [0, 255, 512, 598, 599] {
        assert_eq!(store.get_at("plant", "boiler", versions[place].timestamp).unwrap(), versions[place]);
    }
    let verified = store.verify(&mut |_| ()).unwrap();
    assert_eq!(verified.versions, 601 - 256);
    let [damage] = &*verified.damages else { panic!("{:?}", verified.damages) };
    assert_eq!(damage.of, Some(("plant".into(), "boiler".into())));
    assert_eq!(damage.since, Some(versions[256].timestamp));

    let (file, exported) = exported(&store);
    assert_eq!((exported.versions, exported.damages.len()), (601 - 256, 1));
    // With the gap, the copy is cold and whole, too.
    let copy = opened(Memory::new());
    assert_eq!(import(&copy, &file, usize::MAX, &mut |_| ()).unwrap().new, 601 - 256);
    assert_eq!(maintain(&copy, Timestamp::LATEST).moved, 599 - 256);
    let saved: Vec<_> = versions[..256].iter().chain(&versions[512..]).cloned().collect();
    assert_eq!(chain(&copy, "plant", "boiler"), saved);
    assert!(copy.verify(&mut |_| ()).unwrap().is_whole());
    // The lifecycle leaves what it cannot prove as it is, and says so.
    store.set_retention("plant", last(100)).unwrap();
    let done = maintain(&store, Timestamp::LATEST);
    assert_eq!((done.dropped, done.damages.is_empty()), (256, false));
    assert_eq!(store.get("plant", "boiler").unwrap(), versions[599]);
}

#[test]
fn what_was_dropped_is_told_apart_from_what_never_was() {
    let backend = Open::default();
    let store = opened(backend.clone());
    let mut engine = Engine::open(backend).unwrap();
    let mut versions = Vec::new();
    for second in 1..=100 {
        let write = Write::put("plant", "boiler", second);
        versions.extend(engine.write(&[write], seconds(second), Durability::Immediate).unwrap());
    }
    store.set_retention("plant", Retention::For(Duration::from_secs(10))).unwrap();
    assert_eq!(maintain(&store, seconds(100)).dropped, 89);
    let kept = &versions[89..];
    // Any moment within the last ten seconds can be asked for.
    assert_eq!(store.get_at("plant", "boiler", seconds(90)).unwrap(), kept[0]);
    let error = store.get_at("plant", "boiler", seconds(89)).unwrap_err();
    let (namespace, key) = ("plant".to_string(), "boiler".to_string());
    let told = StoreError::NoLongerKept { namespace, key, at: seconds(89), oldest: seconds(90) };
    assert_eq!(error, told);
    assert!(error.is_not_found() && error.to_string().contains("ask for that time or a later one"), "{error}");
    let error = store.get_at("plant", "boiler", Timestamp::from_nanos(5)).unwrap_err();
    assert!(matches!(error, StoreError::NoValueAt { first, .. } if first == seconds(1)), "{error}");
    assert_eq!(
        store.diff("plant", "boiler", seconds(50), seconds(99)),
        Err(match told {
            StoreError::NoLongerKept { namespace, key, oldest, .. } => {
                StoreError::NoLongerKept { namespace, key, at: seconds(50), oldest }
            }
            other => other,
        })
    );
    assert!(store.diff("plant", "boiler", Timestamp::from_nanos(5), seconds(99)).unwrap().before.is_none());
    let dropped = &versions[88];
    assert!(matches!(
        store.get_version("plant", "boiler", &dropped.version_id),
        Err(StoreError::VersionNotFound { .. })
    ));
    assert!(matches!(store.find_version(&dropped.version_id), Err(StoreError::NoSuchVersion { .. })));
    // History ends with one that names what was dropped, and is proven to follow it.
    let history = chain(&store, "plant", "boiler");
    assert_eq!(history, kept);
    assert_eq!(history[0].previous_version, Some(dropped.version_id));
    let verified = store.verify(&mut |_| ()).unwrap();
    assert_eq!((verified.versions, verified.damages), (11, vec![]));
    // A snapshot and a listing have what is kept of the moment.
    assert_eq!(store.snapshot_at(seconds(50)).unwrap().count(), 0);
    assert_eq!(store.list_keys("plant", "", Some(seconds(50)), None, 9).unwrap().items, [""; 0]);
    let stats = store.stats().unwrap();
    assert_eq!((stats.deep.versions, stats.total_versions, stats.oldest), (89, 11, Some(seconds(90))));
    assert!((1..100).contains(&stats.deep.bytes));
}

#[test]
fn the_newest_version_stays_whatever_retention_says() {
    let store = opened(Memory::new());
    for number in 0..30 {
        store.put("n", "k", number).unwrap();
    }
    let deleted =
        store.delete("n", "gone").or_else(|_| store.put("n", "gone", 1).and_then(|_| store.delete("n", "gone")));
    let deleted = deleted.unwrap();
    store.set_retention("n", Retention::For(Duration::ZERO)).unwrap();
    assert_eq!(store.retention("n").unwrap(), Retention::For(Duration::ZERO));
    assert_eq!(maintain(&store, Timestamp::LATEST).dropped, 29 + 1);
    assert_eq!(store.get("n", "k").unwrap().value, Value::Int(29));
    assert_eq!(chain(&store, "n", "gone"), core::slice::from_ref(&deleted));
    assert!(
        matches!(store.get("n", "gone"), Err(StoreError::KeyNotFound { deleted: Some(at), .. }) if at == deleted.timestamp)
    );
    // It goes on from there.
    assert_eq!(store.put("n", "gone", 2).unwrap().previous_version, Some(deleted.version_id));
    store.delete("n", "k").unwrap();
    assert!(store.verify(&mut |_| ()).unwrap().is_whole());
}

#[test]
fn an_import_does_not_bring_back_what_retention_has_dropped_here() {
    let store = opened(Memory::new());
    for number in 0..100 {
        store.put("n", "k", number).unwrap();
    }
    let (file, _) = exported(&store);
    store.set_retention("n", last(10)).unwrap();
    assert_eq!(maintain(&store, Timestamp::LATEST).dropped, 90);
    let newest = store.put("n", "k", 100).unwrap();
    let imported = import(&store, &file, usize::MAX, &mut |_| ()).unwrap();
    assert_eq!((imported.new, imported.known), (0, 100));
    let kept = chain(&store, "n", "k");
    assert_eq!((kept.len(), kept.last()), (11, Some(&newest)));
    assert!(store.verify(&mut |_| ()).unwrap().is_whole());
}

#[test]
fn causes_and_effects_are_found_across_tiers() {
    let (_, store) = filled();
    let readings = chain(&store, "sensor", "a");
    let alarm = chain(&store, "alarm", "a")[10].clone();
    let (why, effects) =
        (store.why(&alarm.version_id, 10).unwrap(), store.effects(&readings[11].version_id, 10).unwrap());
    assert_eq!((why.steps.len(), effects.steps.len()), (2, 2));
    assert!(maintain(&store, Timestamp::LATEST).moved > 100);
    assert_eq!(store.why(&alarm.version_id, 10).unwrap(), why);
    assert_eq!(store.effects(&readings[11].version_id, 10).unwrap(), effects);
    // A reading that was dropped is still cited, and no more than that.
    store.set_retention("sensor", last(5)).unwrap();
    drop(maintain(&store, Timestamp::LATEST));
    let why = store.why(&alarm.version_id, 10).unwrap();
    assert_eq!(why.steps[1].id, readings[11].version_id);
    assert!(why.is_whole && why.steps[1].version.is_none());
    assert!(store.verify(&mut |_| ()).unwrap().is_whole());
}

#[test]
fn a_step_is_small_whatever_there_is_to_do() {
    let backend = Open::default();
    let store = opened(backend.clone());
    let put = |namespace: &str, count: i64| {
        let writes = |key: i64| Write::put(namespace, format!("{key}"), key);
        for _ in 0..count {
            store.write_batch((0..50).map(writes).collect()).unwrap();
        }
    };
    put("last", 400);
    put("for", 400);
    put("all", 400);
    let many: Vec<_> = (0..4000).map(|key| Write::put("many", format!("{key}"), 1)).collect();
    store.write_batch(many).unwrap();
    store.set_retention("last", last(300)).unwrap();
    store.set_retention("for", Retention::For(Duration::ZERO)).unwrap();
    backend.largest.store(0, Ordering::Relaxed);
    let mut steps = 0;
    while store.maintain(Timestamp::LATEST).unwrap().more {
        steps += 1;
    }
    let largest = backend.largest.load(Ordering::Relaxed);
    assert!(largest < 2000, "a commit of {largest} rows");
    assert!((100..2000).contains(&steps), "{steps} steps");
    let stats = store.stats().unwrap();
    assert_eq!(stats.total_versions, 50 * (300 + 1 + 400) + 4000);
    assert_eq!(stats.deep.versions, 50 * (100 + 399));
    assert!(store.verify(&mut |_| ()).unwrap().is_whole());
    // And then there is nothing to do.
    backend.largest.store(0, Ordering::Relaxed);
    assert_eq!(maintain(&store, Timestamp::LATEST), Maintained::default());
    assert_eq!(backend.largest.load(Ordering::Relaxed), 0);
}

#[test]
fn readers_and_writers_go_on_while_versions_change_their_tier() {
    let store = opened(Memory::new());
    for number in 0..2000 {
        store.put("n", "k", number).unwrap();
    }
    store.set_retention("n", last(1500)).unwrap();
    let before = chain(&store, "n", "k");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (store, before, done) = (&store, &before, &done);
        scope.spawn(move || {
            for number in 2000..3000 {
                let version = store.put("n", "k", number).unwrap();
                assert_eq!(store.get("n", "k").unwrap(), version);
                store.put("other", "k", number).unwrap();
            }
            done.store(true, Ordering::SeqCst);
        });
        scope.spawn(move || {
            let mut place = 0;
            while !done.load(Ordering::SeqCst) {
                place = (place + 777) % before.len();
                match store.get_at("n", "k", before[place].timestamp) {
                    Ok(version) => assert_eq!(version, before[place]),
                    Err(StoreError::NoLongerKept { oldest, .. }) => assert!(before[place].timestamp < oldest),
                    Err(error) => panic!("{error}"),
                }
            }
        });
        scope.spawn(move || {
            while !done.load(Ordering::SeqCst) {
                assert_eq!(store.verify(&mut |_| ()).unwrap().damages, []);
            }
        });
        while !done.load(Ordering::SeqCst) {
            assert_eq!(store.maintain(Timestamp::LATEST).unwrap().damages, []);
        }
    });
    drop(maintain(&store, Timestamp::LATEST));
    let after = chain(&store, "n", "k");
    assert_eq!(after.len(), 1500);
    for pair in after.windows(2) {
        assert_eq!(pair[1].previous_version, Some(pair[0].version_id));
    }
    assert!(store.verify(&mut |_| ()).unwrap().is_whole());
}

#[test]
fn whoever_replays_meets_each_version_once_while_they_become_cold() {
    let store = opened(Memory::new());
    let mut written: Vec<VersionedValue> = Vec::new();
    for number in 0..900 {
        written.push(store.put("n", if number % 3 == 0 { "a" } else { "b" }, number).unwrap());
    }
    let mut replay = store.subscribe("n", "", Start::Beginning).unwrap();
    for (place, expected) in written.iter().enumerate() {
        if place % 50 == 0 {
            let _ = store.maintain(Timestamp::LATEST).unwrap();
        }
        assert_eq!(&replay.try_next().unwrap().unwrap().version, expected);
    }
    assert_eq!(replay.try_next().unwrap(), None);
}

#[test]
fn a_value_too_large_for_a_segment_stays_and_is_dropped_like_others() {
    let store = opened(Memory::new());
    for number in 0..60 {
        let value = if number == 30 { value!("x".repeat(2 << 20)) } else { value!(number) };
        store.put("n", "k", value).unwrap();
    }
    let versions = chain(&store, "n", "k");
    assert_eq!(maintain(&store, Timestamp::LATEST).moved, 30);
    assert_eq!(chain(&store, "n", "k"), versions);
    assert_whole(&chain(&store, "n", "k"));
    store.set_retention("n", last(20)).unwrap();
    assert_eq!(maintain(&store, Timestamp::LATEST).dropped, 40);
    assert_eq!(chain(&store, "n", "k"), versions[40..]);
    assert!(store.verify(&mut |_| ()).unwrap().is_whole());
}

#[test]
fn the_hot_tier_keeps_its_limit_and_no_other_tier_is_in_it() {
    const LIMIT: usize = 200_000;
    let options = Options::new(|| Timestamp::from_nanos(1000)).hot_bytes(LIMIT);
    let store =
        Store::open(Memory::new(), options.lifecycle(Lifecycle { cold_after: Duration::ZERO, ..Lifecycle::default() }))
            .unwrap();
    for number in 0..20_000_i64 {
        store.put("n", &format!("{}", number * 7919 % 3000), "x".repeat(number as usize % 300)).unwrap();
        if number % 1000 == 0 {
            let _ = store.maintain(Timestamp::LATEST).unwrap();
            let hot = store.stats().unwrap().hot;
            assert!(hot.bytes <= LIMIT as u64, "{} bytes", hot.bytes);
            assert!(hot.limit.is_some_and(|limit| limit <= LIMIT as u64));
        }
    }
    assert!(store.stats().unwrap().hot.bytes > LIMIT as u64 / 2);
}

#[test]
fn the_hot_tier_is_within_its_limit_after_each_write_and_each_read() {
    const LIMIT: usize = 100_000;
    let store = Store::open(Memory::new(), Options::new(|| Timestamp::from_nanos(1000)).hot_bytes(LIMIT)).unwrap();
    let within = |what: &str| {
        let hot = store.stats().unwrap().hot;
        assert!(hot.limit.is_some_and(|limit| hot.bytes <= limit && limit <= LIMIT as u64), "{hot:?} after {what}");
    };
    let (mut written, value) = (0, |length: u64| "x".repeat(length as usize));
    for number in 0..3000_u64 {
        // Small ones, some that fill a shard of the tier, and some that fit into none.
        let length = [number % 200, number % 3000, LIMIT as u64 / 16]
            [usize::from(number % 50 == 0) + usize::from(number % 500 == 0)];
        let key = format!("{}", number * 7919 % 1700);
        store.put("n", &key, value(length)).unwrap();
        written += length;
        within("a write");
        store.get("n", &format!("{}", number * 31 % (number + 1) * 7919 % 1700)).unwrap();
        within("a read");
        if number % 100 == 99 {
            let batch = (0..50).map(|place| Write::put("n", format!("batch/{place}"), value(number % 1000)));
            store.write_batch(batch.collect()).unwrap();
            written += 50 * (number % 1000);
            within("a batch");
            store.delete("n", &key).unwrap();
            within("a deletion");
            store.put("n", &key, 1).unwrap();
        }
    }
    assert!(written > 10 * LIMIT as u64, "only {written} bytes were written");
    assert!(store.stats().unwrap().hot.bytes > LIMIT as u64 / 2);
}

#[test]
fn the_warm_tier_keeps_its_limit_and_knows_to_the_byte_what_it_takes() {
    const LIMIT: u64 = 40_000;
    let backend = Open::default();
    let lifecycle = Lifecycle { cold_after: Duration::MAX, warm_bytes: Some(LIMIT) };
    let options = Options::new(|| Timestamp::from_nanos(1000)).lifecycle(lifecycle);
    let store = Store::open(backend.clone(), options.clone()).unwrap();
    let measured = || -> u64 {
        let versions = rows(&backend, Table::Versions).into_iter().filter(|(key, _)| key[8..] != [0; 8]);
        versions.map(|(key, row)| (key.len() + row.len()) as u64).sum()
    };
    for number in 0..3000_i64 {
        store.put("n", &format!("{}", number % 17), "x".repeat(number as usize % 90)).unwrap();
    }
    assert!(measured() > 5 * LIMIT);
    store.set_retention("n", last(150)).unwrap();
    // A store that is opened again goes on counting where the last one was.
    let _ = store.maintain(Timestamp::from_nanos(1000)).unwrap();
    drop(store);
    let store = Store::open(backend.clone(), options).unwrap();
    for number in 0..500 {
        store.put("n", "often", number).unwrap();
    }
    let done = maintain(&store, Timestamp::from_nanos(1000));
    assert!(done.moved > 0 && done.dropped > 0, "{done:?}");
    let warm = store.stats().unwrap().warm;
    assert_eq!((warm.bytes, warm.limit), (measured(), Some(LIMIT)));
    assert!(warm.bytes <= LIMIT, "{} bytes", warm.bytes);
    assert!(store.verify(&mut |_| ()).unwrap().is_whole());

    // What an import brings into the past is counted, too.
    let other = opened(Memory::new());
    other.put("n", "imported", "x".repeat(1000)).unwrap();
    let (file, _) = exported(&other);
    let into = Open::default();
    let lifecycle = Lifecycle { cold_after: Duration::MAX, warm_bytes: Some(LIMIT) };
    let options = Options::new(|| Timestamp::from_nanos(5000)).lifecycle(lifecycle);
    let store = Store::open(into.clone(), options).unwrap();
    store.put("n", "k", 1).unwrap();
    drop(maintain(&store, Timestamp::from_nanos(5000)));
    assert_eq!(import(&store, &file, usize::MAX, &mut |_| ()).unwrap().new, 1);
    drop(maintain(&store, Timestamp::from_nanos(5000)));
    assert!(store.stats().unwrap().warm.bytes > 1000);
}
