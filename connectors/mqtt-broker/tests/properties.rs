//! What holds whatever happens: no bytes break the broker, and no order of events breaks what a quality of service promises.

mod client;

use anabranch_mqtt_broker::{Broker, BrokerOptions, ConnectionId, Memory, Output};
use client::{World, connect, peer::Peer};
use mqtt_proto::{QoS, v5::Packet};
use proptest::{collection::vec, prelude::*};
use std::time::Duration;

const NOW: Duration = Duration::ZERO;

proptest! {
    #[test]
    fn no_bytes_break_the_broker(pieces in vec(vec(any::<u8>(), 0..40), 0..20), connected: bool) {
        let mut world = World::new(BrokerOptions::default());
        let id = world.open();
        if connected {
            world.say(id, connect("client"));
        }
        for piece in pieces {
            world.say_bytes(id, &piece);
        }
        world.pass(Duration::from_secs(1_000_000));
        prop_assert!(connected || world.is_closed(id), "nobody stays without a CONNECT");
    }

    /// Random bytes seldom get beyond a packet's first; these do.
    #[test]
    fn no_packet_with_a_few_wrong_bytes_breaks_the_broker(
        packet in 0..10_usize,
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        is_cut: bool,
        old: bool,
    ) {
        let mut world = World::new(BrokerOptions::default());
        let id = world.open();
        let mut bytes = if old { old_packet(packet) } else { new_packet(packet) };
        if bytes[0] != 0x10 {
            let hello = if old { old_packet(0) } else { new_packet(0) };
            world.say_bytes(id, &hello);
        }
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if is_cut {
            // With a length that says so, or the broker would wait for the rest.
            bytes.truncate(cut.index(bytes.len()).max(2));
            if bytes[1] < 0x80 {
                bytes[1] = (bytes.len() - 2) as u8;
            }
        }
        world.say_bytes(id, &bytes);
        world.say_bytes(id, &[0xc0, 0]);
        world.pass(Duration::from_secs(1_000_000));
    }

    #[test]
    fn qos_1_arrives_at_least_once_and_qos_2_exactly_once_in_order_through_cuts_and_crashes_that_keep(
        events in vec(event(), 0..300),
    ) {
        let mut lab = Lab::new();
        lab.settle();
        for event in events {
            lab.happen(event);
        }
        lab.settle();
        let (published, got) = (&lab.published, &lab.peers[1].got);
        for (payload, qos) in published {
            let count = got.iter().filter(|one| *one == payload).count();
            let kept = match qos {
                QoS::Level0 => count <= 1,
                QoS::Level1 => count >= 1,
                QoS::Level2 => count == 1,
            };
            prop_assert!(kept, "{payload} of {qos:?} came {count} times: {got:?}");
        }
        let mut firsts = Vec::new();
        for payload in got {
            if !firsts.contains(payload) && !payload.starts_with("Level0") {
                firsts.push(payload.clone());
            }
        }
        let expected: Vec<_> =
            published.iter().filter(|(_, qos)| *qos > QoS::Level0).map(|(payload, _)| payload.clone()).collect();
        prop_assert_eq!(firsts, expected);
    }

    #[test]
    fn the_same_events_give_the_same_bytes(events in vec(event(), 0..200)) {
        let run = || {
            let mut lab = Lab::new();
            events.iter().for_each(|event| lab.happen(*event));
            lab.settle();
            lab.bytes
        };
        prop_assert_eq!(run(), run());
    }
}

fn new_packet(number: usize) -> Vec<u8> {
    use client::{filter, options, pid, publish};
    use mqtt_proto::v5::*;
    let mut hello = connect("client");
    hello.username = Some("user".into());
    hello.last_will =
        mqtt_proto::TopicName::try_from("w").ok().map(|topic| LastWill::new(QoS::Level1, topic, "x".into()));
    let mut rich = publish(mqtt_proto::QosPid::Level2(pid(1)), "a", "x");
    rich.properties.topic_alias = Some(1);
    rich.properties.content_type = Some("t".into());
    rich.properties.user_properties = vec![UserProperty { name: "n".into(), value: "v".into() }];
    let packet: Packet = match number {
        0 => hello.into(),
        1 => rich.into(),
        2 => publish(mqtt_proto::QosPid::Level1(pid(1)), "a", "x").into(),
        3 => Subscribe::new(pid(1), vec![(filter("$share/a/+/#"), options(QoS::Level2))]).into(),
        4 => Unsubscribe::new(pid(1), vec![filter("a/+")]).into(),
        5 => Puback::new(pid(1), PubackReasonCode::QuotaExceeded).into(),
        6 => Pubrec::new_success(pid(1)).into(),
        7 => Pubrel::new_success(pid(1)).into(),
        8 => Auth::new_success().into(),
        _ => Disconnect::new(DisconnectReasonCode::DisconnectWithWillMessage).into(),
    };
    packet.encode().expect("a packet that can be sent").as_ref().to_vec()
}

fn old_packet(number: usize) -> Vec<u8> {
    use client::{filter, pid};
    use mqtt_proto::v3::*;
    let topic = || mqtt_proto::TopicName::try_from("a").expect("a topic");
    let mut hello = Connect::new("client".into(), 3);
    hello.last_will = Some(LastWill::new(QoS::Level1, topic(), "x".into()));
    let packet: Packet = match number {
        0 => hello.into(),
        1 => Publish::new(mqtt_proto::QosPid::Level2(pid(1)), topic(), "x".into()).into(),
        2 => Subscribe::new(pid(1), vec![(filter("a/#"), QoS::Level2)]).into(),
        3 => Unsubscribe::new(pid(1), vec![filter("a/+")]).into(),
        4 => Packet::Puback(pid(1)),
        5 => Packet::Pubrec(pid(1)),
        6 => Packet::Pubrel(pid(1)),
        7 => Packet::Pubcomp(pid(1)),
        8 => Packet::Pingreq,
        _ => Packet::Disconnect,
    };
    packet.encode().expect("a packet that can be sent").as_ref().to_vec()
}

/// Something that happens to a publisher (0), a subscriber (1) and their broker.
#[derive(Debug, Clone, Copy)]
enum Event {
    Publish(QoS),
    /// Some of what a client has to say reaches the broker.
    Says(usize, usize),
    /// Some of what the broker has to say reaches a client.
    Hears(usize, usize),
    Cut(usize),
    Connect(usize),
    Crash,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..3_u8).prop_map(|qos| Event::Publish(QoS::from_u8(qos).expect("one of three"))),
        6 => (0..2_usize, 1..4_usize).prop_map(|(peer, count)| Event::Says(peer, count)),
        6 => (0..2_usize, 1..4_usize).prop_map(|(peer, count)| Event::Hears(peer, count)),
        1 => (0..2_usize).prop_map(Event::Cut),
        2 => (0..2_usize).prop_map(Event::Connect),
        1 => Just(Event::Crash),
    ]
}

struct Lab {
    broker: Broker,
    peers: [Peer; 2],
    links: [Option<ConnectionId>; 2],
    published: Vec<(String, QoS)>,
    /// All that the broker ever sent.
    bytes: Vec<u8>,
}

impl Lab {
    fn new() -> Self {
        Self {
            broker: Broker::new(BrokerOptions::default()),
            peers: [Peer::new("publisher", "nothing"), Peer::new("subscriber", "topic")],
            links: [None; 2],
            published: Vec::new(),
            bytes: Vec::new(),
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Publish(qos) => {
                let payload = format!("{qos:?} {}", self.published.len());
                self.peers[0].publish("topic", &payload, qos);
                self.published.push((payload, qos));
            }
            Event::Says(peer, count) => {
                let Some(link) = self.links[peer] else { return };
                for _ in 0..count {
                    let Some(packet) = self.peers[peer].outbox.pop_front() else { return };
                    let bytes = packet.encode().expect("a packet that can be sent");
                    self.broker.received(link, bytes.as_ref(), NOW);
                }
            }
            Event::Hears(peer, count) => {
                for _ in 0..count {
                    let Some(link) = self.links[peer] else { return };
                    match self.broker.poll_output(link, NOW) {
                        None => return,
                        Some(Output::Close) => self.lose(peer),
                        Some(Output::Send(bytes)) => {
                            self.bytes.extend_from_slice(&bytes);
                            match Packet::decode(&bytes).expect("a packet").expect("a whole one") {
                                // Its own new connection took its session over.
                                Packet::Disconnect(_) => self.lose(peer),
                                packet => self.peers[peer].hear(packet),
                            }
                        }
                    }
                }
            }
            Event::Cut(peer) => self.lose(peer),
            Event::Connect(peer) => {
                // The old connection may be open for the broker, half-open as networks have it.
                self.links[peer] = Some(self.broker.connected(NOW));
                self.peers[peer].connected();
            }
            Event::Crash => {
                self.broker.crash(Memory::Keep, NOW);
                self.links = [None; 2];
                self.peers.iter_mut().for_each(Peer::lost);
            }
        }
    }

    fn lose(&mut self, peer: usize) {
        if let Some(link) = self.links[peer].take() {
            self.broker.closed(link, NOW);
        }
        self.peers[peer].lost();
    }

    /// From now on nothing goes wrong, until nobody has anything to say.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            for peer in 0..2 {
                if self.links[peer].is_none() {
                    self.happen(Event::Connect(peer));
                }
                self.happen(Event::Says(peer, 10));
                self.happen(Event::Hears(peer, 10));
            }
            let is_idle = |state: &anabranch_mqtt_broker::SessionState| state.queued == 0 && state.in_flight == 0;
            if self.peers.iter().all(Peer::is_done) && self.broker.sessions().iter().all(is_idle) {
                return;
            }
        }
        panic!("it does not settle: {:?}", self.broker.sessions());
    }
}
