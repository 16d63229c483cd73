//! What each operation does, and what it says to bad input.

mod common;

use anabranch_store::{Memory, StoreError, Timestamp, Write};
use anabranch_value::value;
use common::{chain, in_memory, opened};

/// Bad input: each a typed error that says the way out.
mod bad_input {
    use super::*;
    use anabranch_store::{BadVersionId, MAX_KEY, MAX_NAMESPACE, VersionId};

    fn message<T: std::fmt::Debug>(outcome: Result<T, StoreError>) -> String {
        outcome.unwrap_err().to_string()
    }

    #[test]
    fn a_key_that_is_not_there() {
        let error = in_memory().get("n", "k").unwrap_err();
        assert_eq!(error, StoreError::KeyNotFound { namespace: "n".into(), key: "k".into(), deleted: None });
        assert!(in_memory().delete("n", "k").unwrap_err().is_not_found());
    }

    #[test]
    fn a_time_before_the_first_version() {
        let store = in_memory();
        let first = store.put("n", "k", 1).unwrap();
        for at in [Timestamp::EARLIEST, Timestamp::from_nanos(0), Timestamp::from_nanos(999)] {
            let error = store.get_at("n", "k", at).unwrap_err();
            assert!(matches!(error, StoreError::NoValueAt { first: its, .. } if its == first.timestamp));
            assert!(error.to_string().contains("its first version is of 1970-01-01T00:00:00.000001000Z"), "{error}");
        }
        assert!(store.history("n", "k", ..first.timestamp, 10).unwrap().items.is_empty());
    }

    #[test]
    fn a_version_id_that_is_malformed_or_of_another_key() {
        assert!(matches!("12".parse::<VersionId>(), Err(BadVersionId { .. })));
        let store = in_memory();
        store.put("n", "k", 1).unwrap();
        let other = store.put("n", "other", 1).unwrap().version_id;
        assert!(matches!(store.get_version("n", "k", &other), Err(StoreError::VersionNotFound { .. })));
        assert!(matches!(store.put_if("n", "k", 2, other), Err(StoreError::Conflict { .. })));
    }

    #[test]
    fn a_put_if_that_lost_says_what_is_there() {
        let store = in_memory();
        let first = store.put("n", "k", 1).unwrap();
        let second = store.put_if("n", "k", 2, first.version_id).unwrap();
        let error = store.put_if("n", "k", 3, first.version_id).unwrap_err();
        assert!(matches!(error, StoreError::Conflict { current: Some(current), .. } if current == second.version_id));
        assert!(error.to_string().contains(&second.version_id.to_string()), "{error}");
        assert!(message(store.put_if("n", "new", 3, first.version_id)).contains("is not there now"));
        assert_eq!(chain(&store, "n", "k").len(), 2);
    }

    #[test]
    fn a_name_that_is_empty_or_too_long() {
        let store = in_memory();
        let (long_namespace, long_key) = ("n".repeat(MAX_NAMESPACE + 1), "é".repeat(MAX_KEY / 2 + 1));
        for (namespace, key) in [("", "k"), ("n", ""), (&*long_namespace, "k"), ("n", &*long_key)] {
            for outcome in [store.put(namespace, key, 1), store.get(namespace, key), store.delete(namespace, key)] {
                let is_it = matches!(outcome, Err(StoreError::EmptyName { .. } | StoreError::NameTooLong { .. }));
                assert!(is_it, "{outcome:?}");
            }
        }
        store.put(&"n".repeat(MAX_NAMESPACE), &"k".repeat(MAX_KEY), 1).unwrap();
        assert!(message(store.put("n", &long_key, 1)).ends_with("shorten it"));
        assert!(store.list_keys("", "", None, None, 1).is_err());
    }

    #[test]
    fn a_limit_of_0() {
        let store = in_memory();
        store.put("n", "k", 1).unwrap();
        assert_eq!(store.history("n", "k", .., 0).unwrap_err(), StoreError::NoLimit);
        assert_eq!(store.list_keys("n", "", None, None, 0).unwrap_err(), StoreError::NoLimit);
        assert_eq!(store.list_namespaces(None, None, 0).unwrap_err(), StoreError::NoLimit);
    }

    #[test]
    fn a_batch_with_the_same_key_twice_writes_nothing() {
        let store = in_memory();
        let batch = vec![Write::put("n", "a", 1), Write::put("n", "b", 1), Write::delete("n", "a")];
        let error = store.write_batch(batch).unwrap_err();
        assert_eq!(error, StoreError::SameKeyTwice { namespace: "n".into(), key: "a".into() });
        assert_eq!(store.stats().unwrap().total_versions, 0);
        assert!(store.write_batch(vec![]).unwrap().is_empty());
    }

    #[test]
    fn a_batch_of_which_one_cannot_be_writes_nothing() {
        let store = in_memory();
        store.put("n", "b", 1).unwrap();
        let batch = vec![Write::put("n", "a", 1), Write::put("n", "b", 1).if_absent()];
        assert!(matches!(store.write_batch(batch), Err(StoreError::Conflict { .. })));
        assert_eq!(store.list_keys("n", "", None, None, 10).unwrap().items, ["b"]);
        assert_eq!(store.stats().unwrap().total_versions, 1);
    }

    #[test]
    fn a_value_that_is_too_deep_or_too_large() {
        let store = in_memory();
        let deep = (0..70).fold(value!(1), |value, _| value!([value]));
        assert!(message(store.put("n", "k", deep)).contains("flatten the data"));
        assert!(message(store.put("n", "k", vec![0; (64 << 20) + 1])).contains("split it"));
    }

    #[test]
    fn a_clock_at_its_end() {
        let store = opened(Memory::new(), || Timestamp::LATEST, 0);
        let batch = vec![Write::put("n", "a", 1), Write::put("n", "b", 1)];
        assert_eq!(store.write_batch(batch), Err(StoreError::TimeIsUp));
        assert_eq!(store.put("n", "k", 1).unwrap().timestamp, Timestamp::LATEST);
        assert_eq!(store.put("n", "k", 2), Err(StoreError::TimeIsUp));
        assert_eq!(store.get("n", "k").unwrap().value, value!(1));
    }

    #[test]
    fn a_clock_before_1970() {
        let store = opened(Memory::new(), || Timestamp::EARLIEST, 0);
        assert_eq!(store.put("n", "k", 1).unwrap().timestamp, Timestamp::from_nanos(1));
    }
}

#[test]
fn values_of_no_bytes_to_16_mib_come_back() {
    let store = in_memory();
    for length in [0, 1, 4096, 4097, 1 << 20, 16 << 20] {
        let bytes: Vec<u8> = (0..length).map(|place| place as u8).collect();
        let written = store.put("n", "k", bytes).unwrap();
        assert_eq!(store.get("n", "k").unwrap(), written);
        assert_eq!(store.get_version("n", "k", &written.version_id).unwrap(), written);
    }
    assert!(store.verify(&mut |_| ()).unwrap().is_whole());
}

#[test]
fn causes_are_walked_back_and_forward() {
    let store = in_memory();
    let readings: Vec<_> = (0..3).map(|number| store.put("sensor", "a", number).unwrap().version_id).collect();
    let average = Write::put("average", "a", 1).because(readings.clone());
    let average = store.write(average).unwrap().version_id;
    let unknown = anabranch_store::VersionId::from_bytes([9; 32]).unwrap();
    let alarm = store.write(Write::put("alarm", "a", true).because([average, readings[0], unknown])).unwrap();
    assert_eq!(*alarm.causes, [average, readings[0], unknown]);
    assert_eq!(store.get("alarm", "a").unwrap(), alarm);

    let why = store.why(&alarm.version_id, 100).unwrap();
    let walked: Vec<_> = why.steps.iter().map(|step| (step.depth, step.id)).collect();
    let expected =
        [(0, alarm.version_id), (1, average), (1, readings[0]), (1, unknown), (2, readings[1]), (2, readings[2])];
    assert_eq!(walked, expected);
    assert!(why.is_whole && why.steps[3].version.is_none());
    assert_eq!(why.steps[4].via, Some(average));
    assert_eq!(&*why.steps[4].version.as_ref().unwrap().namespace, "sensor");

    let effects = store.effects(&readings[0], 100).unwrap();
    let walked: Vec<_> = effects.steps.iter().map(|step| (step.depth, step.id)).collect();
    assert_eq!(walked, [(0, readings[0]), (1, average), (1, alarm.version_id)]);
    let cut = store.why(&alarm.version_id, 3).unwrap();
    assert!(!cut.is_whole && cut.steps.len() == 3);
    assert!(matches!(store.why(&unknown, 3), Err(StoreError::NoSuchVersion { .. })));
    assert!(store.verify(&mut |_| ()).unwrap().is_whole());
}

#[test]
fn a_diff_names_each_place_that_changed() {
    let store = in_memory();
    let first = store.put("n", "k", value!({ "celsius": 21, "unit": "C" })).unwrap();
    let second = store.put("n", "k", value!({ "celsius": 22, "unit": "C" })).unwrap();
    let diff = store.diff("n", "k", first.version_id, second.timestamp).unwrap();
    assert_eq!((diff.before, diff.after), (Some(first.clone()), Some(second.clone())));
    assert_eq!(diff.changes.len(), 1);
    assert_eq!(diff.changes[0].path.to_string(), "celsius");
    store.delete("n", "k").unwrap();
    let diff = store.diff("n", "k", Timestamp::EARLIEST, second.version_id).unwrap();
    assert_eq!((diff.before, diff.changes[0].before.clone()), (None, None));
    let diff = store.diff("n", "k", second.version_id, Timestamp::LATEST).unwrap();
    assert!(diff.after.unwrap().deleted && diff.changes[0].after.is_none());
}

#[test]
fn a_snapshot_is_of_one_moment_however_long_it_takes() {
    let store = in_memory();
    for number in 0..1000 {
        store.put("n", &format!("{number:04}"), 0).unwrap();
        store.put("m", &format!("{number:04}"), 0).unwrap();
    }
    let mut snapshot = store.snapshot_at(Timestamp::LATEST).unwrap();
    let mut seen = Vec::new();
    while let Some(next) = snapshot.next().transpose().unwrap() {
        let number = seen.len();
        store.put(&next.namespace, &next.key, 1).unwrap();
        store.put("n", &format!("new {number}"), 1).unwrap();
        store.delete("n", &format!("{:04}", 999 - number % 1000)).ok();
        seen.push((next.namespace.to_string(), next.key.to_string()));
        assert_eq!(next.version.value, value!(0));
    }
    assert_eq!(seen.len(), 2000);
    assert!(seen.is_sorted());
}
