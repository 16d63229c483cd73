//! Peers that accept and then say nothing.

use crate::links::{Asked, Numbers, qos, to, with};
use anabranch_brokers::{Line, Mosquitto, Observer, QoS, Setup, on_both_flavours, on_two_threads};
use anabranch_core::ConnectionState;
use std::time::Duration;
use tokio::net::TcpListener;

#[test]
fn a_peer_that_accepts_and_never_answers_is_given_up_and_tried_again() {
    on_both_flavours(async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("mqtt://{}", listener.local_addr().unwrap());
        let connector = to(url).answer_within(Duration::from_millis(200));
        let db = with(connector).comes_in("in", "mqtt://in", qos(1)).build().await.unwrap();
        db.start();
        let mut accepted = Vec::new();
        for _ in 0..3 {
            accepted.push(listener.accept().await.unwrap());
        }
        db.reports("did not answer").await;
        assert_eq!((db.connector().state, db.connector().connects), (ConnectionState::Offline, 0));
        let _aborted = db.shutdown(Duration::ZERO).await;
    });
}

#[test]
fn a_broker_that_falls_silent_is_noticed_and_values_flow_again_when_it_goes_on() {
    on_two_threads(async {
        let broker = Mosquitto::start(Setup::default()).await;
        let connector = to(broker.url()).keep_alive(Duration::from_secs(1)).answer_within(Duration::from_millis(500));
        let db = with(connector)
            .comes_in("in", "mqtt://in", qos(1))
            .goes_out("out", "mqtt://out", qos(1))
            .build()
            .await
            .unwrap();
        let (mut values, out) = (db.consumer::<u64>("in").unwrap(), db.producer::<u64>("out").unwrap());
        let mut observer = Observer::connect(broker.port()).await;
        observer.subscribe("out", QoS::AtLeastOnce).await.unwrap();
        db.start();
        db.online("mqtt").await;
        broker.freeze();
        // It is connected still, so this is taken, and is on its way when the broker is given up.
        out.send(1).await.unwrap();
        db.offline("mqtt").await;
        db.reports("did not answer").await;
        out.send(2).await.unwrap();
        broker.thaw();
        db.online("mqtt").await;
        let mut came = Vec::new();
        while !came.contains(&"2".to_owned()) {
            came.push(observer.text().await.1);
        }
        assert!(came.contains(&"1".to_owned()), "{came:?}");
        observer.publish("in", QoS::AtLeastOnce, "3").await.unwrap();
        assert_eq!(values.next().await, Some(3));
        db.ends().await;
    });
}

#[test]
fn a_line_that_goes_dead_is_noticed_although_nobody_has_cut_it() {
    on_both_flavours(async || {
        let broker = Mosquitto::start(Setup::default()).await;
        let line = Line::to(broker.port()).await;
        let connector = to(line.url()).keep_alive(Duration::from_secs(1)).answer_within(Duration::from_millis(500));
        let db = with(connector).comes_in("in", "mqtt://in", qos(1)).build().await.unwrap();
        let mut values = db.consumer::<u64>("in").unwrap();
        db.start();
        db.online("mqtt").await;
        line.goes_dead();
        let mut observer = Observer::connect(broker.port()).await;
        observer.publish("in", QoS::AtLeastOnce, "1").await.unwrap();
        db.offline("mqtt").await;
        line.mend();
        assert_eq!(values.next().await, Some(1));
        db.ends().await;
    });
}
