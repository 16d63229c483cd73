//! A file that was exported, altered: what it brings is proven, or nothing comes of it.
//!
//! The first byte says whether the sums of frames and the digest at the end are made right again, so that what lies behind them
//! is tried, too.

use crate::crc;
use anabranch_store::{Memory, Options, Store, StoreError, Timestamp, Write};
use anabranch_value::value;

fn empty() -> Store {
    let options = Options::new(|| Timestamp::from_nanos(1_000_000)).hot_bytes(0);
    Store::open(Memory::new(), options).expect("an empty store opens")
}

fn import(store: &Store, mut file: &[u8]) -> Result<anabranch_store::Imported, StoreError> {
    let source = &mut |buffer: &mut [u8]| {
        let count = file.len().min(buffer.len());
        buffer[..count].copy_from_slice(&file[..count]);
        file = &file[count..];
        Ok(count)
    };
    store.import(source, &mut |_| ())
}

fn export(store: &Store) -> Vec<u8> {
    let mut file = Vec::new();
    let sink = &mut |bytes: &[u8]| {
        file.extend_from_slice(bytes);
        Ok(())
    };
    let exported = store.export(sink, &mut |_| ()).expect("a store in memory is exported");
    assert_eq!(exported.damages, []);
    file
}

/// Imports it into an empty store.
pub fn try_it(data: &[u8]) {
    let Some((sealed, file)) = data.split_first() else { return };
    let mut file = file.to_vec();
    if sealed % 2 == 1 {
        seal(&mut file);
    }
    let store = empty();
    let outcome = import(&store, &file);
    let verified = store.verify(&mut |_| ()).expect("a store in memory is verified");
    assert!(verified.is_whole(), "{:?}", verified.damages);
    match outcome {
        Ok(imported) => {
            assert_eq!((imported.new, imported.known), (verified.versions, 0));
            let again = import(&store, &file).expect("what was imported is known");
            assert_eq!((again.new, again.known), (0, verified.versions));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    // Whatever came of it can go elsewhere.
    let other = empty();
    assert_eq!(import(&other, &export(&store)).expect("what was exported is imported").new, verified.versions);
}

/// Makes the sums of all frames right, and the digest of the last one: as far as frames can be told.
fn seal(file: &mut [u8]) {
    const END: u8 = 3;
    let mut at = 12;
    while let Some(head) = file.get(at..at + 5) {
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let Some(end) = at.checked_add(5 + length).filter(|end| end + 4 <= file.len()) else { return };
        if head[0] == END && length == 48 {
            let digest = blake3_of(&file[..at]);
            file[end - 32..end].copy_from_slice(&digest);
        }
        let sum = crc(&[&file[at..end]]);
        file[end..end + 4].copy_from_slice(&sum.to_be_bytes());
        at = end + 4;
    }
}

fn blake3_of(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}

/// An empty database, and one with chains, deletions, causes and a large value.
pub fn seeds() -> Vec<(String, Vec<u8>)> {
    let store = empty();
    let mut files = vec![("empty", export(&store))];
    let first = store.put("plant", "boiler", 21.5).expect("it is written");
    files.push(("one", export(&store)));
    store.put("plant", "boiler", value!({ "celsius": [22, null, "x"] })).expect("it is written");
    store.write(Write::put("alarm", "\0/", true).because([first.version_id; 3])).expect("it is written");
    store.delete("plant", "boiler").expect("it is there");
    store.put("plant", "boiler", "y".repeat(300)).expect("it is written");
    files.push(("some", export(&store)));
    let both =
        |(name, file): (&str, Vec<u8>)| [0, 1].map(|sealed| (format!("{name}-{sealed}"), [&[sealed], &*file].concat()));
    files.into_iter().flat_map(both).collect()
}
