//! The connector against a simulated broker over a simulated network: every fault at any moment, in virtual time.

mod conformance;
mod faults;
mod statics;
mod world;

use anabranch_core::{Anabranch, BufferCfg, ConnectorConfig, RecordConfig};
use anabranch_executor::{ByteStreamExt, Duration, JoinHandle, Moment, RuntimeExt, TimeSource};
use anabranch_mqtt::Version;
use anabranch_mqtt_broker::{BrokerOptions, Memory};
use anabranch_sim::{Sim, SimAdapter, SimOptions};
use faults::{Bridged, an_hour};
use std::collections::BTreeMap;
use world::{World, bridge, connector, is_online, text};

const QUEUE: BufferCfg = BufferCfg::Queue { capacity: 4, consumers: 1 };

/// What the broker took for each topic: each payload, and how often.
fn taken(world: &World) -> BTreeMap<String, BTreeMap<String, usize>> {
    let mut taken: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for published in world.broker.published() {
        let payload = String::from_utf8(published.payload.to_vec()).unwrap();
        *taken.entry(published.topic.to_string()).or_default().entry(payload).or_default() += 1;
    }
    taken
}

impl Bridged for Anabranch<SimAdapter> {
    fn is_online(&self) -> bool {
        is_online(self)
    }

    fn connects(&self) -> u64 {
        self.connectors()[0].connects
    }

    fn is_settled(&self) -> bool {
        self.connectors()[0].in_flight == 0 && self.links().iter().all(|link| link.kept == 0)
    }
}

/// Runs a bridge of each quality of service through an hour of faults, and then looks at what came.
fn an_hour_of_faults(sim: &mut Sim, memory: Memory) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let world = World::new(sim, BrokerOptions::default());
    let faults = (sim.network(), sim.adapter());
    sim.block_on(async {
        let mut builder =
            world.builder(connector().keep_alive(Duration::from_secs(5)).answer_within(Duration::from_secs(3)));
        for qos in 0..=2 {
            let [name, from, to] = ["record", "in", "out"].map(|word| format!("{word}{qos}"));
            let [from, to] = [format!("mqtt://{from}"), format!("mqtt://{to}")];
            builder = bridge(builder, &name, QUEUE, [&from, &to], qos);
        }
        let db = builder.build().await.unwrap();
        db.start();
        an_hour(faults, &world, memory, &db).await;
        let end = db.shutdown(Duration::from_secs(20)).await;
        assert!(end.aborted.is_empty(), "{end:?}");
    })?;
    Ok(())
}

fn seeds() -> std::ops::Range<u64> {
    let count = std::env::var("ANABRANCH_MQTT_SEEDS").ok().and_then(|count| count.parse().ok());
    0..count.unwrap_or(30)
}

#[test]
fn each_quality_of_service_keeps_its_promise_whatever_the_world_does() {
    SimOptions::default().check(seeds(), |sim| an_hour_of_faults(sim, Memory::Keep));
}

#[test]
fn it_comes_back_to_a_broker_that_forgets() {
    SimOptions::default().check(seeds(), |sim| an_hour_of_faults(sim, Memory::Forget));
}

#[test]
fn what_was_taken_outlives_a_broker_that_forgets() {
    SimOptions::default().check(seeds(), |sim| {
        let world = World::new(sim, BrokerOptions { receive_maximum: 7, ..Default::default() });
        let adapter = sim.adapter();
        sim.block_on(async {
            let builder = world.builder(connector()).configure::<u32>("out", |r| {
                r.with_buffer(BufferCfg::Queue { capacity: 64, consumers: 1 });
                r.link_to("mqtt://out")
                    .with_config(ConnectorConfig { qos: Some(1), ..Default::default() })
                    .with_serializer(|value: &u32, out| out.push(&value.to_be_bytes()));
            });
            let db = builder.build().await.unwrap();
            let values = db.producer::<u32>("out").unwrap();
            db.start();
            for value in 0..500 {
                values.send(value).await.unwrap();
                if adapter.random_below(40) == 0 {
                    world.sleep(adapter.random_below(5)).await;
                    world.broker.crash(Memory::Forget);
                    world.sleep(adapter.random_below(1000)).await;
                    world.broker.restart();
                }
            }
            world
                .until("all acknowledged", || {
                    let links = db.links();
                    links[0].values == 500 && db.connectors()[0].in_flight == 0
                })
                .await;
            let mut came: Vec<u32> = Vec::new();
            for published in world.broker.published() {
                came.push(u32::from_be_bytes(published.payload[..].try_into().unwrap()));
            }
            came.sort_unstable();
            came.dedup();
            assert_eq!(came, (0..500).collect::<Vec<_>>());
        })?;
        Ok(())
    });
}

#[test]
fn a_value_comes_to_each_link_once_where_subscriptions_overlap() {
    SimOptions::default().check(0..5, |sim| {
        let world = World::new(sim, BrokerOptions::default());
        sim.block_on(async {
            let mut builder = world.builder(connector());
            for filter in ["a/b", "a/+", "+/b", "a/#", "#", "{x}/{y}"] {
                builder = builder.configure::<String>(filter, |r: &mut RecordConfig<'_, SimAdapter, String>| {
                    r.with_buffer(BufferCfg::SpmcRing { capacity: 8 });
                    r.link_from(format!("mqtt://{filter}")).with_deserializer(|bytes, _| text(bytes));
                });
            }
            let db = builder.build().await.unwrap();
            db.start();
            world.until("online", || is_online(&db)).await;
            world.broker.publish("a/b", "value", 0, false).unwrap();
            world.sleep(100).await;
            for link in db.links() {
                assert_eq!(link.values, 1, "{}", link.address);
            }
        })?;
        Ok(())
    });
}

#[test]
fn ten_thousand_topics_are_subscribed_to_and_come_back() {
    SimOptions::default().check(0..1, |sim| {
        let world = World::new(sim, BrokerOptions::default());
        sim.block_on(async {
            let builder = world.builder(connector()).configure::<String>("all", |r| {
                r.with_buffer(BufferCfg::SpmcRing { capacity: 8 });
                for i in 0..10_000 {
                    r.link_from(format!("mqtt://site/{}/sensor/{i}", i % 7)).with_deserializer(|bytes, _| text(bytes));
                }
            });
            let db = builder.build().await.unwrap();
            db.start();
            for _ in 0..2 {
                world.until("online", || is_online(&db)).await;
                assert_eq!(world.broker.sessions()[0].subscriptions.len(), 10_000);
                world.broker.publish(&format!("site/{}/sensor/{}", 9999 % 7, 9999), "value", 0, false).unwrap();
                world.sleep(100).await;
                world.broker.crash(Memory::Forget);
                world.until("offline", || !is_online(&db)).await;
                world.broker.restart();
            }
            assert_eq!(db.links().iter().map(|link| link.values).sum::<u64>(), 2);
        })?;
        Ok(())
    });
}

#[test]
fn a_broker_that_accepts_and_never_answers_is_left() {
    SimOptions::default().check(0..5, |sim| {
        let world = World::new(sim, BrokerOptions::default());
        sim.block_on(async {
            world.broker.never_answer(true);
            let patient = connector().answer_within(Duration::from_secs(2)).keep_alive(Duration::from_secs(5));
            let db =
                bridge(world.builder(patient), "record", QUEUE, ["mqtt://in", "mqtt://out"], 1).build().await.unwrap();
            db.start();
            let says = |words: &'static str| {
                let db = db.clone();
                move || db.connectors()[0].last_error.as_ref().is_some_and(|error| error.contains(words))
            };
            world.until("it is given up", says("did not answer the CONNECT in time")).await;
            world.broker.never_answer(false);
            world.until("online", || is_online(&db)).await;
            world.broker.never_answer(true);
            world.until("it is given up later, too", says("did not answer a PINGREQ in time")).await;
            assert!(!is_online(&db));
            world.broker.never_answer(false);
            world.until("online", || is_online(&db)).await;
            world.broker.publish("in", "value", 1, false).unwrap();
            world.until("it passes", || taken(&world).contains_key("out")).await;
        })?;
        Ok(())
    });
}

#[test]
fn a_will_is_published_after_a_cut_and_not_after_a_shutdown() {
    SimOptions::default().check(0..5, |sim| {
        let world = World::new(sim, BrokerOptions::default());
        let network = sim.network();
        sim.block_on(async {
            let willing = || connector().last_will("gone", "yes", 1, true);
            for cut in [false, true] {
                let builder = bridge(world.builder(willing()), "record", QUEUE, ["mqtt://in", "mqtt://out"], 1);
                let db = builder.build().await.unwrap();
                db.start();
                world.until("online", || is_online(&db)).await;
                if cut {
                    network.reset("client", "broker");
                    world.until("offline", || !is_online(&db)).await;
                }
                let end = db.shutdown(Duration::from_secs(5)).await;
                assert!(end.aborted.is_empty(), "{end:?}");
                world.sleep(1000).await;
                assert_eq!(taken(&world).contains_key("gone"), cut);
            }
        })?;
        Ok(())
    });
}

#[test]
fn a_slow_consumer_holds_up_its_own_link_only() {
    SimOptions::default().check(0..5, |sim| {
        let world = World::new(sim, BrokerOptions::default());
        sim.block_on(async {
            let builder = world.builder(connector().receive_maximum(50)).configure::<String>("slow", |r| {
                r.with_buffer(BufferCfg::Queue { capacity: 1, consumers: 1 });
                let config = ConnectorConfig { qos: Some(2), ..Default::default() };
                r.link_from("mqtt://slow").with_config(config).with_deserializer(|bytes, _| text(bytes));
            });
            let db = bridge(builder, "fast", QUEUE, ["mqtt://in", "mqtt://out"], 1).build().await.unwrap();
            let mut slow = db.consumer::<String>("slow").unwrap();
            db.start();
            world.until("online", || is_online(&db)).await;
            for i in 0..40 {
                world.broker.publish("slow", format!("{i}"), 2, false).unwrap();
                world.broker.publish("in", format!("{i}"), 1, false).unwrap();
            }
            world.until("the others pass", || taken(&world).get("out").is_some_and(|out| out.len() == 40)).await;
            // The connection is lost meanwhile, and the session is not.
            world.broker.crash(Memory::Keep);
            world.until("offline", || !is_online(&db)).await;
            for i in 0..10 {
                assert_eq!(slow.next().await, Some(format!("{i}")));
            }
            world.broker.restart();
            world.until("online", || is_online(&db)).await;
            for i in 10..40 {
                assert_eq!(slow.next().await, Some(format!("{i}")));
            }
            world.sleep(1000).await;
            assert!(slow.try_recv().is_err(), "each once");
            let sessions = world.broker.sessions();
            assert_eq!((sessions[0].in_flight, sessions[0].queued), (0, 0), "all is acknowledged");
        })?;
        Ok(())
    });
}

#[test]
fn a_value_that_waits_moves_when_its_queue_has_room_and_nothing_else_happens() {
    SimOptions::default().check(0..5, |sim| {
        let world = World::new(sim, BrokerOptions::default());
        sim.block_on(async {
            let quiet = connector().keep_alive(Duration::ZERO);
            let builder = world.builder(quiet).configure::<String>("slow", |r| {
                r.with_buffer(BufferCfg::Queue { capacity: 1, consumers: 1 });
                let config = ConnectorConfig { qos: Some(1), ..Default::default() };
                r.link_from("mqtt://slow").with_config(config).with_deserializer(|bytes, _| text(bytes));
            });
            let db = builder.build().await.unwrap();
            let mut slow = db.consumer::<String>("slow").unwrap();
            db.start();
            world.until("online", || is_online(&db)).await;
            for value in ["first", "second"] {
                world.broker.publish("slow", value, 1, false).unwrap();
                world.sleep(1000).await;
            }
            assert_eq!(slow.next().await.as_deref(), Some("first"));
            let second = world.client.timeout(Duration::from_secs(1), slow.next()).await;
            assert_eq!(second, Ok(Some("second".into())));
            world.until("it is acknowledged", || world.broker.sessions()[0].in_flight == 0).await;
        })?;
        Ok(())
    });
}

#[test]
fn a_packet_that_is_too_large_is_kept_back_by_the_broker_and_others_pass() {
    SimOptions::default().check(0..2, |sim| {
        let world = World::new(sim, BrokerOptions { maximum_packet_size: 2000, ..Default::default() });
        sim.block_on(async {
            let builder = world.builder(connector().max_packet(1000));
            let db = bridge(builder, "record", QUEUE, ["mqtt://in", "mqtt://out"], 1).build().await.unwrap();
            db.start();
            world.until("online", || is_online(&db)).await;
            world.broker.publish("in", "x".repeat(1500), 1, false).unwrap();
            world.broker.publish("in", "small", 1, false).unwrap();
            world.until("it passes", || taken(&world).contains_key("out")).await;
            assert!(is_online(&db) && db.connectors()[0].connects == 1);
        })?;
        Ok(())
    });
}

/// A broker of MQTT 3.1.1 cannot be told what is too large, and brings a retained value on each connection, and one that is not
/// acknowledged.
#[test]
fn what_is_too_large_is_passed_over_where_the_broker_cannot_be_told() {
    SimOptions::default().check(0..10, |sim| {
        let world = World::new(sim, BrokerOptions::default());
        sim.block_on(async {
            let options = connector().max_packet(1000).version(Version::V3_1_1).client_id("client");
            let builder = bridge(world.builder(options), "record", QUEUE, ["mqtt://in", "mqtt://out"], 2);
            let db = builder.build().await.unwrap();
            world.broker.publish("in", "x".repeat(3000), 2, true).unwrap();
            db.start();
            world.until("online", || is_online(&db)).await;
            for (qos, length) in [(0, 980), (1, 1500), (2, 200_000), (2, 20), (0, 2000)] {
                world.broker.publish("in", "x".repeat(length), qos, false).unwrap();
            }
            world.broker.publish("in", "small", 1, false).unwrap();
            let out = |payload: &str| taken(&world).get("out").is_some_and(|out| out.get(payload) == Some(&1));
            world.until("it passes", || out("small")).await;
            assert!(out(&"x".repeat(980)) && out(&"x".repeat(20)) && taken(&world)["out"].len() == 3);
            assert_eq!(db.connectors()[0].connects, 1);
            let failed = || db.links().iter().map(|link| link.failed).sum::<u64>();
            assert_eq!(failed(), 4);
            let links = db.links();
            let error = links.iter().find_map(|link| link.last_error.as_ref()).unwrap().to_string();
            assert!(error.contains("of which 1000 are allowed: raise `max_packet`") && error.contains("in"), "{error}");

            // The retained value comes again, and what was acknowledged does not.
            world.broker.crash(Memory::Keep);
            world.until("offline", || !is_online(&db)).await;
            world.broker.restart();
            world.until("online", || is_online(&db)).await;
            world.broker.publish("in", "last", 1, false).unwrap();
            world.until("it passes", || out("last")).await;
            assert_eq!((db.connectors()[0].connects, taken(&world)["out"].len()), (2, 4));
            let sessions = world.broker.sessions();
            assert_eq!((sessions[0].in_flight, sessions[0].queued), (0, 0), "all is acknowledged");
        })?;
        Ok(())
    });
}

/// Bytes of a broker that has gone mad, for each connection others.
#[test]
fn no_broker_makes_it_panic_and_a_sane_one_is_found_again() {
    SimOptions::default().check(seeds(), |sim| {
        let host = sim.adapter().on_host("broker");
        let adapter = sim.adapter();
        let mut listener = host.listen(world::PORT)?;
        let mad = host.spawn_named("mad", async move {
            loop {
                let Ok((mut stream, _)) = listener.accept().await else { return };
                let mut bytes = vec![0x20, 3, 0, 0, 0, 0x90, 4, 0xff, 0, 0, 0];
                // A CONNACK and a SUBACK, or a part of them, and then anything.
                bytes.truncate(usize::try_from(adapter.random_below(12)).unwrap());
                for _ in 0..adapter.random_below(200) {
                    bytes.push(u8::try_from(adapter.random_below(if bytes.len() % 3 == 0 { 256 } else { 8 })).unwrap());
                }
                let _gone = stream.write_all(&bytes).await;
                adapter.sleep(Duration::from_millis(500)).await;
            }
        });
        let client = sim.adapter().on_host("client");
        let network = sim.network();
        sim.block_on(async {
            let mad_connector = connector().answer_within(Duration::from_secs(1));
            let builder = anabranch_core::Anabranch::builder().runtime(client.clone()).with_connector(mad_connector);
            let db = bridge(builder, "record", QUEUE, ["mqtt://in", "mqtt://out"], 1).build().await.unwrap();
            db.start();
            client.sleep(Duration::from_secs(300)).await;
            let status = &db.connectors()[0];
            assert!(status.last_error.is_some(), "{status:?}");
            mad.abort();
            network.reset("client", "broker");
            // Until its port is free.
            let _aborted = mad.await;
            let world = World::on(&host, client.clone(), BrokerOptions::default());
            world.until("online", || is_online(&db)).await;
            world.broker.publish("in", "value", 1, false).unwrap();
            world.until("it passes", || taken(&world).contains_key("out")).await;
        })?;
        Ok(())
    });
}

/// More than one write holds, and then nothing: no answer, no other value, nobody asks whether the broker is there.
#[test]
fn what_one_write_has_no_room_for_follows_at_once() {
    SimOptions::default().check(0..3, |sim| {
        let world = World::new(sim, BrokerOptions::default());
        sim.block_on(async {
            let builder = world.builder(connector().keep_alive(Duration::ZERO)).configure::<String>("out", |r| {
                r.with_buffer(BufferCfg::Queue { capacity: 256, consumers: 1 });
                r.link_to("mqtt://out").with_serializer(|value: &String, out| out.push(value.as_bytes()));
            });
            let db = builder.build().await.unwrap();
            let values = db.producer::<String>("out").unwrap();
            db.start();
            world.until("online", || is_online(&db)).await;
            for value in 0..256 {
                values.send(format!("{value:01000}")).await.unwrap();
            }
            world.sleep(2000).await;
            assert_eq!(world.broker.published().len(), 256);
        })?;
        Ok(())
    });
}

/// At most two seconds lie between a broker's return and a connection, as long as the outage is younger than five.
#[test]
fn a_broker_that_is_back_within_five_seconds_is_found_within_two() {
    SimOptions::default().check(seeds(), |sim| {
        let world = World::new(sim, BrokerOptions::default());
        let adapter = sim.adapter();
        sim.block_on(async {
            let db = bridge(world.builder(connector()), "record", QUEUE, ["mqtt://in", "mqtt://out"], 1);
            let db = db.build().await.unwrap();
            db.start();
            world.until("online", || is_online(&db)).await;
            for _ in 0..5 {
                world.broker.crash(Memory::Keep);
                world.sleep(adapter.random_below(4_900)).await;
                world.broker.restart();
                let back = adapter.now();
                world.until("online again", || is_online(&db)).await;
                let took = adapter.now().since(back);
                assert!(took <= Duration::from_millis(2_500), "{took:?}"); // two seconds, and the way there and back
            }
            assert!(db.shutdown(Duration::from_secs(20)).await.aborted.is_empty());
        })?;
        Ok(())
    });
}
