//! A world of one broker and clients that speak packets to it, in time that only the test moves.

#![allow(dead_code, reason = "each test program uses a part of it")]

pub mod peer;

use anabranch_mqtt_broker::{Broker, BrokerOptions, ConnectionId, Memory, Output};
use bytes::Bytes;
use mqtt_proto::{
    Pid, QoS, QosPid, TopicFilter, TopicName, v3,
    v5::{Connack, Connect, Disconnect, LastWill, Packet, Publish, RetainHandling, Subscribe, SubscriptionOptions},
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

pub const SECOND: Duration = Duration::from_secs(1);

/// See the module.
pub struct World {
    pub broker: Broker,
    pub now: Duration,
    inboxes: BTreeMap<ConnectionId, Inbox>,
}

#[derive(Default)]
struct Inbox {
    packets: VecDeque<Packet>,
    bytes: Vec<u8>,
    closed: bool,
    /// Takes nothing from the broker.
    blocked: bool,
}

impl World {
    pub fn new(options: BrokerOptions) -> Self {
        Self { broker: Broker::new(options), now: Duration::ZERO, inboxes: BTreeMap::new() }
    }

    /// Opens a connection and says nothing.
    pub fn open(&mut self) -> ConnectionId {
        let id = self.broker.connected(self.now);
        self.inboxes.insert(id, Inbox::default());
        id
    }

    /// Connects, and is welcome: the connection, and what the broker answered.
    pub fn connect(&mut self, connect: Connect) -> (ConnectionId, Connack) {
        let id = self.open();
        self.say(id, connect);
        match self.hear(id) {
            Some(Packet::Connack(connack)) => (id, connack),
            other => panic!("a CONNACK was to come, not {other:?}"),
        }
    }

    /// Connects as a client whose session is new and lasts for an hour.
    pub fn client(&mut self, name: &str) -> ConnectionId {
        self.connect(connect(name)).0
    }

    /// Subscribes, and hears that it is.
    pub fn subscribe(&mut self, id: ConnectionId, filter: &str, qos: QoS) {
        self.subscribe_with(id, filter, options(qos));
    }

    pub fn subscribe_with(&mut self, id: ConnectionId, filter: &str, options: SubscriptionOptions) {
        self.say(id, Subscribe::new(pid(60_000), vec![(self::filter(filter), options)]));
        let suback = self.hear(id);
        assert!(
            matches!(&suback, Some(Packet::Suback(suback)) if suback.topics[0] as u8 == options.max_qos as u8),
            "{suback:?}"
        );
    }

    pub fn say(&mut self, id: ConnectionId, packet: impl Into<Packet>) {
        let bytes = packet.into().encode().expect("a packet that can be sent");
        self.say_bytes(id, bytes.as_ref());
    }

    pub fn say_bytes(&mut self, id: ConnectionId, bytes: &[u8]) {
        self.broker.received(id, bytes, self.now);
        self.deliver();
    }

    /// The next packet that came, if there is one.
    pub fn hear(&mut self, id: ConnectionId) -> Option<Packet> {
        self.inboxes.get_mut(&id).and_then(|inbox| inbox.packets.pop_front())
    }

    /// All that came, if it was PUBLISH packets only.
    pub fn publishes(&mut self, id: ConnectionId) -> Vec<Publish> {
        std::iter::from_fn(|| self.hear(id))
            .map(|packet| match packet {
                Packet::Publish(publish) => publish,
                other => panic!("a PUBLISH was to come, not {other:?}"),
            })
            .collect()
    }

    /// The payloads of the PUBLISH packets that came.
    pub fn payloads(&mut self, id: ConnectionId) -> Vec<String> {
        self.publishes(id).iter().map(text).collect()
    }

    /// All bytes that ever came, for versions that this client does not read.
    pub fn bytes(&mut self, id: ConnectionId) -> Vec<u8> {
        self.inboxes.get_mut(&id).map(|inbox| std::mem::take(&mut inbox.bytes)).unwrap_or_default()
    }

    /// The reason with which the broker ended the connection, as the last packet before its end.
    pub fn ended(&mut self, id: ConnectionId) -> u8 {
        let packets: Vec<_> = std::iter::from_fn(|| self.hear(id)).collect();
        assert!(self.is_closed(id), "the connection is open, after {packets:?}");
        match packets.last() {
            Some(Packet::Disconnect(Disconnect { reason_code, .. })) => *reason_code as u8,
            Some(Packet::Connack(connack)) => connack.reason_code as u8,
            other => panic!("a last word was to come, not {other:?}"),
        }
    }

    pub fn is_closed(&self, id: ConnectionId) -> bool {
        self.inboxes[&id].closed
    }

    /// The client's network is gone.
    pub fn cut(&mut self, id: ConnectionId) {
        self.broker.closed(id, self.now);
        self.inboxes.entry(id).or_default().closed = true;
        self.deliver();
    }

    /// From now on the client takes nothing from the broker; or again.
    pub fn block(&mut self, id: ConnectionId, blocked: bool) {
        self.inboxes.entry(id).or_default().blocked = blocked;
        self.take(id);
    }

    /// Lets time pass, deadline by deadline.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(deadline) = self.broker.next_deadline().filter(|at| *at <= until) {
            self.now = deadline.max(self.now);
            self.broker.handle_timeout(self.now);
            self.deliver();
        }
        self.now = until;
    }

    pub fn crash(&mut self, memory: Memory) {
        self.broker.crash(memory, self.now);
        for inbox in self.inboxes.values_mut() {
            inbox.closed = true;
        }
        self.deliver();
    }

    fn deliver(&mut self) {
        while let Some(id) = self.broker.poll_ready() {
            self.take(id);
        }
    }

    pub fn take(&mut self, id: ConnectionId) {
        let inbox = self.inboxes.entry(id).or_default();
        while !inbox.blocked {
            match self.broker.poll_output(id, self.now) {
                None => break,
                Some(Output::Close) => inbox.closed = true,
                Some(Output::Send(bytes)) => {
                    assert!(!inbox.closed, "nothing is sent after the end");
                    inbox.bytes.extend_from_slice(&bytes);
                    if let Ok(Some(packet)) = Packet::decode(&bytes) {
                        inbox.packets.push_back(packet);
                    }
                }
            }
        }
    }
}

/// A CONNECT with a clean start and a session that lasts for an hour.
pub fn connect(name: &str) -> Connect {
    let mut connect = Connect::new(name.into(), 0);
    connect.properties.session_expiry_interval = Some(3600);
    connect
}

/// The same, to go on with an old session.
pub fn resume(name: &str) -> Connect {
    Connect { clean_start: false, ..connect(name) }
}

pub fn options(max_qos: QoS) -> SubscriptionOptions {
    SubscriptionOptions {
        max_qos,
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::SendAtSubscribe,
    }
}

pub fn publish(qos_pid: QosPid, topic: &str, payload: &str) -> Publish {
    Publish::new(qos_pid, TopicName::try_from(topic).expect("a topic"), Bytes::copy_from_slice(payload.as_bytes()))
}

pub fn retained(topic: &str, payload: &str) -> Publish {
    Publish { retain: true, ..publish(QosPid::Level0, topic, payload) }
}

pub fn will(topic: &str, payload: &str, delay: u32) -> LastWill {
    let topic = TopicName::try_from(topic).expect("a topic");
    let mut will = LastWill::new(QoS::Level0, topic, payload.to_owned().into());
    will.properties.delay_interval = Some(delay);
    will
}

pub fn pid(number: u16) -> Pid {
    Pid::try_from(number).expect("not zero")
}

pub fn filter(filter: &str) -> TopicFilter {
    TopicFilter::try_from(filter).expect("a filter")
}

pub fn text(publish: &Publish) -> String {
    String::from_utf8_lossy(&publish.payload).into_owned()
}

/// The bytes of a packet of 3.1.1.
pub fn v3_bytes(packet: impl Into<v3::Packet>) -> Vec<u8> {
    packet.into().encode().expect("a packet that can be sent").as_ref().to_vec()
}
