//! Any sequence of operations does what a plain model in memory does, whatever retention and the lifecycle do meanwhile.

mod common;

use anabranch_store::{
    Durability, Engine, Expected, Lifecycle, Memory, Options, Reader, Retention, Start, Store, StoreError, Timestamp,
    View, Write,
};
use anabranch_value::{Value, value};
use common::{Model, clock_of, opened};
use core::num::NonZeroU64;
use core::time::Duration;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Put {
        key: usize,
        value: usize,
    },
    PutIf {
        key: usize,
        value: usize,
        current: bool,
    },
    Delete {
        key: usize,
    },
    Batch {
        keys: Vec<usize>,
        value: usize,
        delete_first: bool,
    },
    /// One key is written so often that its versions fill segments.
    Burst {
        key: usize,
        value: usize,
        count: usize,
    },
    /// The platform's clock moves, forward or back.
    Clock(i64),
    Retention {
        key: usize,
        retention: Retention,
    },
    /// The lifecycle goes on until there is no more to do.
    Maintain,
}

/// Names that a format could confuse: separators, NUL, prefixes of each other, and what sorts at the ends.
const NAMES: [(&str, &str); 10] = [
    ("a", "b"),
    ("a", "b/c"),
    ("a/b", "c"),
    ("a", "\0"),
    ("a\0", "\0"),
    ("a", "\u{10ffff}"),
    ("ab", "ä:|,;\n\""),
    ("\u{7f}", "b"),
    ("日本", "語"),
    ("a", "b\0"),
];

fn values() -> Vec<Value> {
    vec![
        value!(null),
        value!(1),
        value!(1),
        value!(""),
        value!({ "a": [1, 2.5, "x"] }),
        value!("y".repeat(5000)),
        value!(1.0),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..NAMES.len();
    let value = 0..values().len();
    prop_oneof![
        4 => (key.clone(), value.clone()).prop_map(|(key, value)| Step::Put { key, value }),
        2 => (key.clone(), value.clone(), any::<bool>())
            .prop_map(|(key, value, current)| Step::PutIf { key, value, current }),
        1 => key.clone().prop_map(|key| Step::Delete { key }),
        1 => (prop::collection::vec(key, 1..4), value, any::<bool>())
            .prop_map(|(keys, value, delete_first)| Step::Batch { keys, value, delete_first }),
        1 => (-50_i64..50).prop_map(Step::Clock),
    ]
}

fn retention() -> impl Strategy<Value = Retention> {
    prop_oneof![
        Just(Retention::All),
        (1_u64..30).prop_map(|versions| Retention::Last(NonZeroU64::new(versions).unwrap())),
        (0_u64..60).prop_map(|nanos| Retention::For(Duration::from_nanos(nanos))),
    ]
}

/// Those, and what moves and drops versions; of few keys, so that their chains grow long.
fn long_step() -> impl Strategy<Value = Step> {
    let key = 0..4_usize;
    prop_oneof![
        3 => step(),
        3 => (key.clone(), 0..values().len(), 1_usize..60).prop_map(|(key, value, count)| Step::Burst { key, value, count }),
        1 => (key, retention()).prop_map(|(key, retention)| Step::Retention { key, retention }),
        2 => Just(Step::Maintain),
    ]
}

/// What a step writes, and what the store has to say to it.
fn writes(step: &Step, model: &Model) -> Vec<Write> {
    let all = values();
    match step {
        Step::Put { key, value } => vec![Write::put(NAMES[*key].0, NAMES[*key].1, all[*value].clone())],
        Step::PutIf { key, value, current } => {
            let head = model.head(NAMES[*key]).filter(|version| !version.deleted);
            let expected = match head {
                Some(version) if *current => Expected::Version(version.version_id),
                None if *current => Expected::Absent,
                Some(_) => Expected::Absent,
                None => Expected::Version(model.some_id()),
            };
            vec![Write::put(NAMES[*key].0, NAMES[*key].1, all[*value].clone()).expecting(expected)]
        }
        Step::Delete { key } => vec![Write::delete(NAMES[*key].0, NAMES[*key].1)],
        Step::Batch { keys, value, delete_first } => keys
            .iter()
            .enumerate()
            .map(|(place, key)| match place {
                0 if *delete_first => Write::delete(NAMES[*key].0, NAMES[*key].1),
                _ => Write::put(NAMES[*key].0, NAMES[*key].1, all[*value].clone()),
            })
            .collect(),
        Step::Burst { .. } | Step::Clock(_) | Step::Retention { .. } | Step::Maintain => vec![],
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_writes_reads_back_as_a_model_says(
        steps in prop::collection::vec(step(), 1..60),
        hot in prop_oneof![Just(0_usize), Just(20_000), Just(64 << 20)],
    ) {
        let (clock, set) = clock_of(1000);
        let store = opened(Memory::new(), clock, hot);
        let mut engine = Engine::open(Memory::new()).unwrap();
        let mut model = Model::default();
        let mut wall = 1000;
        for step in &steps {
            if let Step::Clock(by) = step {
                wall += by;
                set(wall);
                continue;
            }
            let writes = writes(step, &model);
            let expected = model.write(&writes, Timestamp::from_nanos(wall));
            let got = if let [write] = &*writes {
                store.write(write.clone()).map(|version| vec![version])
            } else {
                store.write_batch(writes.clone())
            };
            let by_engine = engine.write(&writes, Timestamp::from_nanos(wall), Durability::Immediate);
            prop_assert_eq!(&got, &by_engine);
            match (&got, &expected) {
                (Ok(got), Ok(expected)) => model.learn(&writes, got, expected),
                (Err(got), Err(expected)) => prop_assert_eq!(got, expected),
                _ => prop_assert!(false, "{:?} where {:?} was expected", got, expected),
            }
            for names in NAMES {
                prop_assert_eq!(store.get(names.0, names.1).ok(), model.get(names));
            }
        }
        check(&store, &model)?;
        check_reader(&engine.reader().unwrap(), &model)?;
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn what_is_cold_or_was_dropped_is_as_a_model_says(
        steps in prop::collection::vec(long_step(), 1..40),
        hot in prop_oneof![Just(0_usize), Just(64 << 20)],
        cold_after in prop_oneof![Just(0_u64), Just(20), Just(u64::MAX)],
        warm_bytes in prop_oneof![Just(None), Just(Some(0)), Just(Some(5_000))],
    ) {
        let (clock, set) = clock_of(1000);
        let lifecycle = Lifecycle { cold_after: Duration::from_nanos(cold_after), warm_bytes };
        let store = Store::open(Memory::new(), Options::new(clock).hot_bytes(hot).lifecycle(lifecycle)).unwrap();
        let mut engine = Engine::open(Memory::new()).unwrap();
        let mut model = Model::default();
        let mut wall = 1000;
        let mut dropped = 0;
        for step in &steps {
            let writes = match step {
                Step::Clock(by) => {
                    wall += by;
                    set(wall);
                    continue;
                }
                Step::Retention { key, retention } => {
                    store.set_retention(NAMES[*key].0, *retention).unwrap();
                    engine.set_retention(NAMES[*key].0, *retention).unwrap();
                    model.set_retention(NAMES[*key].0, *retention);
                    continue;
                }
                Step::Maintain => {
                    let now = Timestamp::from_nanos(wall);
                    let expected = model.retain(now);
                    let (mut by_store, mut by_engine) = (0, 0);
                    while {
                        let step = store.maintain(now).unwrap();
                        by_store += step.dropped;
                        prop_assert_eq!(step.damages, []);
                        step.more
                    } {}
                    while {
                        let step = engine.maintain(now, &lifecycle).unwrap();
                        by_engine += step.dropped;
                        step.more
                    } {}
                    prop_assert_eq!((by_store, by_engine), (expected, expected));
                    dropped += expected;
                    continue;
                }
                Step::Burst { key, value, count } => vec![writes(&Step::Put { key: *key, value: *value }, &model); *count],
                step => vec![writes(step, &model)],
            };
            for writes in writes {
                let expected = model.write(&writes, Timestamp::from_nanos(wall));
                let got = store.write_batch(writes.clone());
                let by_engine = engine.write(&writes, Timestamp::from_nanos(wall), Durability::Immediate);
                prop_assert_eq!(&got, &by_engine);
                match (&got, &expected) {
                    (Ok(got), Ok(expected)) => model.learn(&writes, got, expected),
                    (Err(got), Err(expected)) => prop_assert_eq!(got, expected),
                    _ => prop_assert!(false, "{:?} where {:?} was expected", got, expected),
                }
            }
        }
        check(&store, &model)?;
        check_reader(&engine.reader().unwrap(), &model)?;
        let stats = store.stats().unwrap();
        prop_assert_eq!(stats.warm.versions + stats.cold.versions, model.all().len() as u64);
        prop_assert_eq!(stats.deep.versions, dropped);
        let verified = store.verify(&mut |_| ()).unwrap();
        prop_assert_eq!(verified.damages, []);
        prop_assert_eq!(verified.versions, stats.total_versions);
        check_replay(&store, &model)?;
        check_copy(&store, &model)?;
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn names_of_any_unicode_are_kept_apart(names in prop::collection::hash_set((".{1,8}", ".{1,8}"), 1..20)) {
        let (clock, _) = clock_of(1);
        let store = opened(Memory::new(), clock, 0);
        for (place, (namespace, key)) in names.iter().enumerate() {
            store.put(namespace, key, place as i64).unwrap();
        }
        for (place, (namespace, key)) in names.iter().enumerate() {
            prop_assert_eq!(store.get(namespace, key).unwrap().value, Value::Int(place as i64));
        }
        let mut listed = 0;
        for namespace in store.list_namespaces(None, None, 100).unwrap().items {
            for key in store.list_keys(&namespace, "", None, None, 100).unwrap().items {
                prop_assert!(names.contains(&(namespace.clone(), key)));
                listed += 1;
            }
        }
        prop_assert_eq!(listed, names.len());
    }
}

fn check(store: &Store, model: &Model) -> Result<(), TestCaseError> {
    for names in NAMES {
        prop_assert_eq!(store.get(names.0, names.1).ok(), model.get(names));
        for version in model.chain(names) {
            let found = store.get_version(names.0, names.1, &version.version_id);
            prop_assert_eq!(found.as_ref(), Ok(version));
            let found = store.find_version(&version.version_id).unwrap();
            prop_assert_eq!((&*found.namespace, &*found.key, &found.version), (names.0, names.1, version));
        }
    }
    Ok(())
}

/// Whoever follows from any moment on meets all that is kept, once and in order.
fn check_replay(store: &Store, model: &Model) -> Result<(), TestCaseError> {
    let all = model.all();
    for namespace in ["a", "ab"] {
        for from in [all.first(), all.get(all.len() / 2)].into_iter().flatten() {
            let start = Start::At(from.1.timestamp);
            let mut replay = store.subscribe(namespace, "", start).unwrap();
            let expected = all.iter().filter(|(names, its)| names.0 == namespace && its.timestamp >= from.1.timestamp);
            for (names, version) in expected {
                let next = replay.try_next().unwrap().unwrap();
                prop_assert_eq!((&*next.key, &next.version), (&*names.1, version));
            }
            prop_assert_eq!(replay.try_next().unwrap(), None);
        }
    }
    Ok(())
}

/// A file brings all that is kept elsewhere, and nothing to where it is from.
fn check_copy(store: &Store, model: &Model) -> Result<(), TestCaseError> {
    let (file, exported) = common::exported(store);
    prop_assert_eq!((exported.versions, exported.damages), (model.all().len() as u64, vec![]));
    let copy = common::in_memory();
    for (into, new) in [(&copy, exported.versions), (&copy, 0), (store, 0)] {
        prop_assert_eq!(common::import(into, &file, usize::MAX, &mut |_| ()).unwrap().new, new);
    }
    for names @ (namespace, key) in NAMES {
        let chain = model.chain(names);
        if !chain.is_empty() {
            prop_assert_eq!(common::chain(&copy, namespace, key), chain);
        }
    }
    prop_assert!(copy.verify(&mut |_| ()).unwrap().is_whole());
    Ok(())
}

/// At every boundary of time: just before, at and just after each version.
fn check_reader<V: View>(reader: &Reader<V>, model: &Model) -> Result<(), TestCaseError> {
    let moments: Vec<Timestamp> =
        model.times().flat_map(|at| (-1..=1).map(move |by| Timestamp::from_nanos(at.nanos() + by))).collect();
    // Of many those that another case may not meet: no two have as many.
    let moments: Vec<_> = moments.iter().copied().step_by(moments.len() / 100 + 1).collect();
    for names @ (namespace, key) in NAMES {
        let chain = model.chain(names);
        for at in moments.iter().copied().chain([Timestamp::EARLIEST, Timestamp::LATEST]) {
            let expected = chain.iter().rev().find(|version| version.timestamp <= at);
            match (reader.get_at(namespace, key, at), expected) {
                (Ok(got), Some(expected)) => prop_assert_eq!(&got, expected),
                (Err(StoreError::KeyNotFound { deleted: None, .. }), None) => prop_assert!(chain.is_empty()),
                (Err(StoreError::KeyNotFound { deleted, .. }), Some(version)) => {
                    prop_assert!(version.deleted && deleted == Some(version.timestamp));
                }
                (Err(StoreError::NoValueAt { first, .. }), None) => {
                    prop_assert!(first > at);
                    prop_assert_eq!(Some(first), model.first(names).map(|(first, _)| first));
                }
                (Err(StoreError::NoLongerKept { oldest, .. }), None) => {
                    prop_assert_eq!(oldest, chain[0].timestamp);
                    prop_assert!(model.first(names).is_some_and(|(first, was_dropped)| was_dropped && first <= at));
                }
                (got, expected) => prop_assert!(false, "{:?} where {:?} was expected", got, expected),
            }
        }
        if chain.is_empty() {
            continue;
        }
        for limit in [1, 2, 3, 1000] {
            let mut paged = Vec::new();
            let mut before = Timestamp::LATEST;
            loop {
                let page = reader.history(namespace, key, ..before, limit).unwrap();
                prop_assert!(page.items.len() <= limit);
                paged.extend(page.items);
                match page.next {
                    Some(next) => before = next,
                    None => break,
                }
            }
            paged.reverse();
            prop_assert_eq!(&*paged, chain);
        }
        let (from, to) = (moments[moments.len() / 3], moments[moments.len() * 2 / 3]);
        let within = reader.history(namespace, key, from..=to, 1000).unwrap().items;
        let expected: Vec<_> =
            chain.iter().rev().filter(|version| (from..=to).contains(&version.timestamp)).cloned().collect();
        prop_assert_eq!(within, expected);
    }
    for at in moments.iter().copied().map(Some).chain([None]) {
        let expected = model.keys_at(at.unwrap_or(Timestamp::LATEST));
        for namespace in ["a", "a\0", "a/b", "ab", "\u{7f}", "日本", "nowhere"] {
            for prefix in ["", "b", "b/", "\0"] {
                let mut listed = Vec::new();
                let mut after: Option<String> = None;
                loop {
                    let page = reader.list_keys(namespace, prefix, at, after.as_deref(), 2).unwrap();
                    listed.extend(page.items);
                    match page.next {
                        Some(next) => after = Some(next),
                        None => break,
                    }
                }
                let expected: Vec<_> = expected
                    .iter()
                    .filter(|(its, key)| its == namespace && key.starts_with(prefix))
                    .map(|(_, key)| key.clone())
                    .collect();
                prop_assert_eq!(listed, expected);
            }
        }
        let mut namespaces: Vec<_> = expected.iter().map(|(namespace, _)| namespace.clone()).collect();
        namespaces.dedup();
        prop_assert_eq!(reader.list_namespaces(at, None, 100).unwrap().items, namespaces);
        let at = at.unwrap_or(Timestamp::LATEST);
        let mut snapshot = Vec::new();
        let mut after = None;
        loop {
            let page = reader.snapshot_page(at, after.as_ref(), 3).unwrap();
            snapshot.extend(page.items);
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        let snapshot: Vec<_> =
            snapshot.into_iter().map(|its| ((its.namespace.to_string(), its.key.to_string()), its.version)).collect();
        prop_assert_eq!(snapshot, model.at(at));
    }
    Ok(())
}
