//! Values pass, both ways, as their links say.

use crate::links::{Asked, Numbers, RING, comes_in, qos, to, with};
use anabranch_brokers::{Mosquitto, Observed, Observer, QoS, Setup, on_both_flavours, on_two_threads};
use anabranch_core::ConnectorConfig;
use anabranch_mqtt::Version;
use std::collections::BTreeMap;

#[test]
fn values_pass_both_ways_at_each_quality_of_service_in_both_versions() {
    on_both_flavours(async || {
        let newer = Mosquitto::start(Setup::default()).await;
        let older = Mosquitto::start(Setup::default().for_older_clients()).await;
        let all = [(Version::V5, &newer), (Version::V3_1_1, &older)].into_iter();
        for ((version, broker), quality) in all.flat_map(|each| (0..=2).map(move |quality| (each, quality))) {
            let db = with(to(broker.url()).version(version).client_id("tested"))
                .comes_in("in", "mqtt://values/in", qos(quality))
                .goes_out("out", "mqtt://values/out", qos(quality))
                .build()
                .await
                .unwrap();
            let (mut values, out) = (db.consumer::<u64>("in").unwrap(), db.producer::<u64>("out").unwrap());
            let mut observer = Observer::connect(broker.port()).await;
            observer.subscribe("values/out", QoS::ExactlyOnce).await.unwrap();
            db.start();
            db.online("mqtt").await;
            for value in 0..200 {
                out.send(value).await.unwrap();
            }
            for value in 0..200 {
                let observed = observer.next().await.unwrap();
                assert_eq!((observed.text(), observed.qos), (&*value.to_string(), quality));
            }
            let sent = (0..200).map(|value: u64| ("values/in", value.to_string()));
            observer.publish_all(QoS::ExactlyOnce, sent).await.unwrap();
            for value in 0..200 {
                assert_eq!(values.next().await, Some(value));
            }
            db.ends().await;
            assert_eq!((db.link("mqtt://values/in").values, db.link("mqtt://values/out").values), (200, 200));
        }
    });
}

#[test]
fn a_retained_value_arrives_and_one_that_goes_out_retained_is_kept_by_the_broker() {
    on_two_threads(async {
        let broker = Mosquitto::start(Setup::default()).await;
        let mut early = Observer::connect(broker.port()).await;
        early.publish_retained("kept/in", QoS::AtLeastOnce, "5").await.unwrap();
        let retained = ConnectorConfig { qos: Some(1), retain: Some(true), ..Default::default() };
        let db = with(to(broker.url()))
            .comes_in("in", "mqtt://kept/in", qos(1))
            .goes_out("out", "mqtt://kept/out", retained)
            .goes_out("passing", "mqtt://kept/passing", qos(1))
            .build()
            .await
            .unwrap();
        let mut values = db.consumer::<u64>("in").unwrap();
        let (out, passing) = (db.producer::<u64>("out").unwrap(), db.producer::<u64>("passing").unwrap());
        db.start();
        assert_eq!(values.next().await, Some(5));
        early.subscribe("kept/+", QoS::AtLeastOnce).await.unwrap();
        assert_eq!(early.text().await, ("kept/in".to_owned(), "5".to_owned()));
        passing.send(1).await.unwrap();
        assert_eq!(early.text().await.1, "1");
        out.send(6).await.unwrap();
        assert_eq!(early.text().await.1, "6");
        let mut late = Observer::connect(broker.port()).await;
        late.subscribe("kept/out", QoS::AtLeastOnce).await.unwrap();
        late.subscribe("kept/passing", QoS::AtLeastOnce).await.unwrap();
        let kept = Observed { topic: "kept/out".to_owned(), qos: 1, retained: true, payload: b"6".to_vec() };
        assert_eq!(late.next().await, Some(kept));
        // The one that was not retained would have come by now.
        late.publish("kept/passing", QoS::AtLeastOnce, "2").await.unwrap();
        assert_eq!(late.text().await, ("kept/passing".to_owned(), "2".to_owned()));
    });
}

#[test]
fn overlapping_links_get_each_value_once() {
    on_two_threads(async {
        let broker = Mosquitto::start(Setup::default()).await;
        let addresses = ["mqtt://a/b/c", "mqtt://a/+/c", "mqtt://a/+/+", "mqtt://a/#", "mqtt://#"];
        for quality in 0..=2 {
            let mut builder = with(to(broker.url()));
            for (place, address) in addresses.into_iter().enumerate() {
                builder = builder.comes_in(&format!("record {place}"), address, qos(quality));
            }
            // And two links of one record.
            let db = builder
                .configure::<u64>("both", |r| {
                    r.with_buffer(RING);
                    comes_in(r, "mqtt://a/b/+", qos(quality));
                    comes_in(r, "mqtt://+/b/c", qos(quality));
                })
                .build()
                .await
                .unwrap();
            let mut records =
                (0..addresses.len()).map(|i| db.consumer::<u64>(format!("record {i}")).unwrap()).collect::<Vec<_>>();
            let mut both = db.consumer::<u64>("both").unwrap();
            db.start();
            db.online("mqtt").await;
            let mut observer = Observer::connect(broker.port()).await;
            let values = (1..=20_u64).map(|value| ("a/b/c", value.to_string()));
            observer.publish_all(QoS::ExactlyOnce, values).await.unwrap();
            for record in &mut records {
                for value in 1..=20 {
                    assert_eq!(record.next().await, Some(value), "at quality {quality}");
                }
            }
            let mut times = BTreeMap::<u64, u32>::new();
            for _ in 0..40 {
                *times.entry(both.next().await.unwrap()).or_default() += 1;
            }
            assert_eq!(times, (1..=20).map(|value| (value, 2)).collect(), "once through each link");
            // Whatever came twice would stand before this.
            observer.publish("a/b/c", QoS::ExactlyOnce, "99").await.unwrap();
            for record in &mut records {
                assert_eq!(record.next().await, Some(99));
            }
            assert_eq!((both.next().await, both.next().await), (Some(99), Some(99)));
            db.ends().await;
        }
    });
}
