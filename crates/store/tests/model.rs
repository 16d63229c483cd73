//! Any sequence of operations does what a plain model in memory does.

mod common;

use anabranch_store::{Durability, Engine, Expected, Memory, Reader, Store, StoreError, Timestamp, View, Write};
use anabranch_value::{Value, value};
use common::{Model, clock_of, opened};
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
    /// The platform's clock moves, forward or back.
    Clock(i64),
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
        Step::Clock(_) => vec![],
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

/// At every boundary of time: just before, at and just after each version.
fn check_reader<V: View>(reader: &Reader<V>, model: &Model) -> Result<(), TestCaseError> {
    let moments: Vec<Timestamp> =
        model.times().flat_map(|at| (-1..=1).map(move |by| Timestamp::from_nanos(at.nanos() + by))).collect();
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
                (Err(StoreError::NoValueAt { first, .. }), None) => prop_assert_eq!(first, chain[0].timestamp),
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
