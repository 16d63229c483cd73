//! The connector in a `static`, with links of static records: the same promises, in places of fixed size.

use crate::{
    faults::{Bridged, an_hour},
    seeds, taken,
    world::{World, connector},
};
use anabranch_core::{
    Bound, ConnectionState, ConnectorConfig, Decode, DecodeError, Encode, EncodeError, Latest, LinkErrorKind,
    LinkFailure, LinkIn, LinkOut, Links, Offline, Payload, Queue, Record, Ring,
};
use anabranch_executor::Duration;
use anabranch_mqtt::{MqttConfigError, MqttConnector, MqttFailure, Reason, StaticMqtt, StaticMqttError};
use anabranch_mqtt_broker::{BrokerOptions, Memory};
use anabranch_sim::{Sim, SimOptions};
use std::{future::poll_fn, pin::pin, task::Poll};

/// Values as they are; `?` is none.
#[derive(Debug, Clone, Copy)]
struct Plain;

impl Encode<String> for Plain {
    fn encode(&self, value: &String, payload: &mut Payload<'_>) -> Result<(), EncodeError> {
        Ok(payload.push(value.as_bytes())?)
    }

    fn field(&self, value: &String, name: &str, text: &mut Payload<'_>) -> Result<(), EncodeError> {
        match name {
            "value" => Ok(text.push(value.as_bytes())?),
            _ => Err(EncodeError::new("no such field")),
        }
    }
}

impl Decode<String> for Plain {
    fn decode(&self, payload: &[u8], bound: &Bound<'_>) -> Result<String, DecodeError> {
        let text = std::str::from_utf8(payload).map_err(DecodeError::new)?;
        match text {
            "?" => Err(DecodeError::new("no value")),
            _ => Ok(bound.get("name").map_or_else(|| text.into(), |name| format!("{name} {text}"))),
        }
    }
}

/// Something that stands for ever, as a `static` does, for one seed.
fn stands<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// Runs the connector beside `rest`, in one task as on a board, until both have ended.
async fn beside(running: impl Future<Output = Result<(), StaticMqttError>>, rest: impl Future<Output = ()>) {
    let (mut running, mut rest) = (pin!(running), pin!(rest));
    let mut ended = (false, false);
    poll_fn(|cx| {
        if !ended.0
            && let Poll::Ready(end) = running.as_mut().poll(cx)
        {
            end.expect("it runs");
            ended.0 = true;
        }
        ended.1 = ended.1 || rest.as_mut().poll(cx).is_ready();
        if ended == (true, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

const fn qos(qos: u8) -> ConnectorConfig {
    ConnectorConfig { qos: Some(qos), ..ConnectorConfig::DEFAULT }
}

type Bridge = (&'static Record<String, Queue<4>>, &'static LinkIn<Plain, 8>, &'static LinkOut<Plain, 512>);

fn bridge(from: &'static str, to: &'static str, config: ConnectorConfig) -> Bridge {
    let input = stands(LinkIn::new(from).with_decode(Plain).with_config(config));
    let output = stands(LinkOut::new(to).with_encode(Plain).with_config(config));
    (stands(Record::new("bridge")), input, output)
}

impl Bridged for (&StaticMqtt, [Bridge; 3]) {
    fn is_online(&self) -> bool {
        self.0.status().state == ConnectionState::Online
    }

    fn connects(&self) -> u64 {
        self.0.status().connects as u64
    }

    fn is_settled(&self) -> bool {
        self.0.status().in_flight == 0 && self.1.iter().all(|bridge| bridge.2.counts().kept == 0)
    }
}

fn an_hour_of_faults(sim: &mut Sim, memory: Memory) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let world = World::new(sim, BrokerOptions::default());
    let faults = (sim.network(), sim.adapter());
    sim.block_on(async {
        let mqtt: &'static StaticMqtt = stands(StaticMqtt::new());
        let bridges = [
            bridge("mqtt://in0", "mqtt://out0", qos(0)),
            bridge("mqtt://in1", "mqtt://out1", qos(1)),
            bridge("mqtt://in2", "mqtt://out2", qos(2)),
        ];
        let [zero, one, two] = bridges;
        let links = stands(
            Links::new()
                .link_from(zero.1, zero.0.producer().unwrap())
                .link_to(zero.2, zero.0.consumer().unwrap())
                .link_from(one.1, one.0.producer().unwrap())
                .link_to(one.2, one.0.consumer().unwrap())
                .link_from(two.1, two.0.producer().unwrap())
                .link_to(two.2, two.0.consumer().unwrap()),
        );
        let options = connector().keep_alive(Duration::from_secs(5)).answer_within(Duration::from_secs(3));
        beside(mqtt.run(&world.client, &options, links), async {
            an_hour(faults, &world, memory, &(mqtt, bridges)).await;
            mqtt.close();
        })
        .await;
    })?;
    Ok(())
}

#[test]
fn in_a_static_each_quality_of_service_keeps_its_promise_whatever_the_world_does() {
    SimOptions::default().check(seeds(), |sim| an_hour_of_faults(sim, Memory::Keep));
}

#[test]
fn in_a_static_it_comes_back_to_a_broker_that_forgets() {
    SimOptions::default().check(seeds(), |sim| an_hour_of_faults(sim, Memory::Forget));
}

#[test]
fn while_there_is_no_connection_the_newest_values_are_kept_and_the_others_counted() {
    let mut sim = Sim::new(1);
    let world = World::new(&sim, BrokerOptions::default());
    world.broker.crash(Memory::Keep);
    sim.block_on(async {
        static READINGS: Record<String, Ring<8>> = Record::new("readings");
        static OUT: LinkOut<Plain, 3> = LinkOut::new("mqtt://readings/{value}").with_encode(Plain).with_config(qos(1));
        static DROPS: LinkOut<Plain, 3> = LinkOut::new("mqtt://never")
            .with_encode(Plain)
            .with_config(ConnectorConfig { offline: Some(Offline::Drop), ..ConnectorConfig::DEFAULT });
        static MQTT: StaticMqtt<256, 128, 2> = StaticMqtt::new();
        let mut producer = READINGS.producer().ok();
        let links =
            Links::new().link_to(&OUT, READINGS.consumer().unwrap()).link_to(&DROPS, READINGS.consumer().unwrap());
        let (options, links) = (connector(), links);
        beside(MQTT.run(&world.client, &options, &links), async {
            for number in 0..7 {
                producer.as_ref().unwrap().produce(number.to_string());
                world.sleep(10).await;
            }
            let (kept, dropped) = (OUT.counts(), DROPS.counts());
            assert_eq!((kept.values, kept.kept, kept.dropped), (0, 3, 4));
            assert_eq!((dropped.values, dropped.kept, dropped.dropped), (0, 0, 7));
            assert_eq!(MQTT.status().last_failure, Some(MqttFailure::NothingListens));
            producer.as_ref().unwrap().produce("a value that is longer than its place ".repeat(8));
            producer.as_ref().unwrap().produce("a/b".into());
            world.broker.restart();
            drop(producer.take()); // everything that is published has ended: so does the connector, when the broker has all of it
        })
        .await;
        let taken = taken(&world);
        let topics: Vec<&str> = taken.keys().map(String::as_str).collect();
        assert_eq!(
            topics,
            ["readings/6"],
            "the two that came after it were kept in its place, and cannot be sent: {taken:?}"
        );
        let counts = OUT.counts();
        assert_eq!((counts.values, counts.failed, counts.kept), (1, 2, 0), "{counts:?}");
        assert_eq!(counts.last_failure, Some(LinkFailure::Address));
    })
    .unwrap();
}

#[test]
fn what_cannot_be_decoded_or_has_no_room_is_counted_and_the_link_goes_on() {
    let mut sim = Sim::new(1);
    let world = World::new(&sim, BrokerOptions::default());
    sim.block_on(async {
        static JOBS: Record<String, Queue<2>> = Record::new("jobs");
        static STATE: Record<String, Latest> = Record::new("state");
        static JOBS_IN: LinkIn<Plain, 2> = LinkIn::new("mqtt://jobs/{name}").with_decode(Plain);
        static STATE_IN: LinkIn<Plain> = LinkIn::new("mqtt://state").with_decode(Plain).with_config(qos(1));
        static MQTT: StaticMqtt<256, 256, 4> = StaticMqtt::new();
        let mut jobs = JOBS.consumer().unwrap();
        let mut state = STATE.consumer().unwrap();
        let links =
            Links::new().link_from(&JOBS_IN, JOBS.producer().unwrap()).link_from(&STATE_IN, STATE.producer().unwrap());
        let (options, links) = (connector().max_packet(128), links);
        beside(MQTT.run(&world.client, &options, &links), async {
            world.until("online", || MQTT.status().state == ConnectionState::Online).await;
            let publish = |topic: &str, payload: &str, qos| {
                world.broker.publish(topic, payload.to_string(), qos, false).unwrap();
            };
            for number in 0..6 {
                publish("jobs/a", &number.to_string(), 0);
            }
            publish("state", "?", 1);
            publish("state", "on", 1);
            assert_eq!(state.next().await.as_deref(), Some("on"));
            let counts = JOBS_IN.counts();
            assert_eq!(
                (counts.values, counts.failed),
                (2, 1),
                "two are in the queue, one is on its way, two wait, one has no room"
            );
            assert_eq!(counts.last_failure, Some(LinkFailure::NoRoom));
            assert_eq!((STATE_IN.counts().failed, STATE_IN.counts().last_failure), (1, Some(LinkFailure::Decode)));
            for number in 0..5 {
                assert_eq!(jobs.next().await, Some(format!("a {number}")), "in their order");
            }
            world.until("counted", || JOBS_IN.counts().values == 5).await;
            publish("state", &"x".repeat(500), 1); // the broker was told what is too large, and keeps it back
            publish("state", "off", 1);
            assert_eq!(state.next().await.as_deref(), Some("off"));
            MQTT.close();
        })
        .await;
    })
    .unwrap();
}

#[test]
fn what_is_wrong_is_said_before_anything_is_connected() {
    static RECORD: Record<String, Ring<2>> = Record::new("record");
    static MQTT: StaticMqtt = StaticMqtt::new();
    let mut sim = Sim::new(1);
    let runtime = sim.adapter();
    sim.block_on(async {
        let none = Links::new();
        let run = |options: MqttConnector| {
            let runtime = runtime.clone();
            async move { MQTT.run(&runtime, &options, &none).await.unwrap_err() }
        };
        assert_eq!(run(MqttConnector::new("mqtt://broker")).await, StaticMqttError::NoClientId);
        let wrong = run(MqttConnector::new("http://broker").client_id("c")).await;
        assert!(matches!(wrong, StaticMqttError::Config(MqttConfigError::Url(_))), "{wrong:?}");
        assert_eq!(
            wrong.to_string(),
            "the connector cannot be: its URL cannot be used: its scheme is none of mqtt, mqtts, ws and wss"
        );
        for (address, config, problem) in [
            (
                "mqtt://a/#/b",
                ConnectorConfig::DEFAULT,
                "`#` stands before the end: it takes all the levels that are left, so it can only be the last",
            ),
            ("mqtt+plant://a", ConnectorConfig::DEFAULT, "its scheme is not that of this connector"),
            ("coap://a", ConnectorConfig::DEFAULT, "its scheme is not that of this connector"),
            ("mqtt://a", qos(3), "a `qos` is 0, 1 or 2"),
        ] {
            let link = stands(LinkIn::<_, 0>::new(address).with_decode(Plain).with_config(config));
            let record: &Record<String, Ring<2>> = stands(Record::new("record"));
            let links = Links::new().link_from(link, record.producer().unwrap());
            let wrong = MQTT.run(&runtime, &connector(), &links).await.unwrap_err();
            let StaticMqttError::Link(error) = &wrong else { panic!("{wrong:?}") };
            assert_eq!((error.address, error.problem.to_string().as_str()), (address, problem));
        }
        let link = stands(LinkOut::<_, 0, 64>::new("mqtt://a/+").with_encode(Plain));
        let links = Links::new().link_to(link, RECORD.consumer().unwrap());
        let wrong = MQTT.run(&runtime, &connector(), &links).await.unwrap_err();
        assert!(matches!(wrong, StaticMqttError::Link(error) if matches!(error.problem, LinkErrorKind::Address(_))));
    })
    .unwrap();
}

#[test]
fn a_wrong_password_is_a_failure_that_a_service_can_see() {
    let mut sim = Sim::new(1);
    let options = BrokerOptions::default();
    let world = World::new(&sim, BrokerOptions { users: [("board".into(), "secret".into())].into(), ..options });
    sim.block_on(async {
        static MQTT: StaticMqtt = StaticMqtt::new();
        let (options, links) = (connector().credentials("board", "guessed"), Links::new());
        beside(MQTT.run(&world.client, &options, &links), async {
            world.until("refused", || MQTT.status().last_failure.is_some()).await;
            assert!(matches!(MQTT.status().last_failure, Some(MqttFailure::Refused(_))), "{:?}", MQTT.status());
            assert!(MQTT.status().reason().is_some_and(Reason::is_refusal));
            MQTT.close();
        })
        .await;
    })
    .unwrap();
}

#[test]
fn user_and_password_may_stand_in_the_url() {
    let mut sim = Sim::new(1);
    let options = BrokerOptions::default();
    let world = World::new(&sim, BrokerOptions { users: [("board".into(), "secret".into())].into(), ..options });
    sim.block_on(async {
        static MQTT: StaticMqtt = StaticMqtt::new();
        let options = MqttConnector::new("mqtt://board:secret@broker").client_id("board");
        let links = Links::new();
        beside(MQTT.run(&world.client, &options, &links), async {
            world.until("online", || MQTT.status().state == ConnectionState::Online).await;
            MQTT.close();
        })
        .await;
        assert_eq!(MQTT.status().last_failure, None);
    })
    .unwrap();
}

/// One that has no room in the buffer would stand there for ever, and everything behind it.
#[test]
fn a_value_or_a_topic_that_is_larger_than_the_buffer_is_counted_and_those_behind_it_pass() {
    let mut sim = Sim::new(1);
    let world = World::new(&sim, BrokerOptions::default());
    sim.block_on(async {
        static OUT: Record<String, Queue<8>> = Record::new("out");
        static VALUES: LinkOut<Plain, 4, 512> = LinkOut::new("mqtt://values").with_encode(Plain).with_config(qos(1));
        static TOPICS: LinkOut<Plain, 4, 512> = LinkOut::new("mqtt://topics/{value}").with_encode(Plain);
        static TOPIC: Record<String, Queue<8>> = Record::new("topic");
        static MQTT: StaticMqtt<1024, 128> = StaticMqtt::new();
        let (values, topics) = (OUT.producer().unwrap(), TOPIC.producer().unwrap());
        let links = Links::new().link_to(&VALUES, OUT.consumer().unwrap()).link_to(&TOPICS, TOPIC.consumer().unwrap());
        let (options, world) = (connector(), &world);
        beside(MQTT.run(&world.client, &options, &links), async move {
            world.until("online", || MQTT.status().state == ConnectionState::Online).await;
            for length in [10, 112, 113, 200, 20] {
                values.send("v".repeat(length)).await.unwrap();
                topics.send("t".repeat(length)).await.unwrap();
            }
            world.until("all are done", || VALUES.counts().failed == 2 && TOPICS.counts().failed == 3).await;
            drop((values, topics)); // and it ends, as nothing is stuck
        })
        .await;
        assert_eq!((VALUES.counts().values, VALUES.counts().last_failure), (3, Some(LinkFailure::TooLarge)));
        assert_eq!((TOPICS.counts().values, TOPICS.counts().last_failure), (2, Some(LinkFailure::Address)));
    })
    .unwrap();
}

#[test]
fn a_topic_that_cannot_be_asked_for_in_the_buffer_is_said_before_anything_is_connected() {
    static RECORD: Record<String, Ring<2>> = Record::new("record");
    static MQTT: StaticMqtt<256, 64> = StaticMqtt::new();
    const LONG: &str = "mqtt://a/topic/that/goes/on/and/on/and/on/and/on/and/on/and/on/and/on";
    static LINK: LinkIn<Plain> = LinkIn::new(LONG).with_decode(Plain);
    let mut sim = Sim::new(1);
    let runtime = sim.adapter();
    sim.block_on(async {
        let links = Links::new().link_from(&LINK, RECORD.producer().unwrap());
        let wrong = MQTT.run(&runtime, &connector(), &links).await.unwrap_err();
        let StaticMqttError::Link(error) = &wrong else { panic!("{wrong:?}") };
        assert_eq!(error.address, LONG);
        assert!(error.problem.to_string().contains("`BUFFER`"), "{wrong}");
    })
    .unwrap();
}
