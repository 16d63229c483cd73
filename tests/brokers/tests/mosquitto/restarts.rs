//! Brokers are killed, stopped and started again while values flow.

use crate::links::{Asked, Db, Numbers, qos, to, with};
use anabranch_brokers::{Mosquitto, Observer, Persistence, QoS, Setup, on_both_flavours, on_two_threads};
use anabranch_core::{ConnectorConfig, Offline};
use anabranch_mqtt::Version;
use rustix::process::Signal;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::task::JoinHandle;

const RESTARTS: u64 = 10;
/// How many values go out before each restart; the broker goes in their midst.
const ROUND: u64 = 100;

/// Values go out, and after each restart some come in.
async fn flowing(broker: &Mosquitto, quality: u8, version: Version) -> (Db, Arc<AtomicU64>, JoinHandle<()>) {
    let kept = ConnectorConfig { offline: Some(Offline::KeepNewest(usize::MAX)), ..qos(quality) };
    let db = with(to(broker.url()).client_id("tested").version(version))
        .goes_out("out", "mqtt://flow/{value}", kept)
        .comes_in("in", "mqtt://back", qos(1))
        .build()
        .await
        .unwrap();
    let out = db.producer::<u64>("out").unwrap();
    db.start();
    db.online("mqtt").await;
    let wanted = Arc::new(AtomicU64::new(0));
    let produced = wanted.clone();
    let flow = tokio::spawn(async move {
        for value in 0..RESTARTS * ROUND {
            // It keeps some way ahead of what has arrived, so it never runs dry and never runs off.
            while value >= produced.load(Ordering::Relaxed) + ROUND {
                tokio::task::yield_now().await;
            }
            out.send(value).await.unwrap();
        }
    });
    (db, wanted, flow)
}

/// What `observer` sees until its broker goes.
async fn all_seen(observer: &mut Observer, seen: &mut BTreeMap<u64, u32>) {
    while let Some(value) = observer.next().await {
        if value.topic.starts_with("flow/") {
            *seen.entry(value.text().parse().unwrap()).or_default() += 1;
        }
    }
}

/// Sends values in until one has come out, which is to be soon after each restart.
async fn inbound_flows(db: &Db, broker: &Mosquitto, values: &mut anabranch_core::Consumer<u64>, round: u64) {
    db.online("mqtt").await;
    let mut sender = Observer::connect(broker.port()).await;
    sender.publish("back", QoS::AtLeastOnce, round.to_string()).await.unwrap();
    while values.next().await != Some(round) {}
}

/// What remembers loses nothing: with persistence, the broker owes us all that it has acknowledged, and we owe the rest.
/// How often each value arrived.
async fn stopped_in_mid_flow(quality: u8, version: Version) -> BTreeMap<u64, u32> {
    let setup = Setup::default().remembers();
    let setup = if version == Version::V3_1_1 { setup.for_older_clients() } else { setup };
    let mut broker = Mosquitto::start(setup).await;
    // The observer subscribes, and comes for its values when all is over: nothing of what it sees is its own doing.
    let session = Persistence::Of("observer");
    let level = if quality == 2 { QoS::ExactlyOnce } else { QoS::AtLeastOnce };
    Observer::remembered(broker.port(), session).await.subscribe("flow/+", level).await.unwrap();
    let (db, wanted, flow) = flowing(&broker, quality, version).await;
    let mut values = db.consumer::<u64>("in").unwrap();
    for round in 0..RESTARTS {
        wanted.store(round * ROUND, Ordering::Relaxed);
        // The broker goes in the midst of this round's values.
        let midst = format!("'flow/{}'", round * ROUND + 37);
        broker.process().says_after(0, |line| line.starts_with("Received PUBLISH") && line.contains(&midst)).await;
        broker.stop().await;
        broker.start_again().await;
        inbound_flows(&db, &broker, &mut values, round).await;
    }
    wanted.store(RESTARTS * ROUND, Ordering::Relaxed);
    flow.await.unwrap();
    let connects = db.connector().connects;
    assert!(connects > RESTARTS, "{connects}");
    db.ends().await;
    let link = db.link("mqtt://flow/{value}");
    assert_eq!((link.values, link.failed, link.dropped, link.kept), (RESTARTS * ROUND, 0, 0, 0));
    let mut seen = BTreeMap::new();
    let mut observer = Observer::remembered(broker.port(), session).await;
    let mut fence = Observer::connect(broker.port()).await;
    fence.publish("flow/end", level, "end").await.unwrap();
    loop {
        let (_, text) = observer.text().await;
        if text == "end" {
            return seen;
        }
        *seen.entry(text.parse().unwrap()).or_default() += 1;
    }
}

#[test]
fn a_broker_that_is_stopped_and_started_ten_times_in_mid_flow_loses_no_value_that_was_published_at_least_once() {
    on_both_flavours(async || {
        let seen = stopped_in_mid_flow(1, Version::V5).await;
        assert!(seen.into_keys().eq(0..RESTARTS * ROUND));
    });
}

#[test]
fn a_broker_that_is_stopped_and_started_ten_times_in_mid_flow_gets_each_value_exactly_once_that_was_published_so() {
    on_both_flavours(async || {
        let seen = stopped_in_mid_flow(2, Version::V5).await;
        assert_eq!(seen, (0..RESTARTS * ROUND).map(|value| (value, 1)).collect());
    });
}

#[test]
fn the_older_version_of_the_protocol_keeps_these_promises_too() {
    on_two_threads(async {
        let at_least_once = stopped_in_mid_flow(1, Version::V3_1_1).await;
        assert!(at_least_once.into_keys().eq(0..RESTARTS * ROUND));
        let exactly_once = stopped_in_mid_flow(2, Version::V3_1_1).await;
        assert_eq!(exactly_once, (0..RESTARTS * ROUND).map(|value| (value, 1)).collect());
    });
}

/// The values that a broker has acknowledged, by its own log.
fn acknowledged(log: &[String]) -> BTreeSet<u64> {
    let mut by_identifier: BTreeMap<String, u64> = BTreeMap::new();
    let mut acknowledged = BTreeSet::new();
    for line in log {
        if let Some(publish) = line.strip_prefix("Received PUBLISH from tested (") {
            let identifier = publish.split(", m").nth(1).and_then(|rest| rest.split(',').next());
            let value = publish.split("'flow/").nth(1).and_then(|rest| rest.split('\'').next());
            if let (Some(identifier), Some(Ok(value))) = (identifier, value.map(str::parse)) {
                by_identifier.insert(identifier.to_owned(), value);
            }
        } else if let Some(puback) = line.strip_prefix("Sending PUBACK to tested (m") {
            let identifier = puback.split([',', ')']).next().unwrap_or_default();
            acknowledged.extend(by_identifier.remove(identifier));
        }
    }
    acknowledged
}

/// A broker is killed ten times in mid-flow, and forgets everything: it is subscribed to again each time.
///
/// What it has acknowledged and forgets nobody can promise. What it has not acknowledged is ours, and is sent again: each value
/// was seen, or the broker has logged that it acknowledged it.
pub async fn killed_in_mid_flow() {
    let mut broker = Mosquitto::start(Setup::default()).await;
    let mut observer = Observer::connect(broker.port()).await;
    observer.subscribe("flow/+", QoS::AtMostOnce).await.unwrap();
    let (db, wanted, flow) = flowing(&broker, 1, Version::V5).await;
    let mut values = db.consumer::<u64>("in").unwrap();
    let (mut seen, mut owed_by_broker) = (BTreeMap::new(), BTreeSet::new());
    for round in 0..RESTARTS {
        let before = seen.len();
        // Some of this round's values: the others may have been lost to a broker that had acknowledged them.
        while seen.len() < before + 20 {
            let value: u64 = observer.next().await.unwrap().text().parse().unwrap();
            *seen.entry(value).or_default() += 1;
            wanted.fetch_max(value, Ordering::Relaxed);
        }
        let log = broker.end(Signal::KILL).await;
        owed_by_broker.append(&mut acknowledged(&log));
        all_seen(&mut observer, &mut seen).await;
        broker.start_again().await;
        observer = Observer::connect(broker.port()).await;
        observer.subscribe("flow/+", QoS::AtMostOnce).await.unwrap();
        inbound_flows(&db, &broker, &mut values, round).await;
        wanted.store((round + 1) * ROUND, Ordering::Relaxed);
    }
    flow.await.unwrap();
    // Nothing is under way any more when the connector has taken leave.
    db.ends().await;
    let link = db.link("mqtt://flow/{value}");
    assert_eq!((link.values, link.failed, link.dropped, link.kept), (RESTARTS * ROUND, 0, 0, 0));
    assert_eq!(db.connector().in_flight, 0);
    let log = broker.end(Signal::TERM).await;
    owed_by_broker.append(&mut acknowledged(&log));
    all_seen(&mut observer, &mut seen).await;
    let lost: Vec<u64> =
        (0..RESTARTS * ROUND).filter(|value| !seen.contains_key(value) && !owed_by_broker.contains(value)).collect();
    assert!(lost.is_empty(), "{lost:?} were neither acknowledged nor sent again");
    assert!(owed_by_broker.len() as u64 <= RESTARTS * ROUND && seen.len() > 300, "values did flow");
}
