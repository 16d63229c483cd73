//! What a broker knows of one client from its first CONNECT until the session ends, connected or not.

use crate::{ConnectionId, packets::FOR_EVER, topics};
use bytes::Bytes;
use mqtt_proto::{
    Pid, QoS, QosPid, TopicName,
    v5::{Packet, Publish, PublishProperties, Pubrel, PubrelReasonCode, SubscriptionOptions, VarByteInt},
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

/// A message on its way from a publisher to those who subscribed.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub topic: TopicName,
    pub payload: Bytes,
    pub qos: QoS,
    pub retain: bool,
    /// Those that travel on: no alias, no subscription, and the expiry as a moment.
    pub properties: PublishProperties,
    pub expires: Option<Duration>,
    /// The client that published it.
    pub from: Option<Arc<str>>,
}

impl Message {
    pub fn is_expired(&self, now: Duration) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }
}

/// A message as one session gets it.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub message: Arc<Message>,
    pub qos: QoS,
    pub retain: bool,
    pub subscription: Option<VarByteInt>,
}

impl Outgoing {
    fn publish(&self, qos_pid: QosPid, dup: bool, now: Duration) -> Publish {
        let mut publish = Publish::new(qos_pid, self.message.topic.clone(), self.message.payload.clone());
        publish.dup = dup;
        publish.retain = self.retain;
        publish.properties = self.message.properties.clone();
        publish.properties.subscription_id = self.subscription;
        // What is left of it, rounded up: a message that is sent is not expired.
        let left = self.message.expires.map(|at| at.saturating_sub(now).as_millis().div_ceil(1000));
        publish.properties.message_expiry_interval = left.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX));
        publish
    }
}

/// What was sent at QoS 1 or 2 and is not done.
#[derive(Debug, Clone)]
enum InFlight {
    /// The PUBLISH was sent; a PUBACK or PUBREC is to come.
    Published(Outgoing),
    /// The PUBREC came and the PUBREL was sent; a PUBCOMP is to come.
    Released,
}

/// What a client may be sent now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    /// How many messages of QoS 1 and 2.
    pub quota: u16,
    /// How long a packet.
    pub packet: usize,
}

/// A subscription of one client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subscription {
    pub options: SubscriptionOptions,
    pub id: Option<VarByteInt>,
}

/// A will, until it is published or taken back.
#[derive(Debug, Clone)]
pub(crate) struct Will {
    pub message: Message,
    /// The expiry that it will have from when it is published.
    pub expiry: Option<Duration>,
    pub delay: Duration,
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub connection: Option<ConnectionId>,
    /// How many seconds it outlives its connection.
    pub expiry: u32,
    /// When it ends, while nobody is connected.
    pub ends: Option<Duration>,
    /// The connected client's will.
    pub will: Option<Will>,
    /// The will of a client that has gone, and when it is published.
    pub delayed_will: Option<(Duration, Will)>,
    /// How many messages it lost because too many waited.
    pub dropped: u64,
    /// Filters that stand for one topic: looked up, so that ten thousand of them cost no more than one.
    exact: BTreeMap<Arc<str>, Subscription>,
    wild: BTreeMap<Arc<str>, Subscription>,
    shared: BTreeMap<Arc<str>, Subscription>,
    /// Messages of QoS 0, and of QoS 1 and 2, that were not sent yet: two queues, for the first do not wait for
    /// acknowledgements. Numbered, so that apart from that the order is the publishers'.
    waiting_once: VecDeque<(u64, Outgoing)>,
    waiting: VecDeque<(u64, Outgoing)>,
    /// What is not acknowledged, in the order of sending.
    in_flight: BTreeMap<u64, (Pid, InFlight)>,
    pids: BTreeMap<Pid, u64>,
    /// What of it is to be sent again on this connection.
    again: VecDeque<u64>,
    /// QoS 2 messages that came and were not released: what comes again under these identifiers is a duplicate.
    pub received: BTreeSet<Pid>,
    numbers: u64,
    last_pid: Pid,
}

impl Session {
    pub fn new() -> Self {
        Self {
            connection: None,
            expiry: 0,
            ends: None,
            will: None,
            delayed_will: None,
            dropped: 0,
            exact: BTreeMap::new(),
            wild: BTreeMap::new(),
            shared: BTreeMap::new(),
            waiting_once: VecDeque::new(),
            waiting: VecDeque::new(),
            in_flight: BTreeMap::new(),
            pids: BTreeMap::new(),
            again: VecDeque::new(),
            received: BTreeSet::new(),
            numbers: 0,
            // The one before the first: they go round.
            last_pid: Pid::default() - 1,
        }
    }

    /// A client is there: what it did not acknowledge is sent again, in the first order.
    pub fn resume(&mut self, connection: ConnectionId, expiry: u32) {
        self.connection = Some(connection);
        self.expiry = expiry;
        self.ends = None;
        self.again = self.in_flight.keys().copied().collect();
    }

    /// The client has gone; says whether the session goes on.
    pub fn suspend(&mut self, now: Duration) -> bool {
        self.connection = None;
        self.waiting_once.clear();
        self.again.clear();
        self.ends = (self.expiry != FOR_EVER).then(|| now + Duration::from_secs(u64::from(self.expiry)));
        self.expiry > 0
    }

    /// Takes a subscription, and says whether there was one of this filter.
    pub fn subscribe(&mut self, filter: &str, subscription: Subscription) -> bool {
        self.subscriptions_like(filter).insert(filter.into(), subscription).is_some()
    }

    /// Ends a subscription, and says whether there was one.
    pub fn unsubscribe(&mut self, filter: &str) -> bool {
        self.subscriptions_like(filter).remove(filter).is_some()
    }

    fn subscriptions_like(&mut self, filter: &str) -> &mut BTreeMap<Arc<str>, Subscription> {
        if filter.starts_with(mqtt_proto::SHARED_PREFIX) {
            &mut self.shared
        } else if topics::has_wildcard(filter) {
            &mut self.wild
        } else {
            &mut self.exact
        }
    }

    /// The subscriptions of its own that a topic belongs to.
    pub fn matching<'a>(&'a self, topic: &'a str) -> impl Iterator<Item = &'a Subscription> {
        let wild = self.wild.iter().filter(move |(filter, _)| topics::matches(filter, topic));
        self.exact.get(topic).into_iter().chain(wild.map(|(_, subscription)| subscription))
    }

    /// The shared subscriptions that it takes part in: `$share/group/filter`.
    pub fn shared(&self) -> impl Iterator<Item = (&Arc<str>, &Subscription)> {
        self.shared.iter()
    }

    pub fn filters(&self) -> impl Iterator<Item = &str> {
        self.exact.keys().chain(self.wild.keys()).chain(self.shared.keys()).map(AsRef::as_ref)
    }

    pub fn queued(&self) -> usize {
        self.waiting.len() + self.waiting_once.len()
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Puts a message in for the client, and says so. One of QoS 0 is only for a client that is there; when `maximum`
    /// messages wait, it is dropped and counted.
    pub fn enqueue(&mut self, outgoing: Outgoing, maximum: usize) -> bool {
        if outgoing.qos == QoS::Level0 && self.connection.is_none() {
            return false;
        }
        if self.queued() >= maximum {
            self.dropped += 1;
            return false;
        }
        let number = self.number();
        let queue = if outgoing.qos == QoS::Level0 { &mut self.waiting_once } else { &mut self.waiting };
        queue.push_back((number, outgoing));
        true
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// The next packet for the client, if there is one that it may be sent. `encoded` says how long a packet is.
    pub fn next_packet(
        &mut self,
        allowance: &mut Allowance,
        now: Duration,
        encoded: impl Fn(&Packet) -> usize,
    ) -> Option<Packet> {
        while let Some(&number) = self.again.front() {
            let packet = match self.in_flight.get(&number) {
                None => None,
                Some((pid, InFlight::Released)) => {
                    // The client holds it until the PUBREL is there: it counts, though it was sent on an earlier connection.
                    allowance.quota = allowance.quota.saturating_sub(1);
                    Some(Pubrel::new(*pid, PubrelReasonCode::Success).into())
                }
                // What follows waits, too: the order is the first one.
                Some((_, InFlight::Published(_))) if allowance.quota == 0 => {
                    return self.next_once(allowance, now, encoded);
                }
                Some((pid, InFlight::Published(outgoing))) => {
                    let packet = Packet::from(outgoing.publish(with(outgoing.qos, *pid), true, now));
                    if encoded(&packet) <= allowance.packet {
                        allowance.quota -= 1;
                        Some(packet)
                    } else {
                        self.forget(*pid);
                        None
                    }
                }
            };
            self.again.pop_front();
            if packet.is_some() {
                return packet;
            }
        }
        loop {
            let pid = (allowance.quota > 0).then(|| self.free_pid()).flatten();
            let first_acknowledged = self.waiting.front().map(|(number, _)| *number);
            let first_once = self.waiting_once.front().map(|(number, _)| *number);
            let (Some(pid), Some(number)) = (pid, first_acknowledged) else {
                return self.next_once(allowance, now, encoded);
            };
            if first_once.is_some_and(|once| once < number)
                && let Some(packet) = self.next_once(allowance, now, &encoded)
            {
                return Some(packet);
            }
            let Some((_, outgoing)) = self.waiting.pop_front() else { continue };
            if outgoing.message.is_expired(now) {
                continue;
            }
            let packet = Packet::from(outgoing.publish(with(outgoing.qos, pid), false, now));
            // As if it had been sent and acknowledged: this client will never take it.
            if encoded(&packet) > allowance.packet {
                continue;
            }
            allowance.quota -= 1;
            self.last_pid = pid;
            let number = self.number();
            self.pids.insert(pid, number);
            self.in_flight.insert(number, (pid, InFlight::Published(outgoing)));
            return Some(packet);
        }
    }

    fn next_once(
        &mut self,
        allowance: &Allowance,
        now: Duration,
        encoded: impl Fn(&Packet) -> usize,
    ) -> Option<Packet> {
        loop {
            let (_, outgoing) = self.waiting_once.pop_front()?;
            let packet = Packet::from(outgoing.publish(QosPid::Level0, false, now));
            if !outgoing.message.is_expired(now) && encoded(&packet) <= allowance.packet {
                return Some(packet);
            }
        }
    }

    fn free_pid(&self) -> Option<Pid> {
        if self.pids.len() >= usize::from(u16::MAX) {
            return None;
        }
        let mut pid = self.last_pid + 1;
        while self.pids.contains_key(&pid) {
            pid += 1;
        }
        Some(pid)
    }

    fn forget(&mut self, pid: Pid) -> bool {
        self.pids.remove(&pid).is_some_and(|number| self.in_flight.remove(&number).is_some())
    }

    fn state(&mut self, pid: Pid) -> Option<&mut InFlight> {
        let number = self.pids.get(&pid)?;
        self.in_flight.get_mut(number).map(|(_, state)| state)
    }

    /// A PUBACK came. Whether it was for something in flight.
    ///
    /// # Errors
    /// It was for a message of another QoS.
    pub fn acknowledged(&mut self, pid: Pid) -> Result<bool, WrongQos> {
        match self.state(pid) {
            None => Ok(false),
            Some(InFlight::Published(outgoing)) if outgoing.qos == QoS::Level1 => Ok(self.forget(pid)),
            Some(_) => Err(WrongQos),
        }
    }

    /// A PUBREC came that takes the message, or refuses it: whether there is such a message in flight.
    ///
    /// # Errors
    /// It was for a message of another QoS.
    pub fn noted(&mut self, pid: Pid, takes: bool) -> Result<bool, WrongQos> {
        match self.state(pid) {
            None => Ok(false),
            Some(InFlight::Published(outgoing)) if outgoing.qos == QoS::Level1 => Err(WrongQos),
            Some(_) if !takes => Ok(self.forget(pid)),
            Some(state) => {
                *state = InFlight::Released;
                Ok(true)
            }
        }
    }

    /// A PUBCOMP came. Whether it was for something in flight.
    ///
    /// # Errors
    /// It was for a message that was not released.
    pub fn completed(&mut self, pid: Pid) -> Result<bool, WrongQos> {
        match self.state(pid) {
            None => Ok(false),
            Some(InFlight::Released) => Ok(self.forget(pid)),
            Some(InFlight::Published(_)) => Err(WrongQos),
        }
    }
}

/// An acknowledgement that does not belong to the message it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrongQos;

fn with(qos: QoS, pid: Pid) -> QosPid {
    match qos {
        QoS::Level0 => QosPid::Level0,
        QoS::Level1 => QosPid::Level1(pid),
        QoS::Level2 => QosPid::Level2(pid),
    }
}
