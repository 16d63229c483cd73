//! The store over its log and tree: writers share syncs, chains are proven after reopening, versions change their tier.

use anabranch_medium::sim::SimPlace;
use anabranch_opfs::{OpfsBackend, Options};
use anabranch_store::{Store, Timestamp, Write};
use std::sync::Arc;

fn options() -> anabranch_store::Options {
    anabranch_store::Options::new(|| Timestamp::from_nanos(1_774_791_420_000_000_000)).hot_bytes(1 << 20)
}

fn opened(place: &SimPlace) -> (Arc<OpfsBackend>, Store) {
    let mut small = Options::default();
    small.log = 30_000;
    let backend = Arc::new(OpfsBackend::open(place.fixed(0), place.fixed(1), small).unwrap());
    (backend.clone(), Store::open(backend, options()).unwrap())
}

#[test]
fn writers_and_readers_on_threads_see_whole_chains_before_and_after_reopening() {
    const EACH: u64 = 200;
    let place = SimPlace::with_media(2);
    let (backend, store) = opened(&place);
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..EACH {
                    let shared = store.put("shared", "one", number as i64).unwrap();
                    let own = Write::put("own", format!("{writer}"), number as i64).because([shared.version_id]);
                    store.write(own).unwrap();
                    if number % 20 == 0 {
                        let history = store.history("own", &format!("{writer}"), .., 1_000).unwrap();
                        assert_eq!(history.items.len() as u64, number + 1);
                    }
                }
            });
        }
    });
    let newest = store.get("shared", "one").unwrap();
    drop((backend, store));

    let place = place.copy();
    let (backend, store) = opened(&place);
    let verified = store.verify(&mut |_| ()).unwrap();
    assert_eq!((verified.keys, verified.versions, verified.damages), (9, 16 * EACH, vec![]));
    assert_eq!(store.get("shared", "one").unwrap(), newest);
    assert_eq!(store.stats().unwrap().total_versions, 16 * EACH);

    assert_eq!(anabranch_crashes::moved(&store, options()).unwrap(), 16 * EACH);
    backend.checkpoint().unwrap();
    assert!(store.verify(&mut |_| ()).unwrap().is_whole());
}
