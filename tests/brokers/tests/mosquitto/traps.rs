//! What has gone wrong with others' connectors, a test for each trap, named after it: here it holds nothing.
//!
//! Traps of records and services that have nothing to do with a connector are elsewhere: `crates/core/tests/traps.rs` and
//! `tests/scenarios/tests/traps.rs`.

use crate::{
    links::{Asked, Numbers, RING, comes_in, comes_true, goes_out, qos, to, with},
    refusals::{is_let_in, is_refused},
    restarts::killed_in_mid_flow,
};
use anabranch_brokers::{Mosquitto, Observer, PATIENCE, QoS, Setup, on_both_flavours, on_two_threads};
use anabranch_core::{BufferCfg, Connector, ConnectorBuilder, Payload, RecordConfig};
use anabranch_mqtt::MqttConnector;
use anabranch_tokio::TokioAdapter;
use std::{
    fmt::Write,
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
};

/// A value that was produced before anything had started goes out, and one that the broker had before comes in.
#[test]
fn the_first_value_is_lost_since_the_source_runs_before_the_tap_subscribes() {
    on_both_flavours(async || {
        let broker = Mosquitto::start(Setup::default()).await;
        let mut observer = Observer::connect(broker.port()).await;
        observer.subscribe("out", QoS::AtLeastOnce).await.unwrap();
        observer.publish_retained("in", QoS::AtLeastOnce, "1").await.unwrap();
        let db = with(to(broker.url()))
            .comes_in("in", "mqtt://in", qos(0))
            .goes_out("out", "mqtt://out", qos(0))
            .build()
            .await
            .unwrap();
        let mut values = db.consumer::<u64>("in").unwrap();
        db.producer::<u64>("out").unwrap().produce(2);
        db.start();
        assert_eq!(values.next().await, Some(1));
        assert_eq!(observer.text().await.1, "2");
        db.ends().await;
    });
}

#[test]
fn after_a_broker_restart_nothing_subscribes_again() {
    on_both_flavours(killed_in_mid_flow);
}

/// A decoder and an encoder panic at 3: their links go on with 4, and everything else with 3.
#[test]
fn one_panicking_tap_kills_the_whole_runner_while_produce_still_says_ok() {
    fn falls(value: u64) -> u64 {
        if value == 3 {
            std::panic::resume_unwind(Box::new("fell over 3"));
        }
        value
    }
    on_both_flavours(async || {
        let broker = Mosquitto::start(Setup::default()).await;
        let db = with(to(broker.url()))
            .configure::<u64>("in", |r| {
                r.with_buffer(RING);
                let link = r.link_from("mqtt://values").with_config(qos(1));
                link.with_deserializer(|bytes, _| str::from_utf8(bytes).unwrap_or_default().parse().map(falls));
            })
            .configure::<u64>("out", |r| {
                r.with_buffer(RING);
                let link = r.link_to("mqtt://falls").with_config(qos(1));
                link.with_serializer(|value: &u64, payload| write!(payload, "{}", falls(*value)));
                goes_out(r, "mqtt://beside", qos(1));
            })
            .comes_in("beside", "mqtt://values", qos(1))
            .build()
            .await
            .unwrap();
        let (mut values, mut beside) = (db.consumer::<u64>("in").unwrap(), db.consumer::<u64>("beside").unwrap());
        let mut observer = Observer::connect(broker.port()).await;
        for topic in ["falls", "beside"] {
            observer.subscribe(topic, QoS::AtLeastOnce).await.unwrap();
        }
        db.start();
        db.online("mqtt").await;
        let out = db.producer::<u64>("out").unwrap();
        for value in 0..6 {
            observer.publish("values", QoS::AtLeastOnce, value.to_string()).await.unwrap();
            assert_eq!(beside.next().await, Some(value));
            out.produce(value);
        }
        for value in [0, 1, 2, 4, 5] {
            assert_eq!(values.next().await, Some(value));
        }
        let mut came = Vec::new();
        while came.len() < 11 {
            came.push(observer.text().await);
        }
        let of = |topic: &str| came.iter().filter(|value| value.0 == topic).map(|value| &*value.1).collect::<Vec<_>>();
        assert_eq!((of("falls"), of("beside").len()), (vec!["0", "1", "2", "4", "5"], 6));
        // A value is counted once it was handed on, which is when another thread can see it.
        comes_true(|| db.link("mqtt://values").values == 5 && db.link("mqtt://falls").values == 5).await;
        let (decodes, encodes) = (db.link("mqtt://values"), db.link("mqtt://falls"));
        assert_eq!((decodes.values, decodes.failed, encodes.values, encodes.failed), (5, 1, 5, 1));
        assert!(encodes.last_error.as_ref().is_some_and(|why| why.contains("panicked")), "{encodes:?}");
        assert!(decodes.last_error.as_ref().is_some_and(|why| why.contains("panicked")), "{decodes:?}");
        assert_eq!(db.connector().connects, 1);
        db.ends().await;
    });
}

/// A link that lags is told so, and goes on with what is there.
#[test]
fn the_documented_loop_ends_for_ever_at_the_first_lag() {
    on_both_flavours(async || {
        let broker = Mosquitto::start(Setup::default()).await;
        let db = with(to(broker.url()))
            .configure::<u64>("out", |r| {
                r.with_buffer(BufferCfg::SpmcRing { capacity: 4 });
                goes_out(r, "mqtt://out", qos(1));
            })
            .build()
            .await
            .unwrap();
        let mut observer = Observer::connect(broker.port()).await;
        observer.subscribe("out", QoS::AtLeastOnce).await.unwrap();
        let out = db.producer::<u64>("out").unwrap();
        for value in 0..10 {
            out.produce(value); // before the link runs, so that it lags for sure
        }
        db.start();
        for value in 6..10 {
            assert_eq!(observer.text().await.1, value.to_string());
        }
        out.produce(10);
        assert_eq!(observer.text().await.1, "10");
        db.ends().await;
    });
}

/// Each link is subscribed with its own.
#[test]
fn inbound_qos_ignored() {
    on_two_threads(async {
        let broker = Mosquitto::start(Setup::default()).await;
        let mut builder = with(to(broker.url()).client_id("tested"));
        for quality in 0..=2 {
            builder = builder.comes_in(&format!("at {quality}"), &format!("mqtt://quality/{quality}"), qos(quality));
        }
        let db = builder.build().await.unwrap();
        let mut values = (0..=2).map(|q| db.consumer::<u64>(format!("at {q}")).unwrap()).collect::<Vec<_>>();
        db.start();
        db.online("mqtt").await;
        let mut observer = Observer::connect(broker.port()).await;
        for (quality, values) in values.iter_mut().enumerate() {
            observer.publish(&format!("quality/{quality}"), QoS::ExactlyOnce, "7").await.unwrap();
            assert_eq!(values.next().await, Some(7));
            // The broker sends with the lower of both: that which it was asked for.
            let topic = format!("'quality/{quality}'");
            let sent = broker
                .process()
                .says_after(0, |line| line.starts_with("Sending PUBLISH to tested") && line.contains(&topic));
            let sent = sent.await.unwrap();
            assert!(sent.contains(&format!(" q{quality},")), "{sent}");
        }
    });
}

/// One side of a rendezvous of two threads.
struct Side(Mutex<(Sender<()>, Receiver<()>)>);

impl Side {
    fn both() -> [Self; 2] {
        let ((to_right, from_left), (to_left, from_right)) = (channel(), channel());
        [(to_right, from_right), (to_left, from_left)].map(|ends| Side(Mutex::new(ends)))
    }

    /// Holds this thread up until the other side is there, on a thread of its own.
    fn meets(&self) -> Result<(), &'static str> {
        let ends = self.0.lock().map_err(|_| "nobody panics here")?;
        ends.0.send(()).map_err(|_| "the other side has gone")?;
        // Two links in one task would wait here for each other for ever; so there is an end to it.
        ends.1.recv_timeout(PATIENCE / 2).map_err(|_| "the other link does not run meanwhile")
    }
}

/// Two links encode at the same time, each on a thread of its own.
#[test]
fn everything_in_one_task_no_parallelism() {
    on_two_threads(async {
        let broker = Mosquitto::start(Setup::default()).await;
        let [left, right] = Side::both();
        let meets = |side: Side| {
            move |value: &u64, payload: &mut Payload<'_>| {
                side.meets()?;
                write!(payload, "{value}").map_err(|_| "there is room")
            }
        };
        let db = with(to(broker.url()))
            .configure::<u64>("out", |r| {
                r.with_buffer(RING);
                r.link_to("mqtt://left").with_serializer(meets(left));
                r.link_to("mqtt://right").with_serializer(meets(right));
            })
            .build()
            .await
            .unwrap();
        db.start();
        db.online("mqtt").await;
        db.producer::<u64>("out").unwrap().produce(1);
        comes_true(|| db.links().iter().all(|link| link.values + link.failed == 1)).await;
        assert!(db.links().iter().all(|link| link.values == 1), "{:?}", db.links());
        db.ends().await;
    });
}

/// What can be sent to another thread is what the compiler finds to be so: nothing here says it of itself. What cannot be
/// sent is refused when it is compiled: `crates/anabranch/tests/wrong_use/links_that_cannot_be_sent.rs`.
#[test]
fn unsafe_impl_send_wrappers_that_safe_code_can_misuse() {
    fn sent<T: Send>() {}
    fn sent_and_shared<T: Send + Sync + ?Sized>() {}
    sent::<MqttConnector>();
    sent::<Box<dyn ConnectorBuilder<TokioAdapter>>>();
    sent_and_shared::<Arc<dyn Connector>>();
    sent_and_shared::<crate::links::Db>();
}

/// A wrong password is refused and reported, and the right one let in.
#[test]
fn an_auth_token_that_nothing_reads() {
    on_both_flavours(async || {
        let broker = Mosquitto::start(Setup::default().password("me", "right")).await;
        let url = format!("mqtt://127.0.0.1:{}", broker.guarded_port());
        is_refused(to(&url).credentials("me", "wrong"), "not authori").await;
        is_refused(to(&url).credentials("you", "right"), "not authori").await;
        is_refused(to(&url), "not authori").await;
        let refused = broker.process().log();
        // What is of no use is not done again at once: one attempt each.
        let attempts = refused.iter().filter(|line| line.starts_with("Sending CONNACK") && !line.contains(", 0)"));
        assert!(attempts.clone().count() <= 6, "{:?}", attempts.collect::<Vec<_>>());
        is_let_in(to(&url).credentials("me", "right"), &broker).await;
        let in_url = format!("mqtt://me:right@127.0.0.1:{}", broker.guarded_port());
        is_let_in(to(in_url), &broker).await;
    });
}

/// They are told apart by name.
#[test]
fn two_brokers_in_one_database_impossible() {
    on_both_flavours(async || {
        let (left, right) = (Mosquitto::start(Setup::default()).await, Mosquitto::start(Setup::default()).await);
        let db = with(to(left.url()).name("left"))
            .with_connector(to(right.url()).name("right"))
            .with_connector(to(left.url()))
            .configure::<u64>("crosses", |r| {
                r.with_buffer(RING);
                comes_in(r, "mqtt+left://crosses", qos(1));
                goes_out(r, "mqtt+right://crosses", qos(1));
            })
            .configure::<u64>("back", |r| {
                r.with_buffer(RING);
                comes_in(r, "mqtt+right://back", qos(1));
                goes_out(r, "mqtt://back", qos(1));
            })
            .build()
            .await
            .unwrap();
        db.start();
        for scheme in ["mqtt+left", "mqtt+right", "mqtt"] {
            db.online(scheme).await;
        }
        let (mut of_left, mut of_right) = (Observer::connect(left.port()).await, Observer::connect(right.port()).await);
        of_left.subscribe("back", QoS::AtLeastOnce).await.unwrap();
        of_right.subscribe("crosses", QoS::AtLeastOnce).await.unwrap();
        of_left.publish("crosses", QoS::AtLeastOnce, "3").await.unwrap();
        assert_eq!(of_right.text().await, ("crosses".to_owned(), "3".to_owned()));
        of_right.publish("back", QoS::AtLeastOnce, "4").await.unwrap();
        assert_eq!(of_left.text().await, ("back".to_owned(), "4".to_owned()));
        db.ends().await;
    });
}

/// Three hundred each way do not hold each other up.
#[test]
fn more_than_ten_topics_deadlocked() {
    on_both_flavours(async || {
        let broker = Mosquitto::start(Setup::default()).await;
        let mut builder = with(to(broker.url()));
        for i in 0..300 {
            let record = |r: &mut RecordConfig<'_, TokioAdapter, u64>| {
                r.with_buffer(RING);
                comes_in(r, &format!("mqtt://in/{i}"), qos(1));
                goes_out(r, &format!("mqtt://out/{i}"), qos(1));
            };
            builder = builder.configure::<u64>(format!("record {i}"), record);
        }
        let db = builder.build().await.unwrap();
        let mut observer = Observer::connect(broker.port()).await;
        observer.subscribe("out/+", QoS::AtLeastOnce).await.unwrap();
        db.start();
        db.online("mqtt").await;
        let values = (0..3000).map(|value| (format!("in/{}", value % 300), value.to_string()));
        observer.publish_all(QoS::AtLeastOnce, values).await.unwrap();
        let mut next: Vec<u64> = (0..300).collect();
        for _ in 0..3000 {
            let (topic, value) = observer.text().await;
            let place: usize = topic.strip_prefix("out/").unwrap().parse().unwrap();
            assert_eq!(value, next[place].to_string(), "each topic's values in order");
            next[place] += 300;
        }
        db.ends().await;
    });
}
