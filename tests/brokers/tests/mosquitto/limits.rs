//! Values that do not decode, that are too large, or that somebody does not take.

use crate::links::{Asked, Numbers, RING, comes_true, qos, to, with};
use anabranch_brokers::{Line, Mosquitto, Observer, QoS, Setup, on_both_flavours, on_two_threads};
use anabranch_core::{BufferCfg, ConnectorConfig};
use std::{collections::BTreeSet, time::Duration};

#[test]
fn a_payload_that_does_not_decode_is_counted_and_reported_with_its_topic_and_the_reason_and_the_link_goes_on() {
    on_both_flavours(async || {
        let broker = Mosquitto::start(Setup::default()).await;
        let db = with(to(broker.url())).comes_in("in", "mqtt://sensors/+/level", qos(1)).build().await.unwrap();
        let mut values = db.consumer::<u64>("in").unwrap();
        db.start();
        db.online("mqtt").await;
        let mut observer = Observer::connect(broker.port()).await;
        for (place, payload) in [("a", "1"), ("b", "much"), ("c", "\u{0}"), ("d", ""), ("e", "-1"), ("f", "2")] {
            observer.publish(&format!("sensors/{place}/level"), QoS::AtLeastOnce, payload).await.unwrap();
        }
        assert_eq!((values.next().await, values.next().await), (Some(1), Some(2)));
        let link = || db.link("mqtt://sensors/+/level");
        // A value is counted once the record has it, which is when another thread can see it.
        comes_true(|| link().values == 2).await;
        assert_eq!(link().failed, 4);
        let why = link().last_error.unwrap();
        assert!(why.starts_with("sensors/e/level: ") && why.len() > "sensors/e/level: ".len(), "{why}");
        assert_eq!(db.connector().connects, 1);
        db.ends().await;
    });
}

#[test]
fn a_payload_over_our_limit_is_kept_back_by_the_broker_and_the_connection_stays() {
    on_two_threads(async {
        let broker = Mosquitto::start(Setup::default()).await;
        let db = with(to(broker.url()).max_packet(1000))
            .configure::<String>("in", |r| {
                r.with_buffer(RING);
                r.link_from("mqtt://large").with_json().with_config(qos(1));
            })
            .build()
            .await
            .unwrap();
        let mut values = db.consumer::<String>("in").unwrap();
        db.start();
        db.online("mqtt").await;
        let mut observer = Observer::connect(broker.port()).await;
        for length in [1, 900, 2000, 100_000, 2] {
            let text = format!("\"{}\"", "x".repeat(length));
            observer.publish("large", QoS::AtLeastOnce, text).await.unwrap();
        }
        for length in [1, 900, 2] {
            assert_eq!(values.next().await.unwrap().len(), length);
        }
        assert_eq!(db.connector().connects, 1);
        db.ends().await;
    });
}

#[test]
fn a_payload_over_the_broker_s_limit_or_the_link_s_is_counted_and_reported_and_the_link_goes_on() {
    on_two_threads(async {
        let broker = Mosquitto::start(Setup::default().setting("max_packet_size 2000")).await;
        let config = ConnectorConfig { max_payload: Some(5000), ..qos(1) };
        let db = with(to(broker.url()))
            .configure::<usize>("out", |r| {
                r.with_buffer(BufferCfg::Queue { capacity: 4, consumers: 1 });
                let out = r.link_to("mqtt://large").with_config(config);
                out.with_serializer(|length, payload| payload.push(&vec![b'x'; *length]));
            })
            .build()
            .await
            .unwrap();
        let out = db.producer::<usize>("out").unwrap();
        db.start();
        db.online("mqtt").await;
        let mut observer = Observer::connect(broker.port()).await;
        observer.subscribe("large", QoS::AtLeastOnce).await.unwrap();
        for length in [10, 1900, 3000, 20] {
            out.send(length).await.unwrap();
        }
        for length in [10, 1900, 20] {
            assert_eq!(observer.next().await.unwrap().payload.len(), length);
        }
        let link = || db.link("mqtt://large");
        // A value is counted once the connector has it, which is when the broker can see it.
        comes_true(|| link().values == 3).await;
        assert_eq!(link().failed, 1);
        let why = link().last_error.unwrap();
        assert!(why.contains("large: ") && why.contains("3000"), "{why}");
        for length in [6000, 30] {
            out.send(length).await.unwrap();
        }
        assert_eq!(observer.next().await.unwrap().payload.len(), 30);
        let why = db.link("mqtt://large").last_error.unwrap();
        assert!(why.contains("max_payload"), "{why}");
        assert_eq!((db.link("mqtt://large").failed, db.connector().connects), (2, 1));
        db.ends().await;
    });
}

/// A broker that takes nothing for a while: the connector takes as much as it has memory for, and then the link, the record
/// and whoever produces are held up; when it goes on nothing was lost.
#[test]
fn a_broker_that_takes_nothing_holds_producers_up_and_nothing_is_lost() {
    on_two_threads(async {
        let broker = Mosquitto::start(Setup::default().quiet()).await;
        let line = Line::to(broker.port()).await;
        const MEMORY: usize = 64 * 1024;
        const PAYLOAD: usize = 1000;
        let db = with(to(line.url()).outbox_bytes(MEMORY))
            .configure::<u64>("out", |r| {
                r.with_buffer(BufferCfg::Queue { capacity: 4, consumers: 1 });
                r.link_to("mqtt://slow")
                    .with_config(qos(1))
                    .with_serializer(|value: &u64, payload| payload.push(format!("{value:0>PAYLOAD$}").as_bytes()));
            })
            .build()
            .await
            .unwrap();
        let out = db.producer::<u64>("out").unwrap();
        db.start();
        db.online("mqtt").await;
        let mut observer = Observer::connect(broker.port()).await;
        observer.subscribe("slow", QoS::AtLeastOnce).await.unwrap();
        line.goes_dead();
        // As many as fit, and no more.
        let mut sent = 0;
        while tokio::time::timeout(Duration::from_millis(500), out.send(sent)).await.is_ok() {
            sent += 1;
        }
        let memory = (MEMORY / PAYLOAD) as u64;
        assert!((memory / 2..=memory + 8).contains(&sent), "{sent} values were taken, of {PAYLOAD} bytes each");
        assert!(db.connector().in_flight as u64 <= memory);
        line.mend();
        for value in sent..2000 {
            out.send(value).await.unwrap();
        }
        for value in 0..2000 {
            assert_eq!(observer.text().await.1.parse(), Ok(value));
        }
        db.ends().await;
    });
}

/// The queue takes no more than it has room for; what has come already waits, and is acknowledged when it is in.
#[test]
fn a_record_without_room_loses_nothing_that_came_in() {
    on_both_flavours(async || {
        let broker = Mosquitto::start(Setup::default()).await;
        let db = with(to(broker.url()).client_id("slow"))
            .configure::<u64>("in", |r| {
                r.with_buffer(BufferCfg::Queue { capacity: 4, consumers: 1 });
                r.link_from("mqtt://fast").with_json().with_config(qos(1));
            })
            .build()
            .await
            .unwrap();
        let mut values = db.consumer::<u64>("in").unwrap();
        db.start();
        db.online("mqtt").await;
        let mut observer = Observer::connect(broker.port()).await;
        let all = (0..500).map(|value: u64| ("fast", value.to_string()));
        observer.publish_all(QoS::AtLeastOnce, all).await.unwrap();
        // The broker has all of them, and has sent more than has room.
        let sent = || broker.process().log().iter().filter(|line| line.starts_with("Sending PUBLISH to slow")).count();
        comes_true(|| sent() > 8).await;
        let acknowledged = broker.process().log().iter().filter(|line| line.contains("PUBACK from slow")).count();
        assert!(acknowledged <= 4, "{acknowledged} were acknowledged");
        for value in 0..500 {
            assert_eq!(values.next().await, Some(value));
        }
        comes_true(|| sent() >= 500).await;
        db.ends().await;
        assert_eq!((sent(), db.connector().connects), (500, 1));
    });
}

/// Mosquitto 2.0.11 sends as many values as its own setting says, whatever its client has allowed.
#[test]
fn a_broker_that_sends_more_at_once_than_it_was_allowed_loses_nothing_by_it() {
    on_both_flavours(async || {
        let broker = Mosquitto::start(Setup::default().quiet().setting("max_inflight_messages 0")).await;
        let db = with(to(broker.url()).receive_maximum(10))
            .configure::<u64>("in", |r| {
                r.with_buffer(BufferCfg::Queue { capacity: 4, consumers: 1 });
                r.link_from("mqtt://fast").with_json().with_config(qos(1));
            })
            .build()
            .await
            .unwrap();
        let mut values = db.consumer::<u64>("in").unwrap();
        db.start();
        db.online("mqtt").await;
        let mut observer = Observer::connect(broker.port()).await;
        let all = (0..200).map(|value: u64| ("fast", value.to_string()));
        observer.publish_all(QoS::AtLeastOnce, all).await.unwrap();
        let mut came = BTreeSet::new();
        while came.len() < 200 {
            came.insert(values.next().await.unwrap());
        }
        // It does not always do so.
        let reported = db.connector().last_error;
        assert!(reported.as_ref().is_none_or(|why| why.contains("raise `receive_maximum`")), "{reported:?}");
        assert!(db.link("mqtt://fast").dropped == 0 && db.link("mqtt://fast").failed == 0);
        let _aborted = db.shutdown(Duration::from_secs(1)).await;
    });
}

/// A subscriber of the broker's own that does not read does not hold up others, nor us.
#[test]
fn a_subscriber_that_does_not_read_holds_nobody_else_up_and_gets_all_when_it_does() {
    on_two_threads(async {
        let broker = Mosquitto::start(Setup::default().quiet()).await;
        let db = with(to(broker.url())).goes_out("out", "mqtt://values", qos(1)).build().await.unwrap();
        let out = db.producer::<u64>("out").unwrap();
        let line = Line::to(broker.port()).await;
        let mut slow = Observer::connect(line.port()).await;
        slow.subscribe("values", QoS::AtLeastOnce).await.unwrap();
        let mut quick = Observer::connect(broker.port()).await;
        quick.subscribe("values", QoS::AtLeastOnce).await.unwrap();
        db.start();
        db.online("mqtt").await;
        line.goes_dead();
        for value in 0..2000 {
            out.send(value).await.unwrap();
        }
        for value in 0..2000_u64 {
            assert_eq!(quick.text().await.1, value.to_string());
        }
        line.mend();
        for value in 0..2000_u64 {
            assert_eq!(slow.text().await.1, value.to_string());
        }
        db.ends().await;
    });
}
