//! What a node's config says of its store holds: which versions are kept, and what its tiers may take.

mod common;

use anabranch::store::{Durability, Retention, Store, StoreError, Timestamp};
use anabranch_node::{ClientError, Which, shown::Stats};
use common::{LONG, Running, node};
use std::{path::Path, time::Duration};
use tokio::time::timeout;

/// A node and its store.
struct Kept {
    store: Store,
    running: Running,
}

impl Kept {
    async fn start(directory: &Path, more: &str) -> Self {
        let mut node = node(directory, &format!("maintain_every = '1ms'\n{more}")).await;
        // What is written here need not survive a crash.
        let store = node.open().await.expect("it can be opened").expect("it has one");
        let store = store.with_durability(Durability::Relaxed);
        let running = Running::start(node, directory).await;
        Kept { store, running }
    }

    /// Asks the node how much there is until it is this.
    async fn until(&self, holds: impl Fn(&Stats) -> bool) -> Stats {
        let asking = async {
            loop {
                let stats = self.running.client.store().stats().await.expect("it answers").expect("it keeps a store");
                if holds(&stats) {
                    return stats;
                }
            }
        };
        timeout(LONG, asking).await.expect("it comes to hold")
    }

    /// Ends it; nobody has its store any more then.
    async fn end(self) {
        drop(self.store);
        self.running.end().await;
    }
}

#[tokio::test]
async fn a_node_drops_what_its_config_does_not_keep_and_proves_the_rest() {
    let place = tempfile::tempdir().expect("there is room");
    let kept = "[[namespace]]\nname = 'rooms'\nretention = { last = 100 }\n[[namespace]]\nname = 'halls'\n";
    let node = Kept::start(place.path(), kept).await;
    let mut times = Vec::new();
    for number in 0..300 {
        times.push(node.store.put("rooms", "kitchen", number).expect("it is written").timestamp);
        node.store.put("halls", "hall", number).expect("it is written");
    }
    let stats = node.until(|stats| stats.deep.versions == 200).await;
    assert_eq!((stats.total_versions, stats.key_count), (400, 2));
    let [retained] = &*stats.retention else { panic!("{:?}", stats.retention) };
    assert_eq!((&*retained.namespace, retained.last), ("rooms", Some(100)));
    let store = node.running.client.store();
    let history = store.history("rooms", "kitchen", None, 1000).await.expect("it answers");
    assert_eq!((history.items.len(), history.next), (100, None));
    assert_eq!(history.items.last().map(|version| version.timestamp), Some(times[200]));
    assert_eq!(store.history("halls", "hall", None, 1000).await.expect("it answers").items.len(), 300);
    match store.get("rooms", "kitchen", Which::At(times[199])).await {
        Err(error @ ClientError::Refused { status: 410, .. }) if error.is_not_found() => {
            let (ClientError::Refused { code, detail, .. }, oldest) = (&error, times[200].to_string()) else { return };
            assert!(code == "NO_LONGER_KEPT" && detail.contains(&oldest), "{code}: {detail}");
        }
        other => panic!("it is no longer kept: {other:?}"),
    }
    assert!(store.get("rooms", "kitchen", Which::At(times[200])).await.is_ok());
    let verified = store.verify(&mut |_| ()).await.expect("it answers");
    assert_eq!((verified.versions, verified.damages), (400, Vec::new()));
    let services = node.running.client.get("/v1/stats").await.expect("it answers");
    let services: serde_json::Value = serde_json::from_slice(&services).expect("it is JSON");
    let maintain = services["services"].as_array().and_then(|all| all.iter().find(|one| one["name"] == "maintain"));
    assert_eq!(maintain.expect("it is there")["phase"], "running");
    node.end().await;
    // What the config names no longer keeps all again: what was dropped stays so, and nothing else is.
    let node = Kept::start(place.path(), "cold_after = '0s'").await;
    assert_eq!(node.store.retentions(), Ok(Vec::new()));
    for number in 0..50 {
        node.store.put("rooms", "kitchen", number).expect("it is written");
    }
    let stats = node.until(|stats| stats.warm.versions < 50).await;
    assert_eq!((stats.total_versions, stats.deep.versions, stats.retention), (450, 200, Vec::new()));
    assert!(node.store.verify(&mut |_| ()).expect("it can be read").is_whole());
    node.end().await;
}

#[tokio::test]
async fn what_was_the_newest_within_a_time_is_kept() {
    let place = tempfile::tempdir().expect("there is room");
    // Nothing is as new as that, but the newest of each key is kept.
    let node = Kept::start(place.path(), "[[namespace]]\nname = 'rooms'\nretention = { for = '1ms' }\n").await;
    let rooms = Retention::For(Duration::from_millis(1));
    assert_eq!(node.store.retentions(), Ok(vec![("rooms".to_owned(), rooms)]));
    for number in 0..20 {
        node.store.put("rooms", "kitchen", number).expect("it is written");
    }
    node.until(|stats| stats.deep.versions == 19).await;
    assert_eq!(node.store.get("rooms", "kitchen").expect("it is there").value, 19.into());
    let at = Timestamp::from_nanos(1);
    assert!(matches!(node.store.get_at("rooms", "kitchen", at), Err(StoreError::NoValueAt { .. })));
    node.end().await;
}

#[tokio::test]
async fn the_limits_of_its_tiers_hold_and_are_shown() {
    let place = tempfile::tempdir().expect("there is room");
    let limits = "hot_bytes = 65536\nwarm_bytes = 50000\n";
    let node = Kept::start(place.path(), limits).await;
    for number in 0..1000 {
        node.store.put("rooms", &format!("room/{}", number % 100), "x".repeat(100)).expect("it is written");
    }
    // None is an hour old: it is the limit that has them moved.
    let stats = node.until(|stats| stats.warm.bytes <= 50_000 && stats.cold.versions > 500).await;
    assert_eq!((stats.hot.limit, stats.warm.limit), (Some(65536), Some(50_000)));
    assert!(stats.hot.bytes <= 65536 && stats.hot.versions > 0, "{stats:?}");
    assert_eq!(stats.total_versions, 1000);
    assert!(node.store.verify(&mut |_| ()).expect("it can be read").is_whole());
    node.end().await;
}
