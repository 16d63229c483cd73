//! What holds for chains of any length, values of any size, names of any text and clocks of any course.

mod common;

use anabranch_store::{Expected, Memory, StoreError, Timestamp, Write};
use anabranch_value::Value;
use common::{assert_whole, chain, clock_of, in_memory, opened};
use proptest::prelude::*;

#[test]
fn a_hundred_thousand_versions_of_one_key_are_each_found_at_their_boundaries() {
    const VERSIONS: i64 = 100_000;
    // Three nanoseconds apart, so that there is a moment before and one after each.
    let (clock, set) = clock_of(0);
    let store = opened(Memory::new(), clock, 0);
    let mut written = Vec::new();
    for number in 0..VERSIONS {
        set(1000 + 3 * number);
        written.push(store.put("n", "k", number).unwrap());
    }
    let at = |moment: i64| store.get_at("n", "k", Timestamp::from_nanos(moment));
    assert!(matches!(at(999), Err(StoreError::NoValueAt { first, .. }) if first == written[0].timestamp));
    for (number, version) in (0..).zip(&written) {
        let moment = 1000 + 3 * number;
        assert_eq!(at(moment).as_ref(), Ok(version));
        assert_eq!(at(moment + 2).as_ref(), Ok(version));
        if number % 1000 == 0 && number > 0 {
            assert_eq!(at(moment - 1).as_ref(), Ok(&written[number as usize - 1]));
        }
    }
    assert_eq!(at(i64::MAX).unwrap(), written[written.len() - 1]);
    let whole = chain(&store, "n", "k");
    assert_eq!(whole, written);
    assert_whole(&whole);
    assert_eq!(store.verify(&mut |_| ()).unwrap().versions, VERSIONS as u64);
}

#[test]
fn values_of_no_bytes_to_sixteen_mebibytes_come_back_as_they_were() {
    let store = in_memory();
    let edges = [0, 1, 22, 23, 24, 255, 256, 4095, 4096, 4097, 65_535, 65_536, 1 << 20, (16 << 20) - 1, 16 << 20];
    for size in edges {
        let bytes: Vec<u8> = (0..size).map(|place: usize| (place ^ place >> 8 ^ place >> 16) as u8).collect();
        let text = "y".repeat(size);
        let bytes = Value::from(bytes.as_slice());
        let written = [store.put("n", "bytes", bytes.clone()).unwrap(), store.put("n", "text", text.as_str()).unwrap()];
        assert_eq!(store.get("n", "bytes").unwrap().value, bytes, "{size} bytes");
        assert_eq!(store.get("n", "text").unwrap().value, Value::from(text.as_str()), "{size} letters");
        for (key, version) in ["bytes", "text"].into_iter().zip(&written) {
            assert_eq!(store.get_version("n", key, &version.version_id).unwrap(), *version, "{size} of {key}");
        }
    }
    assert!(store.verify(&mut |_| ()).unwrap().is_whole());
}

/// What a format could take for the end of a name or the beginning of the next.
const SEPARATORS: [char; 24] = [
    '\0',
    '\u{1}',
    '\t',
    '\n',
    '\r',
    '\u{1b}',
    '\u{1f}',
    ' ',
    '"',
    '#',
    '$',
    '%',
    '\'',
    ',',
    '.',
    '/',
    ':',
    ';',
    '\\',
    '|',
    '\u{7f}',
    '\u{85}',
    '\u{2028}',
    '\u{10ffff}',
];

fn name() -> impl Strategy<Value = String> {
    let letter = prop_oneof![
        3 => prop::sample::select(SEPARATORS.to_vec()),
        1 => any::<char>(),
        2 => prop::sample::select(vec!['a', 'b', 'é', '語']),
    ];
    prop::collection::vec(letter, 1..12).prop_map(|letters| letters.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn names_of_any_text_and_every_separator_are_kept_apart_with_their_pasts(
        names in prop::collection::btree_set((name(), name()), 2..24),
    ) {
        let store = in_memory();
        for round in 0..2 {
            for (place, (namespace, key)) in names.iter().enumerate() {
                store.put(namespace, key, (2 * place + round) as i64).unwrap();
            }
        }
        for (place, (namespace, key)) in names.iter().enumerate() {
            let values: Vec<_> = chain(&store, namespace, key).into_iter().map(|version| version.value).collect();
            prop_assert_eq!(values, [Value::from(2 * place as i64), Value::from(2 * place as i64 + 1)]);
        }
        let mut listed = Vec::new();
        for namespace in store.list_namespaces(None, None, 100).unwrap().items {
            let keys = store.list_keys(&namespace, "", None, None, 100).unwrap().items;
            listed.extend(keys.into_iter().map(|key| (namespace.clone(), key)));
        }
        listed.sort_unstable();
        prop_assert!(listed.iter().eq(&names), "{:?}", listed);
        prop_assert!(store.verify(&mut |_| ()).unwrap().is_whole());
    }

    #[test]
    fn whatever_the_clock_does_time_goes_on_and_every_boundary_is_exact(
        steps in prop::collection::vec(prop_oneof![Just(0_i64), Just(1), -5..5_i64, -1_000_000..1_000_000_i64], 1..80),
        start in prop_oneof![Just(0_i64), Just(1), 1_000..2_000_i64, Just(i64::MAX - 10_000_000_000)],
        same_value: bool,
    ) {
        let (clock, set) = clock_of(start);
        let store = opened(Memory::new(), clock, 1 << 20);
        let mut wall = start;
        let mut written = Vec::new();
        for (number, by) in (0_i64..).zip(&steps) {
            wall += by;
            set(wall);
            written.push(store.put("n", "k", if same_value { 7 } else { number }).unwrap());
            let last = written.len() - 1;
            prop_assert!(written[last].timestamp.nanos() >= wall, "not before the platform's clock");
        }
        assert_whole(&written);
        prop_assert_eq!(&chain(&store, "n", "k"), &written);
        for (place, version) in written.iter().enumerate() {
            let at = |by: i64| store.get_at("n", "k", Timestamp::from_nanos(version.timestamp.nanos() + by));
            prop_assert_eq!(&at(0).unwrap(), version);
            match place.checked_sub(1) {
                Some(before) => prop_assert_eq!(&at(-1).unwrap(), &written[before]),
                None => {
                    let before = matches!(at(-1), Err(StoreError::NoValueAt { .. }));
                    prop_assert!(before, "{:?}", at(-1));
                }
            }
            let after = written.get(place + 1).filter(|next| next.timestamp.nanos() == version.timestamp.nanos() + 1);
            prop_assert_eq!(&at(1).unwrap(), after.unwrap_or(version));
        }
    }

    #[test]
    fn equal_values_are_versions_of_their_own(count in 2_usize..20, keys in 1_usize..4) {
        let store = in_memory();
        let mut ids = std::collections::HashSet::new();
        for number in 0..count {
            for key in 0..keys {
                let key = key.to_string();
                let expected = store.get("n", &key).map_or(Expected::Absent, |version| version.version_id.into());
                let written = store.put_if("n", &key, "the same", expected).unwrap();
                prop_assert!(ids.insert(written.version_id));
                prop_assert_eq!(chain(&store, "n", &key).len(), number + 1);
            }
        }
        let batch = store.write_batch((0..keys).map(|key| Write::put("n", key.to_string(), "the same")).collect());
        prop_assert!(batch.unwrap().iter().all(|version| ids.insert(version.version_id)));
    }
}
