//! The store over its tables on disk: writers share syncs, chains are proven after reopening, a file brings all of it elsewhere.

use anabranch_redb::{Options, RedbBackend};
use anabranch_store::{Store, Timestamp, Write};
use std::path::Path;

fn options() -> anabranch_store::Options {
    anabranch_store::Options::new(|| Timestamp::from_nanos(1_774_791_420_000_000_000)).hot_bytes(1 << 20)
}

fn opened(directory: &Path) -> Store {
    Store::open(RedbBackend::open(directory, Options::default()).unwrap(), options()).unwrap()
}

#[test]
fn sixteen_writers_share_syncs_and_their_chains_are_whole_after_reopening() {
    const EACH: u64 = 100;
    let directory = tempfile::tempdir().unwrap();
    let store = opened(directory.path());
    std::thread::scope(|scope| {
        for writer in 0..16 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..EACH {
                    let shared = store.put("shared", "one", number as i64).unwrap();
                    let own = Write::put("own", format!("{writer}"), number as i64).because([shared.version_id]);
                    store.write(own).unwrap();
                }
            });
        }
    });
    let commits = store.stats().unwrap().commits;
    assert!(commits <= 32 * EACH / 8, "{commits} commits for {} writes", 32 * EACH);
    println!("{commits} commits for {} writes", 32 * EACH);
    let newest = store.get("shared", "one").unwrap();
    drop(store);

    let store = opened(directory.path());
    let verified = store.verify(&mut |_| ()).unwrap();
    assert_eq!((verified.keys, verified.versions, verified.damages), (17, 32 * EACH, vec![]));
    assert_eq!(store.get("shared", "one").unwrap(), newest);
    let effects = store.effects(&newest.version_id, 10).unwrap();
    assert_eq!(effects.steps.len(), 2);

    assert_eq!(anabranch_crashes::moved(&store, options()).unwrap(), 32 * EACH);
}
