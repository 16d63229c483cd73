//! Records that a node keeps: what came in is in the store of its directory, and goes on when it runs again.

mod common;

use anabranch::{
    redb::{self, RedbBackend},
    store::{BackendError, Options, Store, StoreError, Timestamp},
};
use anabranch_node::NodeError;
use anabranch_value::{Value, value};
use common::{Running, node};
use std::path::Path;

const RECORDS: &str = "
[[record]]
name = 'temperature'
buffer = { kind = 'single-latest' }
keep = { namespace = 'temperature', key = '{device}' }

[[record]]
name = 'mode'
buffer = { kind = 'mailbox' }
keep = { namespace = 'modes' }

[[record]]
name = 'passing'
buffer = { kind = 'single-latest' }
";

fn open(directory: &Path) -> Result<Store, StoreError> {
    let backend = RedbBackend::open(directory.join("data"), redb::Options::default())?;
    Store::open(backend, Options::new(|| Timestamp::from_nanos(1)))
}

fn values(store: &Store, namespace: &str, key: &str) -> Vec<Value> {
    let history = store.history(namespace, key, .., 100).expect("it is there").items;
    history.into_iter().rev().map(|version| version.value).collect()
}

#[tokio::test]
async fn what_came_in_is_in_the_store_and_goes_on_when_it_runs_again() {
    let place = tempfile::tempdir().expect("there is room");
    for run in 0..2 {
        let running = Running::start(node(place.path(), RECORDS).await, place.path()).await;
        let client = &running.client;
        for celsius in 0..10 {
            let body = format!(r#"{{"device":"boiler","celsius":{}}}"#, 10 * run + celsius);
            client.put("temperature", body).await.expect("it may be written");
        }
        client.put("temperature", r#"{"celsius":7}"#).await.expect("it may be written");
        client.put("mode", r#""night""#).await.expect("it may be written");
        client.put("passing", "1").await.expect("it may be written");
        let stats = client.get("/v1/stats").await.expect("it answers");
        let stats: serde_json::Value = serde_json::from_slice(&stats).expect("it is JSON");
        let keep = |name: &str| {
            let records = stats["records"].as_array().expect("a list");
            records.iter().find(|record| record["name"] == name).expect("it is there")["keep"].clone()
        };
        assert_eq!((&keep("mode")["namespace"], &keep("mode")["key"]), (&"modes".into(), &"mode".into()));
        assert_eq!((&keep("temperature")["lost"], keep("passing")), (&0.into(), serde_json::Value::Null));
        // Whoever else would write there is told.
        assert!(matches!(open(place.path()), Err(StoreError::Backend(BackendError::InUse))));
        running.end().await;
    }
    let store = open(place.path()).expect("nobody has it");
    let readings: Vec<Value> = (0..20).map(|celsius| value!({ "device": "boiler", "celsius": celsius })).collect();
    assert_eq!(values(&store, "temperature", "boiler"), readings);
    assert_eq!(values(&store, "modes", "mode"), [value!("night"), value!("night")]);
    assert_eq!(store.list_namespaces(None, None, 10).expect("it can be read").items, ["modes", "temperature"]);
}

#[tokio::test]
async fn its_store_can_be_had_before_it_runs_and_counts_what_it_could_not_keep() {
    let place = tempfile::tempdir().expect("there is room");
    let mut node = node(place.path(), RECORDS).await;
    assert!(node.store().is_none());
    let store = node.open().await.expect("it can be opened").expect("it has one").clone();
    store.put("modes", "mode", "day").expect("it can be written");
    assert_eq!(node.keeps().len(), 2);
    let running = Running::start(node, place.path()).await;
    let client = &running.client;
    client.put("temperature", "21").await.expect("it may be written");
    let keep = loop {
        let records = client.get("/v1/records").await.expect("it answers");
        let records: serde_json::Value = serde_json::from_slice(&records).expect("it is JSON");
        let keep = records[2]["keep"].clone();
        if keep["failed"] != 0 {
            break keep;
        }
    };
    assert_eq!(keep["failed"], 1, "{keep}");
    assert!(keep["lastError"].as_str().is_some_and(|why| why.contains("no field device")), "{keep}");
    running.end().await;
    assert_eq!(values(&store, "modes", "mode"), [value!("day")]);
}

#[tokio::test]
async fn a_store_that_somebody_has_open_is_no_node_s() {
    let place = tempfile::tempdir().expect("there is room");
    let _held = open(place.path()).expect("nobody has it");
    let refused = node(place.path(), RECORDS).await.run(async {}).await.expect_err("it is in use");
    assert!(matches!(refused, NodeError::Store { .. }), "{refused:?}");
    assert!(refused.to_string().contains("in use by another process"), "{refused}");
}
