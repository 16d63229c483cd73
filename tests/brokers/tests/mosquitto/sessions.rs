//! What a broker remembers of a connection, and what it says when one has gone.

use crate::links::{Asked, Numbers, qos, to, with};
use anabranch_brokers::{Line, Mosquitto, Observer, QoS, Setup, on_both_flavours, on_one_thread, on_two_threads};
use std::time::Duration;

#[test]
fn values_that_were_published_while_there_was_no_connection_arrive_when_there_is_one_again() {
    on_both_flavours(async || {
        let broker = Mosquitto::start(Setup::default()).await;
        let line = Line::to(broker.port()).await;
        let db = with(to(line.url()).client_id("away")).comes_in("in", "mqtt://session", qos(1)).build().await.unwrap();
        let mut values = db.consumer::<u64>("in").unwrap();
        db.start();
        db.online("mqtt").await;
        let mut observer = Observer::connect(broker.port()).await;
        observer.publish("session", QoS::AtLeastOnce, "1").await.unwrap();
        assert_eq!(values.next().await, Some(1));
        // Else it would come again.
        let acknowledged = |line: &str| line.starts_with("Received PUBACK from away");
        broker.process().says_after(0, acknowledged).await.unwrap();
        line.cut();
        db.offline("mqtt").await;
        let sent = (2..=500).map(|value: u64| ("session", value.to_string()));
        observer.publish_all(QoS::AtLeastOnce, sent).await.unwrap();
        line.mend();
        for value in 2..=500 {
            assert_eq!(values.next().await, Some(value));
        }
        // What waited may come before all is subscribed to again.
        db.online("mqtt").await;
        assert_eq!(db.connector().connects, 2);
        db.ends().await;
    });
}

#[test]
fn a_session_outlives_its_broker_that_remembers() {
    on_two_threads(async {
        let mut broker = Mosquitto::start(Setup::default().remembers()).await;
        let line = Line::to(broker.port()).await;
        let db = with(to(line.url())).comes_in("in", "mqtt://session", qos(1)).build().await.unwrap();
        let mut values = db.consumer::<u64>("in").unwrap();
        db.start();
        db.online("mqtt").await;
        line.cut();
        db.offline("mqtt").await;
        let mut observer = Observer::connect(broker.port()).await;
        observer.publish("session", QoS::AtLeastOnce, "1").await.unwrap();
        broker.stop().await;
        broker.start_again().await;
        let mut observer = Observer::connect(broker.port()).await;
        observer.publish("session", QoS::AtLeastOnce, "2").await.unwrap();
        line.mend();
        assert_eq!((values.next().await, values.next().await), (Some(1), Some(2)));
        db.ends().await;
    });
}

#[test]
fn values_wait_for_their_broker_to_be_there_for_the_first_time() {
    on_both_flavours(async || {
        let mut broker = Mosquitto::start(Setup::default()).await;
        broker.stop().await;
        let db = with(to(broker.url())).goes_out("out", "mqtt://early", qos(1)).build().await.unwrap();
        let out = db.producer::<u64>("out").unwrap();
        db.start();
        for value in 0..100 {
            out.send(value).await.unwrap();
        }
        db.reports("refused").await;
        assert_eq!(db.connector().connects, 0);
        broker.start_again().await;
        db.online("mqtt").await;
        db.ends().await;
        broker.process().says_after(0, |line| line.starts_with("Received DISCONNECT")).await.unwrap();
        assert_eq!((db.link("mqtt://early").values, db.link("mqtt://early").dropped), (100, 0));
        let received = broker.process().log();
        let received = received.iter().filter(|line| line.starts_with("Received PUBLISH"));
        assert_eq!(received.count(), 100);
    });
}

#[test]
fn the_last_will_is_published_when_a_process_has_died_and_not_when_it_took_leave() {
    on_two_threads(async {
        let broker = Mosquitto::start(Setup::default()).await;
        let mut observer = Observer::connect(broker.port()).await;
        observer.subscribe("state/+", QoS::AtLeastOnce).await.unwrap();
        for (place, orderly) in [("left", true), ("died", false)] {
            let url = broker.url();
            let life = move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    let connector = to(url).last_will(format!("state/{place}"), "gone", 1, true);
                    let db = with(connector).goes_out("out", "mqtt://out", qos(1)).build().await.unwrap();
                    db.start();
                    db.online("mqtt").await;
                    if orderly {
                        db.ends().await;
                    }
                });
                // All tasks go with the runtime, in the midst of what they do: nothing is said to the broker.
                runtime.shutdown_background();
            };
            tokio::task::spawn_blocking(life).await.unwrap();
        }
        assert_eq!(observer.text().await, ("state/died".to_owned(), "gone".to_owned()));
        // It was retained, so who comes later knows, too.
        let mut late = Observer::connect(broker.port()).await;
        late.subscribe("state/#", QoS::AtLeastOnce).await.unwrap();
        let kept = late.next().await.unwrap();
        assert_eq!((&*kept.topic, kept.retained), ("state/died", true));
    });
}

#[test]
fn an_idle_connection_is_kept_alive() {
    on_one_thread(async {
        let broker = Mosquitto::start(Setup::default()).await;
        let connector = to(broker.url()).client_id("idle").keep_alive(Duration::from_secs(1));
        let db = with(connector).comes_in("in", "mqtt://idle", qos(1)).build().await.unwrap();
        let mut values = db.consumer::<u64>("in").unwrap();
        db.start();
        db.online("mqtt").await;
        let mut heard = 0;
        for _ in 0..3 {
            let ping = broker.process().says_after(heard, |line| line.starts_with("Received PINGREQ from idle"));
            ping.await.unwrap();
            heard = broker.process().said();
        }
        // Mosquitto would have ended it after one and a half times its keep-alive.
        let mut observer = Observer::connect(broker.port()).await;
        observer.publish("idle", QoS::AtLeastOnce, "1").await.unwrap();
        assert_eq!(values.next().await, Some(1));
        assert_eq!(db.connector().connects, 1);
        db.ends().await;
    });
}
